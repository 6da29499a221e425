"""The exercises of lesson 09: what the decoder reads, what the loss counts, states, a step of beam search, ROUGE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(9)
_START, _END = 2, 3

# ---------------------------------------------------------------------- 09.1


def _decoder_inputs(targets: np.ndarray) -> np.ndarray:
    return np.concatenate([np.full_like(targets[:, :1], _START), targets[:, :-1]], axis=1)


_SHIFT = Exercise(
    id="09.1",
    title="What the decoder reads",
    reference=_decoder_inputs,
    # The last is cut off: it has no end.
    cases=((np.array([[7, 8, 9, _END], [5, 6, 4, _END]]),), (np.array([[4, 5, _END]]),), (np.array([[9, 8, 7]]),)),
    misconceptions=(
        Misconception(
            "not shifted",
            lambda y: y,
            "The decoder would read the very token that it is to write: it learns to repeat its input, its loss falls "
            "to nearly 0, and alone it can write nothing. What does it know when it writes the first token?",
        ),
        Misconception(
            "shifted the other way",
            lambda y: np.concatenate([y[:, 1:], np.zeros_like(y[:, :1])], axis=1),
            "Now it reads the token *after* the one that it is to write. It may know the past only.",
        ),
        Misconception(
            "last token first",
            lambda y: np.roll(y, 1, axis=1),
            "np.roll puts the last token, mostly the end, in the first place. Before the first token stands the start.",
        ),
        Misconception(
            "nothing taken off",
            lambda y: np.concatenate([np.full_like(y[:, :1], _START), y], axis=1),
            "There is one input too many: after the end nothing has to be written.",
        ),
        Misconception(
            "start for the first token",
            lambda y: np.concatenate([np.full_like(y[:, :1], _START), y[:, 1:]], axis=1),
            "You put the start in the place of the first token and left the others where they are: from the second "
            "place on the decoder still reads what it is to write.",
        ),
        Misconception(
            "end instead of start",
            lambda y: np.concatenate([np.full_like(y[:, :1], _END), y[:, :-1]], axis=1),
            "The shift is right; the first input is the start token, 2. The end, 3, is only ever written.",
        ),
        Misconception(
            "padding instead of start",
            lambda y: np.concatenate([np.zeros_like(y[:, :1]), y[:, :-1]], axis=1),
            "The shift is right, but 0 is padding, which is masked: the first step would not count.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.2


def _loss(p: np.ndarray, targets: np.ndarray) -> float:
    return -np.log(p[targets != 0]).mean()


def _log_of_real(p: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.where(targets != 0, np.log(p), 0.0)


_P = _rng.uniform(0.1, 0.9, (3, 5))
_TARGETS = np.array([[4, 5, 6, 7, _END], [4, _END, 0, 0, 0], [6, 5, _END, 0, 0]])

_PADDING = Exercise(
    id="09.2",
    title="Find the bug: a loss that counts nothing",
    reference=_loss,
    cases=((_P, _TARGETS), (np.array([[0.5, 0.25, 0.9]]), np.array([[4, _END, 0]]))),
    misconceptions=(
        Misconception(
            "padding counted",
            lambda p, y: -np.log(p).mean(),
            "That still has the bug: places of padding are in the mean. Writing padding is easy, and nobody asked for "
            "it.",
        ),
        Misconception(
            "divided by all places",
            lambda p, y: -_log_of_real(p, y).mean(),
            "Padding adds nothing to your sum any more, but you still divide by the number of *all* places. Then a "
            "text in a batch of long ones has a smaller loss than the same text in a batch of short ones.",
        ),
        Misconception(
            "mean of means",
            lambda p, y: -(_log_of_real(p, y).sum(axis=1) / (y != 0).sum(axis=1)).mean(),
            "You take the mean of each text and then the mean of those: a token of a short text counts more than one "
            "of a long text. That is another loss; asked for is the mean over all real tokens.",
        ),
        Misconception(
            "not divided",
            lambda p, y: -_log_of_real(p, y).sum(),
            "That is the sum. Divide it by the number of real tokens.",
        ),
        Misconception(
            "divided by the texts",
            lambda p, y: -_log_of_real(p, y).sum() / len(y),
            "You divide by the number of texts; asked for is the mean over real tokens.",
        ),
        Misconception(
            "sign turned",
            lambda p, y: -_loss(p, y),
            "The sign is turned: a logarithm of a probability is negative, a loss is not.",
        ),
        Misconception(
            "end left out",
            lambda p, y: -np.log(p[y > _END]).mean(),
            "You leave out the end token, too. It has to be learned: otherwise nobody knows when to stop.",
        ),
        Misconception(
            "mean of the probabilities",
            lambda p, y: -np.log(p[y != 0].mean()),
            "Logarithm first, then the mean: the logarithm of a product is the sum of the logarithms.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.3


def _machine(seed: int) -> Callable[[int, np.ndarray], tuple[int, np.ndarray]]:
    """A decoder's step with weights drawn from ``seed``: token and state before → token and state after."""
    rng = np.random.default_rng(seed)
    W, U, V = 3 * rng.standard_normal((6, 4)), 2 * rng.standard_normal((4, 4)), rng.standard_normal((4, 6))

    def step(token: int, state: np.ndarray) -> tuple[int, np.ndarray]:
        state = np.tanh(W[token] + state @ U)
        return int((state @ V).argmax()), state

    return step


