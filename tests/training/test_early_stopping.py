from __future__ import annotations

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import InvalidValueError


class Scripted(keras.layers.Layer):
    """Adds to the validation loss what a list says, one value for each pass over the data."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = keras.ops.convert_to_tensor(np.array(values, "float32"))
        self.calls = self.add_weight(shape=(), dtype="int32", trainable=False, initializer="zeros")

    def call(self, z, training=False):
        if not training:
            self.add_loss(keras.ops.take(self.values, self.calls))
            self.calls.assign_add(1)
        return z


def scripted_fit(values, x, **options):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1), Scripted(values)])
    model.compile(keras.optimizers.SGD(1e-3), loss=lambda y, y_pred: 0 * (y_pred - y) ** 2)
    weights = []
    seen = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: weights.append(model.layers[0].get_weights()[0]))
    y = x[:, :1]
    options |= {"epochs": len(values), "validation_data": (x[:10], y[:10]), "callbacks": [seen]}
    history = training.fit(model, x, y, **options)
    return model, history, weights


@pytest.mark.parametrize(
    ("values", "patience", "epochs", "best"),
    [
        ([5, 4, 3, 2, 1], 1, 5, 5),
        ([5, 4, 6, 3, 2], 1, 3, 2),
        ([5, 4, 6, 3, 2], 2, 5, 5),
        ([1, 1, 1, 1, 1], 3, 4, 1),
        ([3, np.nan, 2, np.nan, np.nan], 2, 5, 3),
        ([np.nan, 3, 4, 5, 6], 2, 4, 2),
    ],
)
def test_patience_matches_hand_example(values, patience, epochs, best, x):
    model, history, weights = scripted_fit(values, x, patience=patience)
    np.testing.assert_allclose(history.history["val_loss"], values[:epochs])
    assert (history.epochs, history.best_epoch) == (epochs, best)
    if epochs < len(values):
        assert history.stopped == f"no better val_loss for {patience} epochs"
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], weights[best - 1])


def test_restore_best_false_keeps_the_last_weights(x):
    model, _, weights = scripted_fit([3, 2, 4, 5], x, patience=2, restore_best=False)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], weights[-1])


def test_without_patience_nothing_is_restored(x):
    model, history, weights = scripted_fit([3, 2, 4, 5], x)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], weights[-1])
    assert history.best_epoch is None


def test_it_matches_keras(build, x, y):
    stopping = keras.callbacks.EarlyStopping("val_accuracy", patience=3, restore_best_weights=True)
    ours, plain = build(), build()
    validation = x[:20], y[:20]
    options = {"epochs": 30, "batch_size": 16, "validation_data": validation}
    history = training.fit(ours, x, y, patience=3, monitor="val_accuracy", **options)
    other = training.fit(plain, x, y, callbacks=[stopping], **options)
    assert history.epochs == other.epochs
    assert history.best_epoch == stopping.best_epoch + 1
    for w, twin in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(w, twin)


@pytest.mark.parametrize("monitor", ["accuracy", "loss"])
def test_training_measures_may_be_watched(monitor, build, x, y):
    history = training.fit(build(), x, y, epochs=40, patience=1, monitor=monitor)
    best = max if monitor == "accuracy" else min
    values = history.history[monitor]
    assert history.best_epoch == values.index(best(values)) + 1


def test_a_measure_of_one_output_may_be_watched(x, y):
    inputs = keras.Input((6,))
    outputs = {"kind": keras.layers.Dense(3, name="kind")(inputs), "size": keras.layers.Dense(1, name="size")(inputs)}
    model = keras.Model(inputs, outputs)
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    model.compile("sgd", losses, metrics={"kind": "accuracy"})
    targets = {"kind": y, "size": x[:, :1]}
    history = training.fit(model, x, targets, epochs=5, validation_split=0.2, patience=5, monitor="val_kind_accuracy")
    values = history.history["val_kind_accuracy"]
    assert history.best_epoch == values.index(max(values)) + 1


def test_nothing_is_best_where_all_is_nan(build, x, y):
    history = training.fit(build(), x, y, epochs=3, patience=2, validation_data=(np.full_like(x, np.nan), y))
    assert (history.epochs, history.best_epoch) == (2, None)
    assert len(history.plot().lines) == 2
    plt.close("all")


def test_patience_errors(build, x, y):
    with pytest.raises(InvalidValueError, match=r"monitor as one of loss, accuracy, received 'val_loss'.*validation"):
        training.fit(build(), x, y, patience=2)
    with pytest.raises(InvalidValueError, match="monitor as one of loss, accuracy, val_loss, val_accuracy"):
        training.fit(build(), x, y, patience=2, monitor="val_auc", validation_split=0.2)
    nameless = keras.metrics.MeanMetricWrapper(lambda y, y_pred: y_pred[:, 0], name="first")
    with pytest.raises(InvalidValueError, match="better high or low"):
        training.fit(build(metrics=[nameless]), x, y, patience=2, monitor="first")
