"""Images of one size: stretched, cropped, or fitted between bars."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import cv2
import numpy as np

from toolkit.images._pixels import background_in

Size = tuple[int, int]  # height, width

# A random crop is cut from an image that is larger by 256/224, as in AlexNet (Krizhevsky et al., 2012).
_MARGIN = 256 / 224


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Stretch an image to ``size``: each side by its own factor, ``H → h`` and ``W → w``.

    A side that shrinks is averaged over the pixels that fall together (INTER_AREA): picking every k-th pixel would
    turn fine stripes into false coarse ones. A side that grows is interpolated linearly (INTER_LINEAR): a cubic looks
    sharper, but overshoots at edges and so makes levels that the image does not have.

    Args:
        image: uint8 (H, W, C).
        size: h and w, each from 1 to 16,384.

    Returns:
        uint8 (h, w, C).
    """
    height, width = size
    smaller = (min(height, image.shape[0]), min(width, image.shape[1]))
    for target, interpolation in ((smaller, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if image.shape[:2] != tuple(target):
            image = cv2.resize(image, target[::-1], interpolation=interpolation)  # OpenCV says width first
            image = image.reshape(*target, -1)  # it drops the axis of a single channel
    return image


def crop(image: np.ndarray, size: Size) -> np.ndarray:
    """Keep the largest centred window that has the proportions of ``size``, and resize it: nothing is distorted.

    Args:
        image: uint8 (H, W, C).
        size: h and w.

    Returns:
        uint8 (h, w, C).
    """
    scale = min(image.shape[0] / size[0], image.shape[1] / size[1])
    # Cut before resizing: the other order would first enlarge a thin strip beyond all measure.
    inner = [max(1, round(scale * side)) for side in size]
    return resize(window(image, inner, (0.5, 0.5)), size)


def letterbox(image: np.ndarray, size: Size, background: int | Sequence[int] = 255) -> np.ndarray:
    """Fit the whole image into ``size`` without distortion, centred, with bars where it does not reach.

    Args:
        image: uint8 (H, W, C).
        size: h and w.
        background: the colour of the bars: a grey level or R, G, B; white by default, as in ``ImagePreprocessor``.

    Returns:
        uint8 (h, w, C).
    """
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    inner = [min(side, max(1, round(scale * length))) for side, length in zip(size, image.shape)]
    bars = background_in("grey" if image.shape[2] == 1 else "rgb", background)
    boxed = np.tile(bars, (*size, 1))
    top, left = ((side - length) // 2 for side, length in zip(size, inner))
    boxed[top : top + inner[0], left : left + inner[1]] = resize(image, tuple(inner))
    return boxed


def window(image: np.ndarray, size: Sequence[int], position: Sequence[float]) -> np.ndarray:
    """The window ``(h, w)`` of an image, at ``position`` in [0, 1)² from top left to bottom right."""
    top, left = (int(u * (length - side + 1)) for u, length, side in zip(position, image.shape, size))
    return image[top : top + size[0], left : left + size[1]]


def with_margin(size: Size) -> Size:
    """The size from which a random crop of ``size`` is cut."""
    return ceil(_MARGIN * size[0]), ceil(_MARGIN * size[1])
