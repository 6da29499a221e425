"""What Keras's training step does unseen and a step of one's own has to do itself; and what evaluation draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


def in_float32(x: tf.Tensor) -> tf.Tensor:
    """Outputs in half precision as float32, in which a loss is computed; others as they are."""
    return tf.cast(x, "float32") if x.dtype.size < 4 else x


def with_penalties(loss: tf.Tensor, network: keras.Model) -> tf.Tensor:
    """``loss`` plus what the regularisers of a network add, those of its activities as they were called last."""
    return loss + sum(tf.cast(penalty, loss.dtype) for penalty in network.losses)


def descend(
    optimizer: keras.optimizers.Optimizer, weights: Sequence[keras.Variable], tape: tf.GradientTape, loss: tf.Tensor
) -> tf.Tensor:
    """One step down the gradient of ``loss``; returns the norm of that gradient.

    In float16 small gradients would be 0. An optimiser that minds it (``keras.optimizers.LossScaleOptimizer``) asks for
    a scaled loss and scales the gradients back; it leaves out a step in which they are not finite.
    """
    if not optimizer.built:
        optimizer.build(weights)  # the scale is a variable only from then on
    scale = optimizer.scale_loss(tf.ones_like(loss))
    gradients = tape.gradient(loss, [w.value for w in weights], output_gradients=scale)
    optimizer.apply(gradients, weights)
    return tf.linalg.global_norm(gradients) / scale


@contextmanager
def apart_from_training(model: keras.Model, seen: tf.Tensor) -> Iterator[None]:
    """While it is open, ``model`` draws other random numbers than in training, which goes on as if none were drawn.

    They follow from the model's seeds and ``seen`` alone, so that every evaluation meets the same noise.

    Args:
        model: the states of its seed generators, and of those of its layers, are put back in the end.
        seen: a number that differs from batch to batch, such as the samples before this one.
    """
    states = [generator.state for layer in model._flatten_layers() for generator in layer._seed_generators]
    kept = [state.value.read_value() for state in states]
    for state, (seed, _) in zip(states, map(tf.unstack, kept)):
        other = tf.bitwise.invert(seed) - tf.cast(seen, seed.dtype)
        state.assign(tf.stack([other, tf.zeros_like(other)]))
    try:
        yield
    finally:
        for state, value in zip(states, kept):
            state.assign(value)
