"""Where attention looks: a heat map of a sentence, and the sentence itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._style import COLOURS, axes, take_literally, text_colour, tint

_MOST_NUMBERED = 12  # keys whose weights are still readable as numbers


def attention(
    weights: ArrayLike,
    query_tokens: Sequence[str],
    key_tokens: Sequence[str] | None = None,
    *,
    unit: str = "word",
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws the weights of attention as a heat map: each query is a row, and its weights of the keys sum to 1.

    Args:
        weights: ``(Tq, Tk)``: of one sample and one head, such as ``layer.attention_scores[0, head]``.
        query_tokens: the Tq words that look.
        key_tokens: the Tk words that are looked at; the same if None (self-attention).
        unit: what a token is, for the axis: "word", "character", …
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes. Up to 12 keys, the cells carry their weights in percent; beyond, a colour bar says them.

    Raises:
        ShapeError: ``weights`` is no matrix, or has not as many rows and columns as there are words.
        InvalidValueError: a weight is negative or not a number.
    """
    weights = _check_weights("plots.attention", weights, 2)
    key_tokens = query_tokens if key_tokens is None else key_tokens
    Tq, Tk = weights.shape
    for name, tokens, size in (("query_tokens", query_tokens, Tq), ("key_tokens", key_tokens, Tk)):
        if len(tokens) != size:
            expected, remedy = f"{size} {name} for weights of shape {weights.shape}", "Cut padding off the weights."
            raise ShapeError("plots.attention", expected, f"{len(tokens)}", remedy)
    numbered = max(Tq, Tk) <= _MOST_NUMBERED
    cell = 0.42 if numbered else max(0.12, 4.6 / max(Tq, Tk))
    ax = axes(ax, min(1.8 + cell * Tk + 0.8 * (not numbered), 6.4), min(1.6 + cell * Tq, 6.4))
    even = min(1, 2 / Tk)  # attention spread evenly is drawn half dark, not darkest
    picture = ax.imshow(weights, cmap="Blues", vmin=0, vmax=max(weights.max(), even))
    if numbered:
        for (i, j), weight in np.ndenumerate(weights):
            colour = text_colour(picture.to_rgba(weight))
            ax.text(j, i, f"{100 * weight:.0f}", ha="center", va="center", fontsize=9, color=colour)
    else:
        ax.figure.colorbar(picture, ax=ax, label="weight", shrink=0.8)
    size = 10 if numbered else min(9, 72 * cell)
    upright = max(len(str(token)) for token in key_tokens) <= (3 if numbered else 1)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xticks(range(Tk), labels=map(str, key_tokens), rotation=0 if upright else 90, fontsize=size)
    ax.set_yticks(range(Tq), labels=map(str, query_tokens), fontsize=size)
    take_literally([*ax.get_xticklabels(), *ax.get_yticklabels()])
    ax.tick_params(length=0)
    ax.spines[:].set_color("#BBBBBB")
    ax.set(xlabel=f"… looks at{' (weights in %)' if numbered else ''}", ylabel=f"each {unit} …", title=title)
    return ax


# ---------------------------------------------------------------------- one line of text

_SIZE = 12  # of the words, in points
_LINE = 40  # from one line to the next, in points
_BAR = 8  # height of the bar under the word with the largest weight, in points


def attention_text(
    tokens: Sequence[str], weights: ArrayLike, *, width: float = 6.4, ax: Axes | None = None, title: str = ""
) -> Axes:
    """Writes a text with each word as dark as its weight; a bar below the word says the same without colour.

    Args:
        tokens: the T words, without those that only fill up a batch.
        weights: ``(T,)``: one row of attention, or a word's part in a decision; none negative. The largest is darkest.
        width: of the line, in inches; a longer text goes on in the next line.
        ax: where to draw; a new figure of this width if None.
        title: what is to be seen.

    Returns:
        The Axes, its units are points.

    Raises:
        ShapeError: there are not as many weights as words.
        InvalidValueError: a weight is negative or not a number.
    """
    weights = _check_weights("plots.attention_text", weights, 1)
    tokens = [str(token) for token in tokens]
    if len(tokens) != len(weights):
        raise ShapeError("plots.attention_text", f"{len(tokens)} weights, one for each token", f"{len(weights)}")
    right_end = 72 * width - 12
    places, lines = _set_lines(tokens, right_end)
    ax = axes(ax, width, lines * _LINE / 72 + (0.6 if title else 0.25))
    shares = weights / max(weights.max(), 1e-12)
    for token, weight, share, (left, line, length) in zip(tokens, weights, shares, places):
        colour, bottom = tint(COLOURS[0], share), -line * _LINE
        ax.add_patch(Rectangle((left, bottom), length, 20, facecolor=colour, edgecolor="none"))
        ax.add_patch(Rectangle((left, bottom - 2), length, -_BAR * share, facecolor="#444444", edgecolor="none"))
        middle = left + length / 2
        word = ax.text(middle, bottom + 6, token, ha="center", fontsize=_SIZE, color=text_colour(colour))
        take_literally([word])
        if share == 1:
            ax.text(middle, bottom - _BAR - 4, f"{weight:.2f}", ha="center", va="top", fontsize=8)
    ax.set_aspect("equal", adjustable="box", anchor="W")
    ax.set_xlim(0, max(right_end, max(left + length for left, _, length in places)))
    ax.set_ylim(-(lines - 1) * _LINE - 22, 24)
    ax.set_axis_off()
    ax.set_title(title, pad=8)
    return ax


def _set_lines(tokens: Sequence[str], right_end: float) -> tuple[list[tuple[float, int, float]], int]:
    """Left end, line and length of each word, in points, and the number of lines."""
    font, places, left, line = FontProperties(size=_SIZE), [], 0.0, 0
    for token in tokens:
        length = text_to_path.get_text_width_height_descent(token or " ", font, ismath=False)[0] + 6
        if left > 0 and left + length > right_end:
            left, line = 0.0, line + 1
        places.append((left, line, length))
        left += length + 2
    return places, line + 1


def _check_weights(where: str, weights: ArrayLike, ndim: int) -> np.ndarray:
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != ndim or weights.size == 0:
        remedy = "Take one sample and one head: layer.attention_scores[0, head]." if weights.ndim > 2 else ""
        expected = "weights of shape (T,)" if ndim == 1 else "weights of shape (Tq, Tk)"
        raise ShapeError(where, f"{expected}, not empty", f"shape {weights.shape}", remedy)
    wrong = weights[~((weights >= 0) & (weights < np.inf))]  # also NaN
    if wrong.size:
        raise InvalidValueError(where, "finite weights of at least 0", f"a weight of {wrong[0]:g}")
    return weights
