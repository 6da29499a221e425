"""Leaves a model as it was: variables and attributes are put back after whatever ran inside, also after a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Variable = keras.Variable | tf.Variable


def layers_of(model: keras.Layer) -> list[keras.Layer]:
    """The model and all layers inside it, each once."""
    return list({id(layer): layer for layer in model._flatten_layers()}.values())


def variables_of(model: keras.Layer) -> list[Variable]:
    """Every variable that running the model may read or change: weights, running averages, seeds, metrics.

    Those that a layer keeps without Keras's knowledge are among them: the states of a stateful RNN, ``tf.Variable``.
    """
    found: dict[int, Variable] = {id(v): v for v in model.variables}
    for layer in layers_of(model):
        for value in vars(layer).values():
            for v in value if isinstance(value, list | tuple) else [value]:
                if isinstance(v, Variable):
                    found.setdefault(id(v), v)
    inside = {id(v._value) for v in found.values() if isinstance(v, keras.Variable)}
    return [v for v in found.values() if id(v) not in inside]


def array_of(tensor: tf.Tensor) -> np.ndarray:
    """The numbers of a tensor, read-only, and where NumPy knows the type without a copy."""
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError, RuntimeError):  # text, bfloat16
        array = np.array(tensor.numpy())
        array.flags.writeable = False
        return array


def read(v: Variable) -> tf.Tensor:
    """What a variable holds, as it is stored; its ``value`` would be cast where mixed precision is at work.

    TensorFlow writes to a variable in place only if nobody else looks at its numbers: they are ours to keep.
    """
    return (v._value if isinstance(v, keras.Variable) else v).read_value()


def values_of(variables: list[Variable]) -> dict[int, np.ndarray]:
    """What the variables hold, by their ``id``; read-only."""
    return {id(v): array_of(read(v)) for v in variables}


def put_values(variables: list[Variable], values: Mapping[int, np.ndarray]) -> None:
    """Assigns ``values`` where a variable holds something else."""
    for v in variables:
        if not np.array_equal(array_of(read(v)), values[id(v)]):
            v.assign(values[id(v)])


@contextmanager
def unchanged(model: keras.Layer) -> Iterator[dict[int, np.ndarray]]:
    """Inside, the model may run; afterwards its variables and all attributes of its layers are what they were.

    Gives what the variables hold, by their ``id``.
    """
    variables = variables_of(model)
    values = values_of(variables)
    attributes = [(layer, _attributes(layer)) for layer in layers_of(model)]
    try:
        yield values
    finally:
        put_values(variables, values)
        for layer, before in attributes:
            _put_back(layer, before)


def _attributes(layer: keras.Layer) -> dict[str, tuple[Any, Any]]:
    """The attributes, of containers also what is in them."""
    containers = (list, set, dict)
    return {
        name: (value, [*value.items()] if isinstance(value, dict) else [*value])
        if isinstance(value, containers)
        else (value, None)
        for name, value in vars(layer).items()
    }


def _put_back(layer: keras.Layer, before: Mapping[str, tuple[Any, Any]]) -> None:
    # Past Keras's __setattr__, which would track and refuse; the attributes were there before.
    now = vars(layer)
    for name in now.keys() - before.keys():
        del now[name]
    for name, (value, content) in before.items():
        now[name] = value
        if content is not None and not _same(value, content):
            kind = next(base for base in (list, set, dict) if isinstance(value, base))
            kind.clear(value)
            (list.extend if kind is list else kind.update)(value, content)


def _same(container: Any, content: list) -> bool:
    now = [*container.items()] if isinstance(container, dict) else [*container]
    if len(now) != len(content):
        return False
    if isinstance(container, dict):
        return all(a is c and b is d for (a, b), (c, d) in zip(now, content))
    return all(a is b for a, b in zip(now, content))
