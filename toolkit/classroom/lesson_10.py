"""The exercises of lesson 10: a stage's gradient, stored outputs, a local loss, and the interval of a difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(10)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 10.1


def _stage_gradient(h: np.ndarray, W: np.ndarray, U: np.ndarray, y: np.ndarray) -> np.ndarray:
    return h.T @ ((h @ W @ U - y) / len(h) @ U.T)


_STAGE = Exercise(
    id="10.1",
    title="A stage's gradient",
    reference=_stage_gradient,
    # W and U are square: there a missing transpose gives a number instead of an exception. And N is no other size, so
    # that whoever divides by another one is caught.
    cases=tuple((_normal(n, m), _normal(m, m), _normal(m, m), _normal(n, m)) for n, m in ((5, 3), (2, 4))),
    misconceptions=(
        Misconception(
            "summed over the batch",
            lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T),
            "Your dW is summed over the batch. The loss has 1/N in front.",
        ),
        Misconception(
            "divided by the width",
            lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T) / h.shape[1],
            "You divide by the number of columns. N counts the samples, which are rows: len(h).",
        ),
        Misconception(
            "mean over all numbers",
            lambda h, W, U, y: _stage_gradient(h, W, U, y) / y.shape[1],
            "You divide by N and by the number of outputs, as a mean over all entries of y would. This loss sums over "
            "the outputs of a sample; its mean is over the samples only.",
        ),
        Misconception(
            "head left out",
            lambda h, W, U, y: h.T @ (h @ W - y) / len(h),
            "You compare the block's own outputs with y. The temporary head U stands between them: ŷ = hWU.",
        ),
        Misconception(
            "not through the head",
            lambda h, W, U, y: h.T @ ((h @ W @ U - y) / len(h)),
            "The error is right, but it has not come back through the head yet: dy Uᵀ belongs to the block's outputs.",
        ),
        Misconception(
            "head not transposed",
            lambda h, W, U, y: h.T @ ((h @ W @ U - y) / len(h) @ U),
            "On the way back the head is transposed: dy Uᵀ.",
        ),
        Misconception(
            "gradient of the head",
            lambda h, W, U, y: (h @ W).T @ ((h @ W @ U - y) / len(h)),
            "That is dU, the gradient of the temporary head. It is trained, too, but the question is dW.",
        ),
        Misconception(
            "factor 2",
            lambda h, W, U, y: 2 * _stage_gradient(h, W, U, y),
            "A factor 2 too much: the ½ of the loss takes it away.",
        ),
        Misconception(
            "sign turned",
            lambda h, W, U, y: -_stage_gradient(h, W, U, y),
            "The sign is turned: the error is ŷ − y.",
        ),
        Misconception(
            "gradient of the inputs",
            lambda h, W, U, y: (h @ W @ U - y) / len(h) @ U.T @ W.T,
            "That is dh, which would go on to the block before. In a stage h is constant: nothing is sent there.",
        ),
    ),
)

# ---------------------------------------------------------------------- 10.2


def _relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(0, z)


def _renewed(
    stored: list[np.ndarray],
    weights: list[np.ndarray],
    k: int,
    W: np.ndarray,
    *,
    last: int | None = None,
    fed: int | None = None,
    activation: Callable[[np.ndarray], np.ndarray] = _relu,
) -> list[np.ndarray]:
    """The outputs of blocks k to ``last`` computed again; block k with weights W, and fed with ``stored[fed]``."""
    stored, weights = list(stored), [*weights[:k], W, *weights[k + 1 :]]
    h = stored[k if fed is None else fed]
    for j in range(k, len(weights) if last is None else last + 1):
        h = stored[j + 1] = activation(h @ weights[j])
    return stored


def _chain(blocks: int, k: int, n: int, m: int) -> tuple[list[np.ndarray], list[np.ndarray], int, np.ndarray]:
    """Stored outputs and weights of ``blocks`` blocks of ``m`` units, and new weights for block k."""
    # As in He's initialisation, so that the outputs keep their size through all blocks.
    weights = [_normal(m, m) * np.sqrt(2 / m) for _ in range(blocks)]
    stored = [np.abs(_normal(n, m))]
    for W in weights:
        stored.append(_relu(stored[-1] @ W))
    return stored, weights, k, _normal(m, m) * np.sqrt(2 / m)


_STORED = Exercise(
    id="10.2",
    title="Find the bug: outdated outputs",
    reference=_renewed,
    cases=(_chain(4, 1, 3, 6), _chain(5, 2, 2, 6)),
    misconceptions=(
        Misconception(
            "only its own outputs",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W, last=k),
            "That still has the bug. Block k's own outputs are new; those of the blocks behind it still follow from "
            "its old ones.",
        ),
        Misconception(
            "one block further",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W, last=k + 1),
            "The next block is renewed, too. And the one behind that, which hears the next block?",
        ),
        Misconception(
            "with the old weights",
            lambda stored, weights, k, W: list(stored),
            "Nothing has changed: your outputs are those of the old weights of block k. Where does the new W go in?",
        ),
        Misconception(
            "new weights everywhere",
            lambda stored, weights, k, W: _renewed(stored, [W] * len(weights), k, W),
            "All blocks from k on got the new W. Only block k was trained again; the others keep their own weights.",
        ),
        Misconception(
            "from x instead of the block before",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W, fed=0),
            "Block k was fed with x. It hears the block before it, whose outputs are stored[k].",
        ),
        Misconception(
            "one place too early",
            lambda stored, weights, k, W: _renewed(stored, weights, k - 1, W),
            "You renewed from stored[k] on, which are the inputs of block k. Its outputs are stored[k + 1].",
        ),
        Misconception(
            "ReLU left out",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W, activation=lambda z: z),
            "The right blocks, and the right weights. Each block's ReLU is missing.",
        ),
        Misconception(
            "x left out",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W)[1:],
            "The outputs are right, but the list begins with h₀ = x, as it did before.",
        ),
        Misconception(
            "the last outputs only",
            lambda stored, weights, k, W: _renewed(stored, weights, k, W)[-1],
            "Those are the outputs of the last block, and right. All stored outputs are asked for, h₀ = x first.",
        ),
    ),
)

# ---------------------------------------------------------------------- 10.3


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, z)


def _local_loss(h_true: np.ndarray, h_wrong: np.ndarray, theta: float) -> float:
    G_true, G_wrong = (h_true**2).mean(axis=1), (h_wrong**2).mean(axis=1)
    return float((_softplus(theta - G_true) + _softplus(G_wrong - theta)).mean())


_LOCAL = Exercise(
    id="10.3",
    title="Forward-Forward: the loss of one layer",
    reference=_local_loss,
    cases=((_normal(4, 3), _normal(4, 3), 1.0), (2 * _normal(3, 5), _normal(3, 5), 2.0)),
    misconceptions=(
        Misconception(
            "true and wrong exchanged",
            lambda h_true, h_wrong, theta: _local_loss(h_wrong, h_true, theta),
            "Your loss is small where the *wrong* label has much goodness. Which of the two should lie above θ?",
        ),
        Misconception(
            "sum of squares",
            lambda h_true, h_wrong, theta: float(
                (_softplus(theta - (h_true**2).sum(axis=1)) + _softplus((h_wrong**2).sum(axis=1) - theta)).mean()
            ),
            "Your goodness is the sum of the squares. Here it is their mean, so that θ means the same in layers of any "
            "width.",
        ),
        Misconception(
            "mean without squares",
            lambda h_true, h_wrong, theta: float(
                (_softplus(theta - h_true.mean(axis=1)) + _softplus(h_wrong.mean(axis=1) - theta)).mean()
            ),
            "Goodness is the mean of the *squares* of the outputs.",
        ),
        Misconception(
            "goodness of the whole batch",
            lambda h_true, h_wrong, theta: float(
                _softplus(theta - (h_true**2).mean()) + _softplus((h_wrong**2).mean() - theta)
            ),
            "You average before the logarithm, over the whole batch. Each *sample* has a goodness of its own.",
        ),
        Misconception(
            "summed over the batch",
            lambda h_true, h_wrong, theta: _local_loss(h_true, h_wrong, theta) * len(h_true),
            "The samples are summed. A loss is the mean over the batch.",
        ),
        Misconception(
            "true labels only",
            lambda h_true, h_wrong, theta: float(_softplus(theta - (h_true**2).mean(axis=1)).mean()),
            "Only the true labels count in your loss. A layer that shouts at everything would be perfect.",
        ),
        Misconception(
            "without a threshold",
            lambda h_true, h_wrong, theta: float(
                (_softplus(-(h_true**2).mean(axis=1)) + _softplus((h_wrong**2).mean(axis=1))).mean()
            ),
            "θ is missing: goodness is never negative, so it needs something to be compared with.",
        ),
    ),
)

# ---------------------------------------------------------------------- 10.4


def _interval(difference: np.ndarray, half: float) -> np.ndarray:
    return np.array([difference.mean() - half, difference.mean() + half])


def _paired(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    return _interval(a - b, t * (a - b).std(ddof=1) / np.sqrt(len(a)))


_INTERVAL = Exercise(
    id="10.4",
    title="The interval of a difference",
    reference=_paired,
    cases=(
        (np.array([0.95, 0.97, 0.94, 0.96, 0.98]), np.array([0.93, 0.96, 0.93, 0.93, 0.97]), 2.776),
        (np.array([0.80, 0.60, 0.90]), np.array([0.85, 0.55, 0.70]), 4.303),
    ),
    misconceptions=(
        Misconception(
            "not paired",
            lambda a, b, t: _interval(a - b, t * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))),
            "You spread both ways separately. With the same seeds, take a − b for each seed first: what the seed does "
            "to both cancels.",
        ),
        Misconception(
            "√n missing",
            lambda a, b, t: _interval(a - b, t * (a - b).std(ddof=1)),
            "That is the spread of single differences. The mean of n of them spreads √n times less.",
        ),
        Misconception(
            "divided by n",
            lambda a, b, t: _interval(a - b, t * (a - b).std(ddof=1) / len(a)),
            "You divide by n. A mean spreads by 1/√n.",
        ),
        Misconception(
            "n for n − 1",
            lambda a, b, t: _interval(a - b, t * (a - b).std() / np.sqrt(len(a))),
            "Your standard deviation divides by n. From a sample it is n − 1 (ddof=1).",
        ),
        Misconception(
            "1.96 for t",
            lambda a, b, t: _interval(a - b, 1.96 * (a - b).std(ddof=1) / np.sqrt(len(a))),
            "1.96 is for very many runs. With a handful, Student's t is wider.",
        ),
        Misconception(
            "b − a",
            lambda a, b, t: _paired(b, a, t),
            "The difference is turned round: a − b is asked.",
        ),
        Misconception(
            "variance for deviation",
            lambda a, b, t: _interval(a - b, t * (a - b).var(ddof=1) / np.sqrt(len(a))),
            "That is the variance. The interval is as wide as its root, the standard deviation.",
        ),
    ),
)

EXERCISES = [_STAGE, _STORED, _LOCAL, _INTERVAL]
