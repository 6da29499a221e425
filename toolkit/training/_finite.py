"""Where the numbers stopped being numbers: the step is repeated by hand, with an eye on every layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import keras
import tensorflow as tf

from toolkit.errors import InvalidValueError
from toolkit.training._data import ArrayEpoch, StreamEpoch, _named
from toolkit.training._state import State
from toolkit.training._steps import Steps, has_own

_IN_THE_DATA = " of the batch is"
_KEPT = "The model holds its last finite weights."
_REMEDIES = {
    "training": "Try a smaller learning rate, gradients clipped by clipnorm=1.0, or inputs scaled to about 1.",
    "data": "Fill the gaps in the data, or leave those samples out.",
}


def loss_is_finite(logs: dict[str, Any]) -> bool:
    """Whether the loss among a step's results is; it is a mean over the epoch, so once NaN it stays NaN."""
    return "loss" not in logs or bool(tf.math.is_finite(tf.reduce_sum(tf.cast(logs["loss"], tf.float32))))


def require_finite_weights(model: keras.Model, state: State, where: str) -> None:
    """Raises InvalidValueError if the model is broken before training starts."""
    if not state.finite():
        broken = _first_broken_weight(model)
        raise InvalidValueError(where, "a model of finite weights", f"NaN or infinity in {broken}", "Build it again.")


def blame(
    model: keras.Model,
    steps: Steps,
    state: State,
    before: list[tf.Tensor],
    epoch: ArrayEpoch | StreamEpoch,
    first: int,
    count: int,
) -> tuple[int, str]:
    """Repeats the steps ``first … first + count − 1`` of an epoch one by one, up to the one that breaks the model.

    Args:
        model: the model, left as it was before that step.
        steps: its training steps.
        state: its variables.
        before: their values before step ``first``.
        epoch: where the batches come from.
        first: the first step of the call that ended with a loss or weights that are not finite.
        count: the steps of that call.

    Returns:
        The step, and the first thing in it that is not finite, in words.
    """
    state.write(before)
    for step in range(first, first + count):
        kept = state.read()
        loss_finite = loss_is_finite(steps.run(epoch, step, 1)[1])
        if loss_finite and state.finite():
            continue
        broken = None if loss_finite else "the loss"
        updated = None if state.finite() else f"the updated weights of {_first_broken_weight(model)}"
        state.write(kept)
        found = _first_in_the_data(epoch.batch(step))
        if found is None and not has_own(model, "train_step"):  # only Keras's step is known well enough to repeat
            found = _first_in_forward_order(model, epoch.batch(step))
        found = found or broken or updated
        state.write(kept)  # dropout has drawn new masks, batch normalisation moved its averages
        return step, found or "the loss"
    return first + count - 1, "the loss"


def error(where: str, found: str, epoch: int, step: int) -> InvalidValueError:
    """What is raised; epoch and step count from 0 here, from 1 in the text."""
    received = f"{found} not finite in epoch {epoch + 1}, step {step + 1}"
    remedy = _REMEDIES["data" if found.endswith(_IN_THE_DATA) else "training"]
    return InvalidValueError(where, "finite numbers all the way", received, f"{_KEPT} {remedy}")


def _first_in_the_data(batch: Any) -> str | None:
    broken = (name for name, leaf in _named(batch) if leaf.dtype.is_floating and not _finite(leaf))
    return next((f"{name}{_IN_THE_DATA}" for name in broken), None)


def _first_in_forward_order(model: keras.Model, batch: Any) -> str | None:
    """The first of: layer outputs in forward order, loss, gradients from the loss backwards."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    with _watched(list(_layers(model))) as faults, tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
    if faults:
        return f"the output of layer {faults[0]} is"
    if not _finite(loss):
        return "every layer's output is finite, but the loss is"
    weights = model.trainable_weights
    for weight, gradient in reversed(list(zip(weights, tape.gradient(loss, [w.value for w in weights])))):
        if gradient is not None and not _finite(gradient):
            return f"output and loss are finite, but the gradient of {_owner(model, weight)} is"
    return None


@contextlib.contextmanager
def _watched(layers: list[keras.Layer]) -> Iterator[list[str]]:
    """A list that fills with the layers whose outputs are not finite, in the order in which they are computed."""
    faults: list[str] = []
    own = {layer: vars(layer)["call"] for layer in layers if "call" in vars(layer)}

    def watching(layer: keras.Layer, call: Callable) -> Callable:
        @wraps(call)
        def watched(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            if not all(_finite(output) for output in keras.tree.flatten(outputs)):
                faults.append(_title(layer))
            return outputs

        return watched

    chosen = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    try:
        for layer in chosen:
            vars(layer)["call"] = watching(layer, layer.call)
        yield faults
    finally:
        for layer in chosen:
            vars(layer).pop("call", None)
            if layer in own:
                vars(layer)["call"] = own[layer]


def _finite(values: Any) -> bool:
    if isinstance(values, tf.IndexedSlices | tf.RaggedTensor):
        values = values.values if isinstance(values, tf.IndexedSlices) else values.flat_values
    if not tf.is_tensor(values) or not hasattr(values, "numpy") or not values.dtype.is_floating:
        return True  # not eager: a layer within a compiled loop over time, whose outputs are looked at after it
    return bool(tf.reduce_all(tf.math.is_finite(values)))


def _first_broken_weight(model: keras.Model) -> str:
    return next((_owner(model, weight) for weight in model.weights if not _finite(weight.value.read_value())), "none")


def _owner(model: keras.Model, weight: keras.Variable) -> str:
    """``layer 'hidden_1' (Dense), weight 'kernel'``: the layer of the model that a weight belongs to."""
    owners = [layer for layer in _layers(model) if any(own is weight for own in layer.weights)]
    return f"layer {_title(owners[-1])}, weight {weight.name!r}" if owners else f"weight {weight.path!r}"


def _layers(model: keras.Layer) -> Iterator[keras.Layer]:
    """Its layers and, after each, those inside it, as in a backbone; a recurrent layer stands for its cell."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        yield layer
        if not isinstance(layer, keras.layers.RNN):
            yield from _layers(layer)


def _title(layer: keras.Layer) -> str:
    return f"{layer.name!r} ({type(layer).__name__})"
