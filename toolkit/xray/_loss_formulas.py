r"""The losses in NumPy: for each sample ``ℓ`` and ``∂ℓ/∂ŷ``, as Keras computes them.

``ŷ (…, C)`` and ``y`` of the same shape give ``ℓ (…)``; class numbers ``y (…)`` are made one-hot first. The loss is
then :math:`L = \lambda \sum_n w_n \ell_n / N`, with the sample weights and masks in ``w``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np

from toolkit.scratch._activations import Sigmoid
from toolkit.scratch._losses import EPSILON, log_softmax


@dataclass(frozen=True)
class Formula:
    """A loss of one sample and its gradient.

    Attributes:
        title: the name in words.
        equation, gradient: LaTeX of ``ℓ`` and of ``∂ℓ/∂ŷ`` (from logits: ``∂ℓ/∂z``).
        value, slope: the same in NumPy, ``(y, ŷ) → (…)`` and ``→ (…, C)``.
        variable: ``"y_hat"``, or ``"z"`` where the loss is computed from logits.
    """

    title: str
    equation: str
    gradient: str
    value: Callable[[np.ndarray, np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray, np.ndarray], np.ndarray]
    variable: str = "y_hat"


def formula_of(loss: object, *, from_logits: bool) -> Formula | None:
    """The formula of a Keras loss, or None where there is none.

    Args:
        loss: an instance of a loss class, or a loss function.
        from_logits: whether Keras reached for the logits behind the probabilities (see ``LayerCall.dlogits``).
    """
    fn, options = getattr(loss, "fn", loss), dict(getattr(loss, "_fn_kwargs", {}))
    from_logits = options.pop("from_logits", False) or from_logits
    options.pop("axis", None) if options.get("axis") == -1 else None
    if any(value not in (None, 0, 0.0) for value in options.values()):
        return None  # label smoothing, a class that is ignored, another axis
    return _FORMULAS.get((fn, bool(from_logits)))


def targets(loss: object, y: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """``y`` in float64 and in the shape of ``y_pred``: class numbers as rows of 0 and 1, ``(N,)`` as a column."""
    if is_sparse(loss):
        return np.eye(y_pred.shape[-1])[y.astype(np.int64).reshape(y_pred.shape[:-1])]
    return y.astype("float64").reshape(y_pred.shape)


def is_sparse(loss: object) -> bool:
    """Whether the loss takes class numbers instead of one-hot rows."""
    return getattr(loss, "fn", loss) is keras.losses.sparse_categorical_crossentropy


def _clipped(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities inside ``[ε, 1 − ε]``, and 1 where they were inside before."""
    low, high = np.float32(EPSILON), np.float32(1) - np.float32(EPSILON)
    return np.clip(p, low, high), ((p >= low) & (p <= high)).astype("float64")


def _binary(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    p, _ = _clipped(p)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=-1)


def _binary_slope(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    p, inside = _clipped(p)
    return inside * (p - y) / (p * (1 - p)) / p.shape[-1]


def _binary_logits(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).mean(axis=-1)


def _categorical(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    p, _ = _clipped(p / p.sum(axis=-1, keepdims=True))
    return -(y * np.log(p)).sum(axis=-1)


def _categorical_slope(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    sums = p.sum(axis=-1, keepdims=True)
    clipped, inside = _clipped(p / sums)
    dp = -y * inside / clipped
    return (dp - (dp * p / sums).sum(axis=-1, keepdims=True)) / sums  # p / Σp: the quotient rule


def _sparse(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -(y * log_softmax(np.log(_clipped(p)[0]))).sum(axis=-1)


def _sparse_slope(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    clipped, inside = _clipped(p)
    return inside * (np.exp(log_softmax(np.log(clipped))) - y) / clipped


def _logits(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return -(y * log_softmax(z)).sum(axis=-1)


def _logits_slope(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return np.exp(log_softmax(z)) * y.sum(axis=-1, keepdims=True) - y


_SQUARED = Formula(
    "mean squared error",
    r"\ell_n = \frac1C \sum_c (\hat y_{nc} - y_{nc})^2",
    r"\frac2C (\hat y - y)",
    lambda y, p: ((p - y) ** 2).mean(axis=-1),
    lambda y, p: 2 * (p - y) / p.shape[-1],
)
_ABSOLUTE = Formula(
    "mean absolute error",
    r"\ell_n = \frac1C \sum_c |\hat y_{nc} - y_{nc}|",
    r"\frac1C \operatorname{sign}(\hat y - y)",
    lambda y, p: np.abs(p - y).mean(axis=-1),
    lambda y, p: np.sign(p - y) / p.shape[-1],
)
_BINARY = Formula(
    "binary cross-entropy",
    r"\ell_n = -\frac1C \sum_c y_{nc} \ln \hat y_{nc} + (1 - y_{nc}) \ln (1 - \hat y_{nc})",
    r"\frac1C \cdot \frac{\hat y - y}{\hat y (1 - \hat y)}",
    _binary,
    _binary_slope,
)
_BINARY_LOGITS = Formula(
    "binary cross-entropy from logits",
    r"\ell_n = -\frac1C \sum_c y_{nc} \ln \sigma(z_{nc}) + (1 - y_{nc}) \ln (1 - \sigma(z_{nc}))",
    r"\frac1C (\sigma(z) - y)",
    _binary_logits,
    lambda y, z: (Sigmoid().activate(z) - y) / z.shape[-1],
    "z",
)
_CATEGORICAL = Formula(
    "categorical cross-entropy",
    r"\ell_n = -\sum_c y_{nc} \ln \frac{\hat y_{nc}}{\sum_k \hat y_{nk}}",
    r"\frac{1}{\sum_k \hat y_{nk}} - \frac{y}{\hat y}",
    _categorical,
    _categorical_slope,
)
_CATEGORICAL_LOGITS = Formula(
    "categorical cross-entropy from logits",
    r"\ell_n = -\sum_c y_{nc} \ln \operatorname{softmax}(z_n)_c",
    r"\operatorname{softmax}(z) - y",
    _logits,
    _logits_slope,
    "z",
)
_SPARSE = Formula(
    "sparse categorical cross-entropy",
    r"\ell_n = -\ln \frac{\hat y_{n, y_n}}{\sum_k \hat y_{nk}}",
    r"\frac{1}{\sum_k \hat y_{nk}} - \frac{[c = y_n]}{\hat y_{nc}}",
    _sparse,
    _sparse_slope,
)
_SPARSE_LOGITS = Formula(
    "sparse categorical cross-entropy from logits",
    r"\ell_n = -\ln \operatorname{softmax}(z_n)_{y_n}",
    r"\operatorname{softmax}(z_n)_c - [c = y_n]",
    _logits,
    _logits_slope,
    "z",
)
_FORMULAS: Mapping[tuple[object, bool], Formula] = {
    (keras.losses.mean_squared_error, False): _SQUARED,
    (keras.losses.mean_absolute_error, False): _ABSOLUTE,
    (keras.losses.binary_crossentropy, False): _BINARY,
    (keras.losses.binary_crossentropy, True): _BINARY_LOGITS,
    (keras.losses.categorical_crossentropy, False): _CATEGORICAL,
    (keras.losses.categorical_crossentropy, True): _CATEGORICAL_LOGITS,
    (keras.losses.sparse_categorical_crossentropy, False): _SPARSE,
    (keras.losses.sparse_categorical_crossentropy, True): _SPARSE_LOGITS,
}
