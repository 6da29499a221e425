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
    rows=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    d=st.integers(1, 9),
    m=st.integers(2, 9),
    use_bias=st.booleans(),
    l2=st.sampled_from([0.0, 0.03]),
    seed=st.integers(0, 2**32 - 1),
)
def test_dense_matches_keras(assert_matches_keras, activation, rows, d, m, use_bias, l2, seed):
    """On ``(N, D)``, and on more axes in front: sequences ``(N, T, D)``, images ``(N, H, W, D)``."""
    import keras

    layer = scratch.Dense(m, activation, use_bias=use_bias, kernel_regularizer=scratch.L2(l2) if l2 else None)
    twin = keras.layers.Dense(
        m,
        activation,
        use_bias=use_bias,
        kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
        dtype="float64",
    )
    assert_matches_keras(layer, twin, np.random.default_rng(seed).standard_normal((*rows, d)))


def test_dense_hands_the_mask_of_a_sequence_on(assert_matches_keras, rng):
    import keras

    mask = np.array([[True, True, False], [True, False, False]])
    assert_matches_keras(scratch.Dense(2), keras.layers.Dense(2, dtype="float64"), rng.random((2, 3, 4)), mask=mask)


def test_dense_treats_every_row_of_a_sequence_alike(rng):
    layer = scratch.Dense(3, "tanh")
    layer.build((None, 4))
    x = rng.random((2, 5, 4))
    assert layer.output_shape == (None, 3)
    np.testing.assert_array_equal(layer.forward(x).reshape(10, 3), layer.forward(x.reshape(10, 1, 4)).reshape(10, 3))


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
    with pytest.raises(
        ShapeError, match=r"Dense 'hidden': expected x of shape \(N, …, D\) with D known, .*\(N, None\)"
    ):
        layer.build((None,))
    layer.forward(rng.random((2, 4)))  # a wrong first build does not spoil the layer
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


def test_a_layer_that_could_not_be_built_stays_unbuilt():
    layer = scratch.Dense(2, bias_initializer=np.zeros(3))
    with pytest.raises(ShapeError, match=r"initial values of shape \(2,\)"):
        layer.build((4,))
    assert not layer.built


@given(st.floats(1e30, 3e38))
def test_large_finite_inputs_are_not_taken_for_infinities(value):
    layer = scratch.Dense(1, kernel_initializer=[[0.0], [0.0], [0.0]])
    np.testing.assert_array_equal(layer.forward(np.full((2, 3), value, "float32")), [[0], [0]])
