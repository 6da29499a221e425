"""The exercises of lesson 10: a stage's gradient, frozen outputs, a local loss, and the interval of a difference."""

from __future__ import annotations

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
    # All square: there a missing transpose gives a number instead of an exception.
    cases=(tuple(_normal(3, 3) for _ in range(4)), tuple(_normal(4, 4) for _ in range(4))),
    misconceptions=(
        Misconception(
            "summed over the batch",
            lambda h, W, U, y: h.T @ ((h @ W @ U - y) @ U.T),
            "Your dW is summed over the batch. The loss has 1/N in front.",
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


def _stored(
    x: np.ndarray,
    W: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    moving_mean: np.ndarray,
    moving_variance: np.ndarray,
) -> np.ndarray:
    return np.maximum(0, gamma * (x @ W - moving_mean) / np.sqrt(moving_variance + 1e-3) + beta)


def _block(n: int, d: int, m: int) -> tuple[np.ndarray, ...]:
    return _normal(n, d), _normal(d, m), _normal(m), _normal(m), _normal(m), np.exp(_normal(m))


def _by_the_batch(x: np.ndarray, W: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    z = x @ W
    return np.maximum(0, gamma * (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-3) + beta)


_FROZEN = Exercise(
    id="10.2",
    title="Find the bug: frozen, but not quite",
    reference=_stored,
    cases=(_block(5, 4, 3), _block(1, 3, 4)),
    misconceptions=(
        Misconception(
            "still by the batch",
            lambda x, W, gamma, beta, mean, variance: _by_the_batch(x, W, gamma, beta),
            "That still has the bug: mean and variance of the batch at hand. A frozen block uses what it has kept.",
        ),
        Misconception(
            "variance of the batch",
            lambda x, W, gamma, beta, mean, variance: np.maximum(
                0, gamma * (x @ W - mean) / np.sqrt((x @ W).var(axis=0) + 1e-3) + beta
            ),
            "The mean is the kept one now. The variance is still that of the batch.",
        ),
        Misconception(
            "mean of the batch",
            lambda x, W, gamma, beta, mean, variance: np.maximum(
                0, gamma * (x @ W - (x @ W).mean(axis=0)) / np.sqrt(variance + 1e-3) + beta
            ),
            "The variance is the kept one now. The mean is still that of the batch.",
        ),
        Misconception(
            "normalisation left out",
            lambda x, W, gamma, beta, mean, variance: np.maximum(0, x @ W),
            "Frozen does not mean skipped: the normalisation stays, with numbers that no longer change.",
        ),
        Misconception(
            "scale and shift left out",
            lambda x, W, gamma, beta, mean, variance: np.maximum(0, (x @ W - mean) / np.sqrt(variance + 1e-3)),
            "γ and β are missing: they were learned, and frozen with the rest.",
        ),
        Misconception(
            "ReLU left out",
            lambda x, W, gamma, beta, mean, variance: gamma * (x @ W - mean) / np.sqrt(variance + 1e-3) + beta,
            "The normalisation is right. The block's ReLU is missing.",
        ),
        Misconception(
            "divided by the variance",
            lambda x, W, gamma, beta, mean, variance: np.maximum(0, gamma * (x @ W - mean) / (variance + 1e-3) + beta),
            "You divide by the variance. The standard deviation is its root.",
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

EXERCISES = [_STAGE, _FROZEN, _LOCAL, _INTERVAL]
