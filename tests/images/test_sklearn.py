"""``ImagePreprocessor`` keeps scikit-learn's conventions.

Scikit-learn's own checks give an estimator tables. `OfTables` lets the preprocessor have them as images of one row,
and changes nothing else, so that the checks see its constructor, parameters, clones, state and errors.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from toolkit import data
from toolkit.images import Augment, ImagePreprocessor, find_images


class OfTables(ImagePreprocessor):
    """Takes a table (N, F) for N grey images of one row, its numbers squeezed into [0, 1]."""

    def fit(self, X, y=None):
        return super().fit(self._as_images(X, reset=True))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._as_images(X, reset=False))

    def _as_images(self, X, reset):
        table = validate_data(self, X, reset=reset, dtype=np.float64)
        return ((np.tanh(table) + 1) / 2)[:, np.newaxis, :, np.newaxis]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


# No check is excepted.
@parametrize_with_checks([OfTables(size=(3, 4)), OfTables(size=(3, 4), normalize="standard")])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_tags():
    tags = get_tags(ImagePreprocessor())
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert not tags.requires_fit
    assert get_tags(ImagePreprocessor(normalize="standard")).requires_fit
    assert not get_tags(ImagePreprocessor(normalize="standard", mean=(0,) * 3, std=(1,) * 3)).requires_fit


def test_clone_keeps_the_settings_and_nothing_learned(picture):
    fitted = ImagePreprocessor(augment=Augment(rotate=3), normalize="standard", source_colour="rgb").fit([picture])
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "mean_")


def test_pickled_it_does_the_same(picture):
    fitted = ImagePreprocessor(normalize="standard", source_colour="rgb").fit([picture])
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform([picture]), fitted.transform([picture]))


def test_it_works_in_a_pipeline_and_a_search(folder):
    images = find_images(folder)
    flatten = FunctionTransformer(lambda x: x.reshape(len(x), -1))
    pipeline = make_pipeline(ImagePreprocessor((4, 4)), flatten, LogisticRegression())
    paths = [str(path) for path in images.paths]
    search = GridSearchCV(
        pipeline, {"imagepreprocessor__size": [(4, 4), (6, 8)], "imagepreprocessor__colour": ["rgb", "grey"]}, cv=2
    )
    search.fit(paths, images.labels)
    assert search.score(paths, images.labels) == 1.0


def test_digits_from_pixels_to_a_score():
    d = data.load("mnist5k", scale=False)
    flatten = FunctionTransformer(lambda x: x.reshape(len(x), -1))
    pipeline = make_pipeline(ImagePreprocessor((14, 14), "grey"), flatten, LogisticRegression(max_iter=200))
    assert cross_val_score(pipeline, d.x_train[:600], d.y_train[:600], cv=3).mean() > 0.8


@pytest.mark.parametrize("name", ImagePreprocessor().get_params())
def test_every_parameter_can_be_set(name):
    preprocessor = ImagePreprocessor()
    marker = object()
    preprocessor.set_params(**{name: marker})
    assert getattr(preprocessor, name) is marker
