"""One step of the optimiser: the weights before, the gradient, the rule with its numbers, the weights after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import InvalidValueError
from toolkit.scratch._clipping import clip_by_global_norm, clip_by_norm, clip_by_value, square
from toolkit.scratch._sparse_gradient import SparseGradient
from toolkit.xray._capture import Weight
from toolkit.xray._state import array_of, read
from toolkit.xray._update_rules import Line, Rule, rule_of
from toolkit.xray.views._plain import plain


@dataclass(frozen=True, eq=False)
class WeightUpdate:
    """What the step does to one weight.

    Attributes:
        name: path of the layer and name in the layer, ``"hidden/kernel"``.
        before, after: the weight, before and after the step that Keras's optimiser takes.
        gradient: of the loss.
        given: what the rule starts from, by its symbols: constants, w, the clipped g, Keras's m and v before the step,
            the bias correction. Empty where there is no rule.
        slots: Keras's own running averages after the step, ``{"m_new": …}``.
        lines: of the rule.
        note: what else happened to the weight, or why there is no derivation.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    gradient: np.ndarray
    given: Mapping[str, np.ndarray]
    slots: Mapping[str, np.ndarray]
    lines: tuple[Line, ...] = ()
    note: str = ""

    @property
    def numbers(self) -> dict[str, np.ndarray]:
        """All numbers of the rule by their symbols, as its lines give them in float64: from the constants to ``w_new``.

        Computed at every look, since they are large.
        """
        numbers = {name: np.asarray(value, "float64") for name, value in self.given.items()}
        for line in self.lines:
            numbers[line.result] = np.asarray(line.compute(numbers))
        return numbers


@dataclass(frozen=True, eq=False)
class Update:
    """One step of an optimiser.

    Attributes:
        kind: the optimiser's class, ``"Adam"``.
        rule: its update rule; None where there is none (then ``note`` says why).
        clipping: how gradients are clipped, ``"clipnorm = 1.0"``; empty without.
        step: which step of the optimiser this is, t, from 1.
        weights: one entry for each weight that has a gradient.
        without_gradient: the names of the trainable weights that the loss does not depend on; they stay.
    """

    kind: str
    rule: Rule | None
    clipping: str
    step: int
    weights: tuple[WeightUpdate, ...]
    without_gradient: tuple[str, ...]
    note: str = ""

    def __iter__(self) -> Iterator[WeightUpdate]:
        return iter(self.weights)

    def __getitem__(self, name: str) -> WeightUpdate:
        """The update of one weight by its name."""
        for weight in self.weights:
            if weight.name == name:
                return weight
        raise InvalidValueError("update", f"one of {[w.name for w in self.weights]}", repr(name))

    def __str__(self) -> str:
        constants = "".join(
            f", {name} = {value:g}" for name, value in (self.rule.constants if self.rule else {}).items()
        )
        lines = [f"{self.kind}, step {self.step}{constants}{', ' + self.clipping if self.clipping else ''}"]
        rule = self.rule.lines_for(True) if self.rule else ()
        lines += [f"  {line.title}: {plain(line.equation)}" for line in rule]
        for w in self.weights:
            change = np.linalg.norm((w.after - w.before).astype("float64").ravel())
            gradient = np.linalg.norm(w.gradient.astype("float64").ravel())
            lines.append(f"  {w.name} {w.before.shape}: ‖g‖ = {gradient:.4g}, ‖w' − w‖ = {change:.4g}")
        return "\n".join([*lines, *([self.note] if self.note else [])])


