"""The built-in list: each word is one token, negations are not among them."""

from __future__ import annotations

import hashlib

import pytest

from toolkit.text import TextPreprocessor
from toolkit.text._stop_words import ENGLISH
from toolkit.text._treebank import word_tokenize


def test_every_word_is_one_token_in_lower_case():
    for word in ENGLISH - {"ca", "wo", "sha", "gon"}:  # these four are the tokens of can't, won't, shan't, gonna
        assert word == word.lower()
        assert [token for token in word_tokenize(f"x {word} x") if token != "x"] == [word]


@pytest.mark.parametrize(
    "text", ["It's what they'll have.", "I've been there", "She is the one who we are with", "gonna"]
)
def test_function_words_go(text):
    words = [token for token in TextPreprocessor().tokens(text) if token.strip(".")]
    assert words == []


@pytest.mark.parametrize("word", ["no", "not", "nor", "never", "n't", "without", "none", "nothing", "against"])
def test_negations_stay(word):
    assert word not in ENGLISH


@pytest.mark.parametrize("text", ["can't", "won't", "shan't", "isn't"])
def test_of_a_contraction_the_negation_stays(text):
    assert TextPreprocessor().tokens(text) == ["n't"]


def test_the_list_names_its_source():
    words = TextPreprocessor().stop_word_list()
    assert words.source == "toolkit.text: English function words without negations, version 1"
    assert words.words == tuple(sorted(ENGLISH))
    # Whoever changes a word counts the version in SOURCE up: vocabularies are saved with it.
    assert words.sha256 == hashlib.sha256("\n".join(sorted(ENGLISH)).encode()).hexdigest()
    assert len(ENGLISH) == 178
