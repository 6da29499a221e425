"""The exercises of lesson 11: residual blocks, freezing, rates by stage, and three bugs of transfer learning."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(11)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 11.1


def _residual_backward(x: np.ndarray, W1: np.ndarray, W2: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Of ``y = x + relu(x W1) W2``."""
    return dy + ((dy @ W2.T) * (x @ W1 > 0)) @ W1.T


_RESIDUAL = Exercise(
    id="11.1",
    title="Back through a residual block",
    reference=_residual_backward,
    cases=(
        (_normal(3, 4), _normal(4, 4), _normal(4, 4), _normal(3, 4)),
        (_normal(5, 3), _normal(3, 3), _normal(3, 3), _normal(5, 3)),
    ),
    misconceptions=(
        Misconception(
            "shortcut forgotten",
            lambda x, W1, W2, dy: ((dy @ W2.T) * (x @ W1 > 0)) @ W1.T,
            "That is what comes back through F. x has a second way to y: over the shortcut.",
        ),
        Misconception(
            "branch forgotten",
            lambda x, W1, W2, dy: dy,
            "That is what comes back over the shortcut. x has a second way to y: through F.",
        ),
        Misconception(
            "ReLU forgotten",
            lambda x, W1, W2, dy: dy + dy @ W2.T @ W1.T,
            "Where x W1 was negative, the ReLU answered 0 whatever x was: nothing comes back through it there.",
        ),
        Misconception(
            "ReLU of the gradient",
            lambda x, W1, W2, dy: dy + np.maximum(dy @ W2.T, 0) @ W1.T,
            "You apply the ReLU to the gradient. What decides is whether x W1 was positive on the way forward.",
        ),
        Misconception(
            "multiplied with the shortcut",
            lambda x, W1, W2, dy: dy * (((dy @ W2.T) * (x @ W1 > 0)) @ W1.T),
            "The two ways are multiplied. What comes back on several ways is added.",
        ),
        Misconception(
            "x for the gradient of the shortcut",
            lambda x, W1, W2, dy: x + ((dy @ W2.T) * (x @ W1 > 0)) @ W1.T,
            "Over the shortcut comes x on the way forward. On the way back it is dy.",
        ),
        Misconception(
            "not transposed",
            lambda x, W1, W2, dy: dy + ((dy @ W2) * (x @ W1 > 0)) @ W1,
            "Shapes fit because W1 and W2 are square. Backwards each matrix is transposed, as in lesson 02.",
        ),
    ),
)

# ---------------------------------------------------------------------- 11.2

_KERNELS = 9 * 64 * 128 + 9 * 128 * 128
_COUNT = Exercise(
    id="11.2",
    title="The parameters of a block that halves the image",
    reference=lambda: _KERNELS + 64 * 128 + 3 * 2 * 128,
    rtol=0,
    misconceptions=(
        Misconception(
            "shortcut forgotten",
            lambda: _KERNELS + 2 * 2 * 128,
            "x has 64 channels and F(x) has 128: they cannot be added yet. What does the shortcut need?",
        ),
        Misconception(
            "normalisation of the shortcut forgotten",
            lambda: _KERNELS + 64 * 128 + 2 * 2 * 128,
            "The shortcut's convolution is followed by a normalisation, too.",
        ),
        Misconception(
            "normalisations forgotten",
            lambda: _KERNELS + 64 * 128,
            "Those are all kernels. What does each normalisation learn for every channel?",
        ),
        Misconception(
            "one number a channel",
            lambda: _KERNELS + 64 * 128 + 3 * 128,
            "A normalisation learns two numbers for each channel, a factor and a shift.",
        ),
        Misconception(
            "moving averages counted",
            lambda: _KERNELS + 64 * 128 + 3 * 4 * 128,
            "Mean and variance are kept, but no gradient changes them: they do not count as trainable.",
        ),
        Misconception(
            "biases counted",
            lambda: _KERNELS + 64 * 128 + 3 * 3 * 128,
            "These convolutions have no bias: the normalisation behind would subtract it again.",
        ),
        Misconception(
            "shortcut of 3 × 3",
            lambda: _KERNELS + 9 * 64 * 128 + 3 * 2 * 128,
            "The kernel of the shortcut is 1 × 1: it only brings the channels to the right number.",
        ),
        Misconception(
            "64 channels throughout",
            lambda: 2 * 9 * 64 * 64 + 2 * 2 * 64,
            "That is a block that keeps its 64 channels. This one makes 128 of them.",
        ),
    ),
)

