"""From texts to ids and back: stages, vocabulary, padding; each by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

import toolkit
from toolkit.errors import InvalidValueError
from toolkit.text import TextPreprocessor, _steps
from toolkit.text._sequences import rows_of_equal_length
from toolkit.text._steps import steps_for

TEXTS = ["The cats sat on the mat.", "My cat &amp; your dog"]


def plain(**options):
    """Whole words, nothing taken out, so that counts can be seen in the texts."""
    return TextPreprocessor(**{"stop_words": None, "stemmer": None, **options})


# ---------------------------------------------------------------------- stages


def test_stages_match_hand_example():
    stages = TextPreprocessor().preprocess("<p>THE Cats aren&#39;t running.</p>")
    assert stages.text == "<p>THE Cats aren&#39;t running.</p>"
    assert stages.cleaned == " THE Cats aren't running. "
    assert stages.tokens == ("THE", "Cats", "are", "n't", "running", ".")
    assert stages.lowered == ("the", "cats", "are", "n't", "running", ".")
    assert stages.without_stop_words == ("cats", "n't", "running", ".")
    assert stages.stems == ("cat", "n't", "run", ".")
    assert stages.ids is None


def test_stages_are_printed_a_line_for_each():
    preprocessor = TextPreprocessor().fit(TEXTS)
    assert str(preprocessor.preprocess("The cats fly")) == (
        "text                'The cats fly'\n"
        "cleaned             'The cats fly'\n"
        "tokens              The · cats · fly\n"
        "lowered             the · cats · fly\n"
        "without stop words  cats · fly\n"
        "stems               cat · fli\n"
        "ids                 2 · 1"
    )
    assert "ids                 (no vocabulary before fit)" in repr(TextPreprocessor().preprocess("x"))


def test_long_stages_are_shortened_when_printed():
    shown = repr(TextPreprocessor().preprocess("word " * 1000 + "x" * 1000))
    assert "… and 989 more" in shown
    assert len(shown) < 1500


def test_ids_of_a_stage_are_those_of_transform():
    preprocessor = TextPreprocessor().fit(TEXTS)
    for text in [*TEXTS, "", "the", "unknown words"]:
        ids = preprocessor.preprocess(text).ids
        row = preprocessor.transform([text])[0]
        assert row[: len(ids)].tolist() == list(ids)[: len(row)]
        assert not row[len(ids) :].any()


def test_stop_words_are_compared_in_lower_case():
    assert TextPreprocessor().tokens("THE The tHe the IS Is CAT") == ["cat"]
    assert TextPreprocessor(lower=False, stemmer=None).tokens("THE The cat CAT") == ["cat", "CAT"]


def test_stop_words_of_ones_own():
    preprocessor = TextPreprocessor(stop_words=["Cats", "cafe\u0301"], stemmer=None)
    assert preprocessor.tokens("The CATS of the CAFÉ") == ["the", "of", "the"]
    assert preprocessor.stop_word_list().source == "given as stop_words"


@pytest.mark.parametrize(
    ("stemmer", "stems"),
    [
        ("porter", ["gener", "fairli", "dy"]),
        ("snowball", ["generous", "fair", "dy"]),
        (None, ["generously", "fairly", "dyed"]),
    ],
)
def test_stemmers(stemmer, stems):
    assert TextPreprocessor(stemmer=stemmer).tokens("generously fairly dyed") == stems


FRAGMENTS = [
    *("<b>", "</b>", "<br/>", "<!--", "-->", "&amp;", "&lt;", "&", "The", "the", "cat", "Cats", "running", "don't"),
    *("'", '"', ".", "...", "U.S.", "?", " ", " ", "\n", "\t", "é", "e\u0301", "\x00", "\ud800", "’", "\x1c", "\xa0"),
]


@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=15).map("".join), max_size=6))
@pytest.mark.parametrize(
    "options", [{}, {"lower": False}, {"stemmer": "snowball"}, {"stop_words": None, "stemmer": None, "html": False}]
)
def test_the_fast_way_gives_the_stems_of_the_plain_way(options, texts):
    preprocessor = TextPreprocessor(**options)
    assert [preprocessor.tokens(text) for text in texts] == [
        list(preprocessor.preprocess(text).stems) for text in texts
    ]


def test_the_fast_way_gives_the_stems_of_the_plain_way_on_real_texts(docstrings):
    preprocessor = TextPreprocessor()
    for text in docstrings[::4]:
        assert tuple(preprocessor.tokens(text)) == preprocessor.preprocess(text).stems


def test_memory_of_stems_is_bounded(monkeypatch, docstrings):
    preprocessor = TextPreprocessor()
    expected = [preprocessor.tokens(text) for text in docstrings[:50]]
    monkeypatch.setattr(_steps, "_MOST_STEMS_KEPT", 10)
    steps_for.cache_clear()
    assert [preprocessor.tokens(text) for text in docstrings[:50]] == expected


# ---------------------------------------------------------------------- vocabulary


def test_vocabulary_matches_hand_example():
    preprocessor = TextPreprocessor()
    ids = preprocessor.fit_transform(TEXTS)
    assert preprocessor.vocabulary_ == ("", "[UNK]", "cat", "&", ".", "dog", "mat", "sat")
    assert preprocessor.token_ids_ == {token: index for index, token in enumerate(preprocessor.vocabulary_)}
    assert preprocessor.counts_.tolist() == [0, 0, 2, 1, 1, 1, 1, 1]
    assert preprocessor.sequence_length_ == 4
    assert ids.dtype == np.int32
    assert ids.tolist() == [[2, 7, 6, 4], [2, 3, 5, 0]]


def test_tokens_are_counted_not_documents():
    # "b" stands in more texts, "a" stands more often.
    preprocessor = plain().fit(["a a a", "b", "b"])
    assert preprocessor.vocabulary_[2:] == ("a", "b")
    assert preprocessor.counts_[2:].tolist() == [3, 2]


def test_equally_frequent_tokens_are_in_alphabetical_order():
    assert plain().fit(["b d c a"]).vocabulary_[2:] == ("a", "b", "c", "d")
    assert plain().fit(["a c", "d b"]).vocabulary_[2:] == ("a", "b", "c", "d")


def test_order_of_texts_does_not_matter(docstrings):
    forwards, backwards = TextPreprocessor().fit(docstrings), TextPreprocessor().fit(docstrings[::-1])
    assert forwards.vocabulary_ == backwards.vocabulary_
    assert forwards.counts_.tolist() == backwards.counts_.tolist()


def test_max_tokens_is_the_size_of_the_vocabulary():
    preprocessor = plain(max_tokens=4).fit(["a a a b b c d"])
    assert preprocessor.vocabulary_ == ("", "[UNK]", "a", "b")
    assert preprocessor.counts_.tolist() == [0, 2, 3, 2]  # c and d are unknown
    assert preprocessor.transform(["a b c"]).max() < 4
    assert len(plain(max_tokens=None).fit([" ".join(f"w{k}" for k in range(30_000))]).vocabulary_) == 30_002


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, "abcd"),
        ({"min_frequency": 1}, "abcd"),
        ({"min_frequency": 2}, "abc"),
        ({"min_frequency": 3}, "ab"),
        ({"max_frequency": 3}, "bcd"),
        ({"max_frequency": 2}, "cd"),
        ({"max_frequency": 1}, "d"),
        ({"min_frequency": 2, "max_frequency": 3}, "bc"),
        ({"min_frequency": 0.3}, "ab"),  # 3 of 10, though 0.3 * 10 < 3 < 0.1 * 30
        ({"max_frequency": 0.3}, "bcd"),
        ({"min_frequency": 0.31}, "a"),
        ({"max_frequency": 0.29}, "cd"),
        ({"min_frequency": np.float64(0.2), "max_frequency": np.int64(3)}, "bc"),
    ],
)
def test_frequencies_match_hand_example(options, kept):
    # a 4 times, b 3 times, c 2 times, d once: 10 tokens in 3 texts.
    preprocessor = plain(**options).fit(["a b a c", "a b d", "a b c"])
    assert "".join(preprocessor.vocabulary_[2:]) == kept
    assert preprocessor.counts_.sum() == 10


@pytest.mark.parametrize("count", [3, 6, 7])
def test_a_share_is_exact(count):
    texts = ["a " * count + "b " * (30 - count)]
    share = {3: 0.1, 6: 0.2, 7: 7 / 30}[count]
    assert "a" in plain(min_frequency=share).fit(texts).token_ids_
    assert "a" in plain(max_frequency=share).fit(texts).token_ids_


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=8).map(" ".join), min_size=1, max_size=8))
def test_counts_are_those_of_a_counter(texts):
    counted = Counter(token for text in texts for token in text.split())
    if not counted:
        with pytest.raises(InvalidValueError, match="no stop word"):
            plain().fit(texts)
        return
    preprocessor = plain().fit(texts)
    expected = sorted(counted, key=lambda token: (-counted[token], token))
    assert list(preprocessor.vocabulary_[2:]) == expected
    assert preprocessor.counts_[2:].tolist() == [counted[token] for token in expected]


def test_no_token_within_the_frequencies_is_an_error():
    with pytest.raises(InvalidValueError, match=r"min_frequency=5 .* none among 2, .* occurs 2"):
        plain(min_frequency=5).fit(["a a b"])


@pytest.mark.parametrize("texts", [[], [""], ["", "the of"], [" \n"]])
def test_without_any_token_there_is_nothing_to_fit(texts):
    with pytest.raises(InvalidValueError, match=f"received {len(texts)} without"):
        TextPreprocessor().fit(texts)


# ---------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    ("padding", "truncating", "rows"),
    [
        ("post", "post", [[3, 4, 5], [2, 0, 0]]),
        ("pre", "post", [[3, 4, 5], [0, 0, 2]]),
        ("post", "pre", [[5, 2, 6], [2, 0, 0]]),
        ("pre", "pre", [[5, 2, 6], [0, 0, 2]]),
    ],
)
def test_padding_and_truncating_match_hand_example(padding, truncating, rows):
    preprocessor = plain(sequence_length=3, padding=padding, truncating=truncating)
    # d occurs twice and is 2; then a, b, c, e.
    assert preprocessor.fit_transform(["a b c d e", "d"]).tolist() == rows


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=7), max_size=6),
    st.integers(1, 6),
    st.sampled_from(["post", "pre"]),
    st.sampled_from(["post", "pre"]),
)
def test_rows_are_those_of_keras(texts, length, padding, truncating):
    import keras

    ids = np.array([token_id for text in texts for token_id in text], np.int32)
    rows = rows_of_equal_length(ids, np.array([len(text) for text in texts], int), length, padding, truncating)
    assert rows.shape == (len(texts), length)
    filled = [text or [1] for text in texts]  # no row is all padding
    if texts:
        expected = keras.utils.pad_sequences(filled, length, "int32", padding, truncating)
        np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("text", ["", " ", "the of and", "<p></p>", "\x00\ufeff"])
def test_a_text_without_tokens_is_one_unknown_token(text, padding):
    preprocessor = TextPreprocessor(sequence_length=3, padding=padding).fit(TEXTS)
    assert preprocessor.transform([text]).tolist() == [[1, 0, 0] if padding == "post" else [0, 0, 1]]


def test_learned_length_holds_95_percent_of_the_texts():
    texts = ["a " * n for n in range(1, 101)]
    preprocessor = plain().fit(texts)
    assert preprocessor.sequence_length_ == 95
    assert plain().fit(["a " * 5000]).sequence_length_ == 1000
    assert plain().fit(["", "", "", "a"]).sequence_length_ == 1
    assert plain(sequence_length=7).fit(texts).sequence_length_ == 7


def test_no_text_is_no_row():
    assert TextPreprocessor().fit(TEXTS).transform([]).shape == (0, 4)


# ---------------------------------------------------------------------- back


def test_inverse_transform_matches_hand_example():
    preprocessor = TextPreprocessor().fit(TEXTS)
    assert preprocessor.inverse_transform([[2, 7, 0, 0], [0, 0, 1, 5], [0], []]) == ["cat sat", "[UNK] dog", "", ""]


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=8))
def test_there_and_back(texts):
    preprocessor = plain(sequence_length=8)
    assert preprocessor.inverse_transform(preprocessor.fit_transform(texts)) == texts


# ---------------------------------------------------------------------- state


def test_toolkit_text_is_loaded_when_it_is_used():
    assert toolkit.text.TextPreprocessor is TextPreprocessor
    assert "clean" in dir(toolkit.text)
    with pytest.raises(AttributeError, match="'Tokenizer'; it has Stages, TextPreprocessor, clean"):
        toolkit.text.Tokenizer  # noqa: B018


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_before_fit_there_are_no_ids(method):
    with pytest.raises(NotFittedError):
        getattr(TextPreprocessor(), method)([["a"]])
    with pytest.raises(NotFittedError):
        TextPreprocessor().to_json()
    assert not hasattr(TextPreprocessor(), "resources_")


def test_a_failed_fit_leaves_the_old_vocabulary():
    preprocessor = TextPreprocessor().fit(TEXTS)
    before = preprocessor.to_json()
    with pytest.raises(InvalidValueError):
        preprocessor.fit(["new words", None])
    with pytest.raises(InvalidValueError):
        preprocessor.fit_transform(["the"])
    assert preprocessor.to_json() == before


def test_set_params_counts_from_the_next_fit_on():
    preprocessor = TextPreprocessor(sequence_length=5).fit(TEXTS)
    ids, saved = preprocessor.transform(TEXTS), preprocessor.to_json()
    preprocessor.set_params(sequence_length=2, padding="pre", stemmer=None, stop_words=None)
    np.testing.assert_array_equal(preprocessor.transform(TEXTS), ids)
    assert preprocessor.to_json() == saved
    assert preprocessor.fit(TEXTS).transform(TEXTS).shape == (2, 2)
    assert "cats" in preprocessor.token_ids_


def test_texts_may_come_from_anywhere():
    import pandas as pd

    expected = TextPreprocessor().fit_transform(TEXTS).tolist()
    for texts in (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS), pd.Index(TEXTS)):
        preprocessor = TextPreprocessor()
        assert preprocessor.fit_transform(texts).tolist() == expected
        assert preprocessor.fit(texts).transform(texts).tolist() == expected
    assert TextPreprocessor().fit_transform(text for text in TEXTS).tolist() == expected
