from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "gelu"]


def test_dense_matches_hand_example():
    # One sample x = (1, 2), two units:
    #   z = (1·1 + 2·3 + 0.5, 1·(−2) + 2·(−1) + 1) = (7.5, −3), a = relu(z) = (7.5, 0)
    # Backward from dy = (2, 5): dz = (2, 0); dW = xᵀdz = [[2, 0], [4, 0]]; db = dz; dx = dz Wᵀ = (2·1, 2·3).
    layer = scratch.Dense(2, "relu", kernel_initializer=[[1.0, -2.0], [3.0, -1.0]], bias_initializer=[0.5, 1.0])
    np.testing.assert_array_equal(layer.forward([[1.0, 2.0]]), [[7.5, 0.0]])
    np.testing.assert_array_equal(layer.backward([[2.0, 5.0]]), [[2.0, 6.0]])
    np.testing.assert_array_equal(layer.grads["W"], [[2.0, 0.0], [4.0, 0.0]])
    np.testing.assert_array_equal(layer.grads["b"], [2.0, 0.0])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(
    n=st.integers(1, 7),
    d=st.integers(1, 9),
    m=st.integers(2, 9),
    use_bias=st.booleans(),
    l2=st.sampled_from([0.0, 0.03]),
    seed=st.integers(0, 2**32 - 1),
)
def test_dense_matches_keras(activation, n, d, m, use_bias, l2, seed):
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((n, d)), rng.standard_normal((n, m))
    layer = scratch.Dense(m, activation, use_bias=use_bias, kernel_regularizer=scratch.L2(l2) if l2 else None)
    layer.build((d,), seed=seed, dtype="float64")
    if use_bias:
        layer.params["b"][...] = rng.standard_normal(m)
    twin = keras.layers.Dense(
        m,
        activation,
        use_bias=use_bias,
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        dtype="float64",
    )
    twin.build((None, d))
    twin.set_weights(list(layer.params.values()))

    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = twin(variable)
        objective = tf.reduce_sum(y * dy) + sum(twin.losses)
    expected_dx, *expected = tape.gradient(objective, [variable, *twin.trainable_variables])

    np.testing.assert_allclose(layer.forward(x), y.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), expected_dx.numpy(), rtol=1e-8, atol=1e-11)
    for gradient, keras_gradient in zip(layer.grads.values(), expected, strict=True):
        np.testing.assert_allclose(gradient, keras_gradient.numpy(), rtol=1e-8, atol=1e-11)
    assert np.isclose(layer.regularization(), float(sum(twin.losses)), rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_gradient(activation, rng):
    report = scratch.gradient_check(
        scratch.Dense(3, activation, kernel_regularizer=scratch.L2(0.1)), rng.random((4, 5))
    )
    assert report.errors.keys() == {"dx", "dW", "db"}


def test_params_and_grads_have_the_same_keys(rng):
    for use_bias, keys in ((True, {"W", "b"}), (False, {"W"})):
        layer = scratch.Dense(3, use_bias=use_bias)
        layer.forward(rng.random((2, 4)))
        layer.backward(rng.random((2, 3)))
        assert layer.params.keys() == layer.grads.keys() == keys
        assert all(layer.grads[key].shape == layer.params[key].shape for key in keys)


def test_dense_computes_in_its_dtype(rng):
    for dtype in ("float32", "float64"):
        layer = scratch.Dense(3, "gelu")
        layer.build((4,), dtype=dtype)
        y = layer.forward(rng.random((2, 4)))
        dx = layer.backward(np.ones((2, 3)))
        assert y.dtype == dx.dtype == layer.grads["W"].dtype == layer.grads["b"].dtype == dtype


def test_backward_without_dx_skips_it_and_keeps_the_gradients(rng):
    layer = scratch.Dense(3)
    layer.forward(rng.random((2, 4)))
    dy = rng.random((2, 3))
    layer.backward(dy)
    dW = layer.grads["W"].copy()
    assert layer.backward(dy, needs_dx=False) is None
    np.testing.assert_array_equal(layer.grads["W"], dW)


def test_forward_does_not_change_its_input(rng):
    x = rng.random((2, 4)).astype("float32")
    before = x.copy()
    layer = scratch.Dense(3, "relu")
    layer.backward(np.ones_like(layer.forward(x)))
    np.testing.assert_array_equal(x, before)


def test_dense_errors(rng):
    layer = scratch.Dense(3, name="hidden")
    with pytest.raises(CallOrderError, match="Dense 'hidden': expected forward before backward"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(CallOrderError, match="Call forward"):
        _ = layer.logits
    with pytest.raises(CallOrderError, match="built"):
        _ = layer.output_shape
    with pytest.raises(ShapeError, match=r"Dense 'hidden': expected x of shape \(N, D\), received shape \(N, 28, 28\)"):
        layer.forward(rng.random((2, 28, 28)))
    layer.forward(rng.random((2, 4)))  # a wrong first call does not spoil the layer
    with pytest.raises(ShapeError, match=r"expected x of shape \(N, 4\), received shape \(2, 5\)"):
        layer.forward(rng.random((2, 5)))
    with pytest.raises(ShapeError, match=r"x\[np.newaxis\]"):
        layer.forward(rng.random(4))
    with pytest.raises(InvalidValueError, match=r"inf at index \(1, 2\)"):
        layer.forward(np.where(np.arange(8).reshape(2, 4) == 6, np.inf, 0))
    with pytest.raises(InvalidValueError, match="array of real numbers"):
        layer.forward(np.array([["a", "b", "c", "d"]]))
    layer.forward(rng.random((2, 4)))
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(2, 3\), received shape \(3, 2\)"):
        layer.backward(np.ones((3, 2)))


@pytest.mark.parametrize("units", [0, -1, 2.5, "3", True, None])
def test_dense_units_errors(units):
    with pytest.raises(InvalidValueError, match="positive integer"):
        scratch.Dense(units)


def test_dense_option_errors():
    with pytest.raises(InvalidValueError, match="glorot_uniform"):
        scratch.Dense(2, kernel_initializer="lecun").build((3,))
    with pytest.raises(ShapeError, match=r"initial values of shape \(3, 2\)"):
        scratch.Dense(2, kernel_initializer=np.zeros((2, 3))).build((3,))
    with pytest.raises(InvalidValueError, match="L2"):
        scratch.Dense(2, kernel_regularizer=0.01)
    with pytest.raises(InvalidValueError, match="l2 ≥ 0"):
        scratch.L2(-1)
    with pytest.raises(InvalidValueError, match="float32"):
        scratch.Dense(2).build((3,), dtype="int8")
    with pytest.raises(InvalidValueError, match="float32"):
        scratch.Dense(2).build((3,), dtype="no such type")


@given(st.floats(1e30, 3e38))
def test_large_finite_inputs_are_not_taken_for_infinities(value):
    layer = scratch.Dense(1, kernel_initializer=[[0.0], [0.0], [0.0]])
    np.testing.assert_array_equal(layer.forward(np.full((2, 3), value, "float32")), [[0], [0]])
