from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

NAMES = scratch.ACTIVATIONS


@pytest.mark.parametrize("name", NAMES)
@given(n=st.integers(1, 6), m=st.integers(2, 9), seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 1, 8]))
def test_activation_matches_keras(name, n, m, seed, scale):
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    z, da = scale * rng.standard_normal((n, m)), rng.standard_normal((n, m))
    layer = NAMES[name]()
    layer.build((m,), dtype="float64")
    a = layer.forward(z)
    dz = layer.backward(da)

    variable = tf.Variable(z)
    with tf.GradientTape() as tape:
        expected = keras.activations.get(name)(variable)
    np.testing.assert_allclose(a, expected.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dz, tape.gradient(expected, variable, da).numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_activation_gradient(name, rng):
    z = rng.standard_normal((3, 5))
    z[np.abs(z) < 0.01] = 0.5  # keep clear of the kink of relu
    report = scratch.gradient_check(NAMES[name](), z)
    assert report.errors.keys() == {"dx"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_keeps_dtype_and_stays_finite_for_large_inputs(name, dtype):
    layer = NAMES[name]()
    layer.build((4,), dtype=dtype)
    z = np.array([[-1e4, -100.0, 100.0, 1e4]], dtype)
    with np.errstate(over="raise", invalid="raise"):
        a = layer.forward(z)
        dz = layer.backward(np.ones_like(z))
    assert a.dtype == dz.dtype == dtype
    assert np.isfinite(a).all()
    assert np.isfinite(dz).all()


def test_softmax_matches_hand_example():
    # exp(0) = 1, exp(ln 2) = 2, exp(ln 5) = 5; the sum is 8.
    a = scratch.Softmax().activate(np.log([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(a, [[0.125, 0.25, 0.625]], rtol=1e-15)


def test_softmax_gradient_matches_hand_example():
    # a = (1/2, 1/2), da = (1, 0): Σ da·a = 1/2, dz = (1/2·1/2, 1/2·(−1/2)).
    layer = scratch.Softmax()
    layer.forward([[0.0, 0.0]])
    np.testing.assert_allclose(layer.backward([[1.0, 0.0]]), [[0.25, -0.25]])


def test_relu_derivative_at_zero_is_zero():
    layer = scratch.ReLU()
    layer.forward([[0.0, -0.0, 1.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0, 1.0]]), [[0, 0, 1]])


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=8), st.floats(-1000, 1000))
def test_softmax_sums_to_one_and_ignores_a_common_shift(values, shift):
    z = np.array([values])
    a = scratch.Softmax().activate(z)
    assert np.isclose(a.sum(), 1)
    np.testing.assert_allclose(scratch.Softmax().activate(z + shift), a, rtol=1e-6, atol=1e-12)


@given(st.floats(-50, 50))
def test_sigmoid_is_symmetric(z):
    sigmoid = scratch.Sigmoid().activate
    assert np.isclose(sigmoid(np.array(z)) + sigmoid(np.array(-z)), 1)


def test_activation_errors():
    layer = scratch.Tanh(name="squash")
    with pytest.raises(CallOrderError, match=r"Tanh 'squash'.*forward before backward"):
        layer.backward([[1.0]])
    layer.forward([[1.0, 2.0]])
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(1, 2\), received shape \(1, 3\)"):
        layer.backward([[1.0, 2.0, 3.0]])
    with pytest.raises(ShapeError, match=r"x of shape \(N, 2\)"):
        layer.forward([[1.0, 2.0, 3.0]])
    with pytest.raises(InvalidValueError, match="nan at index"):
        layer.forward([[1.0, np.nan]])
    with pytest.raises(InvalidValueError, match="linear, relu, sigmoid"):
        scratch.Dense(2, "swish")
