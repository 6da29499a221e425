"""What a model takes, against what it would get."""

from __future__ import annotations

from typing import Any

from toolkit.errors import ShapeError

ImageShape = tuple[int | None, int | None, int]
_COLOURS = {1: "grey", 3: "rgb"}


def expected_shape(model: object) -> ImageShape:
    """(H, W, C) of the images that a model takes; None for a side of any length.

    Raises:
        ShapeError: the model is not built, has several inputs, or takes no images with 1 or 3 channels.
    """
    where = f"{type(model).__name__} {getattr(model, 'name', '')!r}"
    try:
        # A Keras model that is not built yet has no such attribute, or raises.
        shape = model if isinstance(model, tuple | list) else getattr(model, "input_shape", None)
    except ValueError:
        shape = None
    if shape is None:
        raise ShapeError(
            where, "a model that knows its input", "one that is not built", "Give it an Input layer or call build."
        )
    sides = tuple(shape)[1:] if len(shape) == 4 else tuple(shape)  # Keras counts the batch, scratch does not
    several = not all(side is None or isinstance(side, int) for side in sides)
    if several or len(sides) != 3:
        remedy = "Check its inputs one by one." if several else "Give it images, and a Flatten layer to begin with."
        raise ShapeError(where, "a model that takes images (N, H, W, C)", f"one that takes {shape}", remedy)
    if sides[2] not in _COLOURS:
        remedy = "Images have a channel axis, and it is the last one: (28, 28, 1)."
        raise ShapeError(where, "a model of images with 1 or 3 channels", f"one that takes {shape}", remedy)
    return sides


def settings(model: object) -> dict[str, Any]:
    """``colour`` for a model, and ``size`` if the model has one."""
    height, width, channels = expected_shape(model)
    colour = {"colour": _COLOURS[channels]}
    return colour if height is None or width is None else {"size": (height, width)} | colour


def check(given: tuple[int, int, int], model: object) -> None:
    """Raise ShapeError unless a model takes images of the shape ``given``, (h, w, C)."""
    expected = expected_shape(model)
    changes = []
    if any(side is not None and side != length for side, length in zip(expected[:2], given)):
        size = tuple(length if side is None else side for side, length in zip(expected[:2], given))
        changes.append(f"size={size}")
    if expected[2] != given[2]:
        changes.append(f"colour={_COLOURS[expected[2]]!r}")
    if changes:
        where = "ImagePreprocessor" if isinstance(model, tuple | list) else f"ImagePreprocessor for {model.name!r}"
        raise ShapeError(
            where,
            f"images {expected}, which the model takes",
            f"{given}",
            f"Set {' and '.join(changes)}, or build the model with input_shape={given}.",
        )
