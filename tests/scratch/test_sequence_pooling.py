from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

SIZES = {"n": st.integers(1, 4), "t": st.integers(1, 6), "d": st.integers(1, 4), "seed": st.integers(0, 2**32 - 1)}


def test_global_average_pooling_matches_hand_example():
    # The third step is padding: (1 + 3)/2 = 2 and (10 + 30)/2 = 20. Each step that counts gets half of dy.
    layer = scratch.GlobalAveragePooling1D()
    x, mask = np.array([[[1.0, 10.0], [3.0, 30.0], [99.0, 99.0]]]), np.array([[True, True, False]])
    np.testing.assert_array_equal(layer.forward(x, mask=mask), [[2, 20]])
    np.testing.assert_array_equal(layer.backward([[4.0, 6.0]]), [[[2, 3], [2, 3], [0, 0]]])


@given(masked=st.booleans(), **SIZES)
def test_global_average_pooling_matches_keras(assert_matches_keras, masked, n, t, d, seed):
    import keras

    rng = np.random.default_rng(seed)
    mask = rng.random((n, t)) < 0.6
    mask[np.arange(n), rng.integers(0, t, n)] = True
    twin = keras.layers.GlobalAveragePooling1D(dtype="float64")
    x = rng.standard_normal((n, t, d))
    assert_matches_keras(scratch.GlobalAveragePooling1D(), twin, x, mask=mask if masked else None)


def test_global_average_pooling_gradient(rng):
    mask = np.array([[True, False, True], [False, True, False]])
    scratch.gradient_check(scratch.GlobalAveragePooling1D(), rng.random((2, 3, 4)), mask=mask)


def test_masking_matches_hand_example():
    # Only a step in which every value is 0 is padding.
    layer, x = scratch.Masking(), np.array([[[0.0, 0.0], [0.0, 3.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.compute_mask(x), [[False, True, False]])
    np.testing.assert_array_equal(layer.backward(np.ones_like(x)), [[[0, 0], [1, 1], [0, 0]]])


@given(mask_value=st.sampled_from([0.0, -1.0, 0.5]), **SIZES)
def test_masking_matches_keras(assert_matches_keras, mask_value, n, t, d, seed):
    import keras

    rng = np.random.default_rng(seed)
    x = rng.choice([0.0, -1.0, 0.5, 2.0], (n, t, d))
    x[rng.random((n, t)) < 0.5] = mask_value
    assert_matches_keras(scratch.Masking(mask_value), keras.layers.Masking(mask_value, dtype="float64"), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_masking_finds_a_value_that_has_to_be_rounded(dtype):
    # 0.1 is one number in float32 and another in float64: value and data have to be rounded alike.
    layer, x = scratch.Masking(0.1), np.full((1, 2, 3), 0.1)
    layer.build((2, 3), dtype=dtype)
    assert not layer.forward(x).any()
    assert not layer.compute_mask(x).any()


def test_a_masked_network_ignores_the_padding(rng):
    net = scratch.Sequential(
        [scratch.Masking(-1), scratch.LSTM(4, return_sequences=True), scratch.GlobalAveragePooling1D()],
        input_shape=(None, 2),
    )
    x = rng.random((3, 5, 2))
    padded = np.concatenate([x, np.full((3, 4, 2), -1.0)], axis=1)
    np.testing.assert_allclose(net.forward(padded), net.forward(x), rtol=1e-6)


def test_sequence_pooling_errors(rng):
    layer = scratch.GlobalAveragePooling1D(name="pool")
    with pytest.raises(CallOrderError, match="forward before backward"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"x of shape \(N, T, D\), received shape \(N, 3\)"):
        layer.forward(rng.random((2, 3)))
    mask = np.array([[True, True], [False, False], [False, False]])
    with pytest.raises(InvalidValueError, match=r"'pool'.*received sample 1 with nothing but padding \(2 such of 3\)"):
        layer.forward(rng.random((3, 2, 4)), mask=mask)
    with pytest.raises(ShapeError, match=r"mask \(N, T\) of shape \(3, 2\)"):
        layer.forward(rng.random((3, 2, 4)), mask=mask[:2])
    layer.forward(rng.random((3, 7, 4)))  # any number of time steps
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(3, 4\)"):
        layer.backward(np.ones((3, 7, 4)))
    with pytest.raises(ShapeError, match=r"x of shape \(N, None, 4\)"):
        layer.forward(rng.random((3, 7, 5)))


@pytest.mark.parametrize("mask_value", [float("nan"), float("inf"), "0", None, True])
def test_mask_value_errors(mask_value):
    with pytest.raises(InvalidValueError, match="mask_value"):
        scratch.Masking(mask_value)
