"""The conventions against keras.applications' own functions."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import keras
import numpy as np
import pytest

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models import transfer
from toolkit.models.transfer._preprocessing import CONVENTIONS, convention_of


def networks():
    """Every network of keras.applications, and the preprocess_input of its module."""
    for name, build in vars(keras.applications).items():
        if inspect.isfunction(build):
            module = importlib.import_module(build.__module__)
            yield pytest.param(name, module.preprocess_input, id=name)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("float32")


@pytest.fixture(scope="module")
def prepared(pixels):
    """The pixels by each convention."""
    image = keras.Input((5, 4, 3))
    models = {name: keras.Model(image, transfer.preprocess(image, name)) for name in CONVENTIONS}
    return {name: model(pixels).numpy() for name, model in models.items()}


@pytest.mark.parametrize(("network", "preprocess_input"), list(networks()))
def test_every_network_matches_keras(network, preprocess_input, pixels, prepared):
    expected = preprocess_input(pixels.copy())
    np.testing.assert_allclose(prepared[convention_of(network)], expected, rtol=1e-5, atol=1e-4)


def test_conventions_differ(prepared):
    """A wrong line in the table would not go unseen."""
    for name, values in prepared.items():
        for other, others in prepared.items():
            assert (name == other) == np.allclose(values, others, atol=0.004), (name, other)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("none", [0, 127, 255]),
        ("unit", [0, 127 / 255, 1]),
        ("tf", [-1, -0.5 / 127.5, 1]),
        ("lite", [-127 / 128, 0, 1]),
        ("torch", [-0.485 / 0.229, (127 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]),
        ("caffe", [255 - 103.939, 127 - 116.779, 0 - 123.68]),
    ],
)
def test_one_pixel_matches_hand_example(convention, expected):
    image = keras.Input((1, 1, 3))
    model = keras.Model(image, transfer.preprocess(image, convention))
    np.testing.assert_allclose(model(np.array([[[[0.0, 127.0, 255.0]]]]))[0, 0, 0], expected, rtol=1e-5, atol=1e-5)


def test_modules_are_all_known():
    """A family that Keras adds is looked at, not guessed."""
    import keras.src.applications as package

    families = {module.name for module in pkgutil.iter_modules(package.__path__)} - {"imagenet_utils"}
    known = "convnext densenet efficientnet efficientnet_v2 inception_resnet_v2 inception_v3 mobilenet mobilenet_v2"
    known += " mobilenet_v3 nasnet resnet resnet_v2 vgg16 vgg19 xception"
    assert {name for name in families if not name.endswith("_test")} == set(known.split())


def test_unknown_convention_errors():
    with pytest.raises(InvalidValueError, match="'caffe': blue, green, red"):
        transfer.preprocess(keras.Input((1, 1, 3)), "pytorch")


def test_grey_images_by_a_convention_of_colours_errors():
    for convention in ("torch", "caffe"):
        with pytest.raises(ShapeError, match=f"three channels for '{convention}'"):
            transfer.preprocess(keras.Input((4, 4, 1)), convention)


def test_bytes_come_out_as_floats(pixels, prepared):
    image = keras.Input((5, 4, 3), dtype="uint8")
    for name in set(CONVENTIONS) - {"none"}:
        model = keras.Model(image, transfer.preprocess(image, name))
        np.testing.assert_allclose(model(pixels.astype("uint8")), prepared[name], rtol=1e-5, atol=1e-5)
