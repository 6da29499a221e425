"""The steps from a text to its stems: plainly, one text at a time, and fast, for many. Both give the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from toolkit.text._cleaning import clean
from toolkit.text._parameters import Parameters
from toolkit.text._resources import Resources, find_resources
from toolkit.text._stemming import stemmer
from toolkit.text._treebank import Treebank, word_tokenize

_MOST_STEMS_KEPT = 1 << 18
_LONGEST_TOKEN_KEPT = 64
_SHOWN_ITEMS = 12
_SHOWN_CHARACTERS = 88


@dataclass(frozen=True, repr=False)
class Stages:
    """What each step makes of one text; printed, a line for each.

    Attributes:
        text: the text as given.
        cleaned: without HTML and invisible characters, in Unicode's normal form C.
        tokens: NLTK's word tokens.
        lowered: the tokens in lower case.
        without_stop_words: those that are not in the list of stop words.
        stems: their stems; these are counted and numbered.
        ids: the stems' numbers, before truncation and padding; None before ``fit``.
    """

    text: str
    cleaned: str
    tokens: tuple[str, ...]
    lowered: tuple[str, ...]
    without_stop_words: tuple[str, ...]
    stems: tuple[str, ...]
    ids: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        return "\n".join(
            f"{field.name.replace('_', ' '):<19} {_shown(getattr(self, field.name))}" for field in fields(self)
        )


def _shown(stage: str | tuple | None) -> str:
    if stage is None:
        return "(no vocabulary before fit)"
    if isinstance(stage, str):
        return repr(stage if len(stage) <= _SHOWN_CHARACTERS else f"{stage[:_SHOWN_CHARACTERS]}…")
    items = [str(item) for item in stage[:_SHOWN_ITEMS]]
    items = [item if len(item) <= _SHOWN_CHARACTERS else f"{item[:_SHOWN_CHARACTERS]}…" for item in items]
    more = len(stage) - len(items)
    return " · ".join(items) + (f" … and {more:,} more" if more else "")


@dataclass(frozen=True)
class Recipe:
    """All that decides which stems a text has. Hashable, and small enough to be sent to another process."""

    html: bool
    lower: bool
    stemmer: str | None
    resources: Resources

    @classmethod
    def of(cls, parameters: Parameters) -> Recipe:
        """The recipe for the settings; raises DataError if what they need is not there."""
        return cls(parameters.html, parameters.lower, parameters.stemmer, find_resources(parameters))


class Steps:
    """clean → tokenise → lower case → drop stop words → stem, by a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        stop_words, punkt = recipe.resources.stop_words, recipe.resources.punkt
        self._stop_words = frozenset(stop_words.words) if stop_words else frozenset()
        self._sentences: Callable[[str], list[str]] | None = punkt.sentence_tokenizer().tokenize if punkt else None
        self._stem = stemmer(recipe.stemmer, recipe.lower)
        self._treebank = Treebank(self._stems_of)
        self._known: dict[str, str | None] = {}

    def stages(self, text: str) -> Stages:
        """One text, step by step, as the loop that everybody writes does it."""
        cleaned = clean(text, self.recipe.html)
        sentences = self._sentences(cleaned) if self._sentences else [cleaned]
        tokens = [token for sentence in sentences for token in word_tokenize(sentence)]
        lowered = [token.lower() for token in tokens] if self.recipe.lower else tokens
        kept = [token for token in lowered if token.lower() not in self._stop_words]
        stems = [self._stem(token) for token in kept]
        return Stages(text, cleaned, tuple(tokens), tuple(lowered), tuple(kept), tuple(stems))

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The stems of each text: ``stages(text).stems``, with each piece of text and each word looked at once."""
        cleaned = [clean(text, self.recipe.html) for text in texts]
        if not self._sentences:
            return self._treebank(cleaned)
        sentences = [self._sentences(text) for text in cleaned]
        stems = iter(self._treebank([sentence for text in sentences for sentence in text]))
        return [[stem for _ in text for stem in next(stems)] for text in sentences]

    def _stems_of(self, tokens: Sequence[str]) -> tuple[str, ...]:
        stems = map(self._stem_or_none, tokens)
        return tuple(stem for stem in stems if stem is not None)

    def _stem_or_none(self, token: str) -> str | None:
        """The token's stem, None for a stop word; remembered."""
        try:
            return self._known[token]
        except KeyError:
            pass
        word = token.lower() if self.recipe.lower else token
        stem = None if word.lower() in self._stop_words else self._stem(word)
        if len(self._known) >= _MOST_STEMS_KEPT:
            self._known = {}
        if len(token) <= _LONGEST_TOKEN_KEPT:
            self._known[token] = stem
        return stem


@functools.lru_cache(maxsize=4)
def steps_for(recipe: Recipe) -> Steps:
    """The steps by a recipe; those used last are kept in this process with what they remember."""
    return Steps(recipe)
