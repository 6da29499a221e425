"""What callbacks carry from epoch to epoch, so that a checkpoint can hold it too."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

_ARRAY = "numpy.ndarray"  # the key that stands for an array in JSON
_NO_JSON = object()


class CallbackState:
    """What training has changed in the attributes of callbacks.

    ``ReduceLROnPlateau`` counts epochs without progress, ``EarlyStopping`` holds the best weights: numbers, texts,
    arrays, and lists and dicts of them. These can be stored; a file or a figure cannot. Options are left out, since
    training does not change them, so that a run may go on with others.

    Args:
        callbacks: of one run; a resumed run may have others beside them.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self.callbacks = callbacks
        self._begun: list[dict[str, Any]] = [{} for _ in callbacks]

    def begin(self) -> None:
        """Remembers what the attributes are as training begins."""
        self._begun = [_stored(vars(callback), _checksum) for callback in self.callbacks]

    def read(self) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
        """What has changed since: JSON, and the arrays that it refers to by their numbers."""
        arrays: list[np.ndarray] = []

        def keep(array: np.ndarray) -> int:
            arrays.append(array)
            return len(arrays) - 1

        changed = []
        for callback, begun in zip(self.callbacks, self._begun):
            now = _stored(vars(callback), _checksum)
            names = [name for name, value in now.items() if name not in begun or begun[name] != value]
            attributes = _stored({name: vars(callback)[name] for name in names}, keep)
            changed.append({"class": type(callback).__name__, "attributes": attributes})
        return changed, arrays

    def write(self, changed: list[dict[str, Any]], arrays: list[np.ndarray]) -> None:
        """Sets what ``read`` gave: the first callback of a class goes on from the first of that class, and so on."""
        left = list(changed)
        for callback in self.callbacks:
            saved = next((each for each in left if each["class"] == type(callback).__name__), None)
            if saved is None:
                continue
            left.remove(saved)
            if hasattr(callback, "_set_monitor_op") and callback.monitor_op is None:
                callback._set_monitor_op()  # once, and before: it turns the sign of min_delta
            vars(callback).update(_restored(saved["attributes"], arrays))


def _stored(value: Any, keep: Callable[[np.ndarray], int]) -> Any:
    """``value`` as JSON, arrays by what ``keep`` says of them; a dict without what JSON has no form for."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {_ARRAY: keep(value)}
    if isinstance(value, list | tuple):
        items = [_stored(item, keep) for item in value]
        return _NO_JSON if any(item is _NO_JSON for item in items) else items
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        items = {key: _stored(item, keep) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _NO_JSON}
    return _NO_JSON


def _restored(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_restored(item, arrays) for item in value]
    if isinstance(value, dict):
        return arrays[value[_ARRAY]] if _ARRAY in value else {k: _restored(v, arrays) for k, v in value.items()}
    return value


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array))
