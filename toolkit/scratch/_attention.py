"""Dot-product attention: each query looks at all keys and takes the average of the values that fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, ShapeError
from toolkit.scratch._activations import Softmax
from toolkit.scratch._dropout import check_rate, draw_mask
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._shape import Shape, batch

Masks = Sequence[np.ndarray | None] | None

# ---------------------------------------------------------------------- the equation

# Queries Q (…, Tq, D), keys K (…, Tk, D), values V (…, Tk, M), scores S and weights A (…, Tq, Tk), Y (…, Tq, M).
# m (…, Tq, Tk) is what dropout multiplies the weights by; None stands for all 1.

_softmax = Softmax()


def transpose(x: np.ndarray) -> np.ndarray:
    """``xᵀ``: swaps the last two axes; a view."""
    return x.swapaxes(-1, -2)


def attend(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, scale: float, B: np.ndarray | None, m: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ``Y = (A ⊙ m) V`` and ``A = softmax(scale·QKᵀ + B)``; without ``B`` if it is None."""
    S = (scale * Q) @ transpose(K)
    if B is not None:
        S += B
    A = _softmax.activate(S)
    return (A if m is None else A * m) @ V, A


def attend_backward(
    dY: np.ndarray, V: np.ndarray, A: np.ndarray, m: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ``dV = (A ⊙ m)ᵀ dY`` and ``dS = A ⊙ (dA − Σₖ dA ⊙ A)`` with ``dA = dY Vᵀ ⊙ m``."""
    dV = transpose(A if m is None else A * m) @ dY
    dA = dY @ transpose(V)
    if m is not None:
        dA *= m
    return dV, _softmax.gradient(None, A, dA)


def allowed_pairs(
    query_mask: np.ndarray | None, key_masks: Sequence[np.ndarray | None], causal: bool, Tq: int, Tk: int
) -> np.ndarray | None:
    """Which query may look at which key: bool, broadcasts to ``(N, Tq, Tk)``; None where all may."""
    rules = [] if query_mask is None else [query_mask[:, :, np.newaxis]]
    rules += [mask[:, np.newaxis, :] for mask in key_masks if mask is not None]
    if causal:
        rules.append(np.tri(Tq, Tk, dtype=bool)[np.newaxis])  # query t sees the keys 0 … t
    return reduce(np.logical_and, rules) if rules else None


# ---------------------------------------------------------------------- the layers

_TWICE = "Self-attention takes its input twice, [x, x], so it cannot stand in a Sequential."


def _differ(a: int | None, b: int | None) -> bool:
    return a != b and None not in (a, b)


class AttentionLayer(Layer):
    """What `Attention` and `MultiHeadAttention` share: the inputs ``[query, value]`` or ``[query, value, key]``."""

    uses_mask = True

    def __init__(self, *, causal: bool, dropout: float, seed: int | None, name: str | None) -> None:
        super().__init__(name=name)
        self.causal = causal
        self.dropout = check_rate(dropout, self.where)
        self.seed = seed
        self._rng = np.random.default_rng(0 if seed is None else seed)

    def compute_mask(self, x: Sequence[np.ndarray], mask: Masks = None) -> np.ndarray | None:
        """The query's mask ``(N, Tq)``: there is one output for each query."""
        return self._check_masks(x, mask)[0]

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that the inputs fit; takes the network's random numbers for dropout unless it has its own seed."""
        shapes = self.input_shape
        if not 2 <= len(shapes) <= 3 or any(not isinstance(shape, tuple) or len(shape) != 2 for shape in shapes):
            several = len(shapes) > 0 and isinstance(shapes[0], tuple)
            received = f"shapes {batch(shapes)}" if several else f"one x of shape {batch(shapes)}"
            raise ShapeError(self.where, "[query (N, Tq, D), value (N, Tk, M)], perhaps a key", received, _TWICE)
        self._check_fit(*shapes)
        if self.seed is None:
            self._rng = rng

    def _check_fit(self, query: Shape, value: Shape, key: Shape | None = None) -> None:
        """Raises ShapeError if samples of these shapes, ``(T, D)``, do not fit together; None is any length."""
        if key is not None and _differ(value[0], key[0]):
            received = f"value {batch(value)} and key {batch(key)}"
            raise ShapeError(self.where, "value and key with the same number Tk of time steps", received)

    def _check_sequences(self, x: Sequence[np.ndarray]) -> list[np.ndarray]:
        """``[query, value, key]`` in the layer's dtype; where no key is given, the value is the key."""
        if not isinstance(x, list | tuple) or not 2 <= len(x) <= 3:
            received = f"a list of {len(x)}" if isinstance(x, list | tuple) else f"one {type(x).__name__}"
            raise ShapeError(self.where, "a list [query, value] or [query, value, key]", received, _TWICE)
        arrays = self.check_inputs(x, ("query", "value", "key"))
        self._check_fit(*(array.shape[1:] for array in arrays))
        return arrays if len(arrays) == 3 else [*arrays, arrays[1]]

    def _check_masks(self, x: Sequence[np.ndarray], mask: Masks) -> list[np.ndarray | None]:
        """The masks of query ``(N, Tq)``, value and key ``(N, Tk)``, bool; None where all time steps count."""
        if mask is None:
            return [None, None, None]
        if not isinstance(mask, list | tuple) or not 2 <= len(mask) <= 3:
            received = f"a list of {len(mask)}" if isinstance(mask, list | tuple) else f"one {type(mask).__name__}"
            raise ShapeError(self.where, "masks as a list [query_mask, value_mask]", received, "Either may be None.")
        masks = [self.check_mask(m, np.shape(x[min(k, 1)])[:2]) for k, m in enumerate(mask)]
        return masks if len(masks) == 3 else [*masks, None]

    def _draw_dropout(self, shape: Shape, training: bool) -> np.ndarray | None:
        return draw_mask(self._rng, shape, self.dropout, self.dtype) if training and self.dropout else None

    def _last(self, key: str) -> Any:
        if self._cache is None:
            raise CallOrderError(self.where, "forward before this", "no forward pass yet", "Call forward(x) first.")
        return self._cache[key]


class Attention(AttentionLayer):
    r"""Dot-product attention, ``Y = softmax(QKᵀ/√D) V``.

    Takes a list, ``forward([query, value])`` or ``[query, value, key]``; without a key the value is the key.
    ``[x, x]`` is self-attention, ``[decoder, encoder]`` cross-attention. ``backward`` returns the gradients in the
    same list: in self-attention the gradient of ``x`` is their sum.

    Shapes: query ``Q (N, Tq, D)``, value ``V (N, Tk, M)``, key ``K (N, Tk, D)``, ``S`` and ``A (N, Tq, Tk)``,
    ``Y (N, Tq, M)``.

    1. scores ``S = QKᵀ``: how well each query fits each key; divided by √D if ``scaled``, times the learned
       ``scale`` if ``use_scale``;
    2. weights ``A = softmax(S + B)``: each row sums to 1. ``B`` is −10⁹ where the key is padding or, if ``causal``,
       later than the query, which makes the weight 0; elsewhere it is 0;
    3. averages ``Y = AV``; 0 where the query is padding.

    Backward, from ``dY``:

    1. ``dV = Aᵀ dY``, ``dA = dY Vᵀ``;
    2. ``dS = A ⊙ (dA − Σₖ dA ⊙ A)``: softmax, row by row;
    3. ``dQ = dS K/√D``, ``dK = dSᵀ Q/√D``.

    By default the layer is ``keras.layers.Attention``, which does **not** divide by √D; ``scaled=True`` is the
    paper's formula, and that of ``MultiHeadAttention``. It matters: a sum of D independent products of variance 1
    has standard deviation √D, and such large scores push softmax to where its gradient is almost 0.
    Where all keys of a query are masked, the mask has no effect in float64, since ``B`` cancels in softmax; in float32
    ``B`` swallows the scores and ``Y`` is the mean of all values. Both are what Keras computes.

    Args:
        use_scale: whether ``S`` is multiplied by a learned number, ``scale``, 1 at first.
        scaled: whether ``S`` is divided by √D.
        causal: whether query t sees the keys 0 … t only; in Keras ``use_causal_mask=True`` of the call.
        dropout: the share of the weights that is set to 0 in training.
        seed: fixes the dropout; None takes the seed that the network gives at build.
        name: the layer's name.

    Raises:
        InvalidValueError: ``dropout`` lies outside [0, 1).
    """

    equations = Equations(
        (
            r"S = \frac{Q K^\top}{\sqrt{D}}",
            r"A_{tk} = \frac{e^{S_{tk} + B_{tk}}}{\sum_j e^{S_{tj} + B_{tj}}}",
            r"Y = A V",
        ),
        (
            r"dV = A^\top dY",
            r"dA = dY\, V^\top",
            r"dS_{tk} = A_{tk} \Big( dA_{tk} - \sum_j dA_{tj}\, A_{tj} \Big)",
            r"dQ = \frac{dS\, K}{\sqrt{D}}",
            r"dK = \frac{dS^\top Q}{\sqrt{D}}",
        ),
        {
            "Q": r"\mathbb{R}^{N \times T_q \times D}",
            "K": r"\mathbb{R}^{N \times T_k \times D}",
            "V": r"\mathbb{R}^{N \times T_k \times M}",
            "S, A": r"\mathbb{R}^{N \times T_q \times T_k}",
            "B": r"\{0, -10^9\}^{N \times T_q \times T_k}",
            "Y": r"\mathbb{R}^{N \times T_q \times M}",
        },
        "Vaswani et al. (2017), arXiv:1706.03762; without √D: Luong et al. (2015), arXiv:1508.04025",
    )

    def __init__(
        self,
        use_scale: bool = False,
        *,
        scaled: bool = False,
        causal: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(causal=causal, dropout=dropout, seed=seed, name=name)
        self.use_scale = use_scale
        self.scaled = scaled

    def _check_fit(self, query: Shape, value: Shape, key: Shape | None = None) -> None:
        super()._check_fit(query, value, key)
        name, fitted = ("value", value) if key is None else ("key", key)
        if query[1] is None or _differ(query[1], fitted[1]):
            received = f"query {batch(query)} and {name} {batch(fitted)}"
            raise ShapeError(self.where, f"query and {name} with the same size D", received)

    def compute_output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        """``(Tq, M)``: one row for each query, as long as a value."""
        (Tq, _), (_, M), *_ = input_shape
        return (Tq, M)

    def create_params(self, rng: np.random.Generator) -> None:
        """Sets ``scale`` to 1 where it is learned."""
        super().create_params(rng)
        if self.use_scale:
            self.params["scale"] = np.ones((), self.dtype)

    def forward(self, x: Sequence[np.ndarray], training: bool = False, mask: Masks = None) -> np.ndarray:
        """Computes ``Y (N, Tq, M)``.

        Args:
            x: ``[query, value]`` or ``[query, value, key]``.
            training: whether weights are dropped.
            mask: ``[query_mask, value_mask]``, ``(N, Tq)`` and ``(N, Tk)`` bool, False at padding; either may be
                None. A third, for the key, has no effect, as in Keras: the value's counts for both.
        """
        Q, V, K = self._check_sequences(x)
        query_mask, value_mask, _ = self._check_masks(x, mask)
        (N, Tq, D), Tk = Q.shape, K.shape[1]
        allowed = allowed_pairs(None, [value_mask], self.causal, Tq, Tk)
        B = None if allowed is None else np.where(allowed, 0, -1e9).astype(self.dtype)
        m = self._draw_dropout((N, Tq, Tk), training)
        divisor = math.sqrt(D) if self.scaled else 1.0
        Y, A = attend(Q, K, V, self.params.get("scale", 1.0) / divisor, B, m)
        if query_mask is not None:
            Y[~query_mask] = 0
        self._cache = {"QVK": (Q, V, K), "A": A, "m": m, "query_mask": query_mask, "divisor": divisor}
        return Y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> list[np.ndarray] | None:
        """Returns ``[dquery, dvalue]`` or ``[dquery, dvalue, dkey]`` from ``dY (N, Tq, M)``."""
        Q, V, K = self._last("QVK")
        _, A, m, query_mask, divisor = self._cache.values()
        dY = self.check_upstream(dy, (*Q.shape[:2], V.shape[2]))
        if query_mask is not None:
            dY = np.where(query_mask[..., np.newaxis], dY, 0)
        dV, dS = attend_backward(dY, V, A, m)
        dQ, dK = dS @ K / divisor, transpose(dS) @ Q / divisor
        if self.use_scale:
            self.grads["scale"] = np.asarray((dQ * Q).sum())
            dQ, dK = self.params["scale"] * dQ, self.params["scale"] * dK
        if not needs_dx:
            return None
        return [dQ, dV, dK] if len(self.input_shape) == 3 else [dQ, dV + dK]

    @property
    def attention_scores(self) -> np.ndarray:
        """``A (N, Tq, Tk)`` of the last forward pass, before dropout: how much each query took from each value."""
        return self._last("A")
