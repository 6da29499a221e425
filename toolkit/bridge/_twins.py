"""The layers that both sides have, and the options that they share."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from toolkit import scratch
from toolkit.errors import UnsupportedError


@dataclass(frozen=True)
class Twin:
    """A layer in its two forms.

    Attributes:
        keras: the Keras class.
        scratch: the scratch class.
        options: what crosses the bridge, by Keras's names. All other options have to have their defaults.
        attributes: where the scratch layer keeps an option, if not under its name.
    """

    keras: type[keras.Layer]
    scratch: type[scratch.Layer]
    options: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


_KERNEL = ("activation", "use_bias", "kernel_regularizer")
_POOL = ("pool_size", "strides", "padding")
_RECURRENT = (
    "units",
    "activation",
    "use_bias",
    "return_sequences",
    "return_state",
    "go_backwards",
    "zero_output_for_mask",
)
_GATED = (*_RECURRENT, "recurrent_activation")
_HEADS = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "seed")

TWINS = (
    Twin(layers.Dense, scratch.Dense, ("units", *_KERNEL)),
    Twin(layers.Conv2D, scratch.Conv2D, ("filters", "kernel_size", "strides", "padding", "dilation_rate", *_KERNEL)),
    Twin(layers.MaxPooling2D, scratch.MaxPooling2D, _POOL),
    Twin(layers.AveragePooling2D, scratch.AveragePooling2D, _POOL),
    Twin(layers.GlobalAveragePooling1D, scratch.GlobalAveragePooling1D),
    Twin(layers.GlobalAveragePooling2D, scratch.GlobalAveragePooling2D),
    Twin(layers.Flatten, scratch.Flatten),
    Twin(layers.Embedding, scratch.Embedding, ("input_dim", "output_dim", "mask_zero")),
    Twin(layers.Masking, scratch.Masking, ("mask_value",)),
    Twin(layers.SimpleRNN, scratch.SimpleRNN, _RECURRENT),
    Twin(layers.LSTM, scratch.LSTM, (*_GATED, "unit_forget_bias")),
    Twin(layers.GRU, scratch.GRU, (*_GATED, "reset_after")),
    Twin(layers.Attention, scratch.Attention, ("use_scale", "dropout", "seed")),
    Twin(layers.AdditiveAttention, scratch.AdditiveAttention, ("use_scale", "dropout", "seed")),
    Twin(layers.MultiHeadAttention, scratch.MultiHeadAttention, _HEADS, (("output_shape", "units"),)),
    Twin(layers.BatchNormalization, scratch.BatchNormalization, ("momentum", "epsilon", "center", "scale")),
    Twin(layers.LayerNormalization, scratch.LayerNormalization, ("epsilon", "center", "scale")),
    Twin(layers.Add, scratch.Add),
    Twin(layers.Concatenate, scratch.Concatenate, ("axis",)),
    Twin(layers.Dropout, scratch.Dropout, ("rate", "seed")),
)
BY_SCRATCH = {twin.scratch: twin for twin in TWINS}
BY_KERAS = {
    twin.keras: twin for twin in (*TWINS, Twin(layers.ReLU, scratch.ReLU), Twin(layers.Softmax, scratch.Softmax))
}
ACTIVATION_NAMES = {kind: name for name, kind in scratch.ACTIVATIONS.items()}

# Options that change how a layer is made or run, not what it computes; a seed only if something is random.
_WITHOUT_EFFECT = {"name", "trainable", "dtype", "unroll", "use_cudnn", "implementation", "flash_attention", "seed"}

# What Keras writes for some options that were left alone.
_RESOLVED = {"data_format": "channels_last", "attention_axes": (1,), "axis": [-1]}


def where(layer: keras.Layer | scratch.Layer) -> str:
    """The layer as errors call it."""
    return f"{type(layer).__name__} {layer.name!r}"


def refuse_other_options(layer: object, values: Mapping[str, Any], carried: tuple[str, ...]) -> None:
    """Raises UnsupportedError if an option that is not carried over has another value than its default."""
    defaults = constructor_defaults(type(layer))
    for name, value in values.items():
        if name in carried or name in _WITHOUT_EFFECT or name.endswith("_initializer"):
            continue
        default = defaults.get(name)
        is_off = value in (None, False) and default in (None, False)
        if value not in (default, _RESOLVED.get(name, default)) and not is_off:
            received = value["class_name"] if isinstance(value, Mapping) and "class_name" in value else repr(value)
            raise UnsupportedError(where(layer), f"{name}={default!r}", f"{name}={received}")


def constructor_defaults(kind: type) -> dict[str, Any]:
    """The default of every argument of a class's constructor, those of its bases included."""
    defaults: dict[str, Any] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters
            defaults = {name: parameter.default for name, parameter in parameters.items()} | defaults
    return defaults
