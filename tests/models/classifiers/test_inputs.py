"""What each classifier takes, and what it refuses."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.datasets import load_iris

from toolkit import data
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.images import ImagePreprocessor
from toolkit.models import ImageClassifier, SequenceClassifier, TabularClassifier, TextClassifier
from toolkit.text import TextPreprocessor

QUICK = {"epochs": 1, "verbose": False}


def test_builders_alone_import_no_preprocessing():
    code = (
        "import sys, toolkit.models as m; m.mlp(4, (3,), 2); "
        "print([name for name in ('sklearn', 'nltk', 'cv2') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# ------------------------------------------------------------------ tables


def test_table_learns_iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    classifier = TabularClassifier(epochs=30, verbose=False).fit(X[::2], y[::2])
    assert classifier.score(X[1::2], y[1::2]) > 0.9
    assert classifier.feature_names_in_.tolist() == list(X.columns)


def test_table_column_that_never_changes_is_harmless():
    X = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    classifier = TabularClassifier((4,), **QUICK).fit(X, [0, 0, 1, 1])
    assert np.isfinite(classifier.predict_proba(X)).all()


@pytest.mark.parametrize(
    "bad", [scipy.sparse.eye(4).tocsr(), np.full((4, 2), np.nan), np.zeros((4, 2, 2)), [["a"]] * 4]
)
def test_table_errors(bad):
    with pytest.raises((TypeError, ValueError)):
        TabularClassifier((4,), **QUICK).fit(bad, [0, 1, 0, 1])


# ------------------------------------------------------------------ sequences


def test_sequences_padded_masked_or_in_a_list_are_the_same():
    rng = np.random.default_rng(0)
    lengths = [3, 5, 4, 2]
    ragged = [rng.normal(size=(n, 2)) for n in lengths]
    padded = np.full((4, 5, 2), -99.0)
    for row, x in zip(padded, ragged):
        row[: len(x)] = x
    y = [0, 1, 0, 1]
    first = SequenceClassifier((4,), **QUICK).fit(ragged, y)
    second = SequenceClassifier((4,), mask_value=-99.0, **QUICK).fit(padded, y)
    np.testing.assert_array_equal(first.predict_proba(ragged), second.predict_proba(padded))
    longer = np.pad(padded, [(0, 0), (0, 3), (0, 0)], constant_values=-99.0)
    np.testing.assert_allclose(second.predict_proba(longer), second.predict_proba(padded), rtol=1e-5)


def test_sequences_learn_japanese_vowels():
    vowels = data.load("japanese_vowels")
    classifier = SequenceClassifier((32,), mask_value=0.0, epochs=15, learning_rate=0.005, verbose=False)
    classifier.fit(vowels.x_train, vowels.y_train)
    assert classifier.score(vowels.x_test, vowels.y_test) > 0.85


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 3, 2, 2)), np.full((4, 3, 2), np.nan), [np.zeros((3, 2)), np.zeros((3, 1))] * 2]
)
def test_sequences_errors(bad):
    with pytest.raises((ShapeError, ValueError)):
        SequenceClassifier((4,), **QUICK).fit(bad, [0, 1, 0, 1])


def test_sequences_of_other_channels_errors():
    classifier = SequenceClassifier((4,), **QUICK).fit(np.random.default_rng(0).normal(size=(4, 3, 2)), [0, 1, 0, 1])
    with pytest.raises(ShapeError, match="2 channels"):
        classifier.predict(np.zeros((1, 3, 5)))


# ------------------------------------------------------------------ images


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 0), ("red", 2)):  # OpenCV writes BGR
        (tmp_path / name).mkdir()
        for k in range(6):
            image = rng.integers(0, 40, (10 + k, 12, 3), dtype=np.uint8)
            image[..., channel] += 200
            cv2.imwrite(str(tmp_path / name / f"{k}.png"), image)
    return tmp_path


def test_folder_of_classes_gives_its_own_labels(folder):
    classifier = ImageClassifier((8, 8), "rgb", filters=(4,), epochs=20, learning_rate=0.02, verbose=False)
    assert classifier.fit(folder).score(folder) == 1.0
    assert classifier.classes_.tolist() == ["blue", "red"]
    paths = [folder / "red" / "0.png", folder / "blue" / "3.png"]
    assert classifier.predict(paths).tolist() == ["red", "blue"]
    assert classifier.predict([str(path) for path in paths]).tolist() == ["red", "blue"]


def test_colour_arrays_need_their_channel_order(folder):
    x = np.zeros((4, 8, 8, 3), np.uint8)
    with pytest.raises(InvalidValueError, match="source_colour"):
        ImageClassifier((8, 8), "rgb", filters=(2,), **QUICK).fit(x, [0, 1, 0, 1])
    known = ImagePreprocessor(size=(8, 8), source_colour="rgb")
    ImageClassifier(preprocessor=known, filters=(2,), **QUICK).fit(x, [0, 1, 0, 1])


def test_images_learn_digits():
    digits = data.load("digits")
    classifier = ImageClassifier((8, 8), filters=(16, 32), epochs=8, verbose=False)
    assert classifier.fit(digits.x_train, digits.y_train).score(digits.x_test, digits.y_test) > 0.9


def test_images_errors(folder, tmp_path):
    classifier = ImageClassifier((8, 8), filters=(2,), **QUICK)
    with pytest.raises(InvalidValueError, match="at least one image"):
        classifier.fit([], [])
    (folder / "red" / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png"):
        classifier.fit(folder)
    skipping = ImagePreprocessor(size=(8, 8), on_error="skip")
    with pytest.raises(InvalidValueError, match="on_error"):
        ImageClassifier(preprocessor=skipping, **QUICK).fit(np.zeros((2, 8, 8), np.uint8), [0, 1])


# ------------------------------------------------------------------ texts


def test_texts_come_as_list_array_series_or_generator():
    texts, y = ["good film", "bad film", "good story", "bad story"], ["+", "-", "+", "-"]
    expected = TextClassifier(embedding_dim=4, **QUICK).fit(texts, y).predict_proba(texts)
    for other in (tuple(texts), np.array(texts), pd.Series(texts), (text for text in texts)):
        probabilities = TextClassifier(embedding_dim=4, **QUICK).fit(other, y).predict_proba(texts)
        np.testing.assert_array_equal(probabilities, expected)


def test_texts_learn_docstrings(corpus_of_docstrings):
    texts, labels = corpus_of_docstrings
    classifier = TextClassifier(epochs=8, learning_rate=0.005, verbose=False).fit(texts[:-40], labels[:-40])
    assert classifier.score(texts[-40:], labels[-40:]) > 0.75


def test_own_preprocessor_is_not_touched():
    own = TextPreprocessor(max_tokens=6, stop_words=None)
    classifier = TextClassifier(preprocessor=own, **QUICK).fit(["a b c d e", "f g h i j"], [0, 1])
    assert not hasattr(own, "vocabulary_")
    assert len(classifier.preprocessor_.vocabulary_) == 6


@pytest.mark.parametrize(
    ("X", "fault"),
    [("one text", "texts in a list"), ([None, "b"], "None"), ([b"a", b"b"], "bytes"), ([3, 4], "int"), ([], "")],
)
def test_texts_errors(X, fault):
    with pytest.raises(ValueError, match=fault):
        TextClassifier(**QUICK).fit(X, [0, 1][: len(X)])


def test_unknown_architecture_errors():
    with pytest.raises(InvalidValueError, match="architecture"):
        TextClassifier("transformer", **QUICK).fit(["good", "bad"], [0, 1])


@pytest.mark.parametrize("architecture", ["average", "attention"])
def test_text_without_known_words_has_an_answer(architecture):
    classifier = TextClassifier(architecture, embedding_dim=4, units=4, **QUICK).fit(["good film", "bad film"], [0, 1])
    assert np.isfinite(classifier.predict_proba(["", "zzz", "   "])).all()
