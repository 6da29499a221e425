"""The loss of a step, watched: which loss meets which output, on what labels, and what it sends back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.losses.loss import apply_mask
from keras.src.trainers.compile_utils import CompileLoss

from toolkit.errors import InvalidValueError, ShapeError, ToolkitError, UnsupportedError
from toolkit.xray._loss_formulas import Formula, formula_of, is_sparse, targets
from toolkit.xray._state import array_of


@dataclass(frozen=True, eq=False)
class LossTerm:
    """One loss of one output.

    Attributes:
        name: of the output, or of the loss where the model has one output only.
        loss: Keras's loss object.
        scale: the factor λ of ``loss_weights``; 1 without.
        y, y_pred: labels and output, as Keras's loss got them.
        weights: the weight of each ``ℓ``, from ``sample_weight`` and the output's mask; None where all are 1.
        logits: the numbers behind the probabilities ``y_pred``, where Keras computed the loss from them.
        value: L, before the factor λ.
        dy: the gradient of ``λL`` with respect to ``y_pred``; None where it goes by the logits.
        dlogits: the gradient with respect to ``logits``.
    """

    name: str
    loss: keras.losses.Loss
    scale: float
    y: np.ndarray
    y_pred: np.ndarray
    weights: np.ndarray | None
    logits: np.ndarray | None
    value: np.ndarray
    dy: np.ndarray | None
    dlogits: np.ndarray | None

    @property
    def formula(self) -> Formula | None:
        """The loss in NumPy; None where there is none for it."""
        if getattr(self.loss, "reduction", None) not in ("sum", "sum_over_batch_size", "mean"):
            return None
        return formula_of(self.loss, from_logits=self.logits is not None)

    @property
    def kind(self) -> str:
        """The class of the loss; of a loss function its name."""
        wrapped = type(self.loss).__name__ == "LossFunctionWrapper"
        return getattr(self.loss.fn, "__name__", self.loss.name) if wrapped else type(self.loss).__name__

    @property
    def gradient(self) -> np.ndarray | None:
        """Where the backward pass begins: ``dŷ``, or ``dz`` where the loss goes by the logits."""
        return self.dy if self.logits is None else self.dlogits

    def recomputed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """``ℓ``, ``L`` and the gradient by the formula, in float64; None without one."""
        if (formula := self.formula) is None:
            return None
        prediction = self.y_pred if self.logits is None else self.logits
        prediction = prediction.astype(self.value.dtype).astype("float64")  # Keras computes losses in floatx
        y = targets(self.loss, self.y, prediction)
        each = formula.value(y, prediction)
        weights = np.ones_like(each) if self.weights is None else self.weights.astype("float64").reshape(each.shape)
        count = 1 if self.loss.reduction == "sum" else each.size
        slope = formula.slope(y, prediction) * (self.scale * weights / count)[..., np.newaxis]
        return each, np.asarray((weights * each).sum() / count), slope


@dataclass(eq=False)
class WatchedTerm:
    """A loss term in tensors, while the tape runs; ``logits`` is a copy of the layer's own, ``logits_of``."""

    name: str
    loss: keras.losses.Loss
    scale: float
    y: tf.Tensor
    y_pred: tf.Tensor
    sample_weight: tf.Tensor | None
    logits: tf.Tensor | None
    logits_of: tf.Tensor | None
    value: tf.Tensor

    def finish(self, dy: np.ndarray | None, dlogits: np.ndarray | None) -> LossTerm:
        """The term in NumPy."""
        return LossTerm(
            name=self.name,
            loss=self.loss,
            scale=self.scale,
            y=array_of(self.y),
            y_pred=array_of(self.y_pred),
            weights=self._weights(),
            # Keras leaves the logits behind where it has to convert the output first.
            logits=None if dlogits is None else array_of(self.logits),
            value=array_of(self.value),
            dy=dy,
            dlogits=dlogits,
        )

    def _weights(self) -> np.ndarray | None:
        mask = getattr(self.y_pred, "_keras_mask", None)
        reduction = getattr(self.loss, "reduction", "sum_over_batch_size")
        dtype = self.y_pred.dtype.name
        mask = None if mask is None else tf.cast(mask, dtype)
        weight = None if self.sample_weight is None else tf.cast(self.sample_weight, dtype)
        combined = apply_mask(weight, mask, dtype=dtype, reduction=reduction)
        if combined is None:
            return None
        shape = self.y_pred.shape[:-1]
        combined = combined.numpy()
        if combined.ndim == len(shape) + 1:
            combined = combined[..., 0]
        return np.broadcast_to(combined.reshape(combined.shape + (1,) * (len(shape) - combined.ndim)), shape)


