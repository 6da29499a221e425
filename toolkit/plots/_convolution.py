"""What a convolution looks for, its filters, and what it finds, its feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.plots._images import draw_mosaic
from toolkit.plots._style import axes, short

_WIDTH = 6.4
_MOST_SLICES = 16  # rows and columns of a grid of slices


def filters(layer_or_kernel: Any, *, columns: int = 8, most: int = 64, ax: Axes | None = None, title: str = "") -> Axes:
    """Draws the filters of a convolution: white is a positive weight, black a negative one, mid-grey 0.

    All filters share one scale. Filters over one channel stand side by side, each under its number, and so do
    filters over three, which are drawn as colours: a filter that looks for red is red. With any other number of
    channels each filter is a row, and each column one of its channels, the first 16 of both.

    Args:
        layer_or_kernel: a layer, of scratch or Keras, or its kernel ``(kh, kw, C, F)``.
        columns: filters in one row.
        most: of more filters the first ones are drawn.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: there is no array of shape ``(kh, kw, C, F)``.
        InvalidValueError: a weight is not a number.
    """
    kernel = _kernel(layer_or_kernel)
    _, _, C, F = kernel.shape
    limit = max(np.abs(kernel).max(), 1e-12)
    pixels = np.moveaxis(0.5 + 0.5 * kernel / limit, -1, 0)  # (F, kh, kw, C), 0.5 for a weight of 0
    if C in (1, 3):
        shown = _enlarge(pixels[:most])
        ax = draw_mosaic(shown, range(len(shown)), columns, ax, most_inches=_WIDTH, framed=True)
        left_out = f"the first {most} of {F} filters" if most < F else ""
    else:
        slices = np.moveaxis(pixels[:_MOST_SLICES, ..., :_MOST_SLICES], -1, 1)
        rows, across = slices.shape[:2]
        slices = _enlarge(slices.reshape(rows * across, *kernel.shape[:2], 1))
        side = min(0.4, 5.4 / across)
        ax = axes(ax, 1.0 + side * across, 0.9 + side * rows)
        draw_mosaic(slices, None, across, ax, framed=True)
        _name_slices(ax, slices.shape[1:3], rows, across)
        left_out = f"the first {rows} of {F} filters, {across} of {C} channels" if (rows, across) < (F, C) else ""
    if C != 3:
        grey = ScalarMappable(Normalize(-limit, limit), "gray")
        ax.figure.colorbar(grey, ax=ax, label="weight", shrink=0.7, pad=0.02)
    _note(ax, left_out)
    ax.set_title(title)
    return ax


def feature_maps(
    activations: ArrayLike,
    *,
    columns: int = 8,
    most: int = 64,
    shared: bool = False,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draws the output of a convolution, one small picture for each filter: the brighter, the stronger.

    Each map has a scale of its own, from its lowest value to its highest, which is written above it behind the map's
    number. A map that is dark all over found nothing.

    Args:
        activations: ``(H, W, F)``: one sample of a layer's output.
        columns: maps in one row.
        most: of more maps the first ones are drawn.
        shared: whether all maps have the same scale, which a colour bar then says.
        ax: where to draw; a new figure if None.
        title: what is to be seen.

    Returns:
        The Axes.

    Raises:
        ShapeError: ``activations`` is not ``(H, W, F)``.
        InvalidValueError: a value is not a number.
    """
    maps = np.asarray(activations, dtype=float)
    if maps.ndim != 3 or maps.size == 0:
        remedy = "Take one sample: activations[0]." if maps.ndim == 4 else ""
        expected = "activations of shape (H, W, F), not empty"
        raise ShapeError("plots.feature_maps", expected, f"shape {maps.shape}", remedy)
    _check_numbers("plots.feature_maps", maps, "activations")
    F = maps.shape[-1]
    maps = np.moveaxis(maps, -1, 0)[:most]
    over = None if shared else (1, 2)
    low, high = maps.min(axis=over, keepdims=True), maps.max(axis=over, keepdims=True)
    pixels = (maps - low) / np.where(high > low, high - low, 1)
    colours = plt.get_cmap("viridis")(_enlarge(pixels[..., np.newaxis])[..., 0])[..., :3]
    captions = [f"{k}: {short(m.max())}" if not shared else k for k, m in enumerate(maps)]
    ax = draw_mosaic(colours, captions, columns, ax, most_inches=_WIDTH)
    if shared:
        scale = ScalarMappable(Normalize(low.item(), high.item()), "viridis")
        ax.figure.colorbar(scale, ax=ax, label="activation", shrink=0.7, pad=0.02)
    _note(ax, f"the first {most} of {F} maps" if most < F else "")
    ax.set_title(title)
    return ax


def _kernel(layer: Any) -> np.ndarray:
    """``(kh, kw, C, F)`` of a layer, or the array itself."""
    if hasattr(layer, "get_weights"):
        arrays = layer.get_weights()
    elif isinstance(getattr(layer, "weights", None), Mapping):
        arrays = list(layer.weights.values())
    else:
        arrays = [layer]
    arrays = [np.asarray(array) for array in arrays]
    kernel = next((array for array in arrays if array.ndim == 4 and array.size), None)
    if kernel is None:
        received = ", ".join(f"shape {array.shape}" for array in arrays) or "a layer without weights"
        raise ShapeError(
            "plots.filters",
            "a convolution or its kernel (kh, kw, C, F)",
            received,
            "A new layer has its kernel once built.",
        )
    kernel = kernel.astype(float)
    _check_numbers("plots.filters", kernel, "weights")
    return kernel


def _check_numbers(where: str, values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).all():
        raise InvalidValueError(where, f"finite {name}", f"{values[~np.isfinite(values)][0]}")


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Images at least 24 pixels wide, each pixel a square of them, so that gaps and captions have fine steps."""
    factor = -(-24 // pixels.shape[2])
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def _name_slices(ax: Axes, size: tuple[int, int], rows: int, across: int) -> None:
    """Numbers of filters and channels at the edges of a mosaic without captions."""
    (height, width), gap = size, max(1, round(0.08 * size[1]))
    ax.set_axis_on()
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=8)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xticks([(width - 1) / 2 + k * (width + gap) for k in range(across)], labels=range(across))
    ax.set_yticks([(height - 1) / 2 + k * (height + gap) for k in range(rows)], labels=range(rows))
    ax.set(xlabel="input channel", ylabel="filter")


def _note(ax: Axes, text: str) -> None:
    if text:
        ax.text(0.0, -0.02, text, transform=ax.transAxes, ha="left", va="top", fontsize=9)
