r"""Losses: how far the outputs are from the targets, one number, and its gradient.

Every loss is a mean over the batch (and over any further axes, as in Keras). ``forward(y_true, y_pred)``
returns the number, ``backward()`` then returns ``∂L/∂y_pred``, of the shape of ``y_pred``.

The cross-entropies take probabilities by default. With ``from_logits=True`` they take the numbers before
the sigmoid or softmax, which is exact where probabilities would round to 0 or 1. Probabilities are clipped
to ``[EPSILON, 1 − EPSILON]`` before the logarithm, as in Keras; where a value was clipped its gradient is 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch._activations import Sigmoid, Softmax
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import check_finite, to_array

EPSILON = 1e-7

_SYMBOLS = {"y": r"\mathbb{R}^{N \times C}", r"\hat y": r"\mathbb{R}^{N \times C}", "L": r"\mathbb{R}"}
_CLASS_SYMBOLS = _SYMBOLS | {"y": r"\{1, \dots, C\}^{N}"}


class Loss(ABC):
    """Base of the losses.

    Attributes:
        equations: the loss and its gradient as LaTeX.
        from_logits: whether ``y_pred`` holds logits instead of probabilities.
    """

    equations: ClassVar[Equations]
    from_logits = False

    def __init__(self) -> None:
        self._cache: Any = None

    @abstractmethod
    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """Returns the loss and remembers what ``backward`` needs."""

    @abstractmethod
    def backward(self) -> np.ndarray:
        """Returns ``∂L/∂y_pred``; raises CallOrderError without a ``forward`` before it."""

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return self.forward(y_true, y_pred)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'from_logits=True' if self.from_logits else ''})"

    # ------------------------------------------------------------------ checks

    @property
    def _where(self) -> str:
        return type(self).__name__

    def _check_pred(self, y_pred: np.ndarray) -> np.ndarray:
        y_pred = to_array(y_pred, None, "y_pred", self._where)
        if y_pred.dtype.kind != "f":
            y_pred = y_pred.astype("float64")
        if y_pred.ndim < 2 or y_pred.size == 0:
            raise ShapeError(self._where, "y_pred of shape (N, C), not empty", f"shape {y_pred.shape}")
        check_finite(y_pred, "y_pred", self._where)
        return y_pred

    def _check_same_shape(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y_pred = self._check_pred(y_pred)
        y_true = to_array(y_true, y_pred.dtype, "y_true", self._where)
        if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
            y_true = y_true[..., np.newaxis]  # targets (N,) for one output (N, 1), as Keras allows
        if y_true.shape != y_pred.shape:
            raise ShapeError(self._where, f"y_true of the shape of y_pred, {y_pred.shape}", f"shape {y_true.shape}")
        check_finite(y_true, "y_true", self._where)
        return y_true, y_pred

    def _check_probabilities(self, values: np.ndarray, name: str, remedy: str = "") -> None:
        low, high = values.min(), values.max()
        if low < 0 or high > 1 + 1e-6:
            raise InvalidValueError(self._where, f"{name} in [0, 1]", f"values from {low:.6g} to {high:.6g}", remedy)

    def _last(self) -> Any:
        if self._cache is None:
            raise CallOrderError(
                self._where,
                "forward before backward",
                "backward alone",
                "Call forward(y_true, y_pred) first.",
            )
        return self._cache


class MeanSquaredError(Loss):
    """Mean squared error over all ``N·C`` outputs."""

    equations = Equations(
        (r"L = \frac{1}{NC} \sum_{n,c} (\hat y_{nc} - y_{nc})^2",),
        (r"d\hat y = \frac{2}{NC} (\hat y - y)",),
        _SYMBOLS,
    )

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true`` and ``y_pred`` are ``(N, C)``."""
        y_true, y_pred = self._check_same_shape(y_true, y_pred)
        difference = y_pred - y_true
        self._cache = difference
        return float((difference * difference).mean())

    def backward(self) -> np.ndarray:
        """``2 (ŷ − y) / (N·C)``."""
        difference = self._last()
        return 2 * difference / difference.size


_PROBABILITY_REMEDY = "If these are logits, use from_logits=True."


