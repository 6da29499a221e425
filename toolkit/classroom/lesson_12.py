"""The exercises of lesson 12: mending, contrast, the best discriminator, the generator's gradient, and three bugs."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(12)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


def _sigmoid(s: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-s))


# ---------------------------------------------------------------------- 12.1


def _mending(x: np.ndarray, m: np.ndarray, W: np.ndarray) -> float:
    return ((x - (m * x) @ W) ** 2).mean()


_TARGET = Exercise(
    id="12.1",
    title="Find the bug: what is to be mended",
    reference=_mending,
    cases=(
        (_normal(3, 4), np.array([[1.0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 0, 1]]), _normal(4, 4)),
        (_normal(2, 5), np.array([[0.0, 1, 1, 0, 1], [1, 0, 1, 1, 0]]), _normal(5, 5)),
    ),
    misconceptions=(
        Misconception(
            "spoiled target",
            lambda x, m, W: ((m * x - (m * x) @ W) ** 2).mean(),
            "That still has the bug: the target is spoiled too, so giving back the input, W = I, has the loss 0. What "
            "should come out?",
        ),
        Misconception(
            "clean input",
            lambda x, m, W: ((x - x @ W) ** 2).mean(),
            "The target is right, but the network sees the clean x: nothing is left to mend.",
        ),
        Misconception(
            "input and target swapped",
            lambda x, m, W: ((m * x - x @ W) ** 2).mean(),
            "Input and target have changed places: your network learns to spoil.",
        ),
        Misconception(
            "masked places only",
            lambda x, m, W: ((1 - m) * (x - (m * x) @ W) ** 2).mean(),
            "You compare only what was masked. That is another method; here every value counts.",
        ),
        Misconception(
            "visible places only",
            lambda x, m, W: (m * (x - (m * x) @ W) ** 2).mean(),
            "You leave out just the places that were masked, where something is to be learned.",
        ),
        Misconception(
            "output masked",
            lambda x, m, W: ((x - m * (x @ W)) ** 2).mean(),
            "You spoil the output. What is spoiled is the input, before W.",
        ),
        Misconception(
            "summed instead of averaged",
            lambda x, m, W: ((x - (m * x) @ W) ** 2).sum(),
            "The sum is right, the mean over all values is missing.",
        ),
        Misconception(
            "averaged over the rows only",
            lambda x, m, W: ((x - (m * x) @ W) ** 2).sum(axis=1).mean(),
            "You average over the samples and add over the values; the mean is over both.",
        ),
    ),
)

# ---------------------------------------------------------------------- 12.2


def _similarities(z: np.ndarray, tau: float) -> np.ndarray:
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    return u @ u.T / tau


def _picked(S: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """``−ln softmax(S)`` at each row's partner."""
    return np.log(np.exp(S).sum(axis=1)) - S[np.arange(len(S)), partner]


