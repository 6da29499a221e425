from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def test_convolution_matches_hand_example():
    # One image, one channel, one kernel; its two windows are [[1, 2], [4, 5]] and [[2, 3], [5, 6]]:
    #   z = (1·1 + 2·0 + 4·0 + 5·(−1) + 10, 2 − 6 + 10) = (6, 6)
    # Backward from dy = (1, 2): dW = 1·first window + 2·second window; db = 3;
    #   dx adds up 1·W at the left window and 2·W at the right one.
    layer = scratch.Conv2D(1, 2, kernel_initializer=np.reshape([1.0, 0, 0, -1], (2, 2, 1, 1)), bias_initializer=[10.0])
    x = np.reshape([[1.0, 2, 3], [4, 5, 6]], (1, 2, 3, 1))
    np.testing.assert_array_equal(layer.forward(x), [[[[6], [6]]]])
    dx = layer.backward(np.reshape([1.0, 2], (1, 1, 2, 1)))
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 2, 0], [0, -1, -2]])
    np.testing.assert_array_equal(layer.grads["W"][:, :, 0, 0], [[1 + 4, 2 + 6], [4 + 10, 5 + 12]])
    np.testing.assert_array_equal(layer.grads["b"], [3])


def test_convolution_with_same_padding_matches_hand_example():
    # Width 4, stride 2: two windows of width 3 at 0 and 2 reach to 4, one further than the image. The missing
    # column goes to the end, as in TensorFlow: sums of (1, 2, 3) and (3, 4, 0).
    layer = scratch.Conv2D(1, (1, 3), (1, 2), "same", kernel_initializer=np.ones((1, 3, 1, 1)))
    y = layer.forward(np.reshape([1.0, 2, 3, 4], (1, 1, 4, 1)))
    np.testing.assert_array_equal(y.ravel(), [6, 7])


