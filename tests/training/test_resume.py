"""A run that was cut off goes on as if nothing had happened: its weights equal an undisturbed run's, bit for bit."""

from __future__ import annotations

import os
import random
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import models, training
from toolkit.errors import DataError, InvalidValueError

KILLED_RUN = Path(__file__).with_name("killed_run.py")


def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path, root, assert_same_weights):
    """Killed twice by SIGKILL: at a random step, and half-way through writing a checkpoint."""
    kill_at = random.randrange(4, 20)
    print(f"killed at step {kill_at}")  # shown if the test fails
    for what in (f"step {kill_at}", "write 3"):
        command = [sys.executable, str(KILLED_RUN), str(tmp_path / "killed"), *what.split()]
        killed = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, timeout=120)
        assert killed.returncode == -9
    [partial] = (tmp_path / "killed").glob(".checkpoint.npz.*.part")
    assert partial.stat().st_size > 0
    train = runpy.run_path(str(KILLED_RUN))["train"]
    resumed, undisturbed = train(tmp_path / "killed"), train(tmp_path / "undisturbed")
    assert not partial.exists()
    assert_same_weights(resumed, undisturbed)
    assert resumed.history.history == undisturbed.history.history
    assert resumed.history.stopped == undisturbed.history.stopped
    assert resumed.history.best_epoch == undisturbed.history.best_epoch


# ---------------------------------------------------------------------- every kind of run, cut at every place


def cut_off(build: Callable, fit: Callable, interrupting: Callable, cuts: list[int], fresh: bool = True) -> keras.Model:
    """Trains with an interruption after each number of steps in ``cuts``, then to the end."""
    model = build()
    for steps in cuts:
        with pytest.raises(KeyboardInterrupt):
            fit(model, [interrupting(steps)])
        model = build() if fresh else model
    fit(model, [])
    return model


def undisturbed(build: Callable, fit: Callable) -> keras.Model:
    model = build()
    fit(model, [])
    return model


@pytest.mark.parametrize(
    ("every", "cuts"), [(1, [1]), (2, [3, 3, 4]), (3, [5]), (4, [4]), (4, [5]), (100, [6])], ids=str
)
def test_any_step_and_any_interval(every, cuts, build, x, y, interrupting, tmp_path, assert_same_weights):
    def model():
        return build(lambda: [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dropout(0.4)])

    def fit(model, callbacks, folder="cut"):
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": every}
        options = {"epochs": 3, "batch_size": 16, "patience": 2, "validation_data": (x[:9], y[:9])}
        return training.fit(model, x, y, callbacks=callbacks, **options, **store)

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    again = cut_off(model, fit, interrupting, cuts)
    assert_same_weights(again, once)
    assert again.history.history == once.history.history


def test_callbacks_and_schedules(build, x, y, interrupting, tmp_path, assert_same_weights):
    """What callbacks count goes on: patience of several kinds, best weights, a rate that follows its last value."""

    def fit(model, callbacks, folder="cut"):
        callbacks = [
            keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
            keras.callbacks.EarlyStopping("loss", patience=2, min_delta=0.2, restore_best_weights=True),
            *callbacks,
        ]
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": 3}
        return training.fit(model, x, y, epochs=9, batch_size=16, callbacks=callbacks, **store)

    once = undisturbed(build, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert once.history.stopped.startswith("a callback ended it")
    again = cut_off(build, fit, interrupting, [5, 4, 3])
    assert_same_weights(again, once)
    assert again.history.history == once.history.history


@pytest.mark.parametrize("fresh", [True, False], ids=["a new model", "the same model"])
def test_a_rate_that_a_callback_changed(fresh, build, x, y, interrupting, tmp_path, assert_same_weights):
    def fit(model, callbacks, folder="cut"):
        callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate), *callbacks]
        options = {"epochs": 3, "batch_size": 16, "checkpoint": tmp_path / folder, "checkpoint_every": 2}
        return training.fit(model, x, y, callbacks=callbacks, **options)

    once = undisturbed(build, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(build, fit, interrupting, [6], fresh), once)


def test_callbacks_beside_those_before(build, x, y, tmp_path):
    options = {"epochs": 2, "checkpoint": tmp_path}
    first, again = (keras.callbacks.ReduceLROnPlateau("loss", patience=9) for _ in range(2))
    training.fit(build(), x, y, callbacks=[first], **options)
    training.fit(build(), x, y, callbacks=[keras.callbacks.Callback(), again], **options)
    assert again.best == first.best is not None


def test_noise_without_a_seed_of_its_own(build, x, y, interrupting, tmp_path, assert_same_weights):
    class Noise(keras.layers.Layer):
        def call(self, z):
            return z + keras.random.normal(keras.ops.shape(z))

    def fit(model, callbacks, folder="cut"):
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": 3}
        return training.fit(model, x, y, epochs=2, batch_size=16, callbacks=callbacks, **store)

    def model():
        return build(lambda: [Noise()])

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(model, fit, interrupting, [5]), once)


