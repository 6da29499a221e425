"""Which axes of a tensor become rows and columns."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.xray._records import Tensor
from toolkit.xray.views._arrangement import arrange, cut, limits


@pytest.mark.parametrize(
    ("shape", "axes", "role", "batch", "rows", "columns", "chosen"),
    [
        ((), (), "output", False, None, None, ()),
        ((4,), ("N",), "output", True, None, None, ()),
        ((5,), ("M",), "parameter", False, None, 0, ()),
        ((4, 6), ("N", "D"), "input", True, None, 1, ()),
        ((4, 6), (), "input", True, None, 1, ()),
        ((4, 6), ("D", "M"), "parameter", False, 0, 1, ()),
        ((4, 8, 9, 3), ("N", "H", "W", "C"), "input", True, 1, 2, (3,)),
        ((4, 8, 9, 3), (), "output", True, 1, 2, (3,)),
        ((4, 7, 6, 5), ("N", "H'", "W'", "F"), "output", True, 1, 2, (3,)),
        ((3, 3, 2, 7), ("k_h", "k_w", "C", "F"), "parameter", False, 0, 1, (2, 3)),
        ((3, 3, 2, 7), (), "parameter", False, 0, 1, (2, 3)),
        ((4, 2, 5, 6), ("N", "H", "T_q", "T_k"), "intermediate", True, 2, 3, (1,)),
        ((4, 5, 6), ("N", "T", "D"), "input", True, 1, 2, ()),
        ((4, 6), ("N", "D"), "gradient", True, None, 1, ()),
    ],
)
def test_rows_and_columns(shape, axes, role, batch, rows, columns, chosen):
    arrangement = arrange(Tensor("x", np.zeros(shape), role, axes), samples=4)
    assert (arrangement.batch, arrangement.rows, arrangement.columns) == (batch, rows, columns)
    assert arrangement.chosen == chosen
    assert len(arrangement.names) == len(shape)


def test_heads_and_rows_of_images_are_told_apart():
    heads = Tensor("A", np.zeros((4, 2, 5, 6)), "intermediate", ("N", "H", "T_q", "T_k"))
    image = Tensor("x", np.zeros((4, 8, 9, 3)), "input", ("N", "H", "W", "C"))
    assert arrange(heads, 4).names == ("sample", "head", "query", "key")
    assert arrange(image, 4).names == ("sample", "row", "column", "channel")


@pytest.mark.parametrize(
    ("shape", "axes", "side", "cells", "shown"),
    [
        ((2, 9, 9, 5), ("N", "H", "W", "C"), 4, 1000, (2, 4, 4, 5)),
        ((2, 9, 9, 5), ("N", "H", "W", "C"), 4, 32, (2, 4, 4, 2)),
        ((2, 9, 9, 5), ("N", "H", "W", "C"), 4, 9, (2, 3, 3, 1)),
        ((2, 9, 9, 3, 3, 8), ("N", "H'", "W'", "k_h", "k_w", "C"), 9, 81 * 9, (2, 9, 9, 2, 2, 2)),
        ((2, 50), ("D", "M"), 50, 60, (2, 30)),
        ((100,), ("M",), 8, 1000, (32,)),
        ((100,), ("M",), 8, 20, (20,)),
        ((), (), 8, 1, ()),
    ],
)
def test_limits_keep_all_samples_and_a_number_of_cells(shape, axes, side, cells, shown):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    arrangement = arrange(Tensor("x", value, "input", axes), samples=2)
    assert limits(shape, arrangement, side=side, cells=cells) == shown
    part = cut(value, arrangement, side=side, cells=cells)
    np.testing.assert_array_equal(part, value[tuple(map(slice, shown))])
