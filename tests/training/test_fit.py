"""``training.fit`` against ``model.fit`` on the same batches: the same weights, bit for bit."""

from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import models, training
from toolkit.training import _steps
from toolkit.training._data import _tensor, gathered
from toolkit.training._state import State


def test_dropout_normalisation_and_validation_match_model_fit(build, x, y, plain_fit, assert_same_weights):
    def body():
        layers = keras.layers
        return [layers.Dense(8), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.3)]

    ours, plain = build(body), build(body)
    validation = x[:20] + 0.1, y[:20]
    history = training.fit(ours, x, y, epochs=3, batch_size=16, validation_data=validation)
    measured = plain_fit(plain, x, y, epochs=3, validation_data=validation)
    assert_same_weights(ours, plain)
    assert history.history.keys() == measured.keys() == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for name, values in measured.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5, err_msg=name)


def test_convolutions_match_model_fit(rng, y, plain_fit, assert_same_weights):
    images = rng.random((50, 10, 10, 1), "float32")

    def model():
        model = models.image_classifier((10, 10, 1), 3, filters=(4, 4), dropout=0.2, seed=0)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy")
        return model

    ours, plain = model(), model()
    training.fit(ours, images, y, epochs=2, batch_size=16)
    plain_fit(plain, images, y, epochs=2)
    assert_same_weights(ours, plain)


def test_masked_text_matches_model_fit(rng, y, plain_fit, assert_same_weights):
    tokens = rng.integers(1, 30, (50, 7))
    tokens[::3, 4:] = 0

    def model():
        model = models.text_classifier(30, 3, embedding_dim=4, hidden=(8,), dropout=0.2, seed=0)
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    ours, plain = model(), model()
    training.fit(ours, tokens, y, epochs=2, batch_size=16)
    plain_fit(plain, tokens, y, epochs=2)
    assert_same_weights(ours, plain)


@pytest.mark.parametrize("build_model", [models.attention_classifier, models.sequence_classifier])
def test_recurrent_networks_match_model_fit(build_model, rng, y, plain_fit):
    """An LSTM runs as one operation, which rounds otherwise than a loop over time."""
    if build_model is models.sequence_classifier:
        sequences = rng.standard_normal((50, 7, 4)).astype("float32")
        sequences[::3, 5:] = 0

        def model():
            return build_model((7, 4), 3, units=(5, 4), mask_value=0.0, dropout=0.2, seed=0)
    else:
        sequences = rng.integers(1, 30, (50, 7))
        sequences[::3, 4:] = 0

        def model():
            return build_model(30, 3, embedding_dim=4, units=6, dropout=0.2, seed=0)

    ours, plain = model(), model()
    for each in (ours, plain):
        each.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    history = training.fit(ours, sequences, y, epochs=3, batch_size=16)
    measured = plain_fit(plain, sequences, y, epochs=3)
    assert history.settings["fused_layers"]
    np.testing.assert_allclose(history.history["loss"], measured["loss"], rtol=1e-5)
    for w, twin in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(w, twin, atol=2e-4)


def two_in_two_out() -> keras.Model:
    keras.utils.set_random_seed(0)
    left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    both = keras.layers.Concatenate()([keras.layers.Dense(5, "tanh")(left), right])
    outputs = {
        "kind": keras.layers.Dense(3, "softmax", name="kind")(both),
        "size": keras.layers.Dense(1, name="size", kernel_regularizer="l2")(both),
    }
    model = keras.Model({"left": left, "right": right}, outputs)
    losses = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
    model.compile("rmsprop", losses, loss_weights={"kind": 1.0, "size": 0.5}, metrics={"size": "mae"})
    return model


def test_dicts_of_inputs_and_outputs_match_model_fit(x, y, rng, plain_fit, assert_same_weights):
    inputs = {"left": x[:, :4], "right": x[:, 4:]}
    targets = {"kind": y, "size": x.sum(axis=1)}
    weight = rng.random(50).astype("float32")
    ours, plain = two_in_two_out(), two_in_two_out()
    history = training.fit(ours, inputs, targets, epochs=2, batch_size=16, sample_weight=weight)
    each = {"kind": weight, "size": weight}
    measured = plain_fit(plain, inputs, targets, epochs=2, sample_weight=each)
    assert_same_weights(ours, plain)
    assert set(history.history) == set(measured) >= {"loss", "kind_loss", "size_loss", "size_mae"}


