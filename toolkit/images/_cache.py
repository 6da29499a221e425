"""Prepared images kept for all epochs: in memory, or in a file that later runs use."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import PIL
import psutil

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.images._preparing import Preparation
from toolkit.images._skipped import Skipped

_WHERE = "ImagePreprocessor.dataset"


def in_memory(
    preparation: Preparation, sources: Sequence[object] | np.ndarray, keep: bool
) -> tuple[np.ndarray | None, list[Skipped]]:
    """Read every image once: the prepared ones, uint8 (N, h, w, C), if they are to be kept, and those left out."""
    pixels = None
    if keep:
        shape = (len(sources), *preparation.prepared_shape)
        needed, free = int(np.prod(shape, dtype=np.int64)), psutil.virtual_memory().available
        if needed > 0.8 * free:
            raise DataError(
                _WHERE,
                f"{needed / 1e6:,.0f} MB of memory for {len(sources):,} images",
                f"{free / 1e6:,.0f} MB that are free",
                "Pass cache='a folder' to keep them on disk, or cache=False.",
            )
        pixels = np.empty(shape, np.uint8)
    skipped = []
    for index, prepared in preparation.all(sources):
        if isinstance(prepared, Skipped):
            skipped.append(prepared)
        elif keep:
            pixels[index] = prepared
    return pixels, skipped


def in_file(
    preparation: Preparation, sources: Sequence[object] | np.ndarray, folder: Path
) -> tuple[np.ndarray, list[Skipped]]:
    """The prepared images as a file mapped into memory, and those left out; read only if no earlier run has.

    The file's name follows from the settings and from each image's path, size and time of change, so a cache that is
    out of date is never found.
    """
    name = _fingerprint(preparation, sources)
    pixels_path, skipped_path = folder / f"{name}.npy", folder / f"{name}.skipped.json"
    try:
        if not skipped_path.exists():  # it is written last: both are whole
            folder.mkdir(parents=True, exist_ok=True)
            skipped: list[Skipped] = []
            with atomic_write(pixels_path) as file:
                file.writelines(_npy(preparation, sources, skipped))
            with atomic_write(skipped_path) as file:
                file.write(json.dumps([asdict(one) for one in skipped]).encode())
        skipped = [Skipped(**fields) for fields in json.loads(skipped_path.read_bytes())]
        return np.load(pixels_path, mmap_mode="r"), skipped
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(_WHERE, f"a folder for the cache that can be used ({folder})", reason) from error
    except (ValueError, TypeError) as error:
        remedy = f"Delete {pixels_path.name} and {skipped_path.name} there."
        raise DataError(_WHERE, f"the cache in {folder} as it was written", str(error), remedy) from error


def _npy(preparation: Preparation, sources: Sequence[object] | np.ndarray, skipped: list[Skipped]) -> Iterator[bytes]:
    """NumPy's file of the prepared images, piece by piece: a full disk is then an error, not a crash."""
    header = io.BytesIO()
    shape = (len(sources), *preparation.prepared_shape)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    yield header.getvalue()
    for _, prepared in preparation.all(sources):
        if isinstance(prepared, Skipped):
            skipped.append(prepared)
            yield bytes(int(np.prod(preparation.prepared_shape)))
        else:
            yield prepared.tobytes()


def _fingerprint(preparation: Preparation, sources: Sequence[object] | np.ndarray) -> str:
    digest = hashlib.sha256(f"1 {cv2.__version__} {PIL.__version__} {preparation}".encode())
    for source in sources:
        if not isinstance(source, str | os.PathLike):
            raise InvalidValueError(
                _WHERE, "paths, for a cache in a folder", type(source).__name__, "cache=True keeps arrays in memory."
            )
        digest.update(os.fsencode(Path(source).absolute()))
        with contextlib.suppress(OSError, ValueError):  # a missing file is reported when it is read
            status = Path(source).stat()
            digest.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:24]
