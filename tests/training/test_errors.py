"""What ``training.fit`` refuses, and that it says what to do."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

from toolkit import scratch, training
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError


def test_model_errors(x, y):
    with pytest.raises(UnsupportedError, match="a Keras model, received Sequential"):
        training.fit(scratch.Sequential([scratch.Dense(3)]), x, y)
    with pytest.raises(CallOrderError, match=r"model\.compile"):
        training.fit(keras.Sequential([keras.layers.Dense(3)]), x, y)


def test_a_model_of_a_distribution_strategy_errors(build, x, y):
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        model = build()
    with pytest.raises(UnsupportedError, match=r"made under OneDeviceStrategy.*model\.fit"):
        training.fit(model, x, y)


@pytest.mark.parametrize(
    ("rows", "received"),
    [((50, 49), "x with 50, y with 49"), ((0, 0), "x with 0, y with 0"), ((1, 50), "x with 1, y with 50")],
)
def test_length_errors(rows, received, build, x, y):
    with pytest.raises(ShapeError, match=received):
        training.fit(build(), x[: rows[0]], y[: rows[1]])


def test_other_length_errors(build, x, y):
    with pytest.raises(ShapeError, match="sample_weight with 10"):
        training.fit(build(), x, y, sample_weight=np.ones(10))
    with pytest.raises(ShapeError, match="x with 50, y with 3"):
        training.fit(build(), x, y, validation_data=(x, y[:3]))
    with pytest.raises(ShapeError, match="a single number"):
        training.fit(build(), x, 3.0 * np.ones(()))
    with pytest.raises(ShapeError, match="at least one batch, received an empty data set"):
        training.fit(build(), tf.data.Dataset.from_tensor_slices((x, y)).batch(8).filter(lambda *_: False))
    with pytest.raises(ShapeError, match="samples to hold out"):
        training.fit(build(), x[:1], y[:1], validation_split=0.5)


def test_a_shape_that_the_model_does_not_take_errors(build, x, y):
    with pytest.raises(ValueError, match="shape"):
        training.fit(build(), x[:, :4], y)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", -1),
        ("batch_size", None),
        ("patience", 0),
        ("checkpoint_every", 0),
        ("steps_per_execution", 0),
        ("seed", -1),
        ("seed", "0"),
        ("jit_compile", "yes"),
        ("validation_split", 1.0),
        ("validation_split", -0.1),
    ],
)
def test_option_errors(option, value, build, x, y):
    with pytest.raises(InvalidValueError, match=option):
        training.fit(build(), x, y, **{option: value})


def test_options_that_exclude_each_other(build, x, y):
    with pytest.raises(InvalidValueError, match="without validation_data"):
        training.fit(build(), x, y, validation_split=0.2, validation_data=(x, y))
    with pytest.raises(InvalidValueError, match="checkpoint_every beside a checkpoint"):
        training.fit(build(), x, y, checkpoint_every=5)
    with pytest.raises(UnsupportedError, match="both"):
        training.fit(build(), x, y, class_weight={0: 2.0}, sample_weight=np.ones(50))


@pytest.mark.parametrize("weights", [{"0": 2.0}, [1.0, 2.0, 3.0]], ids=str)
def test_class_weight_errors(weights, build, x, y):
    with pytest.raises(InvalidValueError, match="class_weight as a dict of class number and weight"):
        training.fit(build(), x, y, class_weight=weights)


def test_callback_errors(build, x, y, tmp_path):
    with pytest.raises(InvalidValueError, match=r"callbacks as a list of keras\.callbacks\.Callback"):
        training.fit(build(), x, y, callbacks=[print])
    with pytest.raises(UnsupportedError, match=r"BackupAndRestore.*checkpoint=FOLDER"):
        training.fit(build(), x, y, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)])


def test_classes_as_words_error(build, x, y):
    words = np.array(["red", "green", "blue"])[y]
    with pytest.raises(UnsupportedError, match=r"numbers as targets y, received strings.*np\.unique"):
        training.fit(build(), x, words)
    with pytest.raises(UnsupportedError, match="received strings"):
        training.fit(build(), tf.data.Dataset.from_tensor_slices((x, words)).batch(8))


@pytest.mark.parametrize(
    "data",
    [[[1.0, 2.0], [3.0, 4.0]], "text", None, {1, 2}, scipy.sparse.csr_matrix(np.eye(3)), (row for row in [[1.0]])],
    ids=["lists", "a text", "nothing", "a set", "sparse", "a generator"],
)
def test_data_of_another_kind_errors(data, build, y):
    with pytest.raises((UnsupportedError, ShapeError), match=r"training\.fit of"):
        training.fit(build(), data, y)


def test_objects_error(build, x, y):
    with pytest.raises(UnsupportedError, match=r"numbers or strings, received an array of Python objects"):
        training.fit(build(), pd.DataFrame({"a": [1, None], "b": ["x", 2]}), y[:2])


def test_data_set_errors(build, x, y):
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    with pytest.raises(UnsupportedError, match=r"y beside a tf\.data\.Dataset"):
        training.fit(build(), dataset, y)
    with pytest.raises(UnsupportedError, match="validation_split beside"):
        training.fit(build(), dataset, validation_split=0.1)
    with pytest.raises(InvalidValueError, match=r"repeats for ever.*take\(steps\)"):
        training.fit(build(), dataset.repeat())
    with pytest.raises(InvalidValueError, match="validation_data as"):
        training.fit(build(), x, y, validation_data=x)


def test_class_weight_needs_one_output(x, y):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, [keras.layers.Dense(3)(inputs), keras.layers.Dense(3)(inputs)])
    model.compile("sgd", ["mse", "mse"])
    with pytest.raises(UnsupportedError, match="one output"):
        training.fit(model, x, [x[:, :3], x[:, 3:]], class_weight={0: 1.0})


def test_numpy_integers_are_integers(build, x, y, tmp_path):
    options = {name: np.int64(1) for name in ("epochs", "batch_size", "patience", "seed", "checkpoint_every")}
    options["batch_size"] = np.int64(16)
    history = training.fit(build(), x, y, validation_split=0.2, checkpoint=tmp_path, **options)
    assert history.epochs == 1


def test_data_frames_are_taken(build, x, y):
    first, frame = build(), build()
    training.fit(first, x, y)
    training.fit(frame, pd.DataFrame(x), pd.Series(y))
    np.testing.assert_array_equal(frame.get_weights()[0], first.get_weights()[0])


def test_a_frame_of_several_kinds_of_numbers_is_taken(build, x, y):
    frame = pd.DataFrame(x).assign(whole=np.arange(50), flag=x[:, 0] > 0).drop(columns=[0, 1])
    first, mixed = build(), build()
    training.fit(first, frame.to_numpy("float32"), y)
    training.fit(mixed, frame, y, callbacks=None)
    np.testing.assert_array_equal(mixed.get_weights()[0], first.get_weights()[0])


def test_a_token_outside_of_the_table_is_not_passed_over(y):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(9, 2), keras.layers.GRU(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    tokens = np.full((50, 4), 5)
    tokens[30, 2] = 9
    with pytest.raises(tf.errors.InvalidArgumentError, match="9 is not in"):
        training.fit(model, tokens, y, epochs=2000)
