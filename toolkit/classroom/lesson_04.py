"""The exercises of lesson 04: counting parameters, accuracy, a training step, and two bugs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

# ---------------------------------------------------------------------- 04.1

_SIZES = (100, 64, 32, 10)
_WEIGHTS = sum(D * M for D, M in pairwise(_SIZES))

_COUNT = Exercise(
    id="04.1",
    title="The parameters of 100-64-32-10",
    reference=lambda: _WEIGHTS + sum(_SIZES[1:]),
    rtol=0,
    misconceptions=(
        Misconception(
            "biases forgotten",
            lambda: _WEIGHTS,
            "Those are the weights alone. What else does every unit of a layer have?",
        ),
        Misconception(
            "biases for the inputs",
            lambda: _WEIGHTS + sum(_SIZES),
            "You gave the inputs biases, too. An input computes nothing: it only hands its number on.",
        ),
        Misconception(
            "one bias a layer",
            lambda: _WEIGHTS + len(_SIZES) - 1,
            "You counted one bias for each layer. b has shape (M,): each unit has its own.",
        ),
        Misconception(
            "units counted",
            lambda: sum(_SIZES),
            "That counts the circles of the picture. Parameters sit on the lines between them as well.",
        ),
        Misconception(
            "biases only",
            lambda: sum(_SIZES[1:]),
            "Those are the biases alone. Every line between two circles carries a weight.",
        ),
        Misconception(
            "sizes multiplied through",
            lambda: int(np.prod(_SIZES)),
            "You multiplied all sizes. Lines run only between neighbouring layers: one product for each pair of them.",
        ),
        Misconception(
            "a layer left out",
            lambda: 100 * 64 + 64 + 32 * 10 + 10,
            "Three pairs of neighbours make three kernels W, and one of them is missing.",
        ),
    ),
)

# ---------------------------------------------------------------------- 04.2


def _accuracy(y: np.ndarray, y_hat: np.ndarray) -> float:
    return float((y_hat.argmax(axis=1) == y).mean())


def _probabilities(seed: int, samples: int, classes: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels ``(N,)`` and probabilities ``(N, C)`` whose highest class is right for about a share ``right``."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples)
    y_hat = rng.random((samples, classes))
    helped = rng.random(samples) < right
    y_hat[helped, y[helped]] += 1
    return y, y_hat / y_hat.sum(axis=1, keepdims=True)


_ACCURACY = Exercise(
    id="04.2",
    title="Accuracy",
    reference=_accuracy,
    # As many samples as classes, or one sample: there the wrong axis gives a wrong number instead of an exception.
    cases=(_probabilities(0, 10, 10, 0.5), _probabilities(1, 5, 5, 0.4), _probabilities(2, 1, 4, 1.0)),
    misconceptions=(
        Misconception(
            "argmax over the batch",
            lambda y, y_hat: float((y_hat.argmax(axis=0) == y).mean()),
            "Your argmax runs down the columns: it finds the sample that is surest of a class. Asked for is the class "
            "that a sample is surest of. Which axis of (N, C) holds the classes?",
        ),
        Misconception(
            "sum instead of mean",
            lambda y, y_hat: int((y_hat.argmax(axis=1) == y).sum()),
            "You return how many are right. A share does not grow with the number of samples.",
        ),
        Misconception(
            "error rate",
            lambda y, y_hat: 1 - _accuracy(y, y_hat),
            "That is the share of wrong answers.",
        ),
        Misconception(
            "percent",
            lambda y, y_hat: 100 * _accuracy(y, y_hat),
            "That is in percent; a share between 0 and 1 is asked for.",
        ),
        Misconception(
            "probability of the label",
            lambda y, y_hat: float(y_hat[np.arange(len(y)), y].mean()),
            "That is the mean probability of the right class. Accuracy asks only whether it is the highest of its row.",
        ),
        Misconception(
            "divided by the classes",
            lambda y, y_hat: float((y_hat.argmax(axis=1) == y).sum() / y_hat.shape[1]),
            "You divided by the number of classes. A share of what is asked for?",
        ),
        Misconception(
            "divided by the classes, too",
            lambda y, y_hat: float((y_hat.argmax(axis=1) == y).sum() / y_hat.size),
            "You divided by N·C, the size of y_hat. How many answers does the network give?",
        ),
    ),
)

# ---------------------------------------------------------------------- 04.3


def _softmax(z: np.ndarray, axis: int = 1) -> np.ndarray:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _step_along(dz: np.ndarray, x: np.ndarray, W: np.ndarray, b: np.ndarray, alpha: float) -> tuple:
    return W - alpha * x.T @ dz, b - alpha * dz.sum(axis=0)


def _dz(x: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(ŷ − onehot(y)) / N``, of shape ``(N, C)``."""
    return (_softmax(x @ W + b) - np.eye(len(b))[y]) / len(x)


