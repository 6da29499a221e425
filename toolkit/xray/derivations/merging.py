"""Layers that make one output out of several inputs, and those that only change a shape."""

from __future__ import annotations

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._names import axes_of
from toolkit.xray.derivations._refusals import NotDerivedError, refuse_misplaced_sum
from toolkit.xray.derivations.operations import Add, Concatenate, Hadamard, Reshape, Same, Scale, Subtract


def add(call: LayerCall, g: Graph) -> Symbol:
    """``y = x₁ + x₂ + …``."""
    return _sum(call, g, "y")


def average(call: LayerCall, g: Graph) -> Symbol:
    """``y = (x₁ + x₂ + …) / K``."""
    s, K = _sum(call, g, "s"), len(call.inputs)
    return g.let("y", Scale(1 / K, rf"\frac{{1}}{{{K}}}")(s), title="mean")


def subtract(call: LayerCall, g: Graph) -> Symbol:
    """``y = x₁ − x₂``."""
    x_1, x_2 = _inputs(call, g)
    return g.let("y", Subtract()(x_1, x_2))


def multiply(call: LayerCall, g: Graph) -> Symbol:
    """``y = x₁ ⊙ x₂ ⊙ …``."""
    y, *others = _inputs(call, g)
    for k, x in enumerate(others, 2):
        y = g.let("y" if k == len(others) + 1 else f"p_{k}", Hadamard()(y, x))
    return y


def concatenate(call: LayerCall, g: Graph) -> Symbol:
    """``y = (x₁, x₂, …)`` along an axis."""
    ndim = call.inputs[0].ndim
    axis = call.layer.axis % ndim
    letters = axes_of(ndim)
    x = []
    for k in range(len(call.inputs)):
        mine = (*letters[:axis], f"{letters[axis]}_{{{k + 1}}}", *letters[axis + 1 :])
        x.append(g.input(f"x_{k + 1}", mine, k))
    return g.let("y", Concatenate(len(x), axis)(*x), axes=letters)


def same(call: LayerCall, g: Graph) -> Symbol:
    """``y = x``."""
    return g.let("y", Same()(g.input("x", axes_of(call.inputs[0].ndim))))


def _sum(call: LayerCall, g: Graph, name: str) -> Symbol:
    x = _inputs(call, g)
    shape = call.inputs[0].shape
    for other in call.inputs[1:]:
        refuse_misplaced_sum(shape, other.shape)
        shape = np.broadcast_shapes(shape, other.shape)
    return g.let(name, Add(len(x))(*x))


def _inputs(call: LayerCall, g: Graph) -> list[Symbol]:
    """The inputs; one that has length 1 along an axis is repeated."""
    if len({x.ndim for x in call.inputs}) > 1:
        raise NotDerivedError("inputs with different numbers of axes")
    letters = axes_of(call.inputs[0].ndim)
    lengths = [max(n) for n in zip(*(x.shape for x in call.inputs))]
    inputs = []
    for k, x in enumerate(call.inputs):
        axes = ["1" if n == 1 != whole else letter for n, whole, letter in zip(x.shape, lengths, letters)]
        inputs.append(g.input(f"x_{k + 1}", axes, k))
    return inputs


# ---------------------------------------------------------------------- shapes


def flatten(call: LayerCall, g: Graph) -> Symbol:
    """All numbers of a sample in one row."""
    if call.inputs[0].ndim > 2 and call.layer.data_format != "channels_last":
        raise NotDerivedError("images with their channels first")
    return reshape(call, g)


def reshape(call: LayerCall, g: Graph) -> Symbol:
    """The numbers of a sample in another shape."""
    shape = call.outputs[0].shape
    x = g.input("x", axes_of(call.inputs[0].ndim))
    inner = ("M",) if len(shape) == 2 else tuple(f"M_{{{k}}}" for k in range(1, len(shape)))
    return g.let("y", Reshape(shape)(x), axes=("N", *inner))
