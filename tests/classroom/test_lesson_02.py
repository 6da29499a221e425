"""The exercises of lesson 02: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from toolkit import scratch
from toolkit.classroom import check, exercises


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_backward(z, da):
    a = sigmoid(z)
    return da * a * (1 - a)


def dense_backward(x, W, dz):
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)


def mse_gradient(y, y_pred):
    return 2 * (y_pred - y) / y.size


def relu_backward(z, da):
    return np.where(z > 0, da, 0)


def sgd_step(W, dW, alpha):
    return W - alpha * dW


RIGHT = [
    ("02.1", sigmoid_backward),
    ("02.1", lambda z, da: da * np.exp(-z) / (1 + np.exp(-z)) ** 2),
    ("02.2", dense_backward),
    ("02.2", lambda x, W, dz: ((W @ dz.T).T, (dz.T @ x).T, np.ones(len(dz)) @ dz)),
    ("02.3", mse_gradient),
    ("02.3", lambda y, y_pred: (y_pred - y) * 2 / len(y) / y.shape[1]),
    ("02.4", relu_backward),
    ("02.4", lambda z, da: da * np.heaviside(z, 0)),
    ("02.5", sgd_step),
    ("02.5", lambda W, dW, alpha: W + alpha * -dW),
]

WRONG = [
    ("02.1", lambda z, da: da, "f′ missing"),
    ("02.1", lambda z, da: sigmoid(z) * (1 - sigmoid(z)), "upstream gradient missing"),
    ("02.1", lambda z, da: da * (z - z**2), "z(1 − z) for a(1 − a)"),
    ("02.1", lambda z, da: sigmoid_backward(sigmoid(z), da), "f′ at a instead of z"),
    ("02.1", lambda z, da: da * (1 - sigmoid(z)) * (1 + sigmoid(z)), "tanh's derivative"),
    ("02.1", lambda z, da: da * sigmoid(z) * (sigmoid(z) - 1), "sign turned"),
    ("02.2", lambda x, W, dz: dense_backward(x, W, dz / len(x))[1:], None),
    ("02.2", lambda x, W, dz: (dz @ W.T, *dense_backward(x, W, dz / len(x))[1:]), "averaged twice"),
    ("02.2", lambda x, W, dz: (dz @ W.T, x.T @ dz / len(dz), sum(dz)), "dW averaged twice"),
    ("02.2", lambda x, W, dz: (dz @ W.T, x.T @ dz, np.mean(dz, 0)), "db averaged twice"),
    ("02.2", lambda x, W, dz: (dz @ W.T, x.T @ dz, dz.copy()), "db not summed"),
    ("02.2", lambda x, W, dz: (dz @ W.T, x.T @ dz, dz @ np.ones(dz.shape[1])), "db summed over the units"),
    ("02.2", lambda x, W, dz: (dz @ W.T, (x.T @ dz).T, sum(dz)), "dW transposed"),
    ("02.2", lambda x, W, dz: ((dz @ W.T).T, x.T @ dz, sum(dz)), "dx transposed"),
    ("02.2", lambda x, W, dz: (x.T @ dz, sum(dz), dz @ W.T), "another order"),
    ("02.3", lambda y, y_pred: np.subtract(y_pred, y) / np.prod(y.shape), "factor 2 missing"),
    ("02.3", lambda y, y_pred: (y_pred - y) * 2 / y.shape[0], "divided by N only"),
    ("02.3", lambda y, y_pred: y_pred * 2 - y * 2, "summed instead of averaged"),
    ("02.3", lambda y, y_pred: (y_pred - y) / y.shape[0], "the cross-entropy's gradient"),
    ("02.3", lambda y, y_pred: -mse_gradient(y, y_pred), "sign turned"),
    ("02.3", lambda y, y_pred: np.mean(np.square(y - y_pred)), "the loss itself"),
    ("02.4", lambda z, da: np.maximum(da, 0), "gate asks da"),
    ("02.4", lambda z, da: np.where((z > 0) & (da > 0), da, 0), "gate asks both"),
    ("02.4", lambda z, da: np.where(z < 0, 0, da), "open at 0"),
    ("02.4", lambda z, da: np.where(z > 0, z * da, 0), "multiplied by the output"),
    ("02.4", lambda z, da: np.where(z > 0, 1.0, 0.0), "upstream gradient missing"),
    ("02.4", lambda z, da: da, "f′ missing"),
    ("02.5", lambda W, dW, alpha: W - alpha * dW * dW, "gradient squared"),
    ("02.5", lambda W, dW, alpha: W + alpha * dW, "uphill"),
    ("02.5", lambda W, dW, alpha: W - dW, "α missing"),
    ("02.5", lambda W, dW, alpha: -(alpha * dW), "the step alone"),
    ("02.5", lambda W, dW, alpha: W - alpha * dW / np.abs(dW), "length of the gradient lost"),
]


def test_untransposed_dx_does_not_pass() -> None:
    # With a W that is not square NumPy itself objects; the learner sees its message.
    verdict = check("02.2", lambda x, W, dz: (dz @ W, x.T @ dz, dz.sum(axis=0)))
    assert verdict.state == "error"
    assert "ValueError" in verdict.hint


class TestReferencesAreGradients:
    """The answers called right are what finite differences find."""

    def reference(self, number: str) -> Callable:
        return next(exercise.reference for exercise in exercises("02") if exercise.id == number)

    def test_sigmoid_gradient(self, rng: np.random.Generator) -> None:
        z, da = rng.normal(size=(2, 3, 4))
        numeric = scratch.numerical_gradient(lambda z: (sigmoid(z) * da).sum(), z)
        scratch.compare_gradients(self.reference("02.1")(z, da), numeric)

    def test_dense_gradient(self, rng: np.random.Generator) -> None:
        x, W, b, dz = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(4, 2))
        dx, dW, db = self.reference("02.2")(x, W, dz)
        scratch.compare_gradients(dx, scratch.numerical_gradient(lambda x: ((x @ W + b) * dz).sum(), x))
        scratch.compare_gradients(dW, scratch.numerical_gradient(lambda W: ((x @ W + b) * dz).sum(), W))
        scratch.compare_gradients(db, scratch.numerical_gradient(lambda b: ((x @ W + b) * dz).sum(), b))

    def test_mean_squared_error_gradient(self, rng: np.random.Generator) -> None:
        y, y_pred = rng.normal(size=(2, 4, 3))
        numeric = scratch.numerical_gradient(lambda p: ((p - y) ** 2).mean(), y_pred)
        scratch.compare_gradients(self.reference("02.3")(y, y_pred), numeric)

    def test_relu_gradient(self, rng: np.random.Generator) -> None:
        z, da = rng.normal(size=(2, 3, 4))
        numeric = scratch.numerical_gradient(lambda z: (np.maximum(z, 0) * da).sum(), z)
        scratch.compare_gradients(self.reference("02.4")(z, da), numeric)

    def test_update_lowers_a_loss(self, rng: np.random.Generator) -> None:
        W = rng.normal(size=(3, 2))
        after = self.reference("02.5")(W, 2 * W, 0.1)  # of the loss Σ W²
        assert (after**2).sum() < (W**2).sum()
