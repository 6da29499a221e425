"""The graph of a network before there is any data: nodes, and the calls of layers between them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._shape import Shape, are_several, batch, fits, to_shape

if TYPE_CHECKING:
    from toolkit.scratch._layer import Layer


class Node:
    """A value that a network will compute: the shape of one sample, and the call of a layer that makes it.

    Attributes:
        shape: the shape of one sample, without the batch axis; None along an axis of any length.
        call: the call whose output it is; None for an input.
    """

    def __init__(self, shape: Shape, call: Call | None = None, name: str | None = None) -> None:
        self.shape = shape
        self.call = call
        self._given_name = name

    @property
    def name(self) -> str:
        """What errors and tables call it."""
        return self.call.layer.name if self.call is not None else self._given_name or "input"

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self  # it stands for a value and holds none: copies of a network can share it

    def __repr__(self) -> str:
        return f"<Node {self.name!r}: {batch(self.shape)}>"


class Call:
    """One use of a layer in a graph. A layer that is used in several places has as many calls.

    Attributes:
        layer: the layer.
        inputs: the nodes that it is called on.
        outputs: the nodes that it makes.
        as_list: whether the layer takes its inputs as a list.
        sees_mask: for each input, False where the layer computes as if the input had no mask; for networks from
            Keras, which loses masks in some places (see ``toolkit.bridge``). The mask is handed on all the same.
    """

    def __init__(self, layer: Layer, inputs: Sequence[Node], as_list: bool) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.as_list = as_list
        self.sees_mask = [True] * len(self.inputs)
        shape = _output_shape(layer, self.input_shape)
        self.outputs = tuple(Node(s, self) for s in (shape if are_several(shape) else [shape]))

    @property
    def input_shape(self) -> Shape | tuple[Shape, ...]:
        """The shape of the input, of several inputs a tuple of shapes."""
        shapes = tuple(node.shape for node in self.inputs)
        return shapes if self.as_list else shapes[0]

    def gather(self, values: Mapping[Node, Any]) -> Any:
        """The inputs' values, one or a list, as the layer takes them; None where there is none."""
        found = [values.get(node) for node in self.inputs]
        return found if self.as_list else found[0]

    def gather_seen(self, masks: Mapping[Node, Any]) -> Any:
        """The inputs' masks as the layer finds them."""
        found = [masks.get(node) if sees else None for node, sees in zip(self.inputs, self.sees_mask)]
        return found if self.as_list else found[0]

    def per_output(self, y: Any) -> dict[Node, Any]:
        """The output's values, one or a list, by their nodes."""
        return dict(zip(self.outputs, y if isinstance(y, list | tuple) else [y]))

    def __repr__(self) -> str:
        return f"<Call of {self.layer.where} on {', '.join(node.name for node in self.inputs)}>"


def Input(shape: Sequence[int | None] | int, name: str | None = None) -> Node:
    """The beginning of a graph: a node that stands for data.

    Args:
        shape: the shape of one sample, ``(D,)``, ``(H, W, C)``, ``(T, D)``; None along an axis of any length.
        name: what errors call it.

    Example:
        >>> from toolkit import scratch
        >>> x = scratch.Input((4,))
        >>> y = scratch.Add()([x, scratch.Dense(4, "relu")(x)])
        >>> scratch.Model(x, y).forward([[1.0, 2.0, 3.0, 4.0]]).shape
        (1, 4)
    """
    shape = to_shape((shape,) if isinstance(shape, int) else shape)
    if any(n is not None and n < 1 for n in shape):
        raise InvalidValueError("Input", "a shape of positive integers or None", repr(shape))
    return Node(shape, name=name)


def holds_nodes(x: Any) -> bool:
    """Whether a layer is called on nodes, not on arrays."""
    return isinstance(x, Node) or (isinstance(x, list | tuple) and any(isinstance(value, Node) for value in x))


