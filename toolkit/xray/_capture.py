"""One training step, captured: runs the model on a tape, watched, and turns all that was seen into NumPy arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import ShapeError, ToolkitError, UnsupportedError
from toolkit.scratch._sparse_gradient import SparseGradient
from toolkit.xray._calls import LayerCall
from toolkit.xray._losses import LossTerm, WatchedLoss, first_line, loss_failure
from toolkit.xray._state import Variable, array_of, layers_of, unchanged
from toolkit.xray._watch import Watch, Watched


@dataclass(frozen=True, eq=False)
class Weight:
    """A trainable variable of the model and its gradient.

    Attributes:
        name: path of the layer and name in the layer, ``"hidden/kernel"``.
        variable: the model's own.
        value: before the step.
        gradient: of the whole loss, regularisers included; None where the loss does not depend on it.
        penalty: the part of the gradient that comes from the weight's regulariser; None without one.
        rows: the gradient as TensorFlow keeps it where a batch uses only some rows of the weight (``IndexedSlices``).
    """

    name: str
    variable: Variable
    value: np.ndarray
    gradient: np.ndarray | None
    penalty: np.ndarray | None
    rows: SparseGradient | None = None


@dataclass(frozen=True, eq=False)
class Capture:
    """All that was seen in one training step.

    Attributes:
        model, training: what ran, and how.
        x: the inputs, flattened; ``structure`` has them as they were given.
        y, sample_weight: as tensors, in the structure in which they were given.
        calls: in the order in which they ended; the last one is the model's own.
        sources: for each call, which calls its inputs come from; ``-1 - k`` is the model's k-th input.
        terms: the losses, empty without labels.
        added: what layers added with ``add_loss`` and activity regularisers, in sum.
        penalties: the sum of the weight regularisers.
        total: the whole loss; None without labels.
        weights: the trainable variables.
        values: what all variables held before the step, by ``id``.
        dx: the gradient with respect to each input.
    """

    model: keras.Model
    training: bool
    x: tuple[np.ndarray, ...]
    structure: Any
    y: Any
    sample_weight: Any
    loss: WatchedLoss | None
    calls: tuple[LayerCall, ...]
    sources: tuple[frozenset[int], ...]
    terms: tuple[LossTerm, ...]
    added: float
    penalties: float
    total: float | None
    weights: tuple[Weight, ...]
    values: Mapping[int, np.ndarray]
    dx: tuple[np.ndarray | None, ...]


def capture(
    model: keras.Model, x: Any, y: Any, loss: WatchedLoss | None, sample_weight: Any, training: bool
) -> Capture:
    """Runs the step; the model is unchanged afterwards, also after a failure.

    Args:
        model: built.
        x, y, sample_weight: tensors, in the structure that the model takes; y may be None.
        loss: what to compute from the outputs and y; None for the forward pass alone.
        training: whether layers work as in training.
    """
    with unchanged(model) as values:
        inputs = keras.tree.flatten(x)
        with tf.GradientTape() as tape:
            tape.watch([tensor for tensor in inputs if tensor.dtype.is_floating])
            watch = Watch(model, training, tape)
            watch.name_inputs(inputs)
            with watch.running():
                outputs = _forward(model, watch, x, training)
            data_loss, added = _loss_of(model, loss, y, outputs, sample_weight)
        penalties = _penalties(model) if loss else {}
        raw = _gradients(tape, data_loss, _sources(model, watch, loss, inputs))
        gradients = {key: _dense(gradient) for key, gradient in raw.items()}
        arrays = _Arrays(watch)
        dlogits: dict[int, np.ndarray] = {}
        for term in loss.terms if loss else ():
            if (gradient := gradients.get(id(term.logits))) is not None:
                dlogits[id(term.logits_of)] = dlogits.get(id(term.logits_of), 0) + gradient
        counts = Counter(id(call.operation) for call in watch.calls)
        calls = tuple(
            replace(
                _layer_call(call, arrays, values, gradients),
                dlogits=dlogits.get(id(call.logits)),
                calls=counts[id(call.operation)],
            )
            for call in watch.calls
        )
        terms = tuple(
            term.finish(gradients.get(id(term.y_pred)), gradients.get(id(term.logits)))
            for term in (loss.terms if loss else ())
        )
        penalty = float(sum(value for value, _ in penalties.values()))
        return Capture(
            model=model,
            training=training,
            x=tuple(arrays.of(tensor) for tensor in inputs),
            structure=x,
            y=y,
            sample_weight=sample_weight,
            loss=loss,
            calls=calls,
            sources=tuple(call.sources for call in watch.calls),
            terms=terms,
            added=added,
            penalties=penalty,
            total=None if data_loss is None else float(data_loss) + penalty,
            weights=_weights(model, watch, values, raw, gradients, penalties),
            values=values,
            dx=tuple(gradients.get(id(tensor)) for tensor in inputs),
        )


def _forward(model: keras.Model, watch: Watch, x: Any, training: bool) -> Any:
    try:
        return model(x, training=training)
    except ToolkitError:
        raise
    # Whatever a layer of the learner's raises: say which layer it was, and what it got.
    except Exception as error:
        if watch.refusal is not None:
            raise watch.refusal from None
        call = watch.open[-1] if watch.open else None
        where = f"trace, layer {call.path!r}" if len(watch.open) > 1 else f"trace, model {model.name!r}"
        shapes = [tuple(tensor.shape) for tensor in (call.inputs if call else keras.tree.flatten(x))]
        kind = ShapeError if isinstance(error, ValueError | tf.errors.InvalidArgumentError) else UnsupportedError
        received = f"inputs of shape {', '.join(map(str, shapes))}; {type(error).__name__}: {first_line(error)}"
        raise kind(
            where, "a call that succeeds", received, "The model fails on this x by itself: see model(x)."
        ) from error


def _loss_of(
    model: keras.Model, loss: WatchedLoss | None, y: Any, outputs: Any, sample_weight: Any
) -> tuple[tf.Tensor | None, float]:
    """The loss without the regularisers of weights, and how much of it layers have added."""
    if loss is None:
        return None, 0.0
    try:
        value = loss(y, outputs, sample_weight)
    except ToolkitError:
        raise
    except (ValueError, TypeError, KeyError, tf.errors.InvalidArgumentError) as error:
        raise loss_failure(error, outputs) from error
    added = [
        tf.cast(tf.reduce_sum(each), value.dtype) for layer in layers_of(model) for each in layer._get_own_losses()
    ]
    return value + sum(added), float(sum(added))


def _penalties(model: keras.Model) -> dict[int, tuple[float, np.ndarray]]:
    """Of each regularised weight, by ``id``: the regulariser's value and gradient."""
    found = {}
    for v in model.trainable_variables:
        if v.regularizer is not None:
            with tf.GradientTape() as tape:
                value = v.regularizer(v)
            found[id(v)] = float(value), _dense(tape.gradient(value, v.value))
    return found


