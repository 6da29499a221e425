"""How a tensor of any number of axes is shown as a matrix: which axes are rows and columns, which are chosen."""

from __future__ import annotations

import math
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
    "T_q": "query",
    "T_k": "key",
    "H": "row",
    "W": "column",
    "C": "channel",
    "F": "filter",
    "D": "feature",
    "d": "feature",
    "d_v": "feature",
    "D_q": "feature",
    "D_k": "feature",
    "D_v": "feature",
    "M": "unit",
    "V": "token",
    "K": "kernel of the channel",
    "k_h": "kernel row",
    "k_w": "kernel column",
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
    # In attention H counts heads; beside W it is the height of an image.
    letters = _NAMES if "W" in axes else _NAMES | {"H": "head"}
    names = tuple(letters.get(axis, axis) for axis in axes) if known else tuple(f"axis {k}" for k in range(len(shape)))
    shown = list(range(1 if batch else 0, len(shape)))
    if not shown:
        return Arrangement(batch, None, None, (), names)
    if len(shown) == 1:
        return Arrangement(batch, None, shown[0], (), names)
    rows, columns = _matrix_axes(axes if known else (), shown, batch)
    return Arrangement(batch, rows, columns, tuple(k for k in shown if k not in (rows, columns)), names)


def _matrix_axes(axes: tuple[str, ...], shown: list[int], batch: bool) -> tuple[int, int]:
    for pair in (("H", "W"), ("k_h", "k_w"), ("T_q", "T_k")):
        if set(pair) <= set(axes):
            return axes.index(pair[0]), axes.index(pair[1])
    if "H" in axes and "W" not in axes and len(shown) > 2:  # attention: one head at a time
        shown = [axis for axis in shown if axes[axis] != "H"]
    if not axes and len(shown) == 3 and batch:  # an image: the last axis is its channels
        return shown[0], shown[1]
    if not axes and len(shown) == 4 and not batch:  # a kernel (kh, kw, C, F)
        return shown[0], shown[1]
    return shown[-2], shown[-1]


def limits(shape: tuple[int, ...], arrangement: Arrangement, *, side: int, cells: int) -> tuple[int, ...]:
    """How much of each axis is shown: at most ``side`` rows and columns, and ``cells`` numbers; the samples are left.

    A vector may be as long as four sides; of the axes that are chosen, the longest is cut first.
    """
    shown = list(shape)
    vector = arrangement.rows is None
    both = [axis for axis in (arrangement.rows, arrangement.columns) if axis is not None]
    for axis in both:
        shown[axis] = min(shown[axis], min(4 * side, cells) if vector else side)
    if math.prod(shown[axis] for axis in both) > cells:
        shorter, longer = sorted(both, key=lambda axis: shown[axis])
        shown[shorter] = min(shown[shorter], math.isqrt(cells))
        shown[longer] = min(shown[longer], cells // shown[shorter])
    matrix = math.prod(shown[axis] for axis in both)
    while arrangement.chosen and math.prod(shown[axis] for axis in arrangement.chosen) * matrix > cells:
        longest = max(arrangement.chosen, key=lambda axis: shown[axis])
        if shown[longest] <= 1:
            break
        shown[longest] = -(-shown[longest] // 2)
    return tuple(shown)


def cut(value: np.ndarray, arrangement: Arrangement, *, side: int, cells: int) -> np.ndarray:
    """The beginning of ``value`` along all axes but that of the samples; see `limits`."""
    return value[tuple(map(slice, limits(value.shape, arrangement, side=side, cells=cells)))]
