"""Shapes of single samples: the batch axis is left out, None stands for an axis of any length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# None along an axis of any length, such as the time steps of a sentence.
Shape = tuple[int | None, ...]


def to_shape(shape: Sequence[Any]) -> Shape | tuple[Shape, ...]:
    """Returns a sample's shape, or a tuple of several, with plain integers."""
    return tuple(to_shape(n) if isinstance(n, list | tuple) else n if n is None else int(n) for n in shape)


def are_several(shape: Shape | tuple[Shape, ...]) -> bool:
    """Whether ``shape`` is a tuple of shapes, that of a layer with several inputs or outputs."""
    return bool(shape) and isinstance(shape[0], list | tuple)


def fits(shape: Shape | tuple[Shape, ...], expected: Shape | tuple[Shape, ...]) -> bool:
    """Whether ``shape`` is ``expected``, where None in ``expected`` stands for any length."""
    if are_several(shape) and are_several(expected):
        return len(shape) == len(expected) and all(map(fits, shape, expected))
    return len(shape) == len(expected) and all(m in (n, None) for n, m in zip(shape, expected))


def joint(a: Shape | tuple[Shape, ...], b: Shape | tuple[Shape, ...]) -> Shape | tuple[Shape, ...]:
    """The narrowest shape that both fit: None along each axis in which they differ; ``a`` where there is none."""
    if are_several(a) and are_several(b) and len(a) == len(b):
        return tuple(map(joint, a, b))
    return tuple(n if n == m else None for n, m in zip(a, b)) if len(a) == len(b) else a


def batch(shape: Shape | tuple[Shape, ...] | None) -> str:
    """Writes a sample's shape with its batch axis: ``(784,)`` becomes ``(N, 784)``."""
    if shape is None:
        return "(N, …)"
    if are_several(shape):
        return ", ".join(map(batch, shape))
    return f"({', '.join(['N', *map(str, shape)])})"


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it in names of layers: ``MaxPooling2D`` becomes ``max_pooling2d``."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower()
