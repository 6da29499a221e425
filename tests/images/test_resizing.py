from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toolkit.errors import InvalidValueError
from toolkit.images import ImagePreprocessor, crop, letterbox, resize
from toolkit.images._resizing import window, with_margin

SIDES = st.integers(1, 40)
IMAGES = hnp.arrays(np.uint8, st.tuples(SIDES, SIDES, st.sampled_from([1, 3])))
HOW = {"stretch": resize, "crop": crop, "letterbox": letterbox}


@pytest.mark.parametrize("how", HOW)
@given(image=IMAGES, size=st.tuples(SIDES, SIDES))
def test_any_image_takes_any_size(how, image, size):
    resized = HOW[how](image, size)
    assert resized.shape == (*size, image.shape[2])
    assert resized.dtype == np.uint8


@given(image=IMAGES, size=st.tuples(SIDES, SIDES))
def test_no_level_appears_that_the_image_does_not_span(image, size):
    resized = resize(image, size)
    assert image.min() <= resized.min()
    assert resized.max() <= image.max()


@pytest.mark.parametrize("how", HOW)
@given(image=IMAGES)
def test_the_same_size_changes_nothing(how, image):
    np.testing.assert_array_equal(HOW[how](image, image.shape[:2]), image)


@pytest.mark.parametrize("how", HOW)
@given(level=st.integers(0, 255), sides=st.tuples(SIDES, SIDES), size=st.tuples(SIDES, SIDES))
def test_a_plain_image_stays_plain(how, level, sides, size):
    image = np.full((*sides, 1), level, np.uint8)
    resized = letterbox(image, size, level) if how == "letterbox" else HOW[how](image, size)
    assert (resized == level).all()


def test_shrinking_averages_matches_hand_example():
    image = np.array([[0, 100, 10, 30], [60, 40, 50, 70]], np.uint8)[..., None]
    np.testing.assert_array_equal(resize(image, (1, 2))[..., 0], [[50, 40]])


@given(hnp.arrays(np.uint8, (12, 15, 3)), st.sampled_from([(4, 5), (6, 3), (12, 5), (1, 1)]))
def test_shrinking_by_whole_factors_is_the_mean(image, size):
    h, w = size
    mean = image.reshape(h, 12 // h, w, 15 // w, 3).mean(axis=(1, 3))
    assert np.abs(resize(image, size) - mean).max() <= 0.51


def test_stripes_shrink_to_grey_and_not_to_stripes():
    """Every third row is white: picking rows would give black, white or stripes."""
    stripes = np.zeros((300, 300, 1), np.uint8)
    stripes[::3] = 255
    assert (resize(stripes, (100, 100)) == 85).all()
    assert np.ptp(cv2.resize(stripes, (70, 70), interpolation=cv2.INTER_LINEAR)) > 200
    assert np.ptp(resize(stripes, (70, 70))) < 70


def test_enlarging_is_smooth():
    ramp = np.linspace(0, 255, 8).astype(np.uint8).reshape(1, 8, 1)
    enlarged = resize(ramp, (1, 64))[0, 4:-4, 0].astype(int)
    assert (np.diff(enlarged) >= 0).all()
    assert np.diff(enlarged).max() < 7  # nearest neighbours would jump by 36


def test_one_side_shrinks_while_the_other_grows():
    image = np.array([[0], [200]], np.uint8).repeat(9, axis=1)[..., None]
    resized = resize(image, (8, 3))
    assert (resized[0] == 0).all()
    assert (resized[-1] == 200).all()
    assert (resized == resized[:, :1]).all()


def test_crop_keeps_the_middle_and_the_proportions():
    wide = np.zeros((10, 40, 1), np.uint8)
    wide[:, 15:25] = 255
    assert (crop(wide, (5, 5)) == 255).all()
    assert (crop(wide.swapaxes(0, 1), (5, 5)) == 255).all()
    circle = cv2.circle(np.zeros((60, 100), np.uint8), (50, 30), 20, 255, -1)[..., None]
    cropped = crop(circle, (30, 30)) > 127
    assert abs(int(cropped.any(axis=0).sum()) - int(cropped.any(axis=1).sum())) <= 1


def test_letterbox_keeps_everything_between_bars():
    wide = np.full((10, 40, 3), 255, np.uint8)
    boxed = letterbox(wide, (20, 20), (1, 2, 3))
    np.testing.assert_array_equal(np.flatnonzero((boxed == 255).all(axis=(1, 2))), range(7, 12))
    np.testing.assert_array_equal(boxed[0], np.full((20, 3), (1, 2, 3)))
    assert (letterbox(wide[..., :1], (20, 20), 9)[0] == 9).all()


def test_bars_are_white_unless_said_otherwise():
    black = np.zeros((10, 40, 3), np.uint8)
    boxed = letterbox(black, (20, 20))
    assert (boxed[0] == 255).all()
    images = ImagePreprocessor((20, 20), resize="letterbox", normalize=None, source_colour="rgb")
    np.testing.assert_array_equal(images.transform([black])[0], boxed)


@pytest.mark.parametrize("shape", [(1, 30_000, 3), (30_000, 1, 3), (1, 1, 3)])
@pytest.mark.parametrize("how", [*HOW, "random_crop"])
def test_extreme_proportions_need_little_memory(shape, how):
    image = np.full(shape, 77, np.uint8)
    preprocessor = ImagePreprocessor((28, 20), resize=how, source_colour="rgb", background=77, normalize=None)
    assert (preprocessor.transform([image]) == 77).all()


def test_windows_reach_every_edge():
    image = np.arange(20).reshape(4, 5, 1)
    np.testing.assert_array_equal(window(image, (2, 3), (0, 0)), image[:2, :3])
    np.testing.assert_array_equal(window(image, (2, 3), (0.999, 0.999)), image[2:, 2:])
    np.testing.assert_array_equal(window(image, (2, 3), (0.5, 0.5)), image[1:3, 1:4])
    assert with_margin((224, 28)) == (256, 32)


@pytest.mark.parametrize(
    "size", [28, (28,), (28, 28, 3), (0, 28), (28, -1), (28.0, 28), (True, 28), "28", None, (20_000, 1), {28: 28}]
)
def test_size_errors(size):
    with pytest.raises(InvalidValueError, match=r"size=\(height, width\)"):
        ImagePreprocessor(size=size).transform([])