class OptimizerState:
    """An optimiser as it stood when the trace was made; the optimiser itself is never used.

    Args:
        optimizer: Keras's name for one, or an object; a built one brings its running averages with it.
    """

    def __init__(self, optimizer: str | keras.Optimizer) -> None:
        try:
            known = keras.optimizers.get(optimizer)
        except ValueError:
            raise InvalidValueError(
                "trace, optimizer", "the name of a Keras optimiser, or one", repr(optimizer), "For example 'adam'."
            ) from None
        self._kind, self._config = type(known), known.get_config()
        self._values = [v.numpy() for v in known.variables] if known.built else None
        self._decays = known._use_weight_decay if known.weight_decay else None
        self.name = known.name

    def take(self, weights: tuple[Weight, ...]) -> Update:
        """Takes the step on copies of the weights: Keras's optimiser, and the rule beside it."""
        moved = [weight for weight in weights if weight.gradient is not None]
        copies = [_copy(weight) for weight in weights]
        optimizer = self._clone(weights, copies)
        rule = rule_of(optimizer)
        pairs = [(w, c) for w, c in zip(weights, copies) if w.gradient is not None]
        clipped = _clipped(optimizer, {w.name: _as_scratch(w) for w in moved})
        before = {w.name: _slots(optimizer, rule, c) for w, c in pairs}
        step = int(optimizer.iterations.numpy()) + 1
        optimizer.apply([_as_tensor(w) for w in moved], [c for _, c in pairs])
        return Update(
            kind=self._kind.__name__,
            rule=rule if isinstance(rule, Rule) else None,
            clipping=_clipping(optimizer),
            step=step,
            weights=tuple(
                _one(weight, copy, optimizer, rule, clipped[weight.name], before[weight.name], step)
                for weight, copy in pairs
            ),
            without_gradient=tuple(w.name for w in weights if w.gradient is None),
            note=rule if isinstance(rule, str) else "",
        )

    def _clone(self, weights: tuple[Weight, ...], copies: list[keras.Variable]) -> keras.Optimizer:
        optimizer = self._kind.from_config(self._config)
        # As in training, Keras asks by the TensorFlow variable, whose name is the whole path.
        spared = [c for w, c in zip(weights, copies) if self._decays and not self._decays(w.variable._value)]
        if spared:
            optimizer.exclude_from_weight_decay(var_list=spared)
        optimizer.build(copies)
        if self._values is not None and len(self._values) == len(optimizer.variables):
            for v, value in zip(optimizer.variables, self._values):
                v.assign(value)
        return optimizer


def _copy(weight: Weight) -> keras.Variable:
    copy = keras.Variable(weight.value, dtype=weight.variable.dtype, name=weight.variable.name)
    copy.constraint = weight.variable.constraint
    return copy


def _as_tensor(weight: Weight) -> tf.Tensor | tf.IndexedSlices:
    if weight.rows is None:
        return tf.convert_to_tensor(weight.gradient)
    shape = tf.constant(weight.rows.shape)
    return tf.IndexedSlices(tf.constant(weight.rows.values), tf.constant(weight.rows.rows), shape)


def _as_scratch(weight: Weight) -> np.ndarray | SparseGradient:
    return weight.gradient if weight.rows is None else weight.rows


def _clipped(optimizer: keras.Optimizer, gradients: dict[str, Any]) -> dict[str, Any]:
    if optimizer.clipnorm and optimizer.clipnorm > 0:
        return {name: clip_by_norm(g, optimizer.clipnorm) for name, g in gradients.items()}
    if optimizer.global_clipnorm and optimizer.global_clipnorm > 0:
        return clip_by_global_norm(gradients, optimizer.global_clipnorm)
    if optimizer.clipvalue and optimizer.clipvalue > 0:
        return {name: clip_by_value(g, optimizer.clipvalue) for name, g in gradients.items()}
    return gradients


def _clipping(optimizer: keras.Optimizer) -> str:
    limits = {name: getattr(optimizer, name) for name in ("clipnorm", "global_clipnorm", "clipvalue")}
    return ", ".join(f"{name} = {limit:g}" for name, limit in limits.items() if limit)


def _slots(optimizer: keras.Optimizer, rule: Rule | str, copy: keras.Variable) -> dict[str, np.ndarray]:
    if not isinstance(rule, Rule):
        return {}
    index = optimizer._get_variable_index(copy)
    return {symbol: array_of(read(getattr(optimizer, slot)[index])) for symbol, slot in rule.slots.items()}


def _one(
    weight: Weight,
    copy: keras.Variable,
    optimizer: keras.Optimizer,
    rule: Rule | str,
    clipped: Any,
    before: dict[str, np.ndarray],
    step: int,
) -> WeightUpdate:
    constraint = weight.variable.constraint
    note = rule if isinstance(rule, str) else ""
    given: dict[str, Any] = {}
    lines: tuple[Line, ...] = ()
    if constraint is not None:
        note = f"No derivation: {type(constraint).__name__} changes the weight after the step."
    elif isinstance(rule, Rule):
        given = rule.constants | {"t": step, "w": weight.value, "g": np.asarray(clipped)} | before
        lines = rule.lines_for(optimizer._use_weight_decay(copy))
        given |= {line.result: line.compute(given) for line in lines if line.scalar}
        if weight.rows is not None:
            given["g_squared"] = np.asarray(square(clipped))
            note = "Only the rows that the batch used have a gradient; g² is the sum of their entries' squares."
    slots = {f"{symbol}_new": value for symbol, value in _slots(optimizer, rule, copy).items()}
    after = array_of(read(copy))
    return WeightUpdate(weight.name, weight.value, after, weight.gradient, given, slots, lines, note)
