from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import plots, scratch
from toolkit.errors import InvalidValueError

RUN = {
    "loss": [3.0, 2.0, 1.0],
    "val_loss": [3.0, 1.5, 2.5],
    "accuracy": [0.5, 0.6, 0.9],
    "val_accuracy": [0.4, 0.7, 0.6],
}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    "run",
    [RUN, scratch.History(history=RUN), SimpleNamespace(history=RUN)],
    ids=["dict", "scratch", "keras-like"],
)
def test_history_draws_loss_and_accuracy(run):
    ax = plots.history(run)
    right = ax.figure.axes[-1]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), RUN["val_loss"])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), RUN["accuracy"])
    np.testing.assert_array_equal(right.lines[1].get_ydata(), RUN["val_accuracy"])
    assert legend(ax) == [
        "loss, training",
        "loss, validation",
        "accuracy, training",
        "accuracy, validation",
        "best epoch: 2",
    ]
    looks = [(line.get_linestyle(), line.get_marker()) for line in (*ax.lines[:2], *right.lines)]
    assert len(set(looks)) == 4


def test_history_marks_the_best_epoch():
    assert plots.history(RUN).lines[2].get_xdata() == [2, 2]  # the lowest validation loss
    own = SimpleNamespace(history=RUN, best_epoch=3)
    assert legend(plots.history(own))[-1] == "best epoch: 3"
    diverged = {"loss": [1.0, 2.0], "val_loss": [np.nan, 2.0]}
    assert legend(plots.history(diverged))[-1] == "best epoch: 2"


def test_history_of_a_regression_has_one_axis():
    ax = plots.history({"loss": [2.0, 1.0]}, log=True)
    assert len(ax.figure.axes) == 1
    assert ax.get_yscale() == "log"
    assert legend(ax) == ["loss, training"]


def test_history_knows_keras_names_of_accuracy():
    ax = plots.history({"loss": [1.0], "sparse_categorical_accuracy": [0.5]})
    assert legend(ax) == ["loss, training", "sparse categorical accuracy, training"]


def test_history_errors():
    with pytest.raises(InvalidValueError, match="a history with a loss, received accuracy"):
        plots.history({"accuracy": [1.0]})
    with pytest.raises(InvalidValueError, match="received no epoch"):
        plots.history(scratch.History())
    with pytest.raises(InvalidValueError, match="received list"):
        plots.history([1.0])
    with pytest.raises(InvalidValueError, match="above 0 with log=True, received 0"):
        plots.history({"loss": [1.0, 0.0]}, log=True)
