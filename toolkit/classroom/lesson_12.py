"""The exercises of lesson 12: mending and contrast, each with a bug, what the game is worth, the generator's turn."""

from __future__ import annotations

from collections.abc import Callable

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


def _value(p: np.ndarray, q: np.ndarray) -> float:
    """V(D*, G)."""
    return _value_against(p / (p + q), p, q)


def _value_against(D: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    return (p * np.log(D) + q * np.log(1 - D)).sum()


_VALUE = Exercise(
    id="12.3",
    title="What the game is worth",
    reference=_value,
    cases=(
        (np.array([0.5, 0.25, 0.25]), np.array([0.125, 0.75, 0.125])),
        (np.array([0.1, 0.4, 0.3, 0.2]), np.array([0.3, 0.1, 0.5, 0.1])),
    ),
    misconceptions=(
        Misconception(
            "generator's share",
            lambda p, q: _value_against(q / (p + q), p, q),
            "Your D is the probability that a sample was generated. D says how likely it is to be real.",
        ),
        Misconception(
            "D outside of 0 to 1",
            lambda p, q: np.nan,
            "NaN is the logarithm of a negative number: your D, or 1 − D, is below 0 somewhere. It is a probability: "
            "what are *all* samples that lie at x?",
        ),
        Misconception(
            "0 or 1",
            lambda p, q: -np.inf,
            "Your D is 0 or 1, and one sample of the other kind makes ln 0 of it. The best *decision* is 0 or 1; the "
            "best D says how sure it may be.",
        ),
        Misconception(
            "always ½",
            lambda p, q: _value_against(np.full_like(p, 0.5), p, q),
            "You take D = ½ everywhere. That is the best D only if q = p.",
        ),
        Misconception(
            "the data's density",
            lambda p, q: _value_against(p, p, q),
            "Your D is p itself. How many of the samples at x are real depends on q, too.",
        ),
        Misconception(
            "sigmoid of the difference",
            lambda p, q: _value_against(_sigmoid(p - q), p, q),
            "Your D is σ(p − q). The logit of D* is a difference, but one of logarithms: ln p − ln q.",
        ),
        Misconception(
            "real samples only",
            lambda p, q: (p * np.log(p / (p + q))).sum(),
            "That is what D says of real samples, 𝔼 ln D. The generated ones play, too.",
        ),
        Misconception(
            "generated samples only",
            lambda p, q: (q * np.log(q / (p + q))).sum(),
            "That is what D says of generated samples, 𝔼 ln(1 − D), the half that G sees. The real ones count as well.",
        ),
        Misconception(
            "ln D in both halves",
            lambda p, q: ((p + q) * np.log(p / (p + q))).sum(),
            "You took ln D for the generated samples, too. D does well there if it is *small*.",
        ),
        Misconception(
            "not weighted",
            lambda p, q: (np.log(p / (p + q)) + np.log(q / (p + q))).sum(),
            "You add up the logarithms as they are. 𝔼 is a mean over samples, and x comes with probability p or q.",
        ),
        Misconception(
            "plain mean",
            lambda p, q: (np.log(p / (p + q)) + np.log(q / (p + q))).mean(),
            "You count each of the K values alike. 𝔼 is a mean over samples: what p makes often counts often.",
        ),
        Misconception(
            "divided by K",
            lambda p, q: _value(p, q) / len(p),
            "The weights p and q add up to 1 already; the division by K is too much.",
        ),
        Misconception(
            "divergence",
            lambda p, q: (_value(p, q) + np.log(4)) / 2,
            "That is the Jensen-Shannon divergence itself. Which value of the game belongs to it?",
        ),
        Misconception(
            "divergence once",
            lambda p, q: (_value(p, q) - np.log(4)) / 2,
            "You have the divergence once. It has a ½ before each of its sums, and V has none.",
        ),
        Misconception(
            "ln 4 missing",
            lambda p, q: _value(p, q) + np.log(4),
            "That is twice the divergence, and is 0 for q = p. What is V if D = ½ everywhere?",
        ),
        Misconception(
            "discriminator's loss",
            lambda p, q: -_value(p, q),
            "That is −V, the loss that the discriminator makes small. V is a mean of logarithms of probabilities.",
        ),
    ),
)

# ---------------------------------------------------------------------- 12.4


def _moved(W: np.ndarray, psi: np.ndarray, z: np.ndarray, rate: float, ds: np.ndarray) -> np.ndarray:
    """The generator's weights after a step along ``ds``, the gradient ``(M,)`` in the logits s = zWψ."""
    return W - rate * z.T @ np.outer(ds, psi)


def _moved_psi(W: np.ndarray, psi: np.ndarray, z: np.ndarray, rate: float, ds: np.ndarray) -> np.ndarray:
    """The discriminator's weights after a step along ``ds``."""
    return psi - rate * (z @ W).T @ ds


def _seen(W: np.ndarray, psi: np.ndarray, z: np.ndarray) -> np.ndarray:
    """D of the generated samples, ``(M,)``."""
    return _sigmoid(z @ W @ psi)


def _non_saturating(W: np.ndarray, psi: np.ndarray, z: np.ndarray) -> np.ndarray:
    return -(1 - _seen(W, psi, z)) / len(z)


def _turn(W: np.ndarray, psi: np.ndarray, z: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The generator's turn on L = −mean ln σ(s): W goes downhill, ψ stays."""
    return _moved(W, psi, z, rate, _non_saturating(W, psi, z)), psi


def _both_move(W: np.ndarray, psi: np.ndarray, z: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    return _turn(W, psi, z, rate)[0], _moved_psi(W, psi, z, rate, _non_saturating(W, psi, z))


def _both_turns(W: np.ndarray, psi: np.ndarray, z: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """ψ moves as well, downhill on its own loss."""
    return _turn(W, psi, z, rate)[0], _moved_psi(W, psi, z, rate, _seen(W, psi, z) / len(z))


def _along(gradient: Callable[[np.ndarray], np.ndarray]) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A turn with another gradient in s than the right one, as a function of D, without the mean over M."""
    return lambda W, psi, z, rate: (_moved(W, psi, z, rate, gradient(_seen(W, psi, z)) / len(z)), psi)


_ONE_TURN = Exercise(
    id="12.4",
    title="The generator's turn",
    reference=_turn,
    cases=((_normal(2, 3), _normal(3), _normal(4, 2), 0.1), (_normal(3, 2), _normal(2), _normal(5, 3), 0.7)),
    misconceptions=(
        Misconception(
            "both move",
            _both_move,
            "W is right. But the gradient of the generator's loss has moved ψ, too: your discriminator learns to take "
            "generated samples for real. It is not its turn.",
        ),
        Misconception(
            "discriminator moves",
            lambda W, psi, z, rate: (W, _both_move(W, psi, z, rate)[1]),
            "Only the discriminator moves, and downhill on the generator's loss. It is the turn of W.",
        ),
        Misconception(
            "discriminator learns as well",
            _both_turns,
            "W is right. But ψ has a turn of its own; in this one it stays as it is.",
        ),
        Misconception(
            "nobody moves",
            lambda W, psi, z, rate: (W, psi),
            "Nobody moves. W has to.",
        ),
        Misconception(
            "uphill",
            _along(lambda D: 1 - D),
            "W goes uphill: the samples are to look more real afterwards, not less.",
        ),
        Misconception(
            "saturating",
            _along(lambda D: -D),
            "That is a step on ln(1 − D), whose gradient is nearly 0 where the samples are worst. The loss is −ln D.",
        ),
        Misconception(
            "gradient in D",
            _along(lambda D: -1 / D),
            "You take −1/D, the gradient in D. The chain rule goes on to s: dD/ds = D(1 − D).",
        ),
        Misconception(
            "derivative of the sigmoid",
            _along(lambda D: -D * (1 - D)),
            "You take only the sigmoid's derivative. The logarithm in front of it gives a factor 1/D.",
        ),
        Misconception(
            "slope missing",
            _along(lambda D: -np.ones_like(D)),
            "The factor 1 − D is missing: the more a sample is taken for real already, the less it moves W.",
        ),
        Misconception(
            "1/M missing",
            lambda W, psi, z, rate: _turn(W, psi, z, rate * len(z)),
            "The loss is a mean over M samples; your step is that of their sum.",
        ),
        Misconception(
            "averaged before the sigmoid",
            lambda W, psi, z, rate: _turn(W, psi, z.mean(axis=0, keepdims=True), rate),
            "You take the mean of the noise first. Each sample has a D of its own; the mean is over their losses.",
        ),
        Misconception(
            "past the discriminator",
            lambda W, psi, z, rate: (_moved(W, np.ones_like(psi), z, rate, _non_saturating(W, psi, z)), psi),
            "The gradient ds reaches W without ψ. It comes through the discriminator: ∂s/∂x̂ = ψ.",
        ),
    ),
)

EXERCISES = [_TARGET, _CONTRAST, _VALUE, _ONE_TURN]
