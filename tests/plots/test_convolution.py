from __future__ import annotations

import numpy as np
import pytest

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError


def texts(ax):
    return [text.get_text() for text in ax.texts]


def tile(ax, k):
    """Picture k of a mosaic: what the canvas shows inside its frame."""
    frame = ax.collections[0].get_paths()[k].get_extents()
    return ax.images[0].get_array()[
        round(frame.y0 + 0.5) : round(frame.y1 + 0.5), round(frame.x0 + 0.5) : round(frame.x1 + 0.5)
    ]


def test_filters_show_weights_from_black_to_white():
    kernel = np.zeros((2, 2, 1, 3))
    kernel[..., 0, 1] = [[4, -4], [2, 0]]
    ax = plots.filters(kernel)
    assert texts(ax) == ["0", "1", "2"]
    image = tile(ax, 1)
    n = image.shape[0] // 2
    corners = [image[n // 2, n // 2], image[n // 2, -n // 2], image[-n // 2, n // 2], image[-n // 2, -n // 2]]
    np.testing.assert_allclose(corners, [[1] * 3, [0] * 3, [0.75] * 3, [0.5] * 3])
    np.testing.assert_allclose(tile(ax, 0), 0.5)
    bar = ax.figure.axes[1]
    assert bar.get_ylim() == (-4, 4)


def test_filters_over_three_channels_are_colours():
    kernel = np.zeros((3, 3, 3, 2))
    kernel[:, :, 0, 1] = 1
    ax = plots.filters(kernel)
    np.testing.assert_allclose(tile(ax, 1)[5, 5], [1, 0.5, 0.5])
    assert len(ax.figure.axes) == 1


def test_filters_over_many_channels_are_a_row_each(rng):
    kernel = rng.normal(size=(3, 3, 20, 40))
    ax = plots.filters(kernel)
    assert "the first 16 of 40 filters, 16 of 20 channels" in texts(ax)
    frames = [path.get_extents() for path in ax.collections[0].get_paths()]
    assert len(frames) == 16 * 16
    frame = frames[2 * 16 + 5]  # filter 2, channel 5
    centre = ax.images[0].get_array()[round((frame.y0 + frame.y1) / 2), round((frame.x0 + frame.x1) / 2)]
    np.testing.assert_allclose(centre, 0.5 + 0.5 * kernel[1, 1, 5, 2] / np.abs(kernel).max())
    assert ax.get_xticks()[5] == pytest.approx((frame.x0 + frame.x1) / 2)
    assert ax.get_yticks()[2] == pytest.approx((frame.y0 + frame.y1) / 2)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input channel", "filter")


def test_filters_take_layers_of_keras_and_scratch(rng):
    import keras

    kernel = rng.normal(size=(3, 3, 1, 4)).astype("float32")
    layer = keras.layers.Conv2D(4, 3)
    layer.build((None, 8, 8, 1))
    layer.set_weights([kernel, np.zeros(4)])

    class Layer:
        weights = {"W": kernel, "b": np.zeros(4)}  # noqa: RUF012

    expected = plots.filters(kernel).images[0].get_array()
    for taken in (layer, Layer()):
        np.testing.assert_array_equal(plots.filters(taken).images[0].get_array(), expected)


def test_more_filters_than_fit_are_named():
    ax = plots.filters(np.ones((3, 3, 1, 100)), most=10)
    assert texts(ax) == [*map(str, range(10)), "the first 10 of 100 filters"]


def test_filters_errors():
    with pytest.raises(ShapeError, match=r"kernel \(kh, kw, C, F\), received shape \(3, 3\)"):
        plots.filters(np.ones((3, 3)))
    with pytest.raises(InvalidValueError, match="finite weights, received nan"):
        plots.filters(np.full((3, 3, 1, 2), np.nan))


def test_an_unbuilt_layer_has_no_filters():
    import keras

    with pytest.raises(ShapeError, match="without weights"):
        plots.filters(keras.layers.Conv2D(4, 3))


# ---------------------------------------------------------------------- feature maps


def brightness(ax):
    return ax.images[0].get_array().sum(axis=-1)


def test_feature_maps_have_their_own_scale_and_say_it():
    maps = np.zeros((4, 4, 3))
    maps[0, 0, 0], maps[3, 3, 1] = 2.5, 100.0
    ax = plots.feature_maps(maps)
    assert texts(ax) == ["0: 2.5", "1: 100", "2: 0"]
    shown = brightness(ax)[brightness(ax) < 3]  # without the white between the maps
    bright = (shown == shown.max()).sum()
    assert bright == 2 * (shown.size // 48)  # one pixel of 16 in two of the three maps


def test_feature_maps_can_share_a_scale():
    maps = np.zeros((4, 4, 2))
    maps[..., 0], maps[0, 0, 1] = 1.0, 10.0
    ax = plots.feature_maps(maps, shared=True)
    assert texts(ax) == ["0", "1"]
    assert ax.figure.axes[1].get_ylim() == (0, 10)
    shown = np.unique(brightness(ax).round(6))
    assert len(shown) == 4  # 0, 1, 10 and the white between


def test_feature_maps_errors():
    with pytest.raises(ShapeError, match=r"activations\[0\]"):
        plots.feature_maps(np.ones((1, 4, 4, 3)))
    with pytest.raises(InvalidValueError, match="finite activations"):
        plots.feature_maps(np.full((4, 4, 3), np.inf))
    assert texts(plots.feature_maps(np.ones((2, 2, 9)), most=4))[-1] == "the first 4 of 9 maps"
