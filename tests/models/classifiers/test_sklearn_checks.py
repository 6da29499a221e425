"""scikit-learn's own checks of estimators.

The checks know tables only and skip whatever takes texts or images. So two adapters turn their tables into texts and
images on the way in; everything behind that, the whole protocol, is the classifier's own.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data

from toolkit.models import ImageClassifier, SequenceClassifier, TabularClassifier, TextClassifier
from toolkit.models.classifiers import NeuralClassifier


class TableAsTexts(TextClassifier):
    """Each number becomes a word of its column and its tenth: ``column3x12``."""

    def _check_inputs(self, X, *, reset):
        X = validate_data(self, X, reset=reset)
        texts = [" ".join(f"column{d}x{int(10 * value)}" for d, value in enumerate(row)) for row in X]
        return super()._check_inputs(texts, reset=reset)

    def __sklearn_tags__(self):
        return NeuralClassifier.__sklearn_tags__(self)


class TableAsImages(ImageClassifier):
    """Each row becomes a grey image of one row of pixels, repeated."""

    def _check_inputs(self, X, *, reset):
        X = np.asarray(validate_data(self, X, reset=reset), dtype=np.float64)
        pixels = 1 / (1 + np.exp(-np.clip(X, -50, 50)))
        return super()._check_inputs(np.repeat(pixels[:, np.newaxis], 8, axis=1)[..., np.newaxis], reset=reset)

    def __sklearn_tags__(self):
        return NeuralClassifier.__sklearn_tags__(self)


QUICK = {"epochs": 1, "verbose": False}


# No check is excepted.
@pytest.mark.usefixtures("steps_run_by_python")
@parametrize_with_checks(
    [
        TabularClassifier((8,), **QUICK),
        SequenceClassifier((4,), **QUICK),
        TableAsImages((8, 8), filters=(2,), **QUICK),
        TableAsTexts(embedding_dim=4, hidden=(4,), **QUICK),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
