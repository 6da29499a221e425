"""The pictures that lessons share.

Each function draws into the Axes it is given, or into a new figure, and returns the Axes, so anything more is plain
Matplotlib. No picture needs colour to be understood: curves differ by line style and marker, too, points by marker,
cells carry their numbers, and where only brightness is left, it is brightness and not hue that counts.
"""

from toolkit.plots._attention import attention, attention_text
from toolkit.plots._confusion_matrix import confusion_matrix
from toolkit.plots._convolution import feature_maps, filters
from toolkit.plots._curves import curves
from toolkit.plots._decision_regions import decision_regions
from toolkit.plots._embedding import embedding
from toolkit.plots._gates import gates
from toolkit.plots._history import history
from toolkit.plots._images import images
from toolkit.plots._matrix import matrix
from toolkit.plots._network import network
from toolkit.plots._sample_grid import sample_grid

__all__ = [
    "attention",
    "attention_text",
    "confusion_matrix",
    "curves",
    "decision_regions",
    "embedding",
    "feature_maps",
    "filters",
    "gates",
    "history",
    "images",
    "matrix",
    "network",
    "sample_grid",
]
