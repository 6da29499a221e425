"""What scikit-learn expects of a classifier, for all four kinds of input."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from toolkit import training
from toolkit.errors import InvalidValueError
from toolkit.models import TabularClassifier

few_steps = pytest.mark.usefixtures("steps_run_by_python")


def test_learns_raw_input_and_string_labels(classifier, samples):
    X, y = samples
    assert classifier.fit(X, y) is classifier
    assert classifier.score(X, y) == 1.0
    assert classifier.classes_.tolist() == sorted(set(y.tolist()))
    probabilities = classifier.predict_proba(X[:5])
    assert probabilities.shape == (5, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert classifier.predict(X[:5]).dtype == classifier.classes_.dtype


@few_steps
def test_predict_leaves_everything_as_it_was(classifier, samples):
    X, y = samples
    classifier.set_params(epochs=1).fit(X, y)
    before = {key: copy.copy(value) for key, value in vars(classifier).items()}
    weights = classifier.model_.get_weights()
    classifier.predict(X)
    assert vars(classifier).keys() == before.keys()
    for ours, theirs in zip(classifier.model_.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@few_steps
def test_a_fit_that_stops_leaves_everything_as_it_was(classifier, samples, monkeypatch):
    X, y = samples

    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", stopped)
        for learn in (lambda: classifier.fit(X, y), lambda: classifier.partial_fit(X, y, classes=np.unique(y))):
            with pytest.raises(KeyboardInterrupt):
                learn()
            with pytest.raises(NotFittedError):
                classifier.predict(X)
    before = classifier.set_params(epochs=1).fit(X, y).predict_proba(X)
    monkeypatch.setattr(training, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X[:8], y[:8])
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


@few_steps
def test_order_and_number_of_samples_do_not_matter(classifier, samples):
    X, y = samples
    classifier.set_params(epochs=1).fit(X, y)
    all_at_once = classifier.predict_proba(X)
    one_by_one = np.concatenate([classifier.predict_proba(X[n : n + 1]) for n in range(4)])
    np.testing.assert_allclose(one_by_one, all_at_once[:4], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(X[::-1]), all_at_once[::-1], rtol=1e-4, atol=1e-6)


def test_one_seed_one_result_and_fit_starts_afresh(classifier, samples):
    X, y = samples
    first = classifier.set_params(epochs=2).fit(X, y).model_.get_weights()
    again = classifier.fit(X, y).model_.get_weights()
    other = clone(classifier).fit(X, y).model_.get_weights()
    different = clone(classifier).set_params(random_state=1).fit(X, y).model_.get_weights()
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert not np.array_equal(first[0], different[0])


@few_steps
def test_clone_keeps_settings_and_forgets_what_was_learned(classifier, samples):
    X, y = samples
    classifier.set_params(epochs=1).fit(X, y)
    twin = clone(classifier)
    assert twin.get_params().keys() == classifier.get_params().keys()
    with pytest.raises(NotFittedError):
        twin.predict(X)


@few_steps
def test_pickle_and_copy_predict_the_same(classifier, samples):
    X, y = samples
    expected = classifier.set_params(epochs=1).fit(X, y).predict_proba(X)
    for other in (pickle.loads(pickle.dumps(classifier)), copy.deepcopy(classifier)):
        np.testing.assert_array_equal(other.predict_proba(X), expected)


def test_cross_validation_and_search(classifier, samples):
    X, y = samples
    assert cross_val_score(classifier, X, y, cv=2).mean() > 0.8
    search = GridSearchCV(classifier.set_params(epochs=2), {"learning_rate": [0.02, 1e-6]}, cv=2).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.02}
    assert search.best_estimator_.predict(X[:2]).shape == (2,)


@few_steps
def test_last_step_of_a_pipeline(classifier, samples):
    X, y = samples
    pipeline = Pipeline([("raw", "passthrough"), ("network", classifier)])
    pipeline.set_params(network__epochs=1).fit(X, y)
    assert pipeline.predict(X[:3]).shape == (3,)


def test_partial_fit_goes_on_training(classifier, samples):
    X, y = samples
    classes = np.unique(y)
    classifier.partial_fit(X, y, classes=classes)
    first = classifier.model_.get_weights()[0].copy()
    for _ in range(25):
        classifier.partial_fit(X, y)
    assert not np.array_equal(classifier.model_.get_weights()[0], first)
    assert classifier.score(X, y) > 0.9


@few_steps
def test_partial_fit_knows_labels_that_have_not_come_yet(classifier, samples):
    X, y = samples
    few = np.flatnonzero(y == y[0])[:4]
    part = X[few] if isinstance(X, np.ndarray) else [X[n] for n in few]
    classifier.partial_fit(part, y[few], classes=np.unique(y))
    assert classifier.predict_proba(part).shape == (4, 2)


@few_steps
def test_partial_fit_errors(classifier, samples):
    X, y = samples
    with pytest.raises(InvalidValueError, match="classes at the first call"):
        classifier.partial_fit(X, y)
    classifier.partial_fit(X, y, classes=np.unique(y))
    with pytest.raises(InvalidValueError, match="the classes"):
        classifier.partial_fit(X, y, classes=np.array(["x", "y"]) if y.dtype.kind == "U" else [1, 2])
    with pytest.raises(InvalidValueError, match="labels of the classes"):
        classifier.partial_fit(X, np.array(["strange"] * len(y)) if y.dtype.kind == "U" else np.full(len(y), 99))


def test_bad_input_errors(classifier, samples):
    X, y = samples
    with pytest.raises(ValueError, match="inconsistent"):
        classifier.fit(X, y[:-1])
    with pytest.raises(ValueError, match="continuous"):
        classifier.fit(X, np.linspace(0, 1, len(y)))
    with pytest.raises(ValueError, match="y should be a 1d array"):
        classifier.fit(X, np.stack([y, y], axis=1))
    with pytest.raises(NotFittedError):
        clone(classifier).predict(X)


@few_steps
def test_series_of_labels_and_whole_numbers(classifier, samples):
    X, y = samples
    numbers = pd.Series(np.where(y == y[0], 5, -2))
    classifier.set_params(epochs=1).fit(X, numbers)
    assert classifier.classes_.tolist() == [-2, 5]
    assert set(classifier.predict(X).tolist()) <= {-2, 5}


def test_one_class_errors(classifier, samples):
    X, y = samples
    with pytest.raises(InvalidValueError, match="at least two classes"):
        classifier.fit(X, np.full(len(y), "only"))
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_held_out_share_stops_training(classifier, samples):
    X, y = samples
    # A rate of zero changes nothing, so that no epoch is better than the first.
    classifier.set_params(epochs=40, validation_fraction=0.25, patience=2, learning_rate=0.0).fit(X, y)
    assert "val_loss" in classifier.history_.history
    assert classifier.history_.epochs == 3


# ------------------------------------------------------------------ what does not depend on the kind of input


@pytest.fixture
def quick():
    return TabularClassifier((4,), epochs=1, verbose=False)


X, Y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 3


@few_steps
@pytest.mark.parametrize(
    "labels",
    [
        np.array(["b", "ä", "c"]),
        np.array(["b", "a", "c"], dtype=object),
        np.array([-5, 100, 7], dtype=np.int16),
        np.array([False, True, True]),
        np.array([1.0, 2.0, 5.0]),
        pd.array(["b", "a", "c"], dtype="str"),
    ],
    ids=["text", "objects", "whole", "truth", "floats", "pandas"],
)
def test_labels_come_back_as_they_were_given(quick, labels, tmp_path):
    quick.fit(X, labels[Y])
    assert quick.classes_.tolist() == sorted(set(labels.tolist()))
    quick.save(tmp_path / "classifier.zip")
    loaded = TabularClassifier.load(tmp_path / "classifier.zip")
    assert loaded.classes_.tolist() == quick.classes_.tolist()
    assert loaded.predict(X).dtype == quick.predict(X).dtype == quick.classes_.dtype


def test_rare_class_is_a_class_too(quick):
    y = np.array([0] * 11 + [9])
    assert quick.fit(X, y).predict_proba(X).shape == (12, 2)


def test_a_column_of_labels_is_taken_with_a_warning(quick):
    with pytest.warns(DataConversionWarning, match="column-vector"):
        quick.fit(X, Y[:, np.newaxis])


def test_one_sample_for_partial_fit(quick):
    assert quick.partial_fit(X[:1], Y[:1], classes=[0, 1, 2]).predict(X[:1]).shape == (1,)


def test_the_model_is_compiled_once(quick):
    """The second prediction finds its model compiled."""
    quick.fit(X, Y).predict(X)
    forward = vars(quick.model_)["_forward"]
    quick.predict(np.concatenate([X, X]))
    assert vars(quick.model_)["_forward"] is forward


def test_more_samples_than_one_batch_of_predictions(quick):
    many = np.random.default_rng(1).normal(size=(600, 3))
    quick.fit(X, Y)
    np.testing.assert_allclose(quick.predict_proba(many)[550:], quick.predict_proba(many[550:]), rtol=1e-5)


def test_random_state_draws_from_a_generator(quick):
    def weights(random_state):
        return clone(quick).set_params(random_state=random_state).fit(X, Y).model_.get_weights()[0]

    np.testing.assert_array_equal(weights(np.random.RandomState(3)), weights(np.random.RandomState(3)))
    assert not np.array_equal(weights(None), weights(None))


def test_each_partial_fit_has_an_order_of_its_own(quick, monkeypatch):
    seeds = []
    original = training.fit

    def fit(*args, **options):
        seeds.append(options["seed"])
        return original(*args, **options)

    monkeypatch.setattr(training, "fit", fit)
    for _ in range(3):
        quick.partial_fit(X, Y, classes=[0, 1, 2])
    assert len(set(seeds)) == 3


def test_partial_fit_holds_nothing_out(quick):
    quick.set_params(validation_fraction=0.5, patience=1)
    quick.partial_fit(X[:2], Y[:2], classes=[0, 1, 2])
    assert "val_loss" not in quick.history_.history


def test_settings_stay_as_they_were_given(quick):
    hidden = [4]
    assert clone(quick).set_params(hidden=hidden).fit(X, Y).hidden is hidden
