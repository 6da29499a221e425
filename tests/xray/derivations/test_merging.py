from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.derivations import why_not

MISPLACED = "a sum that Keras adds along another axis than NumPy"
MERGED = {
    "Add": sum,
    "Subtract": lambda x: x[0] - x[1],
    "Multiply": math.prod,
    "Average": lambda x: sum(x) / len(x),
}


@given(
    kind=st.sampled_from(["Add", "Subtract", "Multiply", "Average"]),
    count=st.integers(2, 4),
    shape=st.lists(st.integers(1, 3), min_size=2, max_size=4),
    data=st.data(),
)
def test_merging_matches_keras(call_layer, check_derivation, kind, count, shape, data):
    rng = np.random.default_rng(0)
    count = 2 if kind == "Subtract" else count
    inputs = []
    for _ in range(count):
        own = [n if k == 0 or data.draw(st.booleans()) else 1 for k, n in enumerate(shape)]
        inputs.append(rng.standard_normal(own))
    call = call_layer(getattr(keras.layers, kind)(dtype="float64"), {"inputs": inputs})
    if np.allclose(call.outputs[0], MERGED[kind](inputs)):
        check_derivation(call)
    else:  # see the next test
        assert why_not(call) == MISPLACED


def test_a_sum_that_keras_misplaces_is_refused(call_layer):
    # Keras takes the second input for a bias: it adds the column (1, 2) as if it were a row.
    inputs = [np.zeros((2, 2)), np.array([[1.0], [2.0]])]
    call = call_layer(keras.layers.Add(dtype="float64"), {"inputs": inputs})
    if (call.outputs[0] == [[1, 1], [2, 2]]).all():
        pytest.skip("this Keras adds as NumPy does")
    assert why_not(call) == MISPLACED
    heads = keras.layers.MultiHeadAttention(2, 1, dtype="float64")
    call = call_layer(heads, {"query": np.ones((1, 2, 3)), "value": np.ones((1, 3, 3))})
    assert why_not(call) == MISPLACED


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_concatenate_matches_keras(call_layer, check_derivation, rng, axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    for k, shape in enumerate(shapes):
        shape[axis] += k
    inputs = [rng.standard_normal(shape) for shape in shapes]
    check_derivation(call_layer(keras.layers.Concatenate(axis, dtype="float64"), {"inputs": inputs}))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Flatten(dtype="float64"), (2, 3, 4)),
        (keras.layers.Flatten(dtype="float64"), (2, 3)),
        (keras.layers.Reshape((6, 2), dtype="float64"), (2, 3, 4)),
        (keras.layers.Reshape((-1,), dtype="float64"), (2, 3, 2, 2, 1)),
    ],
    ids=["sequence", "vector", "reshape", "unknown size"],
)
def test_shapes_match_keras(call_layer, check_derivation, rng, layer, shape):
    check_derivation(call_layer(layer, {"inputs": rng.standard_normal(shape)}))


def test_identity_matches_keras(call_layer, check_derivation, rng):
    check_derivation(call_layer(keras.layers.Identity(dtype="float64"), {"inputs": rng.standard_normal((2, 3))}))


def test_inputs_of_different_rank_are_refused(call_layer, rng):
    call = call_layer(keras.layers.Add(), {"inputs": [np.ones((2, 3), "float32"), np.ones((2, 4, 3), "float32")]})
    assert "numbers of axes" in why_not(call)
