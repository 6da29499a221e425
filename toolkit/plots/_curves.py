"""Measures over time: one curve for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from toolkit import scratch
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._style import COLOURS, LINES, MARKERS, axes


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
    ax = axes(ax, 6.4, 3.6)
    for (name, v), colour, line, marker in zip(values.items(), cycle(COLOURS), cycle(LINES), cycle(MARKERS)):
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
