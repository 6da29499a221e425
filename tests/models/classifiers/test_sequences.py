from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from toolkit import data
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models import SequenceClassifier

QUICK = {"epochs": 1, "verbose": False}
Y = [0, 1, 0, 1]


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in (3, 5, 4, 2)]


def padded(ragged, value, length=5):
    X = np.full((len(ragged), length, ragged[0].shape[1]), value)
    for row, x in zip(X, ragged):
        row[: len(x)] = x
    return X


def test_a_list_and_a_padded_array_are_the_same(ragged):
    first = SequenceClassifier((4,), **QUICK).fit(ragged, Y)
    second = SequenceClassifier((4,), mask_value=-99.0, **QUICK).fit(padded(ragged, -99.0), Y)
    expected = first.predict_proba(ragged)
    np.testing.assert_array_equal(second.predict_proba(padded(ragged, -99.0)), expected)
    # Neither the padding's length nor what a batch holds beside a sequence changes its answer.
    np.testing.assert_allclose(second.predict_proba(padded(ragged, -99.0, length=9)), expected, rtol=1e-5)
    np.testing.assert_allclose(first.predict_proba(ragged[:1]), expected[:1], rtol=1e-5)


def test_padding_does_not_count_in_the_scale(ragged):
    classifier = SequenceClassifier((4,), **QUICK).fit(ragged, Y)
    steps = np.concatenate(ragged)
    np.testing.assert_allclose(classifier.scaler_.mean_, steps.mean(axis=0))
    np.testing.assert_allclose(classifier.scaler_.scale_, steps.std(axis=0))


def test_a_table_is_series_of_one_channel():
    X = np.random.default_rng(0).normal(size=(4, 6))
    table = SequenceClassifier((4,), **QUICK).fit(X, Y)
    series = SequenceClassifier((4,), **QUICK).fit(X[..., np.newaxis], Y)
    np.testing.assert_array_equal(table.predict_proba(X), series.predict_proba(X[..., np.newaxis]))
    assert table.n_features_in_ == 6


def test_a_list_of_objects_survives_cross_validation(ragged):
    X = np.empty(4, object)
    X[:] = ragged
    classifier = SequenceClassifier((4,), **QUICK)
    expected = clone(classifier).fit(ragged, Y).predict_proba(ragged)
    np.testing.assert_array_equal(classifier.fit(X, Y).predict_proba(X), expected)


def test_it_learns_japanese_vowels():
    vowels = data.load("japanese_vowels")
    classifier = SequenceClassifier((32,), mask_value=0.0, epochs=15, learning_rate=0.005, verbose=False)
    names = np.array(vowels.classes)
    classifier.fit(vowels.x_train, names[vowels.y_train])
    assert classifier.score(vowels.x_test, names[vowels.y_test]) > 0.85


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        (np.zeros((4, 3, 2, 2)), r"\(N, T, D\)"),
        (np.zeros(4), "Reshape your data"),
        (np.full((4, 3, 2), np.nan), "NaN"),
        ([np.zeros((3, 2)), np.full((2, 2), np.nan)] * 2, r"X\[1\] contains NaN"),
        ([np.zeros((3, 2)), np.zeros((3, 1))] * 2, "the same D"),
        ([np.zeros((3, 2)), np.zeros((0, 2))] * 2, "0 sample"),
        ([[1.0, 2.0], [1.0]] * 2, "inhomogeneous"),
    ],
)
def test_sequences_errors(X, fault):
    with pytest.raises(ValueError, match=fault):
        SequenceClassifier((4,), **QUICK).fit(X, Y)


def test_sequence_of_padding_alone_errors(ragged):
    X = padded(ragged, -99.0)
    X[2] = -99.0
    with pytest.raises(InvalidValueError, match=r"none in X\[2\]"):
        SequenceClassifier((4,), mask_value=-99.0, **QUICK).fit(X, Y)


def test_sequences_unlike_those_of_fit_errors(ragged):
    X = np.random.default_rng(0).normal(size=(4, 3, 2))
    classifier = SequenceClassifier((4,), **QUICK).fit(X, Y)
    with pytest.raises(ShapeError, match="2 channels"):
        classifier.predict(X[..., :1])
    with pytest.raises(ShapeError, match="3 time steps"):
        classifier.predict(X[:, :2])
    with pytest.raises(ShapeError, match="several lengths"):
        classifier.predict(ragged)
