"""Multi-head attention: several attentions side by side, each on learned projections of its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from toolkit.scratch._attention import AttentionLayer, Masks, allowed_pairs, attend, attend_backward, transpose
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer, initial_value
from toolkit.scratch._layer import check_positive_integer, keras_constant
from toolkit.scratch._shape import Shape

# Keras's constant for a forbidden pair. It swallows the score that it is added to, so it also replaces it.
_FORBIDDEN = -0.7 * 3.38953e38


class MultiHeadAttention(AttentionLayer):
    r"""H attentions side by side, ``Y = Σₕ softmax(QₕKₕᵀ/√d) Vₕ Wₕᴼ + b``.

    Takes a list, ``forward([query, value])`` or ``[query, value, key]``; without a key the value is the key.
    ``[x, x]`` is self-attention; ``backward`` returns the gradients in the same list.

    Shapes: query ``(N, Tq, Dq)``, value ``(N, Tk, Dv)``, key ``(N, Tk, Dk)``; with d = ``key_dim`` and
    v = ``value_dim``: ``Wq (Dq, H, d)``, ``Wk (Dk, H, d)``, ``Wv (Dv, H, v)``, ``Wo (H, v, M)``;
    ``bq``, ``bk (H, d)``, ``bv (H, v)``, ``bo (M,)``; ``y (N, Tq, M)``.

    1. projections, one for each head: ``Q = query·Wq + bq`` ``(N, H, Tq, d)``, ``K`` and ``V`` likewise;
    2. weights ``A = softmax(QKᵀ/√d + B)`` ``(N, H, Tq, Tk)``, with ``B`` = −2·10³⁸ for a forbidden pair, else 0;
    3. averages ``Y = AV`` ``(N, H, Tq, v)``;
    4. the heads' answers together: ``y = Y·Wo + bo``, summed over heads and v.

    A pair is forbidden if the query or the key is padding or, if ``causal``, the key is later than the query.
    A query with no key left, such as a padded one, gets the mean of all values; with ``dropout`` above 0 it gets
    ``bo``. Both are what Keras computes; no loss should see them: hand the mask on.

    Backward, from ``dy``: ``dWo``, ``dbo`` and ``dY`` as in `Dense`; ``dV``, ``dA``, ``dS``, ``dQ`` and ``dK`` as in
    `Attention`; then through each projection as in `Dense`.

    Args:
        num_heads: H.
        key_dim: d, the size of a head's queries and keys.
        value_dim: v, the size of a head's values; ``key_dim`` if None.
        dropout: the share of the weights that is set to 0 in training.
        use_bias: whether the projections have biases.
        output_shape: M, or a tuple of sizes for an output with more axes; Dq if None.
        causal: whether query t sees the keys 0 … t only; in Keras ``use_causal_mask=True`` of the call.
        kernel_initializer: name or initialiser of the kernels; the fans of ``Wq`` are Dq and H·d.
        bias_initializer: name or initialiser of the biases.
        seed: fixes the dropout; None takes the seed that the network gives at build.
        name: the layer's name.

    Raises:
        InvalidValueError: a size is not a positive integer, or ``dropout`` lies outside [0, 1).
    """

    equations = Equations(
        (
            r"Q_h = x_q W^Q_h + b^Q_h, \quad K_h = x_k W^K_h + b^K_h, \quad V_h = x_v W^V_h + b^V_h",
            r"A_h = \operatorname{softmax}\Big( \frac{Q_h K_h^\top}{\sqrt{d}} + B \Big)",
            r"y = \sum_h A_h V_h W^O_h + b^O",
        ),
        (
            r"dW^O_h = (A_h V_h)^\top dy, \quad dY_h = dy\, (W^O_h)^\top, \quad db^O = \sum_{n,t} dy_{nt}",
            r"dV_h = A_h^\top dY_h, \quad dA_h = dY_h V_h^\top",
            r"dS_{htk} = A_{htk} \Big( dA_{htk} - \sum_j dA_{htj}\, A_{htj} \Big)",
            r"dQ_h = \frac{dS_h K_h}{\sqrt{d}}, \quad dK_h = \frac{dS_h^\top Q_h}{\sqrt{d}}",
            r"dW^Q_h = x_q^\top dQ_h, \quad db^Q_h = \sum_{n,t} dQ_{nht}, \quad dx_q = \sum_h dQ_h (W^Q_h)^\top",
            r"\text{and the same for } K \text{ and } V",
        ),
        {
            "x_q": r"\mathbb{R}^{N \times T_q \times D_q}",
            "W^Q_h": r"\mathbb{R}^{D_q \times d}",
            "W^K_h": r"\mathbb{R}^{D_k \times d}",
            "W^V_h": r"\mathbb{R}^{D_v \times v}",
            "W^O_h": r"\mathbb{R}^{v \times M}",
            "A_h": r"\mathbb{R}^{N \times T_q \times T_k}",
            "B": r"\{0, -2 \cdot 10^{38}\}^{N \times T_q \times T_k}",
            "y": r"\mathbb{R}^{N \times T_q \times M}",
        },
        "Vaswani et al. (2017), arXiv:1706.03762",
    )

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Shape | None = None,
        causal: bool = False,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(causal=causal, dropout=dropout, seed=seed, name=name)
        self.num_heads = check_positive_integer(num_heads, "num_heads", self.where)
        self.key_dim = check_positive_integer(key_dim, "key_dim", self.where)
        self.value_dim = check_positive_integer(key_dim if value_dim is None else value_dim, "value_dim", self.where)
        units = () if output_shape is None else output_shape if isinstance(output_shape, Sequence) else (output_shape,)
        # Keras's output_shape, a name that every layer has for something else.
        self.units = tuple(check_positive_integer(n, "output_shape", self.where) for n in units)
        self._scale = keras_constant(1 / math.sqrt(self.key_dim))
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def compute_output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        """``(Tq, M)``: one row for each query."""
        Tq, Dq = input_shape[0]
        return (Tq, *(self.units or (Dq,)))

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws the kernels and sets the biases of query, key, value and output, in this order."""
        super().create_params(rng)
        (_, Dq), (_, Dv), (_, Dk) = (*self.input_shape, self.input_shape[1])[:3]
        H, d, v = self.num_heads, self.key_dim, self.value_dim
        out = self.units or (Dq,)
        for key, inputs, outputs in (
            ("q", (Dq,), (H, d)),
            ("k", (Dk,), (H, d)),
            ("v", (Dv,), (H, v)),
            ("o", (H, v), out),
        ):
            fans = math.prod(inputs), math.prod(outputs)  # a kernel is drawn as the matrix that it is
            W = initial_value(self.kernel_initializer, fans, rng, self.dtype, self.where)
            self.params[f"W{key}"] = W.reshape(inputs + outputs)
            if self.use_bias:
                self.params[f"b{key}"] = initial_value(self.bias_initializer, outputs, rng, self.dtype, self.where)

    def forward(self, x: Sequence[np.ndarray], training: bool = False, mask: Masks = None) -> np.ndarray:
        """Computes ``y (N, Tq, M)``.

        Args:
            x: ``[query, value]`` or ``[query, value, key]``.
            training: whether weights are dropped.
            mask: ``[query_mask, value_mask]`` or also ``key_mask``, ``(N, Tq)`` and ``(N, Tk)`` bool, False at
                padding; any may be None. A key counts where both its masks are True.
        """
        query, value, key = self._check_sequences(x)
        query_mask, *key_masks = self._check_masks(x, mask)
        (N, Tq, _), Tk = query.shape, key.shape[1]
        allowed = allowed_pairs(query_mask, key_masks, self.causal, Tq, Tk)
        B, m = None, self._draw_dropout((N, self.num_heads, Tq, Tk), training)
        if allowed is not None:
            allowed = allowed[:, np.newaxis]  # the same for every head
            B = np.where(allowed, 0, _FORBIDDEN).astype(self.dtype)
            if self.dropout:
                m = allowed.astype(self.dtype) if m is None else m * allowed

        Q, K, V = self._project(query, "q"), self._project(key, "k"), self._project(value, "v")
        Y, A = attend(Q, K, V, self._scale, B, m)
        Y = Y.swapaxes(1, 2)  # (N, Tq, H, v)
        y = np.tensordot(Y, self.params["Wo"], axes=2)
        if self.use_bias:
            y += self.params["bo"]
        self._cache = {"x": (query, key, value), "QKVY": (Q, K, V, Y), "A": A, "m": m, "allowed": allowed}
        return y

    def _project(self, x: np.ndarray, key: str) -> np.ndarray:
        """``xW + b`` for every head: ``(N, T, D)`` to ``(N, H, T, d)``."""
        z = np.tensordot(x, self.params[f"W{key}"], axes=1)
        if self.use_bias:
            z += self.params[f"b{key}"]
        return z.swapaxes(1, 2)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> list[np.ndarray] | None:
        """Returns ``[dquery, dvalue]`` or ``[dquery, dvalue, dkey]`` from ``dy (N, Tq, M)``."""
        Q, K, V, Y = self._last("QKVY")
        x, _, A, m, allowed = self._cache.values()
        dy = self.check_upstream(dy, (*Y.shape[:2], *self.params["Wo"].shape[2:]))

        out = tuple(range(2, dy.ndim))
        dY = np.tensordot(dy, self.params["Wo"], axes=(out, out)).swapaxes(1, 2)
        dV, dS = attend_backward(dY, V, A, m)
        if allowed is not None:
            dS *= allowed  # B has replaced these scores: nothing depends on them
        dQ, dK = self._scale * (dS @ K), self._scale * (transpose(dS) @ Q)

        dx = {}
        for key, x_key, dz in zip("qkv", x, (dQ, dK, dV)):
            dz = dz.swapaxes(1, 2)  # (N, T, H, d)
            self._fill_grads(key, x_key, dz)
            if needs_dx:
                dx[key] = np.tensordot(dz, self.params[f"W{key}"], axes=((2, 3), (1, 2)))
        self._fill_grads("o", Y, dy)
        if not needs_dx:
            return None
        return [dx["q"], dx["v"], dx["k"]] if len(self.input_shape) == 3 else [dx["q"], dx["v"] + dx["k"]]

    def _fill_grads(self, key: str, x: np.ndarray, dz: np.ndarray) -> None:
        """``dW = xᵀdz``, ``db = Σ dz``: both sum over the batch and time."""
        self.grads[f"W{key}"] = np.tensordot(x, dz, axes=((0, 1), (0, 1)))
        if self.use_bias:
            self.grads[f"b{key}"] = dz.sum(axis=(0, 1))

    @property
    def attention_scores(self) -> np.ndarray:
        """``A (N, H, Tq, Tk)`` of the last forward pass, before dropout; 0 for forbidden pairs."""
        A, allowed = self._last("A"), self._last("allowed")
        return A if allowed is None else A * allowed
