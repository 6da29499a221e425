"""Attention: scores, scaling, mask, weights, output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import keras
import numpy as np

from toolkit.scratch._layer import keras_constant
from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._refusals import NotDerivedError, refuse_misplaced_sum
from toolkit.xray.derivations.dropout import dropout_mask
from toolkit.xray.derivations.operations import (
    CURVES,
    Activation,
    Add,
    Hadamard,
    Keep,
    Product,
    Reshape,
    Scale,
    Scores,
    Softmax,
    Transpose,
    WeightedAverage,
)

# What MultiHeadAttention puts in the place of a score that is not allowed.
FORBIDDEN = -0.7 * 3.38953e38


def attention(call: LayerCall, g: Graph) -> list[Symbol]:
    """``Y = softmax(s·QKᵀ + B) V``."""
    layer = call.layer
    if layer.score_mode != "dot":
        raise NotDerivedError(f"the score mode {layer.score_mode!r}")
    sizes = ("D", "M", "D") if len(call.inputs) == 3 else ("D", "D")  # without a key, the values are the keys
    Q, V, K = _sequences(call, g, ("Q", "V", "K"), sizes)
    query_mask, value_mask = (*(call.mask or (None, None)), None)[:2]
    S = g.let("S", Scores()(Q, K), title="scores")
    if layer.use_scale:
        s = g.parameter("scale", "s", ())
        S = g.let("S_hat", Hadamard()(S, s), title="scaling")
    return _averages(call, g, S, V, query_mask, value_mask)


def additive_attention(call: LayerCall, g: Graph) -> list[Symbol]:
    """``Y = softmax(Σ_d v_d tanh(Q_d + K_d) + B) V``."""
    sizes = ("D", "M", "D") if len(call.inputs) == 3 else ("D", "D")
    Q, V, K = _sequences(call, g, ("Q", "V", "K"), sizes)
    query_mask, value_mask = (*(call.mask or (None, None)), None)[:2]
    (N, Tq, D), Tk = call.inputs[0].shape, call.inputs[1].shape[1]
    q = g.let("q", Reshape((N, Tq, 1, D))(Q), axes=("N", "T_q", "1", "D"), title="each query …")
    k = g.let("k", Reshape((N, 1, Tk, D))(K), axes=("N", "1", "T_k", "D"), title="… meets each key")
    U = g.let("U", Activation(CURVES["tanh"])(g.let("Z", Add()(q, k))), title="hidden layer of each pair")
    if call.layer.use_scale:
        column = Reshape((D, 1))(g.parameter("scale", "v", ("D",)))
        v = g.let("v_col", column, axes=("D", "1"), title="weights of the hidden layer as a column")
    else:
        v = g.constant("v", np.ones((D, 1), g.dtype), ("D", "1"))
    s = g.let("s", Product()(U, v), title="scores")
    S = g.let("S", Reshape((N, Tq, Tk))(s), axes=("N", "T_q", "T_k"), title="scores as a matrix")
    return _averages(call, g, S, V, query_mask, value_mask)


def _averages(
    call: LayerCall, g: Graph, S: Symbol, V: Symbol, query_mask: np.ndarray | None, value_mask: np.ndarray | None
) -> list[Symbol]:
    """From the scores on: mask, weights, averages of the values."""
    allowed = _allowed(call, None, value_mask)
    if allowed is not None:
        B = g.constant("B", np.where(allowed, 0, -1e9).astype(g.dtype), _pairs(allowed))
        S = g.let("S_tilde", Add()(S, B), title="mask: a pair that is not allowed loses")
    A = _dropped(call, g, call.layer.dropout, g.let("A", Softmax()(S), title="weights"))
    Y = g.let("Y", WeightedAverage()(A, V), title="output: the weighted average of the values")
    if query_mask is not None:
        m = g.constant("m", query_mask[..., np.newaxis].astype(bool), ("N", "T_q", "1"), "mask")
        Y = g.let("Y_tilde", Keep()(m, Y), title="padding gets nothing")
    return [Y, A] if call.arguments["return_attention_scores"] else [Y]


def multi_head_attention(call: LayerCall, g: Graph) -> list[Symbol]:
    """``y = Σₕ softmax(QₕKₕᵀ/√d + B) Vₕ Wₕᴼ + b``."""
    layer = call.layer
    _refuse_options(call)
    x_q, x_v, x_k = _sequences(call, g, ("x_q", "x_v", "x_k"), ("D_q", "D_v", "D_k"))
    Q = _heads(g, "Q", "query", x_q, "T_q", "d")
    K = _heads(g, "K", "key", x_k, "T_k", "d")
    V = _heads(g, "V", "value", x_v, "T_k", "d_v")
    P = g.let("P", Scores()(Q, K), title="scores")
    S = g.let("S", Scale(keras_constant(1 / math.sqrt(layer.key_dim)), r"\frac{1}{\sqrt{d}}")(P))
    allowed = _allowed(call, call.output_masks[0], call.masks["value_mask"], call.masks["key_mask"])
    by_softmax_layer = layer.dropout > 0 or call.arguments["return_attention_scores"]
    if allowed is not None:
        m = g.constant(
            "m", allowed[:, np.newaxis], ("N" if len(allowed) > 1 else "1", "1", *_pairs(allowed)[1:]), "mask"
        )
        value, latex = (-1e9, r"(-10^{9})") if by_softmax_layer else (FORBIDDEN, r"(-2 \cdot 10^{38})")
        S = g.let("S_tilde", Keep(value, latex)(m, S), title="mask: a pair that is not allowed loses")
    A = g.let("A", Softmax()(S), title="weights")
    if allowed is not None and by_softmax_layer:
        A = g.let("A_tilde", Keep()(m, A), title="mask: and its weight is 0")
    Y = g.let("Y", WeightedAverage()(_dropped(call, g, layer.dropout, A), V), title="each head's average of the values")
    y = _together(g, Y)
    return [y, A] if call.arguments["return_attention_scores"] else [y]


def _heads(g: Graph, name: str, key: str, x: Symbol, T: str, d: str) -> Symbol:
    """``Q = xW + b`` for every head, ``(N, H, T, d)``."""
    letter = name.lower()
    W = g.parameter(f"{key}/kernel", f"W_{letter}", (x.axes[-1], "H", d))
    z = g.let(letter, Product()(x, W), title=f"{key} of each head")
    if g.call.layer.use_bias:
        b = g.parameter(f"{key}/bias", f"b_{letter}", ("H", d))
        refuse_misplaced_sum((*x.value.shape[:2], *b.value.shape), b.value.shape)
        z = g.let(f"{letter}_hat", Add()(z, b), title=f"{key} of each head: bias")
    return g.let(name, Transpose((0, 2, 1, 3))(z), title=f"{key}: heads first")


def _together(g: Graph, Y: Symbol) -> Symbol:
    """``y = YW + b``: what the heads say, together."""
    count = g.call.outputs[0].ndim - 2
    M = ("M",) if count == 1 else tuple(f"M_{{{k}}}" for k in range(1, count + 1))
    W = g.parameter("attention_output/kernel", "W_o", ("H", "d_v", *M))
    Z = g.let("Z", Transpose((0, 2, 1, 3))(Y), title="heads last")
    together, about = Product(axes=2)(Z, W), {"title": "output: the heads together"}
    if not g.call.layer.use_bias:
        return g.let("y", together, **about)
    b = g.parameter("attention_output/bias", "b_o", M)
    refuse_misplaced_sum(g.call.outputs[0].shape, b.value.shape)
    return g.let("y", Add()(g.let("p", together, **about), b), title="output: bias")


# ---------------------------------------------------------------------- what both share


def _sequences(call: LayerCall, g: Graph, names: Sequence[str], sizes: Sequence[str]) -> tuple[Symbol, Symbol, Symbol]:
    """Query, value and key; without a key the value is the key."""
    if any(x.ndim != 3 for x in call.inputs):
        raise NotDerivedError("attention over more axes than time")
    symbols = [
        g.input(name, ("N", "T_k" if place else "T_q", size), place)
        for place, (name, size) in enumerate(zip(names, sizes[: len(call.inputs)]))
    ]
    query, value, *key = symbols
    return query, value, key[0] if key else value


def _allowed(call: LayerCall, query_mask: np.ndarray | None, *key_masks: np.ndarray | None) -> np.ndarray | None:
    """Which query may look at which key, ``(N or 1, Tq or 1, Tk)``; None where all may."""
    rules = [] if query_mask is None else [query_mask.astype(bool)[:, :, np.newaxis]]
    rules += [mask.astype(bool)[:, np.newaxis] for mask in key_masks if mask is not None]
    if call.masks.get("attention_mask") is not None:
        rules.append(call.masks["attention_mask"].astype(bool))
    if call.arguments["use_causal_mask"]:
        rules.append(np.tri(call.inputs[0].shape[1], call.inputs[1].shape[1], dtype=bool)[np.newaxis])
    return reduce(np.logical_and, rules) if rules else None


def _pairs(allowed: np.ndarray) -> tuple[str, str, str]:
    return tuple("1" if n == 1 else letter for n, letter in zip(allowed.shape, ("N", "T_q", "T_k")))


def _dropped(call: LayerCall, g: Graph, rate: float, A: Symbol) -> Symbol:
    """The weights after dropout."""
    if not (call.training and rate > 0):
        return A
    shape = tuple(call.inputs[k].shape[1] for k in (0, 1))
    shape = (len(call.inputs[0]), *((call.layer.num_heads,) if len(A.axes) == 4 else ()), *shape)
    d = g.constant("r", dropout_mask(call, shape, rate, g.dtype), A.axes)
    return g.let("A_hat", Hadamard()(A, d), title="dropout of weights")


def _refuse_options(call: LayerCall) -> None:
    layer: keras.layers.MultiHeadAttention = call.layer
    config = layer.get_config()
    if config.get("use_gate"):
        raise NotDerivedError("gated attention")
    if config["sliding_window"] is not None:
        raise NotDerivedError("a sliding window")
    if call.masks.get("attention_mask") is not None and call.masks["attention_mask"].ndim != 3:
        raise NotDerivedError("an attention mask for each head")
