"""A run on disk: everything that a killed training needs to go on as if nothing had happened.

One file, ``checkpoint.npz`` in a folder of the run's own: arrays that ``numpy.load`` reads, and among them ``record``,
JSON in UTF-8. There is always a whole checkpoint or none, whenever the process dies. Nothing in it is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from toolkit.atomic_write import atomic_write, remove_partial_files
from toolkit.errors import DataError, InvalidValueError, ToolkitError

_FILE, _LOCK = "checkpoint.npz", "checkpoint.lock"
_FORMAT = 1
# What NumPy, zipfile and JSON raise at damaged bytes; the last two where a flipped bit asks for a compression or a
# password that a checkpoint never has.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, RuntimeError),
)


class Checkpoint:
    """The checkpoint of one run.

    Args:
        folder: made if missing; one run at a time may use it.
        fingerprint: what the run is made of; only a run with an equal one may go on from the file.
        where: who asks, for errors.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: dict[str, Any], where: str) -> None:
        self.folder, self.where = Path(folder).expanduser(), where
        self.fingerprint = json.loads(json.dumps(fingerprint))  # as it will be read
        self.path = self.folder / _FILE

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other runs out of the folder; a killed run's hold ends with it."""
        lock = FileLock(self.folder / _LOCK, timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            hold = lock.acquire()
            remove_partial_files(self.path)  # what a killed run left
        except Timeout as error:
            received = f"{self.folder}, where another run is training"
            raise DataError(self.where, "a checkpoint folder of its own", received) from error
        except OSError as error:
            raise DataError(self.where, "a checkpoint folder that can be written", f"{self.folder}: {error}") from error
        with hold:
            yield

    def save(self, arrays: dict[str, list[np.ndarray]], record: dict[str, Any]) -> None:
        """Replaces the checkpoint by this one, whole or not at all."""
        record = {"format": _FORMAT, "fingerprint": self.fingerprint} | record
        entries = {f"{group}/{k}": _storable(array) for group, of in arrays.items() for k, array in enumerate(of)}
        record["dtypes"] = {group: [array.dtype.name for array in of] for group, of in arrays.items()}
        entries["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
        with atomic_write(self.path, self.where) as file:
            np.savez(file, **entries)

    def load(self) -> tuple[dict[str, list[np.ndarray]], dict[str, Any]] | None:
        """The arrays and the record; None where there is no checkpoint yet.

        Raises:
            InvalidValueError: it belongs to another run; says what differs.
            DataError: the file is damaged or from a later version.
        """
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                record = json.loads(file["record"].tobytes())
                if record["format"] != _FORMAT:
                    raise DataError(self.where, f"a checkpoint of format {_FORMAT}", f"format {record['format']}")
                self._require_same_run(record["fingerprint"])
                arrays = {
                    group: [_restored(file[f"{group}/{k}"], dtype) for k, dtype in enumerate(dtypes)]
                    for group, dtypes in record["dtypes"].items()
                }
        except ToolkitError:
            raise
        except _UNREADABLE as error:
            raise DataError(
                self.where,
                "a checkpoint that this toolkit wrote",
                f"{self.path}, which cannot be read ({error})",
                "Delete it, or start afresh with resume=False.",
            ) from error
        return arrays, record

    def _require_same_run(self, saved: dict[str, Any]) -> None:
        differences = list(_differences(saved, self.fingerprint))
        if differences:
            more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
            raise InvalidValueError(
                self.where,
                f"the run that {self.path} belongs to",
                f"another one: {'; '.join(differences[:3])}{more}",
                "Give each run a folder of its own, or start afresh with resume=False.",
            )


def _differences(saved: Any, now: Any, name: str = "") -> Iterator[str]:
    """Each leaf that differs, with its path: ``model, 1 Dense: units is 64, was 128``."""
    if isinstance(saved, dict) and isinstance(now, dict):
        for key in saved | now:
            yield from _differences(saved.get(key), now.get(key), f"{name}, {key}" if name else key)
    elif isinstance(saved, list) and isinstance(now, list) and len(saved) == len(now):
        for k, (before, after) in enumerate(zip(saved, now)):
            yield from _differences(before, after, f"{name}[{k}]")
    elif saved != now:
        yield f"{name} is {now}, was {saved}"


def _storable(array: np.ndarray) -> np.ndarray:
    """bfloat16 and 8-bit floats as bytes, since the file format has no name for them."""
    named = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype)) == array.dtype
    return array if named else array[..., np.newaxis].view(np.uint8)


def _restored(array: np.ndarray, dtype: str) -> np.ndarray:
    return array if array.dtype.name == dtype else array.view(np.dtype(dtype))[..., 0]
