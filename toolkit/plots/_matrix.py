"""A matrix as a heat map with its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from toolkit.errors import ShapeError
from toolkit.plots._style import axes

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
    ax = axes(ax, min(1.6 + 0.62 * n_columns, 8), min(1.0 + 0.5 * n_rows, 6))
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
