"""The two sides of a generative adversarial network: who tells apart, and who must not be told apart.

Both losses see the same batch: ``y_true (N, 1)`` is 1 for real samples and 0 for generated ones, ``y_pred (N, 1)`` are
the discriminator's logits ``s``, with ``D = σ(s)`` its belief that the sample is real.
"""

from __future__ import annotations

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.scratch._activations import Sigmoid
from toolkit.scratch._equations import Equations
from toolkit.scratch._losses import Loss

_SOURCE = "Goodfellow et al.: Generative adversarial nets, 2014."
_SETS = r"\mathcal{R} = \{n : y_n = 1\}, \qquad \mathcal{G} = \{n : y_n = 0\}"
_SYMBOLS = {
    "y": r"\{0, 1\}^{N}",
    "s": r"\mathbb{R}^{N}",
    "L": r"\mathbb{R}",
}


def _softplus(s: np.ndarray) -> np.ndarray:
    """``ln(1 + exp(s)) = −ln(1 − σ(s))``, without overflow; and ``−ln σ(s) = softplus(−s)``."""
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


class _Adversarial(Loss):
    from_logits = True

    def _checked(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which rows are real, which are generated, ``(N, 1)`` each, and the logits."""
        y, s = self._check_same_shape(y_true, y_pred)
        if s.shape[1:] != (1,) or not np.isin(y, (0, 1)).all():
            expected = "y_true (N, 1), 1 for real and 0 for generated samples, and one logit for each"
            raise InvalidValueError(self._where, expected, f"y_pred of shape {s.shape}, y_true from {y.min():g} up")
        real, generated = y == 1, y == 0
        if not generated.any():
            raise InvalidValueError(self._where, "at least one generated sample, y_true = 0", "none")
        return real, generated, s


class DiscriminatorLoss(_Adversarial):
    r"""Cross-entropy of *real or generated?*: a mean over the real samples plus a mean over the generated ones."""

    equations = Equations(
        (
            _SETS,
            r"L = -\frac{1}{|\mathcal{R}|} \sum_{n \in \mathcal{R}} \ln \sigma(s_n)"
            r" - \frac{1}{|\mathcal{G}|} \sum_{n \in \mathcal{G}} \ln (1 - \sigma(s_n))",
        ),
        (
            r"ds_n = -\frac{1 - \sigma(s_n)}{|\mathcal{R}|} \quad (n \in \mathcal{R})",
            r"ds_n = \frac{\sigma(s_n)}{|\mathcal{G}|} \quad (n \in \mathcal{G})",
        ),
        _SYMBOLS,
        _SOURCE,
    )

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (N, 1)``: real or not; ``y_pred (N, 1)``: logits."""
        real, generated, s = self._checked(y_true, y_pred)
        if not real.any():
            raise InvalidValueError(self._where, "at least one real sample, y_true = 1", "none")
        self._cache = real, generated, s
        return float(_softplus(-s[real]).mean() + _softplus(s[generated]).mean())

    def backward(self) -> np.ndarray:
        """``ds (N, 1)``."""
        real, generated, s = self._last()
        D = Sigmoid().activate(s)
        return np.where(real, -(1 - D) / real.sum(), D / generated.sum())


class GeneratorLoss(_Adversarial):
    r"""What the generator makes small: the logits of its samples count, those of real samples do not depend on it.

    Args:
        saturating: True is its side of the minimax game, ``ln(1 − D)``, whose gradient ``−D`` vanishes as soon as the
            discriminator is sure of itself. False, what is used instead, is ``−ln D`` with the gradient ``−(1 − D)``.
            Both are smallest where D = 1.
    """

    equations = Equations(
        (
            _SETS,
            r"L = -\frac{1}{|\mathcal{G}|} \sum_{n \in \mathcal{G}} \ln \sigma(s_n)",
            r"L = \frac{1}{|\mathcal{G}|} \sum_{n \in \mathcal{G}} \ln (1 - \sigma(s_n)) \quad \text{saturating}",
        ),
        (
            r"ds_n = -\frac{1 - \sigma(s_n)}{|\mathcal{G}|} \quad (n \in \mathcal{G})",
            r"ds_n = -\frac{\sigma(s_n)}{|\mathcal{G}|} \quad \text{saturating}",
        ),
        _SYMBOLS,
        _SOURCE,
    )

    def __init__(self, saturating: bool = False) -> None:
        super().__init__()
        self.saturating = saturating

    def __repr__(self) -> str:
        return f"GeneratorLoss({'saturating=True' if self.saturating else ''})"

    def forward(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        """``y_true (N, 1)``: real or not; ``y_pred (N, 1)``: logits."""
        _, generated, s = self._checked(y_true, y_pred)
        self._cache = generated, s
        if self.saturating:
            return float(-_softplus(s[generated]).mean())
        return float(_softplus(-s[generated]).mean())

    def backward(self) -> np.ndarray:
        """``ds (N, 1)``; 0 for real samples."""
        generated, s = self._last()
        D = Sigmoid().activate(s)
        return np.where(generated, -(D if self.saturating else 1 - D) / generated.sum(), 0)
