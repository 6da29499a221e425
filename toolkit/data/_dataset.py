"""What ``load`` returns."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class Dataset:
    """Images and labels, split into training and test.

    Attributes:
        name: what ``load`` was called with.
        x_train: training images, (N, H, W, C), or (N, H·W·C) if flattened; float32 in [0, 1], or uint8.
        y_train: training labels, (N,), int64, from 0 to ``len(classes) - 1``.
        x_test: test images, as ``x_train``.
        y_test: test labels, as ``y_train``.
        classes: name of each class; label k means ``classes[k]``.
        licence: the licence that the publisher names.
        citation: what to cite.
        source: where the data came from and how it was checked; never an absolute path, so it can
            be printed in a notebook that is published.
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

    def __repr__(self) -> str:
        lines = [
            f"Dataset {self.name!r}",
            f"  x_train  {_describe(self.x_train)}",
            f"  y_train  {_describe(self.y_train)}",
            f"  x_test   {_describe(self.x_test)}",
            f"  y_test   {_describe(self.y_test)}",
            _wrapped("classes", f"{len(self.classes)}: {', '.join(self.classes)}"),
            _wrapped("source", self.source),
            _wrapped("licence", self.licence),
            _wrapped("cite", self.citation),
        ]
        return "\n".join(lines)


def _describe(array: np.ndarray) -> str:
    # Scaled images are the only floating-point arrays here, and load() promises their range.
    interval = " in [0, 1]" if array.dtype.kind == "f" else ""
    return f"{array.shape} {array.dtype}{interval}"


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, 100, initial_indent=f"  {label:<9}", subsequent_indent=" " * 11)
