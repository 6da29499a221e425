"""Arguments that several functions take, refused by name."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError

LARGEST_SIDE = 16_384


def is_whole(value: object, least: int, largest: int | None = None) -> bool:
    """Whether it is an integer, and no bool, in the range."""
    return is_integer(value) and value >= least and (largest is None or value <= largest)


def check_whole(name: str, value: object, least: int, where: str) -> None:
    """Raise InvalidValueError unless it is a whole number from ``least``."""
    if not is_whole(value, least):
        raise InvalidValueError(where, f"{name} as a whole number from {least}", repr(value))


def check_choice(name: str, value: object, choices: Sequence[str | None], where: str) -> None:
    """Raise InvalidValueError unless it is one of the choices."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise InvalidValueError(where, f"{name} as one of {', '.join(map(repr, choices))}", repr(value))


def check_background(background: object, where: str) -> None:
    """Raise InvalidValueError unless it is one whole number in 0 to 255 or three of them."""
    levels = background if isinstance(background, list | tuple) else [background]
    if len(levels) not in (1, 3) or not all(is_whole(level, 0, 255) for level in levels):
        raise InvalidValueError(where, "background as a whole number in 0 to 255, or R, G, B", repr(background))


def check_size(size: object, where: str) -> None:
    """Raise InvalidValueError unless it is a height and a width."""
    pair = isinstance(size, list | tuple) and len(size) == 2
    if not pair or not all(is_whole(side, 1, LARGEST_SIDE) for side in size):
        expected = f"size=(height, width), whole numbers from 1 to {LARGEST_SIDE:,}"
        raise InvalidValueError(where, expected, f"size={size!r}")
