"""A Sequential model as a row of blocks and the head on top of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from toolkit.argument_checks import is_integer
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError

# Layers that have weights and yet learn nothing of their own: they rescale what the layer before them gives.
_FOLLOWERS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
    keras.layers.SpectralNormalization,
    keras.layers.PReLU,
    keras.layers.Normalization,
)


@dataclass(frozen=True)
class Block:
    """Neighbouring layers that are trained together.

    Attributes:
        name: of its first layer with weights.
        layers: in forward order, the model's own.
        input_shape: with the batch axis: ``(None, 64)``.
        output_shape: the same behind its last layer.
    """

    name: str
    layers: tuple[keras.Layer, ...]
    input_shape: tuple[int | None, ...]
    output_shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Blocks:
    """A model in parts: ``y = head(block_K(… block_1(x)))``.

    Attributes:
        model: the whole.
        hidden: block 1 … block K, K ≥ 1.
        head: what turns the last block's outputs into the model's.
    """

    model: keras.Sequential
    hidden: tuple[Block, ...]
    head: Block


def blocks_of(model: Any, where: str, ends: Sequence[str | int] | None = None) -> Blocks:
    """Splits a built Sequential model.

    By itself a block is a layer with weights and all that follows it up to the next one: its normalisation,
    activation, pooling and dropout. What comes before the first such layer belongs to it, and the last one with
    what follows is the head.

    Args:
        model: a Keras Sequential model; a model among its layers counts as one layer.
        where: who asks, for errors.
        ends: name or index of each block's last layer instead; what follows the last of them is the head.

    Raises:
        UnsupportedError: not a Sequential model.
        CallOrderError: it is not built yet, so its shapes are unknown.
        InvalidValueError: there is no layer with weights before the head, or ``ends`` does not fit the layers.
    """
    if not isinstance(model, keras.Sequential):
        remedy = "Models with branches have no row of layers; give StagedPipeline their parts."
        raise UnsupportedError(where, "a keras.Sequential model", type(model).__name__, remedy)
    if not model.built or not model.inputs:
        remedy = "Begin it with keras.Input(shape)."
        raise CallOrderError(where, "a model that knows the shape of its input", "one that is not built", remedy)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    cuts = _own_cuts(layers) if ends is None else _asked_cuts(layers, ends, where)
    if len(cuts) < 2:
        learning = ", ".join(layer.name for layer in layers if _begins_a_block(layer)) or "none"
        remedy = "With one layer there is nothing to learn in stages."
        raise InvalidValueError(where, "at least two layers with weights: a block and the head", learning, remedy)
    shape, parts = tuple(model.input_shape), []
    for first, last in zip([0, *cuts], cuts):
        own = tuple(layers[first:last])
        entered = shape
        for layer in own:
            shape = tuple(layer.compute_output_shape(shape))
        name = next((layer.name for layer in own if _begins_a_block(layer)), own[0].name)
        parts.append(Block(name, own, entered, shape))
    return Blocks(model, tuple(parts[:-1]), parts[-1])


def _begins_a_block(layer: keras.Layer) -> bool:
    return bool(layer.count_params()) and not isinstance(layer, _FOLLOWERS)


def _own_cuts(layers: list[keras.Layer]) -> list[int]:
    """The index behind the last layer of each block, the head's included."""
    starts = [k for k, layer in enumerate(layers) if _begins_a_block(layer)]
    return [*starts[1:], len(layers)]


def _asked_cuts(layers: list[keras.Layer], ends: Sequence[str | int], where: str) -> list[int]:
    names = [layer.name for layer in layers]
    cuts = []
    for end in ends:
        index = end if is_integer(end) else None
        if end in names:
            index = names.index(end)
        if index is None or not 0 <= index < len(layers) - 1:
            raise InvalidValueError(
                where, f"blocks that end with one of {', '.join(names[:-1])}, or with its index", repr(end)
            )
        cuts.append(index + 1)
    if sorted(set(cuts)) != cuts:
        raise InvalidValueError(where, "the last layer of each block, from the first block to the last", repr(ends))
    return [*cuts, len(layers)]
