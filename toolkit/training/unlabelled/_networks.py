"""Small networks for images of about 28 × 28 pixels: what encodes, decodes, generates and tells apart."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from toolkit.errors import InvalidValueError, ShapeError

_SLOPE = 0.2  # of the leaky ReLU, as in DCGAN


def image_encoder(
    input_shape: Sequence[int] = (28, 28, 1),
    features: int = 64,
    *,
    filters: Sequence[int] = (16, 32, 64),
    seed: int | None = None,
    name: str = "encoder",
) -> keras.Sequential:
    """``x (N, H, W, C)`` → convolutions of stride 2 → ``h (N, features)``, all with ReLU.

    With the defaults ``(28, 28, 1) → (14, 14, 16) → (7, 7, 32) → (4, 4, 64) → 64``.

    Args:
        input_shape: ``(H, W, C)``.
        features: D.
        filters: of each convolution.
        seed: fixes the initial weights.
        name: the model's name.

    Raises:
        ShapeError: ``input_shape`` is not that of an image.
    """
    stack: list[keras.Layer] = [keras.Input(_image_shape(input_shape, "image_encoder"))]
    for k, count in enumerate(filters):
        options = {"kernel_initializer": _he(seed, k), "name": f"convolution_{k + 1}"}
        stack.append(layers.Conv2D(count, 3, strides=2, padding="same", activation="relu", **options))
    stack += [layers.Flatten(name="flatten")]
    stack += [layers.Dense(features, "relu", kernel_initializer=_he(seed, len(filters)), name="features")]
    return keras.Sequential(stack, name=name)


def projection_head(
    features: int = 64, *, hidden: int = 64, outputs: int = 32, seed: int | None = None, name: str = "head"
) -> keras.Sequential:
    """SimCLR's g: ``h (N, features)`` → ReLU of ``hidden`` units → ``z (N, outputs)``."""
    return keras.Sequential(
        [
            keras.Input((features,)),
            layers.Dense(hidden, "relu", kernel_initializer=_he(seed, 0), name="hidden"),
            layers.Dense(outputs, kernel_initializer=_glorot(seed, 1), name="projection"),
        ],
        name=name,
    )


def image_decoder(
    output_shape: Sequence[int] = (28, 28, 1),
    features: int = 64,
    *,
    filters: int = 16,
    seed: int | None = None,
    name: str = "decoder",
) -> keras.Sequential:
    """``h (N, features)`` → dense → two transposed convolutions of stride 2 → ``r (N, H, W, C)`` in [0, 1].

    Raises:
        ShapeError: ``output_shape`` is not that of an image.
        InvalidValueError: height or width is not divisible by 4.
    """
    height, width, channels = _quarters(output_shape, "image_decoder")
    options = {"kernel_size": 4, "strides": 2, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((features,)),
            layers.Dense(height * width * filters, "relu", kernel_initializer=_he(seed, 0), name="dense"),
            layers.Reshape((height, width, filters), name="reshape"),
            layers.Conv2DTranspose(filters, activation="relu", kernel_initializer=_he(seed, 1), name="up_1", **options),
            layers.Conv2DTranspose(
                channels, activation="sigmoid", kernel_initializer=_glorot(seed, 2), name="up_2", **options
            ),
        ],
        name=name,
    )


def image_generator(
    output_shape: Sequence[int] = (28, 28, 1),
    latent: int = 32,
    *,
    filters: int = 32,
    seed: int | None = None,
    name: str = "generator",
) -> keras.Sequential:
    """A small DCGAN generator: ``z (N, latent)`` → images ``(N, H, W, C)`` in [0, 1] (Radford et al., 2016).

    Dense, then two transposed convolutions of stride 2; batch normalisation and ReLU behind all but the last.

    Raises:
        ShapeError: ``output_shape`` is not that of an image.
        InvalidValueError: height or width is not divisible by 4.
    """
    height, width, channels = _quarters(output_shape, "image_generator")
    options = {"kernel_size": 4, "strides": 2, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((latent,)),
            layers.Dense(height * width * filters, use_bias=False, kernel_initializer=_he(seed, 0), name="dense"),
            layers.BatchNormalization(momentum=0.9, name="norm_1"),
            layers.ReLU(name="relu_1"),
            layers.Reshape((height, width, filters), name="reshape"),
            layers.Conv2DTranspose(
                filters // 2, use_bias=False, kernel_initializer=_he(seed, 1), name="up_1", **options
            ),
            layers.BatchNormalization(momentum=0.9, name="norm_2"),
            layers.ReLU(name="relu_2"),
            layers.Conv2DTranspose(
                channels, activation="sigmoid", kernel_initializer=_glorot(seed, 2), name="up_2", **options
            ),
        ],
        name=name,
    )


def image_discriminator(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    filters: int = 16,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "discriminator",
) -> keras.Sequential:
    """``x (N, H, W, C)`` in [0, 1] → two convolutions of stride 2, leaky ReLU and dropout → one logit, ``(N, 1)``.

    The values are stretched to −1 … 1 first: a black background is then something to be seen, and not 0.

    Raises:
        ShapeError: ``input_shape`` is not that of an image.
    """
    shape = _image_shape(input_shape, "image_discriminator")
    stack: list[keras.Layer] = [keras.Input(shape), layers.Rescaling(2.0, offset=-1.0, name="stretched")]
    for k, count in enumerate((filters, 2 * filters)):
        options = {"strides": 2, "padding": "same", "kernel_initializer": _he(seed, k)}
        stack += [layers.Conv2D(count, 4, name=f"convolution_{k + 1}", **options)]
        stack += [layers.LeakyReLU(negative_slope=_SLOPE, name=f"leaky_{k + 1}")]
        stack += [layers.Dropout(dropout, seed=None if seed is None else seed + 10 + k, name=f"dropout_{k + 1}")]
    stack += [layers.Flatten(name="flatten"), layers.Dense(1, kernel_initializer=_glorot(seed, 2), name="logit")]
    return keras.Sequential(stack, name=name)


def dense_network(
    inputs: int,
    outputs: int,
    *,
    hidden: Sequence[int] = (64, 64),
    activation: str = "relu",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Sequential:
    """``(N, inputs)`` → dense layers → ``(N, outputs)``, linear: a generator or discriminator for points."""
    stack: list[keras.Layer] = [keras.Input((inputs,))]
    for k, units in enumerate(hidden):
        stack.append(layers.Dense(units, activation, kernel_initializer=_he(seed, k), name=f"dense_{k + 1}"))
    stack.append(layers.Dense(outputs, kernel_initializer=_glorot(seed, len(hidden)), name="output"))
    return keras.Sequential(stack, name=name)


def _he(seed: int | None, k: int) -> keras.initializers.Initializer:
    return keras.initializers.HeNormal(seed if seed is None else 100 * seed + k)


def _glorot(seed: int | None, k: int) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed if seed is None else 100 * seed + k)


def _image_shape(shape: Sequence[int], where: str) -> tuple[int, int, int]:
    shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if len(shape) != 3 or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise ShapeError(where, "one image's shape, (H, W, C)", f"{shape}")
    return shape


def _quarters(shape: Sequence[int], where: str) -> tuple[int, int, int]:
    height, width, channels = _image_shape(shape, where)
    if height % 4 or width % 4:
        raise InvalidValueError(where, "height and width divisible by 4, which are doubled twice", f"{tuple(shape)}")
    return height // 4, width // 4, channels
