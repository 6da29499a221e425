"""The pictures that lessons share.

Each function draws into the Axes it is given, or into a new figure, and returns the Axes, so anything more is plain
Matplotlib. No picture needs colour to be understood: runs differ by line style and marker, too, cells and circles
carry their numbers, and negative weights are dashed.
"""

from toolkit.plots._curves import curves
from toolkit.plots._images import images
from toolkit.plots._matrix import matrix
from toolkit.plots._network import network

__all__ = ["curves", "images", "matrix", "network"]
