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
    ("08.3", lambda S: weights_with_a_loop(S + np.triu(np.full_like(S, -1e9), k=1))),
    ("08.3", lambda S: np.exp(S) * np.tri(len(S)) / (np.exp(S) * np.tri(len(S))).sum(axis=1, keepdims=True)),
]


def masked(S, allowed, score=-np.inf):
    return np.array([[s if allowed(q, k) else score for k, s in enumerate(row)] for q, row in enumerate(S)])


def nothing_to_look_at(S):
    with np.errstate(all="ignore"):
        return weights_with_a_loop(masked(S, lambda q, k: k < q))


def backward_less(what):
    """Something is taken off each row of dA before it is multiplied with A."""
    return lambda A, dA: np.array([a * (da - what(a, da)) for a, da in zip(A, dA, strict=True)])


def attention_time_first(h):
    return np.swapaxes(keras_self_attention(np.swapaxes(h, 0, 1)), 0, 1)


WRONG = [
    ("08.1", lambda Q, K, V: weights_with_a_loop(Q @ K.T) @ V, "√d missing"),
    ("08.1", lambda Q, K, V: weights_with_a_loop(Q @ K.T / len(Q[0])) @ V, "d for √d"),
    ("08.1", lambda Q, K, V: weights_with_a_loop(Q @ K.T * len(Q[0]) ** 0.5) @ V, "multiplied by √d"),
    ("08.1", lambda Q, K, V: weights_with_a_loop((Q @ K.T / np.sqrt(len(Q[0]))).T).T @ V, "softmax over the queries"),
    ("08.1", lambda Q, K, V: np.einsum("qd,kd,kv->qv", Q, K, V) / np.sqrt(len(Q[0])), "softmax missing"),
    ("08.1", lambda Q, K, V: attention_with_loops(K, Q, V), "keys asked for queries"),
    ("08.1", lambda Q, K, V: attention_with_loops(Q, K.T, V), "keys not transposed"),
    ("08.1", lambda Q, K, V: attention_with_loops(Q, K, K), "keys handed out"),
    ("08.1", lambda Q, K, V: attention_with_loops(Q, K, np.eye(len(K))), "weights returned"),
    ("08.1", lambda Q, K, V: weights_with_a_loop(Q @ K.T) @ V / len(Q[0]) ** 0.5, "divided after the softmax"),
    ("08.2", lambda S: np.exp(S - S.max(0)) / np.exp(S - S.max(0)).sum(0), "still over the queries"),
    ("08.2", lambda S: weights_with_a_loop([S.ravel()]).reshape(S.shape), "over everything"),
    ("08.2", lambda S: np.transpose(np.exp(S - S.max(0)) / np.exp(S - S.max(0)).sum(0)), "transposed"),
    ("08.2", lambda S: [row / sum(row) for row in S], "without exp"),
    ("08.3", lambda S: weights_with_a_loop(S) * np.tri(len(S)), "zeroed after the softmax"),
    ("08.3", lambda S: weights_with_a_loop(S * np.tri(len(S))), "score 0 for −∞"),
    ("08.3", lambda S: weights_with_a_loop(S - 1e9 * np.tri(len(S), k=-1)), "looking ahead only"),
    ("08.3", lambda S: weights_with_a_loop(masked(S, lambda q, k: k < q, -1e9)), "itself forbidden"),
    ("08.3", nothing_to_look_at, "itself forbidden, by −∞"),
    ("08.3", lambda S: weights_with_a_loop(masked(S, lambda q, k: k <= q + 1)), "one too far"),
    ("08.3", lambda S: weights_with_a_loop(S), "not masked"),
    ("08.3", lambda S: weights_with_a_loop(masked(S, lambda q, k: k <= q).T).T, "softmax over the queries"),
    ("08.4", lambda A, dA: dA * (A - A**2), "diagonal only"),
    ("08.4", lambda A, dA: [np.diag(a) @ da for a, da in zip(A, dA)], "sum missing"),
    ("08.4", backward_less(lambda a, da: sum(da)), "sum without the weights"),
    ("08.4", lambda A, dA: backward_less(np.dot)(A.T, dA.T).T, "sum over the queries"),
    ("08.4", lambda A, dA: A * dA - A * np.vdot(A, dA), "sum over everything"),
    ("08.4", backward_less(lambda a, da: np.mean(a * da)), "mean for sum"),
    ("08.4", lambda A, dA: (dA.T - np.einsum("qk,qk->q", A, dA)).T, "outer factor missing"),
    ("08.4", lambda A, dA: np.array([(np.outer(a, a) - np.diag(a)) @ da for a, da in zip(A, dA)]), "sign turned"),
    ("08.5", lambda h: h.copy(), "the states themselves"),
    ("08.5", lambda h: np.array([attention_with_loops(states, states, states) for states in h]), "divided by √d"),
    ("08.5", attention_time_first, "attention between sequences"),
    ("08.5", lambda h: np.mean(keras_self_attention(h), axis=1), "mean over the steps"),
    ("08.5", lambda h: [weights_with_a_loop(states @ states.T) for states in h], "weights only"),
]


def test_softmax_backward_gradient():
    rng = np.random.default_rng(0)
    S, dA = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    numeric = scratch.numerical_gradient(lambda S: (reference("08.2")(S) * dA).sum(), S)
    scratch.compare_gradients(reference("08.4")(reference("08.2")(S), dA), numeric)
