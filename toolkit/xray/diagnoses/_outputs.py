"""Where the output meets the loss: probabilities and logits mixed up, a loss at chance level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray._loss_formulas import is_sparse
from toolkit.xray._losses import LossTerm
from toolkit.xray.diagnoses._activations import activation_of
from toolkit.xray.diagnoses._normalisation import FRESH, has_fresh_averages
from toolkit.xray.diagnoses._records import Diagnosis, Unjudged

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# Rows of probabilities sum to 1; float16 sums of some thousand classes do so to within a hundredth.
SUM_TOLERANCE = 0.01
# Predictions that differ by less from sample to sample do not depend on the sample; two short texts in a fresh LSTM of
# 3 units, which differ least of all healthy models, do by ten times as much.
SAME_PREDICTION = 2e-5
# After so many steps a model that learns is below chance by more than 2 %; before, ln C is where it has to begin.
FEWEST_STEPS = 100
CHANCE_SHARE = 0.98

_SOFTMAX = (keras.losses.categorical_crossentropy, keras.losses.sparse_categorical_crossentropy)
_ENTROPIES = (*_SOFTMAX, keras.losses.binary_crossentropy)


def mixed_up(trace: Trace) -> Iterator[Diagnosis]:
    """Softmax or sigmoid before a loss from logits; logits before a loss that expects probabilities."""
    for term in trace.capture.terms:
        fn = getattr(term.loss, "fn", None)
        if fn not in _ENTROPIES:
            continue
        p = term.y_pred.astype("float64")
        ending = activation_of(call) if (call := _maker(trace, term)) else ""
        where = call.path if call else term.name
        if fn in _SOFTMAX and p.shape[-1] == 1:
            yield Diagnosis(
                "softmax over one unit",
                "fault",
                where,
                "The output has one unit; softmax makes it 1 for every sample, and its gradient 0.",
                "For yes or no use one sigmoid unit with binary_crossentropy; for C classes, C units.",
            )
        elif getattr(term.loss, "_fn_kwargs", {}).get("from_logits"):
            if ending in ("softmax", "sigmoid") or (fn in _SOFTMAX and _are_probabilities(p)):
                yield _probabilities(term, where, ending or "softmax")
        elif fn in _SOFTMAX and ending == "sigmoid":
            yield Diagnosis(
                "sigmoid in a loss over classes",
                "warning",
                where,
                f"{_kind(term)} is about probabilities of one sample that sum to 1; sigmoids sum to "
                f"{p.sum(axis=-1).min():.3g} … {p.sum(axis=-1).max():.3g}.",
                "End the model in softmax; where several classes may be true at once, use binary_crossentropy.",
            )
        elif term.logits is None and (problem := _no_probabilities(p, fn in _SOFTMAX, ending)):
            softmax = "softmax" if fn in _SOFTMAX else "sigmoid"
            yield Diagnosis(
                "logits in a loss of probabilities",
                "fault",
                where,
                f"{_kind(term)} takes its inputs for probabilities, but {problem}.",
                f"Give the loss from_logits=True, or end the model in {softmax}.",
                {"min": float(p.min()), "max": float(p.max())},
            )


def at_chance(trace: Trace) -> Iterator[Diagnosis | Unjudged]:
    """A cross-entropy at ln C, where guessing is, that should be below by now.

    A fresh model begins there, so that alone is no fault. It is one if the predictions are the same for every sample,
    or if the model's optimiser has taken a hundred steps.
    """
    optimizer = getattr(trace.capture.model, "optimizer", None)
    steps = int(optimizer.iterations) if optimizer is not None else 0
    for term in trace.capture.terms:
        if getattr(term.loss, "fn", None) not in _ENTROPIES or getattr(term.loss, "reduction", None) == "sum":
            continue
        classes = max(term.y_pred.shape[-1], 2) if term.loss.fn in _SOFTMAX else 2
        if term.loss.fn in _SOFTMAX and term.y_pred.shape[-1] == 1:
            continue
        if trace.samples < 2:
            yield Unjudged("loss at chance level", "one sample cannot tell whether predictions depend on the sample")
            return
        if has_fresh_averages(trace):
            yield Unjudged("loss at chance level", FRESH)
            return
        level, loss = float(np.log(classes)), float(term.value)
        same, samples_differ = _same(term), any(np.any(x != x[:1]) for x in trace.capture.x)
        figures = {"loss": loss, "chance": level, "steps": steps}
        told = f"L = {loss:.4g}; guessing among {classes} classes gives ln {classes} = {level:.4g}"
        where = f"loss {term.name}" if len(trace.capture.terms) > 1 else "loss"
        if same and samples_differ and loss >= CHANCE_SHARE * min(level, _entropy(term)):
            yield Diagnosis(
                "loss at chance level",
                "fault",
                where,
                f"{told}. The predictions are the same for all {trace.samples} samples.",
                "Look for where the signal ends: dead ReLUs, weights that are all 0, saturation, inputs all alike.",
                figures,
            )
        elif steps >= FEWEST_STEPS and loss >= CHANCE_SHARE * level:
            yield Diagnosis(
                "loss at chance level",
                "warning",
                where,
                f"{told}. The optimiser has taken {steps:,} steps.",
                "Look at whether labels belong to their samples, at the learning rate, and at the other diagnoses.",
                figures,
            )


def _maker(trace: Trace, term: LossTerm) -> LayerCall | None:
    """The call that made this output, by its numbers."""
    for call in reversed(trace.calls):
        if not call.parts and any(
            y.shape == term.y_pred.shape and np.array_equal(y, term.y_pred) for y in call.outputs
        ):
            return call
    return None


def _are_probabilities(p: np.ndarray) -> bool:
    return bool((p >= 0).all() and (np.abs(p.sum(axis=-1) - 1) < SUM_TOLERANCE).all())


def _no_probabilities(p: np.ndarray, softmax: bool, ending: str) -> str:
    outside = int(np.sum((p < 0) | (p > 1 + SUM_TOLERANCE)))
    if outside:
        return f"{outside} of {p.size} lie outside [0, 1], from {p.min():.4g} to {p.max():.4g}"
    if softmax and not _are_probabilities(p):
        sums = p.sum(axis=-1)
        return f"those of one sample sum to {sums.min():.3g} … {sums.max():.3g} instead of 1"
    return "the output has no activation" if ending == "linear" and not softmax else ""


def _probabilities(term: LossTerm, where: str, ending: str) -> Diagnosis:
    rescued = term.logits is not None
    seen = f"{_kind(term)} has from_logits=True, but the output is what {ending} made of the logits. "
    seen += (
        "Keras finds the logits behind it and uses these, with TensorFlow alone."
        if rescued
        else f"The loss applies {ending} a second time, which flattens gradients and keeps L above "
        + (f"{_floor(term):.3g}." if ending == "softmax" else "0.313.")
    )
    return Diagnosis(
        f"{ending} in a loss from logits",
        "warning" if rescued else "fault",
        where,
        seen,
        f"Take from_logits=True from the loss, or {ending} from the last layer.",
    )


def _floor(term: LossTerm) -> float:
    """The least that softmax of a one-hot row can cost: ``ln(e + C − 1) − 1``."""
    return float(np.log(np.e + term.y_pred.shape[-1] - 1) - 1)


def _kind(term: LossTerm) -> str:
    return term.kind if term.kind != "LossFunctionWrapper" else term.loss.name


def _same(term: LossTerm) -> bool:
    z = term.y_pred.astype("float64")
    if getattr(term.loss, "_fn_kwargs", {}).get("from_logits"):
        z = z - z.max(axis=-1, keepdims=True) if z.shape[-1] > 1 else z
    return bool(np.isfinite(z).all() and np.ptp(z, axis=0).max() < SAME_PREDICTION)


def _entropy(term: LossTerm) -> float:
    """What the best constant prediction costs: the entropy of the labels in this batch."""
    if is_sparse(term.loss):
        _, counts = np.unique(term.y, return_counts=True)
        shares = counts / counts.sum()
    elif term.loss.fn in _SOFTMAX:
        shares = term.y.reshape(-1, term.y.shape[-1]).mean(axis=0)
    else:
        yes = term.y.reshape(len(term.y), -1).mean(axis=0, dtype="float64")
        both = np.clip(np.stack([yes, 1 - yes]), 1e-12, 1)
        return float(-(both * np.log(both)).sum(axis=0).mean())
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
