"""What layers with a kernel, a bias and an activation share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError
from toolkit.scratch._activations import Activation, get_activation
from toolkit.scratch._initializers import Initializer, initial_value
from toolkit.scratch._layer import Layer
from toolkit.scratch._regularizers import L2


class KernelLayer(Layer):
    """Base of the layers ``a = f(z)`` whose ``z`` is linear in a kernel ``W`` and a bias ``b``.

    Args:
        activation: a name ("relu", "softmax", …), an activation, or None for linear.
        use_bias: whether ``b`` is there.
        kernel_initializer: name or initialiser of ``W``, or an array of its shape.
        bias_initializer: name or initialiser of ``b``, or an array of its shape.
        kernel_regularizer: an ``L2`` or None.
        name: the layer's name.
    """

    def __init__(
        self,
        activation: str | Activation | None,
        use_bias: bool,
        kernel_initializer: str | Initializer | np.ndarray,
        bias_initializer: str | Initializer | np.ndarray,
        kernel_regularizer: L2 | None,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        if kernel_regularizer is not None and not isinstance(kernel_regularizer, L2):
            raise InvalidValueError(self.where, "kernel_regularizer as L2(…) or None", repr(kernel_regularizer))
        self.activation = get_activation(activation, self.where)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer

    def create_kernel_and_bias(self, kernel_shape: tuple[int, ...], rng: np.random.Generator) -> None:
        """Draws ``W`` of ``kernel_shape``, whose last axis counts the outputs, and one ``b`` for each of them."""
        self.params["W"] = initial_value(self.kernel_initializer, kernel_shape, rng, self.dtype, self.where)
        if self.use_bias:
            self.params["b"] = initial_value(self.bias_initializer, kernel_shape[-1:], rng, self.dtype, self.where)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Computes ``dz = dy ⊙ f′(z)``, from it ``dW`` and ``db``, and returns ``dx``; shapes as in ``forward``."""
        *_, z, a = self._cache or (None, None)
        dy = self.check_upstream(dy, None if a is None else a.shape)
        return self.backward_from_dz(self.activation.gradient(z, a, dy), needs_dx)

    @abstractmethod
    def backward_from_dz(self, dz: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """The second half of ``backward``, for a loss that knows ``dz`` itself (softmax: ``dz = (a − y)/N``)."""

    @property
    def logits(self) -> np.ndarray:
        """``z`` of the last forward pass: the output before the activation."""
        *_, z, _ = self._last_pass()
        return z

    def regularization(self) -> float:
        """``λ·Σ W²``, or 0 without a regulariser."""
        return self.kernel_regularizer.penalty(self.params["W"]) if self.kernel_regularizer else 0.0

    def regularization_gradients(self) -> dict[str, np.ndarray]:
        """``{"W": 2λW}``, or nothing without a regulariser."""
        return {"W": self.kernel_regularizer.gradient(self.params["W"])} if self.kernel_regularizer else {}

    def _last_pass(self) -> tuple[Any, ...]:
        """What the last ``forward`` kept; its last two entries are ``z`` and ``a``."""
        if self._cache is None:
            raise CallOrderError(self.where, "forward before this", "no forward pass yet", "Call forward(x) first.")
        return self._cache
