"""Which masks Keras finds when a model runs.

While a graph is drawn, Keras knows the mask of every tensor. When the graph runs, a mask is an attribute of its
tensor, and there are two ways to lose it:

- a recurrent layer that is called with an initial state does not look for the mask;
- MultiHeadAttention takes the masks off its inputs. Whatever uses these inputs afterwards, such as the Add of a
  residual block, finds none, and so do the layers and the loss behind it.

A mask that is passed by hand is always found. To a layer that is called on one tensor Keras itself passes it by hand.
So what is found depends on the order of the calls. Here Keras is asked: the model runs once, and every call is watched.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras

from toolkit.bridge._twins import where
from toolkit.errors import UnsupportedError

# The arguments of a layer's call that hold values, in the order of the scratch twin's list of inputs.
VALUES = ("inputs", "sequences", "query", "value", "key", "initial_state")


def arguments(call: Any) -> dict[str, Any]:
    """What a layer was called with, by the names of its parameters."""
    return _bound(call.operation, call.arguments.args, call.arguments.kwargs)


def values_of(given: dict[str, Any]) -> list[Any]:
    """The tensors among the arguments that hold values, not masks."""
    return keras.tree.flatten([given[name] for name in VALUES if given.get(name) is not None])


def mask_of(tensor: Any) -> Any:
    """The mask of a tensor as Keras knows it: of a symbolic one while the graph is drawn, else while it runs."""
    return getattr(tensor, "_keras_mask", None)


def _bound(layer: keras.Layer, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    return inspect.signature(layer.call).bind(*args, **kwargs).arguments


def _makes_mask(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Masking) or bool(getattr(layer, "mask_zero", False))


class Masks:
    """What becomes of the masks when a model runs: it is run once, on zeros.

    Attributes:
        reach_loss: for each output of the model, whether it has its mask in the end.

    Raises:
        UnsupportedError: scratch cannot do without a mask in the way in which Keras does.
    """

    def __init__(self, model: keras.Model) -> None:
        self.reach_loss = [True] * len(model.outputs)
        self._found: dict[int, list[bool]] = {}
        self._lost: dict[int, Any] = {}  # the tensors without the mask that they should have, by id
        if any(map(_makes_mask, model._flatten_layers())):
            # Two is enough for an axis of any length; with one, Keras would warn of a softmax over a single number.
            zeros = [keras.ops.zeros([n or 2 for n in tensor.shape], tensor.dtype) for tensor in model.inputs]
            self.reach_loss = [mask_of(y) is not None for y in self._run(model, zeros)]

    def found(self, call: Any) -> list[bool]:
        """For each value of a call, whether the layer finds its mask; True where the model has no masks at all."""
        return self._found.get(id(call), [True] * len(values_of(arguments(call))))

    def _run(self, model: keras.Model, inputs: list[Any]) -> list[Any]:
        """The outputs for ``inputs``, by the calls of the model in Keras's order."""
        graph = model._functional if isinstance(model, keras.Sequential) else model
        tensors = dict(zip(map(id, graph.inputs), inputs))
        for _, calls in sorted(graph._nodes_by_depth.items(), reverse=True):
            for call in calls:
                if not call.is_input:
                    y = self._run_call(call, *call.arguments.fill_in(tensors))
                    tensors |= zip(map(id, call.outputs), keras.tree.flatten(y))
        return [tensors[id(tensor)] for tensor in graph.outputs]

    def _run_call(self, call: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        layer = call.operation
        if not isinstance(layer, keras.Layer):
            return layer(*args, **kwargs)  # Keras's own, such as the one that computes a mask
        given = _bound(layer, args, kwargs)
        values = values_of(given)
        has_mask = [mask_of(value) is not None for value in values]
        found = self._found_by(given, has_mask)
        if self._found.setdefault(id(call), found) != found:
            raise UnsupportedError(where(layer), "the same masks each time its model is called", "some are lost")
        if isinstance(layer, keras.Model):
            return self._run(layer, values)
        y = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Concatenate) and any(has_mask) and any(id(v) in self._lost for v in values):
            raise UnsupportedError(
                where(layer), "inputs with their masks", "one that has lost it to MultiHeadAttention"
            )
        self._note_lost(values, has_mask, y)
        return y

    @staticmethod
    def _found_by(given: dict[str, Any], has_mask: list[bool]) -> list[bool]:
        """Where a mask is passed by hand or, unless the call has an initial state, the value has one."""
        if given.get("mask") is not None:
            by_hand = [mask is not None for mask in keras.tree.flatten(given["mask"])]
            return by_hand + has_mask[len(by_hand) :]
        return [False] * len(has_mask) if "initial_state" in given else has_mask

    def _note_lost(self, values: list[Any], had_mask: list[bool], y: Any) -> None:
        """Notes the values whose mask was taken in a call, and outputs without a mask that are made of such values."""
        lost = [value for value, had in zip(values, had_mask) if had and mask_of(value) is None]
        if any(id(value) in self._lost for value in values):
            lost += [output for output in keras.tree.flatten(y) if mask_of(output) is None]
        self._lost |= {id(tensor): tensor for tensor in lost}
