"""Tables of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from toolkit.models.classifiers._base import NeuralClassifier
from toolkit.models.classifiers._scaling import scaler_from_json, scaler_to_json
from toolkit.models.mlp import mlp


class TabularClassifier(NeuralClassifier):
    r"""A multilayer perceptron for tables: ``X (N, D)`` of numbers, each column scaled to mean 0 and deviation 1.

    The scale is learned in ``fit``: :math:`x'_{nd} = (x_{nd} - \mu_d) / \sigma_d`; a column that never changes becomes
    0. Then follows ``models.mlp``. A data frame's column names are remembered, and checked from then on.

    Args:
        hidden: units of each hidden layer.
        dropout: share of each hidden layer's outputs dropped in training.
        epochs: how many times ``fit`` goes through the data.
        batch_size: samples per step.
        learning_rate: α of Adam.
        validation_fraction: share of the data, equal in each class, held out to watch; 0 holds out nothing.
        patience: stop after so many epochs without improvement and go back to the best one; None never stops.
        random_state: fixes weights, batches and dropout: a whole number or a RandomState; None draws new ones.
        verbose: as for ``training.fit``: None shows progress in runs over two seconds.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> TabularClassifier(verbose=False).fit(X, y).score(X, y) > 0.9
        True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64, 32),
        *,
        dropout: float = 0.0,
        epochs: int = 50,
        batch_size: int = 32,
        learning_rate: float = 0.003,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | None = None,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def _check_inputs(self, X: Any, *, reset: bool) -> np.ndarray:
        return validate_data(self, X, reset=reset, dtype="numeric")

    def _fit_inputs(self, X: np.ndarray) -> None:
        self.scaler_ = StandardScaler().fit(X)

    def _transform_inputs(self, X: np.ndarray) -> np.ndarray:
        return self.scaler_.transform(X).astype(np.float32)

    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        return mlp(sample_shape[0], tuple(self.hidden), classes, dropout=self.dropout, seed=self._seed)

    def _inputs_state(self) -> Mapping[str, Any]:
        return scaler_to_json(self.scaler_)

    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        (D,) = self.sample_shape_
        self.scaler_ = scaler_from_json(state, D)
