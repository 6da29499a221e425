"""``TextPreprocessor`` keeps scikit-learn's conventions.

Scikit-learn's own checks give an estimator tables, and refuse to test one of texts. `OfTables` lets the preprocessor
have a row of numbers as a text of as many words, and changes nothing else, so that the checks see its constructor,
parameters, clones, state and errors.
"""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from toolkit.text import TextPreprocessor

TEXTS = ["good film", "a good story", "very good acting", "bad film", "a bad story", "very bad acting"] * 4
LABELS = ["good", "good", "good", "bad", "bad", "bad"] * 4


class OfTables(TextPreprocessor):
    """Takes a table (N, F) for N texts of F words: a column's letter and the number, rounded."""

    def fit(self, X, y=None):
        return super().fit(self._as_texts(X, reset=True))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._as_texts(X, reset=False))

    def fit_transform(self, X, y=None):
        return super().fit_transform(self._as_texts(X, reset=True))

    def _as_texts(self, X, reset):
        table = validate_data(self, X, reset=reset, dtype=np.float64)
        return [" ".join(f"column{k}is{value:.0f}" for k, value in enumerate(row)) for row in table]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = False
        return tags


# No check is excepted.
@parametrize_with_checks([OfTables(), OfTables(max_tokens=None, sequence_length=4, stop_words=None, stemmer=None)])
def test_scikit_learns_checks_on_tables(estimator, check):
    check(estimator)


def test_tags():
    tags = get_tags(TextPreprocessor())
    assert tags.input_tags.one_d_array
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert not tags.target_tags.required
    assert tags.transformer_tags.preserves_dtype == []
    assert tags.requires_fit


@pytest.mark.parametrize("name", TextPreprocessor().get_params())
def test_every_parameter_can_be_set(name):
    marker = object()
    assert getattr(TextPreprocessor().set_params(**{name: marker}), name) is marker
    assert getattr(TextPreprocessor(**{name: marker}), name) is marker


def test_parameters_that_are_none_are_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'stopwords'"):
        TextPreprocessor().set_params(stopwords=None)


def test_fit_returns_itself_and_changes_no_parameter():
    words = ["the", "a"]
    preprocessor = TextPreprocessor(stop_words=words, max_tokens=np.int64(100))
    before = preprocessor.get_params()
    assert preprocessor.fit(TEXTS) is preprocessor
    assert preprocessor.get_params() == before
    assert preprocessor.stop_words is words
    assert words == ["the", "a"]


def test_clone_keeps_the_settings_and_nothing_learned():
    fitted = TextPreprocessor(100, stop_words=["the"], padding="pre", processes=2).fit(TEXTS)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(TEXTS)
    assert not [name for name in vars(copy) if name.endswith("_") or name.startswith("_")]


@pytest.mark.parametrize("options", [{}, {"stop_words": ["good"], "stemmer": "snowball"}])
def test_pickled_it_does_the_same(options):
    fitted = TextPreprocessor(**options).fit(TEXTS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(TEXTS), fitted.transform(TEXTS))
    assert again.to_json() == fitted.to_json()


def test_fit_transform_is_fit_and_transform():
    one, two = TextPreprocessor(), TextPreprocessor()
    np.testing.assert_array_equal(one.fit_transform(TEXTS), two.fit(TEXTS).transform(TEXTS))
    assert one.to_json() == two.to_json()


def test_fit_again_forgets_the_first_texts():
    again = TextPreprocessor().fit(["entirely other words"]).fit(TEXTS)
    assert again.to_json() == TextPreprocessor().fit(TEXTS).to_json()
    assert again.fit(TEXTS).to_json() == again.to_json()


def test_transform_changes_nothing():
    fitted = TextPreprocessor().fit(TEXTS)
    before, ids = fitted.to_json(), fitted.transform(TEXTS)
    texts = ["never seen", *TEXTS]
    given = list(texts)
    fitted.transform(texts)
    fitted.preprocess("never seen")
    assert texts == given
    assert fitted.to_json() == before
    np.testing.assert_array_equal(fitted.transform(TEXTS), ids)


def test_each_text_is_transformed_by_itself():
    fitted = TextPreprocessor().fit(TEXTS)
    whole = fitted.transform(TEXTS)
    np.testing.assert_array_equal(np.concatenate([fitted.transform([text]) for text in TEXTS]), whole)
    np.testing.assert_array_equal(fitted.transform(TEXTS[::-1]), whole[::-1])


def test_names_of_features_and_data_frames():
    fitted = TextPreprocessor(sequence_length=3).fit(TEXTS)
    names = ["textpreprocessor0", "textpreprocessor1", "textpreprocessor2"]
    assert fitted.get_feature_names_out().tolist() == names
    texts = pd.Series(TEXTS, index=range(100, 100 + len(TEXTS)))
    frame = fitted.set_output(transform="pandas").transform(texts)
    assert frame.columns.tolist() == names
    assert frame.index.tolist() == texts.index.tolist()
    assert fitted.inverse_transform(frame)[:2] == ["good film", "good stori"]


def test_it_is_shown_with_what_was_set():
    assert repr(TextPreprocessor(stemmer="snowball")) == "TextPreprocessor(stemmer='snowball')"


def test_it_works_in_a_pipeline_and_a_search():
    pipeline = make_pipeline(TextPreprocessor(), ExtraTreesClassifier(n_estimators=20, random_state=0))
    assert pipeline.fit(TEXTS, LABELS).predict(["a good one", "a bad one"]).tolist() == ["good", "bad"]
    search = GridSearchCV(
        pipeline, {"textpreprocessor__stemmer": ["porter", None], "textpreprocessor__sequence_length": [2, 3]}, cv=2
    )
    search.fit(np.array(TEXTS), LABELS)
    assert search.score(TEXTS, LABELS) == 1.0
    assert cross_val_score(pipeline, TEXTS, LABELS, cv=3).mean() == 1.0


def test_it_takes_one_column_of_a_table():
    table = pd.DataFrame({"text": TEXTS, "stars": np.arange(len(TEXTS))})
    columns = ColumnTransformer([("ids", TextPreprocessor(sequence_length=3), "text")], remainder="passthrough")
    assert columns.fit_transform(table).shape == (len(TEXTS), 4)


def test_its_tokens_go_into_a_tfidf():
    pipeline = make_pipeline(TfidfVectorizer(analyzer=TextPreprocessor().tokens), LogisticRegression())
    assert pipeline.fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1.0
    assert "stori" in pipeline[0].vocabulary_
