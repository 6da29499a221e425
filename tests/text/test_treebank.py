"""The tokens are NLTK's, however the texts are cut into pieces and whatever has been seen before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk import word_tokenize

from toolkit.errors import InvalidValueError
from toolkit.text import _treebank, clean
from toolkit.text._treebank import _BREAKS, _MARK, _SEPARATORS, Treebank, pieces

# What the rules look for, what str.split() cuts at, and what merely stands between.
_WORDS = "a I 1 3,000 .5 é \u0301 日 _ İ \ufeff \u200b can cannot CanNot gonna wanna gimme more'n d'ye 'tis 'Twas"
_ENDINGS_AND_QUOTES = "n't N'T 's 'S 'll 'LL 're 'VE 'm ' '' ''' ` `` \" \"\" \"\"\" « » “ ” ‘ ’ „"
_PUNCTUATION = ". .. ... , , : ; ! ? * - -- --- ‒ – — ― @ # $ % & ( ) [ ] { } < >"
FRAGMENTS = [
    *f"{_WORDS} {_ENDINGS_AND_QUOTES} {_PUNCTUATION}".split(" "),
    *_BREAKS,
    *_SEPARATORS,
    *("\r\n", " ", " ", "  ", _MARK),
]
texts_of_fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


@settings(max_examples=300)
@given(st.lists(texts_of_fragments, max_size=8))
def test_tokens_of_the_rules_own_characters_are_nltks(texts):
    assert Treebank()(texts) == [word_tokenize(text, preserve_line=True) for text in texts]


@settings(max_examples=100)
@given(st.lists(st.text(max_size=30), max_size=4))
def test_tokens_of_any_text_are_nltks(texts):
    assert Treebank()(texts) == [word_tokenize(text, preserve_line=True) for text in texts]


@settings(max_examples=50)
@given(st.lists(texts_of_fragments, max_size=20))
def test_what_has_been_seen_changes_nothing(texts):
    treebank = Treebank()
    assert treebank(texts) == treebank(texts) == [treebank([text])[0] for text in texts]


def test_small_memory_and_passes_change_nothing(docstrings, monkeypatch):
    texts = docstrings[:40]
    expected = [word_tokenize(text, preserve_line=True) for text in texts]
    monkeypatch.setattr(_treebank, "_CHARACTERS_IN_PASS", 100)
    monkeypatch.setattr(_treebank, "_MOST_CHARACTERS_KEPT", 1000)
    treebank = Treebank()
    assert [treebank([text])[0] for text in texts] == expected
    assert treebank(texts) == expected


def test_docstrings_have_nltks_tokens(docstrings):
    assert Treebank()(docstrings) == [word_tokenize(text, preserve_line=True) for text in docstrings]


@pytest.mark.slow
def test_movie_reviews_have_nltks_tokens(movie_reviews):
    texts = movie_reviews[::8]
    assert Treebank()(texts) == [word_tokenize(text, preserve_line=True) for text in texts]
    cleaned = [clean(text) for text in texts[:60]]
    assert Treebank()(cleaned) == [word_tokenize(text, preserve_line=True) for text in cleaned]


def test_headlines_have_nltks_tokens(shared_data):
    texts = (shared_data / "ag_news" / "test.csv").read_text(encoding="utf-8").splitlines()[:1500]
    assert Treebank()(texts) == [word_tokenize(text, preserve_line=True) for text in texts]


def test_each_piece_is_finished_once():
    seen = []

    def finish(tokens):
        seen.append(tuple(tokens))
        return tokens

    treebank = Treebank(finish)
    treebank(["a cat a cat", "cat don't"])
    treebank(["don't a", "dog"])
    assert sorted(seen) == [("a",), ("cat",), ("do", "n't"), ("dog",)]


def test_a_thousand_times_the_text_takes_no_more_passes_of_the_rules(monkeypatch):
    """Work is linear: the rules see each distinct piece once, whatever the length of the texts."""
    passed = []
    tokenize = _treebank.word_tokenize
    monkeypatch.setattr(_treebank, "word_tokenize", lambda text: passed.append(len(text)) or tokenize(text))
    text = "It's a so-called 'test', isn't it? "
    Treebank()([text])
    once = sum(passed)
    passed.clear()
    Treebank()([text * 1000])
    assert sum(passed) <= 2 * once


def test_pieces_stand_alone():
    assert pieces('"Hello," she said.') == ['``Hello,"', "she", "said", ".", "", ""]


def test_a_rule_that_takes_too_long_is_told(monkeypatch):
    class Slow:
        def tokenize(self, text):
            raise TimeoutError

    monkeypatch.setattr(_treebank, "_rules", Slow())
    with pytest.raises(InvalidValueError, match=r"5 s, received 2,000 characters without white space .*, '::::"):
        Treebank()(["short, shorter " + ":" * 2000])
