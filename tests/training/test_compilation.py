"""How a model is compiled follows from the model and the length of the run."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import CallOrderError, InvalidValueError
from toolkit.training._compilation import decide
from toolkit.training._data import lengths_vary
from toolkit.training._steps import Steps


def network(*layers, shape=(4, 3), **options) -> keras.Model:
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile("sgd", "mse", **options)
    return model


@pytest.mark.parametrize(
    ("layers", "steps", "jit", "reason"),
    [
        ([keras.layers.Dense(2)], 10**6, False, "without loops over time"),
        ([keras.layers.LSTM(2)], 10**6, False, "without loops over time"),
        ([keras.layers.GRU(2, name="gru")], 10**6, True, "speeds up the loop over time of gru"),
        ([keras.layers.GRU(2)], 100, False, "too few steps"),
        ([keras.layers.GRU(2)], None, False, "too few steps"),
        ([keras.layers.Conv1D(2, 2), keras.layers.SimpleRNN(2)], 10**6, False, "convolutions are slow"),
    ],
)
def test_auto(layers, steps, jit, reason):
    compilation = decide(network(*layers), "auto", steps)
    assert compilation.jit is jit
    assert reason in compilation.reason


def test_sequences_of_varying_length_are_not_compiled_one_by_one():
    model = network(keras.layers.GRU(2), shape=(None, 3))
    assert "for each length" in decide(model, "auto", 10**6, lengths_vary=True).reason
    assert lengths_vary((tf.TensorSpec((None, None, 3)), tf.TensorSpec((None,))))
    assert not lengths_vary((tf.TensorSpec((None, 4, 3)), None))


@pytest.mark.parametrize(("dropout", "jit"), [(0.0, True), (0.2, False)])
def test_xla_draws_other_random_numbers(dropout, jit):
    model = network(keras.layers.SimpleRNN(2, dropout=dropout))
    spec = tf.TensorSpec((None, 4, 3)), tf.TensorSpec((None, 2))
    steps = Steps(model.train_step, spec, decide(model, "auto", 10**6))
    assert steps.compilation.jit is jit
    assert jit or steps.compilation.reason == "XLA would draw other random numbers"
    assert Steps(model.train_step, spec, decide(model, True, 1)).compilation.jit


def test_a_wish_is_followed():
    model = network(keras.layers.Dense(2))
    assert decide(model, True, 10).jit
    assert not decide(network(keras.layers.GRU(2)), False, 10**6).jit
    assert decide(network(keras.layers.Dense(2), jit_compile=True), "auto", 10).reason == "the model was compiled so"
    assert decide(network(keras.layers.Dense(2), run_eagerly=True), True, 10).eager


def test_a_model_that_xla_cannot_compile_is_trained_without(y):
    class Strings(keras.layers.Layer):
        def call(self, z):
            return z + tf.cast(tf.strings.length(tf.strings.as_string(z)) * 0, z.dtype)

    model = network(Strings(), keras.layers.SimpleRNN(2), shape=(2, 1))
    x = np.random.default_rng(0).random((50, 2, 1), "float32")
    history = training.fit(model, x, x[:, 0] * [1, 2], epochs=500, batch_size=25, verbose=False)
    assert history.settings["jit_compile"] is False
    assert history.settings["jit_reason"] == "XLA cannot compile this model"
    assert int(model.optimizer.iterations) == 1000


def test_threads(x):
    keras.ops.matmul(x, x.T).numpy()  # TensorFlow runs
    with pytest.raises(CallOrderError, match="before TensorFlow's first computation"):
        training.set_threads(1)
    for n in (0, -1, 1.5, True):
        with pytest.raises(InvalidValueError, match="positive integer"):
            training.set_threads(n)
