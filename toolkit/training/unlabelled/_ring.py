"""Data of which everything is known: Gaussians on a circle, to count which of them a generator has found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from toolkit.errors import ShapeError
from toolkit.training.unlabelled._checks import require_integer, require_number

_LEAST = 1e-12  # of a length: above 0


@dataclass(frozen=True)
class GaussianRing:
    r"""K narrow Gaussians at equal distances on a circle, all equally likely (Metz et al., 2017).

    .. math:: p(x) = \frac1K \sum_{k=0}^{K-1} \mathcal N(x;\, c_k, \sigma^2 I), \qquad
              c_k = r\,(\cos 2\pi k/K,\; \sin 2\pi k/K)

    Attributes:
        modes: K.
        radius: r.
        deviation: σ.
    """

    modes: int = 8
    radius: float = 2.0
    deviation: float = 0.1

    def __post_init__(self) -> None:
        require_integer("GaussianRing", "modes", self.modes)
        for name in ("radius", "deviation"):
            require_number("GaussianRing", f"{name} as a positive number", getattr(self, name), least=_LEAST)

    @property
    def centres(self) -> np.ndarray:
        """c, ``(K, 2)``."""
        angle = 2 * np.pi * np.arange(self.modes) / self.modes
        return self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def draw(self, n: int, *, seed: int = 0) -> np.ndarray:
        """``n`` samples, ``(n, 2)`` float32.

        Raises:
            InvalidValueError: ``n`` is not an integer from 0.
        """
        require_integer("GaussianRing.draw", "n", n, least=0)
        rng = np.random.default_rng(seed)
        centre = self.centres[rng.integers(0, self.modes, n)]
        return (centre + self.deviation * rng.standard_normal((n, 2))).astype("float32")

    def density(self, x: ArrayLike) -> np.ndarray:
        """The density p at the points ``x (…, 2)``, ``(…)``.

        Raises:
            ShapeError: the last axis has not two numbers.
        """
        x = np.asarray(x)
        if x.shape[-1:] != (2,):
            raise ShapeError("GaussianRing.density", "points (…, 2)", f"shape {x.shape}")
        squared = ((x[..., np.newaxis, :] - self.centres) ** 2).sum(axis=-1)
        normal = np.exp(-squared / (2 * self.deviation**2)) / (2 * np.pi * self.deviation**2)
        return normal.mean(axis=-1)

    def hits(self, samples: ArrayLike, *, deviations: float = 3.0) -> np.ndarray:
        """How many samples lie near each centre, within so many ``deviation``: ``(K,)``; others count nowhere.

        Raises:
            ShapeError: the samples are not ``(N, 2)``.
        """
        samples = np.asarray(samples)
        if samples.ndim != 2 or samples.shape[1] != 2:
            raise ShapeError("GaussianRing.hits", "samples (N, 2)", f"shape {samples.shape}")
        distance = np.linalg.norm(samples[:, np.newaxis] - self.centres, axis=2)
        near = distance <= deviations * self.deviation
        return near.sum(axis=0)

    def modes_hit(self, samples: ArrayLike, *, least: float = 0.2) -> int:
        """How many of the K Gaussians got a sample, and at least this share of what they should get, ``N/K``."""
        hits = self.hits(samples)
        return int((hits >= max(1, least * len(np.asarray(samples)) / self.modes)).sum())
