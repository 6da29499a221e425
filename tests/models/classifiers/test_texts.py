from __future__ import annotations

import inspect

import matplotlib.axes
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models import TextClassifier
from toolkit.text import TextPreprocessor

QUICK = {"embedding_dim": 4, "hidden": (4,), "epochs": 1, "verbose": False}
TEXTS, Y = ["good film", "bad film", "good story", "bad story"], ["+", "-", "+", "-"]


def test_texts_come_as_list_array_series_or_generator():
    expected = TextClassifier(**QUICK).fit(TEXTS, Y).predict_proba(TEXTS)
    for other in (np.array(TEXTS), pd.Series(TEXTS, index=[7, 3, 5, 1]), (text for text in TEXTS)):
        probabilities = TextClassifier(**QUICK).fit(other, Y).predict_proba(tuple(TEXTS))
        np.testing.assert_array_equal(probabilities, expected)


@pytest.fixture(scope="module")
def docstrings():
    """200 docstrings of two libraries, straight from their modules."""
    found = []
    for label, place in (("plots", matplotlib.axes.Axes), ("statistics", scipy.stats)):
        docs = [inspect.getdoc(getattr(place, name)) for name in sorted(dir(place)) if not name.startswith("_")]
        found += [(doc, label) for doc in docs if doc and len(doc) > 100][:100]
    np.random.default_rng(0).shuffle(found)
    return [text for text, _ in found], np.array([label for _, label in found])


def test_it_learns_docstrings(docstrings):
    texts, labels = docstrings
    classifier = TextClassifier(epochs=8, learning_rate=0.005, verbose=False).fit(texts[:-60], labels[:-60])
    assert classifier.score(texts[-60:], labels[-60:]) > 0.85


def test_attention_learns_too():
    classifier = TextClassifier("attention", embedding_dim=8, units=8, epochs=40, learning_rate=0.02, verbose=False)
    assert classifier.fit(TEXTS, Y).predict(["a good, good day", "what a bad one"]).tolist() == ["+", "-"]


def test_own_preprocessor_is_not_touched():
    own = TextPreprocessor(max_tokens=6, stop_words=None)
    classifier = TextClassifier(preprocessor=own, **QUICK).fit(["a b c d e", "f g h i j"], [0, 1])
    assert not hasattr(own, "vocabulary_")
    assert len(classifier.preprocessor_.vocabulary_) == 6


def test_vocabulary_is_not_learned_from_what_is_held_out():
    texts = [f"word{n} good" if n % 2 else f"word{n} bad" for n in range(20)]
    classifier = TextClassifier(**QUICK, validation_fraction=0.5).fit(texts, [n % 2 for n in range(20)])
    words = [token for token in classifier.preprocessor_.vocabulary_ if token.startswith("word")]
    assert len(words) == 10


@pytest.mark.parametrize("architecture", ["average", "attention"])
def test_text_without_known_words_has_an_answer(architecture):
    classifier = TextClassifier(architecture, units=4, **QUICK).fit(["good film", "bad film"], [0, 1])
    assert np.isfinite(classifier.predict_proba(["", "zzz", "   "])).all()


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        ("one text", "texts in a list"),
        ([None, "b"], "a missing value, None, at index 0"),
        (["a", b"b"], "bytes at index 1"),
        ([3, 4], "int at index 0"),
        ([], "at least one text"),
        (["", " "], "token"),
    ],
)
def test_texts_errors(X, fault):
    with pytest.raises(InvalidValueError, match=fault):
        TextClassifier(**QUICK).fit(X, [0, 1][: len(X)])


def test_table_of_texts_errors():
    with pytest.raises(ShapeError, match="one column"):
        TextClassifier(**QUICK).fit(np.array([["a", "b"], ["c", "d"]]), [0, 1])


def test_unknown_architecture_errors():
    with pytest.raises(InvalidValueError, match="architecture"):
        TextClassifier("transformer", **QUICK).fit(["good", "bad"], [0, 1])
