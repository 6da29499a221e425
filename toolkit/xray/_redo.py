"""One call of one layer, done again by itself: TensorFlow's word on a call that has no derivation."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.xray._calls import LayerCall


@dataclass(frozen=True, eq=False)
class Redone:
    """What came out: outputs, and from the call's ``dy`` the gradients of its inputs and of its weights by name."""

    outputs: Sequence[np.ndarray]
    dx: Sequence[np.ndarray | None]
    gradients: Mapping[str, np.ndarray]


def redo(call: LayerCall) -> Redone:
    """Calls the layer on the inputs, masks, weights and seed that it had; for use inside ``unchanged``."""
    for name, variable in call.variables.items():
        variable.assign(call.weights[name])
    if call.seed is not None:
        next(v for v in call.layer.variables if v.name == "seed_generator_state").assign(call.seed)
    inputs: list[tf.Tensor] = []
    signature = getattr(call.layer, "_call_signature", None) or inspect.signature(call.layer.call)

    def tensor(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        inputs.append(tf.constant(value))
        return inputs[-1]

    arguments = keras.tree.map_structure(tensor, dict(call.arguments))
    masks = keras.tree.map_structure(lambda m: tf.constant(m) if isinstance(m, np.ndarray) else m, dict(call.masks))
    given = arguments | masks | ({"training": call.training} if "training" in signature.parameters else {})
    args, options = _in_place(signature, given)
    trainable = [name for name in call.variables if name in call.gradients]
    with tf.GradientTape() as tape:
        floats = [x for x in inputs if x.dtype.is_floating]
        tape.watch(floats)
        outputs = [y for y in keras.tree.flatten(call.layer(*args, **options)) if isinstance(y, tf.Tensor)]
        logits = [getattr(y, "_keras_logits", None) for y in outputs] if call.dlogits is not None else []
    arriving = [(y, dy) for y, dy in zip(outputs, call.dy) if dy is not None]
    arriving += [(z, call.dlogits) for z in logits if z is not None]
    sources = [*floats, *(call.variables[name]._value for name in trainable)]
    if arriving and sources:
        found = tape.gradient([y for y, _ in arriving], sources, [tf.constant(dy) for _, dy in arriving])
    else:
        found = [None] * len(sources)
    found = [None if g is None else tf.convert_to_tensor(g).numpy() for g in found]
    of_inputs = iter(found[: len(floats)])
    weights = zip(trainable, found[len(floats) :])
    return Redone(
        outputs=[y.numpy() for y in outputs],
        dx=[next(of_inputs) if x.dtype.is_floating else None for x in inputs],
        gradients={name: gradient for name, gradient in weights if gradient is not None},
    )


def _in_place(signature: inspect.Signature, given: Mapping[str, Any]) -> tuple[list, dict[str, Any]]:
    """The arguments as Keras takes them: the first one and ``*args`` by their place, all others by name."""
    args, options = [], {}
    several = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    for k, (name, parameter) in enumerate(signature.parameters.items()):
        if name not in given:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += given[name]
        elif parameter.kind is parameter.VAR_KEYWORD:
            options |= given[name]
        elif k == 0 or (several and parameter.kind is not parameter.KEYWORD_ONLY):
            args.append(given[name])
        else:
            options[name] = given[name]
    return args, options
