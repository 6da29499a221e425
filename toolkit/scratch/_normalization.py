"""Normalisation: numbers of mean 0 and variance 1, over a batch or over the features of each sample.

Both layers compute ``x̂ = (x − μ)/σ`` and ``y = γ ⊙ x̂ + β``, with a gain γ and an offset β for each feature; they
differ in what the mean μ and the deviation σ are taken over. As μ and σ depend on ``x`` too, ``dx`` has three terms.
"""

from __future__ import annotations

import math

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._shape import batch

_SYMBOLS = {
    "x, y": r"\mathbb{R}^{N \times D}",
    r"\gamma, \beta": r"\mathbb{R}^{D}",
    r"\epsilon": r"\mathbb{R}_{\ge 0}",
}


class _Normalization(Layer):
    """Base of the normalisations: gain γ and offset β of each feature, the last axis."""

    def __init__(self, epsilon: float, center: bool, scale: bool, name: str | None) -> None:
        super().__init__(name=name)
        if not 0 <= epsilon < math.inf:
            raise InvalidValueError(self.where, "epsilon ≥ 0", repr(epsilon))
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale

    def create_params(self, rng: np.random.Generator) -> None:
        """Sets γ to 1 and β to 0, ``(D,)`` each."""
        if not self.input_shape or self.input_shape[-1] is None:
            raise ShapeError(self.where, "x of shape (N, …, D) with D known", f"shape {batch(self.input_shape)}")
        if self.scale:
            self.params["gamma"] = np.ones(self.input_shape[-1], self.dtype)
        if self.center:
            self.params["beta"] = np.zeros(self.input_shape[-1], self.dtype)

    @property
    def _gamma(self) -> np.ndarray | float:
        return self.params.get("gamma", 1.0)

    def _scale_and_shift(self, x_hat: np.ndarray) -> np.ndarray:
        """``y = γ ⊙ x̂ + β``."""
        return self._gamma * x_hat + self.params.get("beta", 0.0)

    def _parameter_gradients(self, dy: np.ndarray, x_hat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``dγ`` and ``dβ``: sums over all axes but the last."""
        axes = tuple(range(dy.ndim - 1))
        dgamma, dbeta = (dy * x_hat).sum(axis=axes), dy.sum(axis=axes)
        if self.scale:
            self.grads["gamma"] = dgamma
        if self.center:
            self.grads["beta"] = dbeta
        return dgamma, dbeta


class BatchNormalization(_Normalization):
    r"""Makes each feature of a batch have mean 0 and variance 1, then scales and shifts it.

    Shapes: ``x (N, D)`` or, with the channels as features, ``x (N, H, W, C)`` or any ``(N, …, D)``; ``y`` like ``x``;
    γ, β, μ, σ ``(D,)``. Below, ``n`` runs over all axes but the last, ``m`` places in all.

    1. in training: mean ``μ`` and variance ``v`` of the batch (``v`` divided by ``m``, not ``m − 1``);
       otherwise the moving averages of both;
    2. ``x̂ = (x − μ)/σ`` with ``σ = √(v + ε)``, and ``y = γ ⊙ x̂ + β``;
    3. in training, the moving averages follow: ``average ← momentum·average + (1 − momentum)·batch``, with the
       same ``v``, as in Keras 3.

    Backward: ``dβ = Σₙ dyₙ``, ``dγ = Σₙ dyₙ ⊙ x̂ₙ``, and in training ``dx = γ/σ ⊙ (dy − (dβ + x̂ ⊙ dγ)/m)``: what
    moves the whole batch, or stretches it, is normalised away again. Outside training ``dx = γ/σ ⊙ dy``.

    With a mask, only the places that count make up μ and v (as in Keras, their number has 1e-7 added).

    Args:
        momentum: how slowly the moving averages forget, in [0, 1].
        epsilon: ε, keeps the division away from 0.
        center: whether there is an offset β.
        scale: whether there is a gain γ.
        name: the layer's name.

    Attributes:
        non_trainable: ``moving_mean`` (starts at 0) and ``moving_variance`` (starts at 1), ``(D,)`` each.

    Raises:
        InvalidValueError: ``momentum`` or ``epsilon`` is out of range.
    """

    equations = Equations(
        (
            r"\mu = \frac{1}{N} \sum_n x_n",
            r"\sigma = \sqrt{\frac{1}{N} \sum_n (x_n - \mu)^2 + \epsilon}",
            r"\hat x_n = \frac{x_n - \mu}{\sigma}",
            r"y_n = \gamma \odot \hat x_n + \beta",
        ),
        (
            r"d\beta = \sum_n dy_n",
            r"d\gamma = \sum_n dy_n \odot \hat x_n",
            r"dx_n = \frac{\gamma}{\sigma} \odot \Big( dy_n - \frac{d\beta + \hat x_n \odot d\gamma}{N} \Big)",
        ),
        _SYMBOLS | {r"\mu, \sigma": r"\mathbb{R}^{D}"},
        "Ioffe and Szegedy (2015), arXiv:1502.03167",
    )
    uses_mask = True

    def __init__(
        self,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(epsilon, center, scale, name)
        if not 0 <= momentum <= 1:
            raise InvalidValueError(self.where, "momentum in [0, 1]", repr(momentum))
        self.momentum = float(momentum)

    def create_params(self, rng: np.random.Generator) -> None:
        """Sets γ to 1, β to 0, the moving mean to 0 and the moving variance to 1, ``(D,)`` each."""
        super().create_params(rng)
        self.non_trainable["moving_mean"] = np.zeros(self.input_shape[-1], self.dtype)
        self.non_trainable["moving_variance"] = np.ones(self.input_shape[-1], self.dtype)

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        """Computes ``y`` of the shape of ``x (N, …, D)``; ``mask (N, …)`` is False where a place does not count."""
        x = self.check_input(x)
        weights = self._weights(x, self.check_mask(mask, x.shape[:-1])) if training else None
        if training:
            axes = tuple(range(x.ndim - 1))
            mean = (weights * x).sum(axis=axes)
            variance = (weights * (x - mean) ** 2).sum(axis=axes)
            for name, value in (("moving_mean", mean), ("moving_variance", variance)):
                self.non_trainable[name] *= self.momentum
                self.non_trainable[name] += (1 - self.momentum) * value
        else:
            mean, variance = self.non_trainable.values()
        sigma = np.sqrt(variance + self.epsilon)
        x_hat = (x - mean) / sigma
        self._cache = x_hat, sigma, weights
        return self._scale_and_shift(x_hat)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Computes ``dγ (D,)``, ``dβ (D,)`` and returns ``dx`` of the shape of ``dy``."""
        x_hat, sigma, weights = self._cache or (None, None, None)
        dy = self.check_upstream(dy, None if x_hat is None else x_hat.shape)
        dgamma, dbeta = self._parameter_gradients(dy, x_hat)
        if weights is not None:
            # The mean of x̂ is 0, but for the 1e-7 of a mask.
            x_hat_mean = (weights * x_hat).sum(axis=tuple(range(dy.ndim - 1)))
            dy = dy - weights * (dbeta + (x_hat - x_hat_mean) * dgamma)
        return self._gamma / sigma * dy

    def _weights(self, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """How much each place of the batch counts in μ and v: ``1/m``, or 0 where it is masked."""
        if mask is None:
            return np.asarray(x.shape[-1] / x.size, self.dtype)
        return mask[..., np.newaxis].astype(self.dtype) / (mask.sum() + 1e-7).astype(self.dtype)


class LayerNormalization(_Normalization):
    r"""Makes the features of each sample have mean 0 and variance 1, then scales and shifts them.

    Shapes: ``x`` and ``y`` ``(N, …, D)``; γ, β ``(D,)``; μ and σ ``(N, …, 1)``. No sample depends on another, and
    nothing differs between training and use.

    1. mean ``μ`` and variance ``v`` over the last axis (``v`` divided by ``D``);
    2. ``x̂ = (x − μ)/σ`` with ``σ = √(v + ε)``, and ``y = γ ⊙ x̂ + β``.

    Backward: ``dγ`` and ``dβ`` as sums over all rows; with ``dx̂ = γ ⊙ dy`` and means over the last axis,
    ``dx = (dx̂ − mean(dx̂) − x̂ · mean(dx̂ ⊙ x̂))/σ``.

    Args:
        epsilon: ε, keeps the division away from 0.
        center: whether there is an offset β.
        scale: whether there is a gain γ.
        name: the layer's name.

    Raises:
        InvalidValueError: ``epsilon`` is out of range.
    """

    equations = Equations(
        (
            r"\mu_n = \frac{1}{D} \sum_d x_{nd}",
            r"\sigma_n = \sqrt{\frac{1}{D} \sum_d (x_{nd} - \mu_n)^2 + \epsilon}",
            r"\hat x_n = \frac{x_n - \mu_n}{\sigma_n}",
            r"y_n = \gamma \odot \hat x_n + \beta",
        ),
        (
            r"d\beta = \sum_n dy_n",
            r"d\gamma = \sum_n dy_n \odot \hat x_n",
            r"d\hat x_n = \gamma \odot dy_n",
            r"dx_n = \frac{1}{\sigma_n} \Big( d\hat x_n - \frac{1}{D} \sum_d d\hat x_{nd} "
            r"- \frac{\hat x_n}{D} \sum_d d\hat x_{nd}\, \hat x_{nd} \Big)",
        ),
        _SYMBOLS | {r"\mu, \sigma": r"\mathbb{R}^{N}"},
        "Ba, Kiros and Hinton (2016), arXiv:1607.06450",
    )

    def __init__(
        self, epsilon: float = 1e-3, center: bool = True, scale: bool = True, *, name: str | None = None
    ) -> None:
        super().__init__(epsilon, center, scale, name)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``y`` of the shape of ``x (N, …, D)``."""
        x = self.check_input(x)
        centred = x - x.mean(axis=-1, keepdims=True)
        sigma = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        x_hat = centred / sigma
        self._cache = x_hat, sigma
        return self._scale_and_shift(x_hat)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Computes ``dγ (D,)``, ``dβ (D,)`` and returns ``dx`` of the shape of ``dy``."""
        x_hat, sigma = self._cache or (None, None)
        dy = self.check_upstream(dy, None if x_hat is None else x_hat.shape)
        self._parameter_gradients(dy, x_hat)
        dx_hat = self._gamma * dy
        slope = (dx_hat * x_hat).mean(axis=-1, keepdims=True)
        return (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - x_hat * slope) / sigma
