"""Gradients: that are none, that vanish or explode on their way down, numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toolkit.xray.diagnoses._normalisation import FRESH, has_fresh_averages, normalised_after
from toolkit.xray.diagnoses._records import Diagnosis, Unjudged

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# ‖dW‖ / ‖W‖ of the layers nearest to the input over that of the layers nearest to the loss. Healthy networks with up
# to a hundred layers stay within a factor of 100 (initialisation, residuals and normalisation are there for it); ten
# layers of sigmoids lose a factor of 10^6.
DEPTH_RATIO = 1e3
FEWEST_LAYERS = 3
# A gradient that much larger than its weight: a step with a learning rate of 0.01 leaves nothing of the weight.
LARGEST_SHARE = 100.0


class _Layer(NamedTuple):
    path: str
    ratio: float  # ‖dW‖ / ‖W‖ over all its weight matrices


def by_depth(trace: Trace) -> list[_Layer]:
    """Of each layer with weight matrices, in the order of the forward pass, the gradient relative to the weights.

    Embeddings are left out, whose gradient is for the rows of this batch alone; so are gradients that are 0.
    """
    layers: dict[str, _Layer] = {}
    for call in trace.calls:
        keys = [key for key in call.gradients if call.weights[key].ndim > 1]
        if not keys or call.kind == "Embedding" or call.path in layers:
            continue
        weight = np.sqrt(sum(np.square(call.weights[key].astype("float64")).sum() for key in keys))
        gradient = np.sqrt(sum(np.square(call.gradients[key].astype("float64")).sum() for key in keys))
        if weight > 0 and gradient > 0 and np.isfinite(gradient):
            layers[call.path] = _Layer(call.path, float(gradient / weight))
    return list(layers.values())


def vanishing_or_exploding(trace: Trace) -> Iterator[Diagnosis | Unjudged]:
    """The gradient's size along the depth: the median of the lowest third of the layers over that of the highest."""
    if has_fresh_averages(trace):
        yield Unjudged("vanishing or exploding gradients", FRESH)
        return
    layers = by_depth(trace)
    third = max(1, len(layers) // 3)
    if len(layers) >= FEWEST_LAYERS:
        low, high = (float(np.median([each.ratio for each in part])) for part in (layers[:third], layers[-third:]))
        ratio = low / high
        figures = {"ratio": ratio, "first": low, "last": high, "layers": len(layers)}
        seen = (
            f"‖dW‖/‖W‖ is {low:.1e} in the {'first layer' if third == 1 else f'first {third} layers'} and {high:.1e} "
            f"in the last: a factor of {ratio:.1e} over {len(layers)} layers."
        )
        if ratio < 1 / DEPTH_RATIO:
            yield Diagnosis(
                "vanishing gradients",
                "fault",
                layers[0].path,
                seen,
                "Use ReLU with He initialisation, residual connections, or normalisation layers.",
                figures,
            )
        elif ratio > DEPTH_RATIO:
            yield Diagnosis(
                "exploding gradients",
                "fault",
                layers[0].path,
                seen,
                "Start with smaller weights (Glorot, He), normalise, or clip: optimizer with clipnorm=1.0.",
                figures,
            )
            return
    # Weights before a batch normalisation grow with each step and their gradient shrinks: it mends itself (Arora 2019).
    exempt = normalised_after(trace)
    worst = max((each for each in layers if each.path not in exempt), key=lambda each: each.ratio, default=None)
    if worst is not None and worst.ratio > LARGEST_SHARE:
        yield Diagnosis(
            "exploding gradients",
            "warning",
            worst.path,
            f"‖dW‖ is {worst.ratio:.3g} times ‖W‖: one step with a learning rate of 0.01 would replace the weights.",
            "Scale the inputs and the targets, start with smaller weights, or clip: optimizer with clipnorm=1.0.",
            {"ratio": worst.ratio},
        )


def without_gradient(trace: Trace) -> Iterator[Diagnosis]:
    """Weights that the loss does not depend on, and layers all of whose gradients are exactly 0."""
    weights = trace.capture.weights
    loose = [w.name for w in weights if w.gradient is None]
    if not weights:
        frozen = sum(len(call.weights) for call in trace.calls)
        if frozen:
            yield Diagnosis(
                "nothing to train", "warning", trace.name, f"All {frozen} weights are frozen.", "Set trainable = True."
            )
    elif loose:
        yield Diagnosis(
            "no gradient",
            "fault",
            _some(loose),
            f"The loss does not depend on {len(loose)} of {len(weights)} trainable weights.",
            "Join the layer to the output, remove argmax, round or stop_gradient on the way, or set trainable = False.",
            {"weights": len(loose)},
        )
    still: dict[str, None] = {}
    for call in trace.calls:
        # One weight may well have none: U of a recurrent layer with a single time step, the bias of attention's keys.
        if call.gradients and not any(np.any(g) for g in call.gradients.values()):
            still[call.path] = None
    # A residual branch that begins with γ = 0 has no gradient in the first step, by design (Goyal et al. 2017).
    designed = any(not np.any(v) for call in trace.calls for key, v in call.weights.items() if key.endswith("gamma"))
    if still and not designed:
        yield Diagnosis(
            "zero gradient",
            "fault",
            _some(list(still)),
            f"Every gradient of {len(still)} layer{'s' if len(still) > 1 else ''} is exactly 0.",
            "Look at what comes after: dead ReLUs, weights that are all 0, an output that is constant.",
            {"layers": len(still)},
        )


def not_finite(trace: Trace) -> Iterator[Diagnosis]:
    """The first layer that gives NaN or infinity, and the weights whose gradients do."""
    for call in trace.calls:
        bad = sum(int(np.size(y) - np.isfinite(y).sum()) for y in call.outputs if y.dtype.kind == "f")
        if bad:
            yield Diagnosis(
                "not finite",
                "fault",
                call.path,
                f"{bad} numbers of its output are NaN or infinite; it is the first such layer.",
                "Look at its weights and inputs; a learning rate that is too large, log(0), 0/0, exp of large numbers.",
                {"entries": bad},
            )
            return
    names = [w.name for w in trace.capture.weights if w.gradient is not None and not np.isfinite(w.gradient).all()]
    if names:
        yield Diagnosis(
            "not finite",
            "fault",
            _some(names),
            f"The gradients of {len(names)} weights are NaN or infinite, the outputs are not.",
            "Look at square roots and divisions at 0, and at the loss.",
            {"weights": len(names)},
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
