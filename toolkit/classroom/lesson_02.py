"""The exercises of lesson 02, the backward pass.

Every gradient here has been got wrong in all of the ways below; the hints ask for the thought that went astray.
"""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(2)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 02.1


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return scratch.Sigmoid().activate(z)


def _sigmoid_slope(z: np.ndarray) -> np.ndarray:
    a = _sigmoid(z)
    return a * (1 - a)


_SIGMOID = Exercise(
    id="02.1",
    title="Back through the sigmoid",
    reference=lambda z, da: da * _sigmoid_slope(z),
    cases=((_normal(3, 4), _normal(3, 4)), (np.array([[-2.0, 0.0, 2.0]]), np.array([[1.0, -1.0, 0.5]]))),
    misconceptions=(
        Misconception(
            "f′ missing",
            lambda z, da: da,
            "You hand the upstream gradient on unchanged, as if the sigmoid had slope 1 everywhere. Where the sigmoid "
            "is flat, hardly anything may pass.",
        ),
        Misconception(
            "upstream gradient missing",
            lambda z, da: _sigmoid_slope(z),
            "That is the local slope, f′(z). What does the chain rule do with it and with what comes from above?",
        ),
        Misconception(
            "z(1 − z) for a(1 − a)",
            lambda z, da: da * z * (1 - z),
            "The short form of the slope is written in the sigmoid's output. Which of the two, z or a, lies between "
            "0 and 1, so that the slope can never be negative?",
        ),
        Misconception(
            "f′ at a instead of z",
            lambda z, da: da * _sigmoid_slope(_sigmoid(z)),
            "The sigmoid has been applied twice. The slope belongs to the place where the forward pass went in: f′(z); "
            "once you have a, no further sigmoid is needed.",
        ),
        Misconception(
            "tanh's derivative",
            lambda z, da: da * (1 - _sigmoid(z) ** 2),
            "1 − a² is the slope of another activation, tanh. Differentiate 1/(1 + e⁻ᶻ) and compare at z = 0, where "
            "the sigmoid is steepest: its slope there is ¼.",
        ),
        Misconception(
            "sign turned",
            lambda z, da: -da * _sigmoid_slope(z),
            "The sigmoid rises everywhere, so its slope is positive. Where did the minus sign of e⁻ᶻ go when you "
            "differentiated? It should meet a second one.",
        ),
    ),
)

# ---------------------------------------------------------------------- 02.2


def _dense_backward(x: np.ndarray, W: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)


_DENSE = Exercise(
    id="02.2",
    title="Back through a dense layer",
    reference=_dense_backward,
    cases=((_normal(4, 3), _normal(3, 2), _normal(4, 2)), (_normal(5, 2), _normal(2, 2), _normal(5, 2))),
    misconceptions=(
        Misconception(
            "averaged twice",
            lambda x, W, dz: (dz @ W.T, x.T @ dz / len(x), dz.mean(axis=0)),
            "dW and db are N times too small. The 1/N of the mean loss is already inside dz: who divides again "
            "averages twice.",
        ),
        Misconception(
            "dW averaged twice",
            lambda x, W, dz: (dz @ W.T, x.T @ dz / len(x), dz.sum(axis=0)),
            "dW is N times too small. The 1/N of the mean loss is already inside dz.",
        ),
        Misconception(
            "db averaged twice",
            lambda x, W, dz: (dz @ W.T, x.T @ dz, dz.mean(axis=0)),
            "db is N times too small. Every sample used the same b, and a number used several times adds up what comes "
            "back; the 1/N is already inside dz.",
        ),
        Misconception(
            "db not summed",
            lambda x, W, dz: (dz @ W.T, x.T @ dz, dz),
            "db must have the shape of b, (M,), and yours has a row for each sample. What happens to a number that N "
            "rows have used?",
        ),
        Misconception(
            "db summed over the units",
            lambda x, W, dz: (dz @ W.T, x.T @ dz, dz.sum(axis=1)),
            "db has one number per sample; it must have one per unit. Along which axis do the samples lie?",
        ),
        Misconception(
            "dW transposed",
            lambda x, W, dz: (dz @ W.T, dz.T @ x, dz.sum(axis=0)),
            "dW must have the shape of W, (D, M), and yours is (M, D). Row d of W belongs to input d: which of the two "
            "factors should be transposed?",
        ),
        Misconception(
            "dx transposed",
            lambda x, W, dz: (W @ dz.T, x.T @ dz, dz.sum(axis=0)),
            "dx must have the shape of x, with the batch first. Yours has the samples in its columns.",
        ),
        Misconception(
            "another order",
            lambda x, W, dz: (x.T @ dz, dz.sum(axis=0), dz @ W.T),
            "All three are right, only their order is not: return dx, dW, db.",
        ),
    ),
)

# ---------------------------------------------------------------------- 02.3

