"""From texts to token ids and back, for words and for characters, with words copied that nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from nltk.tokenize.treebank import TreebankWordDetokenizer
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from toolkit.errors import ShapeError
from toolkit.text import TextPreprocessor
from toolkit.text._cleaning import clean

PADDING, UNKNOWN, START, END = range(4)
_SPECIAL = ("", "[UNK]", "[START]", "[END]")
_OWN = 2  # ids that a TextPreprocessor has for the same purpose: padding and unknown


class Encoded(NamedTuple):
    """Texts as ids.

    Attributes:
        ids: ``(N, S)`` int32, padded at the end.
        unknown: of each text the unknown words that have ids of their own, V, V + 1, …, at most K.
    """

    ids: np.ndarray
    unknown: list[list[str]]


class Vocabulary:
    """The tokens of texts and summaries, by id: padding, unknown, start, end, then words by their frequency, or
    characters by their code points.

    Control characters are left out and *é* is one character, however it was typed, as in ``TextPreprocessor``.

    Args:
        level: "words" takes NLTK's word tokens, "characters" single characters.
        tokens: by id, without the four special ones.
        preprocessor: fitted, for words.
    """

    def __init__(
        self, level: Literal["words", "characters"], tokens: Sequence[str], preprocessor: TextPreprocessor | None
    ) -> None:
        self.level, self.tokens = level, (*_SPECIAL, *tokens)
        self._ids = {token: k for k, token in enumerate(self.tokens) if k >= len(_SPECIAL)}
        self._preprocessor = preprocessor

    @classmethod
    def learned(
        cls, texts: Sequence[str], level: Literal["words", "characters"], max_tokens: int, lower: bool
    ) -> Vocabulary:
        """The most frequent tokens of ``texts``, at most ``max_tokens`` with the special ones."""
        if level == "characters":
            counts = Counter(character for text in texts for character in clean(text, html=False))
            by_frequency = sorted(counts, key=lambda character: (-counts[character], character))
            return cls(level, sorted(by_frequency[: max_tokens - len(_SPECIAL)]), None)
        # Neither stop words nor endings may go: they will have to be written.
        preprocessor = TextPreprocessor(
            max_tokens - len(_SPECIAL) + _OWN, lower=lower, stop_words=None, stemmer=None, html=False, sequence_length=1
        ).fit(texts)
        return cls(level, preprocessor.vocabulary_[_OWN:], preprocessor)

    def __len__(self) -> int:
        return len(self.tokens)

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return list(clean(text, html=False)) if self._preprocessor is None else self._preprocessor.tokens(text)

    def join(self, tokens: Sequence[str]) -> str:
        """The text of some tokens."""
        return "".join(tokens) if self._preprocessor is None else TreebankWordDetokenizer().detokenize(tokens)

    def encode(self, texts: Sequence[str], length: int, copied: int = 0) -> Encoded:
        """The first ``length`` tokens of each text; up to ``copied`` unknown ones of each get ids from V on."""
        rows, unknown = [], []
        for text in texts:
            places: dict[str, int] = {}
            rows.append([self._id(token, places, copied) for token in self.split(text)[:length]])
            unknown.append(list(places))
        return Encoded(padded(rows, length), unknown)

    def encode_targets(self, texts: Sequence[str], length: int, unknown: Sequence[Sequence[str]]) -> np.ndarray:
        """The first ``length − 1`` tokens of each summary and the end, ``(N, length)``; unknown words of the source are
        those of ``unknown``, by their ids from V on.
        """
        rows = []
        for text, words in zip(texts, unknown, strict=True):
            places = {word: len(self) + k for k, word in enumerate(words)}
            tokens = self.split(text)[: length - 1]
            rows.append([*(self._ids.get(token, places.get(token, UNKNOWN)) for token in tokens), END])
        return padded(rows, length)

    def decode(self, ids: Sequence[int], unknown: Sequence[str] = ()) -> list[str]:
        """The tokens of ids, up to the end token."""
        words: list[str] = []
        for k in ids:
            if k in (END, PADDING):
                break
            place = k - len(self)
            words.append(self.tokens[k] if place < 0 else unknown[place] if place < len(unknown) else _SPECIAL[UNKNOWN])
        return words

    def _id(self, token: str, places: dict[str, int], copied: int) -> int:
        known = self._ids.get(token)
        if known is not None:
            return known
        if token not in places and len(places) < copied:
            places[token] = len(self) + len(places)
        return places.get(token, UNKNOWN)

    # ------------------------------------------------------------------ JSON

    def to_json(self) -> dict[str, object]:
        """What ``from_json`` takes."""
        if self._preprocessor is not None:
            return {"level": self.level, "preprocessor": self._preprocessor.to_json()}
        return {"level": self.level, "characters": list(self.tokens[len(_SPECIAL) :])}

    @classmethod
    def from_json(cls, state: object) -> Vocabulary:
        """The vocabulary that ``to_json`` described.

        Raises:
            ValueError: it is not one.
            DataError: its preprocessor is not one.
        """
        saved = _Saved.model_validate(state)
        if saved.level == "words":
            preprocessor = TextPreprocessor.from_json(saved.preprocessor or "")
            return cls("words", preprocessor.vocabulary_[_OWN:], preprocessor)
        characters = saved.characters or []
        if len(set(characters)) != len(characters) or any(len(c) != 1 for c in characters):
            raise ValueError("characters that are not single, or not all different")
        return cls("characters", characters, None)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    level: Literal["words", "characters"]
    preprocessor: str | None = None
    characters: list[str] | None = None


def padded(rows: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Rows of ids as ``(N, length)`` int32 with padding at the end."""
    array = np.full((len(rows), length), PADDING, np.int32)
    for row, ids in zip(array, rows):
        row[: len(ids)] = ids
    return array


def shifted(targets: ArrayLike) -> np.ndarray:
    """What the decoder reads while it learns to write ``targets (N, T)``: the start token, then all but the last.

    Raises:
        ShapeError: the targets are not ``(N, T)``.
    """
    targets = np.asarray(targets)
    if targets.ndim != 2:
        raise ShapeError("shifted", "targets (N, T)", f"shape {targets.shape}")
    inputs = np.full_like(targets, START)
    inputs[:, 1:] = targets[:, :-1]
    inputs[:, 1:][targets[:, :-1] == END] = PADDING  # nothing follows the end
    return inputs