def test_a_list_of_inputs_matches_model_fit(x, y, plain_fit, assert_same_weights):
    def model():
        keras.utils.set_random_seed(0)
        inputs = [keras.Input((4,)), keras.Input((2,))]
        model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()(inputs)))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    ours, plain = model(), model()
    training.fit(ours, [x[:, :4], x[:, 4:]], y, epochs=1, batch_size=16)
    plain_fit(plain, [x[:, :4], x[:, 4:]], y, epochs=1)
    assert_same_weights(ours, plain)


@pytest.mark.parametrize("one_hot", [False, True])
def test_class_weight_matches_model_fit(one_hot, build, x, y, plain_fit, assert_same_weights):
    weights = {0: 3.0, 2: 0.5}
    targets = keras.utils.to_categorical(y, 3) if one_hot else y
    ours, plain = build(), build()
    for model in (ours, plain):
        loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
        model.compile("adam", loss, weighted_metrics=["accuracy"])
    training.fit(ours, x, targets, epochs=2, batch_size=16, class_weight=weights)
    plain_fit(plain, x, targets, epochs=2, class_weight=weights)
    assert_same_weights(ours, plain)


def test_sample_weight_matches_model_fit(build, x, y, rng, plain_fit, assert_same_weights):
    weight = rng.random(50)
    ours, plain = build(), build()
    validation = x, y, weight
    history = training.fit(ours, x, y, epochs=2, batch_size=16, sample_weight=weight, validation_data=validation)
    measured = plain_fit(plain, x, y, epochs=2, sample_weight=weight, validation_data=validation)
    assert_same_weights(ours, plain)
    np.testing.assert_allclose(history.history["val_loss"], measured["val_loss"], rtol=1e-6)


class Doubled(keras.Model):
    """A model of the user's own, with a training step of its own, that is not built before it sees data."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x, training=False):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2 * self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return {"doubled": loss, "factor": 2}


def test_a_train_step_of_ones_own_matches_model_fit(x, y, plain_fit, assert_same_weights):
    def model():
        keras.utils.set_random_seed(0)
        model = Doubled()
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    ours, plain = model(), model()
    history = training.fit(ours, x, y, epochs=2, batch_size=16)
    measured = plain_fit(plain, x, y, epochs=2)
    assert_same_weights(ours, plain)
    assert history.history == measured


class Apart(keras.Model):
    """Its step takes a dict that the model itself cannot be called with, and keeps its optimiser in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.optimizers = [keras.optimizers.Adam(0.1)]

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.dense(batch["anchor"]) - self.dense(batch["other"]) - 1) ** 2)
        weights = self.dense.trainable_weights
        self.optimizers[0].apply(tape.gradient(loss, [w.value for w in weights]), weights)
        return {"loss": loss}


def test_batches_that_only_the_step_understands_match_model_fit(x):
    def model():
        keras.utils.set_random_seed(0)
        model = Apart()
        model.compile()
        return model

    ours, plain = model(), model()
    pairs = {"anchor": x, "other": x[::-1]}
    history = training.fit(ours, pairs, epochs=2, batch_size=16, shuffle=False)
    measured = plain.fit(pairs, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history.history["loss"], measured["loss"], rtol=1e-6)
    np.testing.assert_array_equal(ours.dense.kernel, plain.dense.kernel)
    kept = State(ours).variables
    assert all(any(v is each for each in kept) for v in ours.optimizers[0].variables)


def test_a_model_that_runs_eagerly_matches_model_fit(build, x, y, plain_fit, assert_same_weights):
    ours, plain = build(run_eagerly=True), build(run_eagerly=True)
    training.fit(ours, x, y, epochs=1, batch_size=16)
    plain_fit(plain, x, y, epochs=1)
    assert_same_weights(ours, plain)


def test_a_moving_average_of_the_weights_matches_model_fit(build, x, y):
    def model():
        return build(optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5))

    ours, plain = model(), model()
    training.fit(ours, x, y, epochs=1, batch_size=16, shuffle=False)
    plain.fit(x, y, epochs=1, batch_size=16, shuffle=False, verbose=0)
    for w, twin in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(w, twin)


# Keras warns of every data set whose length it cannot know beforehand.
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("known_length", [True, False])
def test_data_sets_match_model_fit(known_length, build, x, y, assert_same_weights):
    def batches():
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
        return dataset if known_length else dataset.filter(lambda x, y: True)

    # Behind the last batch of an unknown length Keras takes one more step, of no samples. Its gradient is 0: nothing to
    # SGD, but Adam's averages move on, and with them the weights.
    optimizer = "adam" if known_length else "sgd"
    ours, plain = build(optimizer=optimizer), build(optimizer=optimizer)
    history = training.fit(ours, batches(), epochs=2, validation_data=batches())
    measured = plain.fit(batches(), epochs=2, validation_data=batches(), shuffle=False, verbose=0).history
    assert int(ours.optimizer.iterations) == 8
    assert int(plain.optimizer.iterations) == (8 if known_length else 10)
    for weight, twin in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, twin)
    if known_length:
        assert_same_weights(ours, plain)  # the optimiser's too
    assert history.samples == [50, 50]
    assert history.settings["steps_per_execution"] == "1: a data set hands over one batch at a time"
    for name, values in measured.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("known_length", [True, False])
