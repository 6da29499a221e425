"""What may be given as texts: the checks that name the one at fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError


def check_texts(texts: Iterable[str], where: str) -> Iterator[str]:
    """The texts one by one, each checked as it comes; a generator may be given, and is read once.

    Raises:
        InvalidValueError: if ``texts`` is one text, is not iterable or has no order, or if one of them is no ``str``:
            bytes, a missing value, a number. The error names its position.
        ShapeError: if ``texts`` is an array or a table without exactly one axis.
    """
    kind = type(texts).__name__
    if isinstance(texts, str):
        raise InvalidValueError(where, "a list of texts", "one str", "For a single text, pass [text].")
    if isinstance(texts, bytes | bytearray | memoryview):
        raise InvalidValueError(where, "a list of texts", kind, "Decode it, and pass [text].")
    if isinstance(texts, Mapping | Set):
        raise InvalidValueError(
            where, "a list of texts", f"a {kind}", "Its values have no fixed place: make a list of them."
        )
    if getattr(texts, "ndim", 1) != 1:
        raise ShapeError(
            where,
            "texts of shape (N,)",
            f"a {kind} of shape {tuple(texts.shape)}",
            "Pass one column: frame['text'] or array[:, 0].",
        )
    try:
        items = iter(texts)
    except TypeError as error:
        raise InvalidValueError(where, "a list of texts", kind) from error
    return (check_text(text, where, f" at index {index}") for index, text in enumerate(items))


def check_text(text: str, where: str, place: str = "") -> str:
    """Returns ``text`` as a plain ``str``.

    Raises:
        InvalidValueError: if it is none.
    """
    if isinstance(text, str):
        return str.__str__(text)  # str() of a member of an enumeration is its name
    if isinstance(text, bytes | bytearray | memoryview):
        raise InvalidValueError(
            where,
            "texts of type str",
            f"{type(text).__name__}{place}",
            "Decode them with the encoding that they were written in: data.decode('utf-8').",
        )
    if _is_missing(text):
        raise InvalidValueError(
            where,
            "a text in every place",
            f"a missing value, {text!r},{place}".removesuffix(","),
            "Drop it together with its label, or fill it: series.fillna('').",
        )
    raise InvalidValueError(where, "texts of type str", f"{type(text).__name__}{place}", "Is this the right column?")


def _is_missing(value: Any) -> bool:
    # NaN differs from itself; pandas's NA and NaT are known by their names, without importing pandas.
    is_nan = isinstance(value, float | np.floating) and value != value
    return value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}
