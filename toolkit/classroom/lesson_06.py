"""The exercises of lesson 06: padding, three bugs of text classifiers, and the gradient of an embedding."""

from __future__ import annotations

from collections import Counter

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(6)

# ---------------------------------------------------------------------- 06.1


def _pad(ids: list[int], length: int) -> list[int]:
    return ids[:length] + [0] * (length - len(ids))


_PAD = Exercise(
    id="06.1",
    title="Pad and cut",
    reference=_pad,
    cases=(([5, 3, 8], 5), ([7, 2, 9, 4, 6], 3), ([4, 4], 2), ([], 3)),
    rtol=0,
    misconceptions=(
        Misconception(
            "nothing cut",
            lambda ids, length: ids + [0] * (length - len(ids)),
            "Short lists are right. A list that is too long keeps its length: what does [0] * n give for a negative n?",
        ),
        Misconception(
            "nothing filled up",
            lambda ids, length: ids[:length],
            "Long lists are right. A short one stays short: fill it up with zeros.",
        ),
        Misconception(
            "cut at the beginning",
            lambda ids, length: ids[-length:] + [0] * (length - len(ids)),
            "You keep the last ids of a long text. Here the end is cut off, and the beginning kept.",
        ),
        Misconception(
            "zeros in front",
            lambda ids, length: [0] * (length - len(ids)) + ids[:length],
            "That is padding in front. Both ways are in use, but asked for is padding at the end.",
        ),
        Misconception(
            "filled with the unknown token",
            lambda ids, length: ids[:length] + [1] * (length - len(ids)),
            "1 is the unknown token, and it would count as a word. Padding is 0.",
        ),
        Misconception(
            "one zero too many",
            lambda ids, length: ids[:length] + [0] * (length - len(ids) + 1),
            "One place too many: how many are missing if len(ids) are there?",
        ),
    ),
)

# ---------------------------------------------------------------------- 06.2

_TEXTS = [["a", "loop", "in", "a", "loop"], ["a", "list"], ["list", "list", "list"]]


def _token_counts(texts: list[list[str]]) -> dict[str, int]:
    return dict(Counter(token for tokens in texts for token in tokens))


def _document_counts(texts: list[list[str]]) -> dict[str, int]:
    return dict(Counter(token for tokens in texts for token in set(tokens)))


_COUNTS = Exercise(
    id="06.2",
    title="Find the bug: a vocabulary that counts the wrong thing",
    reference=_token_counts,
    cases=((_TEXTS,), ([["x", "y"], ["x"], ["y", "y"]],)),
    rtol=0,
    misconceptions=(
        Misconception(
            "documents counted",
            _document_counts,
            "That still has the bug: a set holds each token once, so you count in how many texts it occurs. (That is "
            "useful, too, for TF-IDF. It is another number.)",
        ),
        Misconception(
            "shares for counts",
            lambda texts: {token: count / sum(map(len, texts)) for token, count in _token_counts(texts).items()},
            "Those are shares of all tokens. Asked for is how often each occurs.",
        ),
        Misconception(
            "the last text only",
            lambda texts: dict(Counter(texts[-1])),
            "Only the last text is counted: is a new Counter made for each text?",
        ),
        Misconception(
            "different tokens",
            lambda texts: len(_token_counts(texts)),
            "That is how many different tokens there are, one number. Asked for is a count for each of them.",
        ),
        Misconception(
            "ids for counts",
            lambda texts: {token: index for index, token in enumerate(_token_counts(texts))},
            "You have numbered the tokens. Asked for is how often each occurs.",
        ),
    ),
)

# ---------------------------------------------------------------------- 06.3

_STOP = {"the", "is", "of", "a"}
_TOKENS = ["The", "loss", "is", "THE", "mean", "Of", "a", "Batch", "the", "Loss"]


def _content_words(tokens: list[str], stop: set[str]) -> list[str]:
    return [token.lower() for token in tokens if token.lower() not in stop]


_STOP_WORDS = Exercise(
    id="06.3",
    title="Find the bug: the stop words that stayed",
    reference=_content_words,
    cases=((_TOKENS, _STOP), (["It", "IS", "a", "Net"], {"it", "is"})),
    misconceptions=(
        Misconception(
            "still compared before lower-casing",
            lambda tokens, stop: [token.lower() for token in tokens if token not in stop],
            "That still has the bug: 'The' is not in a list that holds 'the'. What has to come first?",
        ),
        Misconception(
            "not lower-cased",
            lambda tokens, stop: [token for token in tokens if token.lower() not in stop],
            "The right words are left, but in their old spelling: 'Loss' and 'loss' would be two tokens.",
        ),
        Misconception(
            "stop words kept",
            lambda tokens, stop: [token.lower() for token in tokens if token.lower() in stop],
            "You keep the stop words and drop the rest.",
        ),
        Misconception(
            "each word once",
            lambda tokens, stop: list(dict.fromkeys(_content_words(tokens, stop))),
            "Each word is left once only. How often a word occurs, and where, still matters later.",
        ),
        Misconception(
            "sorted",
            lambda tokens, stop: sorted(_content_words(tokens, stop)),
            "The right words, but their order is lost.",
        ),
        Misconception(
            "nothing dropped",
            lambda tokens, stop: [token.lower() for token in tokens],
            "All words are still there, the stop words, too.",
        ),
    ),
)

