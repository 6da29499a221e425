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


def adam_of_the_paper(w, g, m, v, t, alpha, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g * g
    m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
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


def resting_momentum(w, g, v, alpha, mu):
    v = -alpha * g
    return w + v, v


def squared_momentum(w, g, v, alpha, mu):
    v = mu * v - alpha * g * g
    return w + v, v


def opposed_momentum(w, g, v, alpha, mu):
    v = mu * v + alpha * g
    w -= v
    return w, v


def returning_momentum(w, g, v, alpha, mu):
    v = mu * v - alpha * g
    w -= v
    return w, v


def averaging_momentum(w, g, v, alpha, mu):
    v = mu * v + (1 - mu) * (-alpha * g)
    w += v
    return w, v


def nesterov_as_often_written(w, g, v, alpha, mu):
    before = v
    v = mu * v - alpha * g
    return w - mu * before + (1 + mu) * v, v


def late_momentum(w, g, v, alpha, mu):
    w = w + v
    v = mu * v - alpha * g
    return w, v


def averages(g, m, v):
    return 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2


def uncorrected_adam(w, g, m, v, t, alpha, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    return w - alpha * m / (np.sqrt(v) + epsilon), m, v


def half_corrected_adam(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    return w - alpha * (m / (1 - 0.9**t)) / (np.sqrt(v) + 1e-7), m, v


def other_half_corrected_adam(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    return w - alpha * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-7), m, v


def rootless_adam(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    return w - alpha * (m / (1 - 0.9**t)) / (v / (1 - 0.999**t) + 1e-7), m, v


def climbing_adam(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    w += alpha * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
    return w, m, v


def summing_adam(w, g, m, v, t, alpha):
    m, v = 0.9 * m + g, 0.999 * v + g * g
    return w - alpha * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7), m, v


def squareless_adam(w, g, m, v, t, alpha):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g
    return w - alpha * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7), m, v


def repeatedly_corrected_adam(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    m, v = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - alpha * m / (np.sqrt(v) + 1e-7), m, v


def adam_along_g(w, g, m, v, t, alpha):
    m, v = averages(g, m, v)
    return w - alpha * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-7), m, v


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
    ("03.1", opposed_momentum, "velocity with the sign turned"),
    ("03.1", returning_momentum, "velocity subtracted"),
    ("03.1", summing_momentum, "learning rate outside the velocity"),
    ("03.1", averaging_momentum, "velocity as an average"),
    ("03.1", nesterov_as_often_written, "Nesterov's step"),
    ("03.1", late_momentum, "old velocity in the step"),
    ("03.1", resting_momentum, "no memory"),
    ("03.1", squared_momentum, "gradient squared"),
    ("03.2", uncorrected_adam, "no bias correction"),
    ("03.2", half_corrected_adam, "only m corrected"),
    ("03.2", other_half_corrected_adam, "only v corrected"),
    ("03.2", rootless_adam, "root missing"),
    ("03.2", lambda *step: adam_of_the_paper(*step, beta_1=0.999, beta_2=0.9), "betas swapped"),
    ("03.2", climbing_adam, "uphill"),
    ("03.2", summing_adam, "sums instead of averages"),
    ("03.2", squareless_adam, "v not of squares"),
    ("03.2", repeatedly_corrected_adam, "corrected averages returned"),
    ("03.2", adam_along_g, "gradient instead of m"),
    ("03.3", lambda shape: 2 / shape[0], "variance"),
    ("03.3", lambda shape: np.sqrt(2 / shape[-1]), "fan-out"),
    ("03.3", lambda shape: np.sqrt(2 / sum(shape)), "Xavier's"),
    ("03.3", lambda shape: 1 / np.sqrt(shape[0]), "ReLU's half forgotten"),
    ("03.3", lambda shape: np.sqrt(0.5 / shape[0]), "half on the wrong side"),
    ("03.3", lambda shape: math.sqrt(3) * math.sqrt(2 / shape[0]), "limit of the uniform distribution"),
    ("03.3", lambda shape: math.sqrt(2 / np.prod(shape)), "number of weights"),
    ("03.4", descent(lambda g: g**2), "gradient squared"),
    ("03.4", descent(lambda g: np.sqrt(g**2)), "absolute value"),
    ("03.4", descent(lambda g: -g), "sign turned"),
    ("03.4", descent(lambda g: g / abs(g)), "only the sign"),
    ("03.4", descent(lambda g: g * abs(g)), "squared with its sign"),
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
