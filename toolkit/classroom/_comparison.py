"""Compares an answer with the right one and, where they differ, finds words for the difference.

The right answer decides what is compared: a string, a truth value, numbers of any shape, or a tuple,
list or dict of these. The words never tell the right value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from toolkit.argument_checks import is_number


def agree(expected: Any, answer: Any, rtol: float, atol: float) -> bool:
    """Return whether ``answer`` is ``expected``, for numbers within the tolerances."""
    return next(_differences(expected, answer, rtol, atol), None) is None


def explain(expected: Any, answer: Any, rtol: float, atol: float) -> str:
    """Return in words how ``answer`` differs from ``expected``, from which it must differ."""
    return next(_differences(expected, answer, rtol, atol))


def _differences(expected: Any, answer: Any, rtol: float, atol: float) -> Iterator[str]:
    if isinstance(expected, Mapping):
        yield from _in_mapping(expected, answer, rtol, atol)
    elif isinstance(expected, tuple | list) and not _is_numeric(expected):
        yield from _in_sequence(expected, answer, rtol, atol)
    elif isinstance(expected, str):
        yield from _in_text(expected, answer)
    else:
        yield from _in_numbers(np.asarray(expected), answer, rtol, atol)


def _is_numeric(values: tuple | list) -> bool:
    """Whether a tuple or list is one vector of plain numbers, and not several results."""
    return all(is_number(value) for value in values)


def _in_mapping(expected: Mapping, answer: Any, rtol: float, atol: float) -> Iterator[str]:
    if not isinstance(answer, Mapping):
        yield f"A dict is expected, and this is {_kind(answer)}."
        return
    if missing := [repr(key) for key in expected if key not in answer]:
        yield f"The dict has no {', '.join(missing)}."
    if extra := [repr(key) for key in answer if key not in expected]:
        yield f"The dict has {', '.join(extra)}, which is not asked for."
    for key in expected:
        if key in answer:
            for difference in _differences(expected[key], answer[key], rtol, atol):
                yield f"{key!r}: {difference}"


def _in_sequence(expected: tuple | list, answer: Any, rtol: float, atol: float) -> Iterator[str]:
    if not isinstance(answer, tuple | list | np.ndarray):
        yield f"{len(expected)} results are expected, and this is {_kind(answer)}."
        return
    if len(answer) != len(expected):
        yield f"{len(expected)} results are expected, received {len(answer)}."
        return
    for position, (true, given) in enumerate(zip(expected, answer), start=1):
        for difference in _differences(true, given, rtol, atol):
            yield f"Result {position}: {difference}"


def _in_text(expected: str, answer: Any) -> Iterator[str]:
    if not isinstance(answer, str):
        yield f"A text is expected, and this is {_kind(answer)}."
    elif answer != expected:
        if answer.strip().casefold() == expected.strip().casefold():
            yield "Right but for capital letters or blanks around it."
        else:
            yield f"{_short(repr(answer))} is not it."


def _in_numbers(expected: np.ndarray, answer: Any, rtol: float, atol: float) -> Iterator[str]:
    given = _as_numbers(answer)
    if given is None:
        yield f"{_wanted(expected)} is expected, and this is {_kind(answer)}."
    elif (expected.dtype == bool) != (given.dtype == bool):
        yield f"{_wanted(expected)} is expected, and this is {_kind(answer)}" + (
            f" of {given.dtype}." if given.ndim else "."
        )
    elif given.shape != expected.shape:
        yield _about_shape(expected, given, rtol, atol)
    elif not _close(expected, given, rtol, atol):
        yield _about_values(expected, given, rtol, atol)


def _as_numbers(answer: Any) -> np.ndarray | None:
    """The answer as an array of numbers or truth values; ``None`` if it is not made of such."""
    if isinstance(answer, str | bytes | Mapping | set):
        return None
    try:
        array = np.asarray(answer)
    except (ValueError, TypeError):  # rows of different lengths, or a foreign object
        return None
    return array if array.dtype == bool or np.issubdtype(array.dtype, np.number) else None


def _close(expected: np.ndarray, given: np.ndarray, rtol: float, atol: float) -> bool:
    if expected.shape != given.shape:
        return False
    return bool(np.allclose(given, expected, rtol=rtol, atol=atol, equal_nan=True))


def _about_shape(expected: np.ndarray, given: np.ndarray, rtol: float, atol: float) -> str:
    if expected.ndim == 0:
        return f"A single number is expected, received an array of shape {given.shape}."
    shapes = f"Expected shape {expected.shape}, received {given.shape}."
    if _close(expected, given.T, rtol, atol):
        return f"{shapes} The numbers are right, but transposed."
    if given.size == expected.size and _close(expected.ravel(), given.ravel(), rtol, atol):
        return f"{shapes} The numbers are right, only the shape is not."
    return shapes


def _about_values(expected: np.ndarray, given: np.ndarray, rtol: float, atol: float) -> str:
    if expected.dtype == bool:
        wrong = int(np.sum(expected != given))
        return f"{wrong} of {expected.size} truth values are wrong." if expected.size > 1 else "It is not so."
    unusable = ~np.isfinite(given) & np.isfinite(expected)
    if unusable.any():
        return (
            f"Your {_at(unusable.argmax(), given)} is {_number(given.ravel()[unusable.argmax()])}, which comes "
            "from 0/0, log(0) or an overflow such as exp(1000)."
        )
    if _close(expected, -given, rtol, atol):
        return "The size is right, the sign is not: everything is negated."
    if given.ndim > 1 and _close(expected, np.swapaxes(given, -1, -2), rtol, atol):
        return "The numbers are right, but transposed."
    return _about_factor(expected, given, rtol, atol) or _about_distance(expected, given, rtol, atol)


def _about_factor(expected: np.ndarray, given: np.ndarray, rtol: float, atol: float) -> str | None:
    """Words for an answer that is a constant multiple of the right one, ``None`` if it is not.

    A single number is a multiple of any other, so there only 2 and ½ count: they are what a forgotten
    or a doubled ½ makes, and a larger one would give the answer away.
    """
    largest = np.argmax(np.abs(expected))
    true, received = expected.ravel()[largest], given.ravel()[largest]
    if not true or not received or not np.isfinite(true):
        return None
    factor = received / true
    if not _close(expected * factor, given, rtol, atol):
        return None
    whole = factor if abs(factor) > 1 else 1 / factor
    if not np.isclose(whole, np.round(whole), rtol=max(rtol, 1e-3), atol=0):
        return "All numbers are off by the same factor." if expected.size > 1 else None
    times = int(np.round(whole))
    if expected.size == 1 and abs(times) != 2:
        return None
    direction = "large" if abs(factor) > 1 else "small"
    sign = ", and negated" if times < 0 else ""
    everything = "It is" if expected.size == 1 else "All numbers are"
    if abs(times) == 2:
        reason = "Is a factor 2 or ½ missing, or there twice?"
    else:
        reason = "Is it a sum where a mean is asked for, or the other way round?"
    return f"{everything} {abs(times)} times too {direction}{sign}. {reason}"


def _about_distance(expected: np.ndarray, given: np.ndarray, rtol: float, atol: float) -> str:
    difference = np.abs(given.astype(complex) - expected)
    worst = int(np.nanargmax(difference)) if np.isfinite(difference).any() else 0
    yours = _number(given.ravel()[worst])
    if expected.size == 1:
        return f"{yours} is not it."
    right = int(np.sum(np.isclose(given, expected, rtol=rtol, atol=atol, equal_nan=True)))
    return f"{right} of {expected.size} numbers are right. Farthest off: your {_at(worst, given)}, {yours}."


def _at(flat_index: int, array: np.ndarray) -> str:
    if array.size == 1:
        return "answer"
    index = np.unravel_index(flat_index, array.shape)
    return f"number at [{', '.join(str(int(position)) for position in index)}]"


def _number(value: Any) -> str:
    return f"{value:.5g}"


def _wanted(expected: np.ndarray) -> str:
    if expected.dtype == bool:
        return "True or False" if expected.ndim == 0 else "An array of truth values"
    return "A number" if expected.ndim == 0 else f"An array of numbers of shape {expected.shape}"


def _kind(answer: Any) -> str:
    name = type(answer).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
