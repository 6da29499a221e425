from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from toolkit import plots, training
from toolkit.errors import InvalidValueError


@pytest.fixture
def history(build, x, y) -> training.History:
    return training.fit(build(), x, y, epochs=3, validation_data=(x, y), patience=5)


def test_the_frame_has_a_row_for_each_epoch(history):
    frame = history.frame()
    assert list(frame.index) == [1, 2, 3]
    assert frame.index.name == "epoch"
    assert list(frame.columns) == ["loss", "accuracy", "val_loss", "val_accuracy", "seconds", "samples_per_second"]
    np.testing.assert_allclose(frame["samples_per_second"], 50 / np.array(history.seconds))
    np.testing.assert_array_equal(frame["val_loss"], history.history["val_loss"])


def test_an_empty_frame_has_no_rows():
    assert len(training.History().frame()) == 0


def test_it_plots(history):
    ax = history.plot()
    curves = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(curves["training"].get_ydata(), history.history["loss"])
    np.testing.assert_array_equal(curves["validation"].get_ydata(), history.history["val_loss"])
    assert list(curves["best epoch"].get_xdata()) == [history.best_epoch] * 2
    assert history.plot(measure="accuracy").get_ylabel() == "accuracy"
    assert plots.history(history) is not None
    plt.close("all")


def test_plot_errors(history):
    with pytest.raises(InvalidValueError, match="measure as one of loss, accuracy"):
        history.plot(measure="f1")
    with pytest.raises(InvalidValueError, match="no epoch was completed"):
        training.History().plot()


def test_it_says_what_happened(history, build, x, y):
    assert history.epoch == [0, 1, 2]  # as Keras counts
    assert history.stopped == "all 3 epochs are done"
    assert repr(history).startswith("<History: 3 epochs in ")
    assert f"best epoch {history.best_epoch} by val_loss" in repr(history)
    assert history.settings["jit_compile"] is False
    assert history.settings["threads"] >= 1
    assert repr(training.fit(build(), x, y)).startswith("<History: 1 epoch in")
