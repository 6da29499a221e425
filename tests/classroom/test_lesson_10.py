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


def stored_by_keras(x, W, gamma, beta, moving_mean, moving_variance):
    import keras

    normalisation = keras.layers.BatchNormalization(dtype="float64")
    normalisation.build((None, W.shape[1]))
    normalisation.set_weights([gamma, beta, moving_mean, moving_variance])
    return np.asarray(keras.ops.relu(normalisation(x @ W, training=False)))


def stored_as_one_line(x, W, gamma, beta, moving_mean, moving_variance):
    """With the normalisation folded into kernel and bias."""
    scale = gamma / (moving_variance + 1e-3) ** 0.5
    z = x @ (W * scale) + beta - scale * moving_mean
    return z * (z > 0)


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
    ("10.2", stored_by_keras),
    ("10.3", loss_with_a_loop),
    ("10.4", interval_by_hand),
    ("10.1", lambda h, W, U, y: np.linalg.multi_dot([h.T, h @ W @ U - y, U.T]) / len(y)),
    ("10.4", lambda a, b, t: np.mean(a - b) + t * stats.sem(a - b) * np.array([-1, 1])),
    ("10.2", stored_as_one_line),
    (
        "10.3",
        lambda t, w, theta: np.mean(
            np.logaddexp(0, theta - (t * t).mean(1)) + np.logaddexp(0, (w * w).mean(1) - theta)
        ),
    ),
]


def block(z, gamma, beta, mean, variance):
    return np.maximum(0, gamma * (z - mean) / np.sqrt(variance + 1e-3) + beta)


def loss_of(G_true, G_wrong, theta):
    return np.mean(np.log1p(np.exp(theta - G_true)) + np.log1p(np.exp(G_wrong - theta)))


def around(difference, half):
    return np.mean(difference) - half, np.mean(difference) + half


WRONG = [
    ("10.1", lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T), "summed over the batch"),
    ("10.1", lambda h, W, U, y: np.einsum("nd,nm->dm", h, h @ W - y) / len(h), "head left out"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) / len(h), "not through the head"),
    ("10.1", lambda h, W, U, y: np.einsum("nd,nc,cm->dm", h, h @ W @ U - y, U) / len(h), "head not transposed"),
    ("10.1", lambda h, W, U, y: W.T @ h.T @ (h @ W @ U - y) / len(h), "gradient of the head"),
    ("10.1", lambda h, W, U, y: h.T @ (2 * (h @ W @ U - y) / len(h)) @ U.T, "factor 2"),
    ("10.1", lambda h, W, U, y: h.T @ (y - h @ W @ U) @ U.T / len(h), "sign turned"),
    ("10.1", lambda h, W, U, y: (h @ W @ U - y) @ (W @ U).T / len(h), "gradient of the inputs"),
    (
        "10.2",
        lambda x, W, g, b, m, v: np.maximum(0, (x @ W - (x @ W).mean(0)) / np.sqrt((x @ W).var(0) + 1e-3) * g + b),
        "still by the batch",
    ),
    ("10.2", lambda x, W, g, b, m, v: block(x @ W, g, b, m, np.var(x @ W, axis=0)), "variance of the batch"),
    ("10.2", lambda x, W, g, b, m, v: block(x @ W, g, b, np.mean(x @ W, axis=0), v), "mean of the batch"),
    ("10.2", lambda x, W, g, b, m, v: (x @ W) * (x @ W > 0), "normalisation left out"),
    ("10.2", lambda x, W, g, b, m, v: block(x @ W, 1, 0, m, v), "scale and shift left out"),
    ("10.2", lambda x, W, g, b, m, v: g * (x @ W - m) / np.sqrt(v + 1e-3) + b, "ReLU left out"),
    ("10.2", lambda x, W, g, b, m, v: block(x @ W, g / np.sqrt(v + 1e-3), b, m, v), "divided by the variance"),
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