def _sources(model: keras.Model, watch: Watch, loss: WatchedLoss | None, inputs: list[tf.Tensor]) -> dict[int, Any]:
    """All whose gradient is asked for, by ``id``."""
    tensors = [*inputs]
    for call in watch.calls:
        tensors += [*call.inputs, *call.outputs]
    for term in loss.terms if loss else ():
        tensors += [term.y_pred] if term.logits is None else [term.y_pred, term.logits]
    found: dict[int, Any] = {id(t): t for t in tensors if t.dtype.is_floating}
    return found | {id(v): v._value for v in model.trainable_variables}


def _gradients(tape: tf.GradientTape, total: tf.Tensor | None, sources: Mapping[int, Any]) -> dict[int, Any]:
    if total is None:
        return {}
    found = tape.gradient(total, list(sources.values()))
    return {key: gradient for key, gradient in zip(sources, found) if gradient is not None}


def _dense(gradient: tf.Tensor | tf.IndexedSlices) -> np.ndarray:
    return array_of(tf.convert_to_tensor(gradient))


class _Arrays:
    """Tensors as arrays; copies of one tensor become one array."""

    def __init__(self, watch: Watch) -> None:
        self._copy_of = watch.copy_of
        self._known: dict[int, np.ndarray] = {}

    def of(self, tensor: Any) -> Any:
        """The array of a tensor; anything else as it is."""
        if not isinstance(tensor, tf.Tensor):
            return tensor
        while (original := self._copy_of.get(id(tensor))) is not None:
            tensor = original
        if id(tensor) not in self._known:
            self._known[id(tensor)] = _dense(tensor)
        return self._known[id(tensor)]

    def within(self, structure: Any) -> Any:
        """A structure with arrays for tensors."""
        return keras.tree.map_structure(self.of, structure)


