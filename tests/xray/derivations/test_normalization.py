from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.derivations import derive, why_not

shapes = st.lists(st.integers(2, 4), min_size=2, max_size=4).map(tuple)


def test_batch_normalization_matches_hand_example(call_layer):
    # x = (1, 3), ε = 0.44: μ = 2, v = 1, σ = 1.2, x̂ = ∓1/1.2; γ = 6, β = 1: y = (−4, 6).
    layer = keras.layers.BatchNormalization(epsilon=0.44, momentum=0.5, dtype="float64")
    weights = [np.array([6.0]), np.array([1.0]), np.array([0.0]), np.array([1.0])]
    x = np.array([[1.0], [3.0]])
    call = call_layer(layer, {"inputs": x}, weights=weights, dy=[np.array([[1.0], [0.0]])], training=True)
    derivation = derive(call)
    titles = [step.title for step in derivation.forward]
    assert titles[:7] == [
        "mean", "distance from the mean", "variance", "standard deviation", "normalise", "scale", "shift",
    ]  # fmt: skip
    assert {name: derivation.values[name].item() for name in ("mu", "v", "sigma")} == {"mu": 2, "v": 1, "sigma": 1.2}
    np.testing.assert_allclose(derivation.outputs[0], [[-4], [6]])
    assert derivation.updated == {"moving_mean": [1.0], "moving_variance": [1.0]}
    # dβ = 1, dγ = −1/1.2; dx = γ/σ (dy − (dβ + x̂ dγ)/2) = 5 (1 − (1 + 1/1.44)/2, −(1 − 1/1.44)/2)
    np.testing.assert_allclose(derivation.gradients["gamma"], [-1 / 1.2])
    np.testing.assert_allclose(derivation.gradients["beta"], [1])
    np.testing.assert_allclose(derivation.dx[0], [[5 * (1 - (1 + 1 / 1.44) / 2)], [-5 * (1 - 1 / 1.44) / 2]])


@given(shape=shapes, options=st.tuples(st.booleans(), st.booleans()), training=st.booleans(), masked=st.booleans())
def test_batch_normalization_matches_keras(call_layer, check_derivation, shape, options, training, masked):
    rng = np.random.default_rng(len(shape))
    center, scale = options
    layer = keras.layers.BatchNormalization(center=center, scale=scale, dtype="float64")
    masks = {"mask": rng.random(shape[:-1]) > 0.3} if masked and len(shape) > 2 else {}
    for mask in masks.values():
        mask[0] = True
    x = 2 + rng.standard_normal(shape)
    derivation = check_derivation(call_layer(layer, {"inputs": x}, masks, training=training))
    assert derivation.updated.keys() == ({"moving_mean", "moving_variance"} if training else set())


def test_a_frozen_batch_normalization_uses_its_averages(call_layer, rng):
    layer = keras.layers.BatchNormalization(dtype="float64")
    layer.trainable = False
    call = call_layer(layer, {"inputs": rng.standard_normal((4, 2))}, training=True)
    derivation = derive(call)
    np.testing.assert_allclose(derivation.outputs[0], call.outputs[0], rtol=1e-12)
    np.testing.assert_allclose(derivation.dx[0], call.dx[0], rtol=1e-12)
    assert derivation.updated == {}


@given(shape=shapes, options=st.tuples(st.booleans(), st.booleans()))
def test_layer_normalization_matches_keras(call_layer, check_derivation, shape, options):
    center, scale = options
    layer = keras.layers.LayerNormalization(center=center, scale=scale, dtype="float64")
    x = 2 + np.random.default_rng(0).standard_normal(shape)
    check_derivation(call_layer(layer, {"inputs": x}))


@pytest.mark.parametrize(
    "layer",
    [keras.layers.BatchNormalization(axis=1), keras.layers.LayerNormalization(axis=[1, 2])],
    ids=["batch", "layer"],
)
def test_other_axes_are_refused(call_layer, rng, layer):
    call = call_layer(layer, {"inputs": rng.standard_normal((2, 3, 4)).astype("float32")})
    assert derive(call) is None
    assert "axis" in why_not(call)
