"""Inside recurrent layers: gates that no longer answer, gradients that do not reach the first time steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations import Derivation, derive, why_not
from toolkit.xray.diagnoses._activations import SATURATED_SHARE, SATURATED_SLOPE, SLOPES
from toolkit.xray.diagnoses._records import Diagnosis, Unjudged

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# By the names in the derivation, and which activation of the layer they end in.
_GATES = {
    "LSTM": {
        "i": ("input gate", "recurrent_activation"),
        "f": ("forget gate", "recurrent_activation"),
        "g": ("candidate", "activation"),
        "o": ("output gate", "recurrent_activation"),
        "a": ("cell", "activation"),
    },
    "GRU": {
        "z": ("update gate", "recurrent_activation"),
        "r": ("reset gate", "recurrent_activation"),
        "g": ("candidate", "activation"),
    },
    "SimpleRNN": {},
}
_KEEPING = {("LSTM", "f"), ("GRU", "z")}  # at 1 they keep the state as it is, which is how a layer remembers
# From one time step to the one before, the gradient of a fresh LSTM becomes 0.6 to 0.95 of itself, of a GRU or a simple
# RNN 0.5 to 1, of trained ones up to 1.25. At a quarter, hardly anything is left two steps back; 1.5 over 20 steps is
# a factor of 3,000.
SMALLEST_FACTOR = 0.25
LARGEST_FACTOR = 1.5
LARGEST_RATIO = 1e3
FEWEST_STEPS = 4


def gates_and_time(trace: Trace) -> Iterator[Diagnosis | Unjudged]:
    """Saturated gates and candidates; gradients that vanish or explode on their way back through time."""
    for call in trace.calls:
        if call.kind not in _GATES:
            continue
        derivation = derive(call)
        if derivation is None:
            yield Unjudged("gates and gradients through time", f"{call.path}: {why_not(call)}")
            continue
        yield from _saturated(call, derivation)
        if trace.loss is not None:
            yield from _through_time(call, derivation)


def _saturated(call: LayerCall, derivation: Derivation) -> Iterator[Diagnosis]:
    values = derivation.values
    N, T = call.inputs[0].shape[:2]
    counts = np.ones((N, T), bool) if call.mask is None else call.mask.astype(bool)
    for gate, (name, setting) in _GATES[call.kind].items():
        activation = getattr(getattr(call.layer, setting), "__name__", "")
        steps = [values[f"{gate}_{t}"][counts[:, t - 1]] for t in range(1, T + 1) if f"{gate}_{t}" in values]
        if activation not in SLOPES or not steps:
            continue
        y = np.concatenate(steps).astype("float64")
        flat = SLOPES[activation](y) < SATURATED_SLOPE
        if (call.kind, gate) in _KEEPING:
            flat &= y < 0.5
        share = float(flat.mean())
        if share > SATURATED_SHARE:
            yield Diagnosis(
                f"saturated {name}",
                "warning" if share < 0.9 else "fault",
                call.path,
                f"{share:.0%} of its {name}'s numbers, over all time steps, lie where {activation} is flat: its slope "
                f"is below {SATURATED_SLOPE:.0%} of the steepest.",
                "Scale the inputs, start with smaller weights and biases (Keras's own), or normalise before the layer.",
                {"share": share},
            )


def gradient_through_time(derivation: Derivation) -> dict[int, float]:
    r"""``√(‖dh_t‖² + ‖dc_t‖²)`` of each time step that a gradient reaches; of layers without a cell, ``‖dh_t‖``."""
    gradients = derivation.intermediate_gradients
    T = derivation.call.inputs[0].shape[1]
    found = {}
    for t in range(1, T + 1):
        states = [gradients[name].astype("float64") for name in (f"dh_{t}", f"dc_{t}") if name in gradients]
        if states:
            found[t] = float(np.sqrt(sum(np.square(each).sum() for each in states)))
    return found


def _through_time(call: LayerCall, derivation: Derivation) -> Iterator[Diagnosis]:
    """Of a layer that gives its last output alone: elsewhere every step has a gradient of its own from above."""
    if call.layer.return_sequences or not all(dy is not None for dy in call.dy[:1]):
        return
    norms = gradient_through_time(derivation)
    if len(norms) < FEWEST_STEPS:
        return
    first, last = (max(norms), min(norms)) if call.layer.go_backwards else (min(norms), max(norms))
    if not norms[last] or not np.isfinite([norms[first], norms[last]]).all():
        return
    ratio, steps = norms[first] / norms[last], abs(last - first)
    factor = ratio ** (1 / steps)
    seen = (
        f"‖(dh, dc)‖ is {norms[last]:.1e} at t = {last} and {norms[first]:.1e} at t = {first}: "
        f"a factor of {factor:.2g} from each step to the one before."
    )
    figures = {"ratio": ratio, "factor": factor, "steps": steps}
    if factor < SMALLEST_FACTOR:
        yield Diagnosis(
            "gradients vanish through time",
            "fault",
            call.path,
            seen,
            "Use an LSTM with a forget bias of 1 or more, an orthogonal U, shorter sequences, or attention.",
            figures,
        )
    elif factor > LARGEST_FACTOR and ratio > LARGEST_RATIO:
        yield Diagnosis(
            "gradients explode through time",
            "fault",
            call.path,
            seen,
            "Use an orthogonal U and tanh, and clip: optimizer with clipnorm=1.0.",
            figures,
        )
