"""Images and networks small enough that a step costs nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.training import unlabelled


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def bars(rng) -> np.ndarray:
    """48 images (8, 8, 1) with one bright bar each, upright or lying, somewhere: values in [0, 1]."""
    x = np.zeros((48, 8, 8, 1), dtype="float32")
    for k, place in enumerate(rng.integers(1, 7, len(x))):
        x[(k, slice(None), place) if k % 2 else (k, place)] = 0.9
    return x


@pytest.fixture
def encoder() -> keras.Sequential:
    return unlabelled.image_encoder((8, 8, 1), 6, filters=(4,), seed=0)


@pytest.fixture
def simclr(encoder) -> unlabelled.SimCLR:
    head = unlabelled.projection_head(6, hidden=5, outputs=4, seed=1)
    view = unlabelled.RandomView(shift=0.1, zoom=0.1, rotation=5, noise=0.05, seed=2)
    model = unlabelled.SimCLR(encoder, head, view)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


@pytest.fixture
def autoencoder(encoder) -> unlabelled.DenoisingAutoencoder:
    model = unlabelled.DenoisingAutoencoder(encoder, unlabelled.image_decoder((8, 8, 1), 6, filters=4, seed=1))
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


@pytest.fixture
def gan() -> unlabelled.GAN:
    """A generator and a discriminator of points in the plane."""
    generator = unlabelled.dense_network(3, 2, hidden=(8,), seed=0)
    model = unlabelled.GAN(generator, unlabelled.dense_network(2, 1, hidden=(8,), seed=1))
    model.compile(keras.optimizers.Adam(0.01, beta_1=0.5), keras.optimizers.Adam(0.01, beta_1=0.5))
    return model
