"""Training Keras models: fast, resumable, and with an answer when something goes wrong.

``fit`` trains any compiled model as ``model.fit`` does, in less time and with the same result. It stops early, keeps
the best weights, survives ``kill -9`` and names the layer in which a loss became NaN.

``linear_probe`` measures what frozen features are worth. ``layerwise`` learns in stages instead of all at once, and
compares the two; ``unlabelled`` learns features, and generators, without labels. Both are loaded when they are first
used (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports
from toolkit.training._data import epoch_order
from toolkit.training._fit import fit
from toolkit.training._history import History
from toolkit.training._linear_probe import ProbeResult, linear_probe
from toolkit.training._threads import set_threads

if TYPE_CHECKING:
    from toolkit.training import layerwise, unlabelled

__all__ = ["History", "ProbeResult", "epoch_order", "fit", "layerwise", "linear_probe", "set_threads", "unlabelled"]

__getattr__, __dir__ = lazy_exports(__name__, {"layerwise": None, "unlabelled": None}, __all__)
