"""From the bytes of published files to labelled images, one reader for each layout.

Readers take bytes, not paths: the bytes whose checksum was verified are the very ones that are read.
Nothing is unpickled.
"""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from toolkit.data._info import ImagesInfo, LabelledInfo

# What the readers raise on bytes that are not what they should be. RuntimeError and OSError are
# zipfile's and gzip's, for damage that looks like encryption, an unknown method or another format.
UNREADABLE = (
    ValueError,
    KeyError,
    EOFError,
    OSError,
    RuntimeError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    csv.Error,
)

_KEYS = ("x_train", "y_train", "x_test", "y_test")
_SPLIT_SEED = 2024


class Arrays(NamedTuple):
    """Samples and labels (N,) of dtype int64. Images are (N, H, W, C) of dtype uint8."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def read_published(info: ImagesInfo, contents: list[bytes]) -> Arrays:
    """Read the published files of a data set.

    Args:
        info: the catalogue's entry.
        contents: the bytes of ``info.files``, in the same order.

    Raises:
        UNREADABLE: any of these if the bytes do not hold the images and labels that ``info`` describes.
    """
    readers: dict[str, Callable[[ImagesInfo, list[bytes]], Arrays]] = {
        "csv": _read_csv,
        "npz": lambda info, contents: read_npz(info, contents[0]),
        "idx": _read_idx,
        "cifar": _read_cifar,
    }
    return check_counts(info, readers[info.reader](info, contents))


def read_npz(info: ImagesInfo, content: bytes) -> Arrays:
    """Read an ``.npz`` with Keras's keys; it may hold fewer images than the published set.

    Images that are sorted by class are shuffled, always in the same way: every batch, and the last tenth that
    ``validation_split`` takes, shall hold all classes.

    Raises:
        UNREADABLE: any of these if keys, shapes, dtypes or label range are wrong.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        missing = [key for key in _KEYS if key not in archive]
        if missing:
            raise ValueError(f"the keys {', '.join(missing)} are missing")
        x_train, y_train, x_test, y_test = _checked(info, *(archive[key] for key in _KEYS))
        return Arrays(*_mixed(x_train, y_train), *_mixed(x_test, y_test))


def _mixed(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if (np.diff(labels) < 0).any():
        return images, labels
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(labels))
    return images[order], labels[order]


def _read_csv(info: ImagesInfo, contents: list[bytes]) -> Arrays:
    """One image a line, its pixels row by row, then its label; the split is made here."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(contents[0])), delimiter=",", dtype=np.uint8)
    pixels, labels = table[:, :-1], table[:, -1]
    images = pixels.reshape(-1, *info.image_shape)
    train, test = stratified_split(labels, info.test)
    return _checked(info, images[train], labels[train], images[test], labels[test])


def _read_idx(info: ImagesInfo, contents: list[bytes]) -> Arrays:
    """Four gzip files: images and labels, training (``train-``) and test (``t10k-``)."""
    arrays = {
        file.name.split("-idx")[0]: _parse_idx(gzip.decompress(content))
        for file, content in zip(info.files, contents, strict=True)
    }
    return _checked(
        info,
        arrays["train-images"],
        arrays["train-labels"],
        arrays["t10k-images"],
        arrays["t10k-labels"],
    )


def _parse_idx(content: bytes) -> np.ndarray:
    """Header: two zero bytes, 8 for uint8, the number of axes, each length as big-endian uint32."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError("not an IDX file of unsigned bytes")
    axes = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=axes, offset=4)
    # A copy, because what frombuffer returns cannot be written to.
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape).copy()


