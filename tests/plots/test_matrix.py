from __future__ import annotations

import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import ShapeError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_matrix_writes_numbers_and_names():
    ax = plots.matrix([[1.0, -2.5, 0.0], [0.25, 2.0, 1.0]], rows=["x1", "x2"], columns=["a", "b", "c"])
    assert texts(ax) == ["1.00", "−2.50", "0.00", "0.25", "2.00", "1.00"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x1", "x2"]
    assert ax.images[0].get_clim() == (-2.5, 2.5)


def test_matrix_numbers_stand_in_their_cells():
    ax = plots.matrix([[1, 2], [3, 4]], fmt=".0f")
    assert {text.get_text(): text.get_position() for text in ax.texts} == {
        "1": (0, 0),
        "2": (1, 0),
        "3": (0, 1),
        "4": (1, 1),
    }


def test_large_matrix_has_a_colour_bar_instead_of_numbers():
    ax = plots.matrix(np.random.default_rng(0).normal(size=(20, 5)))
    assert texts(ax) == []
    assert len(ax.figure.axes) == 2
    assert len(plots.matrix(np.ones((20, 5)), numbers=True).texts) == 100


def test_matrix_takes_a_vector_zeros_and_nan():
    assert texts(plots.matrix([1.0, 2.0])) == ["1.00", "2.00"]
    assert plots.matrix(np.zeros((2, 2))).images[0].get_clim() == (-1, 1)
    assert texts(plots.matrix([[np.nan, -3.0]])) == ["nan", "−3.00"]


def test_matrix_errors():
    with pytest.raises(ShapeError, match=r"\(2, 2, 2\)"):
        plots.matrix(np.zeros((2, 2, 2)))
    with pytest.raises(ShapeError, match="2 names of rows, received 1"):
        plots.matrix(np.zeros((2, 3)), rows=["one"])
    with pytest.raises(ShapeError, match="3 names of columns, received 2"):
        plots.matrix(np.zeros((2, 3)), columns=["one", "two"])
