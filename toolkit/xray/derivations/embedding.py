"""Embedding, and the mask that marks padding."""

from __future__ import annotations

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations.operations import Keep, Rows


def embedding(call: LayerCall, g: Graph) -> Symbol:
    """``y = E[x]``."""
    places = ("N", "T") if call.inputs[0].ndim == 2 else ("N", *(f"T_{{{k}}}" for k in range(1, call.inputs[0].ndim)))
    x = g.ids("x", places, r"\{0, \dots, V - 1\}")
    E = g.parameter("embeddings", "E", ("V", "D"))
    return g.let("y", Rows()(E, x))


def masking(call: LayerCall, g: Graph) -> Symbol:
    """``y = m ⊙ x``, where a step counts unless all its numbers are the mask value."""
    x = g.input("x", ("N", "T", "D"))
    # Keras compares with the mask value in float32, whatever the layer's dtype.
    counts = (x.value != np.float32(call.layer.mask_value).astype(g.dtype)).any(axis=-1, keepdims=True)
    m = g.constant("m", counts, ("N", "T", "1"), "mask")
    return g.let("y", Keep()(m, x))
