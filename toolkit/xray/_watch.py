"""Watches the calls of a model's layers while it runs eagerly on a tape.

Every call gets copies of its inputs (``tf.identity``, which shares the numbers) and hands out copies of its outputs. So
the tape tells apart what reaches one call's output, summed over all who use it, and what goes back through one call to
one of its inputs, even where two layers share a tensor. No graph of the model is needed: subclassed models with Python
branches, nested models and shared layers are all just calls.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from keras.src.utils.python_utils import is_default
from tensorflow.python.framework import op_callbacks

from toolkit.errors import CallOrderError, ToolkitError
from toolkit.xray._state import layers_of, read

# Keras's own layers are opened no further, except those that are there to hold others.
_HOLDERS = (keras.Model, keras.layers.Wrapper, keras.layers.Bidirectional, keras.layers.TimeDistributed)
_LOCK = threading.Lock()  # one trace at a time: it replaces a method of a class


@dataclass(eq=False)
class Watched:
    """A call as it was seen, in tensors; the fields are those of LayerCall, before the gradients are known."""

    operation: keras.Operation
    path: str
    index: int
    arguments: Mapping[str, Any]
    masks: Mapping[str, Any]
    training: bool
    inputs: list[tf.Tensor]
    input_names: list[str]
    before: dict[int, tf.Tensor]
    sources: frozenset[int] = frozenset()
    outputs: list[tf.Tensor] = field(default_factory=list)
    after: dict[int, tf.Tensor] = field(default_factory=dict)
    logits: tf.Tensor | None = None
    parts: list[Watched] = field(default_factory=list)


class Watch:
    """The calls of one run of ``model``, in the order in which they ended; ``calls[-1]`` is the model's own.

    Attributes:
        calls: what was seen.
        copy_of: for each copy, by ``id``, the tensor that it shares its numbers with.
        open: the calls under way, the model's first: where a failure happened.
        refusal: why the run was stopped. Keras wraps what is raised inside a call, and loses its type.
    """

    def __init__(self, model: keras.Model, training: bool, tape: tf.GradientTape) -> None:
        self.model = model
        self.training = training
        self._tape = tape
        self.calls: list[Watched] = []
        self.open: list[Watched] = []
        self.copy_of: dict[int, tf.Tensor] = {}
        self.refusal: ToolkitError | None = None
        self._layers = {id(layer) for layer in layers_of(model)}
        self._thread = threading.get_ident()
        self._in_leaf = False
        self._paths: dict[int, str] = {}
        self._counts: dict[int, int] = {}
        self._origins: dict[int, frozenset[int]] = {}  # which calls (inputs of the model: −1 − k) a tensor comes from
        self._alive: list[tf.Tensor] = []  # an id is a tensor's own only while the tensor lives

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this lasts, calls in this thread are seen; those in other threads go their way."""
        with _LOCK:
            call, build = keras.Operation.__call__, keras.Layer._maybe_build

            def watched_call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
                if self._in_leaf or threading.get_ident() != self._thread or not tf.executing_eagerly():
                    return call(operation, *args, **kwargs)
                return self._see(operation, call, args, kwargs)

            def watched_build(layer: keras.Layer, call_spec: Any) -> None:
                if threading.get_ident() == self._thread and not layer.built and id(layer) in self._layers:
                    self._refuse_unbuilt(layer)
                build(layer, call_spec)

            keras.Operation.__call__, keras.Layer._maybe_build = watched_call, watched_build
            try:
                with self._following(True):
                    yield
            finally:
                keras.Operation.__call__, keras.Layer._maybe_build = call, build

    def _refuse_unbuilt(self, layer: keras.Layer) -> None:
        if is_default(layer.build) and len(layers_of(layer)) == 1:
            return  # nothing to build, only a flag
        self.refusal = CallOrderError(
            f"trace, layer {layer.name!r}",
            "a layer that has been built",
            "one that would create its weights in this call",
            "Call the model once on a batch, model(x), before you trace it.",
        )
        raise self.refusal

    # ------------------------------------------------------------------ one call

    def _see(self, operation: keras.Operation, call: Any, args: tuple, kwargs: dict) -> Any:
        seen, bound = self._begin(operation, args, kwargs)
        self.open.append(seen)  # and stays there if the call fails: that is where it happened
        # Inside a compiled function nothing could be seen. Keras's own are left alone: some need to be compiled.
        with functions_run_eagerly(not type(operation).__module__.startswith("keras.")):
            if is_leaf(operation):
                self._in_leaf = True
                try:
                    with self._following(False):  # inside a layer nobody asks, and each operation would take longer
                        outputs = call(operation, *bound.args, **bound.kwargs)
                finally:
                    self._in_leaf = False
            else:
                outputs = call(operation, *bound.args, **bound.kwargs)
        self.open.pop()
        return self._end(seen, outputs)

    def _begin(self, operation: keras.Operation, args: tuple, kwargs: dict) -> tuple[Watched, inspect.BoundArguments]:
        signature = getattr(operation, "_call_signature", None) or inspect.signature(operation.call)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        masks, arguments, inputs, names, sources = {}, {}, [], [], set()
        for name, value in bound.arguments.items():
            if is_mask(name, value):
                masks[name] = value
                continue
            if name == "training":
                continue
            copied = keras.tree.map_structure(self._copy, value)
            for original, copy in zip(keras.tree.flatten(value), keras.tree.flatten(copied), strict=True):
                if is_tensor(copy):
                    inputs.append(copy)
                    names.append(name)
                    sources |= self._origins.get(id(original), frozenset())
            bound.arguments[name] = arguments[name] = copied
        # What comes from whole numbers or constants has no gradient on its way; a layer's dx is there all the same.
        self._tape.watch([x for x in inputs if x.dtype.is_floating])
        if inputs and not sources and self.calls:
            # Out of sight, in a compiled function for example: most likely it follows what came before.
            sources = {len(self.calls) - 1}
        index = self._counts.get(id(operation), 0)
        self._counts[id(operation)] = index + 1
        seen = Watched(
            operation=operation,
            path=self._path(operation),
            index=index,
            arguments=arguments,
            masks=masks,
            training=_works_in_training(operation, bound.arguments.get("training", self.training)),
            inputs=inputs,
            input_names=names,
            before=_held(operation),
            sources=frozenset(sources),
        )
        return seen, bound

    def _end(self, seen: Watched, outputs: Any) -> Any:
        seen.after = _held(seen.operation, trainable=False)
        number = len(self.calls)
        self.calls.append(seen)
        if self.open:
            self.open[-1].parts.append(seen)
        copies = keras.tree.map_structure(self._copy, outputs)
        inputs_logits = {id(getattr(x, "_keras_logits", None)) for x in seen.inputs}
        for original, copy in zip(keras.tree.flatten(outputs), keras.tree.flatten(copies), strict=True):
            if not is_tensor(copy):
                continue
            seen.outputs.append(copy)
            if seen.parts:
                continue
            only_masks = original.dtype.is_bool and not isinstance(seen.operation, keras.Layer)
            self._origins[id(copy)] = seen.sources if only_masks else frozenset({number})
            logits = getattr(original, "_keras_logits", None)
            if logits is not None and id(logits) not in inputs_logits:
                seen.logits = logits
        return copies

    def _copy(self, tensor: Any) -> Any:
        """A copy with a gradient of its own, with the marks that Keras puts on tensors; anything else as it is."""
        if not is_tensor(tensor):
            return tensor
        copy = tf.identity(tensor)
        for mark in ("_keras_mask", "_keras_logits"):
            if (value := getattr(tensor, mark, None)) is not None:
                setattr(copy, mark, value)
        self._origins[id(copy)] = self._origins.get(id(tensor), frozenset())
        self.copy_of[id(copy)] = tensor
        self._alive += [tensor, copy]
        return copy

    def _path(self, operation: keras.Operation) -> str:
        if id(operation) not in self._paths:
            outer = self.open[-1].path if len(self.open) > 1 else ""
            path = f"{outer}/{operation.name}" if outer else operation.name
            taken = sum(other == path or other.startswith(f"{path} (") for other in self._paths.values())
            self._paths[id(operation)] = f"{path} ({taken + 1})" if taken else path
        return self._paths[id(operation)]

    # ------------------------------------------------------------------ who comes from whom

    def name_inputs(self, inputs: list[tf.Tensor]) -> None:
        """Makes the k-th tensor known as the model's k-th input."""
        for k, tensor in enumerate(inputs):
            self._origins[id(tensor)] = frozenset({-1 - k})
            self._alive.append(tensor)

    def _follow(self, op_type: str, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None):
        """TensorFlow tells of every operation between the layers: ``x + f(x)`` comes from both."""
        if graph is not None or op_type == "Identity":
            return
        origins = frozenset().union(*(self._origins.get(id(x), frozenset()) for x in inputs))
        for y in outputs:
            self._origins[id(y)] = origins
            self._alive.append(y)

    @contextmanager
    def _following(self, follow: bool) -> Iterator[None]:
        switch_on, switch_off = op_callbacks.add_op_callback, op_callbacks.remove_op_callback
        switches = (switch_on, switch_off) if follow else (switch_off, switch_on)
        switches[0](self._follow)
        try:
            yield
        finally:
            switches[1](self._follow)


