from __future__ import annotations

import doctest
import logging
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from toolkit import data
from toolkit.errors import DataError, InvalidValueError, ShapeError
from toolkit.images import Augment, ImagePreprocessor, Skipped, find_images, read_image


def test_normalisation_matches_hand_example():
    image = np.array([[[0, 51, 255]]], np.uint8)
    options = {"size": (1, 1), "source_colour": "rgb"}
    cases = {
        "unit": [0, 0.2, 1],
        "signed": [-1, -0.6, 1],
        None: [0, 51, 255],
    }
    for normalize, expected in cases.items():
        y = ImagePreprocessor(**options, normalize=normalize).transform([image])
        assert y.dtype == np.float32
        np.testing.assert_allclose(y[0, 0, 0], expected, atol=1e-7)
    given_ = ImagePreprocessor(**options, normalize="standard", mean=(0.0, 0.2, 0.5), std=(1.0, 0.1, 0.25))
    np.testing.assert_allclose(given_.transform([image])[0, 0, 0], [0, 0, 2], atol=1e-6)


def test_unit_is_the_correctly_rounded_quotient():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    y = ImagePreprocessor((16, 16), "grey").transform([image])[0, ..., 0]
    np.testing.assert_array_equal(y, (np.arange(256) / 255).astype(np.float32).reshape(16, 16))


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.just(5), st.just(7), st.just(3))))
def test_standard_learns_mean_and_spread_of_each_channel(images):
    preprocessor = ImagePreprocessor((5, 7), normalize="standard", source_colour="rgb").fit(images)
    x = images.astype(np.float64) / 255
    np.testing.assert_allclose(preprocessor.mean_, x.mean(axis=(0, 1, 2)), rtol=1e-12)
    spread = x.std(axis=(0, 1, 2))
    # A numerical zero of NumPy's two passes is an exact zero of the integers.
    np.testing.assert_allclose(preprocessor.std_, np.where(spread > 1e-9, spread, 1), rtol=1e-9)


def test_standard_gives_mean_0_and_spread_1():
    d = data.load("mnist5k")
    preprocessor = ImagePreprocessor(colour="grey", normalize="standard").fit(d.x_train)
    y = preprocessor.transform(d.x_train)
    assert abs(y.mean(dtype=np.float64)) < 1e-5
    assert abs(y.std(dtype=np.float64) - 1) < 1e-5
    assert preprocessor.mean_[0] == pytest.approx(d.x_train.mean(dtype=np.float64), abs=1e-6)


def test_standard_without_fit_is_refused():
    with pytest.raises(NotFittedError):
        ImagePreprocessor(normalize="standard").transform([])
    ImagePreprocessor().transform([])  # nothing to learn, nothing to wait for


def test_embedded_digits_pass_unchanged():
    d = data.load("mnist5k")
    np.testing.assert_array_equal(ImagePreprocessor(colour="grey").transform(d.x_test), d.x_test)


def test_empty_list():
    assert ImagePreprocessor((8, 6)).transform([]).shape == (0, 8, 6, 3)
    for normalize in ("unit", "standard"):
        with pytest.raises(InvalidValueError, match="at least one image"):
            ImagePreprocessor(normalize=normalize).fit([])


def test_images_of_all_sizes_and_kinds_in_one_list(picture, encode, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encode(picture, "PNG"))
    mixed = [path, str(path), path.read_bytes(), picture, picture / 255, picture[:7, :50], picture[..., :1]]
    y = ImagePreprocessor((24, 32), source_colour="rgb").transform(mixed)
    assert y.shape == (7, 24, 32, 3)
    for k in range(1, 5):
        np.testing.assert_array_equal(y[k], y[0])


def test_pandas_and_numpy_hold_paths_too(folder):
    import pandas as pd

    paths = [str(path) for path in find_images(folder).paths]
    expected = ImagePreprocessor().transform(paths)
    for holder in (tuple(paths), np.array(paths), np.array(paths, object), pd.Series(paths), find_images(folder)):
        np.testing.assert_array_equal(ImagePreprocessor().transform(holder), expected)


def test_many_images_stay_in_order():
    images = [np.full((5, 5), k % 256, np.uint8) for k in range(1000)]
    y = ImagePreprocessor((3, 3), "grey", normalize=None).transform(images)
    np.testing.assert_array_equal(y[:, 0, 0, 0], np.arange(1000) % 256)


