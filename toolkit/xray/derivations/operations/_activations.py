"""Activations: each function beside its derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit import scratch
from toolkit.scratch._layer import keras_constant
from toolkit.xray.derivations.operations._operation import Axes, Operation

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Curve:
    """A function of one number: ``a = f(z)`` and ``dz = da ⊙ f′(z)``, both in NumPy and as a formula of ``$z, $y``.

    ``kinks`` are the places where the slope jumps, each with the comparison that is true on the inner side.
    """

    name: str
    formula: str
    slope_formula: str
    value: Function
    gradient: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # of z, a, da
    tensorflow: Callable[[Any], Any]
    kinks: tuple[tuple[float, np.ufunc], ...] = ()

    def beside_kinks(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
        """``z``, but on that side of each kink on which the ``a`` that Keras computed is.

        Where ``z`` is 0 but for rounding, rounding decides whether a ReLU lets the gradient through. Keras adds up in
        another order than NumPy, so there, and only there, its side is taken: ``z = a``.
        """
        for kink, inside in self.kinks:
            near = np.abs(z - kink) <= 1000 * np.finfo(z.dtype).eps * np.abs(z).max(initial=0)
            z = np.where(near & (inside(z, kink) != inside(a, kink)), a, z)
        return z


_RISING, _CAPPED = (0.0, np.greater), (6.0, np.less)


def _of_scratch(name: str, formula: str, slope_formula: str, *kinks: tuple[float, np.ufunc]) -> Curve:
    curve = scratch.ACTIVATIONS[name]()
    return Curve(name, formula, slope_formula, curve.activate, curve.gradient, keras.activations.get(name), kinks)


def _curve(
    name: str, formula: str, slope_formula: str, value: Function, slope: Function, *kinks: tuple[float, np.ufunc]
) -> Curve:
    def gradient(z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * slope(z)

    return Curve(name, formula, slope_formula, value, gradient, keras.activations.get(name), kinks)


def leaky_relu(slope: float) -> Curve:
    """``max(z, 0) + s·min(z, 0)``."""
    slope = keras_constant(slope)
    return Curve(
        "leaky ReLU",
        rf"\max($z, 0) + {slope:g}\, \min($z, 0)",
        rf"([$z > 0] + {slope:g}\, [$z \leq 0])",
        lambda z: np.where(z > 0, z, slope * z),
        lambda z, a, da: np.where(z > 0, da, slope * da),
        lambda z: keras.activations.leaky_relu(z, slope),
        (_RISING,),
    )


def elu(alpha: float, scale: float = 1.0) -> Curve:
    """``z`` to the right of 0, ``α(exp z − 1)`` to the left; all of it times ``scale``."""
    s = "" if scale == 1 else rf"{scale:.4g}\, "
    return Curve(
        "ELU",
        rf"{s}(\max($z, 0) + {alpha:.4g}\, (e^{{\min($z, 0)}} - 1))",
        rf"{s}([$z > 0] + {alpha:.4g}\, e^{{$z}}\, [$z \leq 0])",
        lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z, a, da: da * scale * np.where(z > 0, 1, alpha * np.exp(np.minimum(z, 0))).astype(z.dtype),
        lambda z: scale * keras.activations.elu(z, alpha),
    )


_sigmoid = scratch.Sigmoid().activate


def _hard_sigmoid(z: np.ndarray) -> np.ndarray:
    return np.clip(z + 3, 0, 6) / 6


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.logaddexp(z, 0).astype(z.dtype, copy=False)


CURVES: Mapping[str, Curve] = {
    "relu": _of_scratch("relu", r"\max($z, 0)", "[$z > 0]", _RISING),
    "sigmoid": _of_scratch("sigmoid", r"\sigma($z) = \frac{1}{1 + e^{-$z}}", r"$y \odot (1 - $y)"),
    "tanh": _of_scratch("tanh", r"\tanh($z)", r"(1 - $y \odot $y)"),
    "gelu": _of_scratch(
        "gelu",
        r"$z \odot \Phi($z)",
        r"(\Phi($z) + $z \odot \frac{1}{\sqrt{2 \pi}}\, e^{-$z \odot $z / 2})",
    ),
    "relu6": _curve(
        "relu6",
        r"\min(\max($z, 0), 6)",
        "[0 < $z < 6]",
        lambda z: np.clip(z, 0, 6),
        lambda z: (z > 0) & (z < 6),
        _RISING,
        _CAPPED,
    ),
    "leaky_relu": leaky_relu(0.2),
    "elu": elu(1.0),
    "selu": elu(1.6732632423543772, 1.0507009873554805),
    "exponential": _curve("exponential", "e^{$z}", "e^{$z}", np.exp, np.exp),
    "softplus": _curve("softplus", r"\ln(1 + e^{$z})", r"\sigma($z)", _softplus, _sigmoid),
    "softsign": _curve(
        "softsign",
        r"\frac{$z}{1 + |$z|}",
        r"\frac{1}{(1 + |$z|)^2}",
        lambda z: z / (1 + abs(z)),
        lambda z: 1 / (1 + abs(z)) ** 2,
    ),
    "silu": _curve(
        "silu",
        r"$z \odot \sigma($z)",
        r"\sigma($z) \odot (1 + $z \odot (1 - \sigma($z)))",
        lambda z: z * _sigmoid(z),
        lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z))),
    ),
    "hard_sigmoid": _curve(
        "hard_sigmoid",
        r"\frac{1}{6} \min(\max($z + 3, 0), 6)",
        r"\frac{1}{6} [-3 < $z < 3]",
        _hard_sigmoid,
        lambda z: ((z > -3) & (z < 3)).astype(z.dtype) / 6,
    ),
    "hard_silu": _curve(
        "hard_silu",
        r"\frac{1}{6}\, $z \odot \min(\max($z + 3, 0), 6)",
        r"\frac{1}{6} (\min(\max($z + 3, 0), 6) + $z \odot [-3 < $z < 3])",
        lambda z: z * _hard_sigmoid(z),
        lambda z: _hard_sigmoid(z) + z * ((z > -3) & (z < 3)) / 6,
    ),
}


class Activation(Operation):
    """``a = f(z)``, number by number."""

    title = "activation"
    inputs = ("z",)

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.formula = f"$y = {curve.formula}"
        self.gradients = (rf"$dz = $dy \odot {curve.slope_formula}",)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return self.curve.value(z)

    def backward(self, da: np.ndarray, a: np.ndarray, z: np.ndarray) -> tuple[np.ndarray]:
        return (self.curve.gradient(z, a, da),)

    def tensorflow(self, z: tf.Tensor) -> tf.Tensor:
        return self.curve.tensorflow(z)


class Softmax(Operation):
    """``A = softmax(S)``: positive numbers that sum to 1 along an axis."""

    title = "softmax"
    inputs = ("S",)
    formula = r"$y = \operatorname{softmax}($S) = \frac{e^{$S}}{\sum_{$axis} e^{$S}}"
    gradients = (r"$dS = $y \odot ($dy - \sum_{$axis} $dy \odot $y)",)

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, S: np.ndarray) -> np.ndarray:
        e = np.exp(S - S.max(axis=self.axis, keepdims=True))
        return e / e.sum(axis=self.axis, keepdims=True)

    def backward(self, dA: np.ndarray, A: np.ndarray, S: np.ndarray) -> tuple[np.ndarray]:
        return (A * (dA - (dA * A).sum(axis=self.axis, keepdims=True)),)

    def tensorflow(self, S: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(S, axis=self.axis)

    def letters(self, S: Axes) -> Mapping[str, str]:
        return {"axis": S[self.axis]}