# ---------------------------------------------------------------------- 11.3


def _rates(rate: float, stages: int, decay: float) -> np.ndarray:
    return rate * decay ** -np.arange(stages - 1, -1, -1.0)


_RATES = Exercise(
    id="11.3",
    title="A rate for every stage",
    reference=_rates,
    cases=((0.001, 4, 2.6), (0.1, 3, 10.0), (0.5, 6, 2.0)),
    misconceptions=(
        Misconception(
            "the wrong way round",
            lambda rate, stages, decay: _rates(rate, stages, decay)[::-1],
            "Yours is fastest at the image. Which end holds what every task needs, and which the old task's answer?",
        ),
        Misconception(
            "growing beyond the rate",
            lambda rate, stages, decay: rate * decay ** np.arange(stages, dtype=float),
            "The ratios are right, but the head shall have the rate itself, and no stage a larger one.",
        ),
        Misconception(
            "head slowed as well",
            lambda rate, stages, decay: _rates(rate, stages, decay) / decay,
            "Everything is divided once too often: the head has the rate itself.",
        ),
        Misconception(
            "divided by multiples",
            lambda rate, stages, decay: rate / np.maximum(decay * np.arange(stages - 1, -1, -1.0), 1),
            "You divide by multiples of the decay. From stage to stage it is divided once more: powers.",
        ),
        Misconception(
            "decay subtracted",
            lambda rate, stages, decay: rate - decay * np.arange(stages - 1, -1, -1.0),
            "A rate below 0 goes uphill. The decay divides.",
        ),
        Misconception(
            "all alike",
            lambda rate, stages, decay: np.full(stages, rate),
            "All stages move at the same pace.",
        ),
    ),
)

# ---------------------------------------------------------------------- 11.4

_PIXELS = np.array([[[[0.0, 0.5, 1.0], [0.2, 0.2, 0.4]]]])


def _prepared(x: np.ndarray) -> np.ndarray:
    return 2 * x - 1


_PREPROCESSING = Exercise(
    id="11.4",
    title="Find the bug: the network sees nothing but black",
    reference=_prepared,
    cases=((_PIXELS,), (_rng.random((2, 3, 3, 3)),)),
    misconceptions=(
        Misconception(
            "still scaled twice",
            lambda x: x / 127.5 - 1,
            "That still has the bug: pixels in [0, 1], divided by 127.5, are all near 0, and all near −1 in the end.",
        ),
        Misconception(
            "left as they are",
            lambda x: x,
            "In [0, 1] the network sees only the brighter half of what it was trained on. It wants [−1, 1].",
        ),
        Misconception(
            "in [0, 255]",
            lambda x: 255 * x,
            "That undoes the scaling. The second step is still to come: from [0, 255] to [−1, 1].",
        ),
        Misconception(
            "scaled, not shifted",
            lambda x: 2 * x,
            "That is [0, 2]. Black has to be −1.",
        ),
        Misconception(
            "shifted, not scaled",
            lambda x: x - 1,
            "That is [−1, 0]. White has to be 1.",
        ),
        Misconception(
            "colours exchanged",
            lambda x: 2 * x[..., ::-1] - 1,
            "The range is right. But you exchanged red and blue: only networks from Caffe want that.",
        ),
        Misconception(
            "normalised by its own mean",
            lambda x: (x - x.mean()) / x.std(),
            "You normalise each batch by itself. The network wants what it was trained with, the same for all images.",
        ),
    ),
)

# ---------------------------------------------------------------------- 11.5


def _frozen_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return gamma * (x - mean) / np.sqrt(var + 1e-5) + beta, mean, var


