"""Arrays that are mapped from a file stay there, and train the same model."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import InvalidValueError
from toolkit.training._data import training_source


@pytest.fixture
def mapped(tmp_path):
    """A copy of an array in a file."""

    def mapped(array: np.ndarray, name: str = "x") -> np.memmap:
        copy = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
        copy[:] = array
        return copy

    return mapped


def test_same_weights_as_from_memory(build, x, y, mapped, assert_same_weights):
    from_disk, from_memory = build(), build()
    options = {"epochs": 2, "batch_size": 16}
    training.fit(from_disk, mapped(x), y, validation_data=(mapped(x, "v"), y), **options)
    training.fit(from_memory, x, y, validation_data=(x, y), **options)
    assert_same_weights(from_disk, from_memory)
    assert from_disk.history.history == from_memory.history.history


def test_the_rows_are_not_loaded(x, y, mapped):
    options = {"batch_size": 16, "shuffle": True, "seed": 0, "validation_split": 0.2}
    source, held_out = training_source("", mapped(x), y, None, {0: 2.0}, **options)
    for arrays in (source, held_out):
        assert isinstance(arrays.data[0], np.memmap)
        assert arrays.on_disk
    loaded, _ = training_source("", mapped(x.astype("float64")), y, None, None, **options)
    assert not loaded.on_disk, "to be converted to float32"


def test_resumes_only_with_the_same_file_errors(build, x, y, mapped, interrupting, tmp_path, assert_same_weights):
    def fit(model, data, callbacks=(), folder="run"):
        options = {"epochs": 2, "batch_size": 16, "checkpoint": tmp_path / folder, "checkpoint_every": 3}
        return training.fit(model, data, y, callbacks=list(callbacks), **options)

    with pytest.raises(KeyboardInterrupt):
        fit(build(), mapped(x), [interrupting(6)])
    with pytest.raises(InvalidValueError, match=r"data, x is float32 \(50, 6\), checksum"):
        fit(build(), mapped(x + 1, "other"))
    resumed, whole = build(), build()
    fit(resumed, mapped(x))
    fit(whole, x, folder="whole")
    assert_same_weights(resumed, whole)


def test_what_is_not_finite_is_found(x, y, mapped):
    x[3, 2] = np.nan
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    with pytest.raises(InvalidValueError, match="x of the batch is not finite"):
        training.fit(model, mapped(x), y, batch_size=25)
