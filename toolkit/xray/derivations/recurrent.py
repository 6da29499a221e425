r"""Recurrent layers: every gate at every time step, with masks and initial states.

Below, ``h`` and ``c`` are the states before a step. A step in which a sample is padding leaves that sample's states
as they were.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations._graph import Graph, Symbol
from toolkit.xray.derivations._refusals import NotDerivedError
from toolkit.xray.derivations.dense import operation_of
from toolkit.xray.derivations.operations import (
    Affine,
    Cell,
    Choose,
    Hadamard,
    Interpolation,
    Keep,
    Operation,
    Same,
    Split,
    Stack,
    Unstack,
)

States = list[Symbol]
StepFunction = Callable[[int, Symbol, States], States]


class Weights:
    """``W``, ``U`` and ``b``, cut into the parts of the gates.

    Attributes:
        W, U, b, b_state: the part of each gate by its name; ``b`` and ``b_state`` (of a GRU that resets after the
            product) are empty where there is no bias.
    """

    def __init__(self, g: Graph, gates: str, bias_rows: int = 1) -> None:
        self.g = g
        self.gates = gates
        G = "" if len(gates) == 1 else str(len(gates))
        self.W = self._parts("W", g.parameter("kernel", "W", ("D", f"{G}M")), ("D", "M"))
        self.U = self._parts("U", g.parameter("recurrent_kernel", "U", ("M", f"{G}M")), ("M", "M"))
        self.b: dict[str, Symbol] = {}
        self.b_state: dict[str, Symbol] = {}
        if g.call.layer.use_bias and bias_rows == 1:
            self.b = self._parts("b", g.parameter("bias", "b", (f"{G}M",)), ("M",))
        elif g.call.layer.use_bias:
            both = g.parameter("bias", "B", ("2", f"{G}M"))
            rows = g.let(("b", "b'"), Split(2, axis=0)(both), title="the two biases", axes=("1", f"{G}M"))
            self.b, self.b_state = (self._parts(row.name, row, ("1", "M")) for row in rows)

    def _parts(self, letter: str, whole: Symbol, axes: tuple[str, ...]) -> dict[str, Symbol]:
        if len(self.gates) == 1:
            return {self.gates: whole}
        names = [f"{letter}_{gate}" for gate in self.gates]
        parts = self.g.let(names, Split(len(names))(whole), title=f"{letter} by gates", axes=axes)
        return dict(zip(self.gates, parts))

    def weighted(self, gate: str, t: int, x: Symbol, h: Symbol, title: str) -> Symbol:
        """``z = xW + hU + b`` of one gate at step t."""
        biases = [part[gate] for part in (self.b, self.b_state) if part]
        name = f"z_{gate}_{t}" if len(self.gates) > 1 else f"z_{t}"
        operation = Affine(products=2, biases=len(biases))
        return self.g.let(
            name, operation(x, self.W[gate], h, self.U[gate], *biases), title=f"{title}, t = {t}: weighted sum"
        )

    def gate(self, gate: str, t: int, f: Operation, x: Symbol, h: Symbol, title: str) -> Symbol:
        """``f(xW + hU + b)``: a gate or a candidate at step t."""
        return self.g.let(f"{gate}_{t}", f(self.weighted(gate, t, x, h, title)), title=f"{title}, t = {t}")


# ---------------------------------------------------------------------- the layers


def simple_rnn(call: LayerCall, g: Graph) -> list[Symbol]:
    """``h ← φ(xW + hU + b)``."""
    phi = _function(call.layer.activation)
    weights = Weights(g, "h")

    def step(t: int, x: Symbol, states: States) -> States:
        (h,) = states
        z = weights.weighted("h", t, x, h, "state")
        return [g.let(f"h_{t}", phi(z), title=f"state, t = {t}")]

    return _through_time(call, g, ("h",), step)


def lstm(call: LayerCall, g: Graph) -> list[Symbol]:
    """``c ← f ⊙ c + i ⊙ g`` and ``h = o ⊙ φ(c)``."""
    phi, sigma = _function(call.layer.activation), _function(call.layer.recurrent_activation)
    weights = Weights(g, "ifgo")

    def step(t: int, x: Symbol, states: States) -> States:
        h, c = states
        i_t = weights.gate("i", t, sigma, x, h, "input gate")
        f_t = weights.gate("f", t, sigma, x, h, "forget gate")
        g_t = weights.gate("g", t, phi, x, h, "candidate")
        o_t = weights.gate("o", t, sigma, x, h, "output gate")
        c_t = g.let(f"c_{t}", Cell()(f_t, c, i_t, g_t), title=f"cell, t = {t}")
        a_t = g.let(f"a_{t}", phi(c_t), title=f"what the cell shows, t = {t}")
        h_t = g.let(f"h_{t}", Hadamard()(o_t, a_t), title=f"output, t = {t}")
        return [h_t, c_t]

    return _through_time(call, g, ("h", "c"), step)


def gru(call: LayerCall, g: Graph) -> list[Symbol]:
    """``h ← z ⊙ h + (1 − z) ⊙ g``; the reset gate acts on ``hU`` or, without ``reset_after``, on ``h``."""
    phi, sigma = _function(call.layer.activation), _function(call.layer.recurrent_activation)
    reset_after = call.layer.reset_after
    weights = Weights(g, "zrg", bias_rows=2 if reset_after else 1)

    def candidate(t: int, x: Symbol, h: Symbol, r: Symbol) -> Symbol:
        about = {"title": f"candidate, t = {t}: weighted sum"}
        b, b_state = ([part["g"]] if part else [] for part in (weights.b, weights.b_state))
        W, U = weights.W["g"], weights.U["g"]
        if not reset_after:
            s = g.let(f"s_{t}", Hadamard()(r, h), title=f"what the reset gate leaves, t = {t}")
            return g.let(f"z_g_{t}", Affine(2, len(b))(x, W, s, U, *b), **about)
        s = g.let(f"s_{t}", Affine(1, len(b_state))(h, U, *b_state), title=f"what the state says, t = {t}")
        q = g.let(f"q_{t}", Hadamard()(r, s), title=f"what the reset gate leaves, t = {t}")
        return g.let(f"z_g_{t}", Affine(1, len(b) + 1)(x, W, *b, q), **about)

    def step(t: int, x: Symbol, states: States) -> States:
        (h,) = states
        z_t = weights.gate("z", t, sigma, x, h, "update gate")
        r_t = weights.gate("r", t, sigma, x, h, "reset gate")
        g_t = g.let(f"g_{t}", phi(candidate(t, x, h, r_t)), title=f"candidate, t = {t}")
        return [g.let(f"h_{t}", Interpolation()(z_t, h, g_t), title=f"state, t = {t}")]

    return _through_time(call, g, ("h",), step)


def _function(activation: Callable) -> Operation:
    return operation_of(activation) or Same()


# ---------------------------------------------------------------------- time


def _through_time(call: LayerCall, g: Graph, names: tuple[str, ...], step: StepFunction) -> list[Symbol]:
    """The steps one after the other; returns the outputs of the layer: ``y``, and the last states if it shows them."""
    layer, N = call.layer, len(call.inputs[0])
    _refuse_options(call, len(names))
    x = g.input("x", ("N", "T", "D"))
    states = _initial_states(call, g, names)
    T = call.inputs[0].shape[1]
    order = range(T, 0, -1) if layer.go_backwards else range(1, T + 1)
    inputs = g.let([f"x_{t}" for t in order], Unstack(T, layer.go_backwards)(x))
    counts = np.ones((N, T), bool) if call.mask is None else call.mask.astype(bool)
    outputs, shown = [], np.zeros((N, 1), bool)
    for t, x_t in zip(order, inputs):
        g.time = t
        m = counts[:, t - 1, np.newaxis]
        shown = m if layer.zero_output_for_mask else shown | m
        if m.all():
            states = step(t, x_t, states)
        elif m.any():
            states = _kept(g, t, m, states, lambda before, t=t, x_t=x_t: step(t, x_t, before))
        outputs.append(_shown(g, t, states[0], shown))
    g.time = None
    if layer.return_sequences:
        y = g.let("y", Stack(T)(*outputs), axes=("N", "T", "M"))
    else:
        y = g.let("y", Same()(outputs[-1]), title="the last output")
    if not layer.return_state:
        return [y]
    return [y, *(g.let(name, Same()(state), title="the last state") for name, state in zip(names, states))]


def _kept(g: Graph, t: int, m: np.ndarray, before: States, step: Callable[[States], States]) -> States:
    """A step that some samples do not take."""
    mask = g.constant(f"m_{t}", m, ("N", "1"), "mask")
    about = {"title": f"padding keeps what was, t = {t}"}
    return [
        g.let(f"{new.name.replace('_', '_tilde_')}", Choose()(mask, new, old), **about)
        for new, old in zip(step(before), before)
    ]


def _shown(g: Graph, t: int, h: Symbol, shown: np.ndarray) -> Symbol:
    """The output of a step: the state, or 0 for the samples that show none."""
    if shown.all():
        return h
    mask = g.constant(f"m_y_{t}", shown, ("N", "1"), "mask")
    return g.let(f"y_{t}", Keep()(mask, h), title=f"padding shows nothing, t = {t}")


def _initial_states(call: LayerCall, g: Graph, names: tuple[str, ...]) -> States:
    """``h_0`` and ``c_0``: given in the call, else zeros. With ``go_backwards`` step T comes first, after "step 0"."""
    if "initial_state" in call.input_names:
        return [g.input(f"{name}_0", ("N", "M"), place) for place, name in enumerate(names, 1)]
    zeros = np.zeros((len(call.inputs[0]), call.layer.units), g.dtype)
    return [g.constant(f"{name}_0", zeros, ("N", "M")) for name in names]


def _refuse_options(call: LayerCall, states: int) -> None:
    layer = call.layer
    if layer.stateful:
        raise NotDerivedError("a stateful layer, which begins where the last batch ended")
    if call.training and (layer.dropout or layer.recurrent_dropout):
        raise NotDerivedError("dropout inside a recurrent layer")
    if call.mask is not None and layer.unroll and layer.go_backwards and layer.zero_output_for_mask:
        raise NotDerivedError("an unrolled layer that goes backwards with zeros for padding: Keras mixes up its steps")
    if "initial_state" in call.input_names and call.input_names != ("sequences", *["initial_state"] * states):
        raise NotDerivedError("an initial state of some states only")