def _partner(z: np.ndarray) -> np.ndarray:
    return np.roll(np.arange(len(z)), len(z) // 2)


def _without_itself(S: np.ndarray, value: float = -np.inf) -> np.ndarray:
    return np.where(np.eye(len(S), dtype=bool), value, S)


def _nt_xent(z: np.ndarray, tau: float) -> float:
    return _picked(_without_itself(_similarities(z, tau)), _partner(z)).mean()


def _negatives_only(z: np.ndarray, tau: float) -> float:
    """The partner is left out of the denominator."""
    S = _without_itself(_similarities(z, tau))
    rows, partner = np.arange(len(S)), _partner(z)
    others = S.copy()
    others[rows, partner] = -np.inf
    return (np.log(np.exp(others).sum(axis=1)) - S[rows, partner]).mean()


_CONTRAST = Exercise(
    id="12.2",
    title="Find the bug: who wins against itself?",
    reference=_nt_xent,
    cases=((_normal(6, 3), 0.5), (_normal(8, 2), 1.5)),
    misconceptions=(
        Misconception(
            "itself not left out",
            lambda z, tau: _picked(_similarities(z, tau), _partner(z)).mean(),
            "That still has the bug: each row is compared with itself as well, and is as similar to itself as can be. "
            "Which similarity gives e^s = 0?",
        ),
        Misconception(
            "similarity 0 for −∞",
            lambda z, tau: _picked(_without_itself(_similarities(z, tau), 0.0), _partner(z)).mean(),
            "You set the similarity with itself to 0, and exp(0) is 1: it still counts in the sum.",
        ),
        Misconception(
            "not normalised",
            lambda z, tau: _picked(_without_itself(z @ z.T / tau), _partner(z)).mean(),
            "The rows are not normalised: a long z wins by its length. Divide each by its norm first.",
        ),
        Misconception(
            "multiplied by τ",
            lambda z, tau: _picked(_without_itself(_similarities(z, 1 / tau)), _partner(z)).mean(),
            "You multiply by τ. A smaller temperature has to make the differences larger.",
        ),
        Misconception(
            "τ missing",
            lambda z, tau: _picked(_without_itself(_similarities(z, 1.0)), _partner(z)).mean(),
            "The temperature is missing.",
        ),
        Misconception(
            "neighbour as partner",
            lambda z, tau: _picked(_without_itself(_similarities(z, tau)), np.arange(len(z)) ^ 1).mean(),
            "You take rows 0 and 1 for partners, 2 and 3, and so on. The second views follow behind all first views: "
            "the partner of row i is row i + N.",
        ),
        Misconception(
            "first views only",
            lambda z, tau: _picked(_without_itself(_similarities(z, tau)), _partner(z))[: len(z) // 2].mean(),
            "Only the first views ask. All 2N rows do, each for its partner.",
        ),
        Misconception(
            "partner not among the answers",
            _negatives_only,
            "The denominator leaves out the partner as well. It is one of the 2N − 1 answers of the softmax.",
        ),
        Misconception(
            "summed instead of averaged",
            lambda z, tau: len(z) * _nt_xent(z, tau),
            "The mean over the 2N rows is missing.",
        ),
        Misconception(
            "averaged over N",
            lambda z, tau: 2 * _nt_xent(z, tau),
            "You divide by N, but 2N rows have asked.",
        ),
        Misconception(
            "minus missing",
            lambda z, tau: -_nt_xent(z, tau),
            "The sign: the loss is minus the mean logarithm.",
        ),
    ),
)

# ---------------------------------------------------------------------- 12.3


def _best(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p / (p + q)


_BEST = Exercise(
    id="12.3",
    title="The best discriminator",
    reference=_best,
    cases=(
        (np.array([0.5, 0.25, 0.25]), np.array([0.125, 0.75, 0.125])),
        (np.array([0.1, 0.6, 0.3]), np.array([0.3, 0.2, 0.5])),
    ),
    misconceptions=(
        Misconception(
            "generator's share",
            lambda p, q: q / (p + q),
            "That is the probability that a sample was generated. D says how likely it is to be real.",
        ),
        Misconception(
            "ratio",
            lambda p, q: p / q,
            "A ratio can be larger than 1. D is a probability: what are *all* samples that lie here?",
        ),
        Misconception(
            "0 or 1",
            lambda p, q: (p > q).astype(float),
            "The best *decision* is 0 or 1. The best D in the cross-entropy says how sure it may be.",
        ),
        Misconception(
            "the data's density",
            lambda p, q: p + 0 * q,
            "That is p itself. How many of the samples that lie here are real depends on q, too.",
        ),
        Misconception(
            "logit",
            lambda p, q: np.log(p / q),
            "That is the logit of D*, what stands before the sigmoid.",
        ),
        Misconception(
            "sigmoid of the difference",
            lambda p, q: _sigmoid(p - q),
            "Set the derivative p/D − q/(1 − D) to 0 and solve for D.",
        ),
        Misconception(
            "square",
            lambda p, q: p**2 / (p**2 + q**2),
            "Set the derivative p/D − q/(1 − D) to 0: no squares arise.",
        ),
    ),
)

# ---------------------------------------------------------------------- 12.4


def _generator_gradient(s: np.ndarray) -> np.ndarray:
    return -(1 - _sigmoid(s)) / len(s)


_GRADIENT = Exercise(
    id="12.4",
    title="What arrives at the generator",
    reference=_generator_gradient,
    cases=((np.array([-4.0, -1.0, 0.5, 3.0]),), (_normal(5),)),
    misconceptions=(
        Misconception(
            "saturating",
            lambda s: -_sigmoid(s) / len(s),
            "That is the gradient of the minimax loss, ln(1 − D). It is nearly 0 where the samples are worst.",
        ),
        Misconception(
            "sign turned",
            lambda s: (1 - _sigmoid(s)) / len(s),
            "The sign: raising s, so that the sample is taken for real, must make the loss smaller.",
        ),
        Misconception(
            "1/M missing",
            lambda s: -(1 - _sigmoid(s)),
            "The loss is a mean over M samples.",
        ),
        Misconception(
            "discriminator's",
            lambda s: _sigmoid(s) / len(s),
            "That is what the discriminator's loss gives for a generated sample: it wants s small.",
        ),
        Misconception(
            "gradient in D",
            lambda s: -1 / (_sigmoid(s) * len(s)),
            "That is −1/D, the gradient in D. The chain rule goes on to s: dD/ds = D(1 − D).",
        ),
        Misconception(
            "derivative of the sigmoid",
            lambda s: -_sigmoid(s) * (1 - _sigmoid(s)) / len(s),
            "That is only the sigmoid's derivative. The logarithm in front of it gives a factor 1/D.",
        ),
        Misconception(
            "the loss itself",
            lambda s: -np.log(_sigmoid(s)) / len(s),
            "Those are the terms of the loss. Its gradient is asked for.",
        ),
    ),
)

# ---------------------------------------------------------------------- 12.5


def _turn(theta: np.ndarray, psi: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The generator's turn: s = ψᵀθ, L = −ln σ(s); θ goes downhill, ψ stays."""
    return theta + rate * (1 - _sigmoid(psi @ theta)) * psi, psi


def _both_move(theta: np.ndarray, psi: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    D = _sigmoid(psi @ theta)
    return theta + rate * (1 - D) * psi, psi + rate * (1 - D) * theta


def _turn_by_steps(theta: np.ndarray, psi: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    D = _sigmoid(psi @ theta)
    return theta + rate * (1 - D) * psi, psi - rate * D * theta


_ONE_TURN = Exercise(
    id="12.5",
    title="Find the bug: a discriminator that helps its opponent",
    reference=_turn,
    cases=((np.array([1.0, -0.5]), np.array([0.5, 2.0]), 0.1), (_normal(3), _normal(3), 0.7)),
    misconceptions=(
        Misconception(
            "both move",
            _both_move,
            "That still has the bug: the gradient of the generator's loss moves ψ, too, so the discriminator learns to "
            "take generated samples for real. It is not its turn.",
        ),
        Misconception(
            "discriminator moves",
            lambda theta, psi, rate: (theta, _both_move(theta, psi, rate)[1]),
            "Now only the discriminator moves, and downhill on the generator's loss. It is θ's turn.",
        ),
        Misconception(
            "discriminator learns as well",
            _turn_by_steps,
            "θ moves rightly. But ψ has had its own turn already; in this one it stays as it is.",
        ),
        Misconception(
            "uphill",
            lambda theta, psi, rate: (theta - rate * (1 - _sigmoid(psi @ theta)) * psi, psi),
            "θ goes uphill: the sample is to look more real afterwards, not less.",
        ),
        Misconception(
            "saturating",
            lambda theta, psi, rate: (theta + rate * _sigmoid(psi @ theta) * psi, psi),
            "That is a step on ln(1 − D). The loss of the exercise is −ln D.",
        ),
        Misconception(
            "nobody moves",
            lambda theta, psi, rate: (theta, psi),
            "Now nobody moves. θ has to.",
        ),
        Misconception(
            "slope missing",
            lambda theta, psi, rate: (theta + rate * psi, psi),
            "The factor 1 − D is missing: the more a sample is taken for real already, the smaller the step.",
        ),
    ),
)

EXERCISES = [_TARGET, _CONTRAST, _BEST, _GRADIENT, _ONE_TURN]
