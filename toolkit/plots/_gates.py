"""What the gates of a recurrent layer did, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from toolkit import scratch
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._style import COLOURS, LINES, MARKERS, axes, short, take_literally

_WHERE = "plots.gates"
_NAMES = {
    "i": "input gate i",
    "f": "forget gate f",
    "o": "output gate o",
    "z": "update gate z",
    "r": "reset gate r",
    "g": "candidate g",
    "c": "cell c",
    "h": "output h",
}
_MOST_WORDS = 40  # time steps that can each carry their word


def gates(
    gates: Mapping[str, ArrayLike] | scratch.Layer | Any,
    *,
    sample: int = 0,
    unit: int | None = None,
    steps: Sequence[str] | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws the gates and states of an LSTM, GRU or simple RNN over time.

    For one unit, a curve for each gate. For all units, a block for each gate, with a row for each unit: the brighter,
    the higher; beside each block stands what is brightest and darkest, 1 and 0 where all values are shares. Padded
    steps (NaN) stay white.

    Args:
        gates: a layer of scratch after ``forward``, or the dict of its ``gates``: name → ``(T, M)`` or ``(N, T, M)``.
        sample: which of the N samples.
        unit: which of the M units; None draws all.
        steps: what each of the T steps is, such as the words of a sentence.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: the gates are not all of one shape ``(T, M)``, or there are not as many names as steps.
        InvalidValueError: there is no gate, or no such sample or unit.
        CallOrderError: the layer had no forward pass yet.
    """
    values = _select(gates if isinstance(gates, Mapping) else getattr(gates, "gates", None), sample)
    T, M = next(iter(values.values())).shape
    if unit is not None and not 0 <= unit < M:
        raise InvalidValueError(_WHERE, f"a unit from 0 to {M - 1}", repr(unit))
    if steps is not None and len(steps) != T:
        raise ShapeError(_WHERE, f"{T} steps, one for each time step", f"{len(steps)}")
    if unit is None:
        ax = _draw_blocks(axes(ax, 6.4, min(0.9 + 0.9 * len(values), 6.4)), values)
    else:
        ax = _draw_curves(axes(ax, 6.4, 3.8), {name: v[:, unit] for name, v in values.items()})
    if steps is not None and T <= _MOST_WORDS:
        ax.set_xticks(range(1, T + 1), labels=map(str, steps), rotation=90 if max(map(len, map(str, steps))) > 2 else 0)
        take_literally(ax.get_xticklabels())
    else:
        ax.set_xlabel("time step")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title)
    return ax


def _select(gates: Mapping[str, ArrayLike] | None, sample: int) -> dict[str, np.ndarray]:
    """The ``(T, M)`` of one sample, by name; checks that all have one shape."""
    if not gates:
        raise InvalidValueError(_WHERE, "a layer with gates, or a dict of them", "none")
    values = {}
    for name, array in gates.items():
        array = np.asarray(array, dtype=float)
        if array.ndim == 3:
            if not 0 <= sample < len(array):
                raise InvalidValueError(_WHERE, f"a sample from 0 to {len(array) - 1}", repr(sample))
            array = array[sample]
        values[name] = array
    shapes = {array.shape for array in values.values()}
    if len(shapes) > 1 or any(len(shape) != 2 or 0 in shape for shape in shapes):
        received = ", ".join(f"{name} {array.shape}" for name, array in values.items())
        raise ShapeError(_WHERE, "gates of one shape (T, M), or (N, T, M), not empty", received)
    return values


def _range(values: np.ndarray) -> tuple[float, float]:
    """0 to 1 for shares, else symmetric about 0."""
    finite = values[np.isfinite(values)]
    if finite.size == 0 or (finite.min() >= 0 and finite.max() <= 1):
        return 0.0, 1.0
    limit = np.abs(finite).max()
    return -limit, limit


def _draw_blocks(ax: Axes, values: Mapping[str, np.ndarray]) -> Axes:
    T, M = next(iter(values.values())).shape
    gap = max(1, round(0.15 * M))
    colours = np.ones((len(values) * (M + gap) - gap, T, 3))
    middles = []
    for k, v in enumerate(values.values()):
        low, high = _range(v)
        top, known = k * (M + gap), np.isfinite(v.T)
        block = plt.get_cmap("viridis")(np.nan_to_num((v.T - low) / (high - low)))[..., :3]
        colours[top : top + M] = np.where(known[..., np.newaxis], block, 1)
        middles.append(top + (M - 1) / 2)
        text = f"bright {short(high)}\ndark {short(low)}"
        ax.text(1.01, middles[-1], text, transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.imshow(colours, aspect="auto", interpolation="nearest", extent=(0.5, T + 0.5, len(colours) - 0.5, -0.5))
    ax.set_yticks(middles, labels=[_NAMES.get(name, name).replace(" ", "\n", 1) for name in values])
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    return ax


def _draw_curves(ax: Axes, values: Mapping[str, np.ndarray]) -> Axes:
    for (name, v), colour, line, marker in zip(values.items(), cycle(COLOURS), cycle(LINES), cycle(MARKERS)):
        every = max(1, len(v) // 12)
        look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 4, "markevery": every}
        ax.plot(np.arange(1, len(v) + 1), v, label=_NAMES.get(name, name), **look)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    return ax
