"""The models that stages train: layers of the model one after the other, and what they are compiled with."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from toolkit.training._data import Nested


class Chain(keras.Model):
    """Some layers of a model, run as the model runs them: ``y = layers(frozen(x))``.

    The layers stay the model's own, so what is learned here is learned there. A mask that an embedding makes travels
    with the outputs; where outputs were stored, it comes as a second input, ``[features, mask]``.

    Args:
        layers: those that learn.
        frozen: those before them; they run in inference mode: dropout drops nothing, batch normalisation uses its
            moving averages and leaves them alone.
        name: for errors and progress.
    """

    def __init__(self, layers: Sequence[keras.Layer], frozen: Sequence[keras.Layer] = (), name: str | None = None):
        super().__init__(name=name)
        self.own = list(layers)
        self.frozen = Chain(frozen) if frozen else None

    def call(self, inputs: Nested, training: bool | None = None) -> tf.Tensor:
        """The outputs of the last layer."""
        x = inputs
        if isinstance(inputs, list | tuple):
            x, mask = inputs
            x = tf.identity(x)
            x._keras_mask = mask
        if self.frozen is not None:
            x = self.frozen(x, training=False)
        for layer in self.own:
            x = layer(x, training=training) if layer._call_has_training_arg else layer(x)
        return x


@contextlib.contextmanager
def held_still(layers: Sequence[keras.Layer]) -> Iterator[None]:
    """No layer of these learns until the end; then each learns or not as before."""
    below = [part for layer in layers for part in (layer, *layer._flatten_layers(include_self=False))]
    before = [(layer, layer._trainable) for layer in below]
    try:
        for layer in layers:
            layer.trainable = False
        yield
    finally:
        for layer, trainable in reversed(before):
            layer._trainable = trainable
            for variable in layer._trainable_variables:
                variable.trainable = trainable


@contextlib.contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Layers that are made inside draw their weights and masks from ``seed``; other draws go on as if nothing was."""
    state = random.getstate()  # where Keras takes the seeds that nobody named
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def copied(layer: keras.Layer, name: str) -> keras.Layer:
    """A layer of the same kind and options with weights of its own, not built yet."""
    return type(layer).from_config(layer.get_config() | {"name": name})


def built(layers: Sequence[keras.Layer], shape: tuple[int | None, ...]) -> list[keras.Layer]:
    """The layers with their weights, for inputs of ``shape`` with its batch axis."""
    for layer in layers:
        if not layer.built:
            layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return list(layers)


def fresh_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """One like the model's, at its beginning."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return type(optimizer).from_config(optimizer.get_config())


def compile_like(stage: keras.Model, model: keras.Model, **changes: Any) -> None:
    """Compiles ``stage`` with the loss, metrics and kind of optimiser of ``model``, except for ``changes``."""
    options = dict(model._compile_config.config)
    options |= {"optimizer": fresh_optimizer(model), "steps_per_execution": 1} | changes
    stage.compile(**options)
