"""From a file to pixels: header first, then OpenCV, then upright.

Pillow reads the header (kind, size, transparency, EXIF) without decoding a pixel, so a picture that would fill the
memory is refused before it does. OpenCV decodes JPEG, PNG, BMP and WebP. Pillow also decodes TIFF and GIF, which
OpenCV's versions read in different ways: premultiplied alpha, CMYK as if its K were alpha, orientation now and then.
"""

from __future__ import annotations

import io
import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageOps

from toolkit.errors import DataError, InvalidValueError
from toolkit.images._checks import check_background, check_choice, check_whole
from toolkit.images._pixels import COLOURS, Colour, to_pixels

_log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
MAX_PIXELS = 2**26  # 67 million: any photograph; 200 MB as RGB
_BYTES_PER_PIXEL = 8  # RGBA of 16 bits, not compressed
_ORIENTATION = 0x0112  # EXIF

# What a decoder dislikes, OpenCV prints to standard error; the errors raised here say it instead.
if "OPENCV_LOG_LEVEL" not in os.environ:
    (cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel)(0)  # OpenCV 4, 5; 0 is silent

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview


def read_image(
    source: ImageSource,
    colour: Colour = "rgb",
    *,
    background: int | Sequence[int] = 255,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Read one image file: JPEG, PNG, BMP, WebP, TIFF or GIF.

    The picture comes upright, as its EXIF orientation says; 16-bit values are scaled to 8 bits; transparent parts
    show ``background``; palettes and CMYK become RGB. Of a file with several frames the first one is read, and a
    warning is logged.

    Args:
        source: a path, or the content of a file as bytes.
        colour: "rgb", "grey", or "bgr" for what goes back to OpenCV's own functions such as ``cv2.imwrite``.
        background: a grey level or R, G, B, in 0 to 255; white by default.
        max_pixels: refuse a picture with more pixels. Its header tells, so it is not decoded.

    Returns:
        uint8 (H, W, 3), or (H, W, 1) for "grey".

    Raises:
        DataError: there is no such file, it cannot be read, or it is not a whole image; the message names it.
        InvalidValueError: an argument is not one of those above.
    """
    check_choice("colour", colour, COLOURS, "read_image")
    check_background(background, "read_image")
    check_whole("max_pixels", max_pixels, 1, "read_image")
    decoded = decode(source, max_pixels)
    return to_pixels(decoded.pixels, colour, source_colour=decoded.order, background=background, where=name_of(source))


@dataclass(frozen=True)
class Decoded:
    """An image as its file holds it, upright.

    Attributes:
        pixels: (H, W, C), C from 1 to 4, of whatever dtype the file has.
        order: the order of the colours in ``pixels``.
        note: what the file was, for people.
    """

    pixels: np.ndarray
    order: Literal["rgb", "bgr"]
    note: str


def decode(source: ImageSource, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode a path's or bytes' image; raises as `read_image` does."""
    where = name_of(source)
    data = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _content(source, max_pixels, where)
    image = _open(data, max_pixels, where)
    kind = "JPEG" if image.format == "MPO" else image.format  # MPO: a JPEG with further pictures behind it
    pixels = None if kind in ("TIFF", "GIF") else _opencv_pixels(data, image, where)
    if pixels is None:
        return Decoded(_pillow_pixels(image, where), "rgb", f"{kind}, {image.mode}, as Pillow decodes it")
    orientation = _orientation(image)
    note = f"{kind}, {'BGR' if pixels.shape[-1] >= 3 else 'grey'} as OpenCV decodes it"
    return Decoded(upright(pixels, orientation), "bgr", note + f", EXIF orientation {orientation}" * (orientation > 1))


def from_pillow(image: Image.Image, where: str) -> Decoded:
    """The pixels of a Pillow image, upright."""
    return Decoded(_pillow_pixels(image, where), "rgb", f"Pillow image, {image.mode}")


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an image ``(H, W, C)`` as EXIF's orientation 1 to 8 says; any other number leaves it."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def name_of(source: object) -> str:
    """An image as errors call it: its path, or what it is."""
    if isinstance(source, str | os.PathLike):
        # A name that is no valid Unicode, or has a line break, must not break the message, the log or the notebook.
        name = os.fsdecode(source)
        if not name.isprintable():
            name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
        return f"{name[:100]}…{name[-100:]}" if len(name) > 201 else name or "''"
    if isinstance(source, bytes | bytearray | memoryview):
        return f"image of {len(source):,} bytes"
    return f"image given as {type(source).__name__}"


def _content(source: object, max_pixels: int, where: str) -> bytes:
    """The bytes of a regular file that is not larger than any image of ``max_pixels``."""
    if not isinstance(source, str | os.PathLike):
        raise InvalidValueError("read_image", "a path or the bytes of a file", f"{type(source).__name__}")
    limit = _BYTES_PER_PIXEL * max_pixels + 2**20
    try:
        path = Path(source)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Looked at before it is opened: a pipe would wait for its other end for ever.
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
            raise DataError(where, "an image file", kind)
        if status.st_size > limit:
            raise DataError(where, f"a file of at most {limit:,} bytes", f"{status.st_size:,} bytes", _MORE_PIXELS)
        return path.read_bytes()
    except FileNotFoundError as error:
        link = "a link to a file that does not exist" if path.is_symlink() else "no such file"
        url = "Only files are read; download it first." if "://" in where else ""
        raise DataError(where, "an image file", link, url) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(where, "a file that can be read", getattr(error, "strerror", None) or str(error)) from error


_MORE_PIXELS = "If you trust it and have the memory, raise max_pixels."


def _open(data: bytes, max_pixels: int, where: str) -> Image.Image:
    """Let Pillow read the header; nothing is decoded yet."""
    if not data:
        raise DataError(where, "an image file", "an empty file")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        frames = 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        remedy = f"{_MORE_PIXELS} PIL.Image.MAX_IMAGE_PIXELS has to allow for it, too."
        raise DataError(where, f"at most {max_pixels:,} pixels", str(error).rstrip("."), remedy) from error
    except Image.UnidentifiedImageError as error:
        start = f"a file that starts with {data[:12]!r}"
        raise DataError(where, "a JPEG, PNG, BMP, WebP, TIFF or GIF with a sound header", start) from error
    except Exception as error:  # Pillow's readers raise whatever broken bytes lead them to
        raise DataError(where, "an image with a sound header", _reason(error)) from error
    if not 0 < width * height <= max_pixels:
        raise DataError(
            where, f"at most {max_pixels:,} pixels", f"{width:,} × {height:,}", _MORE_PIXELS if width * height else ""
        )
    if frames > 1:
        _log.warning("%s has %d frames: only the first one is read", where, frames)
    return image


def _opencv_pixels(data: bytes, image: Image.Image, where: str) -> np.ndarray | None:
    """What OpenCV decodes; None if it leaves out that one grey level is transparent, as it does for some PNGs."""
    # UNCHANGED keeps 16 bits and alpha. It ignores the EXIF orientation, which other flags apply to some formats.
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(where, "a whole image", f"OpenCV's error {error.err!r}") from error
    if pixels is None:
        raise DataError(where, "a whole image", _why_not(image))
    if pixels.ndim == 2:
        return None if image.has_transparency_data else pixels[..., np.newaxis]
    # The fourth byte of a 32-bit BMP is padding unless its header says otherwise.
    return pixels if image.has_transparency_data else pixels[..., :3]


def _pillow_pixels(image: Image.Image, where: str) -> np.ndarray:
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith(("I", "F")):  # 16- and 32-bit integers, floats: as they are
            pixels = np.asarray(image)
        elif image.has_transparency_data:
            pixels = np.asarray(image.convert("RGBA"))
        else:
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except Exception as error:  # as in _open
        raise DataError(where, "a whole image", _reason(error)) from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _why_not(image: Image.Image) -> str:
    """Why OpenCV returned nothing: Pillow puts it into words."""
    try:
        image.load()
    except Exception as error:  # as in _open
        return _reason(error)
    return f"a {image.format} of a kind that OpenCV cannot decode"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none or the EXIF block is broken, as viewers take it."""
    if not image.info.get("exif"):
        return 1
    exif = Image.Exif()
    try:
        exif.load(image.info["exif"])  # not image.getexif(), which decodes a whole PNG first
        return int(exif.get(_ORIENTATION, 1))
    except Exception as error:  # as in _open
        _log.warning("%s: its EXIF block cannot be read (%s)", image.format, _reason(error))
        return 1