# ---------------------------------------------------------------------- 06.4


def _text_average(x: np.ndarray, e: np.ndarray) -> np.ndarray:
    m = (x != 0)[..., np.newaxis]
    return (m * e).sum(axis=1) / m.sum(axis=1)


def _padding_average(x: np.ndarray, e: np.ndarray) -> np.ndarray:
    """0/0 for a text without padding."""
    m = (x == 0)[..., np.newaxis]
    with np.errstate(invalid="ignore"):
        return (m * e).sum(axis=1) / m.sum(axis=1)


_X = np.array([[3, 7, 2, 0, 0], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
_E = _rng.standard_normal((3, 5, 4))

_AVERAGE = Exercise(
    id="06.4",
    title="Find the bug: padding that counts",
    reference=_text_average,
    cases=((_X, _E), (np.array([[2, 9, 9], [4, 4, 0]]), _rng.standard_normal((2, 3, 2)))),
    misconceptions=(
        Misconception(
            "padding still counts",
            lambda x, e: e.mean(axis=1),
            "That still has the bug: the vectors at the places of padding are averaged as well.",
        ),
        Misconception(
            "divided by T",
            lambda x, e: ((x != 0)[..., np.newaxis] * e).mean(axis=1),
            "Padding no longer adds anything to the sum. But you still divide by T, the places, not by the tokens.",
        ),
        Misconception(
            "summed",
            lambda x, e: ((x != 0)[..., np.newaxis] * e).sum(axis=1),
            "That is the sum of the vectors. A long text would get larger numbers than a short one.",
        ),
        Misconception(
            "only padding",
            _padding_average,
            "Your mask is turned round: it keeps the padding.",
        ),
        Misconception(
            "weighted by the ids",
            lambda x, e: (x[..., np.newaxis] * e).sum(axis=1) / x.sum(axis=1)[:, None],
            "You multiply with the ids. Token 7 is not seven times as important as token 1: ask only whether it is 0.",
        ),
        Misconception(
            "one average for all texts",
            lambda x, e: e[x != 0].mean(axis=0),
            "The padding is gone, and so are the texts: you averaged all tokens of the batch. Each text keeps its row.",
        ),
        Misconception(
            "averaged over the texts",
            lambda x, e: ((x != 0)[..., np.newaxis] * e).sum(axis=0) / (x != 0).sum(axis=0)[:, None],
            "You average over the batch. The tokens of a text lie along axis 1.",
        ),
    ),
)

# ---------------------------------------------------------------------- 06.5


def _embedding_gradient(x: np.ndarray, de: np.ndarray, V: int) -> np.ndarray:
    dE = np.zeros((V, de.shape[-1]))
    np.add.at(dE, x, de)
    return dE


def _without_repeats(x: np.ndarray, de: np.ndarray, V: int) -> np.ndarray:
    dE = np.zeros((V, de.shape[-1]))
    dE[x] += de
    return dE


def _mean_of_repeats(x: np.ndarray, de: np.ndarray, V: int) -> np.ndarray:
    counts = np.bincount(x.ravel(), minlength=V)[:, None]
    return _embedding_gradient(x, de, V) / np.maximum(counts, 1)


_GRADIENT = Exercise(
    id="06.5",
    title="The gradient of an embedding",
    reference=_embedding_gradient,
    cases=(
        (np.array([[2, 3, 3], [1, 2, 0]]), np.arange(12.0).reshape(2, 3, 2), 5),
        (np.array([[4, 4, 1, 6]]), _rng.standard_normal((1, 4, 3)), 8),
    ),
    misconceptions=(
        Misconception(
            "repeated rows lost",
            _without_repeats,
            "dE[x] += de adds only the last of several equal rows: NumPy reads all rows first, then writes one over "
            "the other. A token that occurs twice must get both; np.add.at does that.",
        ),
        Misconception(
            "mean of repeated rows",
            _mean_of_repeats,
            "You average over the places of a token. A number that is used several times *adds up* what comes back.",
        ),
        Misconception(
            "averaged over the batch",
            lambda x, de, V: _embedding_gradient(x, de, V) / len(x),
            "You divide by N once more. The 1/N of the mean loss is already inside de.",
        ),
        Misconception(
            "used tokens only",
            lambda x, de, V: _embedding_gradient(x, de, V)[np.unique(x)],
            "The rows are right, but those of tokens that were not used are missing. dE has the shape of E, (V, D).",
        ),
        Misconception(
            "summed over all tokens",
            lambda x, de, V: np.tile(de.sum(axis=(0, 1)), (V, 1)),
            "Every row gets the sum over all places. A row gets only what its own token's places send.",
        ),
        Misconception(
            "times the id",
            lambda x, de, V: _embedding_gradient(x, de * x[..., None], V),
            "The id is a name, not a factor: looking a row up multiplies it by 1.",
        ),
    ),
)

EXERCISES = [_PAD, _COUNTS, _STOP_WORDS, _AVERAGE, _GRADIENT]