def test_a_data_set_that_shuffles_is_taken_as_a_loop_over_it_takes_it(known_length, build, x, y, assert_same_weights):
    """``model.fit`` is no measure here: it starts iterations that it does not use, and so passes over orders."""

    def batches():
        dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(50, seed=3).batch(16)
        return dataset if known_length else dataset.filter(lambda x, y: True)

    ours, loop = build(), build()
    training.fit(ours, batches(), epochs=3)
    dataset = batches()
    for _ in range(3):
        for batch in dataset:
            loop.train_on_batch(*batch)
    assert_same_weights(ours, loop)


def test_a_data_set_may_change_its_length(build, x, y):
    lengths = iter([2, 4, 3])

    def batches():
        for k in range(next(lengths)):
            yield x[8 * k : 8 * k + 8], y[8 * k : 8 * k + 8]

    signature = tf.TensorSpec((None, 6), tf.float32), tf.TensorSpec((None,), tf.int64)
    history = training.fit(build(), tf.data.Dataset.from_generator(batches, output_signature=signature), epochs=3)
    assert history.samples == [16, 32, 24]


def test_one_long_text_does_not_widen_the_others():
    texts = np.array(["short"] * 1000 + ["long " * 10_000], dtype=object)
    tracemalloc.start()
    tensor = _tensor("test", texts)
    assert tracemalloc.get_traced_memory()[1] < 1e6  # as an array of width 50,000 it would be 200 MB
    tracemalloc.stop()
    assert tensor.shape == (1001,)
    assert tensor[0] == b"short"


def test_texts_as_strings_are_trained(y):
    words = np.array(["red", "green", "blue"], object)
    text = words[y]
    lookup = keras.layers.StringLookup(vocabulary=["red", "green", "blue"], output_mode="one_hot")
    model = keras.Sequential([keras.Input((), dtype="string"), lookup, keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = training.fit(model, text, y, epochs=15, batch_size=10)
    assert history.history["accuracy"][-1] == 1


def test_float64_integers_and_tensors_are_taken_as_keras_takes_them(build, x, y, assert_same_weights):
    whole = np.round(10 * x)
    first = build()
    training.fit(first, whole, y, epochs=1)
    for same in (whole.astype("float64"), tf.constant(whole), np.asfortranarray(whole)):
        model = build()
        training.fit(model, same, y.astype("uint8"), epochs=1)
        assert_same_weights(model, first)


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_steps_in_one_call_change_nothing(steps, build, x, y, assert_same_weights):
    auto, fixed = (build(lambda: [keras.layers.Dropout(0.5)]) for _ in range(2))
    training.fit(auto, x, y, epochs=3, batch_size=8)
    history = training.fit(fixed, x, y, epochs=3, batch_size=8, steps_per_execution=steps)
    assert_same_weights(auto, fixed)
    assert history.settings["steps_per_execution"] == str(steps)


def test_a_split_holds_out_the_last_rows(build, x, y, assert_same_weights):
    split, given = build(), build()
    history = training.fit(split, x, y, epochs=2, validation_split=0.2)
    other = training.fit(given, x[:40], y[:40], epochs=2, validation_data=(x[40:], y[40:]))
    assert history.history == other.history
    assert_same_weights(split, given)


def test_a_batch_larger_than_the_data_is_one_step(build, x, y):
    model = build()
    training.fit(model, x, y, epochs=2, batch_size=1000)
    assert int(model.optimizer.iterations) == 2


def test_without_targets_the_model_learns_from_its_own_loss(x):
    class Norm(keras.layers.Layer):
        def call(self, z):
            self.add_loss(keras.ops.mean(z**2))
            return z

    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2), Norm()])
    model.compile("adam")
    history = training.fit(model, x, epochs=3)
    assert history.history["loss"][2] < history.history["loss"][0]


def test_the_model_is_usable_afterwards(build, x, y, tmp_path):
    model = build(lambda: [keras.layers.Dropout(0.1)])
    history = training.fit(model, x, y, epochs=1)
    assert model.history is history
    model.fit(x, y, epochs=1, verbose=0)  # as Keras trains it
    training.fit(model, x, y, epochs=1)  # and again
    model.compile("sgd", "sparse_categorical_crossentropy")
    training.fit(model, x, y, epochs=1)
    assert int(model.optimizer.iterations) == 2
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    keras.models.clone_model(model)