class BinaryCrossentropy(Loss):
    """Cross-entropy of independent yes/no outputs; ``y`` in [0, 1], mean over all ``N·C`` outputs.

    Args:
        from_logits: ``y_pred`` holds logits ``z``, with ``ŷ = σ(z)``.
    """

    equations = Equations(
        (r"L = -\frac{1}{NC} \sum_{n,c} y_{nc} \ln \hat y_{nc} + (1 - y_{nc}) \ln (1 - \hat y_{nc})",),
        (
            r"d\hat y = \frac{1}{NC} \cdot \frac{\hat y - y}{\hat y (1 - \hat y)}",
            r"dz = \frac{1}{NC} (\sigma(z) - y) \quad \text{from logits}",
        ),
        _SYMBOLS | {"y": r"[0, 1]^{N \times C}"},
    )

    def __init__(self, from_logits: bool = False) -> None:
        super().__init__()
        self.from_logits = from_logits

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (N, C)`` in [0, 1]; ``y_pred (N, C)`` probabilities or logits."""
        y, y_pred = self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y, "y_true")
        self._cache = y, y_pred
        if self.from_logits:
            z = y_pred
            # ln(1 + exp(z)) − yz, rearranged so that exp never overflows.
            return float((np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).mean())
        self._check_probabilities(y_pred, "y_pred", _PROBABILITY_REMEDY)
        p = np.clip(y_pred, EPSILON, 1 - EPSILON)
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())

    def backward(self) -> np.ndarray:
        """``(ŷ − y) / (ŷ(1 − ŷ)·N·C)`` for probabilities, ``(σ(z) − y) / (N·C)`` for logits."""
        y, y_pred = self._last()
        if self.from_logits:
            return (Sigmoid().activate(y_pred) - y) / y.size
        p = np.clip(y_pred, EPSILON, 1 - EPSILON)
        return np.where(p == y_pred, (p - y) / (p * (1 - p)), 0) / y.size


class CategoricalCrossentropy(Loss):
    """Cross-entropy between two distributions over C classes; each row of ``y`` sums to 1.

    Rows of probabilities are divided by their sum first, as in Keras.

    Args:
        from_logits: ``y_pred`` holds logits ``z``, with ``ŷ = softmax(z)``.
    """

    equations = Equations(
        (r"L = -\frac1N \sum_{n,c} y_{nc} \ln \hat y_{nc}",),
        (r"d\hat y = -\frac1N \cdot \frac{y}{\hat y}", r"dz = \frac1N (\hat y - y) \quad \text{from logits}"),
        _SYMBOLS | {"y": r"[0, 1]^{N \times C}"},
    )

    def __init__(self, from_logits: bool = False) -> None:
        super().__init__()
        self.from_logits = from_logits

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (N, C)`` one-hot or soft; ``y_pred (N, C)`` probabilities or logits."""
        y, y_pred = self._check_same_shape(y_true, y_pred)
        self._check_probabilities(y, "y_true")
        if (off := np.abs(y.sum(axis=-1) - 1)).max() > 1e-3:
            raise InvalidValueError(
                self._where,
                "rows of y_true that sum to 1",
                f"a row that sums to {y.sum(axis=-1).flat[off.argmax()]:.6g}",
                "For class numbers instead of one-hot rows use SparseCategoricalCrossentropy.",
            )
        rows = y.size // y.shape[-1]
        if self.from_logits:
            log_p = log_softmax(y_pred)
            self._cache = y, np.exp(log_p), None, rows
        else:
            self._check_probabilities(y_pred, "y_pred", _PROBABILITY_REMEDY)
            sums = y_pred.sum(axis=-1, keepdims=True)
            if not (sums > 0).all():
                raise InvalidValueError(self._where, "rows of y_pred with a positive sum", "a row of zeros")
            p = y_pred / sums
            clipped = np.clip(p, EPSILON, 1 - EPSILON)
            log_p = np.log(clipped)
            # Where clipping moved a probability the loss is flat in it.
            self._cache = y, np.where(clipped == p, p, np.inf), sums, rows
        return float(-(y * log_p).sum() / rows)

    def backward(self) -> np.ndarray:
        """``−y/ŷ/N`` for probabilities (through the division by their sum), ``(ŷ − y)/N`` for logits."""
        y, p, sums, rows = self._last()
        if self.from_logits:
            return (p - y) / rows
        dp = -y / p / rows
        # p = ŷ / Σŷ: the quotient rule; for rows that sum to 1 the second term shifts all classes alike.
        return (dp - (dp * np.where(np.isinf(p), 0, p)).sum(axis=-1, keepdims=True)) / sums


