"""ResNet-18, with a stem for small images and one for large ones."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models._options import checked_sizes, layer_seed, probabilities

_BLOCKS = (2, 2, 2, 2)
_SMALL = 64  # pixels: below, the ImageNet stem would leave too little to look at
_STEMS = ("cifar", "imagenet")


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    *,
    stem: str | None = None,
    width: int = 64,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "resnet18",
) -> keras.Model:
    r"""ResNet-18: ``x (N, H, W, C) → stem → 4 stages of 2 residual blocks → average → softmax (N, classes)``.

    A residual block does not learn its output :math:`H(x)` but what has to be *added* to its input:

    .. math:: y = \mathrm{relu}\big(F(x) + S(x)\big), \qquad F = \mathrm{BN}_2 * K_2 *
              \mathrm{relu} * \mathrm{BN}_1 * K_1

    with two 3 × 3 convolutions :math:`K_1, K_2` without bias and :math:`S` the identity; where a block halves the
    image and doubles the channels, :math:`S` is a 1 × 1 convolution of stride 2 with its own normalisation. The
    gradient passes the sum unchanged, so depth costs it nothing.

    Stage s works at :math:`1/2^{s-1}` of the stem's resolution with :math:`2^{s-1}\,` ``width`` channels. Layers are
    named after their place: ``stage2_block1_conv1``, ``stage2_block1_norm1``, ``stage2_block1_shortcut_conv``, …

    Args:
        input_shape: ``(H, W, C)`` of one image. The network scales nothing: give pixels in [0, 1], or normalised.
        classes: the number of classes.
        stem: "imagenet": 7 × 7 convolution of stride 2 and 3 × 3 pooling of stride 2, as in the paper; "cifar": one
            3 × 3 convolution that keeps the size. None takes "cifar" for images below 64 pixels.
        width: channels of the first stage, 64 in the paper. Time and parameters grow with its square.
        dtype: "float32" or "float64".
        seed: fixes the initial weights; None draws new ones.
        name: the model's name.

    Returns:
        A functional ``keras.Model``, not compiled: train it with ``sparse_categorical_crossentropy``. With the defaults
        it has 11,173,962 trainable parameters, with the ImageNet stem and 1,000 classes 11,689,512, as published.
        Padding, ε of the normalisation (1e-5) and the weights' initial spread are PyTorch's, so that the function is
        the same for the same weights.

    Raises:
        InvalidValueError: a size is not a positive integer, the stem is unknown, or the image is too small.
        ShapeError: ``input_shape`` does not have three axes.

    Source: He, Zhang, Ren, Sun: *Deep residual learning for image recognition*, CVPR (2016), arXiv:1512.03385. The stem
    for small images is that of their section 4.2.
    """
    if len(input_shape) != 3:
        raise ShapeError("resnet18", "input_shape (H, W, C)", f"{tuple(input_shape)}")
    *input_shape, classes, width = checked_sizes("resnet18", *input_shape, classes, width)
    stem = _stem_for(input_shape, stem)
    conv = _Convolutions(dtype, seed)
    image = keras.Input(tuple(input_shape), dtype=dtype, name="image")
    if stem == "imagenet":
        x = conv(image, width, 7, 2, "stem_conv")
        x = conv.relu(conv.norm(x, "stem_norm"), "stem_relu")
        x = keras.layers.ZeroPadding2D(1, dtype=dtype, name="stem_pool_pad")(x)  # zeros never win: x ≥ 0 here
        x = keras.layers.MaxPooling2D(3, 2, dtype=dtype, name="stem_pool")(x)
    else:
        x = conv(image, width, 3, 1, "stem_conv")
        x = conv.relu(conv.norm(x, "stem_norm"), "stem_relu")
    for stage, blocks in enumerate(_BLOCKS, start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _residual_block(conv, x, 2 ** (stage - 1) * width, stride, f"stage{stage}_block{block}")
    average = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="features")(x)
    return keras.Model(image, probabilities(classes, dtype, layer_seed(seed, 99))(average), name=name)


def _residual_block(
    conv: _Convolutions, x: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """``y = relu(F(x) + S(x))``."""
    f = conv.relu(conv.norm(conv(x, filters, 3, stride, f"{name}_conv1"), f"{name}_norm1"), f"{name}_relu1")
    f = conv.norm(conv(f, filters, 3, 1, f"{name}_conv2"), f"{name}_norm2")
    if stride > 1:
        # Every second pixel, then the 1 × 1 convolution: the same as its stride of 2. TensorFlow's gradient of that one
        # writes beyond its memory on CPUs with AVX-512 when there are fewer than 16 channels (oneDNN, TensorFlow 2.21).
        x = keras.layers.MaxPooling2D(1, stride, dtype=conv.dtype, name=f"{name}_shortcut_pick")(x)
        x = conv.norm(conv(x, filters, 1, 1, f"{name}_shortcut_conv"), f"{name}_shortcut_norm")
    return conv.relu(keras.layers.Add(dtype=conv.dtype, name=f"{name}_add")([f, x]), f"{name}_relu2")


class _Convolutions:
    """Makes the network's layers, each with a seed of its own."""

    def __init__(self, dtype: str, seed: int | None) -> None:
        self.dtype, self.seed, self.count = dtype, seed, 0

    def __call__(self, x: keras.KerasTensor, filters: int, size: int, stride: int, name: str) -> keras.KerasTensor:
        """A convolution without bias, which the normalisation behind it would take away again."""
        self.count += 1
        if stride > 1 and size > 1:
            # "same" puts the odd pixel of padding below and on the right; the published network, on both sides.
            x = keras.layers.ZeroPadding2D(size // 2, dtype=self.dtype, name=f"{name}_pad")(x)
        # He's initialisation by the outgoing connections, which keeps the size of gradients.
        initializer = keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal", seed=layer_seed(self.seed, self.count)
        )
        return keras.layers.Conv2D(
            filters,
            size,
            stride,
            padding="same" if stride == 1 else "valid",
            use_bias=False,
            kernel_initializer=initializer,
            dtype=self.dtype,
            name=name,
        )(x)

    def norm(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=self.dtype, name=name)(x)

    def relu(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.ReLU(dtype=self.dtype, name=name)(x)


def _stem_for(input_shape: Sequence[int], stem: str | None) -> str:
    size = min(input_shape[:2])
    if stem is None:
        stem = "cifar" if size < _SMALL else "imagenet"
    if stem not in _STEMS:
        raise InvalidValueError("resnet18", f"stem as one of {', '.join(map(repr, _STEMS))} or None", repr(stem))
    least = 8 if stem == "cifar" else 32  # one pixel is left after all halvings
    if size < least:
        remedy = "Enlarge them, or take stem='cifar'." if stem == "imagenet" else "Enlarge them."
        raise InvalidValueError(
            "resnet18",
            f"images of at least {least} × {least} pixels for stem={stem!r}",
            f"{tuple(input_shape)}",
            remedy,
        )
    return stem
