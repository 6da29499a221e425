from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Circle

from toolkit import plots, scratch
from toolkit.errors import ShapeError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def test_network_draws_units_and_lines():
    ax = plots.network((2, 3, 1))
    assert len(circles(ax)) == 6
    assert len(ax.lines) == 2 * 3 + 3 * 1
    assert texts(ax) == []


def test_network_carries_weights_biases_values_and_names():
    net = scratch.Sequential([scratch.Dense(2, "sigmoid"), scratch.Dense(1)], input_shape=2)
    net.set_weights([[[1, -2], [0.5, 3]], [0.1, -0.2], [[4], [-5]], [0.25]])
    ax = plots.network(
        (2, 2, 1), weights=net.get_weights(), values=[[7, 8], [0.7311, -9.5]], labels=[["x1", "x2"], None, ["out"]]
    )
    shown = texts(ax)
    assert {"1", "−2", "0.5", "3", "4", "−5"} <= set(shown)
    assert {"$b$ = 0.1", "$b$ = −0.2", "$b$ = 0.25"} <= set(shown)
    assert {"7", "8", "0.731", "−9.5", "x1", "x2", "out"} <= set(shown)
    assert len(shown) == 6 + 3 + 7


def test_network_dashes_negative_weights_and_thickens_large_ones():
    positive, negative = plots.network((2, 1), weights=[[[3.0], [-1.0]]]).lines
    assert positive.get_linestyle() == "-"
    assert negative.get_linestyle() == "--"
    assert positive.get_linewidth() > negative.get_linewidth()


def test_network_shows_a_weight_near_its_own_line():
    ax = plots.network((2, 2), weights=[[[1, 2], [3, 4]]])
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3", "4"]
    for line, text in zip(ax.lines, ax.texts):
        (x0, y0), (x1, y1) = line.get_xydata()
        x, y = text.get_position()
        assert (y - y0) * (x1 - x0) == pytest.approx((y1 - y0) * (x - x0))


def test_large_network_is_shortened():
    ax = plots.network((784, 128, 10), values=[np.zeros(784)])
    assert [text for text in texts(ax) if "units" in text] == ["784 units", "128 units", "10 units"]
    assert len(circles(ax)) < 25


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [2]}, "at least two layers"),
        ({"sizes": [2, 0]}, "at least 1"),
        ({"values": [[1]]}, "2 values for layer 0, received 1"),
        ({"values": [[1, 2]] * 4}, "values for at most 3 layers, received 4"),
        ({"labels": [None, ["a"]]}, "2 labels for layer 1, received 1"),
        ({"weights": [np.zeros((3, 2)), np.zeros((2, 2))]}, r"W \(2, 2\) or b \(2,\) for layer 1.*\(3, 2\)"),
        ({"weights": [np.zeros((2, 2)), np.zeros(3)]}, r"\(3,\)"),
        ({"weights": [np.zeros((2, 2))]}, "2 kernels W"),
        ({"weights": [np.zeros((2, 2))] * 3}, "too many"),
        ({"weights": [np.zeros(2)]}, "too many|kernels"),
    ],
)
def test_network_errors(options, message):
    with pytest.raises(ShapeError, match=message):
        plots.network(**{"sizes": [2, 2, 2], **options})
