from __future__ import annotations

import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError


def test_a_row_is_a_time_and_a_column_a_sample():
    # Brightness 0.1 · time + 0.3 · sample, so every cell has its own.
    samples = np.array([[[[0.1 * t + 0.3 * k] * 4] * 4 for k in range(3)] for t in range(2)])
    ax = plots.sample_grid(samples, rows=["before", 20])
    canvas = ax.images[0].get_array()[..., 0]
    height, width = canvas.shape[0] // 2, canvas.shape[1] // 3
    for t in range(2):
        for k in range(3):
            assert canvas[t * height + 2, k * width + 2] == pytest.approx(0.1 * t + 0.3 * k)
    first, second = ax.texts
    assert (first.get_text(), second.get_text()) == ("before", "20")
    assert first.get_position()[0] < 0
    assert 0 <= first.get_position()[1] < height <= second.get_position()[1]


def test_sample_grid_takes_a_list_of_colour_images():
    red = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    np.testing.assert_array_equal(plots.sample_grid([red]).images[0].get_array()[1, 1], [1, 0, 0])


def test_sample_grid_errors():
    with pytest.raises(ShapeError, match=r"\(T, K, H, W\).*\(2, 3, 4\)"):
        plots.sample_grid(np.zeros((2, 3, 4)))
    with pytest.raises(ShapeError, match="2 times of different shapes"):
        plots.sample_grid([np.zeros((2, 4, 4)), np.zeros((3, 4, 4))])
    with pytest.raises(ShapeError, match="0 times"):
        plots.sample_grid([])
    with pytest.raises(ShapeError, match="2 entries in rows"):
        plots.sample_grid(np.zeros((2, 3, 4, 4)), rows=["one"])
    with pytest.raises(InvalidValueError, match="values from -1"):
        plots.sample_grid(np.full((1, 2, 4, 4), -1.0))
