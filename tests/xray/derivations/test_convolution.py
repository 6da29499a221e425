from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toolkit.xray.derivations import derive, why_not

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def test_convolution_matches_hand_example(call_layer):
    # One row of pixels 1 2 3, kernel (1, −1): windows (1, 2), (2, 3), product (−1, −1), bias 2: z = (1, 1).
    # dy = (1, 10): dW = 1·(1, 2) + 10·(2, 3) = (21, 32), db = 11, dX = ((1, −1), (10, −10)), dx = (1, −1 + 10, −10)
    layer = keras.layers.Conv2D(1, (1, 2), dtype="float64")
    weights = [np.array([1.0, -1.0]).reshape(1, 2, 1, 1), np.array([2.0])]
    x, dy = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1), np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    derivation = derive(call_layer(layer, {"inputs": x}, weights=weights, dy=[dy]))
    assert [step.title for step in derivation.forward] == ["windows", "product", "bias"]
    assert derivation.values["X"].reshape(2, 2).tolist() == [[1, 2], [2, 3]]
    assert derivation.outputs[0].ravel().tolist() == [1, 1]
    assert derivation.gradients["kernel"].ravel().tolist() == [21, 32]
    assert derivation.gradients["bias"].tolist() == [11]
    assert derivation.dx[0].ravel().tolist() == [1, 9, -10]


@given(
    image=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=pairs,
    strides=pairs,
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
    activation=st.sampled_from([None, "relu"]),
    use_bias=st.booleans(),
)
def test_conv2d_matches_keras(
    call_layer, check_derivation, image, kernel, strides, dilation, padding, activation, use_bias
):
    dilation = dilation if strides == (1, 1) else 1
    assume(padding == "same" or all(n >= dilation * (k - 1) + 1 for n, k in zip(image, kernel)))
    layer = keras.layers.Conv2D(
        2, kernel, strides, padding, dilation_rate=dilation, activation=activation, use_bias=use_bias, dtype="float64"
    )
    x = np.random.default_rng(0).standard_normal((2, *image, 3))
    check_derivation(call_layer(layer, {"inputs": x}))


@given(
    image=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    kernel=pairs,
    stride=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
    multiplier=st.integers(1, 3),
    use_bias=st.booleans(),
)
def test_depthwise_conv2d_matches_keras(
    call_layer, check_derivation, image, kernel, stride, padding, multiplier, use_bias
):
    layer = keras.layers.DepthwiseConv2D(
        kernel, stride, padding, multiplier, activation="tanh", use_bias=use_bias, dtype="float64"
    )
    check_derivation(call_layer(layer, {"inputs": np.random.default_rng(0).standard_normal((2, *image, 3))}))


@pytest.mark.parametrize("padding", [0, (1, 2), ((0, 1), (2, 0))])
def test_zero_padding2d_matches_keras(call_layer, check_derivation, padding):
    layer = keras.layers.ZeroPadding2D(padding, dtype="float64")
    check_derivation(call_layer(layer, {"inputs": np.random.default_rng(0).standard_normal((2, 3, 4, 2))}))


def test_channels_first_has_no_derivation(call_layer):
    layer = keras.layers.ZeroPadding2D(1, data_format="channels_first", dtype="float64")
    assert "channels first" in why_not(call_layer(layer, {"inputs": np.ones((1, 3, 4, 2))}))


@given(
    image=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    pool=pairs,
    strides=st.none() | pairs,
    padding=st.sampled_from(["valid", "same"]),
    ties=st.booleans(),
    kind=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
)
def test_pooling_matches_keras(call_layer, check_derivation, image, pool, strides, padding, ties, kind):
    layer = getattr(keras.layers, kind)(pool, strides, padding, dtype="float64")
    x = np.random.default_rng(0).standard_normal((2, *image, 2))
    derivation = check_derivation(call_layer(layer, {"inputs": np.maximum(x, 0) if ties else x}))
    assert derivation.forward[0].title == "windows"


@pytest.mark.parametrize("keepdims", [False, True])
def test_global_average_pooling_matches_keras(call_layer, check_derivation, rng, keepdims):
    images = keras.layers.GlobalAveragePooling2D(keepdims=keepdims, dtype="float64")
    check_derivation(call_layer(images, {"inputs": rng.standard_normal((2, 3, 4, 5))}))
    sequences = keras.layers.GlobalAveragePooling1D(keepdims=keepdims, dtype="float64")
    check_derivation(call_layer(sequences, {"inputs": rng.standard_normal((2, 3, 4))}))


def test_global_average_pooling_with_mask_matches_keras(call_layer, check_derivation, rng):
    mask = np.array([[True, False, True], [True, True, True]])
    layer = keras.layers.GlobalAveragePooling1D(dtype="float64")
    derivation = check_derivation(call_layer(layer, {"inputs": rng.standard_normal((2, 3, 4))}, {"mask": mask}))
    assert derivation.values["w"][0, :, 0].tolist() == [0.5, 0, 0.5]


def test_float32_stays_float32_and_agrees(call_layer, check_derivation, rng):
    layer = keras.layers.Conv2D(8, 3, activation="relu", padding="same")
    x = rng.standard_normal((4, 12, 12, 6)).astype("float32")
    check_derivation(call_layer(layer, {"inputs": x}), 1e-5, 1e-5)


def test_what_is_not_covered_is_refused_with_a_reason(call_layer, rng):
    x = rng.standard_normal((1, 4, 4, 2)).astype("float32")
    call = call_layer(keras.layers.Conv2D(2, 2, groups=2), {"inputs": x}, without_dy=(0,))
    assert derive(call) is None
    assert "groups" in why_not(call)
    separable = call_layer(keras.layers.SeparableConv2D(2, 2), {"inputs": x})
    assert "SeparableConv2D is none" in why_not(separable)
    first = call_layer(keras.layers.GlobalAveragePooling2D(data_format="channels_first"), {"inputs": x})
    assert "channels first" in why_not(first)
