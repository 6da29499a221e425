"""scratch → Keras."""

from __future__ import annotations

from typing import Any

import keras

from toolkit import scratch
from toolkit.bridge._masks import Masks, arguments, mask_of, values_of
from toolkit.bridge._twins import ACTIVATION_NAMES, BY_SCRATCH, constructor_defaults, refuse_other_options, where
from toolkit.errors import CallOrderError, UnsupportedError
from toolkit.scratch._graph import Call


def to_keras(network: scratch.Sequential | scratch.Model) -> keras.Model:
    """The Keras twin of a NumPy network, with copies of its weights, its dtype and its layer names.

    Args:
        network: a built network.

    Returns:
        A ``keras.Sequential`` for a ``Sequential``, a functional ``keras.Model`` for a ``Model``; not compiled.

    Raises:
        CallOrderError: the network is not built.
        UnsupportedError: a layer of the learner's own or an option that Keras does not have; named.
    """
    if not isinstance(network, scratch.Sequential | scratch.Model):
        raise UnsupportedError("to_keras", "a scratch.Sequential or scratch.Model", type(network).__name__)
    if not network.built:
        raise CallOrderError(network.where, "a built network", "one without input shape", "Give input_shape=.")
    twins = {layer: to_keras_layer(layer, network.dtype.name) for layer in network.layers}
    if isinstance(network, scratch.Sequential):
        dtype = _input_dtype(network, network.layers[:1])
        layers = [keras.Input(network.input_shape, dtype=dtype), *twins.values()]
        model = keras.Sequential(layers, name=network.name)
    else:
        model = _functional(network, twins)
    for layer, twin in twins.items():
        twin.set_weights(list(layer.weights.values()))
    return model


def _functional(network: scratch.Model, twins: dict[scratch.Layer, keras.Layer]) -> keras.Model:
    tensors: dict[scratch.Node, Any] = {}
    made: dict[Call, Any] = {}
    for node, name in zip(network.inputs, network.input_names):
        dtype = _input_dtype(network, [call.layer for call in network.calls if node in call.inputs])
        tensors[node] = keras.Input(node.shape, dtype=dtype, name=name)
    for call in network.calls:
        y = _call(twins[call.layer], call, call.gather(tensors))
        tensors |= call.per_output(y)
        made[call] = twins[call.layer]._inbound_nodes[-1]
    inputs, outputs = ([tensors[node] for node in nodes] for nodes in (network.inputs, network.outputs))
    model = keras.Model(
        inputs if network.several_inputs else inputs[0],
        outputs if network.several_outputs else outputs[0],
        name=network.name,
    )
    _check_masks(network, model, made, outputs)
    return model


def _check_masks(network: scratch.Model, model: keras.Model, made: dict[Call, Any], outputs: list) -> None:
    """Raises UnsupportedError where Keras would lose a mask, or keep one, that scratch does not."""
    masks = Masks(model)
    remedy = "Keras's MultiHeadAttention takes the masks off its inputs; later layers find none."
    for call, keras_call in made.items():
        has_mask = [mask_of(value) is not None for value in values_of(arguments(keras_call))]
        for there, sees, found in zip(has_mask, call.sees_mask, masks.found(keras_call)):
            if call.layer.uses_mask and there and sees != found:
                raise UnsupportedError(where(call.layer), "masks that Keras finds too", "one that it loses", remedy)
    for output, sees, reaches_loss in zip(outputs, network.loss_sees_mask, masks.reach_loss):
        if mask_of(output) is not None and sees != reaches_loss:
            raise UnsupportedError(network.where, "an output that keeps its mask", "one whose mask Keras loses", remedy)


def _input_dtype(network: scratch.Network, takers: list[scratch.Layer]) -> str:
    """int32 for an input of word numbers, which only embeddings take, else the network's dtype."""
    only_embeddings = takers and all(isinstance(layer, scratch.Embedding) for layer in takers)
    return "int32" if only_embeddings else network.dtype.name


def _call(twin: keras.Layer, call: Call, x: Any) -> Any:
    """Calls the twin as the layer is called in the graph; passes masks by hand where Keras lets one."""
    options: dict[str, Any] = {}
    if "causal" in vars(call.layer):
        options["use_causal_mask"] = call.layer.causal
    if isinstance(twin, keras.layers.MultiHeadAttention):
        return twin(*x, **options)
    masks = [mask_of(tensor) for tensor in (x if call.as_list else [x])]
    takes_list = call.as_list and not isinstance(twin, keras.layers.RNN)
    if isinstance(twin, keras.layers.RNN) and call.as_list:
        x, *states = x
        options["initial_state"] = states if len(states) > 1 else states[0]
    if call.layer.uses_mask and all(sees for sees, mask in zip(call.sees_mask, masks) if mask is not None):
        options["mask"] = masks if takes_list else masks[0]
    return twin(x, **options)


def to_keras_layer(layer: scratch.Layer, dtype: str) -> keras.Layer:
    """The twin of a layer, not yet built."""
    if type(layer) in ACTIVATION_NAMES:
        return keras.layers.Activation(ACTIVATION_NAMES[type(layer)], name=layer.name, dtype=dtype)
    if type(layer) not in BY_SCRATCH:
        raise _unknown(layer, layer)
    twin = BY_SCRATCH[type(layer)]
    values = {name: getattr(layer, name) for name in constructor_defaults(type(layer)) if hasattr(layer, name)}
    values |= {name: getattr(layer, attribute) or None for name, attribute in twin.attributes}
    refuse_other_options(layer, values, (*twin.options, "causal"))
    options = {name: _option(layer, values[name]) for name in twin.options}
    return twin.keras(**options, name=layer.name, dtype=dtype)


def _option(layer: scratch.Layer, value: Any) -> Any:
    if isinstance(value, scratch.L2):
        return keras.regularizers.L2(value.l2)
    if isinstance(value, scratch.Activation):
        if type(value) not in ACTIVATION_NAMES:
            raise _unknown(layer, value)
        return ACTIVATION_NAMES[type(value)]
    return value


def _unknown(layer: scratch.Layer, received: scratch.Layer) -> UnsupportedError:
    known = ", ".join(kind.__name__ for kind in (*BY_SCRATCH, *ACTIVATION_NAMES))
    return UnsupportedError(where(layer), f"one of {known}", type(received).__name__)
