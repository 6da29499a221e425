"""Penalties on parameters, added to the loss."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import keras_constant


class L2:
    """Weight penalty ``λ·Σ W²``, which pulls every weight towards zero.

    Args:
        l2: the strength λ ≥ 0. As in Keras the sum is not halved, so the gradient is ``2λW``.
    """

    equations: ClassVar[Equations] = Equations(
        (r"R(W) = \lambda \sum_{ij} W_{ij}^2",),
        (r"dW \mathrel{+}= 2 \lambda W",),
        {"W": r"\mathbb{R}^{D \times M}", r"\lambda": r"\mathbb{R}_{\ge 0}"},
    )

    def __init__(self, l2: float = 0.01) -> None:
        if not np.isfinite(l2) or l2 < 0:
            raise InvalidValueError("L2", "a strength l2 ≥ 0", repr(l2))
        self.l2 = keras_constant(l2)

    def penalty(self, W: np.ndarray) -> float:
        """``λ·Σ W²``, a number that is added to the loss."""
        return self.l2 * float((W * W).sum())

    def gradient(self, W: np.ndarray) -> np.ndarray:
        """``2λW``, of the shape of ``W``; it is added to ``dW``."""
        return 2 * self.l2 * W

    def __repr__(self) -> str:
        return f"L2({self.l2:g})"
