"""Greedy training: what is stored equals what is computed again; frozen is frozen; nothing of the model is lost."""

from __future__ import annotations

import errno
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import CallOrderError, DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training import layerwise
from toolkit.training.layerwise import _features

layers = keras.layers


def test_stored_outputs_train_like_recomputed_ones(build, noisy_body, x, y, assert_same_variables):
    """With dropout and batch normalisation, whose frozen layers must run in inference mode both times."""
    options = {"epochs": [2, 1, 1], "batch_size": 24, "fine_tune_epochs": 1, "validation_data": (x[:9], y[:9])}
    stored, recomputed = build(body=noisy_body), build(body=noisy_body)
    first = layerwise.greedy(stored, x, y, **options)
    second = layerwise.greedy(recomputed, x, y, cache=False, **options)
    assert_same_variables(stored, recomputed, rtol=1e-5)
    for a, b in zip(first, second, strict=True):
        for name, values in a.history.history.items():
            np.testing.assert_allclose(values, b.history.history[name], rtol=1e-4, err_msg=f"{a.name} {name}")


def test_a_stage_is_the_training_of_its_block_on_frozen_outputs_matches_keras(build, x, y):
    """Two blocks by hand: plain models, plain ``model.fit`` on the same order of the samples."""
    model = build(depth=2)
    by_hand = build(depth=2)
    first, second, head = by_hand.layers
    layerwise.greedy(
        model, x, y, epochs=2, batch_size=16, head=lambda _: [layers.Dense(3, "softmax", kernel_initializer="ones")]
    )

    def fit(*chain):
        stage = keras.Sequential([keras.Input(chain[0].kernel.shape[:1]), *chain])
        stage.compile("adam", "sparse_categorical_crossentropy")
        h = x if chain[0] is first else first(x).numpy()
        for epoch in range(2):
            order = training.epoch_order(len(x), epoch=epoch, seed=0)
            stage.fit(h[order], y[order], batch_size=16, shuffle=False, verbose=0)

    fit(first, layers.Dense(3, "softmax", kernel_initializer="ones"))
    fit(second, head)
    for w, by in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(w, by, rtol=1e-5, atol=1e-6)


def test_each_stage_changes_its_block_alone(build, noisy_body, x, y):
    model, seen = build(body=noisy_body), []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.before = model.get_weights()

        def on_train_end(self, logs=None):
            pairs = zip(model.weights, self.before, model.get_weights())
            seen.append({weight.path.split("/")[-2] for weight, a, b in pairs if not np.array_equal(a, b)})

    layerwise.greedy(model, x, y, epochs=1, callbacks=[Watch()])
    assert seen[0] == {"hidden_1", "normalisation_1"}
    assert seen[1] == {"hidden_2", "normalisation_2"}
    assert seen[2] == {"hidden_3", "normalisation_3", "head"}


def test_the_model_stays_whole(build, x, y):
    """No layer is left frozen, shared graphs do not grow, the model is still Keras's to train and to save."""
    model = build()
    model.layers[1].trainable = False
    kept = model.layers[1].get_weights()
    for cache in (True, False):
        layerwise.greedy(model, x, y, epochs=1, cache=cache)
    assert [layer.trainable for layer in model.layers] == [True, False, True, True]
    np.testing.assert_array_equal(model.layers[1].kernel, kept[0])
    assert all(len(layer._inbound_nodes) == 1 for layer in model.layers)
    model.fit(x, y, verbose=0)


def test_same_seed_same_result(build, x, y, assert_same_variables):
    one, same, other = build(), build(), build()
    keras.utils.set_random_seed(1)
    drawn = keras.random.normal((1,))
    keras.utils.set_random_seed(1)
    options = {"blocks": ["hidden_1"], "head": lambda _: [layers.Dense(3, "softmax")], "batch_size": 24}
    layerwise.greedy(one, x, y, seed=3, **options)
    assert keras.random.normal((1,)) == drawn, "others' random numbers are not touched"
    layerwise.greedy(same, x, y, seed=3, **options)
    layerwise.greedy(other, x, y, seed=4, **options)
    assert_same_variables(one, same)
    assert not np.array_equal(one.layers[0].kernel, other.layers[0].kernel)


def test_large_outputs_go_to_disk_and_train_the_same(build, x, y, assert_same_variables):
    on_disk, in_memory = build(), build()
    options = {"epochs": 1, "batch_size": 16, "validation_data": (x, y)}
    record = layerwise.greedy(on_disk, x, y, memory_limit=100, **options)
    layerwise.greedy(in_memory, x, y, **options)
    assert [stage.features_on_disk for stage in record] == [False, True, True]
    assert record[1].feature_bytes == 2 * x.shape[0] * 5 * 4  # training and validation
    assert_same_variables(on_disk, in_memory)


