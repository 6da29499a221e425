"""Texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
from sklearn.base import clone

from toolkit.errors import InvalidValueError
from toolkit.models.attention_classifier import attention_classifier
from toolkit.models.classifiers._base import NeuralClassifier
from toolkit.models.text_classifier import text_classifier
from toolkit.text import TextPreprocessor


class TextClassifier(NeuralClassifier):
    """A network that reads: raw texts in, labels out.

    ``fit`` learns a vocabulary with a ``TextPreprocessor``, then trains ``models.text_classifier`` (word vectors,
    averaged) or ``models.attention_classifier`` (LSTM and self-attention) on the token ids.

    Args:
        architecture: "average" or "attention".
        embedding_dim: D of the word vectors.
        hidden: units of the dense layers after the average; "average" only.
        units: M of the LSTM; "attention" only.
        preprocessor: how texts become ids, an unfitted ``TextPreprocessor``, of which a copy is fitted; None takes
            one with its defaults.
        dropout: share of the units dropped in training.
        epochs: how many times ``fit`` goes through the data.
        batch_size: samples per step.
        learning_rate: α of Adam.
        validation_fraction: share of the data, equal in each class, held out to watch; 0 holds out nothing.
        patience: stop after so many epochs without improvement and go back to the best one; None never stops.
        random_state: fixes weights, batches and dropout: a whole number or a RandomState; None draws new ones.
        verbose: as for ``training.fit``: None shows progress in runs over two seconds.

    Example:
        >>> texts = ["a fine film", "a fine story", "a dull film", "a dull story"]
        >>> model = TextClassifier(epochs=60, verbose=False).fit(texts, ["good", "good", "bad", "bad"])
        >>> model.predict(["what a dull day", "fine"]).tolist()
        ['bad', 'good']
    """

    def __init__(
        self,
        architecture: Literal["average", "attention"] = "average",
        *,
        embedding_dim: int = 64,
        hidden: Sequence[int] = (256,),
        units: int = 64,
        preprocessor: TextPreprocessor | None = None,
        dropout: float = 0.3,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | None = None,
    ) -> None:
        self.architecture = architecture
        self.embedding_dim = embedding_dim
        self.hidden = hidden
        self.units = units
        self.preprocessor = preprocessor
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def _check_inputs(self, X: Any, *, reset: bool) -> Sequence[str]:
        if isinstance(X, str):
            raise InvalidValueError(self._where, "texts in a list", "one string", "Put it into a list: [text].")
        if not isinstance(X, list | tuple | np.ndarray):
            X = list(X)
        if len(X) == 0:
            raise InvalidValueError(self._where, "at least one text", "0 sample(s)")
        return X

    def _fit_inputs(self, X: Sequence[str]) -> None:
        self.preprocessor_ = TextPreprocessor() if self.preprocessor is None else clone(self.preprocessor)
        self.preprocessor_.fit(X)

    def _transform_inputs(self, X: Sequence[str]) -> np.ndarray:
        return self.preprocessor_.transform(X)

    def _build_model(self, sample_shape: tuple[int, ...], classes: int) -> keras.Model:
        options = {"embedding_dim": self.embedding_dim, "dropout": self.dropout, "seed": self._seed}
        vocabulary_size = len(self.preprocessor_.vocabulary_)
        if self.architecture == "average":
            return text_classifier(vocabulary_size, classes, hidden=tuple(self.hidden), **options)
        if self.architecture == "attention":
            return attention_classifier(vocabulary_size, classes, units=self.units, **options)
        raise InvalidValueError(self._where, "architecture 'average' or 'attention'", repr(self.architecture))

    def _inputs_state(self) -> Mapping[str, Any]:
        return {"preprocessor": self.preprocessor_.to_json(), "own": self.preprocessor is not None}

    def _restore_inputs(self, state: Mapping[str, Any]) -> None:
        self.preprocessor_ = TextPreprocessor.from_json(state["preprocessor"])
        self.preprocessor = clone(self.preprocessor_) if state["own"] else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # texts, not tables
        tags.input_tags.string = True
        return tags
