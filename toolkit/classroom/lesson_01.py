"""The exercises of lesson 01, the forward pass.

The cases have as many samples as inputs and units, so that a product in the wrong order, a missing transpose or a sum
over the wrong axis gives numbers instead of an exception: then the checker can tell which mistake it was.
"""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(1)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 01.1

_NEURON = Exercise(
    id="01.1",
    title="One neuron by hand",
    reference=lambda: 2 * 1.5 + (-1) * 2 + 0.5 * (-4) + 0.5,
    misconceptions=(
        Misconception(
            "bias forgotten",
            lambda: 2 * 1.5 + (-1) * 2 + 0.5 * (-4),
            "The three products are right. What does the neuron add to their sum?",
        ),
        Misconception(
            "a instead of z",
            lambda: 0.0,
            "That is what ReLU makes of it, a. Asked for is z, the number before the activation.",
        ),
        Misconception(
            "bias subtracted",
            lambda: 2 * 1.5 + (-1) * 2 + 0.5 * (-4) - 0.5,
            "The bias goes in with its own sign: z = xw + b. Yours has been taken away.",
        ),
        Misconception(
            "a minus sign lost",
            lambda: 2 * 1.5 + 1 * 2 - 0.5 * 4 + 0.5,
            "One of the products has the wrong sign. Write the three products down one by one.",
        ),
        Misconception(
            "added instead of multiplied",
            lambda: (2 - 1 + 0.5) + (1.5 + 2 - 4) + 0.5,
            "You add the inputs and the weights. Each input is multiplied by its own weight; only then come the sums.",
        ),
    ),
)

# ---------------------------------------------------------------------- 01.2

_DENSE = Exercise(
    id="01.2",
    title="A dense layer",
    reference=lambda x, W, b: x @ W + b,
    cases=((_normal(2, 2), _normal(2, 2), _normal(2)), (_normal(3, 3), _normal(3, 3), _normal(3))),
    misconceptions=(
        Misconception(
            "bias forgotten",
            lambda x, W, b: x @ W,
            "The products are right, but one of the three arguments of your function is not used.",
        ),
        Misconception(
            "W x instead of x W",
            lambda x, W, b: W @ x + b,
            "You multiply in the order of many textbooks, where a sample is a column. Here the batch comes first and "
            "each sample is a row: which factor must be on the left, so that each row of the result belongs to one "
            "sample?",
        ),
        Misconception(
            "W transposed",
            lambda x, W, b: x @ W.T + b,
            "W (D, M) has one row for each input and one column for each unit, so it fits behind x (N, D) as it is. "
            "You turn it round. With as many units as inputs no error tells you.",
        ),
        Misconception(
            "element by element",
            lambda x, W, b: x * W + b,
            "Your * multiplies numbers that stand in the same place. A unit needs a sum over all its inputs: which "
            "operator multiplies and adds up?",
        ),
        Misconception(
            "one bias for each sample",
            lambda x, W, b: x @ W + b[:, np.newaxis],
            "You give each sample (row) a bias of its own. A bias belongs to a unit, which is a column.",
        ),
        Misconception(
            "bias subtracted",
            lambda x, W, b: x @ W - b,
            "The bias is added. You take it away.",
        ),
        Misconception(
            "activation applied",
            lambda x, W, b: np.maximum(x @ W + b, 0),
            "All right as far as z, but then a ReLU follows. Here only the linear part, z, is asked for.",
        ),
    ),
)

