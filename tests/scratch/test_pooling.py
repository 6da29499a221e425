from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

POOLINGS = ["MaxPooling2D", "AveragePooling2D"]


def image(*rows):
    """One image with one channel."""
    return np.array(rows, dtype="float64")[np.newaxis, :, :, np.newaxis]


def test_max_pooling_matches_hand_example():
    layer = scratch.MaxPooling2D(2)
    np.testing.assert_array_equal(layer.forward(image([1, 2, 5, 6], [4, 3, 8, 7])), image([4, 8]))
    np.testing.assert_array_equal(layer.backward(image([10, 20])), image([0, 0, 0, 0], [10, 0, 20, 0]))


def test_max_pooling_with_overlapping_windows_matches_hand_example():
    # Both windows have the 9 in common: it gets both gradients.
    layer = scratch.MaxPooling2D((1, 2), strides=1)
    np.testing.assert_array_equal(layer.forward(image([1, 9, 2])), image([9, 9]))
    np.testing.assert_array_equal(layer.backward(image([10, 20])), image([0, 30, 0]))


def test_average_pooling_matches_hand_example():
    # "same": the right window sees two pixels of the image only, and takes their mean.
    layer = scratch.AveragePooling2D(2, padding="same")
    np.testing.assert_array_equal(layer.forward(image([1, 2, 5], [4, 5, 9])), image([3, 7]))
    np.testing.assert_array_equal(layer.backward(image([4, 6])), image([1, 1, 3], [1, 1, 3]))


def test_global_average_pooling_matches_hand_example():
    layer = scratch.GlobalAveragePooling2D()
    np.testing.assert_array_equal(layer.forward(image([1, 2], [3, 6])), [[3]])
    np.testing.assert_array_equal(layer.backward([[8]]), image([2, 2], [2, 2]))


@st.composite
def poolings(draw):
    """Options of a pooling layer and the shape of images that have room for it."""
    pair = st.tuples(st.integers(1, 4), st.integers(1, 4))
    options = {
        "pool_size": draw(pair),
        "strides": draw(st.none() | pair),
        "padding": draw(st.sampled_from(["valid", "same"])),
    }
    least = options["pool_size"] if options["padding"] == "valid" else (1, 1)
    H, W = (draw(st.integers(n, n + 6)) for n in least)
    return options, (draw(st.integers(1, 3)), H, W, draw(st.integers(1, 3)))


@pytest.mark.parametrize("name", POOLINGS)
@given(pooling=poolings(), seed=st.integers(0, 2**32 - 1))
def test_pooling_matches_keras(assert_matches_keras, name, pooling, seed):
    import keras

    options, shape = pooling
    layer, twin = getattr(scratch, name)(**options), getattr(keras.layers, name)(**options, dtype="float64")
    assert_matches_keras(layer, twin, np.random.default_rng(seed).standard_normal(shape))
    assert layer.output_shape == tuple(twin.compute_output_shape(shape)[1:])


@given(pooling=poolings(), dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 2**32 - 1))
def test_max_pooling_sends_the_gradient_of_ties_where_tensorflow_does(pooling, dtype, seed):
    import keras
    import tensorflow as tf

    options, shape = pooling
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, shape).astype(dtype)  # two values only: nearly every window has ties
    layer = scratch.MaxPooling2D(**options)
    layer.build(shape[1:], dtype=dtype)
    dy = rng.integers(1, 9, layer.forward(x).shape).astype(dtype)

    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = keras.layers.MaxPooling2D(**options, dtype=dtype)(variable)
    np.testing.assert_array_equal(layer.backward(dy), tape.gradient(y, variable, dy).numpy())


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7), st.integers(1, 4)),
    seed=st.integers(0, 2**32 - 1),
)
def test_global_average_pooling_matches_keras(assert_matches_keras, shape, seed):
    import keras

    x = np.random.default_rng(seed).standard_normal(shape)
    assert_matches_keras(scratch.GlobalAveragePooling2D(), keras.layers.GlobalAveragePooling2D(dtype="float64"), x)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_gradient(name, padding, rng):
    x = rng.permutation(60).reshape(1, 5, 6, 2).astype("float64")  # no two alike, so no step crosses a tie
    report = scratch.gradient_check(getattr(scratch, name)((3, 2), 2, padding), x)
    assert report.errors.keys() == {"dx"}


def test_global_average_pooling_gradient(rng):
    scratch.gradient_check(scratch.GlobalAveragePooling2D(), rng.random((2, 3, 4, 2)))


@pytest.mark.parametrize("name", [*POOLINGS, "GlobalAveragePooling2D"])
def test_pooling_computes_in_its_dtype(name, rng):
    for dtype in ("float32", "float64"):
        layer = getattr(scratch, name)()
        layer.build((4, 4, 2), dtype=dtype)
        y = layer.forward(rng.random((2, 4, 4, 2)))
        assert y.dtype == layer.backward(np.ones_like(y)).dtype == dtype


@pytest.mark.parametrize("name", [*POOLINGS, "GlobalAveragePooling2D"])
def test_pooling_errors(name, rng):
    layer = getattr(scratch, name)(name="pool")
    with pytest.raises(CallOrderError, match=f"{name} 'pool': expected forward before backward"):
        layer.backward(np.ones((1, 2, 2, 1)))
    with pytest.raises(ShapeError, match=r"x of shape \(N, H, W, C\), received shape \(N, 9\)"):
        layer.forward(rng.random((2, 9)))
    layer.forward(rng.random((1, 4, 4, 1)))  # a wrong first call does not spoil the layer
    with pytest.raises(ShapeError, match="dy of the shape of y"):
        layer.backward(np.ones((1, 4, 4, 1)))


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_option_errors(name, rng):
    pooling = getattr(scratch, name)
    with pytest.raises(InvalidValueError, match="pool_size as a positive integer"):
        pooling(0)
    with pytest.raises(InvalidValueError, match="strides as a positive integer"):
        pooling(2, strides=(1, -1))
    with pytest.raises(InvalidValueError, match="padding 'valid' or 'same'"):
        pooling(2, padding="full")
    with pytest.raises(ShapeError, match="images of at least 3 × 3 pixels, received 2 × 8"):
        pooling(3).forward(rng.random((1, 2, 8, 1)))
