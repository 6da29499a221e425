"""The finished runs of a comparison on disk."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.training._checkpoint import _differences
from toolkit.training._fingerprint import fingerprint
from toolkit.training.layerwise._given import WHERE, Arrays, Condition

_FIGURES = {
    *("method", "seed", "series", "value", "depth", "accuracy", "training_accuracy", "seconds", "steps"),
    *("peak_bytes", "memory_by", "feature_bytes", "trainable_parameters", "gradients", "layers", "probes"),
}


class Runs:
    """One small file for each run, and one that says what they belong to.

    Args:
        folder: made if missing; None keeps nothing.
        of: what the comparison is made of; asked only if there is a folder.

    Raises:
        InvalidValueError: the folder belongs to another comparison.
        DataError: it cannot be read or written.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, of: Callable[[], dict[str, Any]]) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is None:
            return
        of, about = json.loads(json.dumps(of())), self.folder / "comparison.json"
        saved = self._read(about) if about.exists() else None
        if saved is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(WHERE, "a folder that can be written to", f"{self.folder}: {error}") from error
            self._write(about, of)
        elif differences := list(_differences(saved, of)):
            raise InvalidValueError(
                WHERE,
                f"the comparison that {self.folder} belongs to",
                f"another one: {'; '.join(differences[:3])}",
                "Give each comparison a folder of its own.",
            )

    def load(self, condition: Condition, seed: int, name: str) -> dict[str, Any] | None:
        """The figures of a run; None if it is still to be done."""
        path = self._path(condition, seed, name)
        return self._read(path, _FIGURES) if path is not None and path.exists() else None

    def save(self, condition: Condition, seed: int, name: str, run: dict[str, Any]) -> None:
        """Keeps the figures of a run."""
        path = self._path(condition, seed, name)
        if path is not None:
            self._write(path, run)

    def _path(self, condition: Condition, seed: int, name: str) -> Path | None:
        if self.folder is None:
            return None
        at = f"{condition.series}-{condition.value!r}-" if condition.series else ""
        return self.folder / f"{at}{name.replace(' + ', '-and-').replace(' ', '-')}-{seed}.json"

    def _read(self, path: Path, names: set[str] = frozenset()) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or names - set(content):
                raise ValueError("not what belongs into it")
            return content
        except (OSError, ValueError) as error:
            expected = "a file that this toolkit wrote"
            raise DataError(WHERE, expected, f"{path}, which cannot be read ({error})", "Delete it.") from error

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        with atomic_write(path, WHERE) as file:
            file.write(json.dumps(content, indent=1).encode())


def comparison_of(model: keras.Model, settings: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
    """What makes a comparison this one: network, first weights, data and settings, but not which runs."""
    model.evaluate(arrays[0][:1], arrays[1][:1], verbose=0)  # metrics have no names before
    kinds = [f"{a.dtype} {a.shape}, checksum {zlib.crc32(np.ascontiguousarray(a).data):08x}" for a in arrays]
    weights = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())
    return {
        **fingerprint(model),
        "learning rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
        "first weights": f"checksum {zlib.crc32(weights):08x}",
        "data": dict(zip(("x_train", "y_train", "x_test", "y_test"), kinds)),
        "settings": settings,
    }
