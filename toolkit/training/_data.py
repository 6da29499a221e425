"""The data of a run: arrays that lie in memory as tensors, or a ``tf.data.Dataset``; and the order of an epoch."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError

Nested = Any  # an array, or a list, tuple or dict of arrays
_ARRAYS = (np.ndarray, tf.Tensor, tf.RaggedTensor, tf.Variable)
_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)


def epoch_order(samples: int, *, epoch: int, seed: int, shuffle: bool = True) -> np.ndarray:
    """The order in which ``training.fit`` takes the samples in one epoch, the first being epoch 0.

    It follows from these arguments alone, so any epoch of a run can be repeated without the others: training on
    ``x[epoch_order(…)]`` without shuffling sees the same batches.
    """
    if not shuffle:
        return np.arange(samples)
    return np.random.default_rng([seed, epoch]).permutation(samples)


class Arrays:
    """Arrays with one row a sample, held as tensors from which the compiled loop takes its batches.

    A ``numpy.memmap`` is no tensor: it stays on disk, and the rows of each batch are read when they are needed.

    Attributes:
        data: ``x``, ``(x, y)`` or ``(x, y, weights)``, each a tensor or a structure of tensors.
        spec: the same with the shapes and dtypes of a batch of any size.
        samples: the number of rows N.
        steps: batches in an epoch; the last may be smaller.
        on_disk: whether a part of ``data`` is a ``numpy.memmap``.
    """

    def __init__(self, data: Nested, batch_size: int, *, shuffle: bool = False, seed: int = 0) -> None:
        self.data = data
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        leaves = [leaf for leaf in keras.tree.flatten(data) if leaf is not None]
        self.samples = int(leaves[0].shape[0])
        self.steps = -(-self.samples // batch_size)
        self.spec = keras.tree.map_structure(_batch_spec, data)
        self.on_disk = any(isinstance(leaf, np.memmap) for leaf in leaves)

    def epoch(self, epoch: int) -> ArrayEpoch:
        """The batches of one epoch."""
        order = epoch_order(self.samples, epoch=epoch, seed=self.seed, shuffle=self.shuffle)
        return ArrayEpoch(self, tf.constant(order, tf.int64))

    def fingerprint(self) -> dict[str, str]:
        """Shape, dtype and checksum of each array."""
        return {name: _described(leaf) for name, leaf in _named(self.data)}


class ArrayEpoch:
    """One epoch over ``Arrays``: an order, whose rows are gathered batch by batch."""

    first_batch: int | None = None  # its order is known without looking

    def __init__(self, arrays: Arrays, order: tf.Tensor) -> None:
        self.arrays, self.order = arrays, order

    def batch(self, step: int) -> Nested:
        """The batch of step ``step`` (from 0)."""
        size = self.arrays.batch_size
        return gathered(self.arrays.data, self.order[step * size : (step + 1) * size])

    def forget(self, step: int) -> None:
        """Nothing to forget: every batch can be gathered again."""


class Stream:
    """A ``tf.data.Dataset`` of batches; every epoch iterates over it anew.

    Attributes:
        spec: what the data set yields.
        samples: None; only a finished epoch knows.
        steps: batches in an epoch, or None while unknown.
    """

    samples: int | None = None

    def __init__(self, dataset: tf.data.Dataset, where: str) -> None:
        cardinality = int(dataset.cardinality())
        if cardinality == tf.data.INFINITE_CARDINALITY:
            raise InvalidValueError(
                where, "a data set that ends", "one that repeats for ever", "Cut it: dataset.take(steps)."
            )
        self.dataset = dataset.prefetch(tf.data.AUTOTUNE)
        self.spec = dataset.element_spec
        self.steps = cardinality if cardinality >= 0 else None
        self._started = 0

    def epoch(self, epoch: int) -> StreamEpoch:
        """The batches of one epoch; those before it are started, so that a seeded shuffle arrives at its order."""
        while self._started < epoch:
            iter(self.dataset)
            self._started += 1
        self._started += 1
        return StreamEpoch(self.dataset)

    def fingerprint(self) -> dict[str, str]:
        """What the data set yields and how many batches; its contents are known only while it is read."""
        return {name: str(spec) for name, spec in _named(self.spec)} | {"batches": str(self.steps)}


class StreamEpoch:
    """One iteration over a ``Stream``. The batches since the last ``forget`` are kept, to repeat them."""

    def __init__(self, dataset: tf.data.Dataset) -> None:
        self._iterator = iter(dataset)
        self._kept: dict[int, Nested] = {}
        self._next = 0
        self.samples = 0
        self.first_batch: int | None = None  # checksum, to know the order again

    def batch(self, step: int) -> Nested | None:
        """The batch of step ``step``, or None behind the last; steps are taken in order."""
        while self._next <= step:
            batch = next(self._iterator, None)
            if batch is None:
                return None
            if self._next == 0:
                self.first_batch = _checksum(batch)
            self.samples += _rows_of(batch)
            self._kept[self._next] = batch
            self._next += 1
        return self._kept[step]

    def skip(self, steps: int) -> None:
        """Leaves out the first batches."""
        for step in range(steps):
            self.batch(step)
            self.forget(step + 1)

    def forget(self, step: int) -> None:
        """Lets go of the batches before ``step``."""
        self._kept = {k: batch for k, batch in self._kept.items() if k >= step}


def gathered(data: Nested, rows: tf.Tensor) -> Nested:
    """The given rows of every array."""

    def rows_of(leaf: tf.Tensor | tf.RaggedTensor | np.memmap | None) -> Nested:
        if isinstance(leaf, np.memmap):
            return tf.convert_to_tensor(leaf[rows.numpy()])
        return None if leaf is None else tf.gather(leaf, rows)

    return keras.tree.map_structure(rows_of, data)


# ---------------------------------------------------------------------- from what the user gave


def training_source(
    where: str,
    x: Nested,
    y: Nested,
    sample_weight: Nested,
    class_weight: Mapping[int, float] | None,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
    validation_split: float = 0.0,
) -> tuple[Arrays | Stream, Arrays | None]:
    """The training data and, with ``validation_split``, the rows at its end as validation data."""
    if isinstance(x, tf.data.Dataset):
        given = {"y": y, "sample_weight": sample_weight, "class_weight": class_weight}
        named = [name for name, value in given.items() if value is not None]
        if validation_split:
            named.append("validation_split")
        if named:
            raise UnsupportedError(
                where,
                "a data set that yields (x, y) or (x, y, sample_weight), and nothing beside it",
                f"{named[0]} beside a tf.data.Dataset",
                "Put targets and weights into the data set; split it with take and skip.",
            )
        return Stream(x, where), None
    if class_weight is not None and sample_weight is not None:
        raise UnsupportedError(where, "class_weight or sample_weight", "both", "Multiply them into sample_weight.")
    data, held_out = _packed(where, x, y, sample_weight), None
    if validation_split:
        samples = Arrays(data, batch_size).samples
        cut = int(samples * (1 - validation_split))
        if not 0 < cut < samples:
            raise ShapeError(where, "samples to train on and samples to hold out", f"{samples} in all")
        held_out = Arrays(_rows(data, slice(cut, None)), batch_size)
        data = _rows(data, slice(cut))
    if class_weight is not None:
        data = (*data, _weights_of_classes(where, data, class_weight))
    return Arrays(data, batch_size, shuffle=shuffle, seed=seed), held_out


def lengths_vary(spec: Nested) -> bool:
    """Whether samples of one batch may have another shape than those of the next, as padded texts have."""
    leaves = [leaf for leaf in keras.tree.flatten(spec) if leaf is not None]
    return any(leaf.shape.rank is None or None in leaf.shape[1:] for leaf in leaves)


def require_numeric_targets(where: str, source: Arrays | Stream) -> None:
    """Raises UnsupportedError for targets that are words, which Keras's losses cannot compute with."""
    for name, leaf in _named(source.spec):
        if name.startswith("y") and leaf.dtype == tf.string:
            remedy = "Number the classes: names, y = np.unique(y, return_inverse=True)."
            raise UnsupportedError(where, "numbers as targets y", "strings", remedy)


