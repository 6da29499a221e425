"""Layer by Layer: deep learning you can step through.

``import toolkit`` is light: its parts are loaded when they are first used (PEP 562), so nothing
imports TensorFlow before a Keras model is really needed. It does prepare that import: TensorFlow's log
lines on standard error are kept back (``toolkit.quiet``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports
from toolkit.quiet import silence_tensorflow

if TYPE_CHECKING:
    from toolkit import bridge, classroom, data, images, lessons, models, plots, scratch, text, training, xray

silence_tensorflow()

__version__ = "0.1.0"
__all__ = ["bridge", "classroom", "data", "images", "lessons", "models", "plots", "scratch", "text", "training", "xray"]

__getattr__, __dir__ = lazy_exports(__name__, dict.fromkeys(__all__), __all__)
