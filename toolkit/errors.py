"""The exceptions of the toolkit: each says where, what was expected, what came, and what to do.

Every exception is also one of Python's own (``ValueError``, ``RuntimeError``, …), so code that does
not know the toolkit can still catch it.
"""

from __future__ import annotations


class ToolkitError(Exception):
    """Base of all errors that the toolkit raises on purpose.

    Args:
        where: the thing that complains, e.g. ``"Dense 'hidden'"``.
        expected: what it expected, e.g. ``"x of shape (N, 784)"``.
        received: what came instead, e.g. ``"(32, 100)"``.
        remedy: what to do about it; optional, one sentence.
    """

    def __init__(self, where: str, expected: str, received: str, remedy: str = "") -> None:
        self.where = where
        self.expected = expected
        self.received = received
        self.remedy = remedy
        message = f"{where}: expected {expected}, received {received}."
        super().__init__(f"{message} {remedy}" if remedy else message)

    def __reduce__(self) -> tuple:
        # Exceptions cross process boundaries (parallel lessons, grading) by pickling their arguments.
        return type(self), (self.where, self.expected, self.received, self.remedy)


class ShapeError(ToolkitError, ValueError):
    """An array has the wrong number of axes or the wrong length along one of them."""


class InvalidValueError(ToolkitError, ValueError):
    """A value lies outside what the operation is defined for: NaN, a label out of range, a bad option."""


class CallOrderError(ToolkitError, RuntimeError):
    """A step was asked for before the step that it builds on, such as ``backward`` before ``forward``."""


class GradientMismatchError(ToolkitError, AssertionError):
    """A gradient differs from its finite difference by more than the tolerance."""


class UnsupportedError(ToolkitError, TypeError):
    """A layer, activation or option that one side of the bridge has and the other does not know."""


class DataError(ToolkitError, RuntimeError):
    """A data set cannot be had: unknown, not on this machine, damaged, or no room to store it."""


class LessonError(ToolkitError, RuntimeError):
    """A lesson cannot be found, read, built or executed."""
