"""Images as ``tf.data``: read once and in parallel, shuffled and augmented anew in each epoch."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.images._cache import in_file, in_memory
from toolkit.images._checks import check_whole
from toolkit.images._folder import ImageFolder, find_images
from toolkit.images._preparing import as_sources, cores
from toolkit.images._settings import checked

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import ArrayLike

    from toolkit.images._preprocessor import ImagePreprocessor

_WHERE = "ImagePreprocessor.dataset"
_ORDER = 0  # (seed, epoch, 0) draws the order of an epoch, (seed, epoch, 1 + i) the changes of image i


def image_dataset(
    preprocessor: ImagePreprocessor,
    images: object,
    labels: ArrayLike | None,
    *,
    training: bool,
    batch_size: int,
    cache: bool | str | os.PathLike[str],
    first_epoch: int,
) -> tf.data.Dataset:
    """See ``ImagePreprocessor.dataset``."""
    if not isinstance(training, bool) or not isinstance(cache, bool | str | os.PathLike):
        received = f"training={training!r}, cache={cache!r}"
        raise InvalidValueError(_WHERE, "training as True or False, cache as one of these or a folder", received)
    check_whole("batch_size", batch_size, 1, _WHERE)
    check_whole("first_epoch", first_epoch, 0, _WHERE)
    preparation = checked(preprocessor)
    normalization = preprocessor._normalization()
    folder = find_images(images) if isinstance(images, str | os.PathLike) else images
    if isinstance(folder, ImageFolder):
        if labels is not None:
            raise InvalidValueError(_WHERE, "no labels beside a folder of classes, which has its own", "labels")
        labels = folder.labels
    sources = as_sources(folder, _WHERE)
    labels = None if labels is None else _checked_labels(labels, len(sources))

    if cache is False and preparation.on_error == "raise":
        pixels, kept = None, np.arange(len(sources))
    else:
        if isinstance(cache, bool):
            pixels, skipped = in_memory(preparation, sources, keep=cache)
        else:
            pixels, skipped = in_file(preparation, sources, Path(cache))
        kept = preprocessor._note(skipped, len(sources))
    if len(kept) == 0:
        raise InvalidValueError(_WHERE, "at least one image that can be used", "none")
    preprocessor = copy.copy(preprocessor)  # what the user sets later is for later data sets
    preparation = dataclasses.replace(preparation, on_error="raise")  # whom to leave out is settled

    epochs = itertools.count(first_epoch)

    def batches() -> Iterator[tuple[int, np.ndarray]]:
        """One epoch: its number and the indices of each batch."""
        epoch = next(epochs)
        order = np.random.default_rng((preprocessor.seed, epoch, _ORDER)).permutation(kept) if training else kept
        for k in range(0, len(order), batch_size):
            yield epoch, order[k : k + batch_size]

    def read(epoch: np.ndarray, indices: np.ndarray) -> list[np.ndarray]:
        prepared = preparation.some(sources, indices) if pixels is None else pixels[indices]
        if training:
            prepared = [preprocessor._varied(image, int(epoch), int(i)) for image, i in zip(prepared, indices)]
        else:
            prepared = [preprocessor._middle(image) for image in prepared]
        y = normalization.apply(np.stack(prepared).astype(np.float32))
        return [y] if labels is None else [y, labels[indices]]

    import tensorflow as tf

    dtypes = [tf.float32] if labels is None else [tf.float32, tf.as_dtype(labels.dtype)]
    shapes = [preprocessor.output_shape] if labels is None else [preprocessor.output_shape, labels.shape[1:]]

    def read_in_graph(epoch: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, ...] | tf.Tensor:
        tensors = tf.numpy_function(read, [epoch, indices], dtypes)
        tensors = [tf.ensure_shape(tensor, (None, *shape)) for tensor, shape in zip(tensors, shapes)]
        return tuple(tensors) if len(tensors) > 1 else tensors[0]

    signature = (tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), tf.int64))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    dataset = dataset.map(read_in_graph, num_parallel_calls=cores(), deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(-(-len(kept) // batch_size)))
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    if isinstance(folder, ImageFolder):
        dataset.class_names = list(folder.classes)  # as keras.utils.image_dataset_from_directory leaves them
    return dataset


def _checked_labels(labels: ArrayLike, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim == 0 or len(labels) != count:
        raise ShapeError(_WHERE, f"{count} labels, one for each image", f"shape {labels.shape}")
    if labels.dtype.kind not in "biuf":
        raise InvalidValueError(
            _WHERE, "labels as numbers", f"dtype {labels.dtype}", "np.unique(labels, return_inverse=True) numbers them."
        )
    return labels
