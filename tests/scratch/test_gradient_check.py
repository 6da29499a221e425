from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.errors import CallOrderError, GradientMismatchError, InvalidValueError, ShapeError


class ForgetsTheDerivative(scratch.Sigmoid):
    """A bug of the usual kind: the upstream gradient passes through untouched."""

    def gradient(self, z, a, da):
        return da


class OneWrongElement(scratch.Dense):
    """Right everywhere but in a single weight's gradient."""

    def backward_from_dz(self, dz, needs_dx=True):
        dx = super().backward_from_dz(dz, needs_dx)
        self.grads["W"][1, 2] *= 1.001
        return dx


def test_numerical_gradient_matches_hand_example():
    # f(x) = x₀²x₁ + 3x₁ at (2, 5): (2·2·5, 4 + 3)
    x = np.array([2.0, 5.0])
    gradient = scratch.numerical_gradient(lambda v: v[0] ** 2 * v[1] + 3 * v[1], x)
    np.testing.assert_allclose(gradient, [20, 7], rtol=1e-9)
    np.testing.assert_array_equal(x, [2, 5])


def test_numerical_gradient_of_chosen_elements():
    gradient = scratch.numerical_gradient(lambda v: (v**2).sum(), np.ones((2, 2)), indices=[(0, 1)])
    assert np.isclose(gradient[0, 1], 2)
    assert np.isnan(gradient).sum() == 3


def test_a_wrong_layer_is_caught(rng):
    with pytest.raises(GradientMismatchError, match=r"forgets_the_derivative dx.*finite differences at index"):
        scratch.gradient_check(ForgetsTheDerivative(), rng.standard_normal((2, 3)))


def test_the_worst_index_and_both_values_are_named(rng):
    layer, x = OneWrongElement(4), rng.standard_normal((3, 2))
    with pytest.raises(GradientMismatchError, match=r"dW.*at index \(1, 2\)") as caught:
        scratch.gradient_check(layer, x)
    right = float(caught.value.expected.split(" ")[0])
    assert np.isclose(float(caught.value.received) / right, 1.001, rtol=1e-6)


def test_a_wrong_layer_inside_a_network_is_caught(rng):
    net = scratch.Sequential([OneWrongElement(4, "tanh"), scratch.Dense(2)], input_shape=3)
    net.compile(loss="mse")
    with pytest.raises(GradientMismatchError, match=r"one_wrong_element/dW"):
        scratch.gradient_check(net, rng.random((5, 3)), rng.random((5, 2)))


def test_samples_limit_the_work(rng):
    net = scratch.Sequential([scratch.Dense(50, "tanh"), scratch.Dense(3, "softmax")], input_shape=100)
    net.compile(loss="sparse_categorical_crossentropy")
    calls = 0
    forward = scratch.Sequential.forward

    def counted(self, x, training=False):
        nonlocal calls
        calls += 1
        return forward(self, x, training)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch.Sequential, "forward", counted)
        scratch.gradient_check(net, rng.random((4, 100)), [0, 1, 2, 0], samples=5)
    # 5 + 5 + 5 + 3 elements, two passes each, and the one with gradients
    assert calls == 2 * 18 + 1


def test_the_checked_network_is_unchanged(rng):
    net = scratch.Sequential([scratch.Dense(3), scratch.Dropout(0.5), scratch.Dense(2)], input_shape=4)
    net.compile(loss="mse")
    weights, state = net.get_weights(), net.layers[1]._rng.bit_generator.state
    scratch.gradient_check(net, rng.random((3, 4)), rng.random((3, 2)), training=True)
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))
    assert net.layers[1]._rng.bit_generator.state == state
    assert net.dtype == net.layers[0].params["W"].dtype == "float32"
    assert net.grads == {}


def test_report_reads_well(rng):
    report = scratch.gradient_check(scratch.Dense(2), rng.random((3, 4)))
    assert report.worst == max(report.errors.values()) < 1e-7
    assert repr(report).count("✓") == 3


def test_nan_gradients_are_mismatches():
    with pytest.raises(GradientMismatchError, match="nan"):
        scratch.compare_gradients(np.array([1.0, np.nan]), np.array([1.0, 2.0]))


def test_gradient_check_errors(rng):
    x = rng.random((2, 3))
    net = scratch.Sequential([scratch.Dense(2)])
    with pytest.raises(CallOrderError, match="compile"):
        scratch.gradient_check(net, x, x)
    net.compile(loss="mse")
    with pytest.raises(ShapeError, match="targets y"):
        scratch.gradient_check(net, x)
    with pytest.raises(InvalidValueError, match="layer or network"):
        scratch.gradient_check(np.sin, x)
    with pytest.raises(ShapeError, match=r"\(2,\)"):
        scratch.compare_gradients(np.ones(3), np.ones(2))
