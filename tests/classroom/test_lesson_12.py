"""The exercises of lesson 12: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("12") if exercise.id == number)


def cases(number):
    return next(exercise.cases for exercise in exercises("12") if exercise.id == number)


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def mending_with_loops(x, m, W):
    total = 0.0
    for n, row in enumerate(x):
        r = np.zeros(len(row))
        for p, value in enumerate(row):
            r += value * m[n, p] * W[p]
        total += ((row - r) ** 2).sum()
    return total / x.size


def nt_xent_by_scratch(z, tau):
    return scratch.NTXent(tau).forward(np.tile(np.arange(len(z) // 2), 2), z)


def best_by_searching(p, q):
    D = np.linspace(1e-5, 1 - 1e-5, 200_001)
    return np.array([D[np.argmax(a * np.log(D) + b * np.log(1 - D))] for a, b in zip(p, q, strict=True)])


def gradient_by_scratch(s):
    loss = scratch.GeneratorLoss()
    loss.forward(np.zeros((len(s), 1)), s[:, None])
    return loss.backward()[:, 0]


def turn_by_differences(theta, psi, rate):
    def loss(theta):
        return -np.log(sigmoid(psi @ theta))

    return theta - rate * scratch.numerical_gradient(loss, theta), psi


RIGHT = [
    ("12.1", mending_with_loops),
    ("12.2", nt_xent_by_scratch),
    ("12.3", best_by_searching),
    ("12.3", lambda p, q: sigmoid(np.log(p) - np.log(q))),
    ("12.4", gradient_by_scratch),
    ("12.4", lambda s: -sigmoid(-s) / s.size),
    ("12.5", turn_by_differences),
]


def tape_over_everything(theta, psi, rate):
    g = -(1 - sigmoid(psi @ theta))
    return theta - rate * g * psi, psi - rate * g * theta


def with_itself(z, tau):
    u = z / np.sqrt((z**2).sum(axis=1, keepdims=True))
    e = np.exp(u @ u.T / tau)
    n = len(z) // 2
    return -np.mean(np.log(np.r_[np.diag(e, n), np.diag(e, -n)] / e.sum(axis=1)))


WRONG = [
    ("12.1", lambda x, m, W: np.mean((x * m @ W - x * m) ** 2), "spoiled target"),
    ("12.1", lambda x, m, W: np.mean((x @ W - x) ** 2), "clean input"),
    ("12.2", with_itself, "itself not left out"),
    ("12.3", lambda p, q: 1 - p / (p + q), "generator's share"),
    ("12.4", lambda s: (sigmoid(-s) - 1) / len(s), "saturating"),
    ("12.5", tape_over_everything, "both move"),
]


def test_generator_gradient():
    s = cases("12.4")[0][0]
    numeric = scratch.numerical_gradient(lambda s: -np.log(sigmoid(s)).mean(), s)
    scratch.compare_gradients(reference("12.4")(s), numeric)
