"""Additive attention: a small network with one hidden layer says how well a query fits a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.scratch._activations import Softmax
from toolkit.scratch._attention import Attention, Masks, allowed_pairs, attend_backward
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import initial_value

_softmax = Softmax()


class AdditiveAttention(Attention):
    r"""Additive attention, ``Y = softmax(Σ_d v_d tanh(Q_d + K_d)) V``; Bahdanau's.

    Takes and returns what ``Attention`` does. In the paper the score is :math:`v^\top \tanh(W_q s + W_k h)`: the two
    matrices are ``Dense`` layers without bias before this one, so the keys are multiplied once for all queries.

    Shapes: query ``Q (N, Tq, D)``, value ``V (N, Tk, M)``, key ``K (N, Tk, D)``, ``v (D,)``, ``U (N, Tq, Tk, D)``,
    ``S`` and ``A (N, Tq, Tk)``, ``Y (N, Tq, M)``.

    1. hidden layer ``U = tanh(Q + K)`` for every pair of a query and a key;
    2. scores ``S = U v``, without ``v`` their sum over d if not ``use_scale``;
    3. weights ``A = softmax(S + B)`` and averages ``Y = AV``, as in ``Attention``.

    Backward, from ``dY``:

    1. ``dV`` and ``dS`` as in ``Attention``;
    2. ``dv = Σ dS U`` over all pairs, ``dZ = dS v ⊙ (1 − U²)``;
    3. ``dQ = Σₖ dZ``, ``dK = Σ_t dZ``: each query meets all keys, and each key all queries.

    The layer is ``keras.layers.AdditiveAttention``; a tensor of Tq·Tk·D numbers is what it costs.

    Args:
        use_scale: whether v is learned; else it is 1.
        causal: whether query t sees the keys 0 … t only.
        dropout: the share of the weights that is set to 0 in training.
        seed: fixes the dropout; None takes the seed that the network gives at build.
        name: the layer's name.

    Raises:
        InvalidValueError: ``dropout`` lies outside [0, 1).
    """

    equations = Equations(
        (
            r"U_{tk} = \tanh(Q_t + K_k)",
            r"S_{tk} = v^\top U_{tk}",
            r"A_{tk} = \frac{e^{S_{tk} + B_{tk}}}{\sum_j e^{S_{tj} + B_{tj}}}",
            r"Y = A V",
        ),
        (
            r"dV = A^\top dY",
            r"dA = dY\, V^\top",
            r"dS_{tk} = A_{tk} \Big( dA_{tk} - \sum_j dA_{tj}\, A_{tj} \Big)",
            r"dv = \sum_{n,t,k} dS_{tk}\, U_{tk}",
            r"dZ_{tk} = dS_{tk}\, v \odot (1 - U_{tk}^2)",
            r"dQ_t = \sum_k dZ_{tk}",
            r"dK_k = \sum_t dZ_{tk}",
        ),
        {
            "Q": r"\mathbb{R}^{N \times T_q \times D}",
            "K": r"\mathbb{R}^{N \times T_k \times D}",
            "V": r"\mathbb{R}^{N \times T_k \times M}",
            "v": r"\mathbb{R}^{D}",
            "U": r"\mathbb{R}^{N \times T_q \times T_k \times D}",
            "S, A": r"\mathbb{R}^{N \times T_q \times T_k}",
            "B": r"\{0, -10^9\}^{N \times T_q \times T_k}",
            "Y": r"\mathbb{R}^{N \times T_q \times M}",
        },
        "Bahdanau, Cho and Bengio (2015), arXiv:1409.0473",
    )

    def __init__(
        self,
        use_scale: bool = True,
        *,
        causal: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(use_scale, causal=causal, dropout=dropout, seed=seed, name=name)

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``v (D,)`` where it is learned; its key is ``scale``, as in Keras."""
        super().create_params(rng)
        if self.use_scale:
            D = (self.input_shape[0][1],)
            self.params["scale"] = initial_value("glorot_uniform", D, rng, self.dtype, self.where)

    def forward(self, x: Sequence[np.ndarray], training: bool = False, mask: Masks = None) -> np.ndarray:
        """Computes ``Y (N, Tq, M)``; ``x`` and ``mask`` as for ``Attention``."""
        Q, V, K = self._check_sequences(x)
        query_mask, value_mask, _ = self._check_masks(x, mask)
        (N, Tq, D), Tk = Q.shape, K.shape[1]
        v = self.params.get("scale", np.ones(D, self.dtype))
        U = np.tanh(Q[:, :, np.newaxis] + K[:, np.newaxis])
        S = U @ v
        allowed = allowed_pairs(None, [value_mask], self.causal, Tq, Tk)
        if allowed is not None:
            S += np.where(allowed, 0, -1e9).astype(self.dtype)
        A = _softmax.activate(S)
        m = self._draw_dropout((N, Tq, Tk), training)
        Y = (A if m is None else A * m) @ V
        if query_mask is not None:
            Y[~query_mask] = 0
        self._cache = {"V": V, "v": v, "U": U, "A": A, "m": m, "query_mask": query_mask}
        return Y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> list[np.ndarray] | None:
        """Returns ``[dquery, dvalue]`` or ``[dquery, dvalue, dkey]`` from ``dY (N, Tq, M)``."""
        V, (N, Tq, *_) = self._last("V"), self._last("U").shape
        _, v, U, A, m, query_mask = self._cache.values()
        dY = self.check_upstream(dy, (N, Tq, V.shape[2]))
        if query_mask is not None:
            dY = np.where(query_mask[..., np.newaxis], dY, 0)
        dV, dS = attend_backward(dY, V, A, m)
        if self.use_scale:
            self.grads["scale"] = np.tensordot(dS, U, axes=3)
        if not needs_dx:
            return None
        dZ = dS[..., np.newaxis] * v * (1 - U**2)
        dQ, dK = dZ.sum(axis=2), dZ.sum(axis=1)
        return [dQ, dV, dK] if len(self.input_shape) == 3 else [dQ, dV + dK]
