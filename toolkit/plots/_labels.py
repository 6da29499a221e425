"""The classes of samples, as pictures take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError


def as_labels(y: ArrayLike, name: str, where: str) -> np.ndarray:
    """Returns ``y`` as integers or strings; raises InvalidValueError for any other numbers."""
    y = np.asarray(y)
    if y.dtype.kind in "OUST":
        return y.astype(str)
    if y.dtype.kind not in "iub":
        remedy = "If they are whole numbers: y.astype(int)."
        raise InvalidValueError(where, f"{name} as integers or strings", f"{y.dtype}", remedy)
    return y


def check_same_kind(a: np.ndarray, b: np.ndarray, names: str, where: str) -> None:
    """Raises InvalidValueError if one holds strings and the other numbers."""
    if (a.dtype.kind == "U") != (b.dtype.kind == "U"):
        raise InvalidValueError(where, f"{names} of one kind, integers or strings", f"{a.dtype} and {b.dtype}")
