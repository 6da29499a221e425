"""What the four classifiers share: labels, training, prediction, saving.

Keras's own wrapper, ``keras.wrappers.SKLearnClassifier``, was not enough: it has neither ``predict_proba`` nor
``partial_fit``, its clones forget ``fit_kwargs``, it counts as non-deterministic, and it takes numeric tables only, no
texts, files or sequences.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from toolkit import training
from toolkit.argument_checks import check_share
from toolkit.errors import InvalidValueError

_PREDICTION_BATCH = 256


class NeuralClassifier(ClassifierMixin, BaseEstimator):
    """Base of the classifiers: a preprocessing, a Keras model, and scikit-learn's interface around both.

    A subclass says how raw input is checked, turned into the model's arrays, and which model is built.

    Attributes:
        classes_: the labels that ``fit`` met, ``(C,)``, sorted; column k of the probabilities is ``classes_[k]``'s.
        model_: the trained ``keras.Model``, a plain one: take it out and use it wherever Keras is used.
        history_: what the last call of ``fit`` or ``partial_fit`` measured, a ``training.History``.
        sample_shape_: the shape of one sample as the model takes it.
    """

    # ------------------------------------------------------------------ what a subclass says

    @abstractmethod
    def _check_inputs(self, X: Any, *, reset: bool) -> Any:
        """``X``, checked; ``reset`` is True in ``fit``, where its shape may still be learned."""

    @abstractmethod
    def _fit_inputs(self, X: Any) -> None:
        """Learns the preprocessing (vocabulary, scale) from checked inputs."""

    @abstractmethod
    def _transform_inputs(self, X: Any) -> np.ndarray:
        """The model's input for checked inputs."""

    def _training_data(self, X: Any, targets: np.ndarray) -> tuple:
        """What ``training.fit`` trains on: arrays ``(x, y)``, or a tuple with a ``tf.data.Dataset`` alone."""
        return self._transform_inputs(X), targets

    def _batches(self, X: Any) -> Iterator[np.ndarray]:
        """The model's input for checked inputs, batch by batch."""
        inputs = self._transform_inputs(X)
        return (inputs[k : k + _PREDICTION_BATCH] for k in range(0, len(inputs), _PREDICTION_BATCH))

    @abstractmethod
    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        """An untrained model for samples of ``sample_shape``."""

    @abstractmethod
    def _inputs_state(self) -> Mapping[str, Any]:
        """What ``_fit_inputs`` has learned, for JSON."""

    @abstractmethod
    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        """The reverse of ``_inputs_state``; ``sample_shape_`` is there. Raises ValueError if they do not fit."""

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any) -> Self:
        """Learns the preprocessing, builds a model and trains it; whatever was learned before is forgotten.

        If it fails or is interrupted, the classifier is as it was before.

        Args:
            X: N raw inputs; the class says of which kind.
            y: N labels: strings or whole numbers.

        Raises:
            InvalidValueError: an option is out of range.
            ValueError: what scikit-learn demands of classifiers is broken: N differs, y is not discrete, X holds NaN.
        """
        with self._as_before_if_it_fails():
            X = self._check_inputs(X, reset=True)
            y = self._check_labels(X, y)
            check_share(self._where, "validation_fraction", self.validation_fraction)
            classes, held_out = np.unique(y), None
            if self.validation_fraction:
                X, X_held_out, y, y_held_out = train_test_split(
                    X, y, test_size=self.validation_fraction, stratify=y, random_state=self.random_state
                )
                held_out = X_held_out, y_held_out
            self._begin(X, classes)
            return self._train(X, y, epochs=self.epochs, patience=self.patience, held_out=held_out)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Trains one epoch more, on data that come piece by piece; nothing is held out.

        The first call learns the preprocessing (vocabulary, scale) from its piece and builds the model.

        Args:
            X: raw inputs, as for ``fit``.
            y: their labels.
            classes: all labels that will ever come; needed at the first call, checked at later ones.

        Raises:
            ValueError: ``classes`` is missing at the first call or differs later, or ``y`` holds another label.
        """
        with self._as_before_if_it_fails():
            first = not hasattr(self, "model_")
            X = self._check_inputs(X, reset=first)
            y = self._check_labels(X, y)
            if first:
                if classes is None:
                    raise InvalidValueError(self._where, "classes at the first call of partial_fit", "None")
                self._begin(X, np.unique(classes))
            elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
                raise InvalidValueError(
                    self._where, f"the classes {self.classes_.tolist()}", f"{np.unique(classes).tolist()}"
                )
            return self._train(X, y, epochs=1, patience=None)

    @contextmanager
    def _as_before_if_it_fails(self) -> Iterator[None]:
        """An untrained network must not pass for a fitted one, nor take the place of one that is."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _begin(self, X: Any, classes: np.ndarray) -> None:
        if len(classes) < 2:
            raise InvalidValueError(self._where, "labels of at least two classes", f"one class, {classes.tolist()}")
        self._fit_inputs(X)
        self.classes_ = classes
        self._make_model(self._transform_inputs(X[:1]).shape[1:])

    def _make_model(self, sample_shape: tuple[int, ...]) -> None:
        self.sample_shape_ = tuple(int(n) for n in sample_shape)
        self.model_ = self._build_model(self.sample_shape_, len(self.classes_))
        optimizer = keras.optimizers.Adam(self.learning_rate)
        # Without XLA: compiling would take longer than most predictions.
        self.model_.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)

    def _train(
        self,
        X: Any,
        y: np.ndarray,
        *,
        epochs: int,
        patience: int | None,
        held_out: tuple[Any, np.ndarray] | None = None,
    ) -> Self:
        validation = None
        if held_out is not None:
            validation = self._transform_inputs(held_out[0]), self._targets(held_out[1])
        self.history_ = training.fit(
            self.model_,
            *self._training_data(X, self._targets(y)),
            epochs=epochs,
            batch_size=self.batch_size,
            validation_data=validation,
            patience=patience,
            monitor="val_loss" if validation else "loss",
            seed=self._seed + int(self.model_.optimizer.iterations),  # each partial_fit has an order of its own
            verbose=self.verbose,
        )
        return self

    def _targets(self, y: np.ndarray) -> np.ndarray:
        """The number of each label, its place in ``classes_``."""
        known = np.isin(y, self.classes_)
        if not known.all():
            raise InvalidValueError(
                self._where, f"labels of the classes {self.classes_.tolist()}", repr(y[~known][0].item())
            )
        return np.searchsorted(self.classes_, y)

    # ------------------------------------------------------------------ prediction

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, ``(N, C)`` float32, columns in the order of ``classes_``; rows sum to 1."""
        check_is_fitted(self, "model_")
        batches, forward = self._batches(self._check_inputs(X, reset=False)), _compiled(self.model_)
        return np.concatenate([forward(tf.constant(x)).numpy() for x in batches])

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each input, ``(N,)``, of the dtype of ``classes_``."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    # ------------------------------------------------------------------ saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes preprocessing, labels and weights into one file, from which ``load`` makes the classifier again.

        The file is a zip archive of JSON and NumPy arrays; nothing in it is executed or unpickled when it is loaded. It
        is written beside ``path`` and renamed when it is whole.

        Raises:
            NotFittedError: before ``fit``.
            UnsupportedError: a label or a setting has no place in JSON, such as a RandomState.
            InvalidValueError: a setting that the network follows from was changed after ``fit``.
            DataError: the file cannot be written.
        """
        from toolkit.models.classifiers._archive import write_classifier

        check_is_fitted(self, "model_")
        write_classifier(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The classifier that ``save`` has written; it predicts the same.

        Raises:
            DataError: there is no such file, it is damaged, or it holds another kind of classifier.
        """
        from toolkit.models.classifiers._archive import read_classifier

        return read_classifier(cls, path)

    # ------------------------------------------------------------------ checks

    @property
    def _where(self) -> str:
        return type(self).__name__

    @property
    def _seed(self) -> int:
        """``random_state`` as the whole number that Keras wants; None draws one."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_labels(self, X: Any, y: Any) -> np.ndarray:
        if y is None:
            remedy = "Training requires y to be passed, but the target y is None."
            raise InvalidValueError(self._where, "a label for each input", "None", remedy)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        return y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # a network wants more epochs and data than the checks' toy tables
        return tags


def _compiled(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """``model`` as one TensorFlow function for any number of samples, compiled once and kept with the model.

    ``model.predict`` takes tens of milliseconds more for each call, and TensorFlow warns of it when a search fits many
    models.
    """
    kept = vars(model)  # past Keras, which would track it
    if "_forward" not in kept:
        spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
        traced = tf.function(lambda x: model(x, training=False), autograph=False)
        kept["_forward"] = traced.get_concrete_function(spec)
    return kept["_forward"]
