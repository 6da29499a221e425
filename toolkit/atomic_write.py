"""Files that are whole: after an error, a full disk or a kill, a file holds all of the old content or all of the new.

The content is written to a file beside the target, flushed to the disk, and renamed onto the target, which is one step
for the file system.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import DataError

_REMEDIES = {
    errno.ENOENT: "Make the folder first.",
    errno.ENOTDIR: "One of the folders in it is a file.",
    errno.EISDIR: "Name a file inside of that folder.",
    errno.EACCES: "Choose another place, or mend the permissions.",
    errno.EROFS: "Choose another place.",
    errno.ENOSPC: "Free some room.",
}


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], where: str | None = None) -> Iterator[BinaryIO]:
    """Open a file whose content takes the place of ``path`` when the ``with`` block has ended without an exception.

    After any exception, ``KeyboardInterrupt`` too, ``path`` is as it was and nothing lies beside it. Only a process
    that is killed leaves its partial file; see `remove_partial_files`. A file that was there keeps its permissions, a
    new one has those of the umask. A link stays a link: the file that it names is replaced. A pipe or a device, such
    as ``/dev/stdout``, is written to directly.

    Args:
        path: the file to write; its folder must exist.
        where: who writes, for the error, e.g. ``"Summarizer.save"``. With None the ``OSError`` itself is raised, for a
            caller that knows more to say about the place.

    Yields:
        The file, open for writing bytes. The block should only write: any ``OSError`` in it counts as one of writing.

    Raises:
        DataError: the folder is missing, it or the file may not be written to, ``path`` is a folder, the disk is full.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                yield file
        else:
            with _beside(Path(os.path.realpath(path))) as file:
                yield file
    except OSError as error:
        if where is None:
            raise
        received = f"{error.strerror or error}: {str(path)!r}"
        raise DataError(where, "a place that can be written to", received, _REMEDIES.get(error.errno, "")) from error


def remove_partial_files(path: Path) -> None:
    """Remove what killed processes left beside ``path``: for a caller that keeps others from writing it now."""
    for partial in path.parent.glob(f"{glob.escape(_prefix(path))}*.part"):
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    old = path.stat() if path.exists() else None
    if old and not os.access(path, os.W_OK):  # renaming would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    partial = path.with_name(f"{_prefix(path)}{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            if old:
                partial.chmod(stat.S_IMODE(old.st_mode))  # before there is something to read
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{path.name[:40]}."  # cut, since a name that is as long as can be has no room for more
