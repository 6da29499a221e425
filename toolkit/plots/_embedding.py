"""Vectors of many dimensions as points of a plane."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patheffects import withStroke
from matplotlib.textpath import text_to_path
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._style import COLOURS, MARKERS, axes, take_literally

_WHERE = "plots.embedding"
_MOST_NAMED = 60  # points that all carry their name


def embedding(
    vectors: ArrayLike,
    labels: Sequence[object] | None = None,
    *,
    method: str = "pca",
    highlight: Collection[object] = (),
    classes: Sequence[object] | None = None,
    seed: int = 0,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws vectors as points in two dimensions, such that close vectors come to lie close together.

    Args:
        vectors: ``(N, D)``: the rows of an embedding, or what a network makes of N samples.
        labels: the names of the points, such as words. Up to 60 are all written; of more only those in ``highlight``.
        method: "pca" projects onto the two directions of largest variance, and distances keep their meaning. "tsne"
            keeps neighbours together, but distances between groups mean nothing; some seconds for 1,000 points.
        highlight: the labels of points that are ringed and named.
        classes: of each point, which then has its class's colour and marker.
        seed: fixes t-SNE.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: ``vectors`` is not ``(N ≥ 3, D ≥ 2)``, or there are not as many labels or classes as vectors.
        InvalidValueError: a value is not a number, ``method`` is unknown, or a word to highlight is no label.
    """
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or len(vectors) < 3 or vectors.shape[1] < 2:
        raise ShapeError(_WHERE, "vectors of shape (N, D) with N ≥ 3 and D ≥ 2", f"shape {vectors.shape}")
    for kind, given in (("labels", labels), ("classes", classes)):
        if given is not None and len(given) != len(vectors):
            raise ShapeError(_WHERE, f"{len(vectors)} {kind}, one for each vector", f"{len(given)}")
    if not np.isfinite(vectors).all():
        raise InvalidValueError(_WHERE, "vectors without NaN or infinity", "some")
    names = [] if labels is None else [str(label) for label in labels]
    ringed = {str(word) for word in highlight}
    if ringed - set(names):
        raise InvalidValueError(_WHERE, "words to highlight among the labels", ", ".join(sorted(ringed - set(names))))

    points, axis_names = _project(vectors, method, seed)
    ax = axes(ax, 6.4, 4.8)
    _draw_points(ax, points, classes, crowded=len(points) > 300)
    chosen = [k for k, name in enumerate(names) if name in ringed]
    if chosen:
        ax.scatter(*points[chosen].T, s=70, facecolor="none", edgecolor="black", linewidth=1.4, zorder=4)
    ax.margins(0.08)
    ax.set(xlabel=axis_names[0], ylabel=axis_names[1], title=title)
    if method == "tsne":
        ax.set(xticks=[], yticks=[])
    else:
        ax.grid(alpha=0.3)
    named = chosen + [k for k in range(len(names)) if k not in chosen and len(names) <= _MOST_NAMED]
    _write_names(ax, points, names, named, set(chosen))
    return ax


def _project(vectors: np.ndarray, method: str, seed: int) -> tuple[np.ndarray, tuple[str, str]]:
    """The points ``(N, 2)`` and what their axes are."""
    # scikit-learn takes a second to import.
    if method == "pca":
        from sklearn.decomposition import PCA

        pca = PCA(2, svd_solver="full" if min(vectors.shape) <= 500 else "randomized", random_state=seed)
        points = pca.fit_transform(vectors)
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        return points, tuple(f"PCA {k} ({share:.0%} of the variance)" for k, share in enumerate(shares, start=1))
    if method == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(30.0, (len(vectors) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
        return points, ("t-SNE 1 (no unit)", "t-SNE 2 (no unit)")
    raise InvalidValueError(_WHERE, "method 'pca' or 'tsne'", repr(method))


def _draw_points(ax: Axes, points: np.ndarray, classes: Sequence[object] | None, crowded: bool) -> None:
    size = 8 if crowded else 22
    if classes is None:
        ax.scatter(*points.T, s=size, color=COLOURS[0], alpha=0.6 if crowded else 0.9, linewidth=0, zorder=3)
        return
    classes = np.asarray(classes)
    for name, colour, marker in zip(np.unique(classes), cycle(COLOURS), cycle(MARKERS)):
        chosen = points[classes == name]
        ax.scatter(*chosen.T, s=size, color=colour, marker=marker, linewidth=0, label=str(name), zorder=3)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9, markerscale=1 if not crowded else 2)


# ---------------------------------------------------------------------- names that do not lie on each other

_AROUND = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
_PLACES = [(distance, *side) for distance in (5, 18, 30) for side in _AROUND]  # a far name gets a line to its point
_ACROSS, _UP = {1: "left", 0: "center", -1: "right"}, {1: "bottom", 0: "center", -1: "top"}
_SIZE = 9


def _write_names(ax: Axes, points: np.ndarray, names: Sequence[str], named: Sequence[int], bold: set[int]) -> None:
    """Writes each name close to its point, where it covers no other name and no point, or as little as can be."""
    if not len(named):
        return
    ax.figure.draw_without_rendering()  # settles the layout
    to_points = 72 / ax.figure.dpi  # a point of print, 1/72 inch
    at = ax.transData.transform(points) * to_points
    x0, y0, x1, y1 = ax.bbox.extents * to_points
    far = 1e5
    outside = [(-far, -far, x0, far), (x1, -far, far, far), (-far, -far, far, y0), (-far, y1, far, far)]
    taken = outside + [(x - 3, y - 3, x + 3, y + 3) for x, y in at]
    for k in named:
        look = {"fontsize": _SIZE, "fontweight": "bold" if k in bold else "normal"}
        font = FontProperties(size=_SIZE, weight=look["fontweight"])
        width, height = text_to_path.get_text_width_height_descent(names[k] or " ", font, ismath=False)[0] + 2, 10.0
        boxes = []
        for distance, across, up in _PLACES:
            x, y = at[k] + (distance * across, distance * up)
            left, low = x - width * (1 - across) / 2, y - height * (1 - up) / 2
            boxes.append((left, low, left + width, low + height))
        best = int(np.argmin([_overlap(box, taken) + 2 * place[0] for box, place in zip(boxes, _PLACES)]))
        taken.append(boxes[best])
        distance, across, up = _PLACES[best]
        line = {"arrowstyle": "-", "linewidth": 0.6, "color": "#777777"} if distance > 5 else None
        place = {"xytext": (distance * across, distance * up), "textcoords": "offset points", "arrowprops": line}
        text = ax.annotate(names[k], points[k], ha=_ACROSS[across], va=_UP[up], zorder=5, **place, **look)
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        take_literally([text])


def _overlap(box: tuple[float, float, float, float], others: Sequence[tuple[float, float, float, float]]) -> float:
    """The area that ``box`` shares with ``others``."""
    left, low, right, high = np.asarray(others).T
    across = np.minimum(right, box[2]) - np.maximum(left, box[0])
    up = np.minimum(high, box[3]) - np.maximum(low, box[1])
    return float((across.clip(0) * up.clip(0)).sum())
