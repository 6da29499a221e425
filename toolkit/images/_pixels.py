"""Arrays of any usual kind become 8-bit pixels whose order of channels is known.

Every function here works pixel by pixel, so it takes one image ``(H, W, C)`` or a batch ``(N, H, W, C)`` alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from toolkit.errors import InvalidValueError, ShapeError

Colour = Literal["rgb", "bgr", "grey"]
COLOURS = ("rgb", "bgr", "grey")


def to_pixels(
    array: np.ndarray,
    colour: Colour,
    *,
    source_colour: Literal["rgb", "bgr"] | None,
    background: int | Sequence[int],
    where: str,
) -> np.ndarray:
    """Bring an array ``(…, H, W, C)`` to uint8 ``(…, H, W, 3)`` in the order asked for, or grey ``(…, H, W, 1)``.

    Args:
        array: C = 1 is grey, 2 grey and alpha, 3 a colour image, 4 a colour image and alpha.
        colour: what to return.
        source_colour: the order of the three colours in ``array``; no array tells it by itself.
        background: what shows through where alpha is below its maximum: one grey level or R, G, B, in 0 to 255.
        where: the image as errors call it.

    Raises:
        ShapeError: the array has no pixels or another number of channels.
        InvalidValueError: its dtype or its values are not those of an image, or the order is not given.
    """
    channels = array.shape[-1]
    if array.size == 0 or channels > 4:
        first = "It looks as if the channels came first: np.moveaxis(image, -3, -1) puts them last."
        raise ShapeError(
            where,
            "pixels (H, W, C) with C from 1 to 4",
            f"shape {array.shape}",
            first if array.size and array.shape[-3] in (1, 3) else "",
        )
    if channels >= 3 and source_colour not in ("rgb", "bgr"):
        raise InvalidValueError(
            where,
            "the order of its channels",
            f"{channels} channels and source_colour={source_colour!r}",
            "Say source_colour='bgr' for what cv2.imread returned, 'rgb' for Pillow, Matplotlib and Keras data sets.",
        )
    pixels = as_uint8(array, where)
    order = "grey" if channels < 3 else source_colour
    if channels in (2, 4):
        pixels = composite(pixels, background_in(order, background))
    return convert(pixels, order, colour)


def as_uint8(array: np.ndarray, where: str) -> np.ndarray:
    """Scale the values to 0 … 255: uint16 by 255/65535, bool and floats in [0, 1] by 255, rounded to the nearest.

    Other integers are taken as they are if they lie in 0 … 255.
    """
    kind, bits = array.dtype.kind, 8 * array.dtype.itemsize
    if kind == "u" and bits == 8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "u" and bits == 16:
        # 65535 = 255 · 257. OpenCV rounds as it goes; NumPy would need four times the memory on the way.
        native = np.ascontiguousarray(array, np.uint16).reshape(len(array), -1)  # OpenCV ignores the order of bytes
        return cv2.convertScaleAbs(native, alpha=1 / 257).reshape(array.shape)
    if kind == "f":
        low, high = array.min(), array.max()  # NaN if there is one
        if not (low >= 0 and high <= 1):
            raise InvalidValueError(where, "floats in [0, 1]", f"values from {low} to {high}", _float_remedy(low, high))
        return np.rint(array * np.float32(255)).astype(np.uint8)
    if kind in "iu":
        low, high = array.min(), array.max()
        if low < 0 or high > 255:
            raise InvalidValueError(
                where,
                "integers in 0 to 255, or uint16",
                f"{array.dtype} from {low} to {high}",
                "16-bit images have the full scale 65535: image.astype('uint16').",
            )
        return array.astype(np.uint8)
    raise InvalidValueError(where, "pixels as integers, floats or bools", f"dtype {array.dtype}")


def _float_remedy(low: float, high: float) -> str:
    if not np.isfinite([low, high]).all():
        return "NaN and infinity are no brightness: look at how this image was made."
    if low >= 0 and high <= 255:
        return "Divide by 255 what is in 0 to 255."
    if low >= -1 and high <= 1:
        return "What is in [-1, 1] goes through (x + 1) / 2 first."
    return ""


def background_in(order: Colour, background: int | Sequence[int]) -> np.ndarray:
    """The background's channels, uint8 (3,) in the given order or (1,) for grey."""
    rgb = np.broadcast_to(np.asarray(background, np.uint8), 3)
    return convert(rgb.reshape(1, 1, 3), "rgb", order).reshape(-1)


def composite(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Lay an image with alpha as its last channel on a background: ``(α·x + (255 − α)·b) / 255``, rounded."""
    x, alpha = pixels[..., :-1], pixels[..., -1:].astype(np.uint16)
    mixed = alpha * x + (255 - alpha) * background.astype(np.uint16)  # at most 255², which uint16 holds
    return ((mixed + 127) // 255).astype(np.uint8)


def convert(pixels: np.ndarray, source: Colour, target: Colour) -> np.ndarray:
    """Change the order of the channels, or reduce them to grey: ``0.299 R + 0.587 G + 0.114 B``."""
    if source == target:
        return pixels
    if source == "grey":
        return np.repeat(pixels, 3, axis=-1)
    code = cv2.COLOR_BGR2RGB  # the same change as RGB to BGR, and much faster than pixels[..., ::-1]
    if target == "grey":
        code = cv2.COLOR_RGB2GRAY if source == "rgb" else cv2.COLOR_BGR2GRAY
    # OpenCV takes one image: a batch is a tall one.
    tall = np.ascontiguousarray(pixels).reshape(-1, *pixels.shape[-2:])
    return cv2.cvtColor(tall, code).reshape(*pixels.shape[:-1], -1)
