"""Which numbers a published network expects for a pixel: the conventions, and layers that follow them."""

from __future__ import annotations

import keras

from toolkit.errors import InvalidValueError, ShapeError

# Means and deviations of ImageNet's pixels, for red, green and blue in [0, 1].
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The means that Caffe subtracts, for blue, green and red in [0, 255].
_CAFFE_MEAN = (103.939, 116.779, 123.68)

CONVENTIONS = {
    "none": "as they are: the network prepares them itself, or was trained so",
    "unit": "x / 255, in [0, 1], as toolkit.data.load gives them",
    "tf": "x / 127.5 − 1, in [−1, 1]",
    "lite": "(x − 127) / 128, EfficientNet-Lite's",
    "torch": "x / 255, minus ImageNet's mean, divided by its deviation, for each channel",
    "caffe": "blue, green, red; minus ImageNet's mean for each channel, not scaled",
}
"""Name of a convention → what it does with a pixel x in [0, 255]."""

# Of keras.applications, by the beginning of the network's name; longer beginnings first.
_FAMILIES = {
    "ConvNeXt": "none",
    "DenseNet": "torch",
    "EfficientNet": "none",
    "Inception": "tf",
    "MobileNetV3": "none",
    "MobileNet": "tf",
    "NASNet": "tf",
    "ResNet50V2": "tf",
    "ResNet101V2": "tf",
    "ResNet152V2": "tf",
    "ResNet": "caffe",
    "VGG": "caffe",
    "Xception": "tf",
    "efficientnet_lite0": "lite",
}


def preprocess(x: keras.KerasTensor, convention: str) -> keras.KerasTensor:
    """Layers that bring raw RGB pixels, ``x (N, H, W, 3)`` in [0, 255], into the form that a network was trained on.

    In the model, they cannot be forgotten, done twice, or done in another way where the model is used. A network fed by
    the wrong convention raises no error; it is only worse.

    Args:
        x: a symbolic tensor, such as ``keras.Input((224, 224, 3))``; bytes come out as floats, except by "none".
        convention: one of "none", "unit", "tf", "lite", "torch", "caffe".

    Returns:
        The prepared tensor, of the same shape.

    Raises:
        InvalidValueError: the convention is unknown.
        ShapeError: a convention for red, green and blue, and other channels.
    """
    require_convention(convention, "transfer.preprocess")
    if convention in ("torch", "caffe") and x.shape[-1] != 3:
        raise ShapeError("transfer.preprocess", f"three channels for {convention!r}", f"{tuple(x.shape)}")
    dtype = keras.backend.standardize_dtype(x.dtype)
    dtype = dtype if "float" in dtype else keras.config.floatx()
    if convention == "caffe":
        x = keras.ops.flip(x, axis=-1)
    scale, offset = {
        "none": (1.0, 0.0),
        "unit": (1 / 255, 0.0),
        "tf": (1 / 127.5, -1.0),
        "lite": (1 / 128, -127 / 128),
        "torch": ([1 / (255 * s) for s in _DEVIATION], [-m / s for m, s in zip(_MEAN, _DEVIATION)]),
        "caffe": (1.0, [-m for m in _CAFFE_MEAN]),
    }[convention]
    if convention == "none":
        return x
    return keras.layers.Rescaling(scale, offset, dtype=dtype, name="preprocessing")(x)


def require_convention(convention: str, where: str) -> None:
    """Raises InvalidValueError unless the convention is known."""
    if not isinstance(convention, str) or convention not in CONVENTIONS:
        known = "; ".join(f"{name!r}: {what}" for name, what in CONVENTIONS.items())
        raise InvalidValueError(where, f"one of the conventions ({known})", repr(convention))


def convention_of(network: str) -> str:
    """The convention of a published network, by its name."""
    for beginning, convention in _FAMILIES.items():
        if network.startswith(beginning):
            return convention
    return "none"
