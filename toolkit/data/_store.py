"""Getting published files into the cache: whole, verified, or not at all.

A file is written into ``.incoming`` inside the cache, its checksum is verified there, and only then is
it moved to its place, which is one step for the file system. Whatever goes wrong before that step (the
process is killed, the disk is full, the server stops) leaves the place as it was, and what lies in
``.incoming`` is removed by the next run. A lock for each data set keeps processes from each other's way.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from toolkit.data._info import DatasetInfo, FileInfo
from toolkit.data._places import CACHE_VARIABLE, FOLDER_VARIABLE, cached_paths, find_in_folder
from toolkit.errors import DataError

_log = logging.getLogger(__name__)

_LOCK_SECONDS = 1800
_MEGABYTE = 1e6

# Puts one published file at a path; raises DataError if it cannot.
Obtain = Callable[[FileInfo, Path], None]


class Part(NamedTuple):
    """What has arrived of a download, and a note of the version on the server that it is of."""

    path: Path
    version: Path

    def remove(self) -> None:
        """Remove both, if they are there."""
        for path in self:
            path.unlink(missing_ok=True)


def part_of(target: Path) -> Part:
    """Where the part of a file lies until it is whole: beside its target."""
    return Part(target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.version"))


def install(
    info: DatasetInfo,
    cache: Path,
    obtain: Obtain,
    *,
    force: bool = False,
    lock_seconds: float = _LOCK_SECONDS,
) -> list[Path]:
    """Make sure that the cache holds all files of a data set, and that they are the published ones.

    Args:
        info: the catalogue's entry.
        cache: the cache folder; made if missing.
        obtain: puts one file at a path; called for each file that is missing, damaged or forced.
        force: obtain the files again even where they are intact.
        lock_seconds: how long to wait for another process that is fetching the same data set.

    Returns:
        The files' paths, in the catalogue's order.

    Raises:
        DataError: if a file cannot be had or cannot be stored. Files that were intact are still there;
            a damaged one has been removed.
    """
    incoming = cache / ".incoming" / info.name
    paths = cached_paths(info, cache)
    if not force and _all_match(info, paths):
        return paths  # without the lock, which a cache that is only read has no room for
    with storage_errors(info, cache), locked(info, cache, lock_seconds):
        _tidy(info, incoming)  # what a killed run left
        try:
            for file, path in zip(info.files, paths, strict=True):
                # Checked under the lock: another process may have finished the file meanwhile.
                intact = file.matches(path)
                if intact and not force:
                    continue
                incoming.mkdir(parents=True, exist_ok=True)
                removed = path.exists() and not intact
                if removed:
                    path.unlink()
                _obtain_verified(info, file, incoming, obtain, removed=removed)
                path.parent.mkdir(parents=True, exist_ok=True)
                (incoming / file.name).replace(path)
                part_of(incoming / file.name).remove()
        finally:
            _tidy(info, incoming)
    return paths


def _all_match(info: DatasetInfo, paths: list[Path]) -> bool:
    with contextlib.suppress(OSError):  # what cannot be read is reported when it is replaced
        return all(file.matches(path) for file, path in zip(info.files, paths, strict=True))
    return False


def _obtain_verified(info: DatasetInfo, file: FileInfo, incoming: Path, obtain: Obtain, *, removed: bool) -> None:
    _require_room(info, file, incoming)
    try:
        obtain(file, incoming / file.name)
    except DataError as error:
        if removed:
            remedy = f"The damaged {file.name} that was in the cache has been removed. {error.remedy}"
            raise DataError(error.where, error.expected, error.received, remedy) from error
        raise
    if not file.matches(incoming / file.name):
        raise DataError(
            _where(info), f"{file.name} with {file.algorithm} {file.checksum}", "other bytes", "The disk may be faulty."
        )


def copying_from(info: DatasetInfo, folder: Path) -> Obtain:
    """An ``obtain`` that copies the published files out of a folder of the user's.

    Raises:
        DataError: if the folder does not hold them.
    """
    if not folder.is_dir():
        raise DataError("--from", "an existing folder", f"{folder}")
    found = find_in_folder(info, folder)
    names = ", ".join(file.name for file in info.files)
    if found is None or found.stand_in:
        raise DataError(
            _where(info),
            f"{names} in the folder or in its sub-folder {info.name}",
            f"{found.paths[0].name} alone" if found else f"none of it in {folder}",
            _use_in_place(folder) if found else "",
        )

    def copy(file: FileInfo, target: Path) -> None:
        path = found.paths[info.files.index(file)]
        try:
            intact = file.matches(path)
        except OSError as error:
            raise DataError(_where(info), f"to read {path}", error.strerror or str(error)) from error
        if not intact:
            raise DataError(
                _where(info),
                f"the published {file.name} ({file.size} bytes, {file.algorithm} {file.checksum})",
                f"a file of {path.stat().st_size} bytes with another checksum",
                f"The cache keeps published files only. {_use_in_place(folder)}",
            )
        shutil.copyfile(path, target)

    return copy


@contextlib.contextmanager
def locked(info: DatasetInfo, cache: Path, seconds: float) -> Iterator[None]:
    """Keep other processes that fetch or build the same data set waiting."""
    import filelock

    folder = cache / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"{info.name}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            _log.warning("Another process is fetching %s; waiting for it.", info.name)
            lock.acquire(timeout=seconds)
    except filelock.Timeout as error:
        raise DataError(
            _where(info),
            f"to be the only one that fetches it within {seconds:.0f} seconds",
            "another process that is still fetching it",
            f"Wait for it or stop it. If there is none, delete {lock.lock_file}.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def storage_errors(info: DatasetInfo, cache: Path) -> Iterator[None]:
    """Turn the operating system's refusals to store a file into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(info, cache, "a full disk") from error
        raise DataError(
            _where(info),
            f"a cache folder that can be written to ({cache})",
            error.strerror or str(error),
            f"Set the environment variable {CACHE_VARIABLE} to a folder of your own.",
        ) from error


def _require_room(info: DatasetInfo, file: FileInfo, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    part = part_of(folder / file.name).path
    if free < file.size - (part.stat().st_size if part.exists() else 0):
        raise _no_room(info, folder.parents[1], f"{free / _MEGABYTE:.1f} MB")


def _no_room(info: DatasetInfo, cache: Path, received: str) -> DataError:
    return DataError(
        _where(info),
        f"{info.size_bytes / _MEGABYTE:.1f} MB of room in the cache ({cache})",
        received,
        f"Make room, or set the environment variable {CACHE_VARIABLE} to a folder on another disk.",
    )


def _use_in_place(folder: Path) -> str:
    return f"To use it where it is, pass data_dir={str(folder)!r} or set {FOLDER_VARIABLE} to it."


def _tidy(info: DatasetInfo, incoming: Path) -> None:
    """Remove all that has arrived, except parts that a download can go on with."""
    if not incoming.exists():
        return
    parts = [part_of(incoming / file.name) for file in info.files]
    kept = {path for part in parts if part.path.exists() for path in part}
    for path in set(incoming.iterdir()) - kept:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not kept:
        incoming.rmdir()


def _where(info: DatasetInfo) -> str:
    return f"data set {info.name!r}"