def _sgd_step(x: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray, alpha: float) -> tuple:
    return _step_along(_dz(x, y, W, b), x, W, b, alpha)


def _batch_mean_of_db(x: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray, alpha: float) -> tuple:
    dz = _dz(x, y, W, b)
    return W - alpha * x.T @ dz, b - alpha * dz.mean(axis=0)


def _classifier_case(seed: int, N: int, D: int, C: int, alpha: float) -> tuple:
    rng = np.random.default_rng(seed)
    return rng.random((N, D)), rng.integers(0, C, N), rng.normal(size=(D, C)), rng.normal(size=C), alpha


_SGD_STEP = Exercise(
    id="04.3",
    title="A step of a one-layer classifier",
    reference=_sgd_step,
    cases=(_classifier_case(0, 6, 4, 3, 0.5), _classifier_case(1, 5, 7, 4, 0.1), _classifier_case(2, 1, 3, 2, 1.0)),
    misconceptions=(
        Misconception(
            "uphill",
            lambda x, y, W, b, alpha: _sgd_step(x, y, W, b, -alpha),
            "Your step goes uphill: the loss grows. A gradient points to where the loss increases.",
        ),
        Misconception(
            "sum instead of mean",
            lambda x, y, W, b, alpha: _sgd_step(x, y, W, b, alpha * len(x)),
            "Your step is N times too long: the loss is a mean over the batch, so its gradient is one as well.",
        ),
        Misconception(
            "mean over classes, too",
            lambda x, y, W, b, alpha: _sgd_step(x, y, W, b, alpha / len(b)),
            "Your step is C times too short. The loss has one term a sample, so the mean divides by N alone.",
        ),
        Misconception(
            "averaged twice in b",
            _batch_mean_of_db,
            "W is right. In db the division by N has happened twice: once in dz, then again.",
        ),
        Misconception(
            "label not subtracted",
            lambda x, y, W, b, alpha: _step_along(_softmax(x @ W + b) / len(x), x, W, b, alpha),
            "Your dz does not contain the labels: it would be the same whatever the digits are.",
        ),
        Misconception(
            "logits instead of probabilities",
            lambda x, y, W, b, alpha: _step_along((x @ W + b - np.eye(len(b))[y]) / len(x), x, W, b, alpha),
            "The softmax is missing: dz compares probabilities with the labels, not logits.",
        ),
        Misconception(
            "softmax over the batch",
            lambda x, y, W, b, alpha: _step_along(
                (_softmax(x @ W + b, axis=0) - np.eye(len(b))[y]) / len(x), x, W, b, alpha
            ),
            "Your softmax makes the columns sum to 1. Each row is one sample's distribution over the classes.",
        ),
        Misconception(
            "bias forgotten in the forward pass",
            lambda x, y, W, b, alpha: _step_along(_dz(x, y, W, np.zeros_like(b)), x, W, b, alpha),
            "The forward pass does not use b.",
        ),
        Misconception(
            "b not updated",
            lambda x, y, W, b, alpha: (_sgd_step(x, y, W, b, alpha)[0], b),
            "W is right, but b is still the old one.",
        ),
        Misconception(
            "gradients returned",
            lambda x, y, W, b, alpha: (x.T @ _dz(x, y, W, b), _dz(x, y, W, b).sum(axis=0)),
            "Those are the gradients dW and db. The step with them is still to be taken.",
        ),
        Misconception(
            "alpha forgotten",
            lambda x, y, W, b, alpha: _sgd_step(x, y, W, b, 1.0),
            "The step's length does not depend on alpha.",
        ),
    ),
)

