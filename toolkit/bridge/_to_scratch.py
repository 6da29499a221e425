"""Keras → scratch."""

from __future__ import annotations

from typing import Any

import keras

from toolkit import scratch
from toolkit.bridge._masks import VALUES, Masks, arguments, mask_of, values_of
from toolkit.bridge._twins import BY_KERAS, refuse_other_options, where
from toolkit.errors import CallOrderError, UnsupportedError
from toolkit.scratch._graph import Call


def to_scratch(model: keras.Model) -> scratch.Sequential | scratch.Model:
    """The NumPy twin of a Keras model.

    Args:
        model: a built ``keras.Sequential`` or functional model. Models inside it are taken apart into their layers.

    Returns:
        A ``scratch.Sequential`` where the layers form a chain, else a ``scratch.Model``; with copies of the weights,
        in the model's dtype and with its layer names.

    Raises:
        CallOrderError: the model is not built.
        UnsupportedError: a layer, activation, option or call that scratch does not have; named.
    """
    if not isinstance(model, keras.Model):
        raise UnsupportedError("to_scratch", "a Keras model", type(model).__name__)
    if not model.built:
        remedy = "Add keras.Input or call it once."
        raise CallOrderError(where(model), "a built model", "one without input shape", remedy)
    _check_has_graph(model)
    walk = _Walk()
    inputs = [scratch.Input(tensor.shape[1:], name=tensor.name) for tensor in model.inputs]
    outputs = walk.through(model, inputs)
    dtypes = {_dtype(layer) for layer in walk.twins}
    if len(dtypes) != 1:
        raise UnsupportedError(where(model), "one dtype for all layers", ", ".join(sorted(dtypes)) or "no layers")
    options = {"dtype": dtypes.pop(), "name": model.name}
    masks = Masks(model)
    for keras_call, call in walk.calls:
        call.sees_mask = masks.found(keras_call)
    chain = _chain(inputs, outputs)
    if chain:
        network = scratch.Sequential(chain, input_shape=inputs[0].shape, **options)
    else:
        network = scratch.Model(inputs, outputs, **options)
        network.loss_sees_mask = masks.reach_loss
    for layer, twin in walk.twins.items():
        for w, value in zip(twin.weights.values(), layer.get_weights(), strict=True):
            w[...] = value
    return network


def _check_has_graph(model: keras.Model) -> None:
    if not isinstance(model, keras.Sequential | keras.src.models.Functional):
        raise UnsupportedError(where(model), "a Sequential or functional model", "a subclassed model")


def _dtype(layer: keras.Layer) -> str:
    policy = layer.dtype_policy
    if policy.compute_dtype != policy.variable_dtype or policy.compute_dtype not in ("float32", "float64"):
        raise UnsupportedError(where(layer), "dtype float32 or float64", policy.name)
    return policy.compute_dtype


def _chain(inputs: list[scratch.Node], outputs: list[scratch.Node]) -> list[scratch.Layer]:
    """The layers on the way from the one input to the one output; none where they are not a chain."""
    node, layers = outputs[0], []
    while node.call is not None and not node.call.as_list and len(node.call.outputs) == 1:
        layers.insert(0, node.call.layer)
        node = node.call.inputs[0]
    return layers if [node] == inputs and len(outputs) == 1 and len(set(layers)) == len(layers) else []


class _Walk:
    """Walks from a model's outputs back to its inputs, and calls the twin of every layer where the layer is called.

    Attributes:
        twins: the scratch twin of each layer met so far; a shared layer has one.
        calls: the calls met so far, of Keras and of scratch.
    """

    def __init__(self) -> None:
        self.twins: dict[keras.Layer, scratch.Layer] = {}
        self.calls: list[tuple[Any, Call]] = []

    def through(self, model: keras.Model, inputs: list[scratch.Node]) -> list[scratch.Node]:
        """The nodes for the model's outputs, where ``inputs`` stand for its inputs."""
        nodes = {id(tensor): node for tensor, node in zip(model.inputs, inputs)}
        return [self._node(tensor, nodes) for tensor in model.outputs]

    def _node(self, tensor: keras.KerasTensor, nodes: dict[int, scratch.Node]) -> scratch.Node:
        if id(tensor) not in nodes:
            layer, index, _ = tensor._keras_history
            call = layer._inbound_nodes[index]
            nodes |= zip(map(id, call.outputs), self._call(layer, call, nodes))
        return nodes[id(tensor)]

    def _call(self, layer: keras.Layer, call: Any, nodes: dict[int, scratch.Node]) -> list[scratch.Node]:
        """The nodes for the outputs of one call of a layer."""
        is_model = isinstance(layer, keras.Model)
        (_check_has_graph if is_model else _check_known)(layer)
        given = arguments(call)
        tensors = values_of(given)
        _check_call(layer, given, tensors)
        inputs = [self._node(tensor, nodes) for tensor in tensors]
        if is_model:
            return self.through(layer, inputs)
        twin = self._twin(layer, causal=bool(given.get("use_causal_mask")))
        y = twin(inputs if len(inputs) > 1 or isinstance(given.get("inputs"), list | tuple) else inputs[0])
        outputs = y if isinstance(y, list) else [y]
        self.calls.append((call, outputs[0].call))
        return outputs

    def _twin(self, layer: keras.Layer, causal: bool) -> scratch.Layer:
        if layer not in self.twins:
            self.twins[layer] = to_scratch_layer(layer, {"causal": True} if causal else {})
        if getattr(self.twins[layer], "causal", False) != causal:
            raise UnsupportedError(where(layer), "use_causal_mask in all its calls or in none", "both")
        return self.twins[layer]


