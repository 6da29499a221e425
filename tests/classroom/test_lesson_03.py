"""The exercises of lesson 03: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit import scratch
from toolkit.classroom import check


def momentum_by_the_engine(w, g, v, alpha, mu):
    optimiser = scratch.Momentum(alpha, mu)
    params = {"w": np.array(w, dtype=float)}
    optimiser.step(params, {"w": np.zeros_like(w)})
    optimiser.state["w"]["v"][...] = v
    optimiser.step(params, {"w": g})
    return params["w"], optimiser.state["w"]["v"]


def momentum_in_place(w, g, v, alpha, mu):
    v *= mu
    v -= alpha * g
    w += v
    return w, v


def adam_of_the_paper(w, g, m, v, t, alpha, epsilon=1e-8):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - alpha * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def adam_of_keras(w, g, m, v, t, alpha):
    m = m + (g - m) * (1 - 0.9)
    v = v + (np.square(g) - v) * (1 - 0.999)
    return w - m * alpha * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) / (v**0.5 + 1e-7), m, v


def line_by_the_engine(x, y, alpha, steps):
    layer = scratch.Dense(1, use_bias=False, kernel_initializer="zeros")
    network = scratch.Sequential([layer], input_shape=1, dtype="float64")
    network.compile(scratch.SGD(alpha), "mean_squared_error")
    for _ in range(steps):
        network.train_step(x[:, None], y[:, None])
    return layer.params["W"].item()


def he_measured(shape):
    """What the engine's initialiser draws from has this limit: ℓ = √3·σ for a uniform distribution."""
    large = scratch.HeUniform()(shape, np.random.default_rng(0), np.dtype("float64"))
    return np.abs(large).max() / math.sqrt(3)


RIGHT = [
    ("03.1", momentum_by_the_engine),
    ("03.1", momentum_in_place),
    ("03.2", adam_of_the_paper),
    ("03.2", adam_of_keras),
    ("03.3", lambda shape: (2 / shape[0]) ** 0.5),
    ("03.3", lambda shape: np.float32(math.sqrt(2) / math.sqrt(shape[0]))),
    ("03.4", line_by_the_engine),
]


def test_he_matches_the_initialiser():
    for shape in ((784, 128), (256, 512)):
        assert he_measured(shape) == pytest.approx(math.sqrt(2 / shape[0]), rel=1e-3)


def climbing_momentum(w, g, v, alpha, mu):
    v = mu * v + alpha * g
    w = w + v
    return w, v


def summing_momentum(w, g, v, alpha, mu):
    v = mu * v + g
    return w - alpha * v, v


def late_momentum(w, g, v, alpha, mu):
    w = w + v
    v = mu * v - alpha * g
    return w, v


def uncorrected_adam(w, g, m, v, t, alpha, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    return w - alpha * m / (np.sqrt(v) + epsilon), m, v


def half_corrected_adam(w, g, m, v, t, alpha):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    return w - alpha * (m / (1 - 0.9**t)) / (np.sqrt(v) + 1e-7), m, v


def rootless_adam(w, g, m, v, t, alpha):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    return w - alpha * (m / (1 - 0.9**t)) / (v / (1 - 0.999**t) + 1e-7), m, v


def repeatedly_corrected_adam(w, g, m, v, t, alpha):
    m = (0.9 * m + 0.1 * g) / (1 - 0.9**t)
    v = (0.999 * v + 0.001 * g**2) / (1 - 0.999**t)
    return w - alpha * m / (np.sqrt(v) + 1e-7), m, v


def descent(change):
    def fit(x, y, alpha, steps):
        w = 0.0
        for _ in range(steps):
            g = 2 * np.mean((w * x - y) * x)
            w = w - alpha * change(g)
        return w

    return fit


def one_gradient_for_all(x, y, alpha, steps):
    w = 0.0
    g = 2 * np.mean((w * x - y) * x)
    for _ in range(steps):
        w -= alpha * g
    return w


WRONG = [
    ("03.1", climbing_momentum, "velocity uphill"),
    ("03.1", summing_momentum, "learning rate outside the velocity"),
    ("03.1", late_momentum, "old velocity in the step"),
    ("03.2", uncorrected_adam, "no bias correction"),
    ("03.2", half_corrected_adam, "only m corrected"),
    ("03.2", rootless_adam, "root missing"),
    ("03.2", repeatedly_corrected_adam, "corrected averages returned"),
    ("03.3", lambda shape: 2 / shape[0], "variance"),
    ("03.3", lambda shape: np.sqrt(2 / shape[-1]), "fan-out"),
    ("03.3", lambda shape: np.sqrt(2 / sum(shape)), "Xavier's"),
    ("03.4", descent(lambda g: g**2), "gradient squared"),
    ("03.4", descent(lambda g: np.sqrt(g**2)), "absolute value"),
    ("03.4", descent(lambda g: -g), "sign turned"),
    ("03.4", one_gradient_for_all, "gradient taken once"),
]


def test_adam_with_t_from_zero_says_where_nan_comes_from():
    def adam(w, g, m, v, t, alpha):
        with np.errstate(all="ignore"):
            return adam_of_the_paper(w, g, m, v, np.float64(t - 1), alpha)

    verdict = check("03.2", adam)
    assert verdict.state == "wrong"
    assert "0/0" in verdict.hint


def test_the_order_of_results_matters():
    verdict = check("03.1", lambda w, g, v, alpha, mu: momentum_in_place(w, g, v, alpha, mu)[::-1])
    assert verdict.state == "wrong"
    assert verdict.misconception is None
