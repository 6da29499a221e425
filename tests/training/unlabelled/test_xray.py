"""Every network of this package can be traced, and its numbers hold."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import xray
from toolkit.training import unlabelled

NETWORKS = {
    "encoder": lambda: unlabelled.image_encoder((8, 8, 1), 5, filters=(3, 4), seed=0),
    "head": lambda: unlabelled.projection_head(6, hidden=5, outputs=4, seed=0),
    "decoder": lambda: unlabelled.image_decoder((8, 8, 1), 5, filters=3, seed=0),
    "generator": lambda: unlabelled.image_generator((8, 8, 1), 3, filters=4, seed=0),
    "discriminator": lambda: unlabelled.image_discriminator((8, 8, 1), filters=2, seed=0),
    "autoencoder": lambda: keras.Sequential(
        [
            unlabelled.image_encoder((8, 8, 1), 5, filters=(3,), seed=0),
            unlabelled.image_decoder((8, 8, 1), 5, filters=2, seed=0),
        ]
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_xray_verifies(name, rng):
    model = NETWORKS[name]()
    x = rng.uniform(0, 1, (3, *model.input_shape[1:])).astype("float32")
    y = rng.uniform(0, 1, (3, *model.output_shape[1:])).round().astype("float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True) if name == "discriminator" else "mse"
    trace = xray.trace(model, x, y, loss=loss, optimizer="adam")
    verification = trace.verify()
    assert verification.rows
    assert not verification.failed


def whole_models():
    encoder = unlabelled.image_encoder((8, 8, 1), 5, filters=(3,), seed=0)
    yield unlabelled.SimCLR(encoder, unlabelled.projection_head(5, hidden=4, outputs=3, seed=0)), "mse"
    yield unlabelled.DenoisingAutoencoder(encoder, unlabelled.image_decoder((8, 8, 1), 5, filters=2, seed=0)), "mse"
    generator, discriminator = unlabelled.dense_network(3, 2, hidden=(4,)), unlabelled.dense_network(2, 1, hidden=(4,))
    yield unlabelled.GAN(generator, discriminator), keras.losses.BinaryCrossentropy(from_logits=True)


def test_xray_verifies_whole_models(rng):
    """What ``model(x)`` computes: SimCLR's features, the reconstruction, the discriminator's logits."""
    for model, loss in whole_models():
        assert model.count_params() == sum(w.size for w in model.get_weights())
        shape = (2,) if isinstance(model, unlabelled.GAN) else (8, 8, 1)
        x = rng.uniform(0, 1, (4, *shape)).astype("float32")
        y = rng.uniform(0, 1, model(x).shape).round().astype("float32")
        verification = xray.trace(model, x, y, loss=loss, optimizer="adam").verify()
        assert verification.rows
        assert not verification.failed


def test_same_seed_same_weights():
    for build in NETWORKS.values():
        for a, b in zip(build().get_weights(), build().get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    first, second = (unlabelled.image_encoder(seed=seed).get_weights()[0] for seed in (0, 1))
    assert not np.array_equal(first, second)