@contextmanager
def functions_run_eagerly(eagerly: bool) -> Iterator[None]:
    """Inside, ``tf.function`` runs the Python function itself, or not."""
    before = tf.config.functions_run_eagerly()
    if eagerly != before:
        tf.config.run_functions_eagerly(eagerly)
    try:
        yield
    finally:
        if eagerly != before:
            tf.config.run_functions_eagerly(before)


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is an eager tensor of numbers; sparse and ragged ones pass unseen."""
    return isinstance(value, tf.Tensor) and (value.dtype.is_floating or value.dtype.is_integer or value.dtype.is_bool)


def is_mask(name: str, value: Any) -> bool:
    """Whether a call's argument is a mask: ``mask``, ``query_mask``, …, but not the switch ``use_causal_mask``."""
    return name == "mask" or (name.endswith("_mask") and not isinstance(value, bool))


def is_leaf(operation: keras.Operation) -> bool:
    """Whether the calls inside it are its own affair: an LSTM's cell, the projections of an attention layer."""
    if isinstance(operation, _HOLDERS):
        return False
    if not isinstance(operation, keras.Layer) or isinstance(operation, keras.layers.RNN):
        return True
    return type(operation).__module__.startswith("keras.") or len(layers_of(operation)) == 1


def _works_in_training(operation: keras.Operation, asked: Any) -> bool:
    frozen = isinstance(operation, keras.layers.BatchNormalization) and not operation.trainable
    return bool(asked) and not frozen  # a frozen batch normalisation goes by its running averages


def _held(operation: keras.Operation, *, trainable: bool = True) -> dict[int, tf.Tensor]:
    """What the layer's variables hold at this moment, by their ``id``; without the trainable ones if so asked.

    Weights too may change within a step: spectral normalisation divides a kernel before its layer is called.
    """
    if not isinstance(operation, keras.Layer) or not is_leaf(operation):
        return {}
    left_out = set() if trainable else {id(v) for v in operation.trainable_variables}
    return {id(v): read(v) for v in operation.variables if id(v) not in left_out}
