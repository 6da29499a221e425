"""What a classifier of two features answers everywhere in the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._labels import as_labels, check_same_kind
from toolkit.plots._style import COLOURS, MARKERS, axes, take_literally, tint

_WHERE = "plots.decision_regions"


def decision_regions(
    predict: Callable[[np.ndarray], ArrayLike] | Any,
    x: ArrayLike,
    y: ArrayLike,
    *,
    classes: Sequence[str] | None = None,
    features: tuple[str, str] = ("$x_1$", "$x_2$"),
    resolution: int = 200,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws the data, and behind them the class that a model gives to every point of the plane.

    Each class has its marker and its colour, and black lines part the regions. A point that the model gets wrong is
    hollow.

    Args:
        predict: a function of points ``(n, 2)``, or a model with ``predict``: it gives classes ``(n,)``,
            probabilities of yes ``(n,)`` or ``(n, 1)``, or a number for each class ``(n, C)``, the largest of which
            counts.
        x: the data ``(N, 2)``.
        y: their classes ``(N,)``: integers or strings; with probabilities or numbers, the integers 0 … C−1.
        classes: the names of the classes 0 … C−1.
        features: what the two axes are.
        resolution: points along each side of the grid on which the model is asked.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: ``x`` is not ``(N, 2)``, ``y`` not ``(N,)``, or the model's answers have another shape.
        InvalidValueError: classes are neither integers nor strings, or not of the kind that the model gives; a single
            output is not a probability; a class has no name.
    """
    x, y = np.asarray(x, dtype=float), as_labels(y, "y", _WHERE)
    if x.ndim != 2 or x.shape[1] != 2 or len(x) == 0 or y.shape != x.shape[:1]:
        raise ShapeError(_WHERE, "x of shape (N, 2) and y of shape (N,), not empty", f"{x.shape} and {y.shape}")
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * np.where(high > low, high - low, 1)
    across, up = (np.linspace(a, b, resolution) for a, b in zip(low - margin, high + margin))
    grid = np.stack(np.meshgrid(across, up), axis=-1)
    answers = _ask(predict, np.concatenate([grid.reshape(-1, 2), x]))
    regions, guesses = answers[: resolution**2].reshape(resolution, resolution), answers[resolution**2 :]
    check_same_kind(y, answers, "y and the model's answers", _WHERE)
    labels = np.unique(np.concatenate([np.unique(answers), y]))
    names = _names(labels, classes)

    ax = axes(ax, 5.4, 4.0)
    looks = dict(zip(labels.tolist(), zip(cycle(COLOURS), cycle(MARKERS))))
    background = np.ones((*regions.shape, 3))
    for label, (colour, _) in looks.items():
        background[regions == label] = tint(colour, 0.25)
    extent = (*across[[0, -1]], *up[[0, -1]])
    ax.imshow(background, extent=extent, origin="lower", aspect="auto", interpolation="nearest")
    for label, (colour, marker) in looks.items():
        inside = (regions == label).astype(float)
        if 0 < inside.mean() < 1:
            ax.contour(across, up, inside, levels=[0.5], colors="black", linewidths=0.8)
        for right in (True, False):
            chosen = x[(y == label) & ((guesses == label) == right)]
            face = colour if right else "white"
            ax.scatter(*chosen.T, s=26, marker=marker, facecolor=face, edgecolor="black", linewidth=0.7, zorder=3)
    _draw_legend(ax, names, list(looks.values()), bool((guesses != y).any()))
    ax.set(xlabel=features[0], ylabel=features[1], title=title, xlim=extent[:2], ylim=extent[2:])
    return ax


def _ask(predict: Any, points: np.ndarray) -> np.ndarray:
    """The class of each point."""
    answers = np.asarray(predict(points) if callable(predict) else predict.predict(points))
    if len(answers) != len(points) or answers.ndim not in (1, 2):
        expected = f"answers of shape ({len(points)},) or ({len(points)}, C)"
        raise ShapeError(_WHERE, expected, f"shape {answers.shape}")
    if answers.ndim == 2 and answers.shape[1] > 1:
        return answers.argmax(axis=1)
    answers = answers.reshape(-1)
    if answers.dtype.kind != "f":
        answers = as_labels(answers, "the model's answers", _WHERE)
        return answers.astype(int) if answers.dtype.kind == "b" else answers
    if not ((answers >= 0) & (answers <= 1)).all():
        received = f"values from {answers.min():g} to {answers.max():g}"
        raise InvalidValueError(_WHERE, "a single output as a probability in [0, 1]", received, "Apply the sigmoid.")
    return (answers > 0.5).astype(int)


def _names(labels: np.ndarray, classes: Sequence[str] | None) -> list[str]:
    if classes is None:
        return [str(label) for label in labels]
    numbers = range(len(classes))
    if any(label not in numbers for label in labels.tolist()):
        raise InvalidValueError(_WHERE, f"labels 0 to {len(classes) - 1}, as there are names", f"{labels.tolist()}")
    return [str(classes[label]) for label in labels]


def _draw_legend(ax: Axes, names: Sequence[str], looks: Sequence[tuple[str, str]], any_wrong: bool) -> None:
    point = {"linestyle": "none", "markersize": 6, "markeredgecolor": "black", "markeredgewidth": 0.7}
    handles = [
        Line2D([], [], marker=marker, markerfacecolor=colour, label=name, **point)
        for name, (colour, marker) in zip(names, looks)
    ]
    if any_wrong:
        handles.append(Line2D([], [], marker="o", markerfacecolor="white", label="hollow: wrong", **point))
    legend = ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    take_literally(legend.get_texts())
