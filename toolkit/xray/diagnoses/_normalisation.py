"""What batch normalisation changes about a diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

FRESH = "batch normalisation still has the averages it began with, 0 and 1; trace with training=True"


def normalised_after(trace: Trace) -> set[str]:
    """The layers that batch normalisation comes right after: the scale of their inputs and weights does not matter."""
    seen = trace.capture
    numbers = {
        n for call, sources in zip(seen.calls, seen.sources) if call.kind == "BatchNormalization" for n in sources
    }
    return {seen.calls[n].path for n in numbers if n >= 0}


def has_fresh_averages(trace: Trace) -> bool:
    """Whether a batch normalisation normalises nothing yet: in deep networks the signal then dies out or bursts."""
    return any(
        call.kind == "BatchNormalization"
        and not (call.training and call.layer.trainable)
        and not np.any(call.weights["moving_mean"])
        and bool(np.all(call.weights["moving_variance"] == 1))
        for call in trace.calls
    )
