"""Whatever is given for texts: a right answer, or an error that names the place; nothing is dropped."""

from __future__ import annotations

import enum
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from toolkit.errors import InvalidValueError, ShapeError, ToolkitError
from toolkit.text import TextPreprocessor, _treebank


@pytest.fixture(scope="module")
def fitted():
    return TextPreprocessor(sequence_length=6).fit(["a cat and a dog", "birds fly, dogs don't"])


# ---------------------------------------------------------------------- texts that are texts

MILLION = 1_000_000
STRANGE = {
    "empty": "",
    "one space": " ",
    "white space only": " \t\r\n\v\f\x85\xa0\u2028\u3000",
    "one character": "x",
    "one quote": '"',
    "one full stop": ".",
    "NUL": "cat\x00dog \x00",
    "control characters": "".join(map(chr, range(32))),
    "all of Latin-1": "".join(map(chr, range(256))),
    "lone high surrogate": "cat \ud83d dog",
    "lone low surrogate": "\udc00",
    "swapped surrogates": "\ude00\ud83d",
    "surrogateescape": b"caf\xe9".decode("utf-8", "surrogateescape"),
    "byte order mark": "\ufeffcat",
    "swapped byte order mark": "\ufffecat",
    "noncharacters": "\uffff \U0010ffff \ufdd0",
    "private use": "\ue000 \U000f0b1e",
    "right to left": "\u202eevil \u05d0\u05d1 \u0627\u0644\u0642\u0637\u0629\u202c",
    "combining without base": "\u0301\u0301",
    "decomposed": "cafe\u0301 A\u030a",
    "many combining marks": "e" + "\u0301\u0316" * 5000,
    "emoji joined": "👩\u200d👩\u200d👧\u200d👦 👍🏽 🏳️\u200d🌈 🇩🇪",
    "Turkish İ": "İSTANBUL ıstanbul",
    "German ß and ligatures": "STRASSE straße ﬁ ﬀ",
    "Chinese": "猫坐在垫子上。",
    "Thai": "แมวนั่งบนเสื่อ",
    "digits of other scripts": "٣ ३ ³ Ⅷ",
    "zero width": "c\u200bat\u2060dog",
    "soft hyphens": "ca\xadt",
    "mixed line ends": "cat\rdog\r\nbird\n\rfly\x0b\x0c\u2028\u2029",
    "unclosed tag": "<b cat",
    "unclosed comment": "<!-- cat",
    "unclosed script": "<script>cat",
    "script and style": "<script>alert('cat')</script><style>dog{}</style>bird",
    "tags only": "<p><br/></p>",
    "nested tags": "<div>" * 5000 + "cat" + "</div>" * 5000,
    "attributes with angles": "<a title='>' href=\"<b>\">cat</a>",
    "entity out of range": "&#x110000; &#1114112; &#xFFFFFFFFFF;",
    "entity of a surrogate": "&#xD800;&#xDC00;",
    "entity of nothing": "&#0; &#; &#x; &; &nosuch;",
    "entity of thousands of digits": "&#" + "9" * 10_000 + ";",
    "entities twice": "&amp;amp;lt;",
    "quotes of all kinds": "\"'`«»“”‘’„''``\"\"",
    "brackets": "([{<>}])" * 100,
    "dashes": "- -- --- – — ―",
    "the token for unknown": "[UNK] [UNK]",
    "the mark of the tokeniser": f"cat {_treebank._MARK} dog",
    "separators of files and groups": "cat\x1cdog\x1dbird\x1efly\x1f",
    "words with slashes": "/etc/passwd C:\\cat http://x.y/?a=b&c=d#e a@b.c",
    "numbers": "1,000,000.50 -3 1e10 0x1F 12:30 1/2",
    "format strings": "%s {0} {cat} ${cat} %(dog)s",
    "a formula of a table": "=cmd|' /C calc'!A0",
    "JSON": '{"cat": [1, null, "dog"]}',
    "a million characters in one line": "cat dog. " * (MILLION // 9),
    "a million characters in one token": "x" * MILLION,
    "a million digits": "7" * MILLION,
    "a million spaces": " " * MILLION,
    "a million line breaks": "\n" * MILLION,
    "a million stop words": "the " * (MILLION // 4),
    "hundreds of thousands of marks": "\u0301" * 300_000,
    "hundreds of thousands of surrogates": "\ud800" * 300_000,
    "a million NULs": "\x00" * MILLION,
    "a quarter of a million full stops": "." * (MILLION // 4),
    "a quarter of a million apostrophes": "'" * (MILLION // 4),
    "hundreds of thousands of opened tags": "<b " * 100_000,
    "hundreds of thousands of opened quotes": "<a '\"" * 60_000,
    "a million characters of entities": "&#x110000;" * (MILLION // 10),
    "a million characters of suffixes": "ational" * (MILLION // 7),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_text_becomes_one_row(name, fitted):
    text = STRANGE[name]
    ids = fitted.transform(["a cat", text, "a dog"])
    assert ids.shape == (3, 6)
    assert ids.dtype == np.int32
    assert ids[[0, 2]].tolist() == fitted.transform(["a cat", "a dog"]).tolist()  # its neighbours are as ever
    assert ids[1].any()
    assert 0 <= ids.min() <= ids.max() < len(fitted.vocabulary_)
    stages = fitted.preprocess(text)
    assert list(stages.stems) == fitted.tokens(text)
    assert ids[1][: len(stages.ids)].tolist() == list(stages.ids[:6])
    assert all(token and token == token.strip() for token in stages.tokens)
    assert len(repr(stages)) < 6000
    "".join(stages.stems).encode("utf-8")  # no half characters are left


@pytest.mark.parametrize("name", [name for name, text in STRANGE.items() if len(text) < 20_000])
def test_a_strange_text_can_be_learned_and_saved(name):
    fitted = TextPreprocessor(stop_words=None).fit(["cat", STRANGE[name]])
    loaded = TextPreprocessor.from_json(fitted.to_json())
    assert loaded.vocabulary_ == fitted.vocabulary_
    np.testing.assert_array_equal(loaded.transform([STRANGE[name]]), fitted.transform([STRANGE[name]]))


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(), max_size=60), max_size=6))
def test_every_text_becomes_one_row(texts):
    fitted = TextPreprocessor(stop_words=None, max_tokens=None).fit(["cat", *texts])
    ids = fitted.transform(texts)
    assert len(ids) == len(texts)
    assert all(row.any() for row in ids)
    assert TextPreprocessor.from_json(fitted.to_json()).to_json() == fitted.to_json()


def test_work_is_linear_in_a_line(monkeypatch):
    """Ten times the text, of words that are all different: ten times the characters for the rules to pass."""
    passed = []
    tokenize = _treebank.word_tokenize
    monkeypatch.setattr(_treebank, "word_tokenize", lambda text: passed.append(len(text)) or tokenize(text))

    def work(words):
        passed.clear()
        treebank = _treebank.Treebank()
        treebank([" ".join(f"it's-{k}," for k in range(words))])
        return sum(passed)

    assert work(20_000) < 12 * work(2_000)


# ---------------------------------------------------------------------- what is no text


class Colour(str, enum.Enum):  # noqa: UP042
    RED = "red cat"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "a missing value, None, at index 1. Drop it together with its label"),
        (float("nan"), "a missing value, nan, at index 1"),
        (np.float32("nan"), "a missing value, np.float32(nan), at index 1"),
        (pd.NA, "a missing value, <NA>, at index 1"),
        (pd.NaT, "a missing value, NaT, at index 1"),
        (b"cat", "bytes at index 1. Decode them"),
        (bytearray(b"cat"), "bytearray at index 1. Decode them"),
        (memoryview(b"cat"), "memoryview at index 1"),
        (np.bytes_(b"cat"), "bytes_ at index 1. Decode them"),
        (5, "int at index 1"),
        (5.5, "float at index 1"),
        (True, "bool at index 1"),
        (["cat"], "list at index 1"),
        (("cat",), "tuple at index 1"),
        ({"text": "cat"}, "dict at index 1"),
        (np.array(["cat"]), "ndarray at index 1"),
        (np.array("cat"), "ndarray at index 1"),
        (object(), "object at index 1"),
        (str, "type at index 1"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_what_is_no_text_is_named_by_its_place(method, value, message, fitted):
    preprocessor = fitted if method == "transform" else TextPreprocessor()
    with pytest.raises(InvalidValueError) as caught:
        getattr(preprocessor, method)(["a cat", value, "a dog"])
    assert str(caught.value).startswith(f"TextPreprocessor.{method}: expected ")
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [None, b"cat", 5, float("nan"), ["cat"], np.array(["cat"])])
@pytest.mark.parametrize("method", ["preprocess", "tokens"])
def test_one_text_must_be_a_text(method, value):
    with pytest.raises(InvalidValueError, match=f"TextPreprocessor.{method}: expected"):
        getattr(TextPreprocessor(), method)(value)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a cat", InvalidValueError, "a list of texts, received one str. For a single text, pass [text]."),
        (np.str_("a cat"), InvalidValueError, "a list of texts, received one str"),
        (b"a cat", InvalidValueError, "a list of texts, received bytes. Decode it"),
        (None, InvalidValueError, "a list of texts, received NoneType"),
        (5, InvalidValueError, "a list of texts, received int"),
        ({"text": "a cat"}, InvalidValueError, "a list of texts, received a dict"),
        ({"a cat", "a dog"}, InvalidValueError, "a list of texts, received a set"),
        (frozenset({"a cat"}), InvalidValueError, "a list of texts, received a frozenset"),
        ([["a cat"], ["a dog"]], InvalidValueError, "texts of type str, received list at index 0"),
        (np.array([["a cat"], ["a dog"]]), ShapeError, "texts of shape (N,), received a ndarray of shape (2, 1)"),
        (np.array("a cat"), ShapeError, "texts of shape (N,), received a ndarray of shape ()"),
        (np.array([b"a cat"]), InvalidValueError, "bytes_ at index 0"),
        (np.array([1.0, 2.0]), InvalidValueError, "float64 at index 0"),
        (np.array(["a cat", None], object), InvalidValueError, "a missing value, None, at index 1"),
        (pd.DataFrame({"text": ["a cat"]}), ShapeError, "received a DataFrame of shape (1, 1). Pass one column"),
        (pd.Series(["a cat", np.nan]), InvalidValueError, "a missing value, nan, at index 1"),
        (pd.Series(["a cat", None], dtype="string"), InvalidValueError, "at index 1"),
        (sparse.csr_array(np.eye(2)), ShapeError, "of shape (2, 2)"),
        (TextPreprocessor, InvalidValueError, "a list of texts, received type"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_what_is_no_list_of_texts_is_named(method, texts, error, message, fitted):
    preprocessor = fitted if method == "transform" else TextPreprocessor()
    with pytest.raises(error) as caught:
        getattr(preprocessor, method)(texts)
    assert message in str(caught.value)


def test_texts_that_only_look_unusual_are_taken(fitted):
    rows = fitted.transform([np.str_("a cat"), Colour.RED, "cat"])
    assert rows[0].tolist() == rows[2].tolist()
    assert fitted.tokens(Colour.RED) == ["red", "cat"]
    assert len(fitted.transform(np.array(["a cat"], np.dtypes.StringDType()))) == 1


def test_an_error_of_the_callers_generator_is_his():
    def texts():
        yield "a cat"
        raise KeyError("his own")

    with pytest.raises(KeyError, match="his own"):
        TextPreprocessor().fit(texts())


# ---------------------------------------------------------------------- ids that are none


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (5, "ids of shape (N, T), received int"),
        (None, "ids of shape (N, T), received NoneType"),
        ("2 3", "ids of shape (N, T), received str"),
        (b"23", "ids of shape (N, T), received bytes"),
        ({2: 3}, "ids of shape (N, T), received dict"),
        (np.array(2), "ids of shape (N, T), received ndarray"),
        ([2, 3], "row 0 of shape (). For one row, pass [ids]."),
        (np.array([2, 3]), "row 0 of shape (). For one row, pass [ids]."),
        (np.ones((1, 2, 3), int), "row 0 of shape (2, 3)"),
        ([[2], [[3], [4, 5]]], "rows within row 1"),
        ([[2, 3], [2, -1]], "received -1 in row 1"),
        ([[2, 3], [2, 999]], "received 999 in row 1"),
        ([[2**40]], "received 1099511627776 in row 0"),
        ([[2**70]], "received object in row 0"),
        (np.array([[2**63]], np.uint64), "received 9223372036854775808 in row 0"),
        ([[2.0]], "integer ids, received float64 in row 0"),
        (np.full((1, 2), np.nan), "integer ids, received float64 in row 0"),
        ([[True]], "integer ids, received bool in row 0"),
        ([["cat"]], "integer ids, received <U3 in row 0"),
        ([[2, None]], "integer ids, received object in row 0"),
        (pd.DataFrame({"a": [2.5]}), "integer ids, received float64 in row 0"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_ids_that_are_none_are_named(ids, message, fitted):
    with pytest.raises(ToolkitError) as caught:
        fitted.inverse_transform(ids)
    assert str(caught.value).startswith("TextPreprocessor.inverse_transform: expected ")
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", ["int8", "int64", "uint8", "uint64"])
def test_ids_may_be_of_any_integer_type(kind, fitted):
    ids = fitted.transform(["a cat", "a bird"])
    for given_ids in (ids.astype(kind), ids.tolist(), pd.DataFrame(ids), iter(ids)):
        assert fitted.inverse_transform(given_ids) == ["cat", "bird"]


# ---------------------------------------------------------------------- settings that cannot be


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 2}, "max_tokens to be an int from 3, or None, received 2"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "100"}, "max_tokens"),
        ({"max_tokens": 100.0}, "max_tokens"),
        ({"min_frequency": 0}, "min_frequency"),
        ({"min_frequency": -1}, "min_frequency"),
        ({"min_frequency": 1.5}, "min_frequency"),
        ({"min_frequency": True}, "min_frequency"),
        ({"min_frequency": float("nan")}, "min_frequency"),
        ({"max_frequency": 0.0}, "max_frequency"),
        ({"max_frequency": float("inf")}, "max_frequency"),
        ({"max_frequency": None}, "max_frequency"),
        ({"sequence_length": 0}, "sequence_length"),
        ({"sequence_length": 10**9}, "sequence_length"),
        ({"lower": 1}, "lower to be True or False, received 1"),
        ({"html": None}, "html"),
        ({"stop_words": 5}, "stop_words"),
        ({"stop_words": b"english"}, "stop_words"),
        ({"stop_words": ["the", None]}, "stop_words"),
        ({"stop_words": ["\ud800"]}, "stop_words"),
        pytest.param({"stop_words": iter(["the"])}, "stop_words", id="stop_words an iterator"),
        ({"stop_words": "English"}, "stop_words='english' with resources='builtin', received 'English'"),
        ({"stop_words": "german"}, "NLTK has lists of other languages"),
        ({"stemmer": "Porter"}, "stemmer"),
        ({"stemmer": "snowball", "lower": False}, "Snowball's rules are for lower case"),
        ({"tokenizer": "words"}, "tokenizer"),
        ({"tokenizer": "punkt"}, "punkt_tab for tokenizer='punkt', received resources='builtin'"),
        ({"padding": "left"}, "padding to be 'post' or 'pre', received 'left'"),
        ({"truncating": None}, "truncating"),
        ({"resources": ""}, "resources"),
        ({"resources": 5}, "resources"),
        ({"resources": "/no/such/folder"}, "nothing there: '/no/such/folder'"),
        ({"processes": 0}, "processes"),
        ({"processes": -1}, "processes"),
        ({"processes": 1.5}, "processes"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(options, message):
    preprocessor = TextPreprocessor(**options)  # scikit-learn: the constructor keeps what it is given
    with pytest.raises(ToolkitError) as caught:
        preprocessor.fit(["a cat"])
    assert str(caught.value).startswith("TextPreprocessor: expected ")
    assert message in str(caught.value)


# ---------------------------------------------------------------------- memory


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_memory_is_bounded():
    """Words that never come back are forgotten: after 160,000 of them, 300,000 more take no more memory."""
    code = """
import resource
from toolkit.text import TextPreprocessor, _steps, _treebank

_treebank._MOST_CHARACTERS_KEPT, _steps._MOST_STEMS_KEPT = 1 << 20, 1 << 14  # an eighth, and a sixteenth

def texts(first, last):
    return (" ".join(f"{i}x{k}" for k in range(20_000)) for i in range(first, last))

fitted = TextPreprocessor(sequence_length=8).fit(["a cat"])
fitted.transform(texts(0, 8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert fitted.transform(texts(8, 23)).shape == (15, 8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(printed) < 35_000  # kilobytes; remembered, they would take 80,000
