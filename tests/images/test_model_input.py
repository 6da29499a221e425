from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.errors import ShapeError
from toolkit.images import ImagePreprocessor


class Model:
    """What a built Keras model tells of its input."""

    def __init__(self, *shape: object) -> None:
        self.input_shape = shape
        self.name = "cnn"


def test_a_grey_image_into_three_channels_is_refused():
    with pytest.raises(
        ShapeError, match=r"for 'cnn': expected images \(32, 32, 3\).*received \(32, 32, 1\)\. Set colour='rgb'"
    ):
        ImagePreprocessor((32, 32), "grey").check_channels(Model(None, 32, 32, 3))


def test_three_channels_into_a_grey_model_are_refused():
    with pytest.raises(
        ShapeError, match=r"Set size=\(28, 28\) and colour='grey', or build .*input_shape=\(32, 30, 3\)"
    ):
        ImagePreprocessor((32, 30)).check_channels(Model(None, 28, 28, 1))


def test_the_size_is_checked_too():
    with pytest.raises(ShapeError, match=r"Set size=\(28, 32\)"):
        ImagePreprocessor((32, 32)).check_channels(Model(None, 28, None, 3))
    ImagePreprocessor((28, 28)).check_channels(Model(None, 28, 28, 3))
    ImagePreprocessor((51, 49)).check_channels(Model(None, None, None, 3))
    ImagePreprocessor((28, 28)).check_channels((28, 28, 3))


def test_for_model():
    preprocessor = ImagePreprocessor.for_model(Model(None, 24, 20, 1), normalize="signed")
    assert preprocessor.output_shape == (24, 20, 1)
    assert preprocessor.normalize == "signed"
    free = ImagePreprocessor.for_model(Model(None, None, None, 3), size=(64, 48))
    assert free.output_shape == (64, 48, 3)
    with pytest.raises(ShapeError, match="Set colour='rgb'"):
        ImagePreprocessor.for_model(Model(None, 24, 20, 3), colour="grey")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Model(None, 784), "a Flatten layer to begin with"),
        (Model(None, 28, 28), "Images have a channel axis"),
        (Model(None, 3, 32, 32), "it is the last one"),
        (Model(None, 32, 32, 2), "1 or 3 channels"),
        (Model((None, 28, 28, 1), (None, 5)), "takes images"),
        (Model((None, 28, 28, 1), (None, 28, 28, 1), (None, 3)), "takes images"),
        (object(), "one that is not built"),
    ],
)
def test_models_that_take_no_images(model, message):
    for use in (ImagePreprocessor().check_channels, ImagePreprocessor.for_model):
        with pytest.raises(ShapeError, match=message):
            use(model)


def test_keras_models():
    import keras

    model = keras.Sequential([keras.Input((20, 24, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    preprocessor = ImagePreprocessor.for_model(model)
    assert preprocessor.output_shape == (20, 24, 3)
    assert model(preprocessor.transform([np.zeros((5, 5))])).shape == (1, 2)
    with pytest.raises(ShapeError, match="colour='rgb'"):
        ImagePreprocessor((20, 24), "grey").check_channels(model)
    with pytest.raises(ShapeError, match="not built"):
        ImagePreprocessor().check_channels(keras.Sequential([keras.layers.Dense(2)]))
    two = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    with pytest.raises(ShapeError, match="Check its inputs one by one"):
        ImagePreprocessor().check_channels(keras.Model(two, keras.layers.Add()(two)))


def test_scratch_networks():
    network = scratch.Sequential([scratch.Flatten(), scratch.Dense(2)], input_shape=(28, 28, 1))
    assert ImagePreprocessor.for_model(network).output_shape == (28, 28, 1)
    with pytest.raises(ShapeError, match="colour='grey'"):
        ImagePreprocessor().check_channels(network)
    with pytest.raises(ShapeError, match="not built"):
        ImagePreprocessor().check_channels(scratch.Sequential([scratch.Dense(2)]))
