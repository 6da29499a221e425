from __future__ import annotations

import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_images_are_laid_out_in_rows_with_captions():
    pixels = np.stack([np.full((5, 5), value) for value in (0.0, 0.25, 0.5)])
    ax = plots.images(pixels, titles=[7, 1, "four"], columns=2)
    canvas = ax.images[0].get_array()
    assert texts(ax) == ["7", "1", "four"]
    (x0, y0), (x1, y1), (x2, y2) = (text.get_position() for text in ax.texts)
    assert x0 == x2 < x1
    assert y0 == y1 < y2
    for (x, y), value in zip(((x0, y0), (x1, y1), (x2, y2)), (0.0, 0.25, 0.5)):
        np.testing.assert_array_equal(canvas[round(y) + 3, round(x)], [value] * 3)


def test_images_take_grey_and_colour_floats_and_bytes():
    red = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    np.testing.assert_array_equal(plots.images(red).images[0].get_array()[1, 1], [1, 0, 0])
    grey = plots.images(np.full((1, 4, 4, 1), 0.5, dtype="float32"))
    np.testing.assert_array_equal(grey.images[0].get_array()[1, 1], [0.5] * 3)


def test_images_errors():
    with pytest.raises(ShapeError, match=r"\(2, 784\).*reshape\(-1, 28, 28\)"):
        plots.images(np.zeros((2, 784)))
    with pytest.raises(ShapeError, match=r"\(2, 4, 4, 2\)"):
        plots.images(np.zeros((2, 4, 4, 2)))
    with pytest.raises(ShapeError, match="2 titles, one for each image, received 1"):
        plots.images(np.zeros((2, 4, 4)), titles=["one"])
    with pytest.raises(InvalidValueError, match="values from -1 to -1"):
        plots.images(np.full((1, 4, 4), -1.0))
    with pytest.raises(InvalidValueError, match="nan"):
        plots.images(np.full((1, 4, 4), np.nan))
    with pytest.raises(InvalidValueError, match="columns"):
        plots.images(np.zeros((1, 4, 4)), columns=0)
