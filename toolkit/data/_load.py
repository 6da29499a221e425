"""``load``, ``fetch`` and ``status``: the order in which a data set is looked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from toolkit.data._catalogue import DatasetInfo, info_of
from toolkit.data._dataset import Dataset
from toolkit.data._download import downloading, mirror_url
from toolkit.data._places import (
    FilesInFolder,
    UserFolder,
    cache_dir,
    cached_paths,
    find_in_folder,
    package_paths,
    user_folder,
)
from toolkit.data._readers import UNREADABLE, Arrays, read_npz, read_published
from toolkit.data._store import copying_from, install
from toolkit.errors import DataError


@dataclass(frozen=True)
class Status:
    """Whether and where a data set is on this machine.

    Attributes:
        name: what ``load`` is called with.
        state: ``"embedded"`` (installed with the toolkit), ``"folder"`` (in the user's folder),
            ``"cached"``, ``"missing"``, or ``"damaged"`` (files are there that ``load`` would not use).
        path: the folder that holds its files; ``None`` if missing.
        size_bytes: size of the files that are there; if missing, of those to download.
        note: one sentence on what was found or what to do.
    """

    name: str
    state: Literal["embedded", "folder", "cached", "missing", "damaged"]
    path: Path | None
    size_bytes: int
    note: str


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    flatten: bool = False,
    scale: bool = True,
) -> Dataset:
    """Load a data set of labelled images.

    An embedded set (``"mnist5k"``, ``"digits"``) is read from the installed package that ships it. Any
    other is looked for in the user's folder, then in the cache, and is downloaded if it is in neither.

    The split into training and test is the same every time: the published one, or for the embedded
    sets, which come in one piece, a fixed split with the same share of each class, shuffled.

    Args:
        name: one of the names in ``catalogue()``.
        data_dir: a folder to look in first, instead of the one that the environment variable
            ``TOOLKIT_DATA`` names. It may hold the published files or ``<name>.npz`` with the arrays
            ``x_train``, ``y_train``, ``x_test``, ``y_test``, there or in a sub-folder ``<name>``.
            Files that differ from the published ones are used if keys, shapes, dtypes and labels are
            right, and ``Dataset.source`` says so. Embedded sets need no folder and do not look there.
        flatten: give each image as one row: x (N, H·W·C) instead of (N, H, W, C).
        scale: give pixels as float32 in [0, 1] (divided by 255, or by 16 for ``"digits"``); otherwise
            as the published integers, uint8. Scaled, all of CIFAR-10 takes 0.7 GB.

    Returns:
        The data set. Greyscale images have one channel, C = 1; labels are int64 (N,).

    Raises:
        DataError: if the name is unknown, the files are nowhere to be had or are damaged, or the cache
            cannot store them. The message says what to do.
    """
    info = info_of(name)
    arrays, source = _read_embedded(info) if info.embedded else _read_full(info, data_dir)
    return Dataset(
        name=info.name,
        x_train=_as_asked(arrays.x_train, info, flatten=flatten, scale=scale),
        y_train=arrays.y_train,
        x_test=_as_asked(arrays.x_test, info, flatten=flatten, scale=scale),
        y_test=arrays.y_test,
        classes=info.classes,
        licence=info.licence,
        citation=info.citation,
        source=source,
    )


def fetch(
    name: str,
    *,
    source: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Bring the published files of a data set into the cache.

    Args:
        name: one of the names in ``catalogue()``; for an embedded set, its files are verified.
        source: copy the files from this folder instead of downloading them.
        force: fetch them again even where the cache has them. Until the new ones have arrived and
            been verified, the old ones stay.
        progress: show a progress bar while downloading.

    Returns:
        The verified files.

    Raises:
        DataError: if a file cannot be had, is not the published one, or cannot be stored.
    """
    info = info_of(name)
    if info.embedded:
        _read_embedded(info)
        return package_paths(info)
    if source is not None:
        obtain = copying_from(info, Path(source).expanduser())
    else:
        obtain = downloading(info, progress=progress, base_url=mirror_url())
    return install(info, cache_dir(), obtain, force=force)


def status(name: str, data_dir: str | os.PathLike[str] | None = None) -> Status:
    """Say where ``load`` would find a data set, without downloading anything.

    Args:
        name: one of the names in ``catalogue()``.
        data_dir: as for ``load``.

    Raises:
        DataError: if the name is unknown. All else that is wrong is said in the note.
    """
    info = info_of(name)
    if info.embedded:
        return _status_embedded(info)
    try:
        folder = user_folder(data_dir)
    except DataError as error:
        return Status(name, "missing", None, info.size_bytes, str(error))
    try:
        return (folder and _status_in_folder(info, folder)) or _status_in_cache(info)
    except OSError as error:
        return Status(name, "damaged", None, info.size_bytes, f"Cannot be read: {error.strerror or error}.")


def _read_embedded(info: DatasetInfo) -> tuple[Arrays, str]:
    contents = [_read_bytes(info, path) for path in package_paths(info)]
    for file, content in zip(info.files, contents, strict=True):
        if not file.matches_bytes(content):
            raise DataError(
                _where(info),
                f"{file.name} of the package {info.package} with sha256 {file.sha256}",
                f"a file of {len(content)} bytes with another checksum",
                "The package is damaged or of a release that ships other data: "
                "install the version that requirements.lock names.",
            )
    return read_published(info, contents), f"package {info.package}: embedded, sha256 verified"


def _read_full(info: DatasetInfo, data_dir: str | os.PathLike[str] | None) -> tuple[Arrays, str]:
    folder = user_folder(data_dir)
    found = find_in_folder(info, folder.path) if folder else None
    if found:
        return _read_from_folder(info, folder, found)
    cache = cache_dir()
    contents = _verified_contents(info, cached_paths(info, cache))
    if contents is None:
        paths = install(info, cache, downloading(info, base_url=mirror_url()))
        contents = _verified_contents(info, paths)
    if contents is None:
        raise DataError(
            _where(info), "the files that have just been fetched", "others", "Another process changes the cache."
        )
    return read_published(info, contents), "cache: published files, sha256 verified"


def _verified_contents(info: DatasetInfo, paths: list[Path]) -> list[bytes] | None:
    """The bytes of the cached files, or ``None`` if one is missing or not the published one."""
    contents = []
    for file, path in zip(info.files, paths, strict=True):
        try:
            content = path.read_bytes()
        except OSError:
            return None  # install() finds out why, and says so if it cannot mend it
        if not file.matches_bytes(content):
            return None
        contents.append(content)
    return contents


def _read_from_folder(info: DatasetInfo, folder: UserFolder, found: FilesInFolder) -> tuple[Arrays, str]:
    """Read what the user put in a folder; files that differ from the published ones are checked."""
    contents = [_read_bytes(info, path) for path in found.paths]
    names = ", ".join(path.name for path in found.paths)
    published = not found.one_npz and all(
        file.matches_bytes(content) for file, content in zip(info.files, contents, strict=True)
    )
    try:
        arrays = read_npz(info, contents[0]) if _is_npz(info, found) else read_published(info, contents)
    except UNREADABLE as error:
        raise DataError(
            _where(info),
            f"images {info.image_shape} of dtype uint8 and labels 0 to {len(info.classes) - 1} in {names}",
            f"{error} ({found.paths[0].parent}, named by {folder.named_by})",
            "The file is damaged or of another kind. It has been left as it is: replace it or choose another folder.",
        ) from error
    if published:
        return arrays, f"folder {folder.named_by}: published files, sha256 verified"
    source = f"folder {folder.named_by}: {names}, not the published bytes (sha256 differs); structure checked"
    if (len(arrays.y_train), len(arrays.y_test)) != (info.train, info.test):
        counts = f"{len(arrays.y_train):,} + {len(arrays.y_test):,} of {info.train:,} + {info.test:,} images"
        source = f"{source}; {counts}"
    return arrays, source


def _is_npz(info: DatasetInfo, found: FilesInFolder) -> bool:
    # The published MNIST file is itself <name>.npz: one of the user's making may lie under that name.
    return found.one_npz or info.reader == "npz"


def _read_bytes(info: DatasetInfo, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(_where(info), f"to read {path}", error.strerror or str(error)) from error


def _as_asked(images: np.ndarray, info: DatasetInfo, *, flatten: bool, scale: bool) -> np.ndarray:
    if flatten:
        images = images.reshape(len(images), -1)
    return np.divide(images, np.float32(info.max_value), dtype=np.float32) if scale else images


def _status_embedded(info: DatasetInfo) -> Status:
    try:
        _read_embedded(info)
        return Status(
            info.name,
            "embedded",
            package_paths(info)[0].parent,
            info.size_bytes,
            f"Installed with the package {info.package}.",
        )
    except DataError as error:
        return Status(info.name, "damaged", None, info.size_bytes, str(error))


def _status_in_folder(info: DatasetInfo, folder: UserFolder) -> Status | None:
    try:
        found = find_in_folder(info, folder.path)
        if found is None:
            return None
        _, source = _read_from_folder(info, folder, found)
    except DataError as error:
        return Status(info.name, "damaged", folder.path, 0, str(error))
    size = sum(path.stat().st_size for path in found.paths)
    return Status(info.name, "folder", found.paths[0].parent, size, f"In the {source}.")


def _status_in_cache(info: DatasetInfo) -> Status:
    paths = cached_paths(info, cache_dir())
    present = [path for path in paths if path.is_file()]
    if not present:
        note = f"`toolkit data fetch {info.name}` downloads it; {info.stand_in} needs no network."
        return Status(info.name, "missing", None, info.size_bytes, note)
    size = sum(path.stat().st_size for path in present)
    bad = [file.name for file, path in zip(info.files, paths, strict=True) if not file.matches(path)]
    if bad:
        note = f"Missing or not the published file: {', '.join(bad)}. `toolkit data fetch {info.name}` mends it."
        return Status(info.name, "damaged", paths[0].parent, size, note)
    return Status(info.name, "cached", paths[0].parent, size, "Published files; sha256 verified.")


def _where(info: DatasetInfo) -> str:
    return f"data set {info.name!r}"
