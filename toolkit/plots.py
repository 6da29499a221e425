"""The four pictures that most lessons share: curves, a matrix, a mosaic of images, a small network.

Each function draws into the Axes it is given, or into a new figure, and returns the Axes, so anything more is plain
Matplotlib. No picture needs colour to be understood: runs differ by line style and marker, too, cells and circles
carry their numbers, and negative weights are dashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from toolkit import scratch
from toolkit.errors import InvalidValueError, ShapeError

__all__ = ["curves", "images", "matrix", "network"]

# Okabe and Ito's colours, which people with a colour vision deficiency can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LINES = ("-", "--", "-.", ":")
_MARKERS = "osD^vXP"


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax`` itself, or the Axes of a new figure of ``width × height`` inches."""
    return ax if ax is not None else plt.subplots(figsize=(width, height), layout="constrained")[1]


def _short(number: float) -> str:
    """Three significant digits with a true minus sign: ``−0.25``."""
    return f"{number:.3g}".replace("-", "−")


# ---------------------------------------------------------------------- curves


def curves(
    runs: Mapping[str, Sequence[float] | scratch.History],
    *,
    measure: str = "loss",
    ax: Axes | None = None,
    log: bool = False,
    xlabel: str = "epoch",
    ylabel: str | None = None,
    title: str | None = None,
) -> Axes:
    """Draws one curve for each run, the first value at 1.

    Args:
        runs: name of each curve → its values, or a history with a dict ``.history`` (scratch's or Keras's).
        measure: which list of a history to draw, e.g. ``"val_accuracy"``.
        ax: where to draw; a new figure if None.
        log: logarithmic vertical axis.
        xlabel: what one value stands for.
        ylabel: what the values are; ``measure`` if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        InvalidValueError: there is no run, a history has no such measure, or ``log`` meets a value ≤ 0.
        ShapeError: the values of a run are not one row of numbers.
    """
    if not runs:
        raise InvalidValueError("plots.curves", "at least one run", "none")
    values = {name: _run_values(name, run, measure) for name, run in runs.items()}
    for name, v in values.items():
        if log and (v <= 0).any():
            received = f"{v.min():g} in {name!r}"
            raise InvalidValueError("plots.curves", "values above 0 with log=True", received, "Draw with log=False.")
    ax = _axes(ax, 6.4, 3.6)
    for (name, v), colour, line, marker in zip(values.items(), cycle(_COLOURS), cycle(_LINES), cycle(_MARKERS)):
        few = len(v) <= 30  # more markers would hide the curve
        steps = np.arange(1, len(v) + 1)
        ax.plot(steps, v, color=colour, linestyle=line, marker=marker if few else None, markersize=4, label=name)
    ax.set(xlabel=xlabel, ylabel=measure.replace("_", " ") if ylabel is None else ylabel, title=title or "")
    if log:
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _run_values(name: str, run: Sequence[float] | scratch.History, measure: str) -> np.ndarray:
    history = getattr(run, "history", None)
    if isinstance(history, Mapping):
        if measure not in history:
            known = ", ".join(history)
            raise InvalidValueError(f"plots.curves, run {name!r}", f"measure as one of {known}", repr(measure))
        run = history[measure]
    values = np.asarray(run, dtype=float)
    if values.ndim != 1 or values.size == 0:
        raise ShapeError(f"plots.curves, run {name!r}", "values of shape (steps,), not empty", f"shape {values.shape}")
    return values


# ---------------------------------------------------------------------- matrix

_MOST_ROWS, _MOST_COLUMNS = 16, 12  # of a matrix whose numbers are still readable


