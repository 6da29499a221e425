"""Carries networks between Keras and ``toolkit.scratch``: structure and weights, both ways.

A network that has crossed the bridge computes the same: outputs, loss, gradients, training steps. Whatever the other
side does not know (a layer, an activation, an option) is refused by name; nothing is left out silently. Initialisers
are not carried, since they have done their work; neither are loss, optimiser and its running averages.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from toolkit import scratch
from toolkit.errors import CallOrderError, UnsupportedError

__all__ = ["to_keras", "to_scratch"]

_NAMES = {activation: name for name, activation in scratch.ACTIVATIONS.items()}


# ---------------------------------------------------------------------- Keras → scratch


def to_scratch(model: keras.Model) -> scratch.Sequential:
    """The NumPy twin of a Keras model that is a chain of dense layers, activations and dropout.

    Args:
        model: a built ``keras.Sequential`` or a functional model without branches; samples of shape ``(D,)``.

    Returns:
        A ``scratch.Sequential`` with copies of the weights, in the model's dtype and with its layer names.

    Raises:
        CallOrderError: the model is not built.
        UnsupportedError: a layer, activation or option that scratch does not have; named.
    """
    if not isinstance(model, keras.Model):
        raise UnsupportedError("to_scratch", "a Keras model", type(model).__name__)
    where = f"{type(model).__name__} {model.name!r}"
    if not model.built:
        raise CallOrderError(where, "a built model", "one without input shape", "Add keras.Input or call it once.")
    layers = _chain(model, where)
    dtypes = {_dtype(layer) for layer in layers}
    if len(dtypes) > 1:
        raise UnsupportedError(where, "one dtype for all layers", ", ".join(sorted(dtypes)))
    network = scratch.Sequential(
        [_to_scratch_layer(layer) for layer in layers],
        input_shape=_sample_shape(model, where),
        dtype=dtypes.pop(),
        name=model.name,
    )
    network.set_weights(model.get_weights())
    return network


def _chain(model: keras.Model, where: str) -> list[keras.Layer]:
    """The layers of the model in order, without input layers; refuses anything that is not a chain."""
    if isinstance(model, keras.Sequential):
        return model.layers
    if not isinstance(model, keras.src.models.Functional):
        raise UnsupportedError(where, "a Sequential or functional model", "a subclassed model")
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnsupportedError(
            where, "one input and one output", f"{len(model.inputs)} inputs, {len(model.outputs)} outputs"
        )
    # A layer may also be used in other models: only the nodes of this model's own graph count.
    own = {node for nodes in model._nodes_by_depth.values() for node in nodes}
    previous = model.inputs[0]
    for layer in layers:
        nodes = [node for node in layer._inbound_nodes if node in own]
        if len(nodes) != 1 or [id(tensor) for tensor in nodes[0].input_tensors] != [id(previous)]:
            raise UnsupportedError(where, "a chain of layers, each used once", f"a branch at layer {layer.name!r}")
        previous = nodes[0].outputs[0]
    if previous is not model.outputs[0]:
        raise UnsupportedError(where, "the last layer as the output", f"output {model.outputs[0].name!r}")
    return layers


def _sample_shape(model: keras.Model, where: str) -> tuple[int, ...]:
    shape = tuple(model.input_shape[1:])
    if len(shape) != 1 or shape[0] is None:
        raise UnsupportedError(where, "inputs of shape (N, D) with D known", f"{model.input_shape}")
    return shape


def _dtype(layer: keras.Layer) -> str:
    policy = layer.dtype_policy
    if policy.compute_dtype != policy.variable_dtype or policy.compute_dtype not in ("float32", "float64"):
        raise UnsupportedError(_where(layer), "dtype float32 or float64", policy.name)
    return policy.compute_dtype


def _to_scratch_layer(layer: keras.Layer) -> scratch.Layer:
    converter = _FROM_KERAS.get(type(layer))
    if converter is None:
        known = ", ".join(kind.__name__ for kind in _FROM_KERAS)
        raise UnsupportedError(_where(layer), f"one of the layers {known}", type(layer).__name__)
    if layer.weights and not layer.trainable:
        raise UnsupportedError(_where(layer), "a trainable layer", "trainable=False")
    return converter(layer)


def _from_dense(layer: keras.layers.Dense) -> scratch.Layer:
    _refuse_options(
        layer, "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint", "lora_rank"
    )
    return scratch.Dense(
        layer.units,
        _activation(layer),
        use_bias=layer.use_bias,
        kernel_regularizer=_l2(layer),
        name=layer.name,
    )


def _from_activation(layer: keras.layers.Activation) -> scratch.Layer:
    return scratch.ACTIVATIONS[_activation(layer)](name=layer.name)


def _from_relu(layer: keras.layers.ReLU) -> scratch.Layer:
    _refuse_options(layer, "max_value", "negative_slope", "threshold")
    return scratch.ReLU(name=layer.name)


def _from_softmax(layer: keras.layers.Softmax) -> scratch.Layer:
    if layer.axis != -1:
        raise UnsupportedError(_where(layer), "axis=-1", f"axis={layer.axis}")
    return scratch.Softmax(name=layer.name)


def _from_dropout(layer: keras.layers.Dropout) -> scratch.Layer:
    _refuse_options(layer, "noise_shape")
    return scratch.Dropout(layer.rate, seed=layer.seed, name=layer.name)


def _activation(layer: keras.Layer) -> str:
    name = keras.activations.serialize(layer.activation)
    if name not in scratch.ACTIVATIONS:
        raise UnsupportedError(_where(layer), f"an activation of {', '.join(scratch.ACTIVATIONS)}", str(name))
    return name


def _l2(layer: keras.layers.Dense) -> scratch.L2 | None:
    regularizer = layer.kernel_regularizer
    if regularizer is None:
        return None
    if type(regularizer) is not keras.regularizers.L2:
        raise UnsupportedError(_where(layer), "kernel_regularizer L2 or None", type(regularizer).__name__)
    return scratch.L2(float(regularizer.l2))


def _refuse_options(layer: keras.Layer, *names: str) -> None:
    for name in names:
        value = getattr(layer, name, None)
        if value is not None and value != 0:
            raise UnsupportedError(_where(layer), f"{name} left out", f"{name}={value!r}")


_FROM_KERAS: dict[type, Callable[[keras.Layer], scratch.Layer]] = {
    keras.layers.Dense: _from_dense,
    keras.layers.Activation: _from_activation,
    keras.layers.ReLU: _from_relu,
    keras.layers.Softmax: _from_softmax,
    keras.layers.Dropout: _from_dropout,
}


def _where(layer: keras.Layer | scratch.Layer) -> str:
    return f"{type(layer).__name__} {layer.name!r}"


# ---------------------------------------------------------------------- scratch → Keras


def to_keras(network: scratch.Sequential) -> keras.Sequential:
    """The Keras twin of a NumPy network, with copies of its weights, its dtype and its layer names.

    Args:
        network: a built network.

    Returns:
        A ``keras.Sequential``, not compiled.

    Raises:
        CallOrderError: the network is not built.
        UnsupportedError: a layer of the learner's own, which Keras does not have; named.
    """
    if not isinstance(network, scratch.Sequential):
        raise UnsupportedError("to_keras", "a scratch.Sequential", type(network).__name__)
    if not network.built:
        raise CallOrderError(
            f"Sequential {network.name!r}", "a built network", "one without input shape", "Give input_shape=."
        )
    dtype = network.dtype.name
    layers = [_to_keras_layer(layer, dtype) for layer in network.layers]
    model = keras.Sequential([keras.Input(network.input_shape, dtype=dtype), *layers], name=network.name)
    model.set_weights(network.get_weights())
    return model


def _to_keras_layer(layer: scratch.Layer, dtype: str) -> keras.Layer:
    options = {"name": layer.name, "dtype": dtype}
    if type(layer) is scratch.Dense:
        regularizer = layer.kernel_regularizer
        return keras.layers.Dense(
            layer.units,
            activation=_keras_activation(layer.activation, _where(layer)),
            use_bias=layer.use_bias,
            kernel_regularizer=keras.regularizers.L2(regularizer.l2) if regularizer else None,
            **options,
        )
    if type(layer) is scratch.Dropout:
        return keras.layers.Dropout(layer.rate, seed=layer.seed, **options)
    return keras.layers.Activation(_keras_activation(layer, _where(layer)), **options)


def _keras_activation(activation: scratch.Layer, where: str) -> str:
    if type(activation) not in _NAMES:
        known = ", ".join(["Dense", "Dropout", *(kind.__name__ for kind in _NAMES)])
        raise UnsupportedError(where, f"one of {known}", type(activation).__name__)
    return _NAMES[type(activation)]
