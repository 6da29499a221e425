"""``dataset``: what TensorFlow receives, in which order, and what is read how often."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest

from toolkit.errors import DataError, InvalidValueError, ShapeError
from toolkit.images import Augment, ImagePreprocessor, _preparing, find_images

SIZE = (12, 16)
AUGMENT = Augment("horizontal", 0.1, 10, cutout=0.2)


def batches(dataset):
    """One epoch, as NumPy."""
    return [tuple(np.array(tensor) for tensor in batch) for batch in dataset]


def epoch(dataset):
    images, labels = zip(*batches(dataset))
    return np.concatenate(images), np.concatenate(labels)


def identify(images, known):
    """Which of the known images each one is."""
    return [int(np.flatnonzero((known == image).all(axis=(1, 2, 3)))[0]) for image in images]


@pytest.fixture(params=["memory", "file", "none"])
def cache(request, tmp_path):
    return {"memory": True, "file": tmp_path / "cache", "none": False}[request.param]


def test_evaluation_is_what_transform_returns_in_order(folder, cache):
    preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT, resize="random_crop", normalize="signed")
    dataset = preprocessor.dataset(folder, training=False, batch_size=4, cache=cache)
    images = find_images(folder)
    assert [len(y) for _, y in batches(dataset)] == [4, 4, 2]
    for _ in range(2):
        x, y = epoch(dataset)
        np.testing.assert_array_equal(x, preprocessor.transform(images))
        np.testing.assert_array_equal(y, images.labels)
    assert len(dataset) == 3
    assert dataset.class_names == ["bright", "dark"]
    assert dataset.element_spec[0].shape.as_list() == [None, *SIZE, 3]
    assert dataset.element_spec[1].dtype.name == "int64"


def test_each_epoch_of_training_has_its_own_order_and_all_images(folder, cache):
    preprocessor = ImagePreprocessor(SIZE)
    known, labels = preprocessor.transform(find_images(folder)), find_images(folder).labels
    dataset = preprocessor.dataset(folder, training=True, batch_size=4, cache=cache)
    orders = []
    for _ in range(3):
        x, y = epoch(dataset)
        orders.append(identify(x, known))
        assert sorted(orders[-1]) == list(range(10))
        np.testing.assert_array_equal(y, labels[orders[-1]])
    assert orders[0] != orders[1] != orders[2]


def test_the_same_seed_gives_the_same_epochs(folder, cache):
    def two_epochs(**changes):
        preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT, resize="random_crop", **changes)
        dataset = preprocessor.dataset(folder, training=True, batch_size=3, cache=cache)
        return [epoch(dataset) for _ in range(2)]

    first, again, other = two_epochs(), two_epochs(), two_epochs(seed=1)
    for (x, y), (x_again, y_again) in zip(first, again):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(y, y_again)
    assert not np.array_equal(first[0][0], first[1][0])
    assert not np.array_equal(first[0][0], other[0][0])


def test_the_epochs_do_not_depend_on_cache_or_batch_size(folder, tmp_path):
    preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT)
    ways = [{"cache": True}, {"cache": False}, {"cache": tmp_path / "cache"}, {"batch_size": 1}, {"batch_size": 100}]
    epochs = [epoch(preprocessor.dataset(folder, training=True, **way)) for way in ways]
    for x, y in epochs[1:]:
        np.testing.assert_array_equal(x, epochs[0][0])
        np.testing.assert_array_equal(y, epochs[0][1])


def test_training_goes_on_where_it_ended(folder):
    preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT)
    whole = preprocessor.dataset(folder, training=True)
    third = [epoch(whole) for _ in range(3)][2]
    resumed = epoch(preprocessor.dataset(folder, training=True, first_epoch=2))
    np.testing.assert_array_equal(resumed[0], third[0])
    np.testing.assert_array_equal(resumed[1], third[1])


def test_augmentation_is_that_of_preprocess(folder):
    images = find_images(folder)
    preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT, resize="random_crop", seed=4)
    x, _ = epoch(preprocessor.dataset(images, training=True, first_epoch=7))
    expected = [
        preprocessor.preprocess(path, training=True, epoch=7, index=k)[-1].image for k, path in enumerate(images.paths)
    ]
    assert sorted(identify(x, np.stack(expected))) == list(range(10))


def test_later_settings_are_for_later_data_sets(folder):
    preprocessor = ImagePreprocessor(SIZE)
    dataset = preprocessor.dataset(folder, training=False)
    before, _ = epoch(dataset)
    preprocessor.set_params(normalize="signed", size=(5, 5))
    np.testing.assert_array_equal(epoch(dataset)[0], before)


def test_arrays_with_labels_of_all_shapes(picture):
    images = np.stack([np.roll(picture, k, axis=1) for k in range(7)])
    preprocessor = ImagePreprocessor(SIZE, source_colour="rgb")
    for labels in (np.arange(7), np.eye(7, dtype=np.float32), [0.5] * 7, np.arange(7, dtype=np.int32)):
        x, y = epoch(preprocessor.dataset(images, labels, training=False, batch_size=3))
        np.testing.assert_array_equal(y, labels)
        assert y.dtype == np.asarray(labels).dtype
        np.testing.assert_array_equal(x, preprocessor.transform(images))


def test_without_labels_there_are_images_alone(picture):
    (batch,) = list(ImagePreprocessor(SIZE, source_colour="rgb").dataset([picture] * 3, training=False))
    assert batch.shape == (3, *SIZE, 3)


def test_keras_trains_on_it(folder):
    import keras

    keras.utils.set_random_seed(0)
    training, validation = find_images(folder).split(0.3)
    preprocessor = ImagePreprocessor(SIZE, normalize="standard", augment=Augment("horizontal")).fit(training)
    model = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.SGD(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        preprocessor.dataset(training, training=True, batch_size=4),
        validation_data=preprocessor.dataset(validation, training=False, batch_size=4),
        epochs=8,
        shuffle=False,
        verbose=0,
    ).history
    assert len(history["loss"]) == 8
    assert history["val_accuracy"][-1] == 1.0
    assert (
        model.predict(preprocessor.transform(validation), verbose=0).argmax(axis=1).tolist()
        == validation.labels.tolist()
    )


# ------------------------------------------------------------------ what is read, and how often


@pytest.fixture
def readings(monkeypatch):
    """The names of the files, each time one is decoded."""
    names = []

    def decode(source, *arguments):
        names.append(source.name)
        return original(source, *arguments)

    original = _preparing.decode
    monkeypatch.setattr(_preparing, "decode", decode)
    return names


def test_memory_reads_every_file_once(folder, readings):
    dataset = ImagePreprocessor(SIZE).dataset(folder, training=True)
    for _ in range(3):
        epoch(dataset)
    assert len(readings) == 10


def test_no_cache_reads_anew(folder, readings):
    dataset = ImagePreprocessor(SIZE).dataset(folder, training=True, cache=False)
    assert readings == []
    for _ in range(3):
        epoch(dataset)
    assert len(readings) == 30


def test_a_file_serves_later_runs_until_an_image_or_a_setting_changes(folder, readings, tmp_path):
    cache = tmp_path / "deep" / "cache"

    def count(**settings):
        readings.clear()
        x, _ = epoch(ImagePreprocessor(SIZE, **settings).dataset(folder, training=False, cache=cache))
        np.testing.assert_array_equal(x, ImagePreprocessor(SIZE, **settings).transform(find_images(folder)))
        return len(readings) - 10  # those of transform

    assert count() == 10
    assert count() == 0
    assert count(normalize="signed", augment=AUGMENT) == 0  # these come after the cache
    assert count(colour="grey") == 10
    shutil.copy(folder / "bright" / "2.png", folder / "dark" / "3.png")
    assert count() == 10
    assert count() == 0
    assert not [path.name for path in cache.iterdir() if path.suffix == ".part"]


def test_a_broken_off_cache_is_not_used(folder, readings, tmp_path, monkeypatch):
    preprocessor = ImagePreprocessor(SIZE)
    original = (folder / "dark" / "2.png").read_bytes()
    (folder / "dark" / "2.png").write_bytes(original[:100])
    with pytest.raises(DataError, match=r"dark/2\.png"):
        preprocessor.dataset(folder, training=False, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_cache_is_reported(folder, tmp_path):
    cache = tmp_path / "cache"
    ImagePreprocessor(SIZE).dataset(folder, training=False, cache=cache)
    (pixels,) = cache.glob("*.npy")
    pixels.write_bytes(pixels.read_bytes()[:200])
    with pytest.raises(DataError, match=r"the cache in .* as it was written") as caught:
        ImagePreprocessor(SIZE).dataset(folder, training=False, cache=cache)
    assert f"Delete {pixels.name}" in caught.value.remedy


# ------------------------------------------------------------------ what cannot be used


def spoil(folder):
    (folder / "bright" / "1.png").write_bytes(b"no image")


def test_a_bad_file_is_reported_at_once(folder, tmp_path):
    spoil(folder)
    for cache in (True, tmp_path / "cache"):
        with pytest.raises(DataError, match=r"bright/1\.png: expected"):
            ImagePreprocessor(SIZE).dataset(folder, training=True, cache=cache)


def test_a_bad_file_without_cache_is_reported_in_its_epoch(folder):
    import tensorflow as tf

    spoil(folder)
    dataset = ImagePreprocessor(SIZE).dataset(folder, training=True, cache=False)
    with pytest.raises(tf.errors.OpError, match=r"bright/1\.png: expected"):
        epoch(dataset)


def test_skipping_leaves_image_and_label_out(folder, cache, caplog):
    spoil(folder)
    preprocessor = ImagePreprocessor(SIZE, on_error="skip")
    for _ in range(2):  # the second time, a cache on disk knows
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            dataset = preprocessor.dataset(folder, training=False, batch_size=3, cache=cache)
        assert caplog.text.count("Skipped image 1") == 1
        x, y = epoch(dataset)
        assert len(dataset) == 3
        assert y.tolist() == [0] * 5 + [1] * 4
        kept = [path for k, path in enumerate(find_images(folder).paths) if k != 1]
        np.testing.assert_array_equal(x, ImagePreprocessor(SIZE).transform(kept))
        assert preprocessor.kept_.tolist() == [0, *range(2, 10)]
        assert preprocessor.skipped_[0].source.endswith("1.png")


def test_augmentation_stays_with_its_image_when_another_is_skipped(folder):
    preprocessor = ImagePreprocessor(SIZE, augment=AUGMENT, on_error="skip")
    whole, _ = epoch(preprocessor.dataset(folder, training=True))
    spoil(folder)
    fewer, _ = epoch(preprocessor.dataset(folder, training=True))
    assert len(set(identify(fewer, whole))) == 9


def test_too_many_images_for_the_memory(folder, monkeypatch):
    from toolkit.images import _cache

    monkeypatch.setattr(_cache.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 1000})())
    with pytest.raises(DataError, match="MB of memory for 10 images") as caught:
        ImagePreprocessor(SIZE).dataset(folder, training=True)
    assert "cache=False" in caught.value.remedy


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, InvalidValueError, "batch_size"),
        ({"batch_size": 2.5}, InvalidValueError, "batch_size"),
        ({"first_epoch": -1}, InvalidValueError, "first_epoch"),
        ({"training": "yes"}, InvalidValueError, "training as True or False"),
        ({"cache": None}, InvalidValueError, "cache as one of these"),
        ({"labels": [1, 2]}, ShapeError, "3 labels, one for each image"),
        ({"labels": 1}, ShapeError, "3 labels"),
        ({"labels": ["a", "b", "c"]}, InvalidValueError, "return_inverse=True. numbers them"),
        ({"cache": "somewhere"}, InvalidValueError, "cache=True keeps arrays in memory"),
    ],
)
def test_argument_errors(options, error, message, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        ImagePreprocessor(source_colour="rgb").dataset([picture] * 3, **{"training": True} | options)


def test_other_argument_errors(folder):
    with pytest.raises(InvalidValueError, match="which has its own"):
        ImagePreprocessor().dataset(folder, [0] * 10, training=True)
    with pytest.raises(InvalidValueError, match="at least one image"):
        ImagePreprocessor().dataset([], training=True)
    with pytest.raises(TypeError, match="training"):
        ImagePreprocessor().dataset(folder)