def validation_source(where: str, data: Nested, batch_size: int) -> Arrays | Stream:
    """``(x, y)``, ``(x, y, sample_weight)`` or a data set."""
    if isinstance(data, tf.data.Dataset):
        return Stream(data, where)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise InvalidValueError(where, "validation_data as (x, y), (x, y, sample_weight) or a data set", _kind(data))
    return Arrays(_packed(where, *data), batch_size)


def _rows(data: Nested, part: slice) -> Nested:
    return keras.tree.map_structure(lambda leaf: None if leaf is None else leaf[part], data)


def _packed(where: str, x: Nested, y: Nested, sample_weight: Nested = None) -> Nested:
    if x is None:
        raise UnsupportedError(where, "inputs x", "None")
    if sample_weight is not None and keras.tree.is_nested(y) and not keras.tree.is_nested(sample_weight):
        shared = sample_weight  # one weight for each sample counts for every output
        sample_weight = keras.tree.map_structure(lambda _: shared, y)
    given = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
    data = keras.tree.lists_to_tuples(keras.tree.map_structure(lambda leaf: _tensor(where, leaf), given))
    lengths = {name: int(leaf.shape[0]) for name, leaf in _named(data)}
    if not lengths or len(set(lengths.values())) > 1 or 0 in lengths.values():
        received = ", ".join(f"{name} with {n}" for name, n in lengths.items()) or "none"
        raise ShapeError(where, "arrays with the same number of samples, at least 1", received)
    return data


