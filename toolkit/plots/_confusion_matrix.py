"""Which classes a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._labels import as_labels, check_same_kind
from toolkit.plots._style import COLOURS, axes, take_literally, text_colour, tint

_WHERE = "plots.confusion_matrix"
_MOST_NUMBERED = 20  # classes whose numbers are still readable
_SHARES = {"true": "each true class", "pred": "each predicted class", "all": "all samples"}


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    classes: Sequence[object] | None = None,
    normalize: str | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws how often each true class (rows) was taken for each class (columns).

    Right answers lie on the diagonal and are blue, mistakes are orange; the darker, the more. Each has a scale of its
    own, so that a few mistakes show beside many right answers. Every cell carries its number, up to 20 classes.

    Args:
        y_true: the true classes ``(N,)``: integers or strings.
        y_pred: the predicted classes ``(N,)``.
        classes: of integers their names, that of class k at place k; of strings which to draw, in this order. None:
            all that occur, sorted.
        normalize: None draws counts; "true", "pred" and "all" percentages of the row, the column and all samples, as in
            scikit-learn. By "true", the diagonal is each class's recall; by "pred", its precision.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: the two are not one class for each sample.
        InvalidValueError: they are neither integers nor strings, a class is not among ``classes``, or ``normalize`` is
            unknown.
    """
    if normalize is not None and normalize not in _SHARES:
        raise InvalidValueError(_WHERE, f"normalize as None, {', '.join(_SHARES)}", repr(normalize))
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape or y_true.size == 0:
        remedy = "Of probabilities (N, C) take the most probable class: y_pred.argmax(axis=1)."
        received = f"shapes {y_true.shape} and {y_pred.shape}"
        raise ShapeError(_WHERE, "y_true and y_pred of shape (N,), not empty", received, remedy)
    y_true, y_pred = as_labels(y_true, "y_true", _WHERE), as_labels(y_pred, "y_pred", _WHERE)
    check_same_kind(y_true, y_pred, "y_true and y_pred", _WHERE)
    labels, names = _labels(y_true, y_pred, classes)
    counts = _count(y_true, y_pred, labels)
    shares = _normalized(counts, normalize)

    C = len(names)
    side = min(max(0.5 * C, 1.5), 5.0)
    ax = axes(ax, min(side + 1.4, 6.4), side + 0.9)
    right, wrong = np.diag(shares).max(), (shares - np.diag(np.diag(shares))).max()
    strength = np.where(np.eye(C, dtype=bool), shares / max(right, 1e-12), shares / max(wrong, right / 10, 1e-12))
    colours = np.where(np.eye(C)[..., np.newaxis] > 0, tint(COLOURS[0], strength), tint(COLOURS[1], 0.8 * strength))
    ax.imshow(colours)
    if C <= _MOST_NUMBERED:
        size = 10 if C <= 10 else 7
        for (i, j), share in np.ndenumerate(shares):
            text, colour = _written(share, normalize), "#666666" if share == 0 else text_colour(colours[i, j])
            ax.text(j, i, text, ha="center", va="center", fontsize=size, color=colour)
    lengthy = sum(len(name) + 1 for name in names) * (0.085 if C <= 10 else 0.055) > side
    ax.set_xticks(range(C), labels=names, rotation=45 if lengthy else 0, ha="right" if lengthy else "center")
    ax.set_yticks(range(C), labels=names)
    take_literally([*ax.get_xticklabels(), *ax.get_yticklabels()])
    ax.tick_params(length=0, labelsize=9 if C <= 10 else 7)
    ax.spines[:].set_visible(False)
    xlabel = "predicted" if normalize is None else f"predicted (% of {_SHARES[normalize]})"
    if C > _MOST_NUMBERED:
        xlabel += f"; darkest: {_written(right, normalize)} right, {_written(wrong, normalize)} wrong"
    ax.set(xlabel=xlabel, ylabel="true", title=title)
    return ax


def _labels(y_true: np.ndarray, y_pred: np.ndarray, classes: Sequence[object] | None) -> tuple[np.ndarray, list[str]]:
    """The labels in the order in which they are drawn, and their names."""
    present = np.unique(np.concatenate([y_true, y_pred]))
    if classes is None:
        return present, [str(label) for label in present]
    names = [str(name) for name in classes]
    numbered = present.dtype.kind in "iub" and any(isinstance(name, str) for name in classes)
    labels = np.arange(len(names)) if numbered else as_labels(classes, "classes", _WHERE)
    unknown = [label for label in present.tolist() if label not in labels.tolist()]
    if unknown:
        raise InvalidValueError(_WHERE, f"labels among the {len(names)} classes {', '.join(names)}", repr(unknown[0]))
    return labels, names


def _count(y_true: np.ndarray, y_pred: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(C, C)``: samples of each true class (rows) with each predicted class (columns)."""
    order = np.argsort(labels)
    true, predicted = (order[np.searchsorted(labels, y, sorter=order)] for y in (y_true, y_pred))
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    return counts


def _normalized(counts: np.ndarray, normalize: str | None) -> np.ndarray:
    """The counts, or shares in [0, 1]; 0 in the row or column of a class that does not occur."""
    if normalize is None:
        return counts
    total = counts.sum(axis={"true": 1, "pred": 0, "all": None}[normalize], keepdims=True)
    return counts / np.maximum(total, 1)


def _written(share: float, normalize: str | None) -> str:
    if normalize is None:
        return str(share)
    percent = 100 * share
    return "<1" if 0 < percent < 0.5 else f"{percent:.0f}"
