"""Steps through one training step of any Keras model: formulas, shapes, the actual numbers, and the proof of them.

    t = xray.trace(model, x, y, loss="mse", optimizer="adam")
    t.steps       forward through every layer, the loss, backward, the update; layers open into their sub-steps
    t.verify()    every number against TensorFlow and Keras
    t.update()    the optimiser's step
    t.diagnose()  what a practitioner would look for: dead ReLUs, vanishing gradients, logits in the wrong loss, …
    t.widget()    play, step and scrub in Jupyter; t.to_html("page.html") does it in one file; print(t) is a table

Any Keras model can be traced: Sequential, functional, subclassed, nested, loaded from a file, of scratch.
"""

from toolkit.xray._calls import LayerCall
from toolkit.xray._records import Statistics, Step, Tensor
from toolkit.xray._trace import Trace, node_id, trace
from toolkit.xray._update import Update, WeightUpdate
from toolkit.xray._verify import Check, Verification
from toolkit.xray.diagnoses import Diagnoses, Diagnosis, Unjudged

__all__ = [
    "Check",
    "Diagnoses",
    "Diagnosis",
    "LayerCall",
    "Statistics",
    "Step",
    "Tensor",
    "Trace",
    "Unjudged",
    "Update",
    "Verification",
    "WeightUpdate",
    "node_id",
    "trace",
]