def matrix(
    values: ArrayLike,
    *,
    ax: Axes | None = None,
    title: str = "",
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    fmt: str = ".2f",
    numbers: bool | None = None,
) -> Axes:
    """Draws a matrix as a heat map: red above 0, blue below, white at 0.

    Args:
        values: ``(rows, columns)``, or a vector ``(columns,)``, drawn as one row.
        ax: where to draw; a new figure if None.
        title: what is to be seen.
        rows: name of each row; its number if None.
        columns: name of each column; its number if None.
        fmt: how a number is written.
        numbers: whether each cell carries its number; None writes them where they fit, and draws a colour
            bar where not.

    Returns:
        The Axes.

    Raises:
        ShapeError: ``values`` is not a matrix, or there are not as many names as rows or columns.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim == 1:
        values = values[np.newaxis]
    if values.ndim != 2 or values.size == 0:
        raise ShapeError("plots.matrix", "values of shape (rows, columns), not empty", f"shape {values.shape}")
    n_rows, n_columns = values.shape
    for kind, names, n in (("rows", rows, n_rows), ("columns", columns, n_columns)):
        if names is not None and len(names) != n:
            raise ShapeError("plots.matrix", f"{n} names of {kind}", f"{len(names)}")
    if numbers is None:
        numbers = n_rows <= _MOST_ROWS and n_columns <= _MOST_COLUMNS
    ax = _axes(ax, min(1.6 + 0.62 * n_columns, 8), min(1.0 + 0.5 * n_rows, 6))
    finite = np.abs(values[np.isfinite(values)])
    limit = finite.max() if finite.size and finite.max() > 0 else 1.0
    lengthy = max(n_rows, n_columns) > 4 * min(n_rows, n_columns) and not numbers
    picture = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto" if lengthy else "equal")
    if numbers:
        for (i, j), value in np.ndenumerate(values):
            dark = np.isfinite(value) and abs(value) > 0.6 * limit
            text = format(value, fmt).replace("-", "−")
            ax.text(j, i, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    else:
        ax.figure.colorbar(picture, ax=ax)
    _name_ticks(ax.set_xticks, columns, n_columns, _MOST_COLUMNS)
    _name_ticks(ax.set_yticks, rows, n_rows, _MOST_ROWS)
    ax.tick_params(length=0)
    ax.set_title(title)
    return ax


def _name_ticks(set_ticks: object, names: Sequence[str] | None, n: int, most: int) -> None:
    if names is not None or n <= most:
        set_ticks(range(n), labels=names if names is not None else map(str, range(n)))


# ---------------------------------------------------------------------- images


def images(
    images: ArrayLike,
    *,
    titles: Sequence[object] | None = None,
    columns: int = 8,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws images side by side as one mosaic, each with a small caption above it.

    Args:
        images: ``(N, H, W)``, ``(N, H, W, 1)`` or, in colour, ``(N, H, W, 3)``; floats in [0, 1] or bytes 0 to 255.
            In grey images a larger number is brighter.
        titles: a caption for each image.
        columns: images in one row.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: the images have another shape, or there are not as many captions as images.
        InvalidValueError: a value lies outside the range, or ``columns`` is not a positive integer.
    """
    pixels = _unit_pixels(np.asarray(images))
    n, height, width, _ = pixels.shape
    if titles is not None and len(titles) != n:
        raise ShapeError("plots.images", f"{n} titles, one for each image", f"{len(titles)}")
    if isinstance(columns, bool) or not isinstance(columns, int | np.integer) or columns < 1:
        raise InvalidValueError("plots.images", "columns as a positive integer", repr(columns))
    across = min(columns, n)
    down = -(-n // across)
    gap = max(1, round(0.08 * width))
    caption = 0 if titles is None else max(1, round(0.3 * height))
    canvas = np.ones((down * (height + gap + caption), across * (width + gap), 3))
    ax = _axes(ax, min(across * 1.0, 8), min(1.0, 8 / across) * down * (1.25 if caption else 1.0) + 0.4)
    for k, image in enumerate(pixels):
        top, left = (k // across) * (height + gap + caption) + caption, (k % across) * (width + gap)
        canvas[top : top + height, left : left + width] = image
        if titles is not None:
            middle = left + (width - 1) / 2
            ax.text(middle, top - 0.5 - 0.06 * height, str(titles[k]), ha="center", va="bottom", fontsize=9)
    ax.imshow(canvas, interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)
    return ax


def _unit_pixels(pixels: np.ndarray) -> np.ndarray:
    """``(N, H, W, 1 or 3)`` with values in [0, 1]."""
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3) or pixels.size == 0:
        raise ShapeError(
            "plots.images",
            "images of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), not empty",
            f"shape {pixels.shape}",
            "Rows of pixels need their height and width again, such as x.reshape(-1, 28, 28); "
            "one image is a batch of one: image[np.newaxis].",
        )
    highest = 255 if pixels.dtype.kind in "iu" else 1
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= highest):  # also refuses NaN
        raise InvalidValueError(
            "plots.images",
            f"values from 0 to {highest} in images of {pixels.dtype}",
            f"values from {low:g} to {high:g}",
            "Scale them first, or cut them off with np.clip(images, 0, 1).",
        )
    return pixels / highest


