from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, ShapeError


def test_flatten_matches_hand_example():
    layer = scratch.Flatten()
    np.testing.assert_array_equal(layer.forward([[[1, 2], [3, 4]]]), [[1, 2, 3, 4]])
    np.testing.assert_array_equal(layer.backward([[5, 6, 7, 8]]), [[[5, 6], [7, 8]]])


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=5), seed=st.integers(0, 2**32 - 1))
def test_flatten_matches_keras(assert_matches_keras, shape, seed):
    import keras

    x = np.random.default_rng(seed).standard_normal(shape)
    assert_matches_keras(scratch.Flatten(), keras.layers.Flatten(dtype="float64"), x)


def test_flatten_gradient(rng):
    scratch.gradient_check(scratch.Flatten(), rng.random((2, 3, 2, 2)))


def test_flatten_of_no_samples_and_the_mask_of_a_sequence():
    layer = scratch.Flatten()
    x = np.ones((0, 3, 2))
    assert layer.forward(x).shape == (0, 6)
    assert layer.compute_mask(x, np.ones((0, 3), bool)) is None


def test_flatten_errors():
    layer = scratch.Flatten(name="row")
    with pytest.raises(CallOrderError, match="Flatten 'row': expected forward before backward"):
        layer.backward([[1.0]])
    with pytest.raises(ShapeError, match=r"axes of known length, received shape \(N, None, 2\)"):
        layer.build((None, 2))
