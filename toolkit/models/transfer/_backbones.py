"""Networks to start from: by name, from a file, or trained here."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from toolkit.errors import DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.models.transfer._efficientnet_lite import efficientnet_lite0
from toolkit.models.transfer._preprocessing import convention_of
from toolkit.models.transfer._published import FILES, imagenet_weights
from toolkit.models.transfer._resnet import resnet18
from toolkit.models.transfer._stages import graph_layers

_OURS = {"resnet18": resnet18, "efficientnet_lite0": efficientnet_lite0}
_LACK_CHECKSUM = ("MobileNet", "MobileNetV2")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def backbone(
    network: str | os.PathLike[str] | keras.Model,
    input_shape: Sequence[int] | None = None,
    *,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    seed: int | None = None,
) -> tuple[keras.Model, str]:
    """A network up to its features, ``x (N, H, W, C) → (N, F)`` or a feature map, and the pixels that it expects.

    Args:
        network: "resnet18", "efficientnet_lite0", a name in ``keras.applications``; the path of a ``.keras`` file; or a
            Keras model. Of a file or model, the layers behind its features (dropout, and the last layer with weights)
            are left out.
        input_shape: ``(H, W, C)`` for a network by name; (224, 224, 3) if None, (32, 32, 3) for "resnet18".
        weights: for a network by name: None draws them; "imagenet" takes the published ones; a path reads a file that
            Keras wrote for this network (``.weights.h5``, or ``.h5`` without its classifier), or for efficientnet_lite0
            a ``.pth``; a model of the same architecture gives copies of its own, whatever its classes.
        seed: fixes the weights that are drawn, for the networks built here; ``keras.applications`` follow
            ``keras.utils.set_random_seed``.

    Returns:
        The model, and its convention for pixels (see ``transfer.preprocess``); "none" for a file or model.

    Raises:
        InvalidValueError: the name is unknown, or there are no such weights.
        DataError: weights cannot be read, had, or do not fit.
        ShapeError: the network does not take such images.
        UnsupportedError: the model is not one that can be taken apart; or network or weights are of no such kind.
    """
    if not isinstance(network, keras.Model | str | os.PathLike):
        expected = "a name, the path of a .keras file, or a Keras model"
        raise UnsupportedError("transfer: network", expected, type(network).__name__)
    if not isinstance(weights, keras.Model | str | os.PathLike | None):
        expected = "weights as None, 'imagenet', the path of a file, or a Keras model"
        raise UnsupportedError("transfer: weights", expected, type(weights).__name__)
    if input_shape is not None and (not isinstance(input_shape, Sequence) or len(input_shape) != 3):
        raise ShapeError("transfer: network", "input_shape (H, W, C)", repr(input_shape))
    if isinstance(network, keras.Model | os.PathLike) or network.endswith(".keras"):
        if weights is not None:
            raise InvalidValueError("transfer.backbone", "weights=None for a network that has its own", repr(weights))
        model = network if isinstance(network, keras.Model) else _load_model(Path(network))
        body = until_features(model)
        _require_shape(body, input_shape)
        return body, "none"
    if isinstance(weights, str | os.PathLike) and weights != "imagenet" and not Path(weights).is_file():
        where, name = f"transfer: weights of {network}", Path(weights).name
        raise DataError(where, "'imagenet', a model, or an existing file", f"nothing there: {name}")
    if network in _OURS:
        return _ours(network, input_shape, weights, seed), convention_of(network)
    return _of_keras(network, tuple(input_shape or (224, 224, 3)), weights), convention_of(network)


def until_features(model: keras.Model) -> keras.Model:
    """The part of a network before its last layer with weights; dropout in between is left out, too.

    Raises:
        UnsupportedError: the model is not built from layers, or its end is no single chain.
    """
    where = f"transfer: network {model.name!r}"
    weighted = [layer for layer in graph_layers(model, where) if layer.weights]
    if len(model.outputs) != 1 or len(model.inputs) != 1 or not weighted:
        raise UnsupportedError(where, "a network with one input, one output and weights", "another")
    last = weighted[-1]
    # A convolutional network without a classifier ends in what it is wanted for.
    keeps_map = len(model.outputs[0].shape) == 4
    features = model.outputs[0] if keeps_map else last.input
    makers = {id(layer.output): layer for layer in model.layers if isinstance(layer.output, keras.KerasTensor)}
    while isinstance(layer := makers.get(id(features)), keras.layers.Dropout):
        features = layer.input
    return keras.Model(model.inputs[0], features, name=model.name)


def _ours(
    network: str,
    input_shape: Sequence[int] | None,
    weights: str | os.PathLike[str] | keras.Model | None,
    seed: int | None,
) -> keras.Model:
    if network == "efficientnet_lite0":
        shape = tuple(input_shape or (224, 224, 3))
        if isinstance(weights, keras.Model):
            return _with_weights(until_features(efficientnet_lite0(shape)), weights)
        return until_features(efficientnet_lite0(shape, weights=weights, seed=seed))
    if weights == "imagenet":
        raise InvalidValueError(
            "transfer: resnet18",
            "weights of a network trained here: a model, a file, or None",
            "'imagenet', which nobody publishes for it in Keras's form",
            f"Take 'efficientnet_lite0' or one of keras.applications: {', '.join(FILES)}.",
        )
    model = until_features(resnet18(tuple(input_shape or (32, 32, 3)), seed=seed))
    return model if weights is None else _with_weights(model, weights)


def _of_keras(
    network: str, input_shape: tuple[int, ...], weights: str | os.PathLike[str] | keras.Model | None
) -> keras.Model:
    build = getattr(keras.applications, network, None)
    if not callable(build):
        known = [name for name, value in vars(keras.applications).items() if callable(value)]
        raise InvalidValueError("transfer: network", f"one of {', '.join([*_OURS, *sorted(known)])}", repr(network))
    try:
        model = build(include_top=False, weights=None, input_shape=input_shape)
    except ValueError as error:
        raise ShapeError(f"transfer: {network}", "an input_shape that it takes", f"{input_shape}: {error}") from error
    if weights is None:
        return model
    if weights == "imagenet":
        if network in _LACK_CHECKSUM:
            raise InvalidValueError(
                f"transfer: {network}",
                "weights that can be verified",
                "'imagenet', for which Keras publishes no checksum",
                "Pass a file of yours as weights=, or take 'MobileNetV3Small'.",
            )
        weights = imagenet_weights(network, model.count_params())
    _with_weights(model, weights)
    _mend_normalization(model)
    return model


def _with_weights(model: keras.Model, weights: str | os.PathLike[str] | keras.Model) -> keras.Model:
    where = f"transfer: weights of {model.name}"
    if isinstance(weights, keras.Model):
        shapes = [w.shape for w in model.weights]
        given = weights if [w.shape for w in weights.weights] == shapes else until_features(weights)
        if [w.shape for w in given.weights] != shapes:
            raise ShapeError(where, "a model of the same architecture", f"{weights.name!r} with other weights")
        model.set_weights(given.get_weights())
        return model
    path = Path(weights)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that it finds nothing for, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (*_UNREADABLE, UserWarning) as error:
        reason = str(error).strip().splitlines()
        raise DataError(
            where,
            f"a file of Keras weights for {model.name} without its classifier, for images {model.input_shape[1:]}",
            f"{path.name}, which is another or damaged ({reason[0] if reason else type(error).__name__})",
        ) from error
    return model


def _mend_normalization(model: keras.Model) -> None:
    """EfficientNet B0 to B7: the published files hold deviations where the layer expects variances.

    Keras adds a layer that divides by the root once more, but only where it downloads the file itself. Here the layer
    gets the variances, which gives the same function.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and len(layer.weights) >= 2:
            mean, deviation, *rest = layer.get_weights()
            if np.allclose(deviation, (0.229, 0.224, 0.225), atol=1e-3):
                layer.set_weights([mean, deviation * np.array((0.229, 0.224, 0.225)), *rest])
                layer.finalize_state()


def _load_model(path: Path) -> keras.Model:
    if not path.is_file():
        raise DataError("transfer: network", "an existing .keras file", f"nothing there: {path.name}")
    try:
        return keras.models.load_model(path, compile=False)  # Keras's safe mode: no code from the file
    except _UNREADABLE as error:
        raise DataError("transfer: network", "a model that Keras saved", f"{path.name}: {error}") from error


def _require_shape(model: keras.Model, input_shape: Sequence[int] | None) -> None:
    shape = tuple(model.input_shape[1:])
    if input_shape is not None and shape != tuple(input_shape):
        remedy = "Leave input_shape out, or let image_size= bring the images to its size."
        raise ShapeError(f"transfer: network {model.name!r}", f"input_shape={shape}", f"{tuple(input_shape)}", remedy)
