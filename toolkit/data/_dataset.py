"""What ``load`` returns for labelled samples."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class Dataset:
    """Samples and what belongs to them, split into training and test.

    Attributes:
        name: what ``load`` was called with.
        x_train: training samples. Images: (N, H, W, C), or (N, H·W·C) if flattened, or (N, H, W·C) if the
            rows are a sequence; float32 in [0, 1], or uint8. Texts: (N,), objects of type ``str``.
            Sequences: (N, T, C), float32, padded at the end.
        y_train: training labels, (N,), int64, from 0 to ``len(classes) - 1``; or (N,), objects of type
            ``str``, where the target is itself a text.
        x_test: test samples, as ``x_train``.
        y_test: test labels, as ``y_train``.
        classes: name of each class; label k means ``classes[k]``. Empty where the target is a text.
        licence: the licence that the publisher names.
        citation: what to cite.
        source: where the data came from and how it was checked; never an absolute path, so it can
            be printed in a notebook that is published.
        lengths_train: of sequences, the true number of time steps, (N,), int64; otherwise ``None``.
        lengths_test: as ``lengths_train``.
        mask_value: of sequences, the number that fills the padding. No true time step consists of it
            alone, so Keras's ``Masking(mask_value)`` finds the same mask as ``mask_train``.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    licence: str
    citation: str
    source: str
    lengths_train: np.ndarray | None = None
    lengths_test: np.ndarray | None = None
    mask_value: float | None = None

    @property
    def mask_train(self) -> np.ndarray | None:
        """Of sequences, which time steps are true ones, (N, T), bool; otherwise ``None``."""
        return _mask(self.x_train, self.lengths_train)

    @property
    def mask_test(self) -> np.ndarray | None:
        """As ``mask_train``, for the test samples."""
        return _mask(self.x_test, self.lengths_test)

    def __repr__(self) -> str:
        lines = [
            f"Dataset {self.name!r}",
            f"  x_train  {_describe(self.x_train, self.lengths_train)}",
            f"  y_train  {_describe(self.y_train)}",
            f"  x_test   {_describe(self.x_test, self.lengths_test)}",
            f"  y_test   {_describe(self.y_test)}",
        ]
        if self.classes:
            lines.append(wrapped("classes", f"{len(self.classes)}: {', '.join(self.classes)}"))
        if _holds_texts(self.x_train):
            lines.append(f"  example  {self._example()}")
        lines += [
            wrapped("source", self.source),
            wrapped("licence", self.licence),
            wrapped("cite", self.citation),
        ]
        return "\n".join(lines)

    def _example(self) -> str:
        label = self.y_train[0]
        answer = self.classes[label] if self.classes else repr(textwrap.shorten(label, 40, placeholder=" …"))
        return f"{textwrap.shorten(self.x_train[0], 50, placeholder=' …')!r} → {answer}"


def _mask(x: np.ndarray, lengths: np.ndarray | None) -> np.ndarray | None:
    return None if lengths is None else np.arange(x.shape[1]) < lengths[:, None]


def _holds_texts(array: np.ndarray) -> bool:
    return array.dtype == object and len(array) > 0


def _describe(array: np.ndarray, lengths: np.ndarray | None = None) -> str:
    if _holds_texts(array):
        words = np.array([len(text.split()) for text in array])
        return f"{array.shape} texts of {words.min()} to {words.max()} words, median {np.median(words):.0f}"
    if lengths is not None:
        steps = f"{lengths.min()} to {lengths.max()}" if lengths.min() < lengths.max() else f"{lengths.max()}"
        return f"{array.shape} {array.dtype}, {steps} true time steps"
    # Scaled images are the only other floating-point arrays here, and load() promises their range.
    interval = " in [0, 1]" if array.dtype.kind == "f" else ""
    return f"{array.shape} {array.dtype}{interval}"


def wrapped(label: str, text: str) -> str:
    """One line of a ``repr``, continued below its text where it is long."""
    return textwrap.fill(text, 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11)
