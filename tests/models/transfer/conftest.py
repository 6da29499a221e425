"""Small networks and data of the tests' own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.models import transfer


@pytest.fixture
def small():
    """A ResNet-18 of width 2 for 16 × 16 pixels and 4 classes, float64."""
    return transfer.resnet18((16, 16, 3), 4, width=2, dtype="float64", seed=0)


@pytest.fixture
def plain():
    """A network without normalisation and names of stages: three resolutions, a dropout, a dense end."""
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.Conv2D(3, 3, padding="same", name="first"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="second"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="third"),
        keras.layers.GlobalAveragePooling2D(name="pooled"),
        keras.layers.Dropout(0.5, name="dropped"),
        keras.layers.Dense(6, "softmax", name="answer"),
    ]
    keras.utils.set_random_seed(0)
    return keras.Sequential(layers, name="plain")


@pytest.fixture
def images():
    """Sixteen images of 16 × 16 pixels in [0, 255], and labels out of three classes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (16, 16, 16, 3), dtype=np.uint8), np.arange(16) % 3
