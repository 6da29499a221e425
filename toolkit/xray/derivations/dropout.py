"""Dropout: the mask that Keras drew, drawn again."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._names import axes_of
from toolkit.xray.derivations._refusals import NotDerivedError
from toolkit.xray.derivations.operations import Hadamard, Same


def dropout(call: LayerCall, g: Graph) -> Symbol:
    """``y = x ⊙ m`` in training, with ``m`` 0 or ``1/(1 − rate)``; else ``y = x``."""
    x = g.input("x", axes_of(call.inputs[0].ndim))
    layer = call.layer
    if not (call.training and layer.rate > 0):
        return g.let("y", Same()(x), title="outside training nothing is dropped")
    m = g.constant("m", dropout_mask(call, call.inputs[0].shape, layer.rate, g.dtype, layer.noise_shape), x.axes)
    return g.let("y", Hadamard()(x, m), title="dropout")


def dropout_mask(
    call: LayerCall, shape: Sequence[int], rate: float, dtype: np.dtype, noise_shape: Sequence[int | None] | None = None
) -> np.ndarray:
    """What the layer multiplied by: its seed generator is put where it was, and ones are dropped."""
    if call.seed is None:
        raise NotDerivedError("dropout whose random numbers cannot be drawn again")
    generator = keras.random.SeedGenerator(0, name="drawn_again")
    generator.state.assign(call.seed)
    ones = np.ones(shape, dtype)
    return keras.ops.convert_to_numpy(keras.random.dropout(ones, rate, noise_shape=noise_shape, seed=generator))
