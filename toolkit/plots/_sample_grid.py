"""What a generator makes of the same inputs, at several times of its training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from toolkit.errors import ShapeError
from toolkit.plots._images import _unit_pixels, draw_mosaic


def sample_grid(
    samples: Sequence[ArrayLike],
    *,
    rows: Sequence[object] | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws one row of images for each time, so that a column shows how one sample changes.

    Args:
        samples: for each of T times K images, ``(T, K, H, W)``, ``(T, K, H, W, 1)`` or ``(T, K, H, W, 3)``; floats in
            [0, 1] or bytes.
        rows: what stands to the left of each row, such as the epoch.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: the samples have another shape, or there are not as many entries in ``rows`` as times.
        InvalidValueError: a value lies outside the range.
    """
    shapes = {np.shape(each) for each in samples}
    shape = shapes.pop() if len(shapes) == 1 else ()
    if len(shape) not in (3, 4) or 0 in shape:
        expected = "samples (T, K, H, W) or (T, K, H, W, C), K images of one size at each of T times"
        received = f"shape {(len(samples), *shape)}" if shape else f"{len(samples)} times of different shapes"
        raise ShapeError("plots.sample_grid", expected, received)
    if rows is not None and len(rows) != len(samples):
        raise ShapeError("plots.sample_grid", f"{len(samples)} entries in rows, one for each time", f"{len(rows)}")
    pixels = _unit_pixels(np.concatenate([np.asarray(each) for each in samples]))
    ax = draw_mosaic(pixels, None, shape[0], ax)
    if rows is not None:
        height = ax.images[0].get_array().shape[0] / len(samples)
        for k, row in enumerate(rows):
            middle = k * height + (pixels.shape[1] - 1) / 2
            ax.text(-0.2 * pixels.shape[2], middle, str(row), ha="right", va="center", fontsize=9)
    ax.set_title(title)
    return ax
