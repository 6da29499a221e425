"""Images: arrays, files or a folder of classes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import clone

from toolkit.errors import InvalidValueError
from toolkit.images import ImageFolder, ImagePreprocessor, find_images
from toolkit.models.classifiers._base import _PREDICTION_BATCH, NeuralClassifier
from toolkit.models.image_classifier import image_classifier

_MOST_BYTES_IN_MEMORY = 2**30


class ImageClassifier(NeuralClassifier):
    """A convolutional network for images: arrays, files, or a folder with one folder of images for each class.

    Images are brought to one size and one range by an ``ImagePreprocessor``; then follows ``models.image_classifier``.
    ``fit`` keeps them all in memory at that size. Where that would be more than 1 GiB it keeps their uint8 pixels, a
    quarter, and where that is too much it reads the files anew in each epoch; ``predict`` reads a few at a time.

    Args:
        size: height and width that every image is brought to.
        colour: "grey" for one channel, "rgb" for three.
        preprocessor: an ``ImagePreprocessor`` with more options (augmentation, crop, channel order of arrays …), of
            which a copy is fitted; it then decides ``size`` and ``colour``. None takes one with its defaults.
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
    ``(N, H, W, C)``; an ``ImageFolder``, or such a folder's path, of which ``fit`` and ``score`` need no labels.
    Arrays are uint8, or floats in [0, 1]; of arrays with three channels the preprocessor has to know the order:
    ``ImagePreprocessor(source_colour="rgb")``.

    Example:
        >>> black, white = np.zeros((9, 9), np.uint8), np.full((9, 9), 255, np.uint8)
        >>> model = ImageClassifier(size=(8, 8), filters=(4,), epochs=30, verbose=False)
        >>> model.fit([black, white], ["night", "day"]).predict([white // 2 + 100]).tolist()
        ['day']
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
        if self.preprocessor_.on_error != "raise":
            remedy = "Take the images out that cannot be read: preprocessor.fit(images).kept_ tells the others."
            raise InvalidValueError(self._where, 'a preprocessor with on_error="raise"', "another", remedy)
        self.preprocessor_.fit(X)

    def _transform_inputs(self, X: Sequence[Any] | np.ndarray) -> np.ndarray:
        return self.preprocessor_.transform(X)

    def _training_data(self, X: Sequence[Any] | np.ndarray, targets: np.ndarray) -> tuple:
        varies = self.preprocessor_.augment is not None or self.preprocessor_.resize == "random_crop"
        size = len(X) * math.prod(self.preprocessor_.output_shape)
        if not varies and 4 * size <= _MOST_BYTES_IN_MEMORY:
            return super()._training_data(X, targets)
        dataset = self.preprocessor_.dataset(
            X,
            targets,
            training=True,
            batch_size=self.batch_size,
            cache=size <= _MOST_BYTES_IN_MEMORY,
            first_epoch=int(self.model_.optimizer.iterations),  # in partial_fit, other changes than before
        )
        return (dataset,)

    def _batches(self, X: Sequence[Any] | np.ndarray) -> Iterator[np.ndarray]:
        return (self._transform_inputs(X[k : k + _PREDICTION_BATCH]) for k in range(0, len(X), _PREDICTION_BATCH))

    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        options = {"filters": tuple(self.filters), "hidden": tuple(self.hidden), "dropout": self.dropout}
        return image_classifier(sample_shape, classes, seed=self._seed, **options)

    def _inputs_state(self) -> Mapping[str, Any]:
        return {"preprocessor": self.preprocessor_.to_json(), "own": self.preprocessor is not None}

    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        self.preprocessor_ = ImagePreprocessor.from_json(state["preprocessor"])
        self.preprocessor = clone(self.preprocessor_) if state["own"] else None
        if self.preprocessor_.output_shape != self.sample_shape_:
            raise ValueError(f"images of shape {self.preprocessor_.output_shape}, not {self.sample_shape_}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # images, not tables
        tags.input_tags.three_d_array = True
        return tags
