"""Lesson 04's exercises: other right answers pass, and wrong code as learners write it gets its hint."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.classroom import check, exercises


def only(exercise_id):
    return next(exercise for exercise in exercises("04") if exercise.id == exercise_id)


def test_parameter_count_matches_hand_example():
    assert check("04.1", 6464 + 2080 + 330).state == "right"


def test_parameter_count_is_that_of_the_network():
    layers = [scratch.Dense(64, "relu"), scratch.Dense(32, "relu"), scratch.Dense(10, "softmax")]
    assert check("04.1", scratch.Sequential(layers, input_shape=100).count_params()).state == "right"


def test_parameter_count_off_by_one_is_wrong():
    assert check("04.1", 8875).state == "wrong"


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        (8768, "biases forgotten"),
        (8974, "biases for the inputs"),
        (8771, "one bias a layer"),
        (206, "units counted"),
        (106, "biases only"),
        (2048000, "sizes multiplied through"),
        (6794, "a layer left out"),
    ],
)
def test_wrong_counts_get_their_hint(answer, misconception):
    assert check("04.1", answer).misconception == misconception


def test_accuracy_matches_hand_example():
    y_hat = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.6, 0.1, 0.3]])
    assert only("04.2").reference(np.array([0, 2, 2, 0]), y_hat) == 0.75


def accuracy_with_a_loop(y, y_hat):
    right = 0
    for label, row in zip(y, y_hat, strict=True):
        right += int(np.argmax(row) == label)
    return right / len(y)


def test_accuracy_with_a_loop_is_right():
    assert check("04.2", accuracy_with_a_loop).state == "right"


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        (lambda y, y_hat: np.mean(np.argmax(y_hat, axis=0) == y), "argmax over the batch"),
        (lambda y, y_hat: np.sum(np.argmax(y_hat, axis=1) == y), "sum instead of mean"),
        (lambda y, y_hat: np.mean(np.argmax(y_hat, axis=1) != y), "error rate"),
        (lambda y, y_hat: 100 * np.mean(np.argmax(y_hat, axis=1) == y), "percent"),
        (lambda y, y_hat: np.mean([row[label] for label, row in zip(y, y_hat)]), "probability of the label"),
    ],
)
def test_wrong_accuracies_get_their_hint(answer, misconception):
    assert check("04.2", answer).misconception == misconception


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


def test_sgd_step_in_place_is_right():
    assert check("04.3", step_in_place).state == "right"


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


@pytest.mark.parametrize(
    ("answer", "misconception"),
    [
        (step_uphill, "uphill"),
        (step_with_sums, "sum instead of mean"),
        (step_with_softmax_over_the_batch, "softmax over the batch"),
    ],
)
def test_wrong_steps_get_their_hint(answer, misconception):
    assert check("04.3", answer).misconception == misconception


def test_batch_taken_after_shuffling_everything_is_right():
    def shuffle_all(x, y, order, first, size):
        x, y = x[order], y[order]
        return x[first : first + size], y[first : first + size]

    assert check("04.4", shuffle_all).state == "right"


def test_batch_with_its_bug_gets_its_hint():
    def broken(x, y, order, first, size):
        return x[order[first : first + size]], y[first : first + size]

    assert check("04.4", broken).misconception == "labels left in place"


def test_epoch_loss_matches_hand_example():
    # (2·100 + 1·100 + 4·50) / 250
    assert only("04.5").reference(np.array([2.0, 1.0, 4.0]), np.array([100, 100, 50])) == 2.0


@pytest.mark.parametrize(
    "answer",
    [
        lambda losses, sizes: np.average(losses, weights=sizes),
        lambda losses, sizes: (losses * sizes).sum() / sizes.sum(),
        lambda losses, sizes: sum(loss * size for loss, size in zip(losses, sizes)) / sum(sizes),
    ],
)
def test_other_ways_to_the_epoch_loss_are_right(answer):
    assert check("04.5", answer).state == "right"


def test_epoch_loss_with_its_bug_gets_its_hint():
    assert check("04.5", lambda losses, sizes: sum(losses) / sum(sizes)).misconception == "means divided by samples"


@pytest.mark.parametrize("exercise_id", ["04.1", "04.2", "04.3", "04.4", "04.5"])
def test_an_untouched_placeholder_is_not_answered(exercise_id):
    answer = (lambda *arguments: ...) if only(exercise_id).asks_for_function else ...
    assert check(exercise_id, answer).state == "not answered yet"
