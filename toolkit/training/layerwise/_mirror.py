"""The decoder that belongs to a block: its layers backwards, each replaced by the one that undoes its shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from toolkit.errors import UnsupportedError

layers = keras.layers
Shape = tuple[int | None, ...]

_KEEPS_SHAPE = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.PReLU,
    layers.Softmax,
    layers.Dropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.Rescaling,
    layers.Normalization,
)
_CONVOLUTIONS = {layers.Conv1D: layers.Conv1DTranspose, layers.Conv2D: layers.Conv2DTranspose}
_POOLING = {
    layers.MaxPooling1D: layers.UpSampling1D,
    layers.AveragePooling1D: layers.UpSampling1D,
    layers.MaxPooling2D: layers.UpSampling2D,
    layers.AveragePooling2D: layers.UpSampling2D,
}
_GLOBAL_POOLING = {
    layers.GlobalMaxPooling1D: layers.UpSampling1D,
    layers.GlobalAveragePooling1D: layers.UpSampling1D,
    layers.GlobalMaxPooling2D: layers.UpSampling2D,
    layers.GlobalAveragePooling2D: layers.UpSampling2D,
}
_TO_LENGTH = {1: (layers.ZeroPadding1D, layers.Cropping1D), 2: (layers.ZeroPadding2D, layers.Cropping2D)}


def mirrored(block: Sequence[keras.Layer], shape: Shape, where: str) -> list[keras.Layer]:
    """A decoder for inputs of ``shape``: Dense → Dense, Conv → ConvTranspose, pooling → upsampling, Flatten → Reshape.

    Its last layer with weights is linear, since inputs may be any numbers; earlier ones, in blocks with several, have
    the activation of the layer whose outputs they give back.

    Args:
        block: the layers of the encoder, in forward order.
        shape: of its inputs, with the batch axis.
        where: who asks, for errors.

    Returns:
        New layers, not built yet, whose outputs have the shape of the block's inputs.

    Raises:
        UnsupportedError: a layer whose shape no layer undoes (an embedding, a recurrent layer), or an open shape.
    """
    steps: list[tuple[keras.Layer, Shape, Shape]] = []
    for layer in _flat(block):
        after = tuple(layer.compute_output_shape(shape))
        steps.append((layer, shape, after))
        shape = after
    decoder: list[keras.Layer] = []
    learning = [layer for layer, _, _ in steps if _learns(layer)]
    activations = dict(zip(map(id, learning), ["linear", *(layer.activation for layer in learning)]))
    for layer, before, after in reversed(steps):
        decoder += _undoing(layer, before, after, activations.get(id(layer)), where)
    return decoder


def _flat(block: Sequence[keras.Layer]) -> list[keras.Layer]:
    """The layers, those of models among them included."""
    flat: list[keras.Layer] = []
    for layer in block:
        flat += _flat(layer.layers) if isinstance(layer, keras.Sequential) else [layer]
    return [layer for layer in flat if not isinstance(layer, layers.InputLayer)]


def _learns(layer: keras.Layer) -> bool:
    return isinstance(layer, (layers.Dense, *_CONVOLUTIONS))


def _undoing(layer: keras.Layer, before: Shape, after: Shape, activation: Any, where: str) -> list[keras.Layer]:
    """Layers from the shape behind ``layer`` to the shape in front of it."""
    if isinstance(layer, _KEEPS_SHAPE):
        return []
    if type(layer) not in _KNOWN or None in before[1:]:
        received = f"{layer.name!r} ({type(layer).__name__}) with inputs of shape {before}".replace("None", "N", 1)
        remedy = "Train such a block with greedy, or give its decoder as decoders={block: layers}."
        raise UnsupportedError(where, f"blocks of {', '.join(kind.__name__ for kind in _KNOWN)}", received, remedy)
    if isinstance(layer, layers.Flatten):
        return [layers.Reshape(before[1:])]
    if isinstance(layer, layers.Dense):
        return [layers.Dense(before[-1], activation)]
    axes = len(before) - 2
    if type(layer) in _GLOBAL_POOLING:
        size = before[1:-1]
        return [layers.Reshape((*[1] * axes, before[-1])), _GLOBAL_POOLING[type(layer)](size if axes > 1 else size[0])]
    strides = layer.strides if isinstance(layer.strides, tuple | list) else (layer.strides,) * axes
    if type(layer) in _POOLING:
        undo: keras.Layer = _POOLING[type(layer)](tuple(strides) if axes > 1 else strides[0])
    else:
        options: dict[str, Any] = {"strides": layer.strides, "padding": layer.padding, "activation": activation}
        undo = _CONVOLUTIONS[type(layer)](before[-1], layer.kernel_size, **options)
    return [undo, *_brought_to(before, undo.compute_output_shape(after))]


_KNOWN = (layers.Dense, *_CONVOLUTIONS, *_POOLING, *_GLOBAL_POOLING, layers.Flatten)


def _brought_to(wanted: Shape, given: Shape) -> list[keras.Layer]:
    """Zeros at the end of an axis, or a cut there, where a stride did not divide its length."""
    missing = [w - g for w, g in zip(wanted[1:-1], given[1:-1])]
    pad, crop = _TO_LENGTH[len(missing)]
    result = []
    for kind, sign in ((pad, 1), (crop, -1)):
        ends = tuple((0, max(0, sign * m)) for m in missing)
        if any(end for _, end in ends):
            result.append(kind(ends if len(ends) > 1 else ends[0]))
    return result
