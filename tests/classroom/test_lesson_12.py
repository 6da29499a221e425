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


def unit_vector(v):
    return v / (v @ v) ** 0.5


def contrast(
    similarity=np.dot, unit=unit_vector, asking=lambda n: range(2 * n), left_out=lambda i, n: {i}, together=np.mean
):
    """The contrast row by row: which rows ask, and who is left out of the answers to row ``i``."""

    def loss(z, tau):
        n, u = len(z) // 2, [unit(row) for row in z]
        losses = []
        for i in asking(n):
            partner = np.exp(similarity(u[i], u[(i + n) % (2 * n)]) / tau)
            answers = [np.exp(similarity(u[i], u[k]) / tau) for k in range(2 * n) if k not in left_out(i, n)]
            losses.append(-np.log(partner / sum(answers)))
        return together(losses)

    return loss


RIGHT = [
    ("12.1", mending_with_loops),
    ("12.2", nt_xent_by_scratch),
    ("12.3", best_by_searching),
    ("12.3", lambda p, q: sigmoid(np.log(p) - np.log(q))),
    ("12.4", gradient_by_scratch),
    ("12.4", lambda s: -sigmoid(-s) / s.size),
    ("12.5", turn_by_differences),
    ("12.2", contrast()),
    ("12.1", lambda x, m, W: np.linalg.norm(x - x * m @ W) ** 2 / x.size),
    ("12.3", lambda p, q: 1 / (1 + q / p)),
    ("12.5", lambda theta, psi, rate: [theta + rate * psi / (1 + np.exp(theta @ psi)), psi]),
]


def tape_over_everything(theta, psi, rate):
    g = -(1 - sigmoid(psi @ theta))
    return theta - rate * g * psi, psi - rate * g * theta


def with_itself(z, tau):
    u = z / np.sqrt((z**2).sum(axis=1, keepdims=True))
    e = np.exp(u @ u.T / tau)
    n = len(z) // 2
    return -np.mean(np.log(np.r_[np.diag(e, n), np.diag(e, -n)] / e.sum(axis=1)))


def discriminators_gradient(s):
    """By the derivative of −ln(1 − D), the discriminator's loss for a generated sample."""
    D = sigmoid(s)
    return D * (1 - D) / (1 - D) / len(s)


def turn_of_the_other(theta, psi, rate):
    return theta, psi - rate * scratch.numerical_gradient(lambda psi: -np.log(sigmoid(psi @ theta)), psi)


def both_turns(theta, psi, rate):
    return (
        theta - rate * scratch.numerical_gradient(lambda theta: -np.log(sigmoid(psi @ theta)), theta),
        psi - rate * scratch.numerical_gradient(lambda psi: -np.log(1 - sigmoid(psi @ theta)), psi),
    )


def turn_on_minimax(theta, psi, rate):
    return theta - rate * scratch.numerical_gradient(lambda theta: np.log(1 - sigmoid(psi @ theta)), theta), psi


WRONG = [
    ("12.1", lambda x, m, W: np.mean((x * m @ W - x * m) ** 2), "spoiled target"),
    ("12.1", lambda x, m, W: np.mean((x @ W - x) ** 2), "clean input"),
    ("12.1", lambda x, m, W: np.mean(np.square(x @ W - x * m)), "input and target swapped"),
    ("12.1", lambda x, m, W: np.mean(np.where(m == 0, x - x * m @ W, 0) ** 2), "masked places only"),
    ("12.1", lambda x, m, W: np.mean(np.where(m == 1, x - x * m @ W, 0) ** 2), "visible places only"),
    ("12.1", lambda x, m, W: np.mean(np.square(x @ W * m - x)), "output masked"),
    ("12.1", lambda x, m, W: np.linalg.norm(x - x * m @ W) ** 2, "summed instead of averaged"),
    ("12.1", lambda x, m, W: mending_with_loops(x, m, W) * x.shape[1], "averaged over the rows only"),
    ("12.2", with_itself, "itself not left out"),
    ("12.2", contrast(similarity=lambda u, v: (u @ v) * (u is not v), left_out=lambda i, n: {}), "similarity 0 for −∞"),
    ("12.2", contrast(unit=lambda v: v), "not normalised"),
    ("12.2", lambda z, tau: nt_xent_by_scratch(z, 1 / tau), "multiplied by τ"),
    ("12.2", lambda z, tau: nt_xent_by_scratch(z, 1.0), "τ missing"),
    ("12.2", lambda z, tau: scratch.NTXent(tau).forward(np.arange(len(z)) // 2, z), "neighbour as partner"),
    ("12.2", contrast(asking=lambda n: range(n)), "first views only"),
    ("12.2", contrast(left_out=lambda i, n: {i, (i + n) % (2 * n)}), "partner not among the answers"),
    ("12.2", contrast(together=sum), "summed instead of averaged"),
    ("12.2", lambda z, tau: nt_xent_by_scratch(z, tau) * len(z) / (len(z) // 2), "averaged over N"),
    ("12.2", lambda z, tau: 0 - nt_xent_by_scratch(z, tau), "minus missing"),
    ("12.3", lambda p, q: 1 - p / (p + q), "generator's share"),
    ("12.3", lambda p, q: [a / b for a, b in zip(p, q)], "ratio"),
    ("12.3", lambda p, q: [int(a > b) for a, b in zip(p, q)], "0 or 1"),
    ("12.3", lambda p, q: p.copy(), "the data's density"),
    ("12.3", lambda p, q: np.log(p) - np.log(q), "logit"),
    ("12.3", lambda p, q: np.exp(p) / (np.exp(p) + np.exp(q)), "sigmoid of the difference"),
    ("12.3", lambda p, q: 1 / (1 + (q / p) ** 2), "square"),
    ("12.4", lambda s: (sigmoid(-s) - 1) / len(s), "saturating"),
    ("12.4", lambda s: sigmoid(-s) / len(s), "sign turned"),
    ("12.4", lambda s: sigmoid(s) - 1, "1/M missing"),
    ("12.4", discriminators_gradient, "discriminator's"),
    ("12.4", lambda s: np.array([-1 / D for D in sigmoid(s)]) / len(s), "gradient in D"),
    ("12.4", lambda s: (sigmoid(s) ** 2 - sigmoid(s)) / len(s), "derivative of the sigmoid"),
    ("12.4", lambda s: np.log1p(np.exp(-s)) / len(s), "the loss itself"),
    ("12.5", tape_over_everything, "both move"),
    ("12.5", turn_of_the_other, "discriminator moves"),
    ("12.5", both_turns, "discriminator learns as well"),
    ("12.5", lambda theta, psi, rate: turn_by_differences(theta, psi, -rate), "uphill"),
    ("12.5", turn_on_minimax, "saturating"),
    ("12.5", lambda theta, psi, rate: [theta.copy(), psi.copy()], "nobody moves"),
    ("12.5", lambda theta, psi, rate: (theta - rate * -psi, psi), "slope missing"),
]


def test_generator_gradient():
    s = cases("12.4")[0][0]
    numeric = scratch.numerical_gradient(lambda s: -np.log(sigmoid(s)).mean(), s)
    scratch.compare_gradients(reference("12.4")(s), numeric)
