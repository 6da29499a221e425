"""Normalisation: mean, variance, normalise, scale and shift."""

from __future__ import annotations

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._names import axes_of
from toolkit.xray.derivations._refusals import NotDerivedError
from toolkit.xray.derivations.operations import (
    Add,
    Deviation,
    Divide,
    Hadamard,
    Mean,
    MeanSquare,
    MovingAverage,
    Subtract,
    WeightedSquare,
    WeightedSum,
)


def batch_normalization(call: LayerCall, g: Graph) -> Symbol:
    """``y = γ ⊙ (x − μ)/√(v + ε) + β`` with the mean and variance of the batch or, outside training, their averages."""
    layer, ndim = call.layer, call.inputs[0].ndim
    if layer.axis % ndim != ndim - 1:
        raise NotDerivedError("another axis than the last")
    if layer.renorm or layer.synchronized:
        raise NotDerivedError("batch renormalisation, or one over several devices")
    x = g.input("x", axes_of(ndim))
    averages = [g.parameter(f"moving_{name}", letter, ("D",)) for name, letter in (("mean", "m"), ("variance", "s"))]
    if not (call.training and layer.trainable):
        mu, v = averages
        c = g.let("c", Subtract()(x, mu), title="distance from the mean")
        return _scaled_and_shifted(g, c, v)
    axes = tuple(range(ndim - 1))
    w = _weights(call, g, x)
    mu = g.let("mu", Mean(axes)(x) if w is None else WeightedSum(axes)(x, w), title="mean")
    c = g.let("c", Subtract()(x, mu), title="distance from the mean")
    v = g.let("v", MeanSquare(axes)(c) if w is None else WeightedSquare(axes)(c, w), title="variance")
    y = _scaled_and_shifted(g, c, v)
    for key, average, new in zip(("moving_mean", "moving_variance"), averages, (mu, v)):
        g.updated[key] = g.let(
            f"{average.name}'", MovingAverage(layer.momentum)(average, new), title=key.replace("_", " ")
        )
    return y


def _weights(call: LayerCall, g: Graph, x: Symbol) -> Symbol | None:
    """How much each place of the batch counts in the mean where some are masked; Keras adds 1e-7 to their number."""
    if call.mask is None:
        return None
    m = call.mask.astype(g.dtype)[..., np.newaxis]
    return g.constant("w", m / (m.sum() + np.asarray(1e-7, g.dtype)), (*x.axes[:-1], "1"))


def layer_normalization(call: LayerCall, g: Graph) -> Symbol:
    """``y = γ ⊙ (x − μ)/√(v + ε) + β`` with the mean and variance of each row."""
    layer, ndim = call.layer, call.inputs[0].ndim
    if layer.rms_scaling or [axis % ndim for axis in layer.axis] != [ndim - 1]:
        raise NotDerivedError("another axis than the last, or scaling by the variance alone")
    x = g.input("x", axes_of(ndim))
    mu = g.let("mu", Mean((-1,), keepdims=True)(x), title="mean")
    c = g.let("c", Subtract()(x, mu), title="distance from the mean")
    v = g.let("v", MeanSquare((-1,), keepdims=True)(c), title="variance")
    return _scaled_and_shifted(g, c, v)


def _scaled_and_shifted(g: Graph, c: Symbol, v: Symbol) -> Symbol:
    """``y = γ ⊙ c/√(v + ε) + β``."""
    layer = g.call.layer
    sigma = g.let("sigma", Deviation(layer.epsilon)(v))
    y = g.let("x_hat", Divide()(c, sigma), title="normalise")
    if layer.scale:
        gamma = g.parameter("gamma", "gamma", ("D",))
        y = g.let("y_hat" if layer.center else "y", Hadamard()(y, gamma), title="scale")
    if layer.center:
        beta = g.parameter("beta", "beta", ("D",))
        y = g.let("y", Add()(y, beta), title="shift")
    return y
