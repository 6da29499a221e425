"""Sequences of measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, validate_data

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models.classifiers._base import NeuralClassifier
from toolkit.models.classifiers._scaling import scaler_from_json, scaler_to_json
from toolkit.models.sequence_classifier import sequence_classifier

# Stands at the padded time steps of the model's input, where a scaled measurement never comes near it.
_PADDING = -1e9


class SequenceClassifier(NeuralClassifier):
    r"""Two LSTMs for sequences: ``X (N, T, D)``, each channel scaled to mean 0 and deviation 1 over all time steps.

    Sequences of different lengths may come as a list of N arrays ``(T_n, D)``, or padded at their ends with
    ``mask_value``. A table ``(N, T)`` is N series of one channel. Then follows ``models.sequence_classifier``.

    Args:
        units: of each LSTM.
        mask_value: time steps whose D numbers all equal it are padding and are skipped; None: there is no padding
            in arrays. Lists of sequences are padded, and the padding masked, either way.
        dropout: share of each LSTM's outputs dropped in training.
        epochs: how many times ``fit`` goes through the data.
        batch_size: samples per step.
        learning_rate: α of Adam.
        validation_fraction: share of the data, equal in each class, held out to watch; 0 holds out nothing.
        patience: stop after so many epochs without improvement and go back to the best one; None never stops.
        random_state: fixes weights, batches and dropout: a whole number or a RandomState; None draws new ones.
        verbose: as for ``training.fit``: None shows progress in runs over two seconds.

    Example:
        >>> rising, falling = [[1.0], [2.0], [3.0]], [[3.0], [2.0], [1.0], [0.0]]
        >>> model = SequenceClassifier((8,), epochs=40, learning_rate=0.02, verbose=False)
        >>> model.fit([rising, falling], ["up", "down"]).predict([[[0.0], [5.0]]]).tolist()
        ['up']
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 32),
        *,
        mask_value: float | None = None,
        dropout: float = 0.0,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | None = None,
    ) -> None:
        self.units = units
        self.mask_value = mask_value
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def _check_inputs(self, X: Any, *, reset: bool) -> np.ndarray:
        """``(N, T, D)`` float64; time steps that are padding hold NaN, which nothing else may hold."""
        X = self._padded(X) if _is_list_of_sequences(X) else self._checked_array(X, reset)
        empty = np.isnan(X).all(axis=(1, 2))
        if empty.any():
            raise InvalidValueError(self._where, "a time step in each sequence", f"none in X[{empty.argmax()}]")
        if not reset:
            self._check_shape(X)
        return X

    def _checked_array(self, X: Any, reset: bool) -> np.ndarray:
        if not hasattr(X, "ndim"):
            X = np.asarray(X)
        if X.ndim < 3:
            X = validate_data(self, X, reset=reset, dtype=np.float64)[..., np.newaxis]
        elif X.ndim == 3:
            X = check_array(X, dtype=np.float64, allow_nd=True, estimator=self, input_name="X")
        else:
            raise ShapeError(self._where, "X of shape (N, T, D) or (N, T)", f"shape {X.shape}")
        if self.mask_value is None:
            return X
        return np.where((self.mask_value == X).all(axis=-1, keepdims=True), np.nan, X)

    def _padded(self, sequences: Sequence[Any]) -> np.ndarray:
        sequences = [check_array(x, dtype=np.float64, input_name=f"X[{n}]") for n, x in enumerate(sequences)]
        channels = {x.shape[1] for x in sequences}
        if len(channels) != 1:
            raise ShapeError(self._where, "sequences (T_n, D) with the same D", f"D of {sorted(channels)}")
        X = np.full((len(sequences), max(map(len, sequences)), channels.pop()), np.nan)
        for row, x in zip(X, sequences):
            row[: len(x)] = x
        return X

    def _check_shape(self, X: np.ndarray) -> None:
        """The channels of ``fit``; and its length too, unless the model was built for padding."""
        T, D = self.sample_shape_
        if X.shape[2] != D:
            raise ShapeError(self._where, f"sequences of {D} channels", f"{X.shape[2]}")
        if not self.masked_ and (X.shape[1] != T or np.isnan(X).any()):
            received = "several lengths" if np.isnan(X).any() else f"{X.shape[1]}"
            remedy = "Fit on sequences of several lengths too, or set mask_value."
            raise ShapeError(self._where, f"sequences of {T} time steps, as in fit", received, remedy)

    def _fit_inputs(self, X: np.ndarray) -> None:
        self.masked_ = self.mask_value is not None or bool(np.isnan(X).any())
        self.scaler_ = StandardScaler().fit(X.reshape(-1, X.shape[2]))  # which leaves NaN out

    def _transform_inputs(self, X: np.ndarray) -> np.ndarray:
        scaled = self.scaler_.transform(X.reshape(-1, X.shape[2])).reshape(X.shape)
        return np.nan_to_num(scaled, nan=_PADDING).astype(np.float32)

    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        T, D = sample_shape
        return sequence_classifier(
            (None if self.masked_ else T, D),
            classes,
            units=tuple(self.units),
            mask_value=_PADDING if self.masked_ else None,
            dropout=self.dropout,
            seed=self._seed,
        )

    def _inputs_state(self) -> Mapping[str, Any]:
        return {**scaler_to_json(self.scaler_), "masked": self.masked_}

    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        _, D = self.sample_shape_
        self.scaler_ = scaler_from_json(state, D)
        self.masked_ = bool(state["masked"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _is_list_of_sequences(X: Any) -> bool:
    """Whether ``X`` is a list (or array of objects) of two-dimensional sequences."""
    is_list = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object)
    return is_list and len(X) > 0 and all(np.ndim(x) == 2 for x in X)
