from __future__ import annotations

import json

import keras
import ml_dtypes
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import DataError, InvalidValueError
from toolkit.training._checkpoint import Checkpoint


@pytest.fixture
def store(tmp_path) -> Checkpoint:
    return Checkpoint(tmp_path, {"model": {"units": [1, 2]}}, "test")


def test_what_is_saved_is_loaded(store):
    state = [np.arange(6.0).reshape(2, 3), np.array(7), np.ones((2, 3), ml_dtypes.bfloat16), np.zeros((0, 4))]
    state += [np.array(["a", "name"]), np.arange(3, dtype=">f4"), np.array(["2020-01-01"], "datetime64[s]")]
    store.save({"state": state, "best": []}, {"epoch": 3, "loss": float("nan")})
    arrays, record = store.load()
    assert record["epoch"] == 3
    assert np.isnan(record["loss"])
    assert arrays["best"] == []
    for array, saved in zip(arrays["state"], state, strict=True):
        assert array.dtype == saved.dtype
        np.testing.assert_array_equal(array, saved)


def test_nothing_saved_is_none(store):
    assert store.load() is None


def test_it_is_a_file_of_plain_arrays(store):
    store.save({"state": [np.ones(2)]}, {"epoch": 1})
    with np.load(store.path, allow_pickle=False) as file:
        assert json.loads(file["record"].tobytes())["epoch"] == 1


def test_a_write_that_fails_keeps_the_one_before(store, monkeypatch):
    store.save({"state": [np.ones(2)]}, {"epoch": 1})

    def full(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match=r"can be written.*No space left"):
        store.save({"state": [np.zeros(2)]}, {"epoch": 2})
    assert store.load()[1]["epoch"] == 1


def test_another_run_errors(store, tmp_path):
    store.save({"state": []}, {})
    other = Checkpoint(tmp_path, {"model": {"units": [1, 3]}, "data": "x"}, "test")
    with pytest.raises(InvalidValueError, match=r"model, units\[1\] is 3, was 2; data is x, was None"):
        other.load()


@pytest.mark.parametrize(
    "damage", ["empty", "half", "text", "one byte", "compression", "an array", "another file", "no record"]
)
def test_a_damaged_file_errors(damage, store):
    store.save({"state": [np.arange(1000.0)]}, {"epoch": 1})
    content = store.path.read_bytes()
    if damage == "empty":
        store.path.write_bytes(b"")
    elif damage == "half":
        store.path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        store.path.write_text("not a checkpoint")
    elif damage == "one byte":
        store.path.write_bytes(content[:400] + bytes([content[400] ^ 1]) + content[401:])
    elif damage == "compression":
        directory = content.rindex(b"PK\x01\x02")  # of the last array; its compression stands at byte 10
        store.path.write_bytes(content[: directory + 10] + b"\x63" + content[directory + 11 :])
    elif damage == "an array":
        with store.path.open("wb") as file:
            np.save(file, np.ones(3))
    elif damage == "another file":
        np.savez(store.path, a=np.ones(3))
    else:
        np.savez(store.path, record=np.frombuffer(b"[1]", np.uint8))
    with pytest.raises(DataError, match=r"cannot be read.*resume=False"):
        store.load()


def test_pickles_are_not_opened(store):
    np.savez(store.path, record=np.array([{"format": 1}], object))
    with pytest.raises(DataError, match="cannot be read"):
        store.load()


def test_a_later_format_errors(store, monkeypatch):
    monkeypatch.setattr("toolkit.training._checkpoint._FORMAT", 2)
    store.save({"state": []}, {})
    monkeypatch.undo()
    with pytest.raises(DataError, match="format 1, received format 2"):
        store.load()


def test_a_folder_that_is_a_file_errors(build, x, y, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can be written"):
        training.fit(build(), x, y, checkpoint=tmp_path / "file")


def test_errors_of_training_are_not_the_folders(build, x, y, tmp_path):
    def forbidden(*_):
        raise PermissionError("of the callback's own")

    callback = keras.callbacks.LambdaCallback(on_epoch_end=forbidden)
    with pytest.raises(PermissionError, match="own"):
        training.fit(build(), x, y, checkpoint=tmp_path, callbacks=[callback])
    training.fit(build(), x, y, checkpoint=tmp_path)  # and the folder is free again