def _read_cifar(info: ImagesInfo, contents: list[bytes]) -> Arrays:
    """A tar archive of binary batches. A record: the label, then the red, green and blue plane."""
    batches: dict[str, bytes] = {}
    # Decompressed as a whole, because only the end of a gzip stream tells whether it is intact.
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(contents[0])), mode="r:") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if member.isfile() and name.endswith(".bin"):
                batches[name] = archive.extractfile(member).read()
    height, width, channels = info.image_shape
    train_names = sorted(name for name in batches if name.startswith("data_batch_"))
    if not train_names:
        raise ValueError("the archive holds no data_batch_1.bin")
    parts = []
    for content in (b"".join(batches[name] for name in train_names), batches["test_batch.bin"]):
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + height * width * channels)
        planes = records[:, 1:].reshape(-1, channels, height, width)
        parts += [planes.transpose(0, 2, 3, 1), records[:, 0]]
    return _checked(info, *parts)


def check_counts(info: LabelledInfo, arrays: Arrays) -> Arrays:
    """Give the arrays back if they hold as many samples as ``info`` says.

    Raises:
        ValueError: if they do not.
    """
    expected, received = (info.train, info.test), (len(arrays.y_train), len(arrays.y_test))
    if expected != received:
        raise ValueError(f"{received} training and test {info.kind} instead of {expected}")
    return arrays


def stratified_split(labels: np.ndarray, n_test: int) -> tuple[np.ndarray, np.ndarray]:
    """Split indices into training and test with the same share of each class; always the same split.

    Args:
        labels: (N,), the class of each sample.
        n_test: number of test samples.

    Returns:
        Training indices (N − n_test,) and test indices (n_test,), both shuffled.
    """
    # RandomState, because NumPy promises its stream for ever; that of default_rng may change.
    random = np.random.RandomState(_SPLIT_SEED)
    classes, counts = np.unique(labels, return_counts=True)
    share = counts * n_test / len(labels)
    test_counts = np.floor(share).astype(int)
    # The places that rounding down left over go to the classes with the largest remainders.
    largest = np.argsort(test_counts - share, kind="stable")[: n_test - test_counts.sum()]
    test_counts[largest] += 1
    train, test = [], []
    for label, count in zip(classes, test_counts, strict=True):
        members = random.permutation(np.flatnonzero(labels == label))
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))


def _checked(info: ImagesInfo, *arrays: np.ndarray) -> Arrays:
    """Bring arrays to the shapes that ``load`` promises, or say what is wrong with them."""
    x_train, y_train, x_test, y_test = arrays
    return Arrays(
        _checked_images(info, "x_train", x_train),
        _checked_labels(info, "y_train", y_train, len(x_train)),
        _checked_images(info, "x_test", x_test),
        _checked_labels(info, "y_test", y_test, len(x_test)),
    )


def _checked_images(info: ImagesInfo, key: str, images: np.ndarray) -> np.ndarray:
    # Published greyscale images come without the channel axis.
    shapes = [info.image_shape] + [info.image_shape[:2]] * (info.image_shape[2] == 1)
    if images.ndim == 0 or len(images) == 0 or images.shape[1:] not in shapes:
        raise ValueError(f"{key} has shape {images.shape} instead of (N, {str(info.image_shape)[1:]}")
    if images.dtype != np.uint8:
        raise ValueError(f"{key} has dtype {images.dtype} instead of uint8")
    if images.max() > info.max_value:
        raise ValueError(f"{key} holds a pixel of {images.max()}, above {info.max_value}")
    return np.ascontiguousarray(images).reshape(-1, *info.image_shape)


def _checked_labels(info: ImagesInfo, key: str, labels: np.ndarray, n_images: int) -> np.ndarray:
    if labels.shape not in ((n_images,), (n_images, 1)):
        raise ValueError(f"{key} has shape {labels.shape} for {n_images} images")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{key} has dtype {labels.dtype} instead of an integer one")
    low, high = labels.min(), labels.max()
    if low < 0 or high >= len(info.classes):
        raise ValueError(f"{key} holds labels from {low} to {high}, outside 0 to {len(info.classes) - 1}")
    return labels.reshape(n_images).astype(np.int64)
