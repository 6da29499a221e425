"""Units that have stopped to answer: dead ReLUs, saturated sigmoids and tanh."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.diagnoses._normalisation import FRESH, has_fresh_averages
from toolkit.xray.diagnoses._records import Diagnosis, Unjudged

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# Below that a healthy unit may well be 0 for all: on 8 independent samples it is in 1 of 256 cases.
FEWEST_SAMPLES = 8
# Pixels and other inputs that are all positive leave a quarter of a fresh layer's units at 0 for a whole batch, a
# trained layer a third (sparse is what it is meant to be). More than a half is neither.
DEAD_SHARE = 0.5
# The share is noisy where layers are small: of 4 fresh units 3 are at 0 in one case of twenty. A whole layer counts.
FEWEST_UNITS = 8
# Saturated: the slope is below 5 % of the activation's steepest (1 for tanh, 1/4 for the sigmoid). A fresh layer on
# scaled inputs has z of a standard deviation of about 1, which saturates 3 % of tanh units and hardly any sigmoid.
SATURATED_SLOPE = 0.05
SATURATED_SHARE = 0.5

SLOPES = {"tanh": lambda a: 1 - a * a, "sigmoid": lambda a: 4 * a * (1 - a)}
_RELUS = ("relu", "relu6")


def activation_of(call: LayerCall) -> str:
    """The name of the activation that a call ends in, ``"relu"``; empty where its output is none's."""
    if call.parts or (isinstance(call.layer, keras.layers.RNN) and call.kind != "SimpleRNN"):
        return ""  # the output of an LSTM is a product
    activation = getattr(call.layer, "activation", None)
    if activation is None:
        plain = not getattr(call.layer, "negative_slope", 0)
        return call.kind.lower() if plain and call.kind.lower() in (*_RELUS, *SLOPES, "softmax") else ""
    return getattr(activation, "__name__", type(activation).__name__).lower()


def dead_relus(trace: Trace) -> Iterator[Diagnosis | Unjudged]:
    """Units that are 0 for the whole batch, at every position: no gradient goes through them."""
    calls = [call for call in trace.calls if activation_of(call) in _RELUS and call.outputs[0].ndim > 1]
    if calls and trace.samples < FEWEST_SAMPLES:
        yield Unjudged("dead ReLUs", f"{trace.samples} of the {FEWEST_SAMPLES} samples that this takes")
        return
    if calls and has_fresh_averages(trace):
        yield Unjudged("dead ReLUs", FRESH)
        return
    for call in calls:
        y = call.outputs[0]
        axis = 1 if getattr(call.layer, "data_format", None) == "channels_first" else y.ndim - 1
        dead = ~np.any(y != 0, axis=tuple(k for k in range(y.ndim) if k != axis))
        count, units = int(dead.sum()), dead.size
        if count == units or (units >= FEWEST_UNITS and count > DEAD_SHARE * units):
            yield Diagnosis(
                "dead ReLUs",
                "fault" if count == units else "warning",
                call.path,
                f"{count} of {units} units are 0 for all {trace.samples} samples; no gradient passes them.",
                "Use a smaller learning rate, He initialisation, biases that start at 0, or LeakyReLU.",
                {"dead": count, "units": units},
            )


def saturated(trace: Trace) -> Iterator[Diagnosis]:
    """Sigmoids and tanh so far out that next to no gradient comes back.

    The output of the model is left out: there 0 and 1 are what a sigmoid should learn to say.
    """
    answers = {id(y) for call in trace.capture.calls[-1:] for y in call.outputs}
    for call in trace.calls:
        name = activation_of(call)
        if name not in SLOPES or any(id(y) in answers for y in call.outputs):
            continue
        y = call.outputs[0].astype("float64")
        share = float(np.mean(SLOPES[name](y) < SATURATED_SLOPE))
        if share > SATURATED_SHARE:
            yield Diagnosis(
                f"saturated {name}",
                "warning" if share < 0.9 else "fault",
                call.path,
                f"{share:.0%} of its outputs lie where the slope is below {SATURATED_SLOPE:.0%} of the steepest.",
                "Scale the inputs, start with smaller weights (Glorot), or put a normalisation before it.",
                {"share": share},
            )
