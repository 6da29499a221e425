"""The exercises of lesson 09: what the decoder reads and writes, losses of batches, states, a beam, ROUGE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(9)
_START, _END = 2, 3

# ---------------------------------------------------------------------- 09.1


def _padded(rows: Sequence[Sequence[int]], front: bool = False) -> np.ndarray:
    """The rows as ``(N, T)``, T the longest, with 0 behind them or in front."""
    T = max(map(len, rows))
    return np.array([[0] * (T - len(row)) + [*row] if front else [*row] + [0] * (T - len(row)) for row in rows])


def _read(texts: Sequence[Sequence[int]], start: int = _START) -> np.ndarray:
    return _padded([[start, *text] for text in texts])


def _written(texts: Sequence[Sequence[int]]) -> np.ndarray:
    return _padded([[*text, _END] for text in texts])


def _moved_on(rows: np.ndarray) -> np.ndarray:
    """By one place: the start in front, the last column cut off."""
    return np.pad(rows, ((0, 0), (1, 0)), constant_values=_START)[:, :-1]


_TEACHER_FORCING = Exercise(
    id="09.1",
    title="What the decoder reads and writes",
    reference=lambda texts: (_read(texts), _written(texts)),
    cases=(([[4, 5], [6]],), ([[7, 8, 9], [5], [6, 4]],), ([[9, 8]],)),
    misconceptions=(
        Misconception(
            "not shifted",
            lambda texts: (_written(texts), _written(texts)),
            "The decoder would read the very token that it is to write: it learns to repeat its input, its loss falls "
            "to nearly 0, and alone it can write nothing. What does it know when it writes the first token?",
        ),
        Misconception(
            "shifted the other way",
            lambda texts: (np.pad(_written(texts), ((0, 0), (0, 1)))[:, 1:], _written(texts)),
            "Now it reads the token *after* the one that it is to write. It may know the past only.",
        ),
        Misconception(
            "last token first",
            lambda texts: (np.roll(_written(texts), 1, axis=1), _written(texts)),
            "np.roll puts the last column, an end or padding, in the first place. Before the first token stands the "
            "start.",
        ),
        Misconception(
            "end instead of start",
            lambda texts: (_read(texts, _END), _written(texts)),
            "The shift is right; the first input is the start token, 2. The end, 3, is only ever written.",
        ),
        Misconception(
            "padding instead of start",
            lambda texts: (_read(texts, 0), _written(texts)),
            "The shift is right, but 0 is padding, which is masked: the first step would not count.",
        ),
        Misconception(
            "end read",
            lambda texts: (_moved_on(_written(texts)), _written(texts)),
            "Where a text is shorter than the longest, you read its end. A place where a token is read counts, and "
            "the network would learn to write padding there. Nothing is read after the end: there stands padding.",
        ),
        Misconception(
            "no end",
            lambda texts: (_moved_on(_padded(texts)), _padded(texts)),
            "No end is written: nobody would know when to stop. With it, T is the longest text and one more.",
        ),
        Misconception(
            "end behind the padding",
            lambda texts: (_read(texts), np.pad(_padded(texts), ((0, 0), (0, 1)), constant_values=_END)),
            "Your end comes after the padding. It belongs directly behind the last token of each text.",
        ),
        Misconception(
            "padding in front",
            lambda texts: (
                _padded([[_START, *text] for text in texts], front=True),
                _padded([[*text, _END] for text in texts], front=True),
            ),
            "Pad behind the tokens: the first place of every text is the one where the start is read.",
        ),
        Misconception(
            "exchanged",
            lambda texts: (_written(texts), _read(texts)),
            "The right arrays, the wrong way round: first what is read, then what is written.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.2

_Batches = Sequence[tuple[np.ndarray, np.ndarray]]  # p (N, T) and targets (N, T) of each


def _real(batches: _Batches) -> np.ndarray:
    """The probabilities of all real tokens."""
    return np.concatenate([p[targets != 0] for p, targets in batches])


def _loss(batches: _Batches) -> float:
    return -np.log(_real(batches)).mean()


def _weighted(batches: _Batches, weight: Callable[[np.ndarray], float]) -> float:
    """The mean of the batches' losses, each as often as ``weight`` of its targets says."""
    losses, weights = zip(*((_loss([(p, targets)]), weight(targets)) for p, targets in batches))
    return np.average(losses, weights=weights)


