"""The contrastive loss of SimCLR: each row has to find the second view of the same thing among all others."""

from __future__ import annotations

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import to_array
from toolkit.scratch._losses import Loss, log_softmax

_SMALLEST = 1e-12  # of a squared norm, as in tf.math.l2_normalize


class NTXent(Loss):
    """Normalised temperature-scaled cross-entropy: every row has to pick out its partner among all others.

    The 2N rows are two views of N things. Of each row, the similarities to the 2N − 1 other rows are the logits of a
    softmax, whose right answer is the row's partner. A row is not compared with itself: it would always win.

    Args:
        temperature: τ > 0; the smaller, the more the most similar wrong rows count.
    """

    equations = Equations(
        (
            r"u_i = \frac{z_i}{\lVert z_i \rVert}",
            r"s_{ij} = \frac{u_i^\top u_j}{\tau}, \qquad s_{ii} = -\infty",
            r"p_{ij} = \frac{e^{s_{ij}}}{\sum_{k \neq i} e^{s_{ik}}}",
            r"L = -\frac{1}{2N} \sum_i \ln p_{i, j(i)} \quad \text{with } j(i) \text{ the partner of } i",
        ),
        (
            r"dS = \frac{1}{2N} (P - Y), \qquad Y_{i, j(i)} = 1",
            r"dU = \frac{1}{\tau} (dS + dS^\top)\, U",
            r"dz_i = \frac{du_i - (u_i^\top du_i)\, u_i}{\lVert z_i \rVert}",
        ),
        {
            "z": r"\mathbb{R}^{2N \times D}",
            "U": r"\mathbb{R}^{2N \times D}",
            "S, P, Y": r"\mathbb{R}^{2N \times 2N}",
            r"\tau": r"\mathbb{R}_{>0}",
            "L": r"\mathbb{R}",
        },
        "Chen et al.: A simple framework for contrastive learning of visual representations, 2020.",
    )

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        if not temperature > 0:
            raise InvalidValueError(self._where, "a temperature above 0", repr(temperature))
        self.temperature = temperature

    def __repr__(self) -> str:
        return f"NTXent(temperature={self.temperature})"

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (2N,)`` numbers the things, each twice: ``[0, 1, …, 0, 1, …]``; ``y_pred`` is ``z (2N, D)``."""
        z = self._check_pred(y_pred)
        partner = self._partners(y_true, z)
        norm = np.sqrt(np.maximum((z * z).sum(axis=1, keepdims=True), _SMALLEST))
        U = z / norm
        S = U @ U.T / self.temperature
        np.fill_diagonal(S, -np.inf)
        log_P = log_softmax(S)
        self._cache = U, norm, np.exp(log_P), partner
        return float(-log_P[np.arange(len(z)), partner].mean())

    def backward(self) -> np.ndarray:
        """``dz (2N, D)``: through the softmax, the two sides of every dot product, and the normalisation."""
        U, norm, P, partner = self._last()
        Y = np.eye(len(U), dtype=U.dtype)[partner]
        dS = (P - Y) / len(U)
        dU = (dS + dS.T) @ U / self.temperature
        along = (U * dU).sum(axis=1, keepdims=True) * U  # a longer z has the same direction, so it changes nothing
        along[norm[:, 0] ** 2 <= _SMALLEST] = 0  # except where the norm is held up by its lower limit
        return (dU - along) / norm

    def _partners(self, y_true: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The position of each row's partner, ``(2N,)``."""
        things = to_array(y_true, None, "y_true", self._where)
        if z.ndim != 2 or things.shape != (len(z),):
            expected = "y_true (2N,) and y_pred (2N, D)"
            raise ShapeError(self._where, expected, f"{things.shape} and {z.shape}")
        _, counts = np.unique(things, return_counts=True)
        if (counts != 2).any():
            received = f"{int((counts != 2).sum())} that stand there another number of times"
            raise InvalidValueError(self._where, "things that stand in y_true twice each", received)
        same = things[:, np.newaxis] == things
        np.fill_diagonal(same, False)
        return same.argmax(axis=1)
