"""Arrays as images: what their values and channels mean is decided by dtype, or asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from toolkit.errors import InvalidValueError, ToolkitError
from toolkit.images import ImagePreprocessor


def pixels_of(image: object, colour: str = "rgb", source_colour: str | None = "rgb", **options: object) -> np.ndarray:
    """The 8-bit pixels that an array is understood as."""
    height, width = np.shape(image)[:2]
    preprocessor = ImagePreprocessor((height, width), colour, source_colour=source_colour, normalize=None, **options)
    return preprocessor.transform([image])[0]


@pytest.mark.parametrize("dtype", ["uint8", "int64", "int32", "int16", "uint32", ">i4"])
def test_integers_from_0_to_255_are_taken_as_they_are(dtype, picture):
    np.testing.assert_array_equal(pixels_of(picture.astype(dtype)), picture)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
def test_floats_in_0_to_1_are_scaled(dtype, picture):
    np.testing.assert_array_equal(pixels_of((picture / 255).astype(dtype)), picture)


def test_scales_match_hand_example():
    np.testing.assert_array_equal(pixels_of(np.array([[0, 0.5, 1]]), "grey")[..., 0], [[0, 128, 255]])
    np.testing.assert_array_equal(pixels_of(np.array([[False, True]]), "grey")[..., 0], [[0, 255]])
    np.testing.assert_array_equal(pixels_of(np.array([[0, 32768, 65535]], np.uint16), "grey")[..., 0], [[0, 128, 255]])
    levels = np.arange(2**16, dtype=np.int64).reshape(256, 256)
    for dtype in ("<u2", ">u2"):
        np.testing.assert_array_equal(pixels_of(levels.astype(dtype), "grey")[..., 0], (levels + 128) // 257)


def test_bgr_is_turned_round_and_never_guessed(picture, encode):
    from_cv2 = cv2.imdecode(np.frombuffer(encode(picture, "PNG"), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(pixels_of(from_cv2, source_colour="bgr"), picture)
    with pytest.raises(InvalidValueError, match=r"source_colour='bgr' for what cv2\.imread returned"):
        pixels_of(from_cv2, source_colour=None)
    with pytest.raises(InvalidValueError, match="source_colour"):
        pixels_of(from_cv2, "grey", source_colour=None)


def test_grey_arrays_need_no_order(picture):
    grey = picture[..., 0]
    np.testing.assert_array_equal(pixels_of(grey, "grey", None)[..., 0], grey)
    np.testing.assert_array_equal(pixels_of(grey[..., None], "grey", None)[..., 0], grey)
    np.testing.assert_array_equal(pixels_of(grey, "rgb", None), np.repeat(grey[..., None], 3, axis=-1))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_grey_weights_follow_the_order(order, picture):
    array = picture if order == "rgb" else picture[..., ::-1]
    expected = picture @ np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels_of(array, "grey", order)[..., 0] - expected).max() <= 0.51


def test_alpha_matches_hand_example():
    """α = 51 is a fifth."""
    np.testing.assert_array_equal(
        pixels_of(np.array([[[200, 0, 100, 51]]], np.uint8), background=(0, 255, 50)), [[[40, 204, 60]]]
    )
    np.testing.assert_array_equal(
        pixels_of(np.array([[[100, 0, 200, 51]]], np.uint8), source_colour="bgr", background=(0, 255, 50)),
        [[[40, 204, 60]]],
    )
    np.testing.assert_array_equal(pixels_of(np.array([[[200, 51]]], np.uint8), "grey", background=0), [[[40]]])


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(4))), st.integers(0, 255))
def test_composition_is_rounded_and_exact_at_its_ends(rgba, background):
    x, alpha = rgba[..., :3].astype(float), rgba[..., 3:].astype(float)
    expected = (alpha * x + (255 - alpha) * background) / 255
    assert np.abs(pixels_of(rgba, background=background) - expected).max() <= 0.51


HOSTILE = {
    "no pixels": (np.zeros((0, 5, 3), np.uint8), "has|pixels"),
    "no columns": (np.zeros((5, 0), np.uint8), "pixels"),
    "no channels": (np.zeros((5, 5, 0), np.uint8), "pixels"),
    "five channels": (np.zeros((4, 4, 5), np.uint8), "C from 1 to 4"),
    "channels first": (np.zeros((3, 32, 32), np.uint8), r"np.moveaxis\(image, -3, -1\)"),
    "one axis": (np.zeros(9, np.uint8), r"\(H, W\) or \(H, W, C\)"),
    "four axes": (np.zeros((1, 4, 4, 3), np.uint8), r"\(H, W\) or \(H, W, C\)"),
    "no axis": (np.float32(0.5), r"\(H, W\) or \(H, W, C\)"),
    "NaN": (np.full((4, 4), np.nan), "NaN and infinity"),
    "one NaN": (np.where(np.eye(4), np.nan, 0.5), "NaN and infinity"),
    "infinity": (np.where(np.eye(4), np.inf, 0.5), "NaN and infinity"),
    "negative float": (np.full((4, 4), -0.1), r"\(x \+ 1\) / 2"),
    "float beyond 1": (np.full((4, 4), 200.0), "Divide by 255"),
    "float far beyond 1": (np.full((4, 4), 1e6), r"floats in \[0, 1\]"),
    "negative integer": (np.full((4, 4), -1), "from -1 to -1"),
    "integer beyond 255": (np.full((4, 4), 256), "integers in 0 to 255"),
    "huge integer": (np.full((4, 4), 2**63, np.uint64), "integers in 0 to 255"),
    "complex": (np.zeros((4, 4), complex), "dtype complex128"),
    "objects": (np.full((4, 4), None), "dtype object"),
    "text": (np.full((4, 4), "x"), "dtype <U1"),
    "dates": (np.zeros((4, 4), "datetime64[s]"), "dtype datetime64"),
    "records": (np.zeros((4, 4), [("r", "u1"), ("g", "u1")]), "dtype"),
    "None": (None, "received NoneType"),
    "a number": (7, "received int"),
    "nested lists": ([[0, 1], [1, 0]], "received list"),
    "a function": (len, "received builtin"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("first", [False, True])
def test_what_is_no_image_is_refused_by_its_place(case, first):
    image, message = HOSTILE[case]
    good = np.zeros((4, 4), np.uint8)
    with pytest.raises(ToolkitError, match=message) as caught:
        ImagePreprocessor(source_colour="rgb").transform([image, good] if first else [good, image])
    assert f"image {0 if first else 1}" in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5, 2.0])
@pytest.mark.parametrize("shape", [(40, 5, 5), (40, 4, 4, 1), (40, 4, 4, 4)])
def test_a_batch_names_its_first_bad_image(shape, bad):
    images = np.zeros(shape)
    images[33:35, 2, 1] = bad
    with pytest.raises(InvalidValueError, match="image 33: expected"):
        ImagePreprocessor(colour="grey", source_colour="rgb").transform(images)


BATCHES = {
    "one path": ("cat.png", "one str"),
    "bytes": (b"\x89PNG", "one bytes"),
    "one image": (np.zeros((28, 28, 3), np.uint8), r"image\[np.newaxis\]"),
    "a table": (np.zeros((28, 784)), r"images \(N, H, W, C\)"),
    "one number": (np.float64(3), "images"),
    "five axes": (np.zeros((1, 1, 4, 4, 3)), "images"),
    "None": (None, "received NoneType"),
    "a dictionary": ({"a": 1}, "received dict"),
    "a generator": ((k for k in range(3)), "received generator"),
    "a set": ({1, 2}, "received set"),
}


@pytest.mark.parametrize("case", BATCHES)
def test_what_is_no_list_of_images_is_refused(case):
    images, message = BATCHES[case]
    for method in (ImagePreprocessor().transform, ImagePreprocessor().fit):
        with pytest.raises(ToolkitError, match=message):
            method(images)


def test_a_pillow_image_alone_is_no_list(picture):
    with pytest.raises(InvalidValueError, match="one Image"):
        ImagePreprocessor().transform(Image.fromarray(picture))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"])
def test_pillow_images_of_every_mode(mode, picture):
    if mode == "I;16":
        image = Image.fromarray(picture[..., 0].astype(np.uint16) * 257)
        expected = np.repeat(picture[..., :1], 3, axis=-1)
    else:
        image = Image.fromarray(picture).convert(mode)
        expected = np.asarray(image.convert("RGB"))
    assert np.abs(pixels_of_pillow(image) - expected.astype(int)).max() <= 1


def pixels_of_pillow(image: Image.Image) -> np.ndarray:
    return ImagePreprocessor((48, 64), normalize=None).transform([image])[0]


def test_a_batch_gives_what_its_images_give(picture):
    batch = np.stack([np.roll(picture, k, axis=0) for k in range(40)])
    for array in (batch, batch / 255, batch.astype(np.uint16) * 257, np.concatenate([batch, batch[..., :1]], axis=-1)):
        preprocessor = ImagePreprocessor((12, 10), "grey", resize="crop", source_colour="bgr")
        np.testing.assert_array_equal(preprocessor.transform(array), preprocessor.transform(list(array)))


def test_inputs_stay_unchanged(picture):
    for array in (picture.copy(), picture / 255, picture.astype(np.uint16)):
        before = array.copy()
        ImagePreprocessor((48, 64), source_colour="rgb", normalize="signed").transform([array])
        ImagePreprocessor((48, 64), source_colour="rgb", normalize="signed").transform(array[np.newaxis])
        np.testing.assert_array_equal(array, before)
