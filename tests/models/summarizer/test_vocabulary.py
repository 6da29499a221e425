from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DataError, ShapeError
from toolkit.models.summarizer import END, PADDING, START, UNKNOWN, Vocabulary, shifted

TEXTS = ["the cat sat", "the dog sat", "the mat"]


def test_words_match_hand_example():
    words = Vocabulary.learned(TEXTS, "words", 6, lower=True)
    assert words.tokens == ("", "[UNK]", "[START]", "[END]", "the", "sat")
    assert len(words) == 6
    # No pointer: two unknown words are one. With two places each has its own, 6 and 7, whenever it comes.
    text = "The cat, the cat sat"
    ids, unknown = words.encode([text], 7)
    assert ids.tolist() == [[4, 1, 1, 4, 1, 5, 0]]
    assert unknown == [[]]
    ids, unknown = words.encode([text], 7, copied=2)
    assert ids.tolist() == [[4, 6, 7, 4, 6, 5, 0]]
    assert unknown == [["cat", ","]]
    assert words.encode([text], 7, copied=1).ids.tolist() == [[4, 6, 1, 4, 6, 5, 0]]
    targets = words.encode_targets(["cat sat on"], 5, unknown)
    assert targets.tolist() == [[6, 5, 1, END, 0]]
    assert words.decode(targets[0], unknown[0]) == ["cat", "sat", "[UNK]"]
    assert words.encode_targets(["cat sat on"], 3, unknown).tolist() == [[6, 5, END]]
    assert words.encode([text], 2).ids.tolist() == [[4, 1]]


def test_words_keep_stop_words_endings_and_case():
    assert Vocabulary.learned(["The cats"], "words", 9, lower=False).tokens[4:] == ("The", "cats")


def test_characters_match_hand_example():
    """z and y are the most frequent, then the space; a, b and c come once. Ids follow the code points."""
    texts = ["zzzyyy a b c", "zyz"]
    assert Vocabulary.learned(texts, "characters", 7, lower=True).tokens[4:] == (" ", "y", "z")
    assert Vocabulary.learned(texts, "characters", 8, lower=True).tokens[4:] == (" ", "a", "y", "z")
    assert Vocabulary.learned(texts, "characters", 99, lower=True).tokens[4:] == (" ", "a", "b", "c", "y", "z")


@pytest.mark.parametrize("level", ["words", "characters"])
def test_one_spelling_however_it_was_typed(level):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    vocabulary = Vocabulary.learned([composed], level, 20, lower=True)
    np.testing.assert_array_equal(vocabulary.encode([decomposed], 6).ids, vocabulary.encode([composed], 6).ids)
    assert Vocabulary.learned([decomposed], level, 20, lower=True).tokens == vocabulary.tokens


def test_shifted_matches_hand_example():
    targets = np.array([[7, 8, END, 0], [END, 0, 0, 0], [5, 6, 7, 8]])
    expected = [[START, 7, 8, 0], [START, 0, 0, 0], [START, 5, 6, 7]]
    np.testing.assert_array_equal(shifted(targets), expected)
    np.testing.assert_array_equal(shifted(targets.tolist()), expected)
    real = targets != PADDING
    np.testing.assert_array_equal(shifted(targets) != PADDING, real)


@given(st.lists(st.text("ab c1", min_size=1), min_size=1, max_size=4))
def test_characters_come_back(texts):
    characters = Vocabulary.learned(texts, "characters", 50, lower=True)
    length = max(map(len, texts)) + 1
    for row, text in zip(characters.encode_targets(texts, length, [[]] * len(texts)), texts):
        assert characters.join(characters.decode(row)) == text
    again = Vocabulary.from_json(characters.to_json())
    assert again.tokens == characters.tokens


def test_words_come_back_as_text():
    words = Vocabulary.learned(["It doesn't work, does it?"], "words", 20, lower=False)
    assert words.join(words.split("It doesn't work, does it?")) == "It doesn't work, does it?"
    assert Vocabulary.from_json(words.to_json()).encode(["It works"], 2).ids.tolist() == [
        [words.tokens.index("It"), UNKNOWN]
    ]


@pytest.mark.parametrize(
    "state",
    [
        [],
        {"level": "words"},
        {"level": "words", "preprocessor": "{}"},
        {"level": "letters"},
        {"level": "characters", "characters": ["a", "a"]},
        {"level": "characters", "characters": ["ab"]},
        {"level": "characters", "characters": ["a"], "more": 1},
    ],
    ids=str,
)
def test_from_json_errors(state):
    with pytest.raises((ValueError, DataError)):
        Vocabulary.from_json(state)


def test_shifted_errors():
    with pytest.raises(ShapeError, match=r"targets \(N, T\), received shape \(2,\)"):
        shifted([4, 5])