def test_files_are_deleted(build, x, y, tmp_path, monkeypatch):
    monkeypatch.setattr(_features.tempfile, "tempdir", str(tmp_path))
    layerwise.greedy(build(), x, y, memory_limit=0)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InvalidValueError, match="not finite"):
        layerwise.greedy(build(optimizer=keras.optimizers.SGD(1e30)), x, y, memory_limit=0)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_errors(build, x, y, tmp_path, monkeypatch):
    def full(file, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_features.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(_features.os, "posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match=r"room for 0\.00096 MB of outputs.*No space left on device.*TMPDIR"):
        layerwise.greedy(build(depth=2), x, y, memory_limit=100)
    assert not list(tmp_path.iterdir())


def test_memory_counts_what_is_not_on_disk(x):
    """Of 48 and 4 rows of 6 numbers, the 48 go to disk."""
    with _features.Features(x, [x[:4]], batch_size=48, memory_limit=100, where="") as features:
        features.pass_through(lambda rows: (rows, None))
        assert (features.bytes, features.bytes_in_memory, features.on_disk) == (52 * 6 * 4, 4 * 6 * 4, True)


def test_masks_travel_with_stored_outputs(assert_same_variables):
    """Padded tokens must not count for the LSTM of block 2, whose inputs are stored."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 9, (20, 5)) * (np.arange(5) < rng.integers(1, 6, (20, 1)))
    y = tokens[:, 0] % 2

    def build():
        keras.utils.set_random_seed(0)
        body = [layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)]
        model = keras.Sequential([keras.Input((5,), dtype="int32"), *body, layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    stored, recomputed = build(), build()
    layerwise.greedy(stored, tokens, y, epochs=2)
    layerwise.greedy(recomputed, tokens, y, epochs=2, cache=False)
    assert_same_variables(stored, recomputed, rtol=1e-5)


def test_feature_maps_get_a_head_of_2_by_2_averages(y):
    images = np.random.default_rng(0).random((48, 7, 7, 1)).astype("float32")
    body = [layers.Conv2D(2, 3, activation="relu"), layers.Conv2D(2, 3, activation="relu"), layers.Flatten()]
    model = keras.Sequential([keras.Input((7, 7, 1)), *body, layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    record = layerwise.greedy(model, images, y)
    assert record[0].trainable_parameters == (3 * 3 * 2 + 2) + (2 * 2 * 2 * 3 + 3)


def test_record(build, x, y):
    record = layerwise.greedy(build(), x, y, epochs=[1, 2, 3], batch_size=16, gradients=True)
    assert [stage.name for stage in record] == ["block 1: hidden_1", "block 2: hidden_2", "block 3: hidden_3"]
    assert [stage.history.epochs for stage in record] == [1, 2, 3]
    assert [stage.steps for stage in record] == [3, 6, 9]
    assert record["block 2: hidden_2"].trainable_parameters == 5 * 5 + 5 + 5 * 3 + 3
    assert record[2].gradients.keys() == {"hidden_3", "head"}
    frame = record.frame()
    assert {"epochs", "loss", "accuracy", "seconds", "trainable_parameters", "peak_mb"} <= set(frame.columns)
    assert (frame.seconds > 0).all()
    ax = record.plot(measure="accuracy")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [stage.name for stage in record]
    with pytest.raises(InvalidValueError, match="measure as one of loss, accuracy"):
        record.plot(measure="f1")
    with pytest.raises(InvalidValueError, match="a stage among block 1"):
        record["block 9"]


def test_first_gradients_match_keras(build, x, y):
    model, twin = build(), build()
    record = layerwise.greedy(model, x, y, blocks=["hidden_3"], gradients=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, twin(x)))
    kernel = twin.layers[0].kernel
    expected = float(tf.norm(tape.gradient(loss, kernel.value)))
    assert record[0].gradients["hidden_1"] == pytest.approx(expected, rel=1e-5)


def test_errors(build, x, y):
    with pytest.raises(CallOrderError, match="a compiled model"):
        layerwise.greedy(keras.Sequential([keras.Input((6,)), layers.Dense(2), layers.Dense(3)]), x, y)
    with pytest.raises(InvalidValueError, match="one for each of the 3 blocks, received \\[1, 2\\]"):
        layerwise.greedy(build(), x, y, epochs=[1, 2])
    for epochs in (1.5, None, True, [1, 2, 0]):
        with pytest.raises(InvalidValueError, match="epochs as an integer from 1, or one for each of the 3 blocks"):
            layerwise.greedy(build(), x, y, epochs=epochs)
    with pytest.raises(InvalidValueError, match="fine_tune_epochs as an integer from 0"):
        layerwise.greedy(build(), x, y, fine_tune_epochs=-1)
    with pytest.raises(UnsupportedError, match="inputs as one array, received list"):
        layerwise.greedy(build(), [x, x], y)
    with pytest.raises(InvalidValueError, match=r"validation_data as \(x, y\)"):
        layerwise.greedy(build(), x, y, validation_data=x)
    with pytest.raises(ShapeError, match="x with 48, y with 47"):
        layerwise.greedy(build(), x, y[1:])
    with pytest.raises(TypeError, match="no_such_option"):
        layerwise.greedy(build(), x, y, no_such_option=1)