def test_states_that_go_from_batch_to_batch(rng, y, interrupting, tmp_path, assert_same_weights):
    sequences = rng.standard_normal((50, 4, 3)).astype("float32")

    def model():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.SimpleRNN(4, stateful=True), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input(batch_shape=(10, 4, 3)), *layers])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    def fit(model, callbacks, folder="cut"):
        options = {"epochs": 2, "batch_size": 10, "shuffle": False, "checkpoint": tmp_path / folder}
        return training.fit(model, sequences, y, callbacks=callbacks, checkpoint_every=3, **options)

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(model, fit, interrupting, [5]), once)


def test_a_learning_rate_schedule(build, x, y, interrupting, tmp_path, assert_same_weights):
    def model():
        return build(optimizer=keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 12), momentum=0.9))

    def fit(model, callbacks, folder="cut"):
        return training.fit(
            model, x, y, epochs=3, batch_size=16, callbacks=callbacks, checkpoint=tmp_path / folder, checkpoint_every=2
        )

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(model, fit, interrupting, [7]), once)


@pytest.mark.parametrize("known_length", [True, False])
def test_data_sets_that_shuffle(known_length, build, x, y, interrupting, tmp_path, assert_same_weights):
    def fit(model, callbacks, folder="cut"):
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(50, seed=1).batch(16)
        dataset = dataset if known_length else dataset.filter(lambda x, y: True)
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": 3}
        return training.fit(model, dataset, epochs=3, callbacks=callbacks, **store)

    once = undisturbed(build, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(build, fit, interrupting, [6, 5]), once)


def test_a_data_set_in_another_order_errors(build, x, y, interrupting, tmp_path):
    def fit(model, seed, callbacks=()):
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(50, seed=seed).batch(16)
        return training.fit(
            model, dataset, epochs=3, callbacks=callbacks, checkpoint=tmp_path / "run", checkpoint_every=2
        )

    with pytest.raises(KeyboardInterrupt):
        fit(build(), 1, [interrupting(6)])
    with pytest.raises(InvalidValueError, match=r"same order again.*another batch.*Give its shuffle a seed"):
        fit(build(), 2)


def test_loops_that_xla_compiles(rng, y, interrupting, tmp_path, assert_same_weights):
    sequences = rng.standard_normal((50, 4, 3)).astype("float32")

    def model():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.SimpleRNN(4, dropout=0.2), keras.layers.Dense(3, "softmax")]
        model = keras.Sequential([keras.Input((4, 3)), *layers])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    def fit(model, callbacks, folder="cut"):
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": 3}
        options = {"epochs": 2, "batch_size": 16, "jit_compile": True}
        return training.fit(model, sequences, y, callbacks=callbacks, **options, **store)

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(model, fit, interrupting, [6], fresh=False), once)


def test_a_finished_run_returns_at_once_and_goes_on_for_more_epochs(build, x, y, tmp_path, assert_same_weights):
    first, again, longer, whole = (build() for _ in range(4))
    training.fit(first, x, y, epochs=2, checkpoint=tmp_path)
    history = training.fit(again, x, y, epochs=2, checkpoint=tmp_path)
    assert history.epochs == 2
    assert_same_weights(again, first)
    training.fit(longer, x, y, epochs=5, checkpoint=tmp_path)
    training.fit(whole, x, y, epochs=5)
    assert_same_weights(longer, whole)


def test_resume_false_starts_afresh(build, x, y, tmp_path, assert_same_weights):
    training.fit(build(seed=1), x, y, epochs=3, checkpoint=tmp_path)
    afresh, plain = build(), build()
    training.fit(afresh, x, y, epochs=1, checkpoint=tmp_path, resume=False)
    training.fit(plain, x, y, epochs=1)
    assert_same_weights(afresh, plain)


# ---------------------------------------------------------------------- another run


