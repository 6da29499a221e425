"""How a tensor of any number of axes is shown as a matrix: which axes are rows and columns, which are chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.xray._records import Tensor

_PER_SAMPLE = ("input", "output", "intermediate", "upstream", "mask")


@dataclass(frozen=True)
class Arrangement:
    """Axes of a tensor, by their place.

    Attributes:
        batch: whether axis 0 counts samples; then one sample is shown at a time.
        rows, columns: the axes of the matrix; None for the rows of a vector, and for both of a single number.
        chosen: the other axes, of which one index at a time is shown.
        names: what each axis counts: ``"sample"``, ``"time step"``, ``"channel"``, ``"head"``, or its letter.
    """

    batch: bool
    rows: int | None
    columns: int | None
    chosen: tuple[int, ...]
    names: tuple[str, ...]


_NAMES = {
    "N": "sample",
    "T": "time step",
    "Tq": "query",
    "Tk": "key",
    "H": "row",
    "W": "column",
    "C": "channel",
    "F": "filter",
    "A": "head",
    "heads": "head",
    "D": "feature",
    "M": "unit",
    "V": "token",
    "kh": "kernel row",
    "kw": "kernel column",
}


def arrange(tensor: Tensor, samples: int) -> Arrangement:
    """How to show ``tensor`` of a trace with ``samples`` samples."""
    shape, axes = tensor.shape, tensor.axes
    known = len(axes) == len(shape)
    gradient_of_sample = tensor.role == "gradient" and known and axes[:1] == ("N",)
    batch = bool(shape) and shape[0] == samples and (axes[0] == "N" if known else tensor.role in _PER_SAMPLE)
    batch = batch or (gradient_of_sample and shape[0] == samples)
    # H' is the height after a convolution or pooling: a row as H is.
    axes = tuple(axis.rstrip("'") for axis in axes)
    names = tuple(_NAMES.get(axis, axis) for axis in axes) if known else tuple(f"axis {k}" for k in range(len(shape)))
    shown = list(range(1 if batch else 0, len(shape)))
    if not shown:
        return Arrangement(batch, None, None, (), names)
    if len(shown) == 1:
        return Arrangement(batch, None, shown[0], (), names)
    rows, columns = _matrix_axes(axes if known else (), shown, batch)
    return Arrangement(batch, rows, columns, tuple(k for k in shown if k not in (rows, columns)), names)


def _matrix_axes(axes: tuple[str, ...], shown: list[int], batch: bool) -> tuple[int, int]:
    for pair in (("H", "W"), ("kh", "kw"), ("Tq", "Tk")):
        if set(pair) <= set(axes):
            return axes.index(pair[0]), axes.index(pair[1])
    if not axes and len(shown) == 3 and batch:  # an image: the last axis is its channels
        return shown[0], shown[1]
    if not axes and len(shown) == 4 and not batch:  # a kernel (kh, kw, C, F)
        return shown[0], shown[1]
    return shown[-2], shown[-1]


def cut(value: np.ndarray, arrangement: Arrangement, *, side: int, depth: int) -> np.ndarray:
    """The beginning of ``value``: at most ``side`` rows and columns, ``depth`` of every chosen axis; all samples."""
    limits = {arrangement.rows: side, arrangement.columns: side, **dict.fromkeys(arrangement.chosen, depth)}
    return value[tuple(slice(0, limits.get(axis)) for axis in range(value.ndim))]