class WatchedLoss(CompileLoss):
    """Keras's own way from outputs and labels to one number, by name, list or dict; notes every loss that it calls.

    Args:
        loss, loss_weights: as ``model.compile`` takes them.
        output_names: of the model.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: list[str] | None) -> None:
        super().__init__(loss, loss_weights, output_names=output_names)
        self.terms: list[WatchedTerm] = []

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Finds which loss belongs to which output."""
        super().build(y_true, y_pred)
        self._flat_losses = [each._replace(loss=partial(self._call_loss, each)) for each in self._flat_losses]

    def _call_loss(self, each: Any, y: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> tf.Tensor:
        name = str(each.name or each.loss.name)
        check_labels(name, each.loss, np.asarray(y), y_pred)
        logits = getattr(y_pred, "_keras_logits", None)
        if logits is not None:
            y_pred._keras_logits = tf.identity(logits)  # so that the tape knows what comes back by this way
        value = each.loss(y, y_pred, sample_weight)
        scale = 1.0 if each.loss_weights is None else float(each.loss_weights)
        copy = getattr(y_pred, "_keras_logits", None)
        self.terms.append(WatchedTerm(name, each.loss, scale, y, y_pred, sample_weight, copy, logits, value))
        return tf.reduce_sum(value)


def watched_loss(model: keras.Model, loss: Any) -> WatchedLoss | None:
    """The loss to watch: ``loss``, or the one that the model was compiled with; None where there is none.

    Raises:
        UnsupportedError: no loss is given, and the model computes its own in a way that only its code knows.
    """
    names = getattr(model, "output_names", None)
    if loss is not None:
        known = loss if not isinstance(loss, str) else _by_name(loss)
        return WatchedLoss(known, None, names)
    compiled = model._compile_loss
    if compiled is None or compiled._user_loss is None:
        return None
    for method in ("train_step", "compute_loss"):
        if getattr(type(model), method) is not getattr(keras.Model, method):
            raise UnsupportedError(
                f"trace, model {model.name!r}",
                "a loss that Keras computes from outputs and labels",
                f"a model with a {method} of its own",
                "Give loss=…, what should be traced in its place, or loss=False for the forward pass alone.",
            )
    return WatchedLoss(compiled._user_loss, compiled._user_loss_weights, names)


def _by_name(name: str) -> str:
    if name.lower() in ("crossentropy", "ce"):
        return name
    try:
        keras.losses.get(name)
    except ValueError:
        raise InvalidValueError(
            "trace, loss",
            "the name of a Keras loss",
            repr(name),
            "For example 'mse', 'binary_crossentropy', 'sparse_categorical_crossentropy'.",
        ) from None
    return name


# ---------------------------------------------------------------------- labels

_SPARSE_REMEDY = (
    "For class numbers use 'sparse_categorical_crossentropy', or make rows with keras.utils.to_categorical(y)."
)
_ONE_HOT_REMEDY = "For one-hot rows use 'categorical_crossentropy', or take their class numbers, y.argmax(axis=-1)."


def check_labels(name: str, loss: object, y: np.ndarray, y_pred: tf.Tensor) -> None:
    """Labels that cannot belong to this output and this loss are refused, before they cost a NaN."""
    where, shape = f"trace, labels of {name!r}", tuple(y_pred.shape)
    fn = getattr(loss, "fn", None)
    if is_sparse(loss):
        _check_classes(where, y, shape, getattr(loss, "_fn_kwargs", {}).get("ignore_class"))
    elif fn is keras.losses.categorical_crossentropy:
        _check_same_shape(where, y, shape, _SPARSE_REMEDY)
        _check_range(where, y)
    elif fn is keras.losses.binary_crossentropy:
        _check_same_shape(where, y, shape, "A yes/no label for each output.")
        _check_range(where, y)
    elif fn in (keras.losses.mean_squared_error, keras.losses.mean_absolute_error):
        _check_same_shape(where, y, shape, "One number for each output.")


def _check_same_shape(where: str, y: np.ndarray, shape: tuple[int, ...], remedy: str) -> None:
    if y.shape != shape and not (shape[-1:] == (1,) and y.shape == shape[:-1]):
        raise ShapeError(where, f"y of the shape of the output, {shape}", f"shape {y.shape}", remedy)


def _check_range(where: str, y: np.ndarray) -> None:
    if y.size and (y.min() < 0 or y.max() > 1):
        raise InvalidValueError(where, "y in [0, 1]", f"values from {y.min():.6g} to {y.max():.6g}", _SPARSE_REMEDY)


def _check_classes(where: str, y: np.ndarray, shape: tuple[int, ...], ignored: int | None) -> None:
    if y.shape not in (shape[:-1], (*shape[:-1], 1)):
        remedy = _ONE_HOT_REMEDY if y.shape == shape else ""
        raise ShapeError(where, f"class numbers of shape {shape[:-1]}", f"shape {y.shape}", remedy)
    bad = (y < 0) | (y >= shape[-1]) | (y != np.floor(y))
    if ignored is not None:
        bad &= y != ignored
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidValueError(
            where,
            f"whole numbers from 0 to {shape[-1] - 1}, one of {shape[-1]} classes",
            f"{y[first]} at index {first[0] if len(first) == 1 else first} ({int(bad.sum())} such labels)",
            "Classes count from 0; the last layer needs one unit for each class.",
        )


def loss_failure(error: Exception, y_pred: Any) -> ToolkitError:
    """What to say where Keras could not bring outputs and labels together."""
    shapes = keras.tree.map_structure(lambda t: tuple(t.shape), y_pred)
    return InvalidValueError(
        "trace, loss",
        f"labels for outputs of shape {shapes}",
        f"Keras says: {first_line(error)}",
        "Look at y, loss and sample_weight.",
    )


def first_line(error: Exception) -> str:
    """What an error of Keras or TensorFlow says, without its wrapping."""
    text = re.sub(r"\x1b\[\d+m|\{\{.*?\}\} ?|\[Op:\w+\].*", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Exception encountered when calling")]
    return (lines[0] if lines else type(error).__name__).rstrip(" .")
