"""What `toolkit xray` reads: model files that are safe, samples and labels that fit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray
from toolkit.errors import DataError, InvalidValueError, ShapeError, ToolkitError, UnsupportedError
from toolkit.xray._command import fit_inputs, fit_labels, from_data, from_files, load_model


@pytest.fixture
def saved(tmp_path):
    def save(*stack, shape=(4,), name="model.keras", **compiled):
        model = keras.Sequential([keras.Input(shape), *stack])
        if compiled:
            model.compile(**compiled)
        model.save(tmp_path / name)
        return tmp_path / name

    return save


def model_of(shape, units=3, dtype="float32"):
    i = keras.Input(shape, dtype=dtype)
    return keras.Model(i, layers.Dense(units, "softmax")(layers.Flatten()(keras.ops.cast(i, "float32"))))


# ---------------------------------------------------------------------- model files


def test_model_comes_back_with_its_weights_loss_and_optimiser(saved):
    path = saved(layers.Dense(2, kernel_initializer="ones"), optimizer="sgd", loss="mse")
    model = load_model(path)
    assert np.array_equal(model.get_weights()[0], np.ones((4, 2)))
    assert model.loss == "mse"
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_code_in_a_model_is_not_run_errors(saved):
    path = saved(layers.Lambda(lambda t: t + 1))
    with pytest.raises(DataError, match=r"a Lambda layer.*which is not run"):
        load_model(path)


def test_class_that_is_not_keras_s_is_named_errors(saved):
    class Own(layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(UnsupportedError, match="'Own', which only the program that wrote the file has"):
        load_model(saved(Own()))


def test_damaged_files_errors(saved, tmp_path):
    whole = saved(layers.Dense(64)).read_bytes()
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        member = archive.getinfo("model.weights.h5")
        middle = member.header_offset + member.file_size // 2
        contents = {name: archive.read(name) for name in archive.namelist()}
    flipped = whole[:middle] + bytes(255 - b for b in whole[middle : middle + 4]) + whole[middle + 4 :]
    for name, content, told in [
        ("cut", whole[: len(whole) // 2], "something else, or a part of one"),
        ("text", b"no model at all", "something else, or a part of one"),
        ("empty", b"", "something else, or a part of one"),
        ("flipped", flipped, "another checksum"),
    ]:
        path = tmp_path / f"{name}.keras"
        path.write_bytes(content)
        with pytest.raises(DataError, match=told):
            load_model(path)
    for name, changed in {"other": {"a": b"b"}, "no-weights": contents | {"model.weights.h5": b"x"}}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, content in changed.items():
                archive.writestr(member, content)
        with pytest.raises(DataError, match="a model that Keras can load"):
            load_model(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 10_000_000)
    with pytest.raises(DataError, match="a compressed archive"):
        load_model(tmp_path / "bomb")


def test_missing_files_and_folders_errors(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_model(tmp_path / "none.keras")
    with pytest.raises(DataError, match="a folder"):
        load_model(tmp_path)


# ---------------------------------------------------------------------- samples


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8), (64,), (None, None, 1)])
def test_digits_are_brought_to_the_model_s_shape(shape):
    model = keras.Model(i := keras.Input(shape), i * 1.0)
    found = from_data(model, "digits:3-5", None, "mse")
    assert found.x.shape[1:] == tuple(n or 8 for n in shape)
    assert len(found.x) == 3
    assert "training samples 3 to 5" in found.told
    assert ("reshaped" in found.told) == (found.x.shape[1:] != (8, 8, 1))


@pytest.mark.parametrize(("sample", "count", "n"), [("digits", None, 1), ("digits:2", 4, 4), ("digits:7-7", None, 1)])
def test_how_many_samples(sample, count, n):
    found = from_data(model_of((64,), 10), sample, count, "sparse_categorical_crossentropy")
    assert found.x.shape == (n, 64)
    assert found.y.shape == (n,)


@pytest.mark.parametrize(
    ("sample", "count", "kind", "told"),
    [
        ("digits:", None, InvalidValueError, "name:index or name:first-last"),
        ("digits:-1", None, InvalidValueError, "name:index or name:first-last"),
        ("../digits:1", None, InvalidValueError, "name:index or name:first-last"),
        ("digits:5-2", None, InvalidValueError, "the smaller first"),
        ("digits:1437", None, InvalidValueError, "indices from 0 to 1436"),
        ("digits:0-3", 2, InvalidValueError, "a range, or --samples"),
        ("digits:0-999", None, InvalidValueError, "up to 512 samples"),
        ("sunspots:0", None, InvalidValueError, "a series"),
        ("numbers:0", None, DataError, "one of the names mnist5k"),
        ("japanese_vowels:0", None, ShapeError, "samples of shape"),
    ],
)
def test_samples_errors(sample, count, kind, told):
    with pytest.raises(kind, match=told):
        from_data(model_of((64,)), sample, count, "mse")


def test_shape_that_does_not_fit_names_both_errors():
    with pytest.raises(ShapeError, match=r"samples of shape \(N, 28, 28, 1\), received \(1, 8, 8, 1\)"):
        from_data(model_of((28, 28, 1)), "digits:0", None, None)
    words = keras.Model(i := keras.Input((None,)), i * 1.0)  # of any length, but pixels are none
    with pytest.raises(ShapeError, match=r"samples of shape \(N, None\), received \(1, 8, 8, 1\)"):
        from_data(words, "digits:0", None, None)


def test_model_with_two_inputs_errors():
    i, j = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ShapeError, match="takes 2"):
        from_data(keras.Model([i, j], i + j), "digits:0", None, None)


def test_texts_for_a_model_of_numbers_errors():
    with pytest.raises(InvalidValueError, match=r"numbers, which is what the model .* takes, received texts"):
        fit_inputs("x", model_of((4,)), np.array(["a", "b"], dtype=object))


def test_model_without_a_loss_is_traced_forward_alone():
    found = from_data(model_of((64,)), "digits:0", None, None)
    assert found.y is None
    assert "no loss, so the forward pass alone" in found.told


def test_labels_take_the_form_of_the_loss():
    y = np.array([0, 2])
    x = np.zeros((2, 4))
    assert np.array_equal(fit_labels(model_of((4,)), x, y, "categorical_crossentropy"), [[1, 0, 0], [0, 0, 1]])
    assert fit_labels(model_of((4,)), x, y, "sparse_categorical_crossentropy") is y
    assert fit_labels(model_of((4,), 4), x, y, "mse") is x  # an autoencoder: from x to x
    compiled = model_of((4,))
    compiled.compile("sgd", keras.losses.CategoricalCrossentropy())
    assert fit_labels(compiled, x, y, None).shape == (2, 3)


# ---------------------------------------------------------------------- files of arrays


def test_arrays_from_files(tmp_path):
    x, y = np.arange(12.0).reshape(3, 4), np.array([0, 1, 2])
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    found = from_files(
        model_of((4,)), [f"{tmp_path}/x.npy"], [f"{tmp_path}/y.npy"], 2, "sparse_categorical_crossentropy"
    )
    assert np.array_equal(found.x, x[:2])
    assert np.array_equal(found.y, y[:2])
    alone = from_files(model_of((4,)), [f"{tmp_path}/x.npy"], [], None, "sparse_categorical_crossentropy")
    assert alone.y is None
    assert "no labels" in alone.told


@pytest.fixture
def of_two(tmp_path, monkeypatch) -> keras.Model:
    """A model of two inputs and two outputs; its arrays lie in the current folder."""
    monkeypatch.chdir(tmp_path)
    np.save("image.npy", np.arange(48.0).reshape(3, 4, 4))
    np.save("table.npy", np.ones((3, 2)))
    np.save("kind.npy", [0, 1, 1])
    np.save("size.npy", np.zeros((3, 1)))
    image, table = keras.Input((4, 4, 1), name="image"), keras.Input((2,), name="table")
    h = keras.layers.Concatenate()([keras.layers.Flatten()(image), table])
    outputs = {"kind": keras.layers.Dense(2, "softmax", name="kind")(h), "size": keras.layers.Dense(1, name="size")(h)}
    model = keras.Model([image, table], outputs)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    return model


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        (["image.npy", "table.npy"], ["kind.npy", "size.npy"]),
        (["table=table.npy", "image=image.npy"], ["size=size.npy", "kind=kind.npy"]),
    ],
)
def test_several_inputs_and_outputs_by_place_or_by_name(of_two, inputs, labels):
    found = from_files(of_two, inputs, labels, 2, None)
    image, table = found.x
    assert (image.shape, table.shape) == ((2, 4, 4, 1), (2, 2))  # a channel was added
    assert {name: y.tolist() for name, y in found.y.items()} == {"kind": [0, 1], "size": [[0], [0]]}
    t = xray.trace(of_two, found.x, found.y)
    assert t.verify().worst.error <= 1e-5
    assert "no labels" in from_files(of_two, inputs, [], None, None).told


@pytest.mark.parametrize(
    ("inputs", "labels", "told"),
    [
        (["image.npy"], [], r"one file for each of 'image', 'table', received image.npy.*--input table=table.npy"),
        (["image=image.npy"], [], "one file for each"),
        (["image=image.npy", "image=table.npy"], [], "one file for each"),
        (["image=image.npy", "tabel=table.npy"], [], "one file for each"),
        (["image.npy", "table.npy"], ["kind.npy"], r"--labels: expected one file for each of 'kind', 'size'"),
        (["table.npy", "image.npy"], [], r"samples of shape \(N, 4, 4, 1\), received \(3, 2\)"),
    ],
)
def test_several_inputs_errors(of_two, inputs, labels, told):
    with pytest.raises(ToolkitError, match=told):
        from_files(of_two, inputs, labels, None, None)


class _Trap:
    def __reduce__(self):
        return Path.touch, (Path("trapped"),)


def test_arrays_that_hold_objects_or_nothing_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("trap.npy", np.array([_Trap()], dtype=object), allow_pickle=True)
    np.savez("many.npz", a=np.zeros(2))
    np.save("number.npy", np.float64(3))
    Path("cut.npy").write_bytes(b"\x93NUMPY\x01")
    Path("empty.npy").write_bytes(b"")
    for name in ("trap.npy", "many.npz", "number.npy", "cut.npy", "empty.npy", "none.npy"):
        with pytest.raises(ToolkitError):
            from_files(model_of((4,)), [name], [], None, None)
    assert not Path("trapped").exists()


def test_images_in_colour_are_rows_and_tables_get_a_channel():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 3, 3))
    assert np.array_equal(fit_inputs("x", model_of((4, 9)), x), x.reshape(2, 4, 9))
    assert np.array_equal(fit_inputs("x", model_of((4, 3, 3, 1)), x), x[..., np.newaxis])
    assert fit_inputs("x", model_of((1,)), np.zeros(5)).shape == (5, 1)
