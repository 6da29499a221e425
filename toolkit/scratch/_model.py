"""A graph of layers: branches, residuals, shared layers, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._fit import Arrays, to_arrays
from toolkit.scratch._graph import Call, Node, calls_between, layers_of
from toolkit.scratch._layer import Layer
from toolkit.scratch._network import Network, forward_with_mask, numbered
from toolkit.scratch._shape import Shape, batch, fits, joint


def add_up(d: dict[Node, np.ndarray], nodes: Sequence[Node], gradients: Sequence[np.ndarray | None]) -> None:
    """Adds to the gradient of each node what one of the ways that leave it contributes."""
    for node, gradient in zip(nodes, gradients):
        if gradient is not None:
            d[node] = d[node] + gradient if node in d else gradient


class Model(Network):
    r"""A network whose layers form a graph; ``Sequential`` is the case where they form a chain.

    The graph is drawn by calling layers on nodes, from ``Input`` on. A layer that is called several times has one
    set of parameters; its gradients are summed over its calls.

    The backward pass is the chain rule of several variables: what a node has to do with the loss is the sum of what
    it has to do with it along each way that leaves the node.

    Args:
        inputs: a node from ``Input``, or a list of them; then the network takes a list of arrays.
        outputs: a node, or a list of them; then the network returns a list of arrays.
        seed: fixes initial values, dropout masks and the shuffling of ``fit``.
        dtype: "float32", or "float64" for proofs.
        name: the network's name.

    Attributes:
        inputs: the input nodes.
        outputs: the output nodes.
        calls: the uses of layers, each after those that it needs.
        loss_sees_mask: for each output, False where its loss counts all positions, masked or not.

    Example:
        >>> from toolkit import scratch
        >>> x = scratch.Input((4,))
        >>> h = scratch.Dense(4, "relu")(x)
        >>> residual = scratch.Model(x, scratch.Dense(2, "softmax")(scratch.Add()([x, h])))
        >>> residual.forward([[1.0, 2.0, 3.0, 4.0]]).shape
        (1, 2)

    Raises:
        InvalidValueError: an output needs an input that is not given, an input is unused, a name appears twice,
            or something is not a node.
        ShapeError: a layer was built for other inputs or another dtype.
    """

    equations = Equations(
        (r"x_k = f_k(x_i : i \to k)", r"\hat y = x_K"),
        (
            r"dx_K = \frac{\partial L}{\partial \hat y}",
            r"dx_i = \sum_{k \,:\, i \to k} \Big(\frac{\partial x_k}{\partial x_i}\Big)^{\top} dx_k",
        ),
        {"x_k": r"\mathbb{R}^{N \times D_k}", r"i \to k": r"\{\text{layer } k \text{ takes } x_i\}"},
    )

    def __init__(
        self,
        inputs: Node | Sequence[Node],
        outputs: Node | Sequence[Node],
        *,
        seed: int = 0,
        dtype: str = "float32",
        name: str = "model",
    ) -> None:
        super().__init__([], seed=seed, dtype=dtype, name=name)
        self.inputs, self.outputs = self._nodes(inputs, "inputs"), self._nodes(outputs, "outputs")
        self.several_inputs, self.several_outputs = len(self.inputs) > 1, len(self.outputs) > 1
        self.input_names = numbered(
            [node._given_name for node in self.inputs], ["input"] * len(self.inputs), self.where
        )
        self.calls = calls_between(self.inputs, self.outputs, self.where)
        self._maker = {node: call for call in self.calls for node in call.outputs}
        self.layers = layers_of(self.calls, self.outputs)
        self._name_layers()
        self._build()
        self.loss_sees_mask = [True] * len(self.outputs)
        self._caches: list[Any] = []

    def _nodes(self, nodes: Node | Sequence[Node], what: str) -> list[Node]:
        nodes = list(nodes) if isinstance(nodes, list | tuple) else [nodes]
        for node in nodes:
            if not isinstance(node, Node):
                raise InvalidValueError(self.where, f"{what} that are nodes", repr(node), "scratch.Input makes nodes.")
        if not nodes or len(set(nodes)) < len(nodes):
            raise InvalidValueError(self.where, f"{what}, each once", ", ".join(map(repr, nodes)) or "none")
        return nodes

    def _name_layers(self) -> None:
        super()._name_layers()
        for layer in self.layers:
            layer._given_name = layer.name  # it stays: other models may use the layer too

    def _build(self) -> None:
        for layer, seed in zip(self.layers, np.random.SeedSequence(self.seed).spawn(len(self.layers))):
            shapes = [call.input_shape for call in self.calls if call.layer is layer]
            self._build_layer(layer, reduce(joint, shapes), seed)

    @property
    def input_shape(self) -> Shape | tuple[Shape, ...]:
        """The shape of one input sample; of several inputs, a tuple of shapes."""
        shapes = tuple(node.shape for node in self.inputs)
        return shapes if self.several_inputs else shapes[0]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [node.name for node in self.outputs]

    _summary_titles = (*Network._summary_titles, "called on")

    def _summary_row(self, layer: Layer) -> tuple[str, ...]:
        names = dict(zip(self.inputs, self.input_names))
        calls = [call for call in self.calls if call.layer is layer]
        called_on = [" + ".join(names.get(node, node.name) for node in call.inputs) for call in calls]
        return *super()._summary_row(layer), ", ".join(called_on)

    # ------------------------------------------------------------------ forward and backward

    def _check_inputs(self, x: Arrays) -> list[np.ndarray]:
        x = to_arrays(self, x, self.several_inputs, "x")
        arrays = x if self.several_inputs else [x]
        wanted = ", ".join(f"{name} {batch(node.shape)}" for name, node in zip(self.input_names, self.inputs))
        if (
            len(arrays) != len(self.inputs)
            or len({array.shape[:1] for array in arrays}) > 1
            or not all(array.ndim and fits(array.shape[1:], node.shape) for array, node in zip(arrays, self.inputs))
        ):
            raise ShapeError(self.where, wanted, ", ".join(f"{array.shape}" for array in arrays))
        return arrays

    def forward(self, x: Arrays, training: bool = False) -> Arrays:
        """Returns the output for ``x (N, …)``, of several inputs a list; ``training`` switches dropout on."""
        values = dict(zip(self.inputs, self._check_inputs(x)))
        masks: dict[Node, np.ndarray | None] = {}
        self._caches = []
        for call in self.calls:
            x = call.gather(values)
            values |= call.per_output(forward_with_mask(call.layer, x, call.gather_seen(masks), training))
            masks |= call.per_output(call.layer.compute_mask(x, call.gather(masks)))
            self._caches.append(call.layer._cache)
        self._outputs = [values[node] for node in self.outputs]
        self._masks = [masks.get(node) if sees else None for node, sees in zip(self.outputs, self.loss_sees_mask)]
        return self.last_output

    def backward(self, dy: Arrays, needs_dx: bool = True) -> Arrays | None:
        """Fills every layer's ``grads`` from ``dy = ∂L/∂ŷ`` and returns ``dx``; of several outputs or inputs, lists.

        A None in the list ``dy`` stands for zero. An input of integers, such as word numbers, has the ``dx`` None.
        """
        dx = self._backward(self._per_output(dy), [False] * len(self.outputs), needs_dx)
        return dx if self.several_inputs else dx[0]

    def _backward(self, dy: list[np.ndarray], on_logits: list[bool], needs_dx: bool) -> list[np.ndarray | None]:
        if not self._caches:
            raise CallOrderError(self.where, "forward before backward", "backward alone", "Call forward(x) first.")
        for layer in self.layers:
            layer.grads = {}
        from_dz = {self._maker[node] for node, is_dz in zip(self.outputs, on_logits) if is_dz}
        d: dict[Node, np.ndarray] = {}
        add_up(d, self.outputs, dy)
        for call, cache in reversed(list(zip(self.calls, self._caches))):
            step = call.layer.backward_from_dz if call in from_dz else call.layer.backward
            dx = self._backward_through(call, cache, step, [d.pop(node, None) for node in call.outputs], needs_dx)
            add_up(d, call.inputs, dx)
        return [d.get(node) for node in self.inputs]

    def _backward_through(
        self, call: Call, cache: Any, step: Callable, dy: list[np.ndarray | None], needs_dx: bool
    ) -> Sequence[np.ndarray | None]:
        """``dx`` of one call; the parameters' gradients are added to those of the layer's other calls."""
        layer, others = call.layer, call.layer.grads
        if all(gradient is None for gradient in dy):  # none of the outputs that it leads to has a gradient
            layer.grads = others or {key: np.zeros_like(p) for key, p in layer.params.items()}
            return [None] * len(call.inputs)
        layer._cache, layer.grads = cache, {}
        dx = step(dy if len(dy) > 1 else dy[0], needs_dx or not set(call.inputs) <= set(self.inputs))
        if others:
            layer.grads = {key: others[key] + g for key, g in layer.grads.items()}
            for key, penalty in layer.regularization_gradients().items():
                layer.grads[key] = layer.grads[key] - penalty  # each call has counted it
        return [None] * len(call.inputs) if dx is None else dx if call.as_list else [dx]

    def _output_layers(self) -> list[Layer | None]:
        used = {node for call in self.calls for node in call.inputs}
        makers = [self._maker.get(node) for node in self.outputs]
        return [None if call is None or node in used else call.layer for node, call in zip(self.outputs, makers)]

    def _logits(self, output: int) -> np.ndarray:
        call = self._maker[self.outputs[output]]
        call.layer._cache = self._caches[self.calls.index(call)]
        return call.layer.logits
