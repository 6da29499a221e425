from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toolkit.errors import InvalidValueError
from toolkit.images import (
    Augment,
    ImagePreprocessor,
    flip_matrix,
    rotation_matrix,
    shift_matrix,
    zoom_matrix,
)
from toolkit.images._augment import change_colour, change_light, cut_out, move

EVERYTHING = Augment("both", 0.1, 15, 0.1, 0.1, 0.2, 0.3, 10, 0.3)
IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


class Fixed:
    """A generator whose uniform numbers are all the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self, count: int) -> np.ndarray:
        return np.full(count, self.value)


# ------------------------------------------------------------------ matrices


@given(IMAGES)
def test_flips_are_exact(image):
    np.testing.assert_array_equal(move(image, flip_matrix(True, False)), image[:, ::-1])
    np.testing.assert_array_equal(move(image, flip_matrix(False, True)), image[::-1])
    np.testing.assert_array_equal(move(image, flip_matrix(True, True)), image[::-1, ::-1])
    np.testing.assert_array_equal(move(image, flip_matrix(False, False)), image)


@given(hnp.arrays(np.uint8, (9, 9, 1)))
def test_quarter_turns_are_exact_and_anticlockwise(image):
    np.testing.assert_array_equal(move(image, rotation_matrix(90)), np.rot90(image))
    np.testing.assert_array_equal(move(image, rotation_matrix(-90)), np.rot90(image, -1))
    np.testing.assert_array_equal(move(image, rotation_matrix(180)), np.rot90(image, 2))


def test_shift_matches_hand_example():
    image = np.arange(1, 10, dtype=np.uint8).reshape(3, 3, 1)
    moved = move(image, shift_matrix(right=1, down=0), border=0)
    np.testing.assert_array_equal(moved[..., 0], [[0, 1, 2], [0, 4, 5], [0, 7, 8]])
    moved = move(image, shift_matrix(right=0, down=-1), border=0)
    np.testing.assert_array_equal(moved[..., 0], [[4, 5, 6], [7, 8, 9], [0, 0, 0]])


def test_zoom_matches_hand_example():
    """A square of 4 about the centre of 12 becomes one of 8."""
    image = np.zeros((12, 12, 1), np.uint8)
    image[4:8, 4:8] = 255
    nearer = move(image, zoom_matrix(2))[..., 0] > 127
    assert nearer.sum() == 64
    assert nearer[2:10, 2:10].all()


def test_matrices_combine_from_right_to_left():
    """First mirrored, then turned: the corner (1, 0) goes to (−1, 0) and from there, anticlockwise, down to (0, 1)."""
    corner = rotation_matrix(90) @ flip_matrix(True, False) @ [1, 0, 1]
    np.testing.assert_allclose(corner, [0, 1, 1], atol=1e-12)


# ------------------------------------------------------------------ light and colour


def test_change_light_matches_hand_example():
    image = np.array([[0, 100, 200]], np.uint8)[..., None]  # mean 100
    np.testing.assert_array_equal(change_light(image, 0, 0.5)[..., 0], [[50, 100, 150]])
    np.testing.assert_array_equal(change_light(image, 0, 0)[..., 0], [[100, 100, 100]])
    np.testing.assert_array_equal(change_light(image, 0.2, 1)[..., 0], [[51, 151, 251]])
    np.testing.assert_array_equal(change_light(image, 0.5, 1)[..., 0], [[128, 228, 255]])  # clipped, not wrapped
    np.testing.assert_array_equal(change_light(image, -0.5, 1)[..., 0], [[0, 0, 72]])


def test_change_colour_turns_the_circle():
    red, green, blue = (np.array([[channels]], np.uint8) for channels in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    np.testing.assert_array_equal(change_colour(red, 120, 1), green)
    np.testing.assert_array_equal(change_colour(red, -120, 1), blue)
    np.testing.assert_array_equal(change_colour(red, 360, 1), red)
    np.testing.assert_array_equal(change_colour(red, 60, 0.5), [[[255, 255, 128]]])
    assert np.ptp(change_colour(np.array([[[200, 100, 50]]], np.uint8), 0, 0)) == 0


@given(IMAGES)
def test_no_change_of_colour_changes_nothing(image):
    np.testing.assert_array_equal(change_colour(image, 0, 1), image)


def test_cut_out_hides_a_square_in_the_mean_colour():
    image = np.zeros((6, 8, 1), np.uint8)
    image[:, :4] = 200
    hidden = cut_out(image, x=4, y=3, side=4)
    assert (hidden[1:5, 2:6] == 100).all()
    hidden[1:5, 2:6] = image[1:5, 2:6]
    np.testing.assert_array_equal(hidden, image)
    np.testing.assert_array_equal(cut_out(image, x=0, y=0, side=4)[:2, :2], np.full((2, 2, 1), 100))


# ------------------------------------------------------------------ the whole


@given(IMAGES, st.integers(0, 2**32))
def test_any_image_keeps_shape_and_dtype(image, seed):
    before = image.copy()
    changed = EVERYTHING(image, np.random.default_rng(seed))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


@given(IMAGES, st.integers(0, 2**32))
def test_the_same_numbers_give_the_same_image(image, seed):
    first, again = (EVERYTHING(image, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_nothing_switched_on_changes_nothing(picture):
    np.testing.assert_array_equal(Augment()(picture, np.random.default_rng(0)), picture)


def test_one_change_does_not_move_the_others(picture):
    """Switching the cutout on leaves the rotation as it was."""
    alone = Augment(rotate=20)(picture, np.random.default_rng(5))
    both = Augment(rotate=20, cutout=0.2)(picture, np.random.default_rng(5))
    assert 0.7 < (alone == both).all(axis=-1).mean() < 1


def test_strengths_are_the_ends(picture):
    """The largest uniform number gives the full strength one way, the smallest the other."""
    height, width = picture.shape[:2]
    shift = Augment(shift=0.25)
    expected = move(picture, shift_matrix(-width / 4, -height / 4))
    np.testing.assert_array_equal(shift(picture, Fixed(0.0)), expected)
    np.testing.assert_array_equal(Augment(rotate=30)(picture, Fixed(1.0)), move(picture, rotation_matrix(30)))
    np.testing.assert_array_equal(Augment(zoom=0.5)(picture, Fixed(0.0)), move(picture, zoom_matrix(0.5)))
    np.testing.assert_array_equal(Augment(brightness=0.5)(picture, Fixed(1.0)), change_light(picture, 0.5, 1))
    np.testing.assert_array_equal(Augment(contrast=0.5)(picture, Fixed(0.0)), change_light(picture, 0, 0.5))


def test_flips_come_half_of_the_time(picture):
    rng = np.random.default_rng(0)
    flipped = [Augment("horizontal")(picture, rng) for _ in range(400)]
    mirrored = sum(np.array_equal(image, picture[:, ::-1]) for image in flipped)
    assert 160 <= mirrored <= 240
    assert mirrored + sum(np.array_equal(image, picture) for image in flipped) == 400
    both = {Augment("both")(picture, rng).tobytes() for _ in range(100)}
    assert len(both) == 4


@pytest.mark.parametrize(("border", "level"), [("black", 0), ("edge", 9), ("reflect", 9)])
def test_borders(border, level):
    image = np.full((8, 8, 1), 9, np.uint8)
    assert Augment(shift=0.5, border=border)(image, Fixed(1.0))[0, 0, 0] == level


@pytest.mark.parametrize(
    "options",
    [
        {"flip": "left"},
        {"flip": True},
        {"border": "white"},
        {"shift": -0.1},
        {"shift": 1.5},
        {"rotate": 181},
        {"zoom": 1},
        {"brightness": float("nan")},
        {"contrast": "much"},
        {"saturation": True},
        {"hue": float("inf")},
        {"cutout": None},
        {"rotate": [5]},
    ],
    ids=str,
)
def test_argument_errors(options):
    with pytest.raises(InvalidValueError, match=f"Augment: expected {next(iter(options))}"):
        Augment(**options)


def test_grey_images_have_no_hue(picture):
    with pytest.raises(InvalidValueError, match="hue=0 and saturation=0 for grey images"):
        ImagePreprocessor(colour="grey", augment=Augment(hue=5)).transform([picture[..., 0]])