def _by_batch(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, var: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m, v = x.mean(axis=0), x.var(axis=0)
    return gamma * (x - m) / np.sqrt(v + 1e-5) + beta, 0.9 * mean + 0.1 * m, 0.9 * var + 0.1 * v


_NORM = Exercise(
    id="11.5",
    title="Find the bug: frozen, and yet it changes",
    reference=_frozen_norm,
    cases=tuple((_normal(n, 3) + 2, _normal(3), _normal(3), _normal(3), _rng.random(3) + 0.5) for n in (4, 7)),
    misconceptions=(
        Misconception(
            "still by the batch",
            _by_batch,
            "That still has the bug: the batch decides. A frozen layer answers one image as it would answer it alone.",
        ),
        Misconception(
            "averages kept, batch used",
            lambda x, gamma, beta, mean, var: (_by_batch(x, gamma, beta, mean, var)[0], mean, var),
            "Mean and variance stay, but you do not use them: x is still normalised by its batch.",
        ),
        Misconception(
            "averages used, and updated",
            lambda x, gamma, beta, mean, var: (
                _frozen_norm(x, gamma, beta, mean, var)[0],
                *_by_batch(x, gamma, beta, mean, var)[1:],
            ),
            "The output is right, but mean and variance still move, so the next batch is answered differently.",
        ),
        Misconception(
            "not normalised",
            lambda x, gamma, beta, mean, var: (gamma * x + beta, mean, var),
            "Frozen does not mean switched off: it normalises, with the mean and the variance that it has.",
        ),
        Misconception(
            "variance for deviation",
            lambda x, gamma, beta, mean, var: (gamma * (x - mean) / (var + 1e-5) + beta, mean, var),
            "You divide by the variance. It is its root that has the unit of x.",
        ),
        Misconception(
            "scale and shift frozen to 1 and 0",
            lambda x, gamma, beta, mean, var: ((x - mean) / np.sqrt(var + 1e-5), mean, var),
            "γ and β are missing: frozen weights are used, they only do not change.",
        ),
    ),
)

# ---------------------------------------------------------------------- 11.6


class Training:
    """What Keras does with ``trainable``, in small: the training step is made by the first ``fit``, and looks then.

    Attributes:
        trainable: layer → whether it shall learn.
    """

    def __init__(self, layers: tuple[str, ...]) -> None:
        self.trainable = dict.fromkeys(layers, True)
        self._compiled = False
        self._learning: dict[str, bool] | None = None

    def compile(self) -> None:
        """Discards the training step; the next ``fit`` makes another."""
        self._compiled, self._learning = True, None

    def fit(self) -> dict[str, bool]:
        """Trains; returns for each layer whether its weights changed."""
        if not self._compiled:
            raise RuntimeError("compile the model first")
        if self._learning is None:  # a step that is there already does not look again
            self._learning = dict(self.trainable)
        return dict(self._learning)

    def __repr__(self) -> str:
        return f"Training({', '.join(self.trainable)})"


_Changes = tuple[dict[str, bool], dict[str, bool]]


def _in_two_steps(model: Training, first: slice, then: slice, *, compile_again: bool = True) -> _Changes:
    """Lets the layers ``first`` learn, and ``then`` those."""
    layers = list(model.trainable)
    model.trainable = {layer: layer in layers[first] for layer in layers}
    model.compile()
    before = model.fit()
    model.trainable = {layer: layer in layers[then] for layer in layers}
    if compile_again:
        model.compile()
    return before, model.fit()


_HEAD, _BODY, _ALL, _NONE = slice(-1, None), slice(0, -1), slice(None), slice(0, 0)

_ORDER = Exercise(
    id="11.6",
    title="Find the bug: what does not thaw",
    reference=lambda model: _in_two_steps(model, _HEAD, _ALL),
    cases=((Training(("stage1", "stage2", "head")),), (Training(("stem", "stage1", "stage2", "stage3", "head")),)),
    misconceptions=(
        Misconception(
            "not compiled again",
            lambda model: _in_two_steps(model, _HEAD, _ALL, compile_again=False),
            "The second fit() still trains the head alone. It goes on with the step that the first one made; when is "
            "a step discarded?",
        ),
        Misconception(
            "never frozen",
            lambda model: _in_two_steps(model, _ALL, _ALL),
            "Everything learns from the beginning. While the head is random, the body has to keep still.",
        ),
        Misconception(
            "head frozen instead",
            lambda model: _in_two_steps(model, _BODY, _ALL),
            "First you froze the head, and what was learned before is what learned. The other way round.",
        ),
        Misconception(
            "head frozen in the second step",
            lambda model: _in_two_steps(model, _HEAD, _BODY),
            "In the second step the head keeps still. It learns with the others.",
        ),
        Misconception(
            "nothing learns at first",
            lambda model: _in_two_steps(model, _NONE, _ALL),
            "In the first step nothing learns, the new head neither. It is random: it has to.",
        ),
        Misconception(
            "only the first layer frozen",
            lambda model: _in_two_steps(model, slice(1, None), _ALL),
            "In the first step only the first layer is frozen. All but the head shall be.",
        ),
    ),
)

EXERCISES = [_RESIDUAL, _COUNT, _RATES, _PREPROCESSING, _NORM, _ORDER]
