"""Features of a frozen network, computed once."""

from __future__ import annotations

import time

import keras
import numpy as np
import tensorflow as tf

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models.transfer._stages import HEAD, graph_layers, stages
from toolkit.training._progress import Shown


def split_head(model: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """The two halves of a model, sharing its layers: image → features (N, F), and features → answer.

    The features are the first row that all ways from the image to the answer lead through, with all layers of the head
    and no other weights behind it. None if the model has no such row.
    """
    head = stages(model)[HEAD]
    for operation in model.layers if isinstance(model, keras.Sequential) else model.operations:
        row = operation.input
        if not head or not isinstance(row, keras.KerasTensor) or len(row.shape) != 2:
            continue
        try:
            behind = keras.Model(row, model.outputs[0], name=f"{model.name}_head")
        except ValueError:  # another way leads around it
            continue
        if {id(layer) for layer in graph_layers(behind, model.name) if layer.weights} == {id(layer) for layer in head}:
            return keras.Model(model.inputs[0], row), behind
    return None


def features(model: keras.Model, x: np.ndarray, *, batch_size: int = 64, verbose: bool | None = None) -> np.ndarray:
    """What enters the head of ``model`` for each image, computed in inference.

    While the network is frozen its features do not change: they are computed once, and the head is trained on them in
    a fraction of the time. They also are what a linear model, a nearest neighbour or a plot can look at.

    Args:
        model: a model as ``transfer_model`` makes it, or any that pools its feature maps before a head.
        x: images, ``(N, H, W, C)``, as the model takes them.
        batch_size: images at a time.
        verbose: True shows the progress, False nothing; None shows it if it takes over two seconds.

    Returns:
        ``(N, F)``.

    Raises:
        ShapeError: the model has no such features, or the images are not those that it takes.
        InvalidValueError: ``batch_size`` is not a positive integer, or the images hold no numbers.
        UnsupportedError: as for ``stages``.
    """
    where = f"transfer.features of {getattr(model, 'name', model)!r}"
    halves = split_head(model)
    if halves is None:
        raise ShapeError(where, "a network that pools its feature maps into one row, then a head", "another")
    return computed(halves[0], checked_images(where, model, x, batch_size), batch_size, verbose)


def checked_images(where: str, model: keras.Model, x: np.ndarray, batch_size: int) -> np.ndarray:
    """The images as an array; raises as ``features`` says."""
    if not is_integer(batch_size) or batch_size < 1:
        raise InvalidValueError(where, "batch_size as a positive integer", repr(batch_size))
    x = np.asarray(x)
    expected = tuple(model.input_shape[1:])
    if x.ndim != 4 or len(x) == 0 or any(n not in (None, m) for n, m in zip(expected, x.shape[1:])):
        raise ShapeError(where, f"images (N, {', '.join(map(str, expected))})", f"{x.shape}")
    if x.dtype.kind not in "biuf":
        raise InvalidValueError(where, "images of numbers", f"dtype {x.dtype}", "Convert them: x.astype('float32').")
    return x


def computed(body: keras.Model, x: np.ndarray, batch_size: int, verbose: bool | None) -> np.ndarray:
    """The outputs of ``body`` in inference, batch by batch."""
    entry = body.inputs[0]

    # Once for batches of any size: Keras's predict would compile again for the last, smaller one.
    @tf.function(input_signature=[tf.TensorSpec(entry.shape, entry.dtype)], autograph=False)
    def answer(images: tf.Tensor) -> tf.Tensor:
        return body(images, training=False)

    results = []
    steps = -(-len(x) // batch_size)
    with Shown(1, 0, verbose, what="features") as shown:
        began = time.perf_counter()
        for step in range(steps):
            results.append(answer(x[step * batch_size : (step + 1) * batch_size]).numpy())
            shown.step(0, step + 1, steps, {})
        shown.epoch(0, {}, time.perf_counter() - began)
    return np.concatenate(results)


def draws_at_random(body: keras.Model) -> bool:
    """Whether a layer changes its outputs at random in training: dropout, noise, augmentation."""
    return any(
        any(isinstance(value, keras.random.SeedGenerator) for value in vars(layer).values())
        and getattr(layer, "rate", 1) != 0
        for layer in body._flatten_layers()
    )
