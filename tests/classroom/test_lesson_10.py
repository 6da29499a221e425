"""The exercises of lesson 10: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("10") if exercise.id == number)


def gradient_sample_by_sample(h, W, U, y):
    dW = np.zeros_like(W)
    for row, target in zip(h, y, strict=True):
        dW += np.outer(row, (row @ W @ U - target) @ U.T) / len(h)
    return dW


def relu(z):
    return z * (z > 0)


def renewed_from_the_start(stored, weights, k, W):
    """All blocks again, from x: more work than needed, and right."""
    chain = [stored[0]]
    for j, old in enumerate(weights):
        chain.append(relu(chain[-1] @ (W if j == k else old)))
    return chain


def renewed_by_keras(stored, weights, k, W):
    import keras

    dense = [keras.layers.Dense(len(w), "relu", use_bias=False, dtype="float64") for w in weights]
    for j, layer in enumerate(dense):
        layer.build((None, len(W)))
        layer.set_weights([W if j == k else weights[j]])
    h, result = stored[k], stored[: k + 1]
    for layer in dense[k:]:
        h = layer(h)
        result.append(np.asarray(h))
    return result


def renewed_in_place(stored, weights, k, W):
    weights[k] = W
    for j in range(k, len(weights)):
        stored[j + 1] = np.maximum(0, stored[j] @ weights[j])
    return tuple(stored)


def loss_with_a_loop(h_true, h_wrong, theta):
    total = 0
    for t, w in zip(h_true, h_wrong, strict=True):
        total += np.log(1 + np.exp(theta - t @ t / len(t))) + np.log(1 + np.exp(w @ w / len(w) - theta))
    return total / len(h_true)


def interval_by_hand(a, b, t):
    d = [x - y for x, y in zip(a, b, strict=True)]
    mean = sum(d) / len(d)
    half = t * (sum((x - mean) ** 2 for x in d) / (len(d) - 1) / len(d)) ** 0.5
    return mean - half, mean + half


RIGHT = [
    ("10.1", gradient_sample_by_sample),
    ("10.2", renewed_by_keras),
    ("10.3", loss_with_a_loop),
    ("10.4", interval_by_hand),
    ("10.1", lambda h, W, U, y: np.linalg.multi_dot([h.T, h @ W @ U - y, U.T]) / len(y)),
    ("10.4", lambda a, b, t: np.mean(a - b) + t * stats.sem(a - b) * np.array([-1, 1])),
    ("10.2", renewed_from_the_start),
    ("10.2", renewed_in_place),
    (
        "10.3",
        lambda t, w, theta: np.mean(
            np.logaddexp(0, theta - (t * t).mean(1)) + np.logaddexp(0, (w * w).mean(1) - theta)
        ),
    ),
]


def only_its_own(stored, weights, k, W):
    return [relu(stored[k] @ W) if j == k + 1 else h for j, h in enumerate(stored)]


def all_at_once(stored, weights, k, W):
    """Every block on what is stored, before anything there is new."""
    weights[k] = W
    return [stored[0], *(np.maximum(0, h @ w) for h, w in zip(stored[:-1], weights, strict=True))]


def two_only(stored, weights, k, W):
    stored[k + 1] = relu(stored[k] @ W)
    stored[k + 2] = relu(stored[k + 1] @ weights[k + 1])
    return stored


def onwards(stored, weights, k, first, activation=relu):
    """With the weights of each block as given, beginning with the outputs ``first`` of block k."""
    stored = [*stored[: k + 1], first]
    for w in weights[k + 1 :]:
        stored.append(activation(stored[-1] @ w))
    return stored


def loss_of(G_true, G_wrong, theta):
    return np.mean(np.log1p(np.exp(theta - G_true)) + np.log1p(np.exp(G_wrong - theta)))


def around(difference, half):
    return np.mean(difference) - half, np.mean(difference) + half


WRONG = [
    ("10.1", lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T), "summed over the batch"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) @ U.T / len(W), "divided by the width"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) @ U.T / y.shape[1], "divided by the width"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) @ U.T / y.size, "mean over all numbers"),
    ("10.1", lambda h, W, U, y: np.einsum("nd,nm->dm", h, h @ W - y) / len(h), "head left out"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) / len(h), "not through the head"),
    ("10.1", lambda h, W, U, y: np.einsum("nd,nc,cm->dm", h, h @ W @ U - y, U) / len(h), "head not transposed"),
    ("10.1", lambda h, W, U, y: W.T @ h.T @ (h @ W @ U - y) / len(h), "gradient of the head"),
    ("10.1", lambda h, W, U, y: h.T @ (2 * (h @ W @ U - y) / len(h)) @ U.T, "factor 2"),
    ("10.1", lambda h, W, U, y: h.T @ (y - h @ W @ U) @ U.T / len(h), "sign turned"),
    ("10.1", lambda h, W, U, y: (h @ W @ U - y) @ (W @ U).T / len(h), "gradient of the inputs"),
    ("10.2", only_its_own, "only its own outputs"),
    ("10.2", all_at_once, "only its own outputs"),
    ("10.2", two_only, "one block further"),
    ("10.2", lambda s, w, k, W: onwards(s, w, k, s[k + 1]), "with the old weights"),
    ("10.2", lambda s, w, k, W: s, "with the old weights"),
    ("10.2", lambda s, w, k, W: onwards(s, [W] * len(w), k, relu(s[k] @ W)), "new weights everywhere"),
    ("10.2", lambda s, w, k, W: onwards(s, w, k, relu(s[0] @ W)), "from x instead of the block before"),
    ("10.2", lambda s, w, k, W: onwards(s, w, k - 1, relu(s[k - 1] @ W)), "one place too early"),
    ("10.2", lambda s, w, k, W: onwards(s, w, k, s[k] @ W, activation=np.array), "ReLU left out"),
    ("10.2", lambda s, w, k, W: renewed_in_place(s, w, k, W)[1:], "x left out"),
    ("10.2", lambda s, w, k, W: renewed_from_the_start(s, w, k, W)[-1], "the last outputs only"),
    ("10.3", lambda t, w, theta: loss_with_a_loop(w, t, theta), "true and wrong exchanged"),
    (
        "10.3",
        lambda t, w, theta: loss_with_a_loop(t * t.shape[1] ** 0.5, w * w.shape[1] ** 0.5, theta),
        "sum of squares",
    ),
    ("10.3", lambda t, w, theta: loss_of(t.mean(axis=1), w.mean(axis=1), theta), "mean without squares"),
    ("10.3", lambda t, w, theta: loss_of(np.mean(t**2), np.mean(w**2), theta), "goodness of the whole batch"),
    (
        "10.3",
        lambda t, w, theta: sum(loss_with_a_loop(t[[n]], w[[n]], theta) for n in range(len(t))),
        "summed over the batch",
    ),
    ("10.3", lambda t, w, theta: np.log1p(np.exp(theta - (t**2).mean(1))).mean(), "true labels only"),
    ("10.3", lambda t, w, theta: loss_with_a_loop(t, w, 0), "without a threshold"),
    ("10.4", lambda a, b, t: (a - b).mean() + np.array([-t, t]) * (a - b).std() / len(a) ** 0.5, "n for n − 1"),
    (
        "10.4",
        lambda a, b, t: (a - b).mean() + np.array([-t, t]) * np.hypot(a.std(ddof=1), b.std(ddof=1)) / len(a) ** 0.5,
        "not paired",
    ),
    ("10.4", lambda a, b, t: around(a - b, t * np.std(a - b, ddof=1)), "√n missing"),
    ("10.4", lambda a, b, t: around(a - b, t * np.std(a - b, ddof=1) / len(a)), "divided by n"),
    ("10.4", lambda a, b, t: interval_by_hand(a, b, 1.96), "1.96 for t"),
    ("10.4", lambda a, b, t: interval_by_hand(b, a, t), "b − a"),
    ("10.4", lambda a, b, t: around(a - b, t * stats.sem(a - b) * np.std(a - b, ddof=1)), "variance for deviation"),
]


def test_stage_gradient():
    rng = np.random.default_rng(0)
    h, W, U, y = (rng.standard_normal(shape) for shape in ((5, 4), (4, 3), (3, 2), (5, 2)))
    numeric = scratch.numerical_gradient(lambda W: ((h @ W @ U - y) ** 2).sum() / (2 * len(h)), W)
    scratch.compare_gradients(reference("10.1")(h, W, U, y), numeric)


def test_interval_is_that_of_the_paired_test():
    a, b = np.array([0.9, 0.8, 0.95, 0.7]), np.array([0.85, 0.8, 0.9, 0.72])
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    np.testing.assert_allclose(reference("10.4")(a, b, stats.t.ppf(0.975, 3)), [expected.low, expected.high])
