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


def test_same_seed_same_weights():
    for build in NETWORKS.values():
        for a, b in zip(build().get_weights(), build().get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    first, second = (unlabelled.image_encoder(seed=seed).get_weights()[0] for seed in (0, 1))
    assert not np.array_equal(first, second)
