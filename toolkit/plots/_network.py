"""A small dense network: circles and lines."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from toolkit.errors import ShapeError
from toolkit.plots._style import COLOURS, axes, short

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
    ax = axes(ax, 1.0 + 2.5 * (len(sizes) - 1), min(0.7 + 1.1 * most, 5.5))
    places = [_places(size, x=_COLUMN * k) for k, size in enumerate(sizes)]
    for k, kernel in enumerate(kernels):
        _draw_weights(ax, places[k], places[k + 1], kernel)
    for k, size in enumerate(sizes):
        for unit, (x, y) in places[k].items():
            number = None if numbers[k] is None else short(numbers[k][unit])
            name = None if names[k] is None else names[k][unit]
            bias = None if biases[k] is None else f"$b$ = {short(biases[k][unit])}"
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
            line, colour = ("-", COLOURS[0]) if weight >= 0 else ((0, (4, 2)), COLOURS[1])
            width = 0.4 + 2.0 * abs(weight) / largest
            ax.plot([x0, x1], [y0, y1], color=colour, linestyle=line, linewidth=width, zorder=1)
            if numbered:
                # A quarter of the way along, the lines of neighbours have not yet crossed.
                x, y = x0 + 0.25 * (x1 - x0), y0 + 0.25 * (y1 - y0)
                ax.text(x, y, short(weight), ha="center", va="center", fontsize=9, color=colour, bbox=box, zorder=2)


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
