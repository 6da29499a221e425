"""Dense layers and activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._names import axes_of
from toolkit.xray.derivations._refusals import NotDerivedError
from toolkit.xray.derivations.operations import (
    CURVES,
    Activation,
    Add,
    Keep,
    Operation,
    Product,
    Same,
    Softmax,
    elu,
    leaky_relu,
)


def dense(call: LayerCall, g: Graph) -> Symbol:
    """``a = f(xW + b)``."""
    x = g.input("x", axes_of(call.inputs[0].ndim))
    W = g.parameter("kernel", "W", ("D", "M"))
    return weighted(g, Product(), x, W, call.layer)


def weighted(g: Graph, product: Operation, x: Symbol, W: Symbol, layer: Any) -> Symbol:
    """What Dense and convolutions share: ``a = f(xW + b)``, with or without ``b`` and ``f``."""
    f = operation_of(layer.activation)
    if not layer.use_bias:
        z = g.let("z", product(x, W))
    else:
        b = g.parameter("bias", "b", product.axes(x.axes, W.axes)[-1:])
        p = g.let("p", product(x, W))
        z = g.let("z", Add()(p, b), title="bias")
    if isinstance(f, Activation):
        g.kinked = z, f.curve
    return z if f is None else activate(g, "a", f, z)


def activate(g: Graph, name: str, f: Operation, z: Symbol) -> Symbol:
    """``a = f(z)`` at the end of a layer; of a softmax or sigmoid the loss may look for ``z``."""
    if isinstance(f, Softmax) or f.curve is CURVES["sigmoid"]:
        g.logits = z
    return g.let(name, f(z), title=_title(f))


def operation_of(function: Callable) -> Operation | None:
    """The operation of a Keras activation; None for the identity."""
    if function is keras.activations.linear:
        return None
    if function is keras.activations.softmax:
        return Softmax()
    for name, curve in CURVES.items():
        if function is keras.activations.get(name):
            return Activation(curve)
    raise NotDerivedError(f"the activation {getattr(function, '__name__', function)} has no formula here")


def _title(f: Operation) -> str:
    return f"activation, {f.title if isinstance(f, Softmax) else f.curve.name}"


# ---------------------------------------------------------------------- activations as layers


def activation(call: LayerCall, g: Graph) -> Symbol:
    """``a = f(z)`` of Activation."""
    f = operation_of(call.layer.activation)
    z = _z(call, g)
    return g.let("a", Same()(z)) if f is None else activate(g, "a", f, z)


def relu(call: LayerCall, g: Graph) -> Symbol:
    """``a = max(z, 0)``, with Keras's options as far as they have a name: ReLU6, leaky."""
    layer = call.layer
    curves = {(None, 0): CURVES["relu"], (6, 0): CURVES["relu6"], (None, layer.negative_slope): None}
    curve = curves.get((layer.max_value, layer.negative_slope), "unknown")
    if layer.threshold != 0 or curve == "unknown":
        raise NotDerivedError("a ReLU with a threshold or another maximum than 6")
    return activate(g, "a", Activation(curve or leaky_relu(layer.negative_slope)), _z(call, g))


def leaky(call: LayerCall, g: Graph) -> Symbol:
    """``a = max(z, 0) + s·min(z, 0)``."""
    return activate(g, "a", Activation(leaky_relu(call.layer.negative_slope)), _z(call, g))


def exponential_linear(call: LayerCall, g: Graph) -> Symbol:
    """``a = z`` to the right of 0, ``α(exp z − 1)`` to the left."""
    return activate(g, "a", Activation(elu(call.layer.alpha)), _z(call, g))


def softmax(call: LayerCall, g: Graph) -> Symbol:
    """Softmax along an axis; where a mask says so, without the numbers that do not count."""
    axes = keras.tree.flatten(call.layer.axis)
    if len(axes) != 1:
        raise NotDerivedError("a softmax over several axes")
    f, z = Softmax(axes[0]), _z(call, g)
    if call.mask is None:
        return activate(g, "a", f, z)
    m = g.constant("m", call.mask > 0.5 if call.mask.dtype != bool else call.mask, z.axes[-call.mask.ndim :], "mask")
    z = g.let("z_tilde", Keep(-1e9, "(-10^9)")(m, z))
    p = g.let("p", f(z))
    return g.let("a", Keep()(m, p))


def _z(call: LayerCall, g: Graph) -> Symbol:
    return g.input("z", axes_of(call.inputs[0].ndim, "M"))
