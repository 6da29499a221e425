"""Which axes of a tensor become rows and columns."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.xray._records import Tensor
from toolkit.xray.views._arrangement import arrange, cut


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
        ((3, 3, 2, 7), ("kh", "kw", "C", "F"), "parameter", False, 0, 1, (2, 3)),
        ((3, 3, 2, 7), (), "parameter", False, 0, 1, (2, 3)),
        ((4, 2, 5, 6), ("N", "A", "Tq", "Tk"), "intermediate", True, 2, 3, (1,)),
        ((4, 5, 6), ("N", "T", "D"), "input", True, 1, 2, ()),
        ((4, 6), ("N", "D"), "gradient", True, None, 1, ()),
    ],
)
def test_rows_and_columns(shape, axes, role, batch, rows, columns, chosen):
    arrangement = arrange(Tensor("x", np.zeros(shape), role, axes), samples=4)
    assert (arrangement.batch, arrangement.rows, arrangement.columns) == (batch, rows, columns)
    assert arrangement.chosen == chosen
    assert len(arrangement.names) == len(shape)


def test_cut_keeps_all_samples_and_the_beginning_of_the_rest():
    value = np.arange(2 * 9 * 9 * 5).reshape(2, 9, 9, 5)
    arrangement = arrange(Tensor("x", value, "input", ("N", "H", "W", "C")), samples=2)
    np.testing.assert_array_equal(cut(value, arrangement, side=4, depth=2), value[:, :4, :4, :2])
