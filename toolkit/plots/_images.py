"""A mosaic of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._style import axes


def images(
    images: ArrayLike,
    *,
    titles: Sequence[object] | None = None,
    columns: int = 8,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws images side by side as one mosaic, each with a small caption above it.

    Args:
        images: ``(N, H, W)``, ``(N, H, W, 1)`` or, in colour, ``(N, H, W, 3)``; floats in [0, 1] or bytes 0 to 255.
            In grey images a larger number is brighter.
        titles: a caption for each image.
        columns: images in one row.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: the images have another shape, or there are not as many captions as images.
        InvalidValueError: a value lies outside the range, or ``columns`` is not a positive integer.
    """
    pixels = _unit_pixels(np.asarray(images))
    n = len(pixels)
    if titles is not None and len(titles) != n:
        raise ShapeError("plots.images", f"{n} titles, one for each image", f"{len(titles)}")
    if not is_integer(columns) or columns < 1:
        raise InvalidValueError("plots.images", "columns as a positive integer", repr(columns))
    ax = draw_mosaic(pixels, titles, columns, ax)
    ax.set_title(title)
    return ax


def draw_mosaic(
    pixels: np.ndarray,
    captions: Sequence[object] | None,
    columns: int,
    ax: Axes | None,
    *,
    most_inches: float = 8.0,
    framed: bool = False,
) -> Axes:
    """Draws ``pixels (N, H, W, 1 or 3)`` in rows of ``columns``, ``framed`` by thin lines where edges may be white."""
    n, height, width, _ = pixels.shape
    across = min(columns, n)
    down = -(-n // across)
    gap = max(1, round(0.08 * width))
    caption = 0 if captions is None else max(1, round(0.3 * height))
    canvas = np.ones((down * (height + gap + caption), across * (width + gap), 3))
    inches = min(1.0, most_inches / across)
    ax = axes(ax, across * inches, inches * down * (1.25 if caption else 1.0) + 0.4)
    frames = []
    for k, image in enumerate(pixels):
        top, left = (k // across) * (height + gap + caption) + caption, (k % across) * (width + gap)
        canvas[top : top + height, left : left + width] = image
        frames.append(Rectangle((left - 0.5, top - 0.5), width, height))
        if captions is not None:
            middle = left + (width - 1) / 2
            ax.text(middle, top - 0.5 - 0.06 * height, str(captions[k]), ha="center", va="bottom", fontsize=9)
    ax.imshow(canvas, interpolation="nearest")
    if framed:
        ax.add_collection(PatchCollection(frames, facecolor="none", edgecolor="#444444", linewidth=0.6))
    ax.set_axis_off()
    return ax


def _unit_pixels(pixels: np.ndarray) -> np.ndarray:
    """``(N, H, W, 1 or 3)`` with values in [0, 1]."""
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or pixels.size == 0:
        raise ShapeError(
            "plots.images",
            "images of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), not empty",
            f"shape {pixels.shape}",
            "Rows of pixels need their height and width again, such as x.reshape(-1, 28, 28); "
            "one image is a batch of one: image[np.newaxis].",
        )
    highest = 255 if pixels.dtype.kind in "iu" else 1
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= highest):  # also refuses NaN
        raise InvalidValueError(
            "plots.images",
            f"values from 0 to {highest} in images of {pixels.dtype}",
            f"values from {low:g} to {high:g}",
            "Scale them first, or cut them off with np.clip(images, 0, 1).",
        )
    return pixels / highest
