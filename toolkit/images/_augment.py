"""Augmentation: each epoch sees every training image a little different, with the same label.

The geometric transforms are 3 × 3 matrices that act on ``(x, y, 1)``: x to the right, y downwards, the image's centre
at (0, 0). One product of them moves the pixels once, so the picture is interpolated once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import cv2
import numpy as np

from toolkit.argument_checks import is_number
from toolkit.errors import InvalidValueError

_FLIPS = (None, "horizontal", "vertical", "both")
_BORDERS = {"reflect": cv2.BORDER_REFLECT_101, "edge": cv2.BORDER_REPLICATE, "black": cv2.BORDER_CONSTANT}
_LARGEST = {"rotate": 180.0, "hue": 180.0}  # degrees; all other strengths are fractions
_DRAWS = 12  # uniform numbers for one image, drawn whether they are used or not


def flip_matrix(horizontal: bool, vertical: bool) -> np.ndarray:
    """``x → −x`` mirrors left and right, ``y → −y`` top and bottom."""
    return np.diag([-1.0 if horizontal else 1.0, -1.0 if vertical else 1.0, 1.0])


def rotation_matrix(degrees: float) -> np.ndarray:
    """Turn anticlockwise, as seen: ``x' = x cos θ + y sin θ``, ``y' = −x sin θ + y cos θ`` (y points down)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def zoom_matrix(factor: float) -> np.ndarray:
    """``x' = f·x``, ``y' = f·y``: nearer for f > 1."""
    return np.diag([factor, factor, 1.0])


def shift_matrix(right: float, down: float) -> np.ndarray:
    """``x' = x + right``, ``y' = y + down``, in pixels."""
    return np.array([[1.0, 0.0, right], [0.0, 1.0, down], [0.0, 0.0, 1.0]])


def move(image: np.ndarray, matrix: np.ndarray, border: int = cv2.BORDER_REFLECT_101) -> np.ndarray:
    """Move the pixels of ``image (H, W, C)`` by a 3 × 3 matrix about the centre; linear interpolation."""
    height, width = image.shape[:2]
    x, y = (width - 1) / 2, (height - 1) / 2
    centre, back = shift_matrix(x, y), shift_matrix(-x, -y)
    matrix = centre @ matrix @ back
    moved = cv2.warpAffine(image, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    return moved.reshape(image.shape)


def mean_colour(image: np.ndarray) -> np.ndarray:
    """The mean of each channel, float64 (C,); OpenCV is thirty times as fast as ``image.mean((0, 1))`` on uint8."""
    return np.array(cv2.mean(image)[: image.shape[2]])


def change_light(image: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    """``y = m + c·(x − m) + 255·b``, clipped to 0 … 255; m is the image's mean grey, c the contrast."""
    mean = mean_colour(image).mean()
    x = np.arange(256)  # a pixel has 256 values: the formula is worked out once for each
    table = np.clip(mean + contrast * (x - mean) + 255 * brightness, 0, 255)
    return cv2.LUT(image, np.rint(table).astype(np.uint8)).reshape(image.shape)


def change_colour(image: np.ndarray, hue: float, saturation: float) -> np.ndarray:
    """Turn the colour circle by ``hue`` degrees and multiply the saturation, in HSV space; RGB in and out."""
    # In float32: with 8 bits the circle has 256 steps, and even hue 0 would change a channel by up to 9.
    hsv = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)  # degrees, [0, 1], the scale of the image
    hsv[..., 0] = (hsv[..., 0] + hue) % 360
    hsv[..., 1] = np.minimum(saturation * hsv[..., 1], 1)
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)


def cut_out(image: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """Hide a square about the pixel ``(x, y)`` behind the image's mean colour; it may reach over the edge."""
    height, width = image.shape[:2]
    top, bottom = (min(max(round(y + half), 0), height) for half in (-side / 2, side / 2))
    left, right = (min(max(round(x + half), 0), width) for half in (-side / 2, side / 2))
    hidden = image.copy()
    hidden[top:bottom, left:right] = np.rint(mean_colour(image)).astype(np.uint8)
    return hidden


@dataclass(frozen=True)
class Augment:
    """Random changes that leave a picture's meaning alone; which ones do depends on the pictures.

    A cat mirrored is a cat, a 2 mirrored is no digit; a 6 turned far enough is a 9. Every strength is the end of a
    uniform distribution, and 0 leaves the image as it is.

    Attributes:
        flip: mirror every second image "horizontal"ly or "vertical"ly, or each of "both" by its own coin.
        shift: up to this fraction of height and width, each way.
        rotate: up to this many degrees, each way.
        zoom: by a factor in [1 − zoom, 1 + zoom].
        brightness: add up to this fraction of the full scale, each way.
        contrast: multiply the distance to the mean grey by a factor in [1 − contrast, 1 + contrast].
        saturation: multiply it by a factor in [1 − saturation, 1 + saturation]; colour images only.
        hue: turn the colour circle by up to this many degrees, each way; colour images only.
        cutout: hide a square with this fraction of the shorter side, anywhere (DeVries and Taylor, 2017).
        border: what a moved image uncovers: "reflect", its "edge" drawn out, or "black".

    Raises:
        InvalidValueError: a strength is out of range.
    """

    flip: Literal["horizontal", "vertical", "both"] | None = None
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cutout: float = 0.0
    border: Literal["reflect", "edge", "black"] = "reflect"

    def __post_init__(self) -> None:
        if self.flip not in _FLIPS:
            raise InvalidValueError("Augment", f"flip as one of {_FLIPS}", repr(self.flip))
        if self.border not in _BORDERS:
            raise InvalidValueError("Augment", f"border as one of {tuple(_BORDERS)}", repr(self.border))
        for field in fields(self):
            if field.name in ("flip", "border"):
                continue
            value, largest = getattr(self, field.name), _LARGEST.get(field.name, 1.0)
            if not is_number(value) or not 0 <= value <= largest or (field.name == "zoom" and value == 1):
                raise InvalidValueError("Augment", f"{field.name} from 0 to {largest:g}", repr(value))

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A changed copy of ``image``, uint8 (H, W, 1|3); every random number comes from ``rng``."""
        # Always all of them, so that switching one change on leaves the others as they were.
        u = rng.random(_DRAWS)
        coins, ways = u[:2] < 0.5, 2 * u - 1
        height, width = image.shape[:2]
        matrix = (
            shift_matrix(self.shift * width * ways[2], self.shift * height * ways[3])
            @ zoom_matrix(1 + self.zoom * ways[4])
            @ rotation_matrix(self.rotate * ways[5])
            @ flip_matrix(
                bool(coins[0]) and self.flip in ("horizontal", "both"),
                bool(coins[1]) and self.flip in ("vertical", "both"),
            )
        )
        if not np.array_equal(matrix, np.eye(3)):
            image = move(image, matrix, _BORDERS[self.border])
        if self.brightness or self.contrast:
            image = change_light(image, self.brightness * ways[6], 1 + self.contrast * ways[7])
        if self.needs_colour:
            image = change_colour(image, self.hue * ways[8], 1 + self.saturation * ways[9])
        if self.cutout:
            image = cut_out(image, u[10] * width, u[11] * height, self.cutout * min(height, width))
        return image

    @property
    def needs_colour(self) -> bool:
        """Whether it changes hue or saturation, which a grey image does not have."""
        return bool(self.hue or self.saturation)
