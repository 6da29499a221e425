"""Layers opened into their sub-steps: forward and backward, with formulas and real numbers, recomputed in NumPy.

A layer's derivation is a short program that reads like its formula::

    p = g.let("p", Product()(x, W))
    z = g.let("z", Add()(p, b))
    a = g.let("a", Softmax()(z))

It only writes lines into a graph. Three things are made of them: the numbers of the forward pass; the way back, with
the textbook formula of every operation and a sum where a tensor is used several times; and the same in TensorFlow, for
proof. What a derivation does not cover is refused with a reason, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keras import layers

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations import (
    attention,
    convolution,
    dense,
    dropout,
    embedding,
    merging,
    normalization,
    recurrent,
)
from toolkit.xray.derivations._derivation import Autodiff, Derivation
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._refusals import NotDerivedError

__all__ = ["DERIVATIONS", "Autodiff", "Derivation", "derive", "why_not"]

DERIVATIONS: Mapping[type, Callable[[LayerCall, Graph], Symbol | list[Symbol]]] = {
    layers.Dense: dense.dense,
    layers.Activation: dense.activation,
    layers.ReLU: dense.relu,
    layers.LeakyReLU: dense.leaky,
    layers.ELU: dense.exponential_linear,
    layers.Softmax: dense.softmax,
    layers.Conv2D: convolution.conv2d,
    layers.DepthwiseConv2D: convolution.depthwise_conv2d,
    layers.ZeroPadding2D: convolution.zero_padding2d,
    layers.MaxPooling2D: convolution.max_pooling2d,
    layers.AveragePooling2D: convolution.average_pooling2d,
    layers.GlobalAveragePooling1D: convolution.global_average_pooling1d,
    layers.GlobalAveragePooling2D: convolution.global_average_pooling2d,
    layers.Flatten: merging.flatten,
    layers.Reshape: merging.reshape,
    layers.Embedding: embedding.embedding,
    layers.Masking: embedding.masking,
    layers.SimpleRNN: recurrent.simple_rnn,
    layers.LSTM: recurrent.lstm,
    layers.GRU: recurrent.gru,
    layers.Attention: attention.attention,
    layers.AdditiveAttention: attention.additive_attention,
    layers.MultiHeadAttention: attention.multi_head_attention,
    layers.BatchNormalization: normalization.batch_normalization,
    layers.LayerNormalization: normalization.layer_normalization,
    layers.Dropout: dropout.dropout,
    layers.Add: merging.add,
    layers.Subtract: merging.subtract,
    layers.Multiply: merging.multiply,
    layers.Average: merging.average,
    layers.Concatenate: merging.concatenate,
    layers.InputLayer: merging.same,
    layers.Identity: merging.same,
}


def derive(call: LayerCall) -> Derivation | None:
    """The sub-steps of a layer call; None where there is no derivation, and then `why_not` says why.

    Cheap: nothing is computed before it is asked for.
    """
    try:
        return _derive(call)
    except NotDerivedError:
        return None


def why_not(call: LayerCall) -> str:
    """Why a layer call has no derivation, as the end of "no derivation: …"; empty where it has one."""
    try:
        _derive(call)
    except NotDerivedError as reason:
        return str(reason)
    return ""


def _derive(call: LayerCall) -> Derivation:
    program = DERIVATIONS.get(type(call.layer))
    if program is None:
        raise NotDerivedError(f"{call.kind} is none of the layers that are derived")
    _check(call)
    graph = Graph(call)
    results = program(call, graph)
    if call.dlogits is not None and graph.logits is None:
        raise NotDerivedError("a loss that looks past the layer's output")
    return Derivation(graph, results if isinstance(results, list) else [results])


def _check(call: LayerCall) -> None:
    """Refuses what is the same for all layers."""
    layer = call.layer
    if layer.compute_dtype not in ("float32", "float64") or layer.variable_dtype != layer.compute_dtype:
        raise NotDerivedError(f"numbers in {layer.compute_dtype}")
    if getattr(layer, "activity_regularizer", None) is not None:
        raise NotDerivedError("a penalty on the layer's output")
    if getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None) is not None:
        raise NotDerivedError("a quantised or low-rank kernel")
