r"""NLTK's word tokeniser with a memory: the same tokens as ``word_tokenize(text, preserve_line=True)``.

NLTK sends the whole text through some forty substitutions. Nearly all of them look no further than one
character past a run of text without white space, so such a piece gives the same tokens wherever it stands, and
need be tokenised only once. What the rules (``NLTKWordTokenizer``) do see beyond a piece is this:

- ``^"``: a double quote that opens the text becomes two backticks.
- ``([ \(\[{<])("|'{2})``: a quote opens after a space, but not after a line break or at the start of the text.
- ``([^'])' ``: an apostrophe is cut off before a space, but not before a line break or at the end of the text.
- ``([^\.])(\.)([\]\)}>"'»”’ ]*)\s*$``: a full stop is cut off where only closing marks follow it in the text.

``pieces`` writes these four into the text: what they do at its two ends is done, and a line break becomes a space
except beside a quote, where it stays part of the piece. Then every piece stands between two spaces. That the tokens
are NLTK's is held by tests, on texts made of the rules' own characters and on whole corpora.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from nltk.tokenize import NLTKWordTokenizer

from toolkit.errors import InvalidValueError

# Where str.split() cuts: the space, the other white space, and four separators that are none to the rules' own \s.
_BREAKS = (
    "\t\n\v\f\r\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
_SEPARATORS = "\x1c\x1d\x1e\x1f"
_BREAK_AWAY_FROM_QUOTES = re.compile(rf"[{_BREAKS}](?<!'[{_BREAKS}])(?![\"'])")
_CLOSING_MARKS = "])}>\"'»”’"
# The only runs of letters and digits that a rule cuts (CONTRACTIONS2); all others are one token.
_CUT_WORDS = frozenset(("cannot", "gimme", "gonna", "gotta", "lemme", "wanna"))
# Stands between pieces that are tokenised in one go: a character for private use, which no rule knows.
_MARK = "\U000f0b1e"

_CHARACTERS_IN_PASS = 1 << 17
_MOST_CHARACTERS_KEPT = 1 << 23
_CHARACTERS_OF_AN_ENTRY = 32  # what remembering a piece takes besides the piece

_rules = NLTKWordTokenizer()


def word_tokenize(text: str) -> list[str]:
    """NLTK's tokens of ``text``, as ``nltk.word_tokenize(text, preserve_line=True)`` gives them.

    Raises:
        InvalidValueError: if one of the rules takes longer than the 5 s that NLTK allows it.
    """
    try:
        return _rules.tokenize(text)
    except TimeoutError as error:
        longest = max(text.split(_MARK), key=len).strip()
        raise InvalidValueError(
            "word_tokenize",
            "a text that each of NLTK's rules passes through in 5 s",
            f"{len(longest):,} characters without white space to cut them at, {longest[:20]!r} …",
            "Is it text? Otherwise put spaces between its words.",
        ) from error


def pieces(text: str) -> list[str]:
    """Cut a text into pieces that have the same tokens wherever they stand between two spaces; see above."""
    if _stays_whole(text):
        return [text]
    body = text.rstrip(_BREAKS + " " + _CLOSING_MARKS)
    closing = text[len(body) :].rstrip(_BREAKS + " ")
    if body.endswith(".") and body[-2:-1] not in ("", ".") and _no_quote_opens_in(closing):
        # The line break keeps a quote that comes first from opening.
        text = f"{body[:-1]} .\n{closing} "
    elif text.endswith("'"):
        text += "\n"
    if text.startswith('"'):
        text = "``" + text[1:]
    elif text.startswith("''"):
        text = "\n" + text
    return _BREAK_AWAY_FROM_QUOTES.sub(" ", text).split(" ")


def _stays_whole(text: str) -> bool:
    return _MARK in text or any(separator in text for separator in _SEPARATORS)


def _no_quote_opens_in(closing: str) -> bool:
    return not (' "' in closing or " ''" in closing or any(mark in _BREAKS for mark in closing))


class Treebank:
    """Tokenises many texts, and each piece of them once.

    Time and memory are linear in the characters of the texts; what is remembered between calls is bounded.

    Args:
        finish: what is made of the tokens of each piece; called once for a piece and remembered.
    """

    def __init__(self, finish: Callable[[Sequence[str]], Sequence[str]] = tuple) -> None:
        self._finish = finish
        self._memory: dict[str, Sequence[str]] = {}
        self._characters = 0

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The finished tokens of each text."""
        if self._characters > _MOST_CHARACTERS_KEPT:
            # A new one, as another thread may be reading the old one.
            self._memory, self._characters = {}, 0
        memory = self._memory
        rows = [pieces(text) for text in texts]
        new = set().union(*rows).difference(memory)
        for piece, tokens in self._tokenize(new):
            memory[piece] = self._finish(tokens)
            self._characters += len(piece) + _CHARACTERS_OF_AN_ENTRY
        return [list(chain.from_iterable(map(memory.__getitem__, row))) for row in rows]

    @staticmethod
    def _tokenize(new: set[str]) -> Iterator[tuple[str, Sequence[str]]]:
        """Each new piece with its tokens: one pass of the rules over many pieces together."""
        plain = {piece for piece in new if piece.isascii() and piece.isalnum() and piece.lower() not in _CUT_WORDS}
        yield from ((piece, (piece,)) for piece in plain)
        whole = {piece for piece in new if _stays_whole(piece)}
        yield from ((text, word_tokenize(text)) for text in whole)
        for together in _batches(new - plain - whole):
            tokens = word_tokenize(f" {_MARK} ".join(["", *together, ""]))
            marks = [position for position, token in enumerate(tokens) if token == _MARK]
            for piece, start, end in zip(together, marks, marks[1:]):
                yield piece, tokens[start + 1 : end]


def _batches(new: set[str]) -> Iterator[list[str]]:
    batch, characters = [], 0
    for piece in new:
        batch.append(piece)
        characters += len(piece)
        if characters >= _CHARACTERS_IN_PASS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
