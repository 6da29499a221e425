"""What a practitioner looks for in one training step; each diagnosis with its evidence and a remedy.

Every threshold stands at the top of its module, with the reason for it. They are set so that healthy models are left
alone, at initialisation and later: what fires is worth a look. Labels outside the classes, of the wrong kind or shape,
and inputs with NaN never come this far: ``trace`` refuses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.xray.diagnoses._activations import dead_relus, saturated
from toolkit.xray.diagnoses._gradients import not_finite, vanishing_or_exploding, without_gradient
from toolkit.xray.diagnoses._inputs import unscaled, unused_rows
from toolkit.xray.diagnoses._outputs import at_chance, mixed_up
from toolkit.xray.diagnoses._records import Diagnoses, Diagnosis, Unjudged
from toolkit.xray.diagnoses._recurrent import gates_and_time

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

__all__ = ["Diagnoses", "Diagnosis", "Unjudged", "diagnose"]

_OF_FORWARD = (not_finite, unscaled, unused_rows, dead_relus, saturated, gates_and_time)
_OF_LOSS = (mixed_up, at_chance, without_gradient, vanishing_or_exploding)


def diagnose(trace: Trace) -> Diagnoses:
    """All that looks wrong in a trace; without labels, what the forward pass can tell."""
    checks = _OF_FORWARD if trace.loss is None else (*_OF_FORWARD, *_OF_LOSS)
    records = [record for check in checks for record in check(trace)]
    unjudged = [record for record in records if isinstance(record, Unjudged)]
    if trace.loss is None:
        unjudged.append(Unjudged("loss and gradients", "the trace has no labels"))
    return Diagnoses([record for record in records if isinstance(record, Diagnosis)], unjudged)