@pytest.fixture
def begun(build, x, y, tmp_path) -> Path:
    training.fit(build(), x, y, epochs=1, batch_size=16, validation_data=(x, y), checkpoint=tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("body", "compiled", "difference"),
    [
        ([keras.layers.Dense(9, "tanh")], {}, "units is 9, was 8"),
        ([keras.layers.Dense(8, "relu")], {}, "activation is relu, was tanh"),
        ([keras.layers.Dense(8, "tanh"), keras.layers.Dropout(0.1)], {}, "Dropout"),
        ([keras.layers.Dense(8, "tanh", trainable=False)], {}, "trainable is False, was True"),
        ([keras.layers.Dense(8, "tanh", kernel_regularizer="l2")], {}, "kernel_regularizer"),
        (None, {"optimizer": "sgd"}, "optimizer, class is SGD, was Adam"),
        (None, {"optimizer": keras.optimizers.Adam(0.01)}, r"learning rate is 0.0099\d*, was 0.001"),
        (None, {"optimizer": keras.optimizers.Adam(beta_1=0.8)}, "beta_1 is 0.8, was 0.9"),
        (None, {"metrics": ()}, r"metrics is \['loss'\], was \['accuracy', 'loss'\]"),
    ],
)
def test_another_model_errors(body, compiled, difference, begun, build, x, y):
    model = build(lambda: body, **compiled) if body else build(**compiled)
    before = model.get_weights()
    with pytest.raises(InvalidValueError, match=difference) as error:
        training.fit(model, x, y, epochs=1, batch_size=16, validation_data=(x, y), checkpoint=begun)
    assert str(begun) in str(error.value)
    assert "resume=False" in str(error.value)
    for w, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, kept)


def test_options_of_a_model_of_your_own_error(x, y, tmp_path):
    """Those that no layer shows; the network among its arguments has entries of its own."""

    class Sharpened(keras.Model):
        def __init__(self, network, sharpness):
            super().__init__()
            self.network, self.sharpness = network, sharpness

        def call(self, x):
            return keras.ops.softmax(self.sharpness * self.network(x))

        def get_config(self):
            network = keras.saving.serialize_keras_object(self.network)
            return {"name": self.name, "network": network, "sharpness": self.sharpness}

    def fit(sharpness):
        inputs = keras.Input((6,))
        model = Sharpened(keras.Model(inputs, keras.layers.Dense(3)(inputs)), sharpness)
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
        return training.fit(model, x, y, batch_size=50, checkpoint=tmp_path)

    fit(1.0)
    fit(1.0)  # layers count up their names in one process, which makes no other run
    with pytest.raises(InvalidValueError, match=r"one: model, layer 0 Sharpened, sharpness is 2\.0, was 1\.0\."):
        fit(2.0)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"batch_size": 8}, "fit, batch_size is 8, was 16"),
        ({"seed": 1}, "fit, seed is 1, was 0"),
        ({"shuffle": False}, "fit, shuffle is False, was True"),
        ({"patience": 2}, "fit, patience is 2, was None"),
        ({"validation_data": None}, "validation is None"),
        ({"sample_weight": np.ones(50)}, "data, sample_weight"),
    ],
    ids=str,
)
def test_other_options_error(change, difference, begun, build, x, y):
    options = {"batch_size": 16, "validation_data": (x, y)} | change
    with pytest.raises(InvalidValueError, match=difference):
        training.fit(build(), x, y, epochs=2, checkpoint=begun, **options)


def test_fewer_epochs_error(build, x, y, tmp_path):
    training.fit(build(), x, y, epochs=3, checkpoint=tmp_path)
    with pytest.raises(InvalidValueError, match=r"epochs of at least 3, which .* has begun, received 2"):
        training.fit(build(), x, y, epochs=2, checkpoint=tmp_path)


def test_other_data_errors(begun, build, x, y):
    options = {"epochs": 2, "batch_size": 16, "validation_data": (x, y), "checkpoint": begun}
    other = x.copy()
    other[7, 3] += 1e-3
    with pytest.raises(InvalidValueError, match=r"data, x is float32 \(50, 6\), checksum"):
        training.fit(build(), other, y, **options)
    with pytest.raises(InvalidValueError, match=r"data, x is float32 \(49, 6\)"):
        training.fit(build(), x[1:], y[1:], **options)
    with pytest.raises(InvalidValueError, match="data, y is int64"):
        training.fit(build(), x, 2 - y, **options)


def test_two_runs_in_one_folder_error(build, x, y, tmp_path):
    def intrude(*_):
        with pytest.raises(DataError, match="where another run is training"):
            training.fit(build(), x, y, checkpoint=tmp_path)

    callback = keras.callbacks.LambdaCallback(on_epoch_end=intrude)
    training.fit(build(), x, y, checkpoint=tmp_path, callbacks=[callback])


def test_a_model_with_an_attention_layer_resumes(rng, y, interrupting, tmp_path, assert_same_weights):
    tokens = rng.integers(1, 20, (50, 5))

    def model():
        keras.utils.set_random_seed(0)
        model = models.attention_classifier(20, 3, embedding_dim=4, units=4, dropout=0.3, seed=0)
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    def fit(model, callbacks, folder="cut"):
        store = {"checkpoint": tmp_path / folder, "checkpoint_every": 3}
        return training.fit(model, tokens, y, epochs=2, batch_size=16, callbacks=callbacks, **store)

    once = undisturbed(model, lambda model, callbacks: fit(model, callbacks, "whole"))
    assert_same_weights(cut_off(model, fit, interrupting, [6]), once)
