from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training import unlabelled

STILL = {"shift": 0, "zoom": 0, "rotation": 0, "cutout": 0, "noise": 0}


def view(images, **strengths):
    return np.asarray(unlabelled.RandomView(**(STILL | strengths), seed=1)(images))


def test_without_strengths_nothing_changes(bars):
    np.testing.assert_allclose(view(bars), bars, atol=1e-6)


@pytest.mark.parametrize(
    "strengths", [{"shift": 0.2}, {"zoom": 0.4}, {"rotation": 40}, {"noise": 0.2}, {"cutout": 0.4}]
)
def test_every_strength_changes_every_image_in_its_own_way(bars, strengths):
    same = 0.1 + 0.8 * np.repeat(bars[:1], 6, axis=0)  # no pixel is black, so none is hidden unnoticed
    views = view(same, **strengths)
    assert views.shape == same.shape
    assert views.min() >= 0
    assert views.max() <= 1
    assert not any(np.array_equal(each, same[0]) for each in views)
    assert len({each.tobytes() for each in views}) >= 4  # squares lie on whole pixels: two may meet


def test_shift_matches_hand_example():
    """A dot in the middle of 9 × 9 moves by what is drawn, bilinearly: its centre of mass does."""
    dot = np.zeros((200, 9, 9, 1), dtype="float32")
    dot[:, 4, 4] = 1
    views = view(dot, shift=0.25)[..., 0]
    place = np.arange(9) - 4
    down, right = (views.sum(axis=2) * place).sum(axis=1), (views.sum(axis=1) * place).sum(axis=1)
    np.testing.assert_allclose(views.sum(axis=(1, 2)), 1, atol=1e-5)
    for moved in (down, right):
        assert np.abs(moved).max() <= 0.25 * 9 + 1e-5
        assert np.abs(moved).max() > 2
        assert abs(moved.mean()) < 0.3
    assert abs(np.corrcoef(down, right)[0, 1]) < 0.25


def test_zoom_and_rotation_keep_the_centre():
    dot = np.zeros((20, 9, 9, 1), dtype="float32")
    dot[:, 4, 4] = 1
    np.testing.assert_allclose(view(dot, zoom=0.4, rotation=90)[:, 4, 4, 0], 1, atol=1e-5)


def test_rotation_turns_by_the_angle_drawn():
    """A bar through the centre, turned by θ, has its second moments turned by θ."""
    bar = np.zeros((60, 21, 21, 1), dtype="float32")
    bar[:, 10, 3:18] = 1
    views = view(bar, rotation=30)[..., 0]
    y, x = np.mgrid[-10:11, -10:11]
    moments = [(views * weight).sum(axis=(1, 2)) for weight in (x * x - y * y, 2 * x * y)]
    angle = np.degrees(np.arctan2(moments[1], moments[0]) / 2)
    assert np.abs(angle).max() < 31
    assert angle.max() > 20
    assert angle.min() < -20


def test_cutout_matches_hand_example():
    """A square of half the sides hides a quarter of a white image, and lies wholly inside."""
    hidden = view(np.ones((50, 8, 8, 1), dtype="float32"), cutout=0.5) == 0
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2, 3)), 16)
    assert len({each.tobytes() for each in hidden}) > 10


def test_same_seed_same_views(bars):
    draw = unlabelled.RandomView(seed=3)
    first, second = np.asarray(draw(bars)), np.asarray(draw(bars))
    assert not np.array_equal(first, second)
    again = unlabelled.RandomView.from_config(draw.get_config())
    np.testing.assert_array_equal(np.asarray(again(bars)), first)
    np.testing.assert_array_equal(np.asarray(again(bars)), second)


def test_view_in_a_model(bars):
    model = keras.Sequential([keras.Input((8, 8, 1)), unlabelled.RandomView(cutout=0.3, seed=0)])
    assert model.output_shape == (None, 8, 8, 1)
    assert model.predict(bars[:5], verbose=0).shape == (5, 8, 8, 1)


def test_view_errors(bars):
    with pytest.raises(InvalidValueError, match="zoom from 0 to below 1"):
        unlabelled.RandomView(zoom=1)
    with pytest.raises(InvalidValueError, match=r"noise from 0, received -0\.1"):
        unlabelled.RandomView(noise=-0.1)
    with pytest.raises(ShapeError, match=r"images \(N, H, W, C\)"):
        unlabelled.RandomView()(bars[..., 0])
    with pytest.raises(RuntimeError, match=r"floats in \[0, 1\], received uint8"):  # Keras wraps what `call` raises
        unlabelled.RandomView()((255 * bars).astype("uint8"))