@pytest.mark.parametrize("normalize", ["unit", "signed", "standard", None])
def test_inverse_transform_gives_the_pixels_back(normalize, picture):
    preprocessor = ImagePreprocessor((48, 64), normalize=normalize, source_colour="rgb").fit([picture])
    np.testing.assert_array_equal(preprocessor.inverse_transform(preprocessor.transform([picture]))[0], picture)


def test_transform_never_augments(picture):
    plain = ImagePreprocessor((24, 24), source_colour="rgb", resize="random_crop")
    augmented = clone(plain).set_params(augment=Augment("both", 0.3, 90, cutout=0.5))
    np.testing.assert_array_equal(plain.transform([picture]), augmented.transform([picture]))
    np.testing.assert_array_equal(augmented.transform([picture]), augmented.transform([picture]))


# ------------------------------------------------------------------ what cannot be used


@pytest.fixture
def spoilt(folder):
    """The folder with two files that are no images: its paths, and the places of the two."""
    (folder / "bright" / "1.png").write_bytes(b"no image")
    (folder / "dark" / "2.png").write_bytes((folder / "dark" / "2.png").read_bytes()[:500])
    return find_images(folder), [1, 8]


def test_a_bad_file_is_reported_by_name(spoilt):
    images, _ = spoilt
    learning = ImagePreprocessor(normalize="standard")
    for method in (learning.fit, learning.fit_transform, ImagePreprocessor().transform):
        with pytest.raises(DataError, match=r"bright/1\.png: expected a JPEG, PNG"):
            method(images)


def test_skipping_keeps_labels_aligned(spoilt, caplog):
    images, bad = spoilt
    preprocessor = ImagePreprocessor(on_error="skip")
    with caplog.at_level(logging.WARNING):
        y = preprocessor.transform(images)
    good = [k for k in range(10) if k not in bad]
    np.testing.assert_array_equal(preprocessor.kept_, good)
    assert len(y) == 8
    np.testing.assert_array_equal(y, ImagePreprocessor().transform([images.paths[k] for k in good]))
    assert [skipped.index for skipped in preprocessor.skipped_] == bad
    assert all(isinstance(skipped, Skipped) for skipped in preprocessor.skipped_)
    assert preprocessor.skipped_[1].source.endswith("2.png")
    assert "truncated" in preprocessor.skipped_[1].reason
    assert caplog.text.count("Skipped image") == 2
    assert "bright/1.png" in caplog.text


def test_skipping_arrays():
    images = np.zeros((70, 4, 4, 1))
    images[3], images[65] = np.nan, 2
    preprocessor = ImagePreprocessor((4, 4), "grey", on_error="skip")
    assert preprocessor.transform(images).shape == (68, 4, 4, 1)
    assert [(skipped.index, skipped.source) for skipped in preprocessor.skipped_] == [(3, "image 3"), (65, "image 65")]


def test_skipping_while_learning(spoilt):
    images, bad = spoilt
    good = [path for k, path in enumerate(images.paths) if k not in bad]
    preprocessor = ImagePreprocessor(normalize="standard", on_error="skip").fit(images)
    np.testing.assert_array_equal(preprocessor.mean_, ImagePreprocessor(normalize="standard").fit(good).mean_)


