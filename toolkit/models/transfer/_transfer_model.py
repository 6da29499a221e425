"""A new head on a network that has learned something else."""

from __future__ import annotations

import os
from collections.abc import Sequence

import keras

from toolkit.argument_checks import check_share
from toolkit.errors import ShapeError
from toolkit.models._options import checked_sizes, dropout_layer, layer_seed, probabilities
from toolkit.models.transfer._backbones import backbone
from toolkit.models.transfer._preprocessing import preprocess, require_convention
from toolkit.models.transfer._stages import HEAD, freeze_until


def transfer_model(
    network: str | os.PathLike[str] | keras.Model,
    classes: int,
    *,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    input_shape: Sequence[int] | None = None,
    image_size: tuple[int, int] | None = None,
    pixels: str | None = None,
    trainable_from: str = HEAD,
    dropout: float = 0.0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Raw images ``(N, H, W, C) → preprocessing → network → average (N, F) → dropout → softmax (N, classes)``.

    The network's layers and weights are *copied*: training the result leaves the original as it was.

    Args:
        network: where to start: "resnet18", "efficientnet_lite0" or a name in ``keras.applications``; a Keras model
            trained here; or the path of a ``.keras`` file.
        classes: of the new task.
        weights: of a network by name: "imagenet", a file, a model, or None for random ones (see ``transfer.backbone``).
        input_shape: ``(H, W, C)`` at which the network is built, where it is built here; None takes its usual one.
        image_size: ``(H, W)`` of the images that will come, if it is not the network's: they are resized in the model.
        pixels: what the network expects for a pixel in [0, 255]: one of ``transfer.preprocess``'s conventions. None
            takes what it was published with, and for a network trained here "none": give it what it was trained on.
        trainable_from: the first stage that learns; "head" freezes the whole network (see ``transfer.freeze_until``).
        dropout: share of the features dropped in training.
        seed: fixes the new weights and the dropout masks; None draws new ones.
        name: the model's name; ``"<network>_transfer"`` if None.

    Returns:
        A functional ``keras.Model``, not compiled: train it with ``sparse_categorical_crossentropy``, or hand it to
        ``transfer.fine_tune``. Images may be uint8 or floats in [0, 255] (as ``toolkit.data.load(…, scale=False)``
        gives them), except where ``pixels="none"`` lets them through as they are.

    Raises:
        InvalidValueError: an option is out of range, or there are no such weights or stage.
        DataError: weights cannot be had or do not fit.
        ShapeError: the network does not take such images.
        UnsupportedError: the network cannot be taken apart.

    Example:
        >>> small = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten(),
        ...                           keras.layers.Dense(10, "softmax")])
        >>> transfer_model(small, classes=3).output_shape
        (None, 3)
    """
    (classes,) = checked_sizes("transfer_model", classes)
    check_share("transfer_model", "dropout", dropout)
    if image_size is not None:
        if not isinstance(image_size, Sequence) or len(image_size) != 2:
            raise ShapeError("transfer_model", "image_size (H, W)", repr(image_size))
        image_size = checked_sizes("transfer_model", *image_size)
    body, convention = backbone(network, input_shape, weights=weights, seed=seed)
    convention = convention if pixels is None else pixels
    require_convention(convention, "transfer_model")
    shape = tuple(body.input_shape[1:])
    image = keras.Input((*(image_size or shape[:2]), shape[-1]), dtype=body.inputs[0].dtype, name="image")
    x = image
    if image_size is not None and tuple(image_size) != shape[:2]:
        x = keras.layers.Resizing(*shape[:2], name="resizing")(x)
    x = _copied(body, preprocess(x, convention))
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    for layer in dropout_layer(dropout, x.dtype, layer_seed(seed, 101), "head_dropout"):
        x = layer(x)
    y = probabilities(classes, x.dtype, layer_seed(seed, 99))(x)
    model = keras.Model(image, y, name=name or f"{body.name}_transfer")
    return freeze_until(model, trainable_from)


def _copied(body: keras.Model, x: keras.KerasTensor) -> keras.KerasTensor:
    """The output of copies of all layers of ``body``, called on ``x``."""
    called: dict[str, keras.Layer] = {}
    last = x

    def call(layer: keras.Operation, *args: object, **kwargs: object) -> keras.KerasTensor:
        nonlocal last
        called[layer.name] = layer
        last = layer(*args, **kwargs)  # in the order of the graph: the output's layer comes last
        return last

    keras.models.clone_model(body, input_tensors=x, call_function=call)
    for layer in body.layers:
        if layer.weights:
            called[layer.name].set_weights(layer.get_weights())
    return last
