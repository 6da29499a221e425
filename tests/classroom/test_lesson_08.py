"""The exercises of lesson 08: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("08") if exercise.id == number)


def cases(number):
    return next(exercise.cases for exercise in exercises("08") if exercise.id == number)


def attention_with_loops(Q, K, V):
    Y = np.zeros((len(Q), V.shape[1]))
    for t, q in enumerate(Q):
        weights = np.exp([q @ k / len(q) ** 0.5 for k in K])
        for w, v in zip(weights / weights.sum(), V, strict=True):
            Y[t] += w * v
    return Y


def weights_with_a_loop(S):
    return np.array([np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in S])


def causal_with_a_loop(S):
    A = np.zeros_like(S)
    for t in range(len(S)):
        e = np.exp(S[t, : t + 1])
        A[t, : t + 1] = e / e.sum()
    return A


def backward_by_the_jacobian(A, dA):
    return np.array([(np.diag(a) - np.outer(a, a)) @ da for a, da in zip(A, dA, strict=True)])


def keras_self_attention(h):
    import keras

    return keras.layers.Attention()([h, h])


RIGHT = [
    ("08.1", attention_with_loops),
    ("08.2", weights_with_a_loop),
    ("08.3", causal_with_a_loop),
    ("08.4", backward_by_the_jacobian),
    ("08.5", keras_self_attention),
]

WRONG = [
    ("08.1", lambda Q, K, V: weights_with_a_loop(Q @ K.T) @ V, "√d missing"),
    ("08.1", lambda Q, K, V: weights_with_a_loop((Q @ K.T / np.sqrt(len(Q[0]))).T).T @ V, "softmax over the queries"),
    ("08.2", lambda S: np.exp(S - S.max(0)) / np.exp(S - S.max(0)).sum(0), "still over the queries"),
    ("08.3", lambda S: weights_with_a_loop(S) * np.tri(len(S)), "zeroed after the softmax"),
    ("08.3", lambda S: weights_with_a_loop(S * np.tri(len(S))), "score 0 for −∞"),
    ("08.4", lambda A, dA: dA * (A - A**2), "diagonal only"),
    ("08.5", lambda h: h.copy(), "the states themselves"),
]


def test_softmax_backward_gradient():
    rng = np.random.default_rng(0)
    S, dA = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    numeric = scratch.numerical_gradient(lambda S: (reference("08.2")(S) * dA).sum(), S)
    scratch.compare_gradients(reference("08.4")(reference("08.2")(S), dA), numeric)