def _write(step: Callable, state: np.ndarray, start: int, T: int) -> np.ndarray:
    tokens, token = [], start
    for _ in range(T):
        token, state = step(token, state)
        tokens.append(token)
    return np.array(tokens)


def _write_without_states(step: Callable, state: np.ndarray, start: int, T: int) -> np.ndarray:
    tokens, token = [], start
    for _ in range(T):
        token, _ = step(token, state)
        tokens.append(token)
    return np.array(tokens)


def _write_from_start(step: Callable, state: np.ndarray, start: int, T: int) -> np.ndarray:
    tokens = []
    for _ in range(T):
        token, state = step(start, state)
        tokens.append(token)
    return np.array(tokens)


_STATES = Exercise(
    id="09.3",
    title="Find the bug: a decoder without memory",
    reference=_write,
    cases=tuple((_machine(seed), np.random.default_rng(seed).standard_normal(4), _START, 6) for seed in (1, 4, 9)),
    misconceptions=(
        Misconception(
            "state not carried on",
            _write_without_states,
            "That still has the bug: every step begins with the encoder's state. What the step returns besides the "
            "token has to go into the next step.",
        ),
        Misconception(
            "encoder's state not used",
            lambda step, state, start, T: _write(step, np.zeros_like(state), start, T),
            "The states go from step to step, but the first one is zero: the decoder knows nothing of the source.",
        ),
        Misconception(
            "token not fed back",
            _write_from_start,
            "Every step reads the start token. It must read the token that was written last.",
        ),
        Misconception(
            "start written",
            lambda step, state, start, T: np.concatenate([[start], _write(step, state, start, T - 1)]),
            "The start token is read, not written: the first of the T tokens is the first answer of step.",
        ),
        Misconception(
            "one too few",
            lambda step, state, start, T: _write(step, state, start, T - 1),
            "One token is missing: there are T of them.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.4


def _best(scores: np.ndarray, B: int) -> np.ndarray:
    """The B largest of ``scores (B, V)`` as rows (beginning, token), the largest first."""
    order = np.argsort(-scores, axis=None, kind="stable")[:B]
    return np.stack(np.unravel_index(order, scores.shape), axis=1)


def _extend(total: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    return _best(total[:, np.newaxis] + log_p, len(total))


def _one_each(total: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    tokens = log_p.argmax(axis=1)
    pairs = np.stack([np.arange(len(total)), tokens], axis=1)
    return pairs[np.argsort(-(total + log_p.max(axis=1)), kind="stable")]


_LOG_P = np.log(_rng.dirichlet(np.ones(5), (2, 3)))
_TOTAL = np.array([[-1.0, -1.6, -4.0], [-3.0, -0.5, -2.5]])

_BEAM = Exercise(
    id="09.4",
    title="One step of beam search",
    reference=_extend,
    # No ties, not even among the worst: there it would depend on the way of sorting who comes first.
    cases=(
        (np.log([0.6, 0.4]), np.log([[0.35, 0.33, 0.32], [0.9, 0.06, 0.04]])),
        (_TOTAL[0], _LOG_P[0]),
        (_TOTAL[1], _LOG_P[1]),
        (np.array([-0.2, -5.0]), np.log([[0.5, 0.3, 0.2], [0.12, 0.08, 0.8]])),
        (np.array([-6.0, -2.0]), np.log([[0.9, 0.1], [0.49, 0.51]])),
    ),
    misconceptions=(
        Misconception(
            "best of each beginning",
            _one_each,
            "You let every beginning keep its best continuation. A good beginning may keep two, and a bad one none: "
            "all B · V continuations compete.",
        ),
        Misconception(
            "totals forgotten",
            lambda total, log_p: _best(log_p, len(total)),
            "You compare the last step only. What counts is the probability of the *whole* sequence so far.",
        ),
        Misconception(
            "logarithms multiplied",
            lambda total, log_p: _best(total[:, np.newaxis] * log_p, len(total)),
            "Probabilities are multiplied, so their logarithms are added.",
        ),
        Misconception(
            "worst kept",
            lambda total, log_p: _best(-(total[:, np.newaxis] + log_p), len(total)),
            "Those are the least probable ones: argsort puts the smallest first.",
        ),
        Misconception(
            "token first",
            lambda total, log_p: _extend(total, log_p)[:, ::-1],
            "The right pairs, the wrong way round: first the beginning, then the token.",
        ),
        Misconception(
            "worst first",
            lambda total, log_p: _extend(total, log_p)[::-1],
            "The right ones, but the most probable should come first.",
        ),
        Misconception(
            "only the best beginning",
            lambda total, log_p: np.stack(
                [np.full(len(total), total.argmax()), np.argsort(-log_p[total.argmax()])[: len(total)]], axis=1
            ),
            "You continue the best beginning only. Then a beam is no wider than a greedy search.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.5


def _counts(summary: str, reference: str) -> tuple[int, int, int]:
    """Common words, words of the summary, words of the reference."""
    ours, theirs = summary.split(), reference.split()
    return (Counter(ours) & Counter(theirs)).total(), len(ours), len(theirs)


def _rouge1(summary: str, reference: str) -> float:
    common, ours, theirs = _counts(summary, reference)
    return 2 * common / (ours + theirs)


def _rouge1_of_sets(summary: str, reference: str) -> float:
    ours, theirs = set(summary.split()), set(reference.split())
    return 2 * len(ours & theirs) / (len(ours) + len(theirs))


def _rouge1_unclipped(summary: str, reference: str) -> float:
    common = sum(word in reference.split() for word in summary.split())
    return 2 * common / (len(summary.split()) + len(reference.split()))


def _share(summary: str, reference: str, side: int) -> float:
    counts = _counts(summary, reference)
    return counts[0] / counts[side]


_ROUGE = Exercise(
    id="09.5",
    title="ROUGE-1",
    reference=_rouge1,
    cases=(
        ("the cat sat", "the cat lay there"),
        ("the the the the", "the cat and the dog ran"),
        ("a return of the list", "return a list of the numbers in a list"),
    ),
    misconceptions=(
        Misconception(
            "precision only",
            lambda summary, reference: _share(summary, reference, 1),
            "That is the precision. A summary of one right word would have the best one: take the recall in, too.",
        ),
        Misconception(
            "recall only",
            lambda summary, reference: _share(summary, reference, 2),
            "That is the recall. The whole text as its own summary would have the best one: take the precision in, "
            "too.",
        ),
        Misconception(
            "each word once",
            _rouge1_of_sets,
            "You compare sets. A word that is twice on both sides is in common twice.",
        ),
        Misconception(
            "repetitions rewarded",
            _rouge1_unclipped,
            "A word counts as often as it is on *both* sides. In yours, writing *the* four times scores four times.",
        ),
        Misconception(
            "plain mean",
            lambda s, r: (_share(s, r, 1) + _share(s, r, 2)) / 2,
            "F₁ is the harmonic mean of precision and recall, 2PR/(P + R): it is near the smaller of the two.",
        ),
        Misconception(
            "2 forgotten",
            lambda s, r: _rouge1(s, r) / 2,
            "A summary equal to its reference has F₁ = 1. Yours has ½.",
        ),
    ),
)

EXERCISES = [_SHIFT, _PADDING, _STATES, _BEAM, _ROUGE]
