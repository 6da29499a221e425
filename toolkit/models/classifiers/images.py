"""Images: arrays, files or a folder of classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from toolkit.errors import InvalidValueError
from toolkit.images import ImageFolder, ImagePreprocessor, find_images
from toolkit.models.classifiers._base import NeuralClassifier
from toolkit.models.image_classifier import image_classifier


class ImageClassifier(NeuralClassifier):
    """A convolutional network for images: arrays, files, or a folder with one folder of images for each class.

    Images are brought to one size and one range by an ``ImagePreprocessor``; then follows ``models.image_classifier``.

    Args:
        size: height and width that every image is brought to.
        colour: "grey" for one channel, "rgb" for three.
        preprocessor: an ``ImagePreprocessor`` with more options (crop, letterbox, channel order of arrays …), of which
            a copy is fitted; it then decides ``size`` and ``colour``. None takes one with its defaults.
        filters: of each convolution; each is followed by pooling, which halves the image.
        hidden: units of dense layers after the convolutions.
        dropout: share of the features dropped in training.
        epochs: how many times ``fit`` goes through the data.
        batch_size: samples per step.
        learning_rate: α of Adam.
        validation_fraction: share of the data, equal in each class, held out to watch; 0 holds out nothing.
        patience: stop after so many epochs without improvement and go back to the best one; None never stops.
        random_state: fixes weights, batches and dropout: a whole number or a RandomState; None draws new ones.
        verbose: as for ``training.fit``: None shows progress in runs over two seconds.

    ``X`` is a list of paths, of arrays ``(H, W)`` or ``(H, W, C)``, or of both; one array ``(N, H, W)`` or
    ``(N, H, W, C)``; or an ``ImageFolder``. ``fit`` and ``score`` also take the folder's path alone and find the
    labels in it. Arrays are uint8, or floats in [0, 1]; of arrays with three channels the preprocessor has to know
    the order: ``ImagePreprocessor(source_colour="rgb")``.
    """

    def __init__(
        self,
        size: tuple[int, int] = (28, 28),
        colour: str = "grey",
        *,
        preprocessor: ImagePreprocessor | None = None,
        filters: Sequence[int] = (32, 64),
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | None = None,
    ) -> None:
        self.size = size
        self.colour = colour
        self.preprocessor = preprocessor
        self.filters = filters
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """As for all classifiers; ``y`` is left out where ``X`` is a folder of classes, whose names are the labels."""
        return super().fit(*self._with_labels(X, y))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of right answers; ``y`` is left out where ``X`` is a folder of classes."""
        return super().score(*self._with_labels(X, y), sample_weight)

    def _with_labels(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Images and their labels, from a folder where ``y`` does not say them."""
        if isinstance(X, str | os.PathLike):
            X = find_images(X)
        if y is None and isinstance(X, ImageFolder):
            y = np.array(X.classes)[X.labels]
        return X, y

    def _check_inputs(self, X: Any, *, reset: bool) -> Sequence[Any] | np.ndarray:
        if isinstance(X, str | os.PathLike):
            X = find_images(X)
        if isinstance(X, ImageFolder):
            X = X.paths
        if not isinstance(X, list | tuple | np.ndarray):
            X = list(X)
        if len(X) == 0:
            raise InvalidValueError(self._where, "at least one image", "0 sample(s)")
        return X

    def _fit_inputs(self, X: Sequence[Any] | np.ndarray) -> None:
        if self.preprocessor is None:
            self.preprocessor_ = ImagePreprocessor(size=self.size, colour=self.colour)
        else:
            self.preprocessor_ = clone(self.preprocessor)
        if self.preprocessor_.on_error != "raise" or self.preprocessor_.augment is not None:
            raise InvalidValueError(
                self._where,
                'a preprocessor with on_error="raise" and without augment',
                repr(self.preprocessor_),
                "To skip files or to augment, train model_ on preprocessor.dataset(…) with training.fit.",
            )
        self.preprocessor_.fit(X)

    def _transform_inputs(self, X: Sequence[Any] | np.ndarray) -> np.ndarray:
        check_is_fitted(self, "preprocessor_")
        return self.preprocessor_.transform(X)

    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        options = {"filters": tuple(self.filters), "hidden": tuple(self.hidden), "dropout": self.dropout}
        return image_classifier(sample_shape, classes, seed=self._seed, **options)

    def _inputs_state(self) -> Mapping[str, Any]:
        return {"preprocessor": self.preprocessor_.to_json()}

    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        self.preprocessor_ = ImagePreprocessor.from_json(state["preprocessor"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # images, not tables
        tags.input_tags.three_d_array = True
        return tags
