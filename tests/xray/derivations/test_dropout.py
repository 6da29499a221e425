from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from toolkit.xray.derivations import derive, why_not


@pytest.mark.parametrize("noise_shape", [None, (None, 1, 5)])
@pytest.mark.parametrize("own_seed", [None, 3])
def test_dropout_draws_the_same_mask_as_keras(call_layer, check_derivation, rng, noise_shape, own_seed):
    layer = keras.layers.Dropout(0.4, noise_shape, own_seed, dtype="float64")
    for _ in range(2):  # the second call draws another mask
        call = call_layer(layer, {"inputs": 1 + rng.random((3, 4, 5))}, training=True)
        derivation = check_derivation(call)
        assert 0 < np.mean(derivation.values["m"] == 0) < 1
        assert layer.seed_generator.state.numpy()[1] == call.seed[1] + 1  # drawn again, on another generator


def test_outside_training_nothing_is_dropped(call_layer, check_derivation, rng):
    call = call_layer(keras.layers.Dropout(0.4, dtype="float64"), {"inputs": rng.standard_normal((3, 4))})
    assert check_derivation(call).forward[0].equation == "y = x"


def test_without_the_seed_there_is_no_derivation(call_layer, rng):
    call = call_layer(keras.layers.Dropout(0.4, dtype="float64"), {"inputs": rng.random((3, 4))}, training=True)
    assert derive(replace(call, seed=None)) is None
    assert "drawn again" in why_not(replace(call, seed=None))
