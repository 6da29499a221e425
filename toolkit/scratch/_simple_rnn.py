"""The simplest recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from toolkit.scratch._equations import Equations
from toolkit.scratch._recurrent import Recurrent


class _Step(NamedTuple):
    """What a step remembers, each ``(N, M)``."""

    z: np.ndarray
    h: np.ndarray


class SimpleRNN(Recurrent):
    r"""Recurrent layer whose state is its output: ``h_t = φ(x_t W + h_{t−1} U + b)``.

    Shapes: ``x (N, T, D)``, ``W (D, M)``, ``U (M, M)``, ``b (M,)``; ``h (N, M)`` at every step.

    Backward, for t = T … 1, from ``dh`` of step t:

    1. ``dz = dh ⊙ φ′(z)``;
    2. to step t−1 goes ``dh = dz Uᵀ``, to which ``dy_{t−1}`` is added. Over k steps that is k products with ``Uᵀ``
       and ``φ′``: gradients fade or grow exponentially (Bengio, Simard and Frasconi 1994);
    3. over all steps ``dW = Σ x_tᵀ dz_t``, ``dU = Σ h_{t−1}ᵀ dz_t``, ``db = Σ dz_t``, ``dx_t = dz_t Wᵀ``.

    Arguments, masked steps and initial states are those of ``Recurrent``.
    """

    equations = Equations(
        (r"z_t = x_t W + h_{t-1} U + b", r"h_t = \varphi(z_t)"),
        (
            r"dh_t = dy_t + dz_{t+1}\, U^\top",
            r"dz_t = dh_t \odot \varphi'(z_t)",
            r"dW = \sum_t x_t^\top dz_t",
            r"dU = \sum_t h_{t-1}^\top dz_t",
            r"db = \sum_t \sum_n dz_{t,n}",
            r"dx_t = dz_t\, W^\top",
        ),
        {
            "x_t": r"\mathbb{R}^{N \times D}",
            "z_t, h_t": r"\mathbb{R}^{N \times M}",
            "W": r"\mathbb{R}^{D \times M}",
            "U": r"\mathbb{R}^{M \times M}",
            "b": r"\mathbb{R}^{M}",
        },
        "Elman (1990)",
    )
    gate_names = ("h",)

    def step(self, xW: np.ndarray, h: np.ndarray) -> tuple[Sequence[np.ndarray], _Step]:
        """``h`` after the step; see the class for the equations."""
        z = np.add(xW, h @ self.params["U"], out=xW)
        h = self.activation.activate(z)
        return (h,), _Step(z, h)

    def step_back(self, step: _Step, dz: np.ndarray, dh: np.ndarray) -> Sequence[np.ndarray]:
        """``dh`` before the step."""
        dz[...] = self.activation.gradient(step.z, step.h, dh)
        return (dz @ self.params["U"].T,)
