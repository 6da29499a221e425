from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import DataError, InvalidValueError
from toolkit.images import find_images


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def test_classes_and_labels(folder):
    images = find_images(folder)
    assert images.classes == ("bright", "dark")
    assert images.labels.dtype == np.int64
    assert images.labels.tolist() == [0] * 6 + [1] * 4
    assert [path.name for path in images.paths] == [f"{k}.png" for k in (*range(6), *range(4))]
    assert len(images) == 10
    assert repr(images) == "10 images in 2 classes\n       6  bright\n       4  dark"


def test_sub_folders_belong_to_their_class_and_litter_is_passed_over(tmp_path):
    for name in ("b/x.png", "b/deep/deeper/y.jpg", "a/notes.txt", "a/ohne Endung", "a/Ü.png"):
        touch(tmp_path / name)
    for name in (".DS_Store", "a/.DS_Store", "a/Thumbs.db", "b/.ipynb_checkpoints/x.png", ".git/config", "README.md"):
        touch(tmp_path / name)
    images = find_images(str(tmp_path))
    assert images.classes == ("a", "b")
    found = [path.relative_to(tmp_path).as_posix() for path in images.paths]
    # A text is reported when it is read: leaving it out here would lose an image with an unusual name.
    assert found == ["a/notes.txt", "a/ohne Endung", "a/Ü.png", "b/deep/deeper/y.jpg", "b/x.png"]


def test_the_split_is_stratified_complete_and_repeatable(tmp_path):
    for name, count in (("a", 100), ("b", 50), ("c", 1)):
        for k in range(count):
            touch(tmp_path / name / f"{k:03}.png")
    images = find_images(tmp_path)
    training, validation = images.split(0.2, seed=3)
    assert np.bincount(validation.labels, minlength=3).tolist() == [20, 10, 0]
    assert np.bincount(training.labels).tolist() == [80, 40, 1]
    assert sorted((*training.paths, *validation.paths)) == sorted(images.paths)
    for part in (training, validation):
        assert part.classes == images.classes
        assert all(path.parent.name == part.classes[label] for path, label in zip(part.paths, part.labels))
    assert images.split(0.2, seed=3)[1].paths == validation.paths
    assert images.split(0.2, seed=4)[1].paths != validation.paths


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_split_errors(share, folder):
    with pytest.raises(InvalidValueError, match="validation_split between 0 and 1"):
        find_images(folder).split(share)


def test_a_split_leaves_no_side_empty(folder):
    with pytest.raises(InvalidValueError, match="images on both sides"):
        find_images(folder).split(0.01)


def test_folder_errors(tmp_path, folder):
    with pytest.raises(DataError, match=r"nowhere: expected a folder .* received No such file"):
        find_images(tmp_path / "nowhere")
    touch(tmp_path / "file.png")
    with pytest.raises(DataError, match="a folder"):
        find_images(tmp_path / "file.png")
    (tmp_path / "flat").mkdir()
    with pytest.raises(DataError, match="one folder for each class, received 0 images and no folders"):
        find_images(tmp_path / "flat")
    touch(tmp_path / "flat" / "a.png")
    with pytest.raises(DataError, match="received 1 images and no folders"):
        find_images(tmp_path / "flat")
    touch(folder / "stray.JPG")
    with pytest.raises(DataError, match=r"stray\.JPG beside them\. Move each"):
        find_images(folder)
    (folder / "stray.JPG").unlink()
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="none in 'empty'"):
        find_images(folder)
