from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_iris, load_wine

from toolkit.models import TabularClassifier

QUICK = {"epochs": 1, "verbose": False}


@pytest.mark.parametrize(("load", "least"), [(load_iris, 0.93), (load_wine, 0.93)])
def test_it_learns_real_tables(load, least):
    X, y = load(return_X_y=True, as_frame=True)
    classifier = TabularClassifier(verbose=False).fit(X[::2], y[::2])
    assert classifier.score(X[1::2], y[1::2]) >= least
    assert classifier.feature_names_in_.tolist() == list(X.columns)


def test_scaled_columns_match_hand_example():
    X = np.array([[1.0, 5.0], [3.0, 5.0]])
    classifier = TabularClassifier((4,), **QUICK).fit(X, [0, 1])
    np.testing.assert_array_equal(classifier._transform_inputs(X), [[-1, 0], [1, 0]])


def test_units_of_the_columns_do_not_matter():
    X, y = load_iris(return_X_y=True)
    in_other_units = X * [1000, 0.001, 1, 25.4] + [0, 0, 273.15, 0]
    first = TabularClassifier((4,), epochs=3, verbose=False).fit(X, y).predict_proba(X)
    other = TabularClassifier((4,), epochs=3, verbose=False).fit(in_other_units, y).predict_proba(in_other_units)
    np.testing.assert_allclose(first, other, atol=1e-4)


def test_columns_of_other_names_or_number_errors():
    X, y = load_iris(return_X_y=True, as_frame=True)
    classifier = TabularClassifier((4,), **QUICK).fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(X[X.columns[::-1]])
    with pytest.warns(UserWarning, match="feature names"), pytest.raises(ValueError, match="expecting 4 features"):
        classifier.predict(X.to_numpy()[:, :2])


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        (scipy.sparse.eye_array(4).tocsr(), "Sparse data"),
        (np.array([[1.0], [np.nan], [1.0], [2.0]]), "NaN"),
        (np.array([[1.0], [np.inf], [1.0], [2.0]]), "infinity"),
        (np.zeros((4, 2, 2)), "dim 3"),
        (np.zeros((4, 0)), "0 feature"),
        (np.zeros(4), "Reshape your data"),
        ([["a"]] * 4, "numeric values"),
    ],
)
def test_table_errors(X, fault):
    with pytest.raises((TypeError, ValueError), match=fault):
        TabularClassifier((4,), **QUICK).fit(X, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ({"hidden": (0,)}, "sizes as positive integers"),
        ({"dropout": 1.5}, "rate"),
        ({"epochs": 0}, "epochs as a positive integer"),
        ({"batch_size": 0}, "batch_size as a positive integer"),
        ({"validation_fraction": 2.0}, "validation_fraction"),
        ({"patience": 0}, "patience as a positive integer"),
        ({"random_state": "chance"}, "'chance' cannot be used to seed"),
    ],
)
def test_setting_errors(setting, fault):
    with pytest.raises(ValueError, match=fault):
        TabularClassifier(**{"hidden": (4,), "verbose": False} | setting).fit(np.eye(6), [0, 1, 0, 1, 0, 1])