@st.composite
def convolutions(draw):
    """Options of a convolution and the shape of images that have room for it."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    options = {"kernel_size": draw(pair), "padding": draw(st.sampled_from(["valid", "same"]))}
    options[draw(st.sampled_from(["strides", "dilation_rate"]))] = draw(pair)
    spans = [
        d * (k - 1) + 1 if options["padding"] == "valid" else 1
        for k, d in zip(options["kernel_size"], options.get("dilation_rate", (1, 1)))
    ]
    H, W = (draw(st.integers(span, span + 6)) for span in spans)
    return options, (draw(st.integers(1, 3)), H, W, draw(st.integers(1, 3)))


@given(
    convolution=convolutions(),
    filters=st.integers(2, 4),
    activation=st.sampled_from(["linear", "relu", "tanh", "softmax"]),
    use_bias=st.booleans(),
    l2=st.sampled_from([0.0, 0.03]),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_matches_keras(assert_matches_keras, convolution, filters, activation, use_bias, l2, seed):
    import keras

    options, shape = convolution
    options |= {"activation": activation, "use_bias": use_bias}
    layer = scratch.Conv2D(filters, **options, kernel_regularizer=scratch.L2(l2) if l2 else None)
    twin = keras.layers.Conv2D(
        filters, **options, kernel_regularizer=keras.regularizers.L2(l2) if l2 else None, dtype="float64"
    )
    assert_matches_keras(layer, twin, np.random.default_rng(seed).standard_normal(shape))


@given(convolution=convolutions())
def test_convolution_output_shape(convolution):
    options, shape = convolution
    layer = scratch.Conv2D(2, **options)
    y = layer.forward(np.ones(shape))
    assert y.shape[1:] == layer.output_shape == layer.compute_output_shape(shape[1:])


@given(convolution=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_col2im_is_the_transpose_of_im2col(convolution, seed):
    """⟨columns(x), X⟩ = ⟨x, from_columns(X)⟩ for all x and X."""
    options, shape = convolution
    rng = np.random.default_rng(seed)
    layer = scratch.Conv2D(1, **options)
    layer.build(shape[1:])
    x = rng.standard_normal(shape)
    columns = layer._windows.columns(x)
    X = rng.standard_normal(columns.shape)
    np.testing.assert_allclose((columns * X).sum(), (x * layer._windows.from_columns(X)).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_gradient(padding, rng):
    layer = scratch.Conv2D(2, 3, 2, padding, activation="tanh", kernel_regularizer=scratch.L2(0.1))
    report = scratch.gradient_check(layer, rng.random((2, 5, 6, 2)))
    assert report.errors.keys() == {"dx", "dW", "db"}


def test_a_convolution_with_1_by_1_kernels_is_a_dense_layer_on_every_pixel(rng):
    x, dy = rng.random((2, 4, 5, 3)), rng.random((2, 4, 5, 2))
    dense, convolution = scratch.Dense(2, "tanh"), scratch.Conv2D(2, 1, activation="tanh")
    for layer in (dense, convolution):
        layer.build((4, 5, 3), dtype="float64")
    convolution.params["W"][...] = dense.params["W"]
    np.testing.assert_allclose(convolution.forward(x), dense.forward(x), rtol=1e-12)
    np.testing.assert_allclose(convolution.backward(dy), dense.backward(dy), rtol=1e-12)
    np.testing.assert_allclose(convolution.grads["W"][0, 0], dense.grads["W"], rtol=1e-12)


def test_convolution_computes_in_its_dtype(rng):
    for dtype in ("float32", "float64"):
        layer = scratch.Conv2D(3, 2, padding="same", activation="relu", kernel_regularizer=scratch.L2(0.1))
        layer.build((4, 4, 2), dtype=dtype)
        y = layer.forward(rng.random((2, 4, 4, 2)))
        dx = layer.backward(np.ones_like(y))
        assert y.dtype == dx.dtype == layer.grads["W"].dtype == layer.grads["b"].dtype == dtype


def test_convolution_of_no_images_gives_none(rng):
    layer = scratch.Conv2D(3, 2)
    assert layer.forward(np.ones((0, 4, 4, 2))).shape == (0, 3, 3, 3)
    assert layer.backward(np.ones((0, 3, 3, 3))).shape == (0, 4, 4, 2)
    np.testing.assert_array_equal(layer.grads["W"], 0)


def test_backward_without_dx_skips_it_and_keeps_the_gradients(rng):
    layer = scratch.Conv2D(3, 2)
    dy = rng.random((2, 3, 3, 3))
    layer.forward(rng.random((2, 4, 4, 2)))
    layer.backward(dy)
    dW = layer.grads["W"].copy()
    assert layer.backward(dy, needs_dx=False) is None
    np.testing.assert_array_equal(layer.grads["W"], dW)


def test_convolution_errors(rng):
    layer = scratch.Conv2D(4, 3, name="edges")
    with pytest.raises(CallOrderError, match="Conv2D 'edges': expected forward before backward"):
        layer.backward(np.ones((1, 2, 2, 4)))
    with pytest.raises(ShapeError, match=r"x of shape \(N, H, W, C\), received shape \(N, 28, 28\)\..*np\.newaxis"):
        layer.forward(rng.random((2, 28, 28)))
    with pytest.raises(ShapeError, match=r"images of at least 3 × 3 pixels, received 2 × 5.*padding='same'"):
        layer.forward(rng.random((1, 2, 5, 1)))
    layer.forward(rng.random((1, 5, 5, 1)))  # wrong first calls do not spoil the layer
    with pytest.raises(ShapeError, match=r"expected x of shape \(N, 5, 5, 1\), received shape \(1, 5, 5, 3\)"):
        layer.forward(rng.random((1, 5, 5, 3)))
    layer.forward(rng.random((1, 5, 5, 1)))
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(1, 3, 3, 4\)"):
        layer.backward(np.ones((1, 5, 5, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "filters as a positive integer"),
        ({"kernel_size": (3, 0)}, "kernel_size as a positive integer"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size as a positive integer"),
        ({"strides": 1.5}, "strides as a positive integer"),
        ({"padding": "causal"}, "padding 'valid' or 'same'"),
        ({"strides": 2, "dilation_rate": 2}, "strides or dilation_rate above 1, not both"),
        ({"activation": "swish"}, "linear, relu"),
        ({"kernel_regularizer": 0.1}, "L2"),
    ],
)
def test_convolution_option_errors(options, message):
    with pytest.raises(InvalidValueError, match=message):
        scratch.Conv2D(**({"filters": 2, "kernel_size": 3} | options))