# ---------------------------------------------------------------------- network

_MOST_UNITS = 7  # circles that one layer gets; of a larger layer the first and the last are drawn
_MOST_NUMBERED = 3  # units on both sides up to which each line carries its weight
_RADIUS = 0.42
_COLUMN, _SPACING = 3.4, 1.5  # leaves room for a name above and a bias below each circle


def network(
    sizes: Sequence[int],
    *,
    values: Sequence[ArrayLike | None] | None = None,
    weights: Sequence[ArrayLike] | None = None,
    labels: Sequence[Sequence[str] | None] | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws a small dense network: one column of circles for each layer, a line for each weight.

    Solid lines are positive weights, dashed ones negative; the larger the weight, the thicker its line.

    Args:
        sizes: units of each layer, the inputs first: ``(2, 2, 2)``.
        values: the number in each circle, an array ``(units,)`` for each layer; None, or a shorter list, leaves
            circles empty, so that a picture can be filled in step by step.
        weights: as from ``get_weights()``: each ``W (D, M)``, followed by its ``b (M,)`` where it has one. Biases are
            written under their circles.
        labels: names of the units of each layer, None for a layer without names.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: sizes, values, weights and labels do not fit each other.
    """
    where = "plots.network"
    sizes = [int(size) for size in sizes]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ShapeError(where, "the sizes of at least two layers, each at least 1", f"{tuple(sizes)}")
    numbers = _by_layer("values", values, sizes, lambda row: np.asarray(row, dtype=float).reshape(-1))
    names = _by_layer("labels", labels, sizes, list)
    kernels, biases = _split_weights(weights, sizes)
    most = max(min(size, _MOST_UNITS) for size in sizes)
    ax = _axes(ax, 1.0 + 2.5 * (len(sizes) - 1), min(0.7 + 1.1 * most, 5.5))
    places = [_places(size, x=_COLUMN * k) for k, size in enumerate(sizes)]
    for k, kernel in enumerate(kernels):
        _draw_weights(ax, places[k], places[k + 1], kernel)
    for k, size in enumerate(sizes):
        for unit, (x, y) in places[k].items():
            number = None if numbers[k] is None else _short(numbers[k][unit])
            name = None if names[k] is None else names[k][unit]
            bias = None if biases[k] is None else f"$b$ = {_short(biases[k][unit])}"
            _draw_unit(ax, x, y, number, name, bias)
        if size > len(places[k]):
            _draw_left_out(ax, size, places[k])
    ax.set_aspect("equal")
    ax.set_axis_off()
    # Names and biases are text, which Matplotlib's own limits leave out.
    ax.set_xlim(-0.9, _COLUMN * (len(sizes) - 1) + 0.9)
    ax.set_ylim(-_SPACING * most / 2 - 0.15, _SPACING * most / 2 + 0.15)
    ax.set_title(title)
    return ax


def _by_layer(kind: str, given: Sequence | None, sizes: list[int], convert: object) -> list:
    """One entry for each layer, None where nothing was given; checks the lengths."""
    given = [] if given is None else list(given)
    if len(given) > len(sizes):
        raise ShapeError("plots.network", f"{kind} for at most {len(sizes)} layers", f"{len(given)}")
    entries = [None if row is None else convert(row) for row in given]
    for k, row in enumerate(entries):
        if row is not None and len(row) != sizes[k]:
            raise ShapeError("plots.network", f"{sizes[k]} {kind} for layer {k}", f"{len(row)}")
    return entries + [None] * (len(sizes) - len(entries))


def _split_weights(weights: Sequence[ArrayLike] | None, sizes: list[int]) -> tuple[list, list]:
    """A kernel or None for each gap between layers, and a bias or None for each layer."""
    where, layers = "plots.network", len(sizes) - 1
    kernels, biases = [None] * layers, [None] * len(sizes)
    if weights is None:
        return kernels, biases
    gap = -1  # between the layers `gap` and `gap + 1`
    for array in map(np.asarray, weights):
        gap += array.ndim == 2
        if not 0 <= gap < layers:
            raise ShapeError(
                where, f"{layers} kernels W (D, M), each before its b (M,)", f"shape {array.shape} too many"
            )
        D, M = sizes[gap], sizes[gap + 1]
        if array.shape not in ((D, M), (M,)):
            raise ShapeError(where, f"W {(D, M)} or b {(M,)} for layer {gap + 1}", f"shape {array.shape}")
        if array.ndim == 2:
            kernels[gap] = array
        else:
            biases[gap + 1] = array
    if gap < layers - 1:
        raise ShapeError(where, f"{layers} kernels W (D, M)", f"{gap + 1}")
    return kernels, biases


def _places(size: int, x: float) -> dict[int, tuple[float, float]]:
    """Centre of each drawn unit; of a layer that is too large the first four and the last two, with a gap."""
    if size <= _MOST_UNITS:
        return {unit: (x, _SPACING * ((size - 1) / 2 - unit)) for unit in range(size)}
    shown = [*range(_MOST_UNITS - 3), None, size - 2, size - 1]
    rows = {unit: (x, _SPACING * ((_MOST_UNITS - 1) / 2 - row)) for row, unit in enumerate(shown)}
    del rows[None]
    return rows


def _draw_weights(ax: Axes, starts: dict, ends: dict, kernel: np.ndarray | None) -> None:
    numbered = kernel is not None and max(kernel.shape) <= _MOST_NUMBERED
    largest = 1.0 if kernel is None else max(np.abs(kernel).max(), 1e-12)
    box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    for i, (x0, y0) in starts.items():
        for j, (x1, y1) in ends.items():
            if kernel is None:
                ax.plot([x0, x1], [y0, y1], color="#999999", linewidth=0.8, zorder=1)
                continue
            weight = kernel[i, j]
            line, colour = ("-", _COLOURS[0]) if weight >= 0 else ((0, (4, 2)), _COLOURS[1])
            width = 0.4 + 2.0 * abs(weight) / largest
            ax.plot([x0, x1], [y0, y1], color=colour, linestyle=line, linewidth=width, zorder=1)
            if numbered:
                # A quarter of the way along, the lines of neighbours have not yet crossed.
                x, y = x0 + 0.25 * (x1 - x0), y0 + 0.25 * (y1 - y0)
                ax.text(x, y, _short(weight), ha="center", va="center", fontsize=9, color=colour, bbox=box, zorder=2)


def _draw_unit(ax: Axes, x: float, y: float, number: str | None, name: str | None, bias: str | None) -> None:
    filled = "#FFF4CC" if number is not None else "white"
    ax.add_patch(plt.Circle((x, y), _RADIUS, facecolor=filled, edgecolor="black", linewidth=1.2, zorder=3))
    inside, above = (name, None) if number is None else (number, name)
    if inside is not None:
        ax.text(x, y, inside, ha="center", va="center", fontsize=10, zorder=4)
    if above is not None:
        ax.text(x, y + _RADIUS + 0.06, above, ha="center", va="bottom", fontsize=10, zorder=4)
    if bias is not None:
        ax.text(x, y - _RADIUS - 0.06, bias, ha="center", va="top", fontsize=9, zorder=4)


def _draw_left_out(ax: Axes, size: int, places: dict[int, tuple[float, float]]) -> None:
    """Dots in the gap of a large layer, and how many units it has."""
    (x, _), (_, above), (_, below) = next(iter(places.values())), places[_MOST_UNITS - 4], places[size - 2]
    ax.text(x, (above + below) / 2, "⋮", ha="center", va="center", fontsize=16)
    ax.text(x, min(y for _, y in places.values()) - _RADIUS - 0.1, f"{size} units", ha="center", va="top", fontsize=9)
