"""The convolutional network for small images."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models._options import (
    checked_sizes,
    dense_layers,
    dropout_layer,
    kernel_initializer,
    layer_seed,
    probabilities,
)


def image_classifier(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    *,
    filters: Sequence[int] = (32, 64),
    kernel_size: int = 3,
    hidden: Sequence[int] = (),
    activation: str = "relu",
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "image_classifier",
) -> keras.Sequential:
    r"""A CNN: ``x (N, H, W, C) → [convolution, max pooling] … → flatten → hidden … → softmax (N, classes)``.

    A convolution slides its kernel over the image, :math:`z_{nijf} = \sum_{u,v,c} x_{n,i+u,j+v,c}\, K_{uvcf} + b_f`
    with :math:`a = f(z)`; max pooling keeps the largest of each 2 × 2 neighbours. With the defaults the shapes are
    ``(28, 28, 1) → (26, 26, 32) → (13, 13, 32) → (11, 11, 64) → (5, 5, 64) → 1600 → 10``.

    Args:
        input_shape: ``(H, W, C)`` of one image; C must be the channels that the images really have.
        classes: the number of classes.
        filters: F of each convolution, ``(32, 64)`` for two.
        kernel_size: height and width of every kernel K.
        hidden: units of dense layers between the features and the probabilities.
        activation: f, one that Keras knows by name.
        dropout: share of the flattened features, and of each hidden layer's outputs, dropped in training.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A built ``keras.Sequential``, not compiled: train it with ``sparse_categorical_crossentropy``.

    Raises:
        InvalidValueError: a size is not a positive integer, or the image is too small for so many layers.
    """
    classes, kernel_size = checked_sizes("image_classifier", classes, kernel_size)
    input_shape, filters, hidden = (checked_sizes("image_classifier", *s) for s in (input_shape, filters, hidden))
    _check_room(input_shape, len(filters), kernel_size)
    layers: list[keras.Layer] = [keras.Input(input_shape, dtype=dtype)]
    for k, count in enumerate(filters, start=1):
        layers.append(
            keras.layers.Conv2D(
                count,
                kernel_size,
                activation=activation,
                kernel_initializer=kernel_initializer(activation, layer_seed(seed, k)),
                dtype=dtype,
                name=f"convolution_{k}",
            )
        )
        layers.append(keras.layers.MaxPooling2D(2, dtype=dtype, name=f"pooling_{k}"))
    layers.append(keras.layers.Flatten(dtype=dtype, name="features"))
    layers += dropout_layer(dropout, dtype, layer_seed(seed, 100), "dropout")
    layers += dense_layers(hidden, activation, dropout=dropout, dtype=dtype, seed=layer_seed(seed, 50))
    return keras.Sequential([*layers, probabilities(classes, dtype, layer_seed(seed, 99))], name=name)


def _check_room(input_shape: Sequence[int], blocks: int, kernel_size: int) -> None:
    """Every block takes ``kernel_size − 1`` pixels off each side length and halves the rest."""
    if len(input_shape) != 3:
        raise ShapeError("image_classifier", "input_shape (H, W, C)", f"{tuple(input_shape)}")
    height, width, _ = input_shape
    for block in range(1, blocks + 1):
        height, width = (height - kernel_size + 1) // 2, (width - kernel_size + 1) // 2
        if min(height, width) < 1:
            raise InvalidValueError(
                "image_classifier",
                f"images large enough for {blocks} blocks of {kernel_size}×{kernel_size} convolution and pooling",
                f"{tuple(input_shape)}, of which nothing is left after block {block}",
                "Use fewer filters entries, a smaller kernel_size or larger images.",
            )