# ---------------------------------------------------------------------- 01.3


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _softmax_overflowing(z: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def _softmax_of_global_maximum(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max())
    with np.errstate(invalid="ignore"):
        return e / e.sum(axis=1, keepdims=True)


def _softmax_without_keepdims(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1)


def _softmax_never_with_keepdims(z: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(z - z.max(axis=1))
        return e / e.sum(axis=1)


def _softmax_of_columns(z: np.ndarray) -> np.ndarray:
    return _softmax(z.T).T


def _softmax_of_everything(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max())
    return e / e.sum()


_SOFTMAX = Exercise(
    id="01.3",
    title="A softmax that does not overflow",
    reference=_softmax,
    cases=(
        (np.array([[0.55, -1.0, 2.0], [0.0, 0.0, 0.0], [-3.0, 1.0, 0.5]]),),
        (np.array([[1000.0, 1001.0, 1002.0], [0.0, 1.0, 0.0], [-1000.0, -1000.0, -1001.0]]),),
    ),
    misconceptions=(
        Misconception(
            "overflow",
            _softmax_overflowing,
            "Right for ordinary logits. But exp(1000) is too large for any float, and exp(−1000) rounds to 0, so you "
            "divide inf by inf and 0 by 0. Which number may be taken from all logits of a row without changing the "
            "result?",
        ),
        Misconception(
            "maximum of the whole batch",
            _softmax_of_global_maximum,
            "You take the same number, the largest of the whole batch, from all rows. A row that lies far below it "
            "then has only zeros left. Each row needs a maximum of its own.",
        ),
        Misconception(
            "keepdims forgotten",
            _softmax_without_keepdims,
            "Your sums have shape (N,), and NumPy lines them up with the columns. Each row must be divided by its own "
            "sum: how do you keep the sums as a column, (N, 1)?",
        ),
        Misconception(
            "keepdims forgotten twice",
            _softmax_never_with_keepdims,
            "Your maxima and your sums have shape (N,), and NumPy lines both up with the columns. They belong to the "
            "rows: how do you keep them as columns, (N, 1)?",
        ),
        Misconception(
            "softmax over the batch",
            _softmax_of_columns,
            "Your columns sum to 1. The classes of one sample stand in a row: along which axis do you have to add?",
        ),
        Misconception(
            "softmax over everything",
            _softmax_of_everything,
            "All your numbers together sum to 1. Each sample should have probabilities of its own that do.",
        ),
        Misconception(
            "normalised without exp",
            lambda z: z / np.where(z.sum(axis=1, keepdims=True) == 0, 1, z.sum(axis=1, keepdims=True)),
            "You divide the logits themselves by their sum. That can be negative; something has to make them positive "
            "first.",
        ),
        Misconception(
            "sigmoid",
            lambda z: np.where(z >= 0, 1, np.exp(-np.abs(z))) / (1 + np.exp(-np.abs(z))),
            "That is the sigmoid: each number lies between 0 and 1, but a row does not sum to 1. The classes compete: "
            "they have to share.",
        ),
    ),
)

# ---------------------------------------------------------------------- 01.4


def _forward(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> np.ndarray:
    return _softmax(np.maximum(x @ W1 + b1, 0) @ W2 + b2)


def _forward_over_batch(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> np.ndarray:
    return _softmax_of_columns(np.maximum(x @ W1 + b1, 0) @ W2 + b2)


def _forward_over_everything(
    x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    return _softmax_of_everything(np.maximum(x @ W1 + b1, 0) @ W2 + b2)


def _forward_without_keepdims(
    x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray
) -> np.ndarray:
    e = np.exp(np.maximum(x @ W1 + b1, 0) @ W2 + b2)
    return e / e.sum(axis=1)


def _forward_without_relu(x: np.ndarray, W1: np.ndarray, b1: np.ndarray, W2: np.ndarray, b2: np.ndarray) -> np.ndarray:
    return _softmax((x @ W1 + b1) @ W2 + b2)


def _network(n: int) -> tuple[np.ndarray, ...]:
    return _normal(n, n), _normal(n, n), _normal(n), _normal(n, n), _normal(n)


_FIND_THE_BUG = Exercise(
    id="01.4",
    title="Find the bug: probabilities that depend on the neighbours",
    reference=_forward,
    cases=(_network(3), _network(4)),
    misconceptions=(
        Misconception(
            "still over the batch",
            _forward_over_batch,
            "Still the columns sum to 1, so the samples share. Which axis counts the samples, and which the classes?",
        ),
        Misconception(
            "one sum for the whole batch",
            _forward_over_everything,
            "Now all probabilities of the batch share one sum, so the samples still depend on each other.",
        ),
        Misconception(
            "keepdims forgotten",
            _forward_without_keepdims,
            "You add along the right axis, but the sums have lost it: shape (N,) lines up with the columns. They must "
            "stay a column, (N, 1).",
        ),
        Misconception(
            "the ReLU is gone",
            _forward_without_relu,
            "The probabilities are each sample's own now, but on the way the ReLU has been lost.",
        ),
    ),
)

# ---------------------------------------------------------------------- 01.5


def _likelihoods(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The probability that each row gives to its own label."""
    return p[np.arange(len(y)), y]


_CROSS_ENTROPY = Exercise(
    id="01.5",
    title="The cross-entropy of a batch",
    reference=lambda p, y: -np.mean(np.log(_likelihoods(p, y))),
    cases=(
        (np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]), np.array([0, 1])),
        (np.array([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]), np.array([1, 1, 0])),
    ),
    misconceptions=(
        Misconception(
            "summed instead of averaged",
            lambda p, y: -np.sum(np.log(_likelihoods(p, y))),
            "You add up the losses of the samples. The loss of a batch is their mean; else a larger batch would be "
            "worse for its size alone.",
        ),
        Misconception(
            "minus forgotten",
            lambda p, y: np.mean(np.log(_likelihoods(p, y))),
            "The logarithm of a probability is never positive, and yet a loss should be large when the network is "
            "wrong. What is missing in front?",
        ),
        Misconception(
            "one loss for each sample",
            lambda p, y: -np.log(_likelihoods(p, y)),
            "These are the losses of the single samples, and they are right. What makes one number out of them?",
        ),
        Misconception(
            "mean of all probabilities",
            lambda p, y: -np.mean(np.log(p)),
            "You take the logarithms of all probabilities. Only the one at the label counts for each sample.",
        ),
        Misconception(
            "whole columns picked",
            lambda p, y: -np.mean(np.log(p[:, y])),
            "p[:, y] takes whole columns: for each sample the probabilities at everybody's labels, shape (N, N). Each "
            "row needs its own label: NumPy pairs rows with columns when you give it both.",
        ),
        Misconception(
            "logarithm to another base",
            lambda p, y: -np.mean(np.log2(_likelihoods(p, y))),
            "This is the loss in bits. In this course logarithms are natural: np.log.",
        ),
        Misconception(
            "logarithm to base ten",
            lambda p, y: -np.mean(np.log10(_likelihoods(p, y))),
            "You use the logarithm to base ten. In this course logarithms are natural: np.log.",
        ),
        Misconception(
            "logarithm of the mean",
            lambda p, y: -np.log(np.mean(_likelihoods(p, y))),
            "You average the probabilities and then take the logarithm. It belongs to each sample: first the "
            "logarithm, then the mean.",
        ),
        Misconception(
            "no logarithm",
            lambda p, y: 1 - np.mean(_likelihoods(p, y)),
            "One minus the mean probability also falls as the network gets better, but it is not the cross-entropy: "
            "where is the logarithm?",
        ),
    ),
)

EXERCISES = [_NEURON, _DENSE, _SOFTMAX, _FIND_THE_BUG, _CROSS_ENTROPY]
