"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError
from toolkit.scratch._activations import Activation, get_activation
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer, initial_value
from toolkit.scratch._layer import Layer
from toolkit.scratch._regularizers import L2


class Dense(Layer):
    r"""Fully connected layer, ``a = f(xW + b)``.

    Shapes: ``x (N, D)``, ``W (D, M)``, ``b (M,)``, ``z`` and ``a`` ``(N, M)``.

    1. product and bias: ``z = xW + b`` — ``b`` is added to every row;
    2. activation: ``a = f(z)``.

    Backward, from ``dy = ∂L/∂a`` (the loss is a mean over the batch, so no further 1/N appears):

    1. ``dz = dy ⊙ f′(z)``;
    2. ``dW = xᵀdz``, ``db = Σₙ dzₙ``, ``dx = dz Wᵀ``.

    Args:
        units: M, the number of outputs.
        activation: a name ("relu", "softmax", …), an activation, or None for linear.
        use_bias: whether ``b`` is there.
        kernel_initializer: name or initialiser of ``W``, or an array ``(D, M)``.
        bias_initializer: name or initialiser of ``b``, or an array ``(M,)``.
        kernel_regularizer: an ``L2`` or None.
        name: the layer's name.

    Raises:
        InvalidValueError: ``units`` is not a positive integer, or an option is unknown.
    """

    equations = Equations(
        (r"z = xW + b", r"a = f(z)"),
        (r"dz = da \odot f'(z)", r"dW = x^\top dz", r"db = \sum_n dz_n", r"dx = dz\, W^\top"),
        {
            "x": r"\mathbb{R}^{N \times D}",
            "W": r"\mathbb{R}^{D \times M}",
            "b": r"\mathbb{R}^{M}",
            "z": r"\mathbb{R}^{N \times M}",
            "a": r"\mathbb{R}^{N \times M}",
        },
        "Rumelhart, Hinton and Williams (1986)",
    )

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = None,
        *,
        use_bias: bool = True,
        kernel_initializer: str | Initializer | np.ndarray = "glorot_uniform",
        bias_initializer: str | Initializer | np.ndarray = "zeros",
        kernel_regularizer: L2 | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 1:
            raise InvalidValueError(self.where, "units as a positive integer", repr(units))
        if kernel_regularizer is not None and not isinstance(kernel_regularizer, L2):
            raise InvalidValueError(self.where, "kernel_regularizer as L2(…) or None", repr(kernel_regularizer))
        self.units = int(units)
        self.activation = get_activation(activation, self.where)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(M,)``, whatever ``D`` is."""
        return (self.units,)

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``W (D, M)`` and sets ``b (M,)``."""
        self.check_axes("D", "Flatten each sample first: x.reshape(len(x), -1).")
        D, M = self.input_shape[0], self.units
        self.params["W"] = initial_value(self.kernel_initializer, (D, M), rng, self.dtype, self.where)
        if self.use_bias:
            self.params["b"] = initial_value(self.bias_initializer, (M,), rng, self.dtype, self.where)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``a (N, M)`` from ``x (N, D)``."""
        x = self.check_input(x)
        z = x @ self.params["W"]
        if self.use_bias:
            z += self.params["b"]
        a = self.activation.activate(z)
        self._cache = x, z, a
        return a

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Computes ``dW (D, M)``, ``db (M,)`` and returns ``dx (N, D)`` from ``dy (N, M)``."""
        _, z, a = self._cache or (None, None, None)
        dy = self.check_upstream(dy, None if a is None else a.shape)
        dz = self.activation.gradient(z, a, dy)
        return self.backward_from_dz(dz, needs_dx)

    def backward_from_dz(self, dz: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """The second half of ``backward``, for a loss that knows ``dz`` itself (softmax: ``dz = (a − y)/N``)."""
        x, W = self._last("x"), self.params["W"]
        self.grads["W"] = x.T @ dz
        if self.kernel_regularizer is not None:
            self.grads["W"] += self.kernel_regularizer.gradient(W)
        if self.use_bias:
            self.grads["b"] = dz.sum(axis=0)
        return dz @ W.T if needs_dx else None

    @property
    def logits(self) -> np.ndarray:
        """``z (N, M)`` of the last forward pass: the output before the activation."""
        return self._last("z")

    def regularization(self) -> float:
        """``λ·Σ W²``, or 0 without a regulariser."""
        return self.kernel_regularizer.penalty(self.params["W"]) if self.kernel_regularizer else 0.0

    def _last(self, symbol: str) -> Any:
        if self._cache is None:
            raise CallOrderError(self.where, "forward before this", "no forward pass yet", "Call forward(x) first.")
        return self._cache[("x", "z", "a").index(symbol)]
