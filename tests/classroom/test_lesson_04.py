"""The exercises of lesson 04: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.classroom import check, exercises


def only(exercise_id):
    return next(exercise for exercise in exercises("04") if exercise.id == exercise_id)


def test_parameter_count_is_that_of_the_network():
    layers = [scratch.Dense(64, "relu"), scratch.Dense(32, "relu"), scratch.Dense(10, "softmax")]
    assert check("04.1", scratch.Sequential(layers, input_shape=100).count_params()).state == "right"


def test_accuracy_matches_hand_example():
    y_hat = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.6, 0.1, 0.3]])
    assert only("04.2").reference(np.array([0, 2, 2, 0]), y_hat) == 0.75


def accuracy_with_a_loop(y, y_hat):
    right = 0
    for label, row in zip(y, y_hat, strict=True):
        right += int(np.argmax(row) == label)
    return right / len(y)


def test_sgd_step_matches_the_engine():
    for x, y, W, b, alpha in only("04.3").cases:
        layer = scratch.Dense(len(b), "softmax", kernel_initializer=W, bias_initializer=b)
        network = scratch.Sequential([layer], input_shape=x.shape[1], dtype="float64")
        network.compile(scratch.SGD(alpha), "sparse_categorical_crossentropy")
        network.train_step(x, y)
        expected = only("04.3").reference(x, y, W, b, alpha)
        # The engine keeps α as Keras does, in float32.
        np.testing.assert_allclose(network.params["dense/W"], expected[0], rtol=1e-6)
        np.testing.assert_allclose(network.params["dense/b"], expected[1], rtol=1e-6)


def step_in_place(x, y, W, b, alpha):
    z = x @ W + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    W -= alpha * x.T @ p / len(x)
    b -= alpha * p.mean(axis=0)
    return [W, b]


def step_uphill(x, y, W, b, alpha):
    z = x @ W + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return W + alpha * x.T @ p / len(x), b + alpha * p.mean(axis=0)


def step_with_sums(x, y, W, b, alpha):
    z = x @ W + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    return W - alpha * x.T @ p, b - alpha * p.sum(axis=0)


def step_with_softmax_over_the_batch(x, y, W, b, alpha):
    z = x @ W + b
    p = np.exp(z) / np.exp(z).sum(axis=0)
    p[np.arange(len(x)), y] -= 1
    return W - alpha * x.T @ p / len(x), b - alpha * p.mean(axis=0)


def test_epoch_loss_matches_hand_example():
    # (2·100 + 1·100 + 4·50) / 250
    assert only("04.5").reference(np.array([2.0, 1.0, 4.0]), np.array([100, 100, 50])) == 2.0


def batch_after_shuffling_everything(x, y, order, first, size):
    x, y = x[order], y[order]
    return x[first : first + size], y[first : first + size]


def batch_with_its_bug(x, y, order, first, size):
    return x[order[first : first + size]], y[first : first + size]


RIGHT = [
    ("04.1", 6464 + 2080 + 330),
    ("04.2", accuracy_with_a_loop),
    ("04.3", step_in_place),
    ("04.4", batch_after_shuffling_everything),
    ("04.5", lambda losses, sizes: np.average(losses, weights=sizes)),
    ("04.5", lambda losses, sizes: (losses * sizes).sum() / sizes.sum()),
    ("04.5", lambda losses, sizes: sum(loss * size for loss, size in zip(losses, sizes)) / sum(sizes)),
]


def onehot(y, z):
    """Of the shape of ``z``."""
    return np.array([[float(c == label) for c in range(z.shape[1])] for label in y])


def probabilities(z):
    return np.array([np.exp(row) / np.exp(row).sum() for row in z])


def step_along(dz_of):
    def step(x, y, W, b, alpha):
        dz = dz_of(y, x @ W + b)
        return W - alpha * np.einsum("nd,nc->dc", x, dz), b - alpha * np.einsum("nc->c", dz)

    return step


def step_averaged_again(x, y, W, b, alpha):
    z = x @ W + b
    dz = (probabilities(z) - onehot(y, z)) / len(x)
    return W - alpha * x.T @ dz, b - alpha * np.mean(dz, axis=0)


def step_without_bias(x, y, W, b, alpha):
    W_after, b_after = step_in_place(x, y, W, np.zeros_like(b), alpha)
    return W_after, b + b_after


def gradients_only(x, y, W, b, alpha):
    z = x @ W + b
    dz = (probabilities(z) - onehot(y, z)) / len(x)
    return x.T @ dz, sum(dz)


WRONG = [
    ("04.1", 8875, None),
    ("04.1", 8768, "biases forgotten"),
    ("04.1", 8974, "biases for the inputs"),
    ("04.1", 8771, "one bias a layer"),
    ("04.1", 206, "units counted"),
    ("04.1", 106, "biases only"),
    ("04.1", 2048000, "sizes multiplied through"),
    ("04.1", 6794, "a layer left out"),
    ("04.2", lambda y, y_hat: np.mean(np.argmax(y_hat, axis=0) == y), "argmax over the batch"),
    ("04.2", lambda y, y_hat: np.sum(np.argmax(y_hat, axis=1) == y), "sum instead of mean"),
    ("04.2", lambda y, y_hat: np.mean(np.argmax(y_hat, axis=1) != y), "error rate"),
    ("04.2", lambda y, y_hat: 100 * np.mean(np.argmax(y_hat, axis=1) == y), "percent"),
    ("04.2", lambda y, y_hat: np.mean([row[label] for label, row in zip(y, y_hat)]), "probability of the label"),
    ("04.2", lambda y, y_hat: sum(np.argmax(y_hat, axis=1) == y) / len(y_hat[0]), "divided by the classes"),
    (
        "04.2",
        lambda y, y_hat: np.mean(onehot(y, y_hat) * (y_hat == y_hat.max(1)[:, None])),
        "divided by the classes, too",
    ),
    ("04.3", step_uphill, "uphill"),
    ("04.3", step_with_sums, "sum instead of mean"),
    ("04.3", step_along(lambda y, z: (probabilities(z) - onehot(y, z)) / z.size), "mean over classes, too"),
    ("04.3", step_averaged_again, "averaged twice in b"),
    ("04.3", step_along(lambda y, z: probabilities(z) / len(y)), "label not subtracted"),
    ("04.3", step_along(lambda y, z: (z - onehot(y, z)) / len(y)), "logits instead of probabilities"),
    ("04.3", step_with_softmax_over_the_batch, "softmax over the batch"),
    ("04.3", step_without_bias, "bias forgotten in the forward pass"),
    ("04.3", lambda x, y, W, b, alpha: (step_in_place(x, y, W, b.copy(), alpha)[0], b), "b not updated"),
    ("04.3", gradients_only, "gradients returned"),
    (
        "04.3",
        lambda x, y, W, b, alpha: [p - dp for p, dp in zip((W, b), gradients_only(x, y, W, b, alpha))],
        "alpha forgotten",
    ),
    ("04.4", batch_with_its_bug, "labels left in place"),
    (
        "04.4",
        lambda x, y, order, first, size: (x[first : first + size], y[order][first : first + size]),
        "images left in place",
    ),
    ("04.4", lambda x, y, order, first, size: (x[first:][:size], y[first:][:size]), "order not used"),
    ("04.4", lambda x, y, order, first, size: (x[order][first:size], y[order][first:size]), "size taken for the end"),
    ("04.5", lambda losses, sizes: sum(losses) / sum(sizes), "means divided by samples"),
    ("04.5", lambda losses, sizes: sum(losses) / len(losses), "mean of means"),
    ("04.5", lambda losses, sizes: sum(losses * sizes), "sum"),
    ("04.5", lambda losses, sizes: np.mean(losses * sizes), "divided by the batches"),
    ("04.5", lambda losses, sizes: sum(loss * sizes[0] for loss in losses) / sum(sizes), "first size for all"),
]