def _layer_call(
    call: Watched, arrays: _Arrays, values: Mapping[int, np.ndarray], gradients: Mapping[int, np.ndarray]
) -> LayerCall:
    variables = own_weights(call)
    if call.parts:  # a layer inside that was not called has no part in this step, unless its weights were used
        direct = direct_weights(call.operation)
        variables = [v for v in variables if id(v) in direct or id(v) in gradients]
    names = short_names(variables, call.operation)
    before = {key: arrays.of(tensor) for key, tensor in call.before.items()}
    after = {key: arrays.of(tensor) for key, tensor in call.after.items()}
    seeds = [id(v) for v in getattr(call.operation, "variables", ()) if v.name == "seed_generator_state"]
    return LayerCall(
        layer=call.operation,
        path=call.path,
        index=call.index,
        inputs=tuple(map(arrays.of, call.inputs)),
        input_names=tuple(call.input_names),
        arguments=arrays.within(dict(call.arguments)),
        masks=arrays.within(dict(call.masks)),
        outputs=tuple(map(arrays.of, call.outputs)),
        output_masks=tuple(arrays.of(getattr(y, "_keras_mask", None)) for y in call.outputs),
        training=call.training,
        weights={name: _one_array(before.get(id(v)), values[id(v)]) for name, v in names.items()},
        variables=names,
        non_trainable=frozenset(name for name, v in names.items() if not v.trainable),
        updated={
            name: after[id(v)]
            for name, v in names.items()
            if id(v) in after and not np.array_equal(after[id(v)], before[id(v)])
        },
        seed=next((before[key] for key in seeds if key in before), None),
        dy=tuple(gradients.get(id(y)) for y in call.outputs) if gradients else (),
        dx=tuple(gradients.get(id(x)) for x in call.inputs) if gradients else (),
        gradients={name: gradients[id(v)] for name, v in names.items() if id(v) in gradients},
        parts=tuple(part.path for part in call.parts),
    )


def _one_array(now: np.ndarray | None, at_first: np.ndarray) -> np.ndarray:
    """What a variable holds now; the array from before the step where both are the same numbers in memory."""
    return at_first if now is None or np.may_share_memory(now, at_first) else now


def own_weights(call: Watched) -> list[keras.Variable]:
    """The weights of the layer that belong to none of the layers seen inside it."""
    weights = getattr(call.operation, "weights", [])
    inside = {id(v) for part in call.parts for v in getattr(part.operation, "weights", ())}
    return [v for v in weights if id(v) not in inside]


def direct_weights(layer: keras.Layer) -> set[int]:
    """The ``id`` of the weights that belong to the layer itself, and to none of the layers that it holds."""
    return {id(v) for v in (*layer._trainable_variables, *layer._non_trainable_variables)}


def short_names(variables: list[keras.Variable], operation: keras.Operation) -> dict[str, keras.Variable]:
    """The variables by the shortest end of their paths that is theirs alone: ``"kernel"``, ``"query/kernel"``."""
    names: dict[str, keras.Variable] = {}
    paths = [v.path.split("/") for v in variables]
    for v, path in zip(variables, paths):
        length = next((n for n in range(1, len(path) + 1) if sum(p[-n:] == path[-n:] for p in paths) == 1), len(path))
        name = "/".join(path[-length:])
        while name in names:
            name += "'"
        names[name] = v
    return names


def _weights(
    model: keras.Model,
    watch: Watch,
    values: Mapping[int, np.ndarray],
    raw: Mapping[int, Any],
    gradients: Mapping[int, np.ndarray],
    penalties: Mapping[int, tuple[float, np.ndarray]],
) -> tuple[Weight, ...]:
    names: dict[int, str] = {}
    for call in watch.calls:
        for name, v in short_names(own_weights(call), call.operation).items():
            # Of a layer that was not called, the model knows the weights only by the way to them.
            inside = call.parts and id(v) not in direct_weights(call.operation)
            names.setdefault(id(v), v.path.removeprefix(f"{model.name}/") if inside else f"{call.path}/{name}")
    found = []
    for v in model.trainable_variables:
        _, penalty = penalties.get(id(v), (0, None))
        parts = [gradient for gradient in (gradients.get(id(v)), penalty) if gradient is not None]
        rows = None
        if penalty is None and isinstance(slices := raw.get(id(v)), tf.IndexedSlices) and len(v.shape) == 2:
            rows = SparseGradient(
                slices.indices.numpy().ravel(), slices.values.numpy().reshape(-1, v.shape[1]), v.shape
            )
        gradient = sum(parts[1:], parts[0]) if parts else None
        if len(parts) > 1:
            gradient.flags.writeable = False
        found.append(Weight(names.get(id(v), v.path), v, values[id(v)], gradient, penalty, rows))
    return tuple(found)
