r"""Initial values of the parameters.

A layer that adds up ``fan_in`` products makes its output's variance ``fan_in · Var(W)`` times that of
its input. Glorot (Xavier) and He choose ``Var(W)`` so that signals neither fade nor blow up with depth.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations

_SYMBOLS = {"W": r"\mathbb{R}^{n_{in} \times n_{out}}"}
# A normal distribution cut off at two standard deviations has this standard deviation.
_TRUNCATED_STD = 0.87962566103423978


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """``(fan_in, fan_out)`` of a kernel: the inputs that one output adds up, and the reverse.

    A dense kernel ``(D, M)`` has fans ``D, M``; a convolution kernel ``(kh, kw, C, F)`` has
    ``kh·kw·C, kh·kw·F``; a vector ``(M,)`` has ``M, M``.
    """
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    receptive_field = math.prod(shape[:-2])
    return receptive_field * shape[-2], receptive_field * shape[-1]


class Initializer(ABC):
    """Makes the first value of a parameter: ``initializer(shape, rng, dtype)``."""

    equations: ClassVar[Equations]

    @abstractmethod
    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        """Returns an array of ``shape`` and ``dtype``, drawn from ``rng`` where it is random."""


class Zeros(Initializer):
    """All zeros: right for biases; a kernel of zeros never learns to tell its units apart."""

    equations = Equations((r"W = 0",), symbols=_SYMBOLS)

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return np.zeros(shape, dtype)


class RandomUniform(Initializer):
    """Uniform between two bounds, whatever the shape; Keras's default for embeddings.

    Args:
        minval: the lower bound.
        maxval: the upper bound.

    Raises:
        InvalidValueError: the bounds are not finite numbers in this order.
    """

    equations = Equations((r"W_{ij} \sim U(\ell, u)",), symbols=_SYMBOLS | {r"\ell, u": r"\mathbb{R}"})

    def __init__(self, minval: float = -0.05, maxval: float = 0.05) -> None:
        if not -math.inf < minval <= maxval < math.inf:
            raise InvalidValueError("RandomUniform", "minval ≤ maxval, both finite", f"{minval!r}, {maxval!r}")
        self.minval, self.maxval = float(minval), float(maxval)

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return rng.uniform(self.minval, self.maxval, shape).astype(dtype)


class GlorotUniform(Initializer):
    """Uniform with variance ``2 / (fan_in + fan_out)``; Keras's default, made for tanh and linear units."""

    equations = Equations(
        (r"W_{ij} \sim U(-\ell, \ell), \quad \ell = \sqrt{\frac{6}{n_{in} + n_{out}}}",),
        symbols=_SYMBOLS,
        source="Glorot and Bengio (2010)",
    )

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape)
        limit = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, shape).astype(dtype)


class GlorotNormal(Initializer):
    """Normal, cut off at two standard deviations, with variance ``2 / (fan_in + fan_out)``."""

    equations = Equations(
        (
            r"W_{ij} \sim \mathcal{N}_{[-2\sigma, 2\sigma]}, \quad "
            r"\operatorname{Var} W_{ij} = \frac{2}{n_{in} + n_{out}}",
        ),
        symbols=_SYMBOLS,
        source="Glorot and Bengio (2010)",
    )

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape)
        return truncated_normal(math.sqrt(2 / (fan_in + fan_out)), shape, rng, dtype)


class HeUniform(Initializer):
    """Uniform with variance ``2 / fan_in``: twice Glorot's for square layers, as ReLU drops half the signal."""

    equations = Equations(
        (r"W_{ij} \sim U(-\ell, \ell), \quad \ell = \sqrt{\frac{6}{n_{in}}}",),
        symbols=_SYMBOLS,
        source="He et al. (2015), arXiv:1502.01852",
    )

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        limit = math.sqrt(6 / compute_fans(shape)[0])
        return rng.uniform(-limit, limit, shape).astype(dtype)


class HeNormal(Initializer):
    """Normal, cut off at two standard deviations, with variance ``2 / fan_in``; made for ReLU."""

    equations = Equations(
        (r"W_{ij} \sim \mathcal{N}_{[-2\sigma, 2\sigma]}, \quad \operatorname{Var} W_{ij} = \frac{2}{n_{in}}",),
        symbols=_SYMBOLS,
        source="He et al. (2015), arXiv:1502.01852",
    )

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return truncated_normal(math.sqrt(2 / compute_fans(shape)[0]), shape, rng, dtype)


class Orthogonal(Initializer):
    """A random rotation: it changes the length of no vector, so a state keeps its size over many time steps.

    ``W`` has orthonormal columns, or orthonormal rows if it is wider than high. More than two axes are a matrix
    whose columns are the last axis.

    Args:
        gain: a factor for all of ``W``.

    Raises:
        InvalidValueError: ``gain`` is not a finite number.
        ShapeError: at call, a shape with fewer than two axes.
    """

    equations = Equations(
        (
            r"A_{ij} \sim \mathcal{N}(0, 1), \quad A = QR",
            r"W = \gamma\, Q \operatorname{diag}(\operatorname{sign} R_{jj})",
        ),
        symbols=_SYMBOLS | {"A": r"\mathbb{R}^{n_{in} \times n_{out}}", r"\gamma": r"\mathbb{R}"},
        source="Saxe, McClelland and Ganguli (2014), arXiv:1312.6120",
    )

    def __init__(self, gain: float = 1.0) -> None:
        if not math.isfinite(gain):
            raise InvalidValueError("Orthogonal", "a finite gain", repr(gain))
        self.gain = float(gain)

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        if len(shape) < 2:
            raise ShapeError("Orthogonal", "a shape with at least two axes", f"{shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        Q, R = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        # The signs make the rotation uniform among all: QR alone prefers some (Mezzadri 2007).
        W = Q * np.sign(np.diagonal(R))
        return (self.gain * (W if rows >= columns else W.T)).reshape(shape).astype(dtype)


def truncated_normal(std: float, shape: tuple[int, ...], rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    """Draws from a zero-mean normal without its tails; ``std`` is that of what is left.

    Values beyond two standard deviations are drawn again, so none is far from the rest.
    """
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return (values * (std / _TRUNCATED_STD)).astype(dtype)


INITIALIZERS: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "xavier_uniform": GlorotUniform,
    "xavier_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "uniform": RandomUniform,
    "random_uniform": RandomUniform,
    "orthogonal": Orthogonal,
}


def initial_value(
    initializer: str | Initializer | np.ndarray,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    dtype: np.dtype,
    where: str,
) -> np.ndarray:
    """The first value of a parameter, from an initialiser, its name, or the very numbers wanted.

    Raises:
        InvalidValueError: no initialiser has that name.
        ShapeError: the numbers given do not have ``shape``.
    """
    if isinstance(initializer, str):
        if initializer not in INITIALIZERS:
            raise InvalidValueError(where, f"an initialiser: {', '.join(INITIALIZERS)}", repr(initializer))
        initializer = INITIALIZERS[initializer]()
    if isinstance(initializer, Initializer):
        return initializer(shape, rng, dtype)
    values = np.array(initializer, dtype)
    if values.shape != shape:
        raise ShapeError(where, f"initial values of shape {shape}", f"shape {values.shape}")
    return values
