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
]

WRONG = [
    ("10.1", lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T), "summed over the batch"),
    ("10.1", lambda h, W, U, y: h.T @ (h @ W @ U - y) / len(h), "not through the head"),
    (
        "10.2",
        lambda x, W, g, b, m, v: np.maximum(0, (x @ W - (x @ W).mean(0)) / np.sqrt((x @ W).var(0) + 1e-3) * g + b),
        "still by the batch",
    ),
    ("10.2", lambda x, W, g, b, m, v: g * (x @ W - m) / np.sqrt(v + 1e-3) + b, "ReLU left out"),
    ("10.3", lambda t, w, theta: loss_with_a_loop(w, t, theta), "true and wrong exchanged"),
    ("10.3", lambda t, w, theta: np.log1p(np.exp(theta - (t**2).mean(1))).mean(), "true labels only"),
    ("10.4", lambda a, b, t: (a - b).mean() + np.array([-t, t]) * (a - b).std() / len(a) ** 0.5, "n for n − 1"),
    (
        "10.4",
        lambda a, b, t: (a - b).mean() + np.array([-t, t]) * np.hypot(a.std(ddof=1), b.std(ddof=1)) / len(a) ** 0.5,
        "not paired",
    ),
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
