from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from toolkit import data
from toolkit.errors import DataError, InvalidValueError
from toolkit.images import Augment, ImagePreprocessor, find_images
from toolkit.models import ImageClassifier
from toolkit.models.classifiers import images as module

QUICK = {"filters": (4,), "epochs": 1, "verbose": False}
SHARP = {"filters": (4,), "epochs": 20, "learning_rate": 0.02, "verbose": False}


@pytest.fixture
def folder(tmp_path):
    """Six pictures in shades of blue and six in shades of red, of several sizes."""
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 0), ("red", 2)):  # OpenCV writes BGR
        (tmp_path / name).mkdir()
        for k in range(6):
            image = rng.integers(0, 40, (10 + k, 12, 3), dtype=np.uint8)
            image[..., channel] += 200
            cv2.imwrite(str(tmp_path / name / f"{k}.png"), image)
    return tmp_path


def test_folder_of_classes_has_the_labels(folder):
    classifier = ImageClassifier((8, 8), "rgb", **SHARP)
    assert classifier.fit(folder).score(str(folder)) == 1.0
    assert classifier.classes_.tolist() == ["blue", "red"]
    assert classifier.predict(folder).tolist() == ["blue"] * 6 + ["red"] * 6
    paths = [folder / "red" / "0.png", folder / "blue" / "3.png"]
    assert classifier.predict(paths).tolist() == ["red", "blue"]
    assert classifier.predict([str(path) for path in paths]).tolist() == ["red", "blue"]


def test_part_of_a_folder(folder):
    train, test = find_images(folder).split(0.33)
    assert ImageClassifier((8, 8), "rgb", **SHARP).fit(train).score(test) == 1.0


def test_paths_in_cross_validation(folder):
    images = find_images(folder)
    names = np.array(images.classes)[images.labels]
    assert cross_val_score(ImageClassifier((8, 8), "rgb", **SHARP), list(images.paths), names, cv=2).mean() == 1.0


def test_grey_arrays_with_and_without_a_channel_axis_are_the_same():
    X = np.random.default_rng(0).integers(0, 256, (6, 9, 9), np.uint8)
    y = [0, 1] * 3
    expected = ImageClassifier((8, 8), **QUICK).fit(X, y).predict_proba(X)
    for other in (X[..., np.newaxis], list(X), (X / 255).astype(np.float32)):
        np.testing.assert_array_equal(ImageClassifier((8, 8), **QUICK).fit(other, y).predict_proba(other), expected)


def test_colour_arrays_need_their_channel_order():
    X = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    with pytest.raises(InvalidValueError, match="source_colour"):
        ImageClassifier((8, 8), "rgb", **QUICK).fit(X, [0, 1, 0, 1])
    rgb, bgr = (ImagePreprocessor((8, 8), source_colour=order) for order in ("rgb", "bgr"))
    first = ImageClassifier(preprocessor=rgb, **QUICK).fit(X, [0, 1, 0, 1])
    other = ImageClassifier(preprocessor=bgr, **QUICK).fit(X[..., ::-1], [0, 1, 0, 1])
    assert first.sample_shape_ == (8, 8, 3)
    np.testing.assert_array_equal(first.predict_proba(X), other.predict_proba(X[..., ::-1]))


@pytest.mark.parametrize(("limit", "cache"), [(12 * 8 * 8 * 3, True), (0, False)])
def test_what_does_not_fit_into_memory_streams(folder, monkeypatch, limit, cache):
    caches = []
    original = ImagePreprocessor.dataset

    def dataset(*args, **options):
        caches.append(options["cache"])
        return original(*args, **options)

    monkeypatch.setattr(ImagePreprocessor, "dataset", dataset)
    monkeypatch.setattr(module, "_MOST_BYTES_IN_MEMORY", limit)
    assert ImageClassifier((8, 8), "rgb", **SHARP).fit(folder).score(folder) == 1.0
    assert caches == [cache]


def test_streamed_training_is_the_same_for_one_seed(folder, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES_IN_MEMORY", 0)
    first, again = (
        ImageClassifier((8, 8), "rgb", **QUICK).fit(folder).partial_fit(find_images(folder).paths, ["blue", "red"] * 6)
        for _ in range(2)
    )
    for ours, theirs in zip(first.model_.get_weights(), again.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_augmentation_is_for_training_only(folder):
    own = ImagePreprocessor((8, 8), augment=Augment(flip="horizontal", rotate=20))
    plain = ImageClassifier(preprocessor=ImagePreprocessor((8, 8)), **SHARP).fit(folder)
    classifier = ImageClassifier(preprocessor=own, **SHARP).fit(folder)
    assert classifier.score(folder) == 1.0
    assert not np.array_equal(classifier.model_.get_weights()[0], plain.model_.get_weights()[0])
    np.testing.assert_array_equal(classifier.predict_proba(folder), classifier.predict_proba(folder))


def test_it_learns_digits():
    digits = data.load("digits")
    classifier = ImageClassifier((8, 8), filters=(32,), epochs=8, verbose=False)
    assert classifier.fit(digits.x_train, digits.y_train).score(digits.x_test, digits.y_test) > 0.93


def test_images_errors(folder):
    classifier = ImageClassifier((8, 8), "rgb", **QUICK)
    with pytest.raises(InvalidValueError, match="at least one image"):
        classifier.fit([], [])
    with pytest.raises(InvalidValueError, match="a label for each input"):
        classifier.fit(list(find_images(folder).paths))
    with pytest.raises(DataError, match="one folder for each class"):
        classifier.fit(folder / "red")
    with pytest.raises(ValueError, match="inconsistent"):
        classifier.fit(folder, ["red"])
    (folder / "red" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        classifier.fit(folder)


def test_images_that_are_left_out_would_leave_their_labels_behind():
    skipping = ImagePreprocessor((8, 8), on_error="skip")
    with pytest.raises(InvalidValueError, match="on_error"):
        ImageClassifier(preprocessor=skipping, **QUICK).fit(np.zeros((2, 8, 8), np.uint8), [0, 1])


def test_images_too_small_for_the_network_errors():
    with pytest.raises(InvalidValueError, match="large enough for 3 blocks"):
        ImageClassifier((8, 8), filters=(4, 4, 4)).fit(np.zeros((2, 8, 8), np.uint8), [0, 1])
