"""Training Keras models: fast, resumable, and with an answer when something goes wrong.

``fit`` trains any compiled model as ``model.fit`` does, in less time and with the same result. It stops early, keeps
the best weights, survives ``kill -9`` and names the layer in which a loss became NaN.

``linear_probe`` measures what frozen features are worth.
"""

from toolkit.training._data import epoch_order
from toolkit.training._fit import fit
from toolkit.training._history import History
from toolkit.training._linear_probe import ProbeResult, linear_probe
from toolkit.training._threads import set_threads

__all__ = ["History", "ProbeResult", "epoch_order", "fit", "linear_probe", "set_threads"]
