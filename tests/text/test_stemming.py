"""Stems are NLTK's, though most of its rules are passed over."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.stem import PorterStemmer, SnowballStemmer

from toolkit.text._stemming import _STEP_2, _STEP_3, _STEP_4, stemmer

NLTK = PorterStemmer()
_MORE_ENDINGS = "s sses ies ied ss ed eed ing y e l ll at bl iz 's"
ENDINGS = [*_STEP_2, *_STEP_3, *_STEP_4, *_MORE_ENDINGS.split()]
words = st.tuples(st.text("abcdeilosytxvw'-é1", max_size=4), st.lists(st.sampled_from(ENDINGS), max_size=3)).map(
    lambda parts: parts[0] + "".join(parts[1])
)
cased = st.tuples(words, st.sampled_from([str, str.title, str.upper])).map(lambda pair: pair[1](pair[0]))


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("caresses", "caress"),
        ("ponies", "poni"),
        ("plastered", "plaster"),
        ("hopping", "hop"),
        ("happy", "happi"),
        ("relational", "relat"),
        ("electricity", "electr"),
        ("adjustable", "adjust"),
        ("controlling", "control"),
        ("sky", "sky"),
        ("dying", "die"),
        ("Running", "run"),
    ],
)
def test_porter_matches_hand_example(word, stem):
    assert stemmer("porter")(word) == stem


@settings(max_examples=1000)
@given(cased)
def test_porter_is_nltks(word):
    assert stemmer("porter")(word) == (NLTK.stem(word) or word)
    assert stemmer("porter", lower=False)(word) == (NLTK.stem(word, to_lowercase=False) or word)


def test_porter_is_nltks_on_every_word_of_the_docstrings(docstrings):
    stem = stemmer("porter")
    words = {word for text in docstrings for word in text.split()}
    assert len(words) > 5000
    assert [word for word in words if stem(word) != NLTK.stem(word)] == []


@given(cased)
def test_snowball_is_nltks(word):
    assert stemmer("snowball")(word) == (SnowballStemmer("english").stem(word) or word)


@pytest.mark.parametrize("name", ["porter", "snowball"])
@pytest.mark.parametrize("word", ["'", "''", "'''", "'s", "é", "日本", "x", "\ufffd"])
def test_no_word_is_stemmed_away(name, word):
    assert stemmer(name)(word)


def test_without_a_stemmer_words_stay():
    assert stemmer(None)("Running") == "Running"
