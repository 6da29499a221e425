"""The arguments of ``ImagePreprocessor``, checked when they are first used: scikit-learn's constructors only store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.images._augment import Augment
from toolkit.images._checks import check_background, check_choice, check_size, check_whole
from toolkit.images._preparing import Preparation

if TYPE_CHECKING:
    from toolkit.images._preprocessor import ImagePreprocessor

_WHERE = "ImagePreprocessor"
_CHOICES = {
    "colour": ("rgb", "grey"),
    "resize": ("stretch", "crop", "letterbox", "random_crop"),
    "normalize": ("unit", "signed", "standard", None),
    "source_colour": ("rgb", "bgr", None),
    "on_error": ("raise", "skip"),
}


def checked(preprocessor: ImagePreprocessor) -> Preparation:
    """The settings for preparing an image, once all settings are known to make sense.

    Raises:
        InvalidValueError, ShapeError: an argument is not one of those that the class describes.
    """
    check_size(preprocessor.size, _WHERE)
    check_background(preprocessor.background, _WHERE)
    for name, choices in _CHOICES.items():
        check_choice(name, getattr(preprocessor, name), choices, _WHERE)
    check_whole("seed", preprocessor.seed, 0, _WHERE)
    check_whole("max_pixels", preprocessor.max_pixels, 1, _WHERE)
    _check_augment(preprocessor.augment, preprocessor.colour)
    _check_statistics(preprocessor)
    background = preprocessor.background
    return Preparation(
        size=tuple(preprocessor.size),
        colour=preprocessor.colour,
        resize=preprocessor.resize,
        source_colour=preprocessor.source_colour,
        background=tuple(background) if isinstance(background, list | tuple) else background,
        max_pixels=preprocessor.max_pixels,
        on_error=preprocessor.on_error,
    )


def _check_augment(augment: Augment | None, colour: str) -> None:
    if augment is None:
        return
    if not isinstance(augment, Augment):
        raise InvalidValueError(_WHERE, "augment as an Augment or None", repr(augment))
    if augment.needs_colour and colour == "grey":
        raise InvalidValueError(_WHERE, "hue=0 and saturation=0 for grey images, which have neither", repr(augment))


def _check_statistics(preprocessor: ImagePreprocessor) -> None:
    mean, std, channels = preprocessor.mean, preprocessor.std, preprocessor.output_shape[2]
    if mean is None and std is None:
        return
    if preprocessor.normalize != "standard" or mean is None or std is None:
        received = f"mean={mean}, std={std}, normalize={preprocessor.normalize!r}"
        raise InvalidValueError(_WHERE, 'mean and std both, with normalize="standard"', received)
    if np.shape(mean) != (channels,) or np.shape(std) != (channels,):
        received = f"shapes {np.shape(mean)} and {np.shape(std)}"
        raise ShapeError(_WHERE, f"a mean and a std for each of {channels} channels", received)
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and np.min(std) > 0):
        raise InvalidValueError(_WHERE, "finite means and positive, finite stds", f"mean={mean}, std={std}")