def _total(batches: _Batches) -> float:
    return -np.log(_real(batches)).sum()


_BATCH_1 = _rng.uniform(0.1, 0.9, (3, 5)), np.array([[4, 5, 6, 7, _END], [4, _END, 0, 0, 0], [6, 5, _END, 0, 0]])
_BATCH_2 = _rng.uniform(0.1, 0.9, (2, 3)), np.array([[4, _END, 0], [_END, 0, 0]])
_BATCH_3 = _rng.uniform(0.1, 0.9, (1, 4)), np.array([[5, 7, 6, _END]])

_BATCHES = Exercise(
    id="09.2",
    title="Find the bug: one loss for many batches",
    reference=_loss,
    cases=(([_BATCH_1, _BATCH_2],), ([_BATCH_2, _BATCH_3, _BATCH_1],)),
    misconceptions=(
        Misconception(
            "batches count alike",
            lambda batches: _weighted(batches, lambda targets: 1),
            "That still has the bug: a token of a batch with few real tokens counts more than one of a full batch. "
            "How many tokens does each mean stand for?",
        ),
        Misconception(
            "padding counted",
            lambda batches: -np.log(np.concatenate([p.ravel() for p, _ in batches])).mean(),
            "Now padding is in the mean. Writing padding is easy, and nobody asked for it.",
        ),
        Misconception(
            "weighted by the texts",
            lambda batches: _weighted(batches, len),
            "You weigh each batch by its number of texts. They are of different lengths; what is counted are tokens.",
        ),
        Misconception(
            "divided by all places",
            lambda batches: _total(batches) / sum(targets.size for _, targets in batches),
            "Padding adds nothing to your sum, but you divide by the number of *all* places. Then a text in a batch of "
            "long ones has a smaller loss than the same text in a batch of short ones.",
        ),
        Misconception(
            "texts count alike",
            lambda batches: np.mean([_loss([row]) for batch in batches for row in zip(*batch)]),
            "You take the mean of each text and then the mean of those: a token of a short text counts more than one "
            "of a long text. That is another loss; asked for is the mean over all real tokens.",
        ),
        Misconception("not divided", _total, "That is the sum. Divide it by the number of real tokens."),
        Misconception(
            "end left out",
            lambda batches: -np.log(np.concatenate([p[targets > _END] for p, targets in batches])).mean(),
            "You leave out the end token, too. It has to be learned: otherwise nobody knows when to stop.",
        ),
        Misconception(
            "mean of the probabilities",
            lambda batches: -np.log(_real(batches).mean()),
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


_STATES = Exercise(
    id="09.3",
    title="Find the bug: a decoder without memory",
    reference=_write,
    cases=tuple((_machine(seed), np.random.default_rng(seed).standard_normal(4), _START, 6) for seed in (1, 4, 9)),
    misconceptions=(
        Misconception(
            "state not carried on",
            lambda step, state, start, T: _write(lambda token, _: step(token, state), state, start, T),
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
            lambda step, state, start, T: _write(lambda _, state: step(start, state), state, start, T),
            "Every step reads the start token. It must read the token that was written last.",
        ),
        Misconception(
            "start written",
            lambda step, state, start, T: np.concatenate([[start], _write(step, state, start, T - 1)]),
            "The start token is read, not written: the first of the T tokens is the first answer of step.",
        ),
    ),
)

# ---------------------------------------------------------------------- 09.4

_Beam = tuple[np.ndarray, np.ndarray]  # the B best sequences (B, t) and their log-probabilities (B,)


def _best(scores: np.ndarray, B: int) -> tuple[np.ndarray, np.ndarray]:
    """The B largest of ``scores (B, V)``, the largest first: their beginnings ``(B,)`` and tokens ``(B,)``."""
    return np.unravel_index(np.argsort(-scores, axis=None, kind="stable")[:B], scores.shape)


def _continued(sequences: np.ndarray, scores: np.ndarray, ranks: np.ndarray | None = None) -> _Beam:
    """Those with the largest of ``ranks (B, V)``, of ``scores`` if None, and their scores."""
    beginning, token = _best(scores if ranks is None else ranks, len(scores))
    return np.column_stack([sequences[beginning], token]), scores[beginning, token]


def _scores(total: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    return total[:, np.newaxis] + log_p


def _extend(sequences: np.ndarray, total: np.ndarray, log_p: np.ndarray) -> _Beam:
    return _continued(sequences, _scores(total, log_p))


def _one_each(sequences: np.ndarray, total: np.ndarray, log_p: np.ndarray) -> _Beam:
    scores = total + log_p.max(axis=1)
    order = np.argsort(-scores, kind="stable")
    return np.column_stack([sequences, log_p.argmax(axis=1)])[order], scores[order]


def _not_followed(sequences: np.ndarray, total: np.ndarray, log_p: np.ndarray) -> _Beam:
    extended, totals = _extend(sequences, total, log_p)
    return np.column_stack([sequences, extended[:, -1]]), totals


def _not_added_up(sequences: np.ndarray, total: np.ndarray, log_p: np.ndarray) -> _Beam:
    beginning, _ = _best(_scores(total, log_p), len(total))
    return _extend(sequences, total, log_p)[0], total[beginning]


_LOG_P = np.log(_rng.dirichlet(np.ones(5), (2, 3)))
_TOTAL = np.array([[-1.0, -1.6, -4.0], [-3.0, -0.5, -2.5]])
_SEQUENCES = np.array([[4, 2], [4, 3], [1, 4]])

_BEAM = Exercise(
    id="09.4",
    title="One step of beam search",
    reference=_extend,
    # No ties, not even among the worst: there it would depend on the way of sorting who comes first.
    cases=(
        (np.array([[0], [1]]), np.log([0.6, 0.4]), np.log([[0.35, 0.33, 0.32], [0.9, 0.06, 0.04]])),
        (_SEQUENCES, _TOTAL[0], _LOG_P[0]),
        (_SEQUENCES[::-1], _TOTAL[1], _LOG_P[1]),
        (np.array([[0, 1], [2, 0]]), np.array([-0.2, -5.0]), np.log([[0.5, 0.3, 0.2], [0.12, 0.08, 0.8]])),
        (np.array([[1, 1], [0, 1]]), np.array([-6.0, -2.0]), np.log([[0.9, 0.1], [0.49, 0.51]])),
    ),
    misconceptions=(
        Misconception(
            "best of each beginning",
            _one_each,
            "You let every beginning keep its best continuation. A good beginning may keep two, and a bad one none: "
            "all B · V continuations compete.",
        ),
        Misconception(
            "beginnings not followed",
            _not_followed,
            "The right tokens, behind the wrong beginnings: row k of the new sequences need not go on from row k of "
            "the old ones. From which beginning does each of the best come?",
        ),
        Misconception(
            "totals not added up",
            _not_added_up,
            "The right sequences, but their totals are those of the beginnings: the new token's logarithm is missing.",
        ),
        Misconception(
            "totals forgotten",
            lambda sequences, total, log_p: _continued(sequences, log_p),
            "You compare the last step only. What counts is the probability of the *whole* sequence so far.",
        ),
        Misconception(
            "logarithms multiplied",
            lambda sequences, total, log_p: _continued(sequences, total[:, np.newaxis] * log_p),
            "Probabilities are multiplied, so their logarithms are added.",
        ),
        Misconception(
            "worst kept",
            lambda sequences, total, log_p: _continued(sequences, _scores(total, log_p), -_scores(total, log_p)),
            "Those are the least probable ones: argsort puts the smallest first.",
        ),
        Misconception(
            "worst first",
            lambda *beam: tuple(part[::-1] for part in _extend(*beam)),
            "The right ones, but the most probable should come first.",
        ),
        Misconception(
            "only the best beginning",
            lambda sequences, total, log_p: _extend(sequences, np.where(total == max(total), total, -np.inf), log_p),
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
            lambda s, r: _rouge1(" ".join({*s.split()}), " ".join({*r.split()})),
            "You compare sets. A word that is twice on both sides is in common twice.",
        ),
        Misconception(
            "repetitions rewarded",
            lambda s, r: 2 * sum(word in r.split() for word in s.split()) / sum(_counts(s, r)[1:]),
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

EXERCISES = [_TEACHER_FORCING, _BATCHES, _STATES, _BEAM, _ROUGE]
