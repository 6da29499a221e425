"""Means, variances, and what divides by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from toolkit.xray.derivations.operations._operation import Axes, Operation, total


class _Reduction(Operation):
    """Base of the operations that sum over axes, which then are gone or, with ``keepdims``, have length 1."""

    def __init__(self, axes: Sequence[int], keepdims: bool = False) -> None:
        self.over = tuple(axes)
        self.keepdims = keepdims

    def _spread(self, dy: np.ndarray) -> np.ndarray:
        """``dy`` with the axes that are gone, of length 1."""
        return dy if self.keepdims else np.expand_dims(dy, self.over)

    def _count(self, x: np.ndarray) -> int:
        return math.prod(x.shape[axis] for axis in self.over)

    def axes(self, x: Axes, *others: Axes) -> Axes:
        over = {axis % len(x) for axis in self.over}
        kept = [("1" if k in over else letter) for k, letter in enumerate(x) if self.keepdims or k not in over]
        return tuple(kept)

    def letters(self, x: Axes, *others: Axes) -> Mapping[str, str]:
        over = [x[axis] for axis in self.over]
        return {"over": ", ".join(over), "count": r"\, ".join(over)}


class Mean(_Reduction):
    """``μ = 1/m Σ x``."""

    title = "mean"
    inputs = ("x",)
    formula = r"$y = \frac{1}{$count} \sum_{$over} $x"
    gradients = (r"$dx = \frac{1}{$count}\, $dy",)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=self.over, keepdims=self.keepdims, dtype=np.float64).astype(x.dtype, copy=False)

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (np.broadcast_to(self._spread(dy) / self._count(x), x.shape),)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(x, self.over, self.keepdims)


class MeanSquare(_Reduction):
    """``v = 1/m Σ d²``: of differences from the mean, the variance."""

    title = "variance"
    inputs = ("d",)
    formula = r"$y = \frac{1}{$count} \sum_{$over} $d \odot $d"
    gradients = (r"$dd = \frac{2}{$count}\, $dy \odot $d",)

    def forward(self, d: np.ndarray) -> np.ndarray:
        return (d * d).mean(axis=self.over, keepdims=self.keepdims, dtype=np.float64).astype(d.dtype, copy=False)

    def backward(self, dy: np.ndarray, y: np.ndarray, d: np.ndarray) -> tuple[np.ndarray]:
        return (2 / self._count(d) * self._spread(dy) * d,)

    def tensorflow(self, d: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(d * d, self.over, self.keepdims)


class WeightedSum(_Reduction):
    """``y = Σ w ⊙ x`` with fixed weights ``w``: a mean of what counts."""

    title = "mean of what counts"
    inputs = ("x", "w")
    formula = r"$y = \sum_{$over} $w \odot $x"
    gradients = (r"$dx = $w \odot $dy", "")

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return total(w * x, self.over, self.keepdims)

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, None]:
        return w * self._spread(dy), None

    def tensorflow(self, x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(w * x, self.over, self.keepdims)


class WeightedSquare(_Reduction):
    """``v = Σ w ⊙ d²`` with fixed weights ``w``: the variance of what counts."""

    title = "variance of what counts"
    inputs = ("d", "w")
    formula = r"$y = \sum_{$over} $w \odot $d \odot $d"
    gradients = (r"$dd = 2\, $w \odot $dy \odot $d", "")

    def forward(self, d: np.ndarray, w: np.ndarray) -> np.ndarray:
        return total(w * d * d, self.over, self.keepdims)

    def backward(self, dy: np.ndarray, y: np.ndarray, d: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, None]:
        return 2 * w * self._spread(dy) * d, None

    def tensorflow(self, d: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(w * d * d, self.over, self.keepdims)


class Deviation(Operation):
    """``σ = √(v + ε)``: the standard deviation, kept away from 0."""

    title = "standard deviation"
    inputs = ("v",)
    gradients = (r"$dv = \frac{$dy}{2\, $y}",)

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon
        self.formula = rf"$y = \sqrt{{$v + {epsilon:g}}}"

    def forward(self, v: np.ndarray) -> np.ndarray:
        return np.sqrt(v + np.asarray(self.epsilon, v.dtype))

    def backward(self, dy: np.ndarray, y: np.ndarray, v: np.ndarray) -> tuple[np.ndarray]:
        return (dy / (2 * y),)

    def tensorflow(self, v: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(v + tf.constant(self.epsilon, v.dtype))


class MovingAverage(Operation):
    """``average ← momentum·average + (1 − momentum)·new``: what BatchNormalization keeps for later use."""

    title = "moving average"
    inputs = ("average", "new")
    gradients = ("", "")

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.formula = rf"$y = {momentum:g}\, $average + (1 - {momentum:g})\, $new"

    def forward(self, average: np.ndarray, new: np.ndarray) -> np.ndarray:
        return self.momentum * average + (1 - self.momentum) * new

    def backward(self, dy: np.ndarray, y: np.ndarray, *x: np.ndarray) -> tuple[None, None]:
        return None, None

    def tensorflow(self, average: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(self.momentum * average + (1 - self.momentum) * new)