def _tensor(where: str, leaf: Any) -> tf.Tensor | tf.RaggedTensor | np.memmap | None:
    """As Keras converts: floats become ``keras.config.floatx()``, everything else keeps its dtype.

    What is mapped from a file and needs no conversion stays there.
    """
    if leaf is None or isinstance(leaf, tf.RaggedTensor):
        return leaf
    if not isinstance(leaf, _ARRAYS):
        if not hasattr(leaf, "__array__") or hasattr(leaf, "tocoo"):
            raise UnsupportedError(
                where,
                "arrays, tensors, data frames, or lists and dicts of them, or a tf.data.Dataset",
                _kind(leaf),
                "Convert it with np.asarray; wrap a generator or PyDataset with tf.data.Dataset.from_generator.",
            )
        leaf = np.asarray(leaf)
    if isinstance(leaf, np.ndarray) and leaf.dtype == object:
        if all(isinstance(value, _NUMBERS) for value in leaf.flat):  # a data frame of whole numbers, floats and bools
            leaf = leaf.astype(keras.config.floatx())
        elif not all(isinstance(value, str) for value in leaf.flat):
            raise UnsupportedError(where, "numbers or strings", f"an array of Python objects, shape {leaf.shape}")
    if len(leaf.shape) == 0:
        raise ShapeError(where, "arrays with one row a sample", "a single number")
    if isinstance(leaf, np.memmap) and (leaf.dtype == keras.config.floatx() or leaf.dtype.kind in "iub"):
        return leaf
    tensor = tf.convert_to_tensor(leaf)
    return tf.cast(tensor, keras.config.floatx()) if tensor.dtype.is_floating else tensor


def _weights_of_classes(where: str, data: Nested, class_weight: Mapping[int, float]) -> tf.Tensor:
    """The weight of each sample's class; classes that are not named weigh 1."""
    if not isinstance(data, tuple) or len(data) != 2 or keras.tree.is_nested(data[1]):
        raise UnsupportedError(where, "class_weight for a model with one output", "other targets than one array")
    if not isinstance(class_weight, Mapping) or not all(isinstance(key, _NUMBERS) for key in class_weight):
        raise InvalidValueError(where, "class_weight as a dict of class number and weight", repr(class_weight))
    classes = np.asarray(data[1])
    if classes.ndim > 1:
        classes = classes.argmax(axis=-1) if classes.shape[-1] != 1 else classes[..., 0]
    values, place = np.unique(np.round(classes).astype(int), return_inverse=True)
    weights = np.array([class_weight.get(int(value), 1.0) for value in values], keras.config.floatx())
    return tf.constant(weights[place].reshape(classes.shape))


def _batch_spec(leaf: tf.Tensor | tf.RaggedTensor | np.memmap | None) -> tf.TypeSpec | None:
    if leaf is None:
        return None
    if isinstance(leaf, tf.RaggedTensor):
        shape = [None, *leaf.shape[1:]]
        return tf.RaggedTensorSpec(shape, leaf.dtype, leaf.ragged_rank, leaf.row_splits.dtype)
    return tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype)


def _rows_of(batch: Nested) -> int:
    return next(int(leaf.shape[0]) for leaf in keras.tree.flatten(batch) if leaf is not None)


def _named(data: Nested) -> list[tuple[str, Any]]:
    """Every leaf with a name: ``x``, ``y``, ``sample_weight``, or ``x[1]`` in a structure."""
    parts = data if isinstance(data, tuple) and len(data) <= 3 else (data,)
    names = []
    for part, values in zip(("x", "y", "sample_weight"), parts):
        leaves = [leaf for leaf in keras.tree.flatten(values) if leaf is not None]
        names += [(part if len(leaves) == 1 else f"{part}[{k}]", leaf) for k, leaf in enumerate(leaves)]
    return names


def _described(leaf: tf.Tensor | tf.RaggedTensor | np.memmap) -> str:
    return f"{leaf.dtype.name} {tuple(leaf.shape)}, checksum {_checksum(leaf):08x}"


def _checksum(data: Nested) -> int:
    """CRC-32 over all bytes of a structure of tensors."""
    total = 0
    for leaf in keras.tree.flatten(data):
        for part in tf.nest.flatten(leaf, expand_composites=True):
            if isinstance(part, np.memmap):
                values = np.ascontiguousarray(part)  # itself, if its rows lie one behind the other
            else:
                values = np.ascontiguousarray(part.numpy()) if part is not None else np.zeros(0)
            content = "\0".join(map(str, values.flat)).encode() if values.dtype == object else values.data
            total = zlib.crc32(content, total)
    return total


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}" if value is not None else "None"
