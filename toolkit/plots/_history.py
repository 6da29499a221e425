"""The course of one training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit import scratch
from toolkit.errors import InvalidValueError
from toolkit.plots._style import COLOURS, axes

_WHERE = "plots.history"


def history(
    run: scratch.History | Mapping[str, Sequence[float]] | Any,
    *,
    ax: Axes | None = None,
    log: bool = False,
    title: str = "",
) -> Axes:
    """Draws loss (left axis) and accuracy (right axis) of one run over its epochs.

    Loss has circles and accuracy triangles; training is solid, validation dashed and hollow. A dotted line marks the
    best epoch: the run's own ``best_epoch``, or else the one with the lowest validation loss.

    Args:
        run: what ``fit`` returned, of scratch, Keras or toolkit.training, or its dict ``history``.
        ax: where to draw; a new figure if None.
        log: logarithmic loss.
        title: what is to be seen.

    Returns:
        The Axes of the loss; where there is an accuracy, its Axes lies upon it, the last of ``ax.figure.axes``.

    Raises:
        InvalidValueError: there is no history or no loss in it, or ``log`` meets a loss ≤ 0.
    """
    measures = getattr(run, "history", run)
    if not isinstance(measures, Mapping) or not len(measures.get("loss", ())):
        received = ", ".join(map(str, measures)) or "no epoch" if isinstance(measures, Mapping) else type(run).__name__
        raise InvalidValueError(_WHERE, "a history with a loss", received)
    lowest = min(np.min(measures[name]) for name in ("loss", "val_loss") if name in measures)
    if log and not lowest > 0:
        raise InvalidValueError(_WHERE, "losses above 0 with log=True", f"{lowest:g}", "Draw with log=False.")
    accuracy = next((name for name in measures if name.endswith(("accuracy", "acc")) and name[:4] != "val_"), None)

    ax = axes(ax, 6.4, 3.8)
    handles = _draw(ax, measures, "loss", COLOURS[0], "o")
    ax.set(xlabel="epoch", ylabel="loss", title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    if log:
        ax.set_yscale("log")
    best = getattr(run, "best_epoch", None)
    if best is None and np.isfinite(measures.get("val_loss", np.nan)).any():
        best = int(np.nanargmin(measures["val_loss"])) + 1
    if accuracy is not None:
        right = ax.twinx()
        handles += _draw(right, measures, accuracy, COLOURS[1], "^")
        right.set_ylabel(f"{accuracy.replace('_', ' ')} ▲")
        ax.set_ylabel("loss ●")
    if best is not None:
        handles.append(ax.axvline(best, color="black", linestyle=":", linewidth=1.2, label=f"best epoch: {best}"))
    columns = 3 if ax.get_window_extent().width > 4 * ax.figure.dpi else 1
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "borderaxespad": 4.2}  # clear of the axis's label
    ax.legend(handles=handles, ncols=columns, frameon=False, fontsize=9, **below)
    return ax


def _draw(ax: Axes, measures: Mapping[str, Sequence[float]], name: str, colour: str, marker: str) -> list:
    """Training, solid and filled, and validation, dashed and hollow."""
    lines = []
    for key, part, line, face in ((name, "training", "-", colour), (f"val_{name}", "validation", "--", "white")):
        if key in measures:
            values = np.asarray(measures[key], dtype=float)
            look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 5, "markerfacecolor": face}
            label = f"{name.replace('_', ' ')}, {part}"
            every = max(1, len(values) // 12)
            lines += ax.plot(np.arange(1, len(values) + 1), values, markevery=every, label=label, **look)
    return lines