def connect(layer: Layer, x: Node | Sequence[Node], *options: Any, **named_options: Any) -> Node | list[Node]:
    """Notes that ``layer`` is called on ``x`` and returns the node of its output; of several outputs, a list.

    Raises:
        InvalidValueError: nodes and arrays are mixed, or options of ``forward`` are given.
        ShapeError: the layer cannot take inputs of these shapes.
    """
    if options or named_options:
        received = ", ".join([*map(repr, options), *(f"{name}={value!r}" for name, value in named_options.items())])
        remedy = "The network decides about training and masks when it runs."
        raise InvalidValueError(layer.where, "a call on nodes without options", received, remedy)
    as_list = isinstance(x, list | tuple)
    inputs = list(x) if as_list else [x]
    for value in inputs:
        if not isinstance(value, Node):
            raise InvalidValueError(layer.where, "nodes only, or arrays only", f"{type(value).__name__} beside a node")
    outputs = Call(layer, inputs, as_list).outputs
    return outputs[0] if len(outputs) == 1 else list(outputs)


def _output_shape(layer: Layer, input_shape: Shape | tuple[Shape, ...]) -> Shape | tuple[Shape, ...]:
    if layer.built:
        if not fits(input_shape, layer.input_shape):
            raise ShapeError(layer.where, f"x of shape {batch(layer.input_shape)}", f"shape {batch(input_shape)}")
        return to_shape(layer.compute_output_shape(input_shape))
    # The layer itself waits for the seed and the dtype of its network; a copy tells at once what does not fit.
    trial = copy.deepcopy(layer)
    trial.build(input_shape)
    return to_shape(trial.output_shape)


def calls_between(inputs: Sequence[Node], outputs: Sequence[Node], where: str) -> list[Call]:
    """The calls that lead from ``inputs`` to ``outputs``, each after all those that it needs.

    Raises:
        InvalidValueError: an output needs an input that is not given, or an input leads to no output.
    """
    calls: dict[Call, None] = {}
    reached: set[Node] = set()

    def visit(node: Node, wanted_by: str) -> None:
        reached.add(node)
        if node in inputs or node.call in calls:
            return
        if node.call is None:
            raise InvalidValueError(
                where,
                "every input that an output needs",
                f"none for {node.name!r} {batch(node.shape)}, which {wanted_by} needs",
                "Add this Input to the model's inputs.",
            )
        for source in node.call.inputs:
            visit(source, node.call.layer.where)
        calls[node.call] = None

    for node in outputs:
        visit(node, "the output")
    for node in inputs:
        if node not in reached:
            raise InvalidValueError(where, "inputs that lead to an output", f"unused input {node.name!r}")
        if node.call in calls:
            raise InvalidValueError(where, "inputs that no layer of the model computes", f"an output of {node.name!r}")
    return list(calls)


def layers_of(calls: Sequence[Call], outputs: Sequence[Node]) -> list[Layer]:
    """The layers in Keras's order, which is that of its lists of weights.

    Layers far from the outputs come first, by the number of calls on the longest way; layers equally far in the
    order in which a walk from the outputs meets them.
    """
    distance = dict.fromkeys(calls, 0)
    farthest: dict[Layer, int] = {}
    for call in reversed(calls):
        distance[call] = farthest[call.layer] = max(distance[call], farthest.get(call.layer, 0))
        for node in call.inputs:
            if node.call in distance:
                distance[node.call] = max(distance[node.call], distance[call] + 1)
    met = dict.fromkeys(call.layer for call in _walk(outputs, set(calls)))
    return sorted(met, key=lambda layer: -farthest[layer])


def _walk(nodes: Sequence[Node], calls: set[Call]) -> Iterator[Call]:
    """The calls as they are met on the way back from ``nodes``, depth first."""
    for node in nodes:
        if node.call in calls:
            calls.remove(node.call)
            yield node.call
            yield from _walk(node.call.inputs, calls)