class SparseCategoricalCrossentropy(Loss):
    """Categorical cross-entropy with class numbers ``0 … C−1`` as targets instead of one-hot rows.

    Args:
        from_logits: ``y_pred`` holds logits ``z``, with ``ŷ = softmax(z)``.
    """

    equations = Equations(
        (r"L = -\frac1N \sum_n \ln \hat y_{n, y_n}",),
        (
            r"d\hat y_{nc} = -\frac1N \cdot \frac{[c = y_n]}{\hat y_{nc}}",
            r"dz_{nc} = \frac1N (\hat y_{nc} - [c = y_n]) \quad \text{from logits}",
        ),
        _CLASS_SYMBOLS,
    )

    def __init__(self, from_logits: bool = False) -> None:
        super().__init__()
        self.from_logits = from_logits

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (N,)`` or ``(N, 1)`` class numbers; ``y_pred (N, C)`` probabilities or logits."""
        y_pred = self._check_pred(y_pred)
        labels = self._check_labels(y_true, y_pred.shape)
        if self.from_logits:
            log_p, inside = log_softmax(y_pred), None
        else:
            self._check_probabilities(y_pred, "y_pred", _PROBABILITY_REMEDY)
            clipped = np.clip(y_pred, EPSILON, 1 - EPSILON)
            # As in Keras, the clipped row is made to sum to 1 again.
            log_p, inside = log_softmax(np.log(clipped)), np.where(clipped == y_pred, clipped, np.inf)
        self._cache = labels, np.exp(log_p), inside
        return float(-np.take_along_axis(log_p, labels, axis=-1).mean())

    def backward(self) -> np.ndarray:
        """``(p − [c = y])/N`` for logits; for probabilities the same divided by ``ŷ``."""
        labels, p, inside = self._last()
        dz = p / labels.size
        at_label = np.take_along_axis(dz, labels, axis=-1) - 1 / labels.size
        np.put_along_axis(dz, labels, at_label, axis=-1)
        return dz if inside is None else dz / inside

    def _check_labels(self, y_true: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the labels as integers of shape ``(N, 1)``."""
        labels = to_array(y_true, None, "y_true", self._where)
        if labels.shape == shape[:-1]:
            labels = labels[..., np.newaxis]
        if labels.shape != (*shape[:-1], 1):
            remedy = "For one-hot rows use CategoricalCrossentropy." if labels.shape == shape else ""
            raise ShapeError(self._where, f"y_true of shape {shape[:-1]}", f"shape {labels.shape}", remedy)
        bad = (labels < 0) | (labels >= shape[-1]) | (labels != np.floor(labels))
        if bad.any() or not np.isfinite(labels).all():
            bad |= ~np.isfinite(labels)
            index = tuple(int(i) for i in np.argwhere(bad)[0][:-1])
            raise InvalidValueError(
                self._where,
                f"labels that are whole numbers from 0 to {shape[-1] - 1}, one of {shape[-1]} classes",
                f"{labels[index][0]} at index {index} ({int(bad.sum())} such labels)",
                "Classes count from 0; the last layer needs one unit for each class.",
            )
        return labels.astype(np.int64)


def log_softmax(z: np.ndarray) -> np.ndarray:
    """``ln softmax(z)`` over the last axis by the log-sum-exp rule: no overflow, no ln 0."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def with_logits(loss: Loss, activation: object) -> Loss | None:
    """The loss that takes the logits of ``activation``, or None where the two do not belong together.

    Softmax followed by cross-entropy is one function of the logits, ``dz = (ŷ − y)/N``. Taken together they
    are exact where the probabilities round to 0 or 1; Keras does the same when it trains.
    """
    pairs = {
        Softmax: (CategoricalCrossentropy, SparseCategoricalCrossentropy),
        Sigmoid: (BinaryCrossentropy,),
    }
    if not loss.from_logits and isinstance(loss, pairs.get(type(activation), ())):
        return type(loss)(from_logits=True)
    return None


LOSSES: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}


def get_loss(loss: str | Loss) -> Loss:
    """Returns the loss for a name or an instance; raises InvalidValueError for an unknown one."""
    if isinstance(loss, Loss):
        return loss
    if loss not in LOSSES:
        raise InvalidValueError("compile", f"a loss: {', '.join(LOSSES)}", repr(loss))
    return LOSSES[loss]()
