"""From what the user gives to uint8 images of one size; many of them in parallel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from toolkit.errors import InvalidValueError, ShapeError, ToolkitError
from toolkit.images._folder import ImageFolder
from toolkit.images._pixels import to_pixels
from toolkit.images._reading import Decoded, decode, from_pillow, name_of
from toolkit.images._resizing import Size, crop, letterbox, resize, with_margin
from toolkit.images._skipped import Skipped

_CHUNK = 32  # images that one thread prepares at a time
_FIRST = 4
_LARGE_SECONDS = 5e-4  # for one image; threads pay from here on


@dataclass(frozen=True)
class Preparation:
    """The settings that decide how an image is read and brought to its size; see ``ImagePreprocessor``."""

    size: Size
    colour: str
    resize: str
    source_colour: str | None
    background: int | tuple[int, ...]
    max_pixels: int
    on_error: str

    @property
    def channels(self) -> int:
        """C of the prepared images."""
        return 1 if self.colour == "grey" else 3

    @property
    def prepared_shape(self) -> tuple[int, int, int]:
        """(h, w, C) of a prepared image; larger than ``size`` where a random crop is still to come."""
        size = with_margin(self.size) if self.resize == "random_crop" else self.size
        return *size, self.channels

    def load(self, source: object, where: str) -> Decoded:
        """The image as it is given: decoded from a path or bytes, or taken from an array or a Pillow image."""
        if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
            return decode(source, self.max_pixels)
        if isinstance(source, Image.Image):
            return from_pillow(source, where)
        if not hasattr(source, "__array__"):
            raise InvalidValueError(
                where, "a path, the bytes of a file, an array (H, W, C) or a Pillow image", f"{type(source).__name__}"
            )
        array = np.asarray(source)
        if array.ndim not in (2, 3):
            raise ShapeError(where, "an image (H, W) or (H, W, C)", f"shape {array.shape}")
        return Decoded(array if array.ndim == 3 else array[..., np.newaxis], self.source_colour, "array")

    def to_pixels(self, array: np.ndarray, order: str | None, where: str) -> np.ndarray:
        """uint8 with the right channels, (…, H, W, C)."""
        return to_pixels(array, self.colour, source_colour=order, background=self.background, where=where)

    def to_size(self, image: np.ndarray) -> np.ndarray:
        """uint8 (h, w, C) of ``prepared_shape``."""
        size = self.prepared_shape[:2]
        if image.shape[:2] == size:
            return image
        if self.resize == "letterbox":
            return letterbox(image, size, self.background)
        return resize(image, size) if self.resize == "stretch" else crop(image, size)

    def one(self, source: object, where: str) -> np.ndarray:
        """One image, prepared: uint8 of ``prepared_shape``. Raises a ToolkitError that names it."""
        decoded = self.load(source, where)
        return self.to_size(self.to_pixels(decoded.pixels, decoded.order, where))

    def some(self, sources: Sequence[object] | np.ndarray, indices: Sequence[int]) -> list[np.ndarray | Skipped]:
        """The images at ``indices``, prepared; a `Skipped` for each that cannot be used, if ``on_error`` says so."""
        if isinstance(sources, np.ndarray):
            try:
                pixels = self.to_pixels(sources[indices], self.source_colour, "images")
                return [self.to_size(image) for image in pixels]
            except ToolkitError:
                pass  # one by one below, which tells which image it is
        prepared: list[np.ndarray | Skipped] = []
        for index in indices:
            source = sources[index]
            where = name_of(source) if isinstance(source, str | os.PathLike) else f"image {index}"
            try:
                prepared.append(self.one(source, where))
            except ToolkitError as error:
                if self.on_error != "skip":
                    raise
                prepared.append(Skipped(int(index), where, str(error)))
        return prepared

    def all(self, sources: Sequence[object] | np.ndarray) -> Iterator[tuple[int, np.ndarray | Skipped]]:
        """Every image with its index, in order; large ones are prepared by as many threads as there are cores.

        OpenCV lets go of Python's lock while it decodes. Small images are done before another thread has taken it, so
        there threads would only wait for each other: how long the first images take decides. Only a few chunks are
        under way at a time, so memory holds those and not the whole set.
        """
        first = range(min(_FIRST, len(sources)))
        started = time.perf_counter()
        prepared = self.some(sources, first)
        threads = cores() if time.perf_counter() - started > _LARGE_SECONDS * len(first) else 1
        yield from zip(first, prepared)
        chunks = [range(k, min(k + _CHUNK, len(sources))) for k in range(len(first), len(sources), _CHUNK)]
        with ThreadPoolExecutor(threads) as pool:
            for k in range(0, len(chunks), 4 * threads):
                under_way = chunks[k : k + 4 * threads]
                for chunk, prepared in zip(under_way, pool.map(lambda chunk: self.some(sources, chunk), under_way)):
                    yield from zip(chunk, prepared)


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_sources(images: object, where: str) -> Sequence[object] | np.ndarray:
    """The images given, as a list, or as an array ``(N, H, W, C)`` if they came as one."""
    if isinstance(images, ImageFolder):
        return images.paths
    if isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        raise InvalidValueError(
            where, "a list of images", f"one {type(images).__name__}", "Put it into a list, or call preprocess."
        )
    if hasattr(images, "__array__") and not isinstance(images, list | tuple):
        array = np.asarray(images)
        if array.dtype.kind in "OUST" and array.ndim == 1:
            return list(array)
        return _as_batch(array, where)
    if not isinstance(images, Sequence):
        raise InvalidValueError(
            where, "a list of paths or images, or an array (N, H, W, C)", f"{type(images).__name__}"
        )
    return images


def _as_batch(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim == 4:
        return array
    if array.ndim == 3 and array.shape[-1] > 4:
        return array[..., np.newaxis]
    remedy = ""
    if array.ndim in (2, 3):
        # (H, W, 3) would also be H grey images, three pixels wide: too likely an oversight to be guessed at.
        remedy = "One image becomes a batch by image[np.newaxis]; narrow grey images get their channel by [..., None]."
    raise ShapeError(where, "images (N, H, W, C), or (N, H, W) if they are grey", f"shape {array.shape}", remedy)