def _check_call(layer: keras.Layer, given: dict[str, Any], tensors: list[keras.KerasTensor]) -> None:
    """Refuses what a call of a twin cannot say."""
    masks = [mask_of(tensor) for tensor in tensors]
    if isinstance(layer, keras.layers.Softmax) and masks[0] is not None:
        raise UnsupportedError(where(layer), "inputs without a mask", "a mask", "Use Activation('softmax').")
    for name, value in given.items():
        is_own_mask = name == "mask" and all(map(_same, keras.tree.flatten(value), masks))
        if name not in (*VALUES, "use_causal_mask") and value is not None and value is not False and not is_own_mask:
            raise UnsupportedError(where(layer), f"a call without {name}", f"{name}={value!r}")


def _same(a: Any, b: Any) -> bool:
    """Whether two masks are the same function of the same tensors; in a model from a file they are not one object."""
    if a is b or not (isinstance(a, keras.KerasTensor) and isinstance(b, keras.KerasTensor)):
        return a is b or (a is not None and b is not None and type(a) is type(b) and a == b)
    (op_a, index_a, output_a), (op_b, index_b, output_b) = a._keras_history, b._keras_history
    if type(op_a) is not type(op_b) or output_a != output_b or isinstance(op_a, keras.Layer):
        return False
    calls = op_a._inbound_nodes[index_a], op_b._inbound_nodes[index_b]
    args_a, args_b = (keras.tree.flatten([call.arguments.args, call.arguments.kwargs]) for call in calls)
    return len(args_a) == len(args_b) and all(map(_same, args_a, args_b))


def _check_known(layer: keras.Layer) -> None:
    if type(layer) not in BY_KERAS and type(layer) is not keras.layers.Activation:
        known = ", ".join([*(kind.__name__ for kind in BY_KERAS), "Activation"])
        raise UnsupportedError(where(layer), f"one of the layers {known}", type(layer).__name__)
    if layer.weights and not layer.trainable:
        raise UnsupportedError(where(layer), "a trainable layer", "trainable=False")


def to_scratch_layer(layer: keras.Layer, more: dict[str, Any]) -> scratch.Layer:
    """The twin of a layer, not yet built, with ``more`` options."""
    values = {"activity_regularizer": layer.activity_regularizer} | layer.get_config()
    if type(layer) is keras.layers.Activation:
        refuse_other_options(layer, values, ("activation",))
        return scratch.ACTIVATIONS[_activation(layer, values["activation"])](name=layer.name)
    twin = BY_KERAS[type(layer)]
    refuse_other_options(layer, values, twin.options)
    options = {name: _option(layer, name, values[name]) for name in twin.options}
    return twin.scratch(**options, **more, name=layer.name)


def _option(layer: keras.Layer, name: str, value: Any) -> Any:
    if name.endswith("activation"):
        return _activation(layer, value)
    if name == "kernel_regularizer" and value is not None:
        if type(layer.kernel_regularizer) is not keras.regularizers.L2:
            received = type(layer.kernel_regularizer).__name__
            raise UnsupportedError(where(layer), "kernel_regularizer L2 or None", received)
        return scratch.L2(float(layer.kernel_regularizer.l2))
    return value


def _activation(layer: keras.Layer, value: Any) -> str:
    name = value if isinstance(value, str) else value["class_name"]
    if name not in scratch.ACTIVATIONS:
        raise UnsupportedError(where(layer), f"an activation of {', '.join(scratch.ACTIVATIONS)}", name)
    return name
