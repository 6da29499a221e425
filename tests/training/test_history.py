from __future__ import annotations

import keras
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


def test_a_measure_of_one_number_in_an_array_is_a_number(build, x, y):
    model = build()
    model.compile("sgd", "mse", metrics=[keras.metrics.F1Score()])
    of_each = training.fit(model, x, keras.utils.to_categorical(y, 3), validation_split=0.2)
    assert [len(values) for values in of_each.history["val_f1_score"]] == [3]
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", metrics=[keras.metrics.F1Score(threshold=0.5)])
    assert isinstance(training.fit(model, x, (y[:, None] > 0) * 1.0).history["f1_score"][0], float)


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
