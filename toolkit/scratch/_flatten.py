"""Flatten."""

from __future__ import annotations

import math

import numpy as np

from toolkit.errors import ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._shape import batch


class Flatten(Layer):
    """Writes each sample as one row: ``(N, H, W, C)`` becomes ``(N, H·W·C)``; the last axis runs fastest.

    Args:
        name: the layer's name.
    """

    equations = Equations(
        (r"y_{n,\, (hW + w)C + c} = x_{nhwc}",),
        (r"dx_{nhwc} = dy_{n,\, (hW + w)C + c}",),
        {"x": r"\mathbb{R}^{N \times H \times W \times C}", "y": r"\mathbb{R}^{N \times HWC}"},
    )

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """One axis with all numbers of a sample."""
        return (math.prod(input_shape),)

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that all axes have a known length; there are no parameters."""
        if None in self.input_shape:
            raise ShapeError(self.where, "x with axes of known length", f"shape {batch(self.input_shape)}")

    def compute_mask(self, x: np.ndarray, mask: np.ndarray | None = None) -> None:
        """None: there are no time steps any more."""

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Reshapes ``x (N, …)`` to ``(N, D)``."""
        x = self.check_input(x)
        y = x.reshape(len(x), *self.output_shape)
        self._cache = x.shape, y.shape
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx``: ``dy`` in the shape of ``x``."""
        x_shape, y_shape = self._cache or (None, None)
        return self.check_upstream(dy, y_shape).reshape(x_shape)