def test_nothing_left_to_learn_from(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    with pytest.raises(InvalidValueError, match=r"an image that can be used, received none\. .*a\.png"):
        ImagePreprocessor(normalize="standard", on_error="skip").fit([path])
    assert ImagePreprocessor(on_error="skip").transform([path]).shape == (0, 28, 28, 3)


def test_a_failed_fit_keeps_what_was_learned(spoilt, picture):
    preprocessor = ImagePreprocessor(normalize="standard", source_colour="rgb").fit([picture])
    before = preprocessor.mean_
    with pytest.raises(DataError):
        preprocessor.fit(spoilt[0])
    assert preprocessor.mean_ is before


# ------------------------------------------------------------------ one image, stage by stage


def test_stages_end_in_what_transform_returns(folder):
    path = find_images(folder).paths[0]
    for options in ({}, {"resize": "random_crop"}, {"colour": "grey", "normalize": "signed"}, {"normalize": None}):
        preprocessor = ImagePreprocessor((20, 24), **options)
        stages = preprocessor.preprocess(path)
        np.testing.assert_array_equal(stages[-1].image, preprocessor.transform([path])[0])
        np.testing.assert_array_equal(stages["colour"].image, read_image(path, preprocessor.colour))
        np.testing.assert_array_equal(stages["decode"].image, read_image(path, "bgr"))


def test_stages_as_text(folder):
    stages = ImagePreprocessor((24, 32), "grey", augment=Augment(rotate=5)).preprocess(
        find_images(folder).paths[0], training=True, epoch=3, index=2
    )
    lines = repr(stages).splitlines()
    assert lines[0].endswith("0.png")
    assert [line.split()[0] for line in lines[1:]] == ["decode", "colour", "resize", "augment", "normalise"]
    assert "(48, 64, 3)" in lines[1]
    assert "BGR as OpenCV decodes it" in lines[1]
    assert "8 bits, grey" in lines[2]
    assert "stretch, 48 × 64 → 24 × 32" in lines[3]
    assert "epoch 3, image 2" in lines[4]
    assert "(x/255 − 0) / 1" in lines[5]
    assert len({line.index("uint8") for line in lines[1:5]}) == 1  # columns
    assert len(stages) == 5
    with pytest.raises(KeyError, match="the stages are decode, colour"):
        stages["crop"]


def test_stages_as_pictures(picture):
    html = (
        ImagePreprocessor((8, 8), source_colour="bgr", normalize="standard", mean=(0.5,) * 3, std=(0.2,) * 3)
        .preprocess(np.dstack([picture, picture[..., 0]]).astype(np.uint16) * 257)
        ._repr_html_()
    )
    assert html.count("data:image/png;base64,") == 4
    assert html.count("(8, 8, 3)") == 2


def test_names_are_escaped_in_html(tmp_path, picture, encode):
    path = tmp_path / "<script>alert(1)<&.png"
    path.write_bytes(encode(picture, "PNG"))
    html = ImagePreprocessor().preprocess(path)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("image", [np.eye(5), np.eye(5, dtype=bool), np.eye(5, dtype=np.int64), np.ones((1, 200))])
def test_stages_of_arrays_of_all_kinds(image):
    stages = ImagePreprocessor((5, 5)).preprocess(image)
    assert "image given as ndarray" in repr(stages)
    assert stages._repr_html_()


# ------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "bgr"}, "colour as one of 'rgb', 'grey'"),
        ({"resize": "squeeze"}, "resize as one of"),
        ({"normalize": "minmax"}, "normalize as one of"),
        ({"normalize": False}, "normalize as one of"),
        ({"source_colour": "RGB"}, "source_colour as one of"),
        ({"on_error": "ignore"}, "on_error as one of"),
        ({"seed": -1}, "seed as a whole number"),
        ({"seed": None}, "seed as a whole number"),
        ({"max_pixels": True}, "max_pixels as a whole number"),
        ({"background": "white"}, "background"),
        ({"augment": {"flip": "horizontal"}}, "augment as an Augment"),
        ({"mean": (0, 0, 0)}, "mean and std both"),
        ({"mean": (0, 0, 0), "std": (1, 1, 1)}, "mean and std both"),
        ({"mean": (0, 0, 0), "std": (1, 1, 0), "normalize": "standard"}, "positive, finite stds"),
        ({"mean": (0, np.nan, 0), "std": (1, 1, 1), "normalize": "standard"}, "finite means"),
    ],
    ids=str,
)
def test_argument_errors(options, message):
    preprocessor = ImagePreprocessor(**options)  # the constructor only stores
    for use in (lambda: preprocessor.transform([]), lambda: preprocessor.fit([np.eye(3)]), preprocessor.to_json):
        with pytest.raises(InvalidValueError, match=message):
            use()


def test_statistics_of_the_wrong_length():
    with pytest.raises(ShapeError, match="each of 1 channels"):
        ImagePreprocessor(colour="grey", normalize="standard", mean=(0, 0, 0), std=(1, 1, 1)).transform([])


def test_threads_may_share_one_preprocessor(folder):
    preprocessor = ImagePreprocessor()
    images = find_images(folder)
    expected, results = preprocessor.transform(images), []
    threads = [threading.Thread(target=lambda: results.append(preprocessor.transform(images))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("seconds", [0.0, np.inf])
def test_many_threads_or_one_give_the_same_in_order(seconds, picture, monkeypatch):
    monkeypatch.setattr("toolkit.images._preparing._LARGE_SECONDS", seconds)
    images = [np.full_like(picture, k) for k in range(150)]
    x = ImagePreprocessor((2, 2), source_colour="rgb", normalize=None).transform(images)
    np.testing.assert_array_equal(x[:, 0, 0, 0], np.arange(150))
    assert len(ImagePreprocessor().transform([])) == 0


def test_the_example_of_the_docstring():
    from toolkit.images import _preprocessor

    assert doctest.testmod(_preprocessor) == (0, 2)
