from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import plots, scratch
from toolkit.errors import InvalidValueError, ShapeError


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
