"""Layer by Layer: deep learning you can step through.

``import toolkit`` is light: its parts are loaded when they are first used (PEP 562), so nothing
imports TensorFlow before a Keras model is really needed. It does prepare that import: TensorFlow's log
lines on standard error are kept back (``toolkit.quiet``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from toolkit.quiet import silence_tensorflow

if TYPE_CHECKING:
    from toolkit import bridge, classroom, data, images, lessons, models, plots, scratch, text, training, xray

silence_tensorflow()

__version__ = "0.1.0"
__all__ = ["bridge", "classroom", "data", "images", "lessons", "models", "plots", "scratch", "text", "training", "xray"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"toolkit.{name}")
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
