r"""Activations: each function beside its derivative.

Every activation is a layer without parameters. Its two methods are the mathematics:
``activate(z)`` gives ``a = f(z)`` and ``gradient(z, a, da)`` gives ``dz = ∂L/∂z`` from ``da = ∂L/∂a``.
Both keep the shape ``(N, …)`` and the dtype of ``z``.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer, keras_constant

_ELEMENTWISE = {"z": r"\mathbb{R}^{N \times M}", "a": r"\mathbb{R}^{N \times M}"}


class Activation(Layer):
    """Base of the activations; ``a = f(z)``, applied to every element or (softmax) to the last axis."""

    @abstractmethod
    def activate(self, z: np.ndarray) -> np.ndarray:
        """Returns ``a = f(z)``."""

    @abstractmethod
    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """Returns ``dz`` from the upstream gradient ``da``; ``z`` and ``a`` are those of ``activate``."""

    def forward(self, z: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``a = f(z)``; see the class for the equation."""
        z = self.check_input(z)
        a = self.activate(z)
        self._cache = z, a
        return a

    def backward(self, da: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dz`` from the upstream gradient ``da``; see the class for the equation."""
        z, a = self._cache if self._cache is not None else (None, None)
        da = self.check_upstream(da, None if a is None else a.shape)
        return self.gradient(z, a, da)

    # A loss that wants the logits (softmax with cross-entropy) asks the last layer for them and
    # hands back dz; here there is nothing between the logits and the layer's input.

    @property
    def logits(self) -> np.ndarray:
        """The last input ``z``."""
        return self._cache[0]

    def backward_from_dz(self, dz: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dz``: the input of an activation is ``z`` itself."""
        return self.check_upstream(dz, self._cache[0].shape)


class Linear(Activation):
    """The identity, ``a = z``."""

    equations = Equations((r"a = z",), (r"dz = da",), _ELEMENTWISE)

    def activate(self, z: np.ndarray) -> np.ndarray:
        return z

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da


class ReLU(Activation):
    """Rectified linear unit, ``a = max(z, 0)``; the derivative at 0 is taken as 0, as in TensorFlow."""

    equations = Equations((r"a = \max(z, 0)",), (r"dz = da \odot [z > 0]",), _ELEMENTWISE, "Nair and Hinton (2010)")

    def activate(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * (z > 0)


class Sigmoid(Activation):
    """Logistic function, ``a = 1 / (1 + exp(−z))``."""

    equations = Equations((r"a = \frac{1}{1 + e^{-z}}",), (r"dz = da \odot a \odot (1 - a)",), _ELEMENTWISE)

    def activate(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # far to the left exp(−z) is infinite and the fraction 0, as it should be
            return 1 / (1 + np.exp(-z))

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * a * (1 - a)


class Tanh(Activation):
    """Hyperbolic tangent."""

    equations = Equations((r"a = \tanh z",), (r"dz = da \odot (1 - a^2)",), _ELEMENTWISE)

    def activate(self, z: np.ndarray) -> np.ndarray:
        return np.tanh(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * (1 - a * a)


class Softmax(Activation):
    """Softmax over the last axis: positive numbers that sum to 1."""

    equations = Equations(
        (r"a_{ij} = \frac{e^{z_{ij}}}{\sum_k e^{z_{ik}}}",),
        (r"dz_{ij} = a_{ij} \Big( da_{ij} - \sum_k da_{ik}\, a_{ik} \Big)",),
        _ELEMENTWISE,
        "Bridle (1990)",
    )

    def activate(self, z: np.ndarray) -> np.ndarray:
        # Subtracting the maximum changes nothing (it cancels) but keeps exp from overflowing.
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return a * (da - (da * a).sum(axis=-1, keepdims=True))


# NumPy has no error function; the standard library's is applied element by element.
_erf = np.frompyfunc(math.erf, 1, 1)
_INV_SQRT_2 = keras_constant(1 / math.sqrt(2))


class GELU(Activation):
    r"""Gaussian error linear unit, ``a = z·Φ(z)`` with Φ the standard normal distribution function."""

    equations = Equations(
        (r"\Phi(z) = \tfrac12 \Big( 1 + \operatorname{erf} \frac{z}{\sqrt2} \Big)", r"a = z \odot \Phi(z)"),
        (r"dz = da \odot \Big( \Phi(z) + z \odot \tfrac{1}{\sqrt{2\pi}} e^{-z^2 / 2} \Big)",),
        _ELEMENTWISE,
        "Hendrycks and Gimpel (2016), arXiv:1606.08415",
    )

    @staticmethod
    def _cdf(z: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + _erf(z * _INV_SQRT_2).astype(z.dtype))

    def activate(self, z: np.ndarray) -> np.ndarray:
        return z * self._cdf(z)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        pdf = _INV_SQRT_2 / math.sqrt(math.pi) * np.exp(-((z * _INV_SQRT_2) ** 2))
        return da * (self._cdf(z) + z * pdf)


ACTIVATIONS: dict[str, type[Activation]] = {
    "linear": Linear,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "softmax": Softmax,
    "gelu": GELU,
}


def get_activation(activation: str | Activation | None, where: str) -> Activation:
    """Returns the activation for a name, an instance, or None (linear).

    Raises:
        InvalidValueError: no activation has that name.
    """
    if activation is None:
        return Linear()
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise InvalidValueError(where, f"an activation: {', '.join(ACTIVATIONS)}", repr(activation))
    return ACTIVATIONS[activation]()
