"""The outputs of frozen blocks: computed once, kept in memory, or on disk where they are large."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import DataError, ShapeError, UnsupportedError
from toolkit.training._data import Nested
from toolkit.training.layerwise._chain import Chain

_ALIGNMENT = 64  # bytes


class Features:
    """What a block learns from: ``x`` at first, then the outputs of the blocks before it.

    Args:
        x: the inputs of the model, an array of N rows; each further array of ``others`` is carried along, such as
            the inputs of validation data.
        batch_size: rows that pass through a block at a time; as many as in training, so that storing takes no more
            memory than training does.
        memory_limit: bytes; larger outputs are written to a temporary file that is read batch by batch and deleted
            with the next block's.
        where: who asks, for errors.

    Attributes:
        now: for each array its features: an array, a tensor, or ``[features, mask]``.
        bytes: how much the stored outputs take, and ``bytes_in_memory`` how much of it is not on disk.
    """

    def __init__(self, x: Nested, others: Sequence[Nested], *, batch_size: int, memory_limit: int, where: str) -> None:
        self.now = [_single(where, array) for array in (x, *others)]
        self.batch_size, self.memory_limit, self.where = batch_size, memory_limit, where
        self.bytes = self.bytes_in_memory = 0
        self._folder: tempfile.TemporaryDirectory | None = None

    def __enter__(self) -> Features:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.now = []
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def on_disk(self) -> bool:
        """Whether stored outputs lie in a file."""
        return self.bytes_in_memory < self.bytes

    @property
    def example(self) -> Nested:
        """The first row."""
        return rows_of(self.now[0], slice(0, 1))

    def pass_through(self, run: Callable[[Nested], tuple[tf.Tensor, tf.Tensor | None]]) -> None:
        """Replaces the features by what ``run`` of them gives, see ``inference``."""
        old, self._folder = self._folder, None
        self.bytes = self.bytes_in_memory = 0
        try:
            for k, features in enumerate(self.now):
                self.now[k] = self._stored(run, features, k)
        finally:
            if old is not None:
                old.cleanup()

    def _stored(self, run: Callable, features: Nested, index: int) -> Nested:
        rows = int(without_mask(features).shape[0])
        stored: list[np.ndarray] = []
        for first in range(0, rows, self.batch_size):
            some = rows_of(features, slice(first, first + self.batch_size))
            outputs = [part for part in run(some) if part is not None]
            if not stored:
                stored = [self._room(rows, part, f"{index} {k}") for k, part in enumerate(outputs)]
            for array, part in zip(stored, outputs):
                array[first : first + len(part)] = part.numpy()
        stored = [array if isinstance(array, np.memmap) else _shared(array) for array in stored]
        return stored if len(stored) > 1 else stored[0]

    def _room(self, rows: int, like: tf.Tensor, name: str) -> np.ndarray:
        shape, dtype = (rows, *like.shape[1:]), like.dtype.as_numpy_dtype
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.bytes += size
        if size <= self.memory_limit:
            self.bytes_in_memory += size
            return _aligned(shape, dtype)
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="toolkit-features-", ignore_cleanup_errors=True)
            path = Path(self._folder.name) / name
            _allocate(path, size)
        except OSError as error:
            expected, received = (
                f"room for {size / 1e6:.3g} MB of outputs",
                f"{tempfile.gettempdir()}: {error.strerror}",
            )
            remedy = "Free some, name another folder in the variable TMPDIR, or raise memory_limit."
            raise DataError(self.where, expected, received, remedy) from error
        return np.memmap(path, dtype, "r+", shape=shape)


def _allocate(path: Path, size: int) -> None:
    """A file of ``size`` bytes that the disk has: in one with holes a full disk shows in writing, by a signal."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def inference(layers: Sequence[keras.Layer], like: Nested) -> Callable[[Nested], tuple[tf.Tensor, tf.Tensor | None]]:
    """A compiled function: inputs → outputs of the layers in inference mode, and the mask if there is one.

    Args:
        layers: in forward order.
        like: some rows of the inputs.
    """
    chain = Chain(layers)

    def run(x: Nested) -> tuple[tf.Tensor, tf.Tensor | None]:
        outputs = chain(x, training=False)
        return outputs, getattr(outputs, "_keras_mask", None)

    spec = keras.tree.map_structure(lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), like)
    return tf.function(run, autograph=False).get_concrete_function(spec)


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An empty array that begins where TensorFlow wants its tensors to begin."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + size].view(dtype).reshape(shape)


def _shared(array: np.ndarray) -> tf.Tensor:
    """A tensor on the array's own memory: large outputs are there once, not twice."""
    if array.dtype.kind != "f" or tf.config.list_physical_devices("GPU"):
        return tf.convert_to_tensor(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def without_mask(features: Nested) -> Nested:
    """The features of ``[features, mask]``."""
    return features[0] if isinstance(features, list) else features


def rows_of(features: Nested, rows: slice) -> Nested:
    """The given rows of an array, or of each of a list."""
    if isinstance(features, list):
        return [rows_of(part, rows) for part in features]
    return tf.convert_to_tensor(features[rows])


def _single(where: str, x: Nested) -> np.ndarray:
    """One array with a row for each sample, floats as Keras takes them."""
    if isinstance(x, tf.data.Dataset) or keras.tree.is_nested(x) or x is None:
        raise UnsupportedError(
            where, "inputs as one array", type(x).__name__, "Outputs of frozen blocks are stored row by row."
        )
    array = x if isinstance(x, np.ndarray) else np.asarray(x)
    if array.ndim == 0 or not len(array):
        raise ShapeError(where, "inputs with one row a sample, at least one", f"shape {array.shape}")
    if array.dtype.kind == "f" and array.dtype != keras.config.floatx():
        array = array.astype(keras.config.floatx())
    return array
