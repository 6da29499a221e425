from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from toolkit import plots, scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_gates_draw_one_unit_as_curves():
    gates = {"i": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], "c": [[1, -1], [2, -2], [3, -3]]}
    ax = plots.gates(gates, unit=1, steps=["a", "b", "c"])
    gate, cell = ax.lines[:2]
    np.testing.assert_allclose(gate.get_xydata(), [[1, 0.2], [2, 0.4], [3, 0.6]])
    np.testing.assert_allclose(cell.get_ydata(), [-1, -2, -3])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["input gate i", "cell c"]
    assert (gate.get_linestyle(), gate.get_marker()) != (cell.get_linestyle(), cell.get_marker())
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]


def test_gates_draw_all_units_as_blocks():
    gate = np.array([[0.0, 1.0], [0.5, 0.25]])  # T = 2, M = 2
    state = np.array([[-2.0, 0.0], [4.0, np.nan]])
    ax = plots.gates({"f": gate, "h": state})
    colours = ax.images[0].get_array()
    shown = plt.get_cmap("viridis")
    np.testing.assert_allclose(colours[:2], shown(gate.T)[..., :3])
    np.testing.assert_allclose(colours[3:, 0], shown([0.25, 0.5])[..., :3])  # −2 and 0 between −4 and 4
    np.testing.assert_allclose(colours[3:, 1], [shown(1.0)[:3], (1, 1, 1)])  # padding is white
    assert texts(ax) == ["bright 1\ndark 0", "bright 4\ndark −4"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["forget\ngate f", "output\nh"]


def test_gates_take_a_layer_and_a_sample(rng):
    class Layer:
        gates = {"i": rng.random((3, 4, 2)), "o": rng.random((3, 4, 2))}  # noqa: RUF012

    ax = plots.gates(Layer(), sample=2, unit=0)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), Layer.gates["o"][2, :, 0])


def test_gates_of_a_scratch_lstm_are_its_equations(rng):
    layer = scratch.LSTM(3)
    x = rng.normal(size=(2, 4, 5)).astype("float32")
    layer.forward(x)
    ax = plots.gates(layer, sample=1, unit=2)
    W, b = layer.params["W"], layer.params["b"]
    first = 1 / (1 + np.exp(-(x[1, 0] @ W[:, 2] + b[2])))  # the input gate of unit 2 at the first step: h is 0
    line = next(line for line in ax.lines if line.get_label() == "input gate i")
    np.testing.assert_allclose(line.get_ydata()[0], first, rtol=1e-5)
    with pytest.raises(CallOrderError, match="forward"):
        plots.gates(scratch.LSTM(3))


def test_gates_errors(rng):
    gates = {"i": rng.random((3, 4, 2))}
    with pytest.raises(InvalidValueError, match="a layer with gates"):
        plots.gates(scratch.Dense(3))
    with pytest.raises(InvalidValueError, match="a layer with gates"):
        plots.gates({})
    with pytest.raises(InvalidValueError, match="a sample from 0 to 2, received 3"):
        plots.gates(gates, sample=3)
    with pytest.raises(InvalidValueError, match="a unit from 0 to 1, received 2"):
        plots.gates(gates, unit=2)
    with pytest.raises(ShapeError, match=r"i \(4, 2\), o \(4, 3\)"):
        plots.gates({"i": np.ones((4, 2)), "o": np.ones((4, 3))})
    with pytest.raises(ShapeError, match="4 steps, one for each time step, received 2"):
        plots.gates(gates, steps=["a", "b"])
