"""What the shared pictures show, read back from their Axes."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Circle

from toolkit import plots, scratch
from toolkit.errors import InvalidValueError, ShapeError


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


# ---------------------------------------------------------------------- all four

DRAW = {
    "curves": lambda ax: plots.curves({"a": [1, 2]}, ax=ax, title="T"),
    "matrix": lambda ax: plots.matrix([[1, 2]], ax=ax, title="T"),
    "images": lambda ax: plots.images(np.zeros((2, 4, 4)), ax=ax, title="T"),
    "network": lambda ax: plots.network([2, 1], ax=ax, title="T"),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_draws_into_the_given_axes_or_a_new_figure(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert ax.get_title() == "T"
    new = draw(None)
    assert new.figure is not ax.figure
    new.figure.canvas.draw()


def test_importing_the_package_does_not_import_matplotlib(root):
    code = (
        "import sys, toolkit; assert 'matplotlib' not in sys.modules; "
        "toolkit.plots.curves; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


# ---------------------------------------------------------------------- curves


def test_curves_draw_each_run_from_1():
    ax = plots.curves({"slow": [3.0, 2.0, 1.0], "fast": [3.0, 0.5]}, ylabel="error", xlabel="step")
    slow, fast = ax.lines
    np.testing.assert_array_equal(slow.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(fast.get_ydata(), [3, 0.5])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["slow", "fast"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("step", "error", "linear")


def test_curves_differ_without_colour():
    ax = plots.curves({str(k): [1, 2] for k in range(12)})
    looks = {(line.get_linestyle(), line.get_marker()) for line in ax.lines}
    assert len(looks) == 12


def test_long_curves_have_no_markers():
    ax = plots.curves({"a": range(1000)})
    assert ax.lines[0].get_marker() == "None"


@pytest.mark.parametrize("kind", [scratch.History, SimpleNamespace], ids=["scratch", "keras-like"])
def test_curves_read_histories(kind):
    run = kind(history={"loss": [2.0, 1.0], "val_accuracy": [0.5, 0.75]})
    ax = plots.curves({"run": run}, measure="val_accuracy")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.5, 0.75])
    assert ax.get_ylabel() == "val accuracy"


def test_curves_keep_gaps_of_a_run_that_diverged():
    ax = plots.curves({"a": [1.0, np.nan, np.inf]}, log=True)
    assert ax.get_yscale() == "log"
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, np.nan, np.inf])


def test_curves_errors():
    with pytest.raises(InvalidValueError, match="at least one run"):
        plots.curves({})
    with pytest.raises(ShapeError, match=r"run 'a'.*\(2, 2\)"):
        plots.curves({"a": [[1, 2], [3, 4]]})
    with pytest.raises(ShapeError, match="not empty"):
        plots.curves({"a": []})
    with pytest.raises(InvalidValueError, match="one of loss, received 'accuracy'"):
        plots.curves({"a": scratch.History(history={"loss": [1.0]})}, measure="accuracy")
    with pytest.raises(InvalidValueError, match="0 in 'a'"):
        plots.curves({"a": [1.0, 0.0]}, log=True)


# ---------------------------------------------------------------------- matrix


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


# ---------------------------------------------------------------------- images


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


# ---------------------------------------------------------------------- network


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