def test_a_second_fit_finds_the_steps_compiled(build, x, y):
    traced = []

    def body():
        return [keras.layers.Lambda(lambda z: traced.append(z) or z)]

    model = build(body)
    training.fit(model, x, y, epochs=1)
    times = len(traced)
    training.fit(model, x[:20], y[:20], epochs=1)
    assert len(traced) == times > 0
    model.compile("sgd", "sparse_categorical_crossentropy")
    training.fit(model, x, y, epochs=1)
    assert len(traced) > times


def test_one_compiled_loop_serves_any_number_of_rows(build, x, y, monkeypatch):
    traced = []
    monkeypatch.setattr(_steps, "gathered", lambda *args: traced.append(args) or gathered(*args))
    model = build()
    for rows in (20, 30, 7):
        training.fit(model, x[:rows], y[:rows], epochs=1, batch_size=10)
    assert len(traced) == 1  # a loop that is traced calls it once, however often it runs


def test_what_callbacks_add_is_in_the_history(build, x, y):
    def halving():
        return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

    history = training.fit(build(), x, y, epochs=3, callbacks=halving())
    other = build().fit(x, y, epochs=3, callbacks=halving(), verbose=0)
    assert list(history.frame()["learning_rate"]) == other.history["learning_rate"] != []


def test_callbacks_are_called_as_keras_calls_them(build, x, y):
    class Calls(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.calls = []

        def on_train_begin(self, logs=None):
            self.calls.append(self.params)

        def on_epoch_begin(self, epoch, logs=None):
            self.calls.append(f"epoch {epoch}")

        def on_train_batch_end(self, batch, logs=None):
            self.calls.append((batch, sorted(logs)))

        def on_test_begin(self, logs=None):
            self.calls.append("test")

        def on_test_batch_begin(self, batch, logs=None):
            self.calls.append(batch)

        def on_test_batch_end(self, batch, logs=None):
            self.calls.append((batch, sorted(logs)))

        def on_epoch_end(self, epoch, logs=None):
            self.calls.append(sorted(logs))

        def on_train_end(self, logs=None):
            self.calls.append(sorted(logs))

    ours, plain = Calls(), Calls()
    options = {"epochs": 2, "batch_size": 16, "validation_data": (x, y)}
    history = training.fit(build(), x, y, callbacks=[ours], verbose=False, **options)
    build().fit(x, y, callbacks=[plain], verbose=0, **options)
    assert ours.calls == plain.calls
    assert history.settings["steps_per_execution"] == "1: Calls sees every batch"


def test_callbacks_that_see_only_epochs_do_not_slow_training_down(build, x, y, tmp_path):
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss", save_best_only=True),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
    ]
    history = training.fit(build(), x, y, epochs=2, callbacks=callbacks)
    assert history.settings["steps_per_execution"].startswith("auto")
    assert (tmp_path / "best.keras").exists()
    seen = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    assert "LambdaCallback" in training.fit(build(), x, y, callbacks=[seen]).settings["steps_per_execution"]


@pytest.mark.parametrize("when", ["on_epoch_begin", "on_train_batch_end", "on_epoch_end"])
def test_a_callback_may_end_the_run(when, build, x, y):
    callback = keras.callbacks.Callback()
    setattr(callback, when, lambda *_, **__: setattr(callback.model, "stop_training", True))
    model = build()
    history = training.fit(model, x, y, epochs=5, batch_size=16, callbacks=[callback])
    assert history.stopped == "a callback ended it after epoch 1"
    assert int(model.optimizer.iterations) == (4 if when == "on_epoch_end" else 1)  # as in Keras


def test_an_interruption_leaves_a_model_that_goes_on(build, x, y, interrupting, assert_same_weights):
    model, plain = build(), build()
    with pytest.raises(KeyboardInterrupt):
        training.fit(model, x, y, epochs=2, batch_size=16, callbacks=[interrupting(6)])
    assert model.history.stopped == "interrupted in epoch 2 after step 2"
    assert model.history.epochs == 1
    assert len(model.history.history["loss"]) == 1
    order = np.concatenate([training.epoch_order(50, epoch=epoch, seed=0) for epoch in (0, 1)])
    for rows in (order[:50], order[50:82]):
        plain.fit(x[rows], y[rows], batch_size=16, shuffle=False, verbose=0)
    assert_same_weights(model, plain)
    training.fit(model, x, y, epochs=1)