# ---------------------------------------------------------------------- 04.4


def _take_batch(x: np.ndarray, y: np.ndarray, order: np.ndarray, first: int, size: int) -> tuple:
    batch = order[first : first + size]
    return x[batch], y[batch]


def _batch_case(seed: int, N: int, first: int, size: int) -> tuple:
    rng = np.random.default_rng(seed)
    return rng.random((N, 3)), rng.integers(0, 10, N), rng.permutation(N), first, size


_TAKE_BATCH = Exercise(
    id="04.4",
    title="Find the bug: the network that cannot learn",
    reference=_take_batch,
    cases=(_batch_case(0, 12, 4, 4), _batch_case(1, 12, 0, 5), _batch_case(2, 11, 8, 4)),
    misconceptions=(
        Misconception(
            "labels left in place",
            lambda x, y, order, first, size: (x[order[first : first + size]], y[first : first + size]),
            "That still has the bug. Take a batch of three and write the numbers of the images and of the labels side "
            "by side: does each image get its own label?",
        ),
        Misconception(
            "images left in place",
            lambda x, y, order, first, size: (x[first : first + size], y[order[first : first + size]]),
            "Now the labels are shuffled and the images are not: the same bug, mirrored.",
        ),
        Misconception(
            "order not used",
            lambda x, y, order, first, size: (x[first : first + size], y[first : first + size]),
            "Images and labels belong together again, but nothing is shuffled any more: every epoch sees the same "
            "batches. Where does `order` come in?",
        ),
        Misconception(
            "size taken for the end",
            lambda x, y, order, first, size: (x[order[first:size]], y[order[first:size]]),
            "Together and shuffled. But a slice ends where its second number says, and `size` is a length.",
        ),
    ),
)

# ---------------------------------------------------------------------- 04.5


def _epoch_loss(losses: np.ndarray, sizes: np.ndarray) -> float:
    return float(np.dot(losses, sizes) / np.sum(sizes))


_EPOCH_LOSS = Exercise(
    id="04.5",
    title="Find the bug: the loss that is too good",
    reference=_epoch_loss,
    cases=(
        (np.array([2.0, 1.0, 4.0]), np.array([100, 100, 50])),
        (np.array([0.5, 0.25]), np.array([128, 32])),
        (np.array([0.3, 0.7, 0.2, 0.9]), np.array([10, 10, 10, 3])),
    ),
    misconceptions=(
        Misconception(
            "means divided by samples",
            lambda losses, sizes: sum(losses) / sum(sizes),
            "That still has the bug: each of the losses has been divided by its batch's size already.",
        ),
        Misconception(
            "mean of means",
            lambda losses, sizes: float(np.mean(losses)),
            "Better: that is right if all batches are of one size. A smaller last batch must not count as much as a "
            "full one.",
        ),
        Misconception(
            "sum",
            lambda losses, sizes: float(np.dot(losses, sizes)),
            "That is the sum over all samples. One division is missing to make it a mean.",
        ),
        Misconception(
            "divided by the batches",
            lambda losses, sizes: float(np.dot(losses, sizes) / len(sizes)),
            "The sum over all samples is right; you divided it by the number of batches.",
        ),
        Misconception(
            "first size for all",
            lambda losses, sizes: float(np.sum(losses) * sizes[0] / np.sum(sizes)),
            "You gave every batch the size of the first. The last one may be smaller.",
        ),
    ),
)

EXERCISES = [_COUNT, _ACCURACY, _SGD_STEP, _TAKE_BATCH, _EPOCH_LOSS]
