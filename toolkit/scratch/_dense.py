"""The fully connected layer."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ShapeError
from toolkit.scratch._activations import Activation
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer
from toolkit.scratch._kernel import KernelLayer
from toolkit.scratch._layer import check_positive_integer
from toolkit.scratch._regularizers import L2
from toolkit.scratch._shape import batch


class Dense(KernelLayer):
    r"""Fully connected layer, ``a = f(xW + b)``.

    Shapes: ``x (N, D)``, ``W (D, M)``, ``b (M,)``, ``z`` and ``a`` ``(N, M)``.

    1. product and bias: ``z = xW + b`` — ``b`` is added to every row;
    2. activation: ``a = f(z)``.

    Backward, from ``dy = ∂L/∂a`` (the loss is a mean over the batch, so no further 1/N appears):

    1. ``dz = dy ⊙ f′(z)``;
    2. ``dW = xᵀdz``, ``db = Σₙ dzₙ``, ``dx = dz Wᵀ``.

    An input with more axes, ``(N, …, D)`` such as a sequence ``(N, T, D)``, is so many rows of ``D`` numbers:
    every row is treated alike and ``a`` has shape ``(N, …, M)``.

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
        super().__init__(activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, name)
        self.units = check_positive_integer(units, "units", self.where)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(…, M)``, whatever ``D`` is."""
        return (*input_shape[:-1], self.units)

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``W (D, M)`` and sets ``b (M,)``."""
        if not self.input_shape or self.input_shape[-1] is None:
            raise ShapeError(self.where, "x of shape (N, …, D) with D known", f"shape {batch(self.input_shape)}")
        self.create_kernel_and_bias((self.input_shape[-1], self.units), rng)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``a (N, …, M)`` from ``x (N, …, D)``."""
        x = self.check_input(x)
        z = _rows(x) @ self.params["W"]
        if self.use_bias:
            z += self.params["b"]
        z = z.reshape(*x.shape[:-1], self.units)
        a = self.activation.activate(z)
        self._cache = x, z, a
        return a

    def backward_from_dz(self, dz: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Computes ``dW (D, M)``, ``db (M,)`` and returns ``dx``, all from ``dz = ∂L/∂z``, of the shape of ``z``.

        It is the second half of ``backward``, for a loss that knows ``dz`` itself (softmax: ``dz = (a − y)/N``).
        """
        x, _, _ = self._last_pass()
        W = self.params["W"]
        self.grads["W"] = _rows(x).T @ _rows(dz)
        if self.kernel_regularizer is not None:
            self.grads["W"] += self.kernel_regularizer.gradient(W)
        if self.use_bias:
            self.grads["b"] = _rows(dz).sum(axis=0)
        return (_rows(dz) @ W.T).reshape(x.shape) if needs_dx else None


def _rows(x: np.ndarray) -> np.ndarray:
    """``(N, …, D)`` as a matrix with ``D`` columns; an ``x (N, D)`` stays as it is."""
    return x.reshape(-1, x.shape[-1])
