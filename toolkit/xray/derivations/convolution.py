"""Convolution, pooling and margins: what windows see of images."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ToolkitError
from toolkit.scratch._windows import Pair, Windows
from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._refusals import NotDerivedError
from toolkit.xray.derivations.dense import weighted
from toolkit.xray.derivations.operations import (
    ChannelProduct,
    Mean,
    Pad,
    Product,
    SlideWindows,
    WeightedSum,
    WindowMaximum,
    WindowMean,
)


def conv2d(call: LayerCall, g: Graph) -> Symbol:
    """``a = f(XW + b)`` with the windows ``X`` of the images: a dense layer that looks through a window."""
    layer = call.layer
    if layer.groups != 1:
        raise NotDerivedError(f"a convolution in {layer.groups} groups")
    windows = _windows(call, layer.kernel_size, layer.dilation_rate)
    x = g.input("x", ("N", "H", "W", "C"))
    W = g.parameter("kernel", "W", ("k_h", "k_w", "C", "F"))
    X = g.let("X", SlideWindows(windows)(x))
    return weighted(g, Product(axes=3), X, W, layer)


def depthwise_conv2d(call: LayerCall, g: Graph) -> Symbol:
    """``a = f(Σ X ⊙ W + b)``: each channel has kernels of its own, and channels are not added up."""
    windows = _windows(call, call.layer.kernel_size, call.layer.dilation_rate)
    x = g.input("x", ("N", "H", "W", "C"))
    W = g.parameter("kernel", "W", ("k_h", "k_w", "C", "K"))
    X = g.let("X", SlideWindows(windows)(x))
    return weighted(g, ChannelProduct(), X, W, call.layer)


def zero_padding2d(call: LayerCall, g: Graph) -> Symbol:
    """``y = pad(x)``."""
    _needs_channels_last(call)
    return g.let("y", Pad(call.layer.padding)(g.input("x", ("N", "H", "W", "C"))))


def max_pooling2d(call: LayerCall, g: Graph) -> Symbol:
    """``y = max X`` over each window."""
    windows = _windows(call, call.layer.pool_size)
    x = g.input("x", ("N", "H", "W", "C"))
    X = g.let("X", SlideWindows(windows, margin=-np.inf)(x))
    return g.let("y", WindowMaximum()(X))


def average_pooling2d(call: LayerCall, g: Graph) -> Symbol:
    """``y = Σ X / n`` over each window, where ``n`` pixels of it lie in the image."""
    windows = _windows(call, call.layer.pool_size)
    x = g.input("x", ("N", "H", "W", "C"))
    ones = np.ones((1, *windows.image, 1), g.dtype)
    n = g.constant("n", sum(windows.pixels(windows.pad(ones))), ("1", "H'", "W'", "1"))
    X = g.let("X", SlideWindows(windows)(x))
    return g.let("y", WindowMean()(X, n))


def _windows(call: LayerCall, size: Pair, dilation: Pair = (1, 1)) -> Windows:
    _needs_channels_last(call)
    layer = call.layer
    image = call.inputs[0].shape[1:3]
    try:
        return Windows(
            image, tuple(size), tuple(layer.strides), layer.padding, dilation=tuple(dilation), where=call.path
        )
    except ToolkitError as error:
        raise NotDerivedError(str(error)) from error


def _needs_channels_last(call: LayerCall) -> None:
    if call.layer.data_format != "channels_last":
        raise NotDerivedError("images with their channels first")


# ---------------------------------------------------------------------- over the whole image or sequence


def global_average_pooling2d(call: LayerCall, g: Graph) -> Symbol:
    """``y = 1/(HW) Σ x``."""
    _needs_channels_last(call)
    x = g.input("x", ("N", "H", "W", "C"))
    return g.let("y", Mean((1, 2), call.layer.keepdims)(x))


def global_average_pooling1d(call: LayerCall, g: Graph) -> Symbol:
    """``y = 1/T Σ x``, or with a mask the mean of the steps that count."""
    _needs_channels_last(call)
    x = g.input("x", ("N", "T", "D"))
    m = call.mask
    if m is None:
        return g.let("y", Mean((1,), call.layer.keepdims)(x))
    m = m.astype(g.dtype)[:, :, np.newaxis]
    with np.errstate(invalid="ignore"):  # where no step counts Keras too has 0/0
        w = g.constant("w", m / m.sum(axis=1, keepdims=True), ("N", "T", "1"))
    return g.let("y", WeightedSum((1,), call.layer.keepdims)(x, w))
