"""Dropout."""

from __future__ import annotations

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer


def check_rate(rate: float, where: str) -> float:
    """Returns ``rate`` as a float; raises InvalidValueError unless it lies in [0, 1)."""
    if not 0 <= rate < 1:
        raise InvalidValueError(where, "a rate in [0, 1)", repr(rate))
    return float(rate)


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: np.dtype) -> np.ndarray:
    """What dropout multiplies by: 0 with probability ``rate``, else ``1/(1−rate)``."""
    keep = rng.random(shape, dtype=dtype) >= rate
    return keep.astype(dtype) / (1 - rate)


class Dropout(Layer):
    """Sets a random share of the inputs to zero in training; does nothing otherwise.

    What is kept is scaled by ``1/(1−rate)``, so the expected output equals the input and nothing
    changes between training and use ("inverted" dropout, as in Keras). Shapes: all ``(N, …)``.

    Args:
        rate: the share that is dropped, 0 ≤ rate < 1.
        seed: fixes the masks; None takes the seed that the network gives at build.
        name: the layer's name.

    Attributes:
        mask: the mask of the last training pass, 0 or ``1/(1−rate)``; None after an inference pass.

    Raises:
        InvalidValueError: ``rate`` lies outside [0, 1).
    """

    equations = Equations(
        (r"m_{ij} \sim \tfrac{1}{1-p}\,\mathrm{Bernoulli}(1-p)", r"y = x \odot m"),
        (r"dx = dy \odot m",),
        {
            "x": r"\mathbb{R}^{N \times D}",
            "m": r"\{0, \tfrac{1}{1-p}\}^{N \times D}",
            "p": r"[0, 1)",
        },
        "Srivastava et al. (2014)",
    )

    def __init__(self, rate: float, *, seed: int | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self.rate = check_rate(rate, self.where)
        self.seed = seed
        self.mask: np.ndarray | None = None
        self._rng = np.random.default_rng(0 if seed is None else seed)

    def create_params(self, rng: np.random.Generator) -> None:
        """Takes the network's random numbers for the masks unless the layer has its own seed."""
        if self.seed is None:
            self._rng = rng

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns ``x ⊙ m`` in training, ``x`` otherwise."""
        x = self.check_input(x)
        self.mask = draw_mask(self._rng, x.shape, self.rate, self.dtype) if training and self.rate > 0 else None
        self._cache = x.shape, self.mask
        return x if self.mask is None else x * self.mask

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx = dy ⊙ m`` with the mask of the last forward pass."""
        shape, mask = self._cache or (None, None)
        dy = self.check_upstream(dy, shape)
        return dy if mask is None else dy * mask
