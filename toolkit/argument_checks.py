"""What counts as an integer, a number and a share wherever an argument is checked."""

from __future__ import annotations

import numpy as np

from toolkit.errors import InvalidValueError


def is_integer(value: object) -> bool:
    """Whether ``value`` is a single integer, Python's or NumPy's; True, which Python counts as 1, is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether ``value`` is a single real number, Python's or NumPy's; NaN is one, True is none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_share(where: str, name: str, value: float) -> None:
    """Raises InvalidValueError unless ``value`` is a number in [0, 1)."""
    if not is_number(value) or not 0 <= value < 1:
        raise InvalidValueError(where, f"{name} in [0, 1)", repr(value))
