"""Labelled sequences from sktime's text format ``.ts``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.data._info import SequencesInfo
from toolkit.data._readers import Arrays, check_counts

MASK_VALUE = 0.0


class Sequences(NamedTuple):
    """Sequences (N, T, C), float32, padded at the end; labels (N,); and the sequences' true lengths (N,)."""

    arrays: Arrays
    lengths_train: np.ndarray
    lengths_test: np.ndarray


def read_sequences(info: SequencesInfo, contents: list[bytes]) -> Sequences:
    """Read two ``.ts`` files: the training part and the test part.

    Args:
        info: the catalogue's entry.
        contents: the bytes of ``info.files``, in the same order.

    Raises:
        ValueError: if they do not hold the sequences that ``info`` describes.
    """
    (x_train, lengths_train, y_train), (x_test, lengths_test, y_test) = (_read_ts(info, part) for part in contents)
    return Sequences(check_counts(info, Arrays(x_train, y_train, x_test, y_test)), lengths_train, lengths_test)


def _read_ts(info: SequencesInfo, content: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A header of ``#`` comments and ``@`` fields; then a sample a line: channels and label apart by ``:``.

    Returns:
        x (N, T, C), padded with ``MASK_VALUE``; lengths (N,); labels (N,).
    """
    header, _, body = content.decode("utf-8").partition("@data")
    fields = dict(line[1:].split(maxsplit=1) for line in header.splitlines() if line.startswith("@") and " " in line)
    names = fields.get("classLabel", "").split()[1:]  # the first word is "true"
    if len(names) != len(info.classes):
        raise ValueError(f"the classes {names} instead of {len(info.classes)} of them")
    lines = body.split()  # numbers and labels hold no blanks
    x = np.full((len(lines), info.length, info.channels), MASK_VALUE, dtype=np.float32)
    lengths = np.zeros(len(lines), dtype=np.int64)
    labels = np.zeros(len(lines), dtype=np.int64)
    for n, line in enumerate(lines):
        *channels, label = line.split(":")
        sequence = np.array([channel.split(",") for channel in channels], dtype=np.float32).T
        if sequence.shape[1:] != (info.channels,) or len(sequence) > info.length:
            raise ValueError(f"sample {n} has shape {sequence.shape}, not (T ≤ {info.length}, {info.channels})")
        if not np.isfinite(sequence).all() or (sequence == MASK_VALUE).all(axis=1).any():
            raise ValueError(f"sample {n} holds a time step that is not finite or looks like padding")
        x[n, : len(sequence)], lengths[n], labels[n] = sequence, len(sequence), names.index(label)
    return x, lengths, labels
