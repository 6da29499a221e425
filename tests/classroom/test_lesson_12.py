"""The exercises of lesson 12: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

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


def value_by_searching(p, q):
    """The best D among very many, at each x."""
    D = np.linspace(1e-5, 1 - 1e-5, 200_001)
    return sum((a * np.log(D) + b * np.log(1 - D)).max() for a, b in zip(p, q, strict=True))


def value_by_divergence(p, q):
    m = (p + q) / 2
    return rel_entr(p, m).sum() + rel_entr(q, m).sum() - 2 * np.log(2)


def generators_loss(W, psi, z):
    return np.log1p(np.exp(-z @ W @ psi)).mean()


def turn_by_differences(W, psi, z, rate):
    return W - rate * scratch.numerical_gradient(lambda W: generators_loss(W, psi, z), W), psi


def turn_by_scratch(W, psi, z, rate):
    loss = scratch.GeneratorLoss()
    loss.forward(np.zeros((len(z), 1)), z @ W @ psi[:, None])
    return [W - rate * z.T @ loss.backward() @ psi[None], psi]


def turn_sample_by_sample(W, psi, z, rate):
    after = W.copy()
    for row in z:
        after += rate / len(z) / (1 + np.exp(row @ W @ psi)) * row[:, None] * psi
    return after, psi


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
    ("12.3", value_by_searching),
    ("12.3", value_by_divergence),
    ("12.4", turn_by_differences),
    ("12.4", turn_by_scratch),
    ("12.4", turn_sample_by_sample),
    ("12.2", contrast()),
    ("12.1", lambda x, m, W: np.linalg.norm(x - x * m @ W) ** 2 / x.size),
    ("12.3", lambda p, q: -p @ np.log1p(q / p) - q @ np.log1p(p / q)),
]


def with_itself(z, tau):
    u = z / np.sqrt((z**2).sum(axis=1, keepdims=True))
    e = np.exp(u @ u.T / tau)
    n = len(z) // 2
    return -np.mean(np.log(np.r_[np.diag(e, n), np.diag(e, -n)] / e.sum(axis=1)))


def value_with(best):
    """V(D, G) value by value, with what is taken for the best D."""

    def value(p, q):
        total = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):  # the logarithm of 0, or of less
            for a, b in zip(p, q, strict=True):
                total += a * np.log(best(a, b)) + b * np.log(1 - best(a, b))
        return total

    return value


def divergence(p, q):
    return jensenshannon(p, q) ** 2


def turn(gradient=None, psi_moves_on=None, W_moves=True):
    """The turn by the chain rule from the samples' D on; by differences where ψ moves, too."""

    def step(W, psi, z, rate):
        D = sigmoid(z @ W @ psi)
        ds = np.array([gradient(d) for d in D]) / len(z) if gradient else (D - 1) / len(z)
        after = W - rate * sum(np.outer(row, d * psi) for row, d in zip(z, ds, strict=True)) if W_moves else W.copy()
        if psi_moves_on is None:
            return after, psi.copy()
        return after, psi - rate * scratch.numerical_gradient(lambda psi: psi_moves_on(W, psi, z), psi)

    return step


def discriminators_loss(W, psi, z):
    return -np.log(1 - sigmoid(z @ W @ psi)).mean()


def turn_of_the_sum(W, psi, z, rate):
    return W - rate * scratch.numerical_gradient(lambda W: len(z) * generators_loss(W, psi, z), W), psi


def turn_of_the_mean_sample(W, psi, z, rate):
    def loss(W):
        return -np.log(sigmoid((z @ W).mean(axis=0) @ psi))

    return W - rate * scratch.numerical_gradient(loss, W), psi


def turn_past_the_discriminator(W, psi, z, rate):
    ds = (sigmoid(z @ W @ psi) - 1) / len(z)
    return W - rate * z.T @ ds[:, None], psi  # broadcast over the columns, and no error says so


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
    ("12.3", value_with(lambda p, q: q / (p + q)), "generator's share"),
    ("12.3", value_with(lambda p, q: p / q), "D outside of 0 to 1"),
    ("12.3", value_with(lambda p, q: np.log(p) - np.log(q)), "D outside of 0 to 1"),
    ("12.3", value_with(lambda p, q: float(p > q)), "0 or 1"),
    ("12.3", lambda p, q: -2 * np.log(2), "always ½"),
    ("12.3", value_with(lambda p, q: p), "the data's density"),
    ("12.3", value_with(lambda p, q: np.exp(p) / (np.exp(p) + np.exp(q))), "sigmoid of the difference"),
    ("12.3", lambda p, q: rel_entr(p, p + q).sum(), "real samples only"),
    ("12.3", lambda p, q: rel_entr(q, p + q).sum(), "generated samples only"),
    ("12.3", lambda p, q: p @ np.log(p / (p + q)) + q @ np.log(p / (p + q)), "ln D in both halves"),
    ("12.3", lambda p, q: np.log(p * q / (p + q) ** 2).sum(), "not weighted"),
    ("12.3", lambda p, q: np.mean(np.log(p / (p + q))) + np.mean(np.log(q / (p + q))), "plain mean"),
    ("12.3", lambda p, q: np.mean(rel_entr(p, p + q) + rel_entr(q, p + q)), "divided by K"),
    ("12.3", divergence, "divergence"),
    ("12.3", lambda p, q: divergence(p, q) - np.log(4), "divergence once"),
    ("12.3", lambda p, q: 2 * divergence(p, q), "ln 4 missing"),
    ("12.3", lambda p, q: np.log(4) - 2 * divergence(p, q), "discriminator's loss"),
    ("12.4", turn(psi_moves_on=generators_loss), "both move"),
    ("12.4", turn(psi_moves_on=generators_loss, W_moves=False), "discriminator moves"),
    ("12.4", turn(psi_moves_on=discriminators_loss), "discriminator learns as well"),
    ("12.4", turn(W_moves=False), "nobody moves"),
    ("12.4", lambda W, psi, z, rate: turn_by_differences(W, psi, z, -rate), "uphill"),
    ("12.4", turn(lambda D: -D), "saturating"),
    ("12.4", turn(lambda D: -1 / D), "gradient in D"),
    ("12.4", turn(lambda D: D**2 - D), "derivative of the sigmoid"),
    ("12.4", turn(lambda D: -1), "slope missing"),
    ("12.4", turn_of_the_sum, "1/M missing"),
    ("12.4", turn_of_the_mean_sample, "averaged before the sigmoid"),
    ("12.4", turn_past_the_discriminator, "past the discriminator"),
]


def test_value_matches_hand_example():
    """D* = (⅔, ⅓): V = 2·(⅔ ln ⅔ + ⅓ ln ⅓). And with q = p, where D* = ½, −ln 4."""
    p, q = np.array([2 / 3, 1 / 3]), np.array([1 / 3, 2 / 3])
    assert np.isclose(reference("12.3")(p, q), 4 / 3 * np.log(2 / 3) + 2 / 3 * np.log(1 / 3))
    assert np.isclose(reference("12.3")(p, p), -np.log(4))


def test_generators_turn_gradient():
    W, psi, z, _ = cases("12.4")[0]
    numeric = scratch.numerical_gradient(lambda W: generators_loss(W, psi, z), W)
    after, unmoved = reference("12.4")(W, psi, z, 1.0)
    scratch.compare_gradients(W - after, numeric)
    np.testing.assert_array_equal(unmoved, psi)
