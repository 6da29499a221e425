"""From 0 … 255 to the range that a network learns well from, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Normalization:
    """``y = (x/255 − m) / s`` for each channel; without m and s the values stay in 0 … 255.

    Attributes:
        mean: m, float64 (C,), or None.
        std: s, float64 (C,), or None.
    """

    mean: np.ndarray | None
    std: np.ndarray | None

    @classmethod
    def learn(cls, images: Iterable[np.ndarray], channels: int) -> Self | None:
        """``m = S₁/n`` and ``s² = S₂/n − m²`` over all pixels, in units of 255; None if there are no images.

        S₁ and S₂ are sums of whole numbers, hence exact: nothing is lost in the difference.
        """
        n, first, second = 0, np.zeros(channels, np.int64), np.zeros(channels, np.int64)
        for image in images:
            x = image.reshape(-1, channels).astype(np.int64)
            n += len(x)
            first += x.sum(axis=0)
            second += (x * x).sum(axis=0)
        if n == 0:
            return None
        # Python's integers: n·S₂ outgrows 64 bits at some billion pixels.
        variance = np.array([(n * int(s2) - int(s1) ** 2) / n**2 for s1, s2 in zip(first, second)])
        # A channel that never changes has no spread to divide by.
        return cls(first / n / 255, np.where(variance > 0, np.sqrt(variance) / 255, 1.0))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Y of ``x``, float32 (…, C) with values in 0 … 255, in place."""
        if self.mean is not None:
            x /= np.float32(255)
            if self.mean.any() or (self.std != 1).any():
                x -= self.mean.astype(np.float32)
                x /= self.std.astype(np.float32)
        return x

    def invert(self, y: np.ndarray) -> np.ndarray:
        """The pixels ``x = 255·(s·y + m)``, rounded, uint8."""
        x = y if self.mean is None else 255 * (self.std * y + self.mean)
        return np.clip(np.rint(x), 0, 255).astype(np.uint8)

    def __str__(self) -> str:
        return "0 to 255" if self.mean is None else f"(x/255 − {_short(self.mean)}) / {_short(self.std)}"


def _short(numbers: np.ndarray) -> str:
    """One number if all channels share it."""
    distinct = [f"{number:.4g}" for number in numbers]
    return distinct[0] if len(set(distinct)) == 1 else f"({', '.join(distinct)})"