_MSE = Exercise(
    id="02.3",
    title="The gradient of the mean squared error",
    reference=lambda y, y_pred: 2 * (y_pred - y) / y.size,
    cases=((_normal(4, 3), _normal(4, 3)), (_normal(5, 1), _normal(5, 1))),
    misconceptions=(
        Misconception(
            "factor 2 missing",
            lambda y, y_pred: (y_pred - y) / y.size,
            "Half of it is there. What is the derivative of a square? (Some books put ½ before the loss so that the 2 "
            "goes away; ours does not.)",
        ),
        Misconception(
            "divided by N only",
            lambda y, y_pred: 2 * (y_pred - y) / len(y),
            "Over how many numbers does the loss take its mean? Not only over the samples: each has C outputs.",
        ),
        Misconception(
            "summed instead of averaged",
            lambda y, y_pred: 2 * (y_pred - y),
            "This is the gradient of the sum of the squares. The loss is their mean.",
        ),
        Misconception(
            "the cross-entropy's gradient",
            lambda y, y_pred: (y_pred - y) / len(y),
            "(ŷ − y)/N belongs to softmax with cross-entropy. Start from this loss: a mean over all N·C squares.",
        ),
        Misconception(
            "sign turned",
            lambda y, y_pred: 2 * (y - y_pred) / y.size,
            "The size is right, the direction is not. If a prediction lies above its target and grows, does the loss "
            "grow or fall?",
        ),
        Misconception(
            "the loss itself",
            lambda y, y_pred: ((y_pred - y) ** 2).mean(),
            "That is the loss, one number. Its gradient has a number for each prediction: the shape of ŷ.",
        ),
    ),
)

# ---------------------------------------------------------------------- 02.4

_Z = np.array([[1.5, -0.5, 0.0, 2.0], [-1.0, 0.3, -2.0, 0.0]])
_DA = np.array([[0.4, 0.7, -0.6, -1.2], [-0.9, -0.2, 0.8, 0.5]])

_RELU = Exercise(
    id="02.4",
    title="Find the bug: back through ReLU",
    reference=lambda z, da: da * (z > 0),
    cases=((_Z, _DA), (_normal(3, 5), _normal(3, 5))),
    misconceptions=(
        Misconception(
            "gate asks da",
            lambda z, da: da * (da > 0),
            "The bug is still there. Whether a unit was on is decided in the forward pass; what comes back may well be "
            "negative.",
        ),
        Misconception(
            "gate asks both",
            lambda z, da: da * (da > 0) * (z > 0),
            "Now the right gate is there, and the wrong one, too: negative gradients still do not pass. (Pictures made "
            "this way are called guided backpropagation; as a gradient it is wrong.)",
        ),
        Misconception(
            "open at 0",
            lambda z, da: da * (z >= 0),
            "Right except where z is exactly 0. There ReLU has a kink and no slope; this course takes 0, as TensorFlow "
            "does.",
        ),
        Misconception(
            "multiplied by the output",
            lambda z, da: da * np.maximum(z, 0),
            "You multiply by ReLU's value. The chain rule asks for its slope, which is the same however large z is.",
        ),
        Misconception(
            "upstream gradient missing",
            lambda z, da: (z > 0).astype(float),
            "That is the local slope alone. What comes from above must pass through it.",
        ),
        Misconception(
            "f′ missing",
            lambda z, da: da,
            "Now everything passes, through units that were off, too. Changing their z a little changes nothing in "
            "the loss.",
        ),
    ),
)

# ---------------------------------------------------------------------- 02.5

_SGD_STEP = Exercise(
    id="02.5",
    title="Find the bug: the update",
    reference=lambda W, dW, alpha: W - alpha * dW,
    cases=((_normal(3, 2), _normal(3, 2), 0.1), (_normal(4), _normal(4), 0.5)),
    misconceptions=(
        Misconception(
            "gradient squared",
            lambda W, dW, alpha: W - alpha * dW**2,
            "The bug is still there. A square has lost something that the gradient knew: which way is down.",
        ),
        Misconception(
            "uphill",
            lambda W, dW, alpha: W + alpha * dW,
            "The gradient points to where the loss grows. Which way do you want to go?",
        ),
        Misconception(
            "α missing",
            lambda W, dW, alpha: W - dW,
            "The direction is right, the length is not: where is the learning rate?",
        ),
        Misconception(
            "the step alone",
            lambda W, dW, alpha: -alpha * dW,
            "That is the step. The new weights are the old ones and the step together.",
        ),
        Misconception(
            "length of the gradient lost",
            lambda W, dW, alpha: W - alpha * np.sign(dW),
            "The direction of each entry is right, but all of them go equally far. Where the slope is small, the step "
            "is to be small, too.",
        ),
    ),
)

EXERCISES = [_SIGMOID, _DENSE, _MSE, _RELU, _SGD_STEP]
