from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models import transfer


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize(
    ("shape", "classes", "stem", "published"),
    [
        ((224, 224, 3), 1000, None, 11_689_512),  # torchvision.models.resnet18
        ((224, 224, 3), 10, "imagenet", 11_181_642),  # the same with ten classes
        ((32, 32, 3), 10, None, 11_173_962),  # the usual variant for CIFAR-10
    ],
)
def test_parameters_match_the_published_numbers(shape, classes, stem, published):
    model = transfer.resnet18(shape, classes, stem=stem)
    assert trainable(model) == published


def test_parameters_match_hand_example():
    w = 2
    block = 2 * 9 * w * w + 2 * 2 * w  # two convolutions, two normalisations (γ, β)
    total = 9 * 3 * w + 2 * w + 2 * block
    for c in (2 * w, 4 * w, 8 * w):
        total += 9 * (c // 2) * c + 9 * c * c + 2 * 2 * c  # the first block of a stage …
        total += (c // 2) * c + 2 * c  # … with its shortcut
        total += 2 * 9 * c * c + 2 * 2 * c
    total += 8 * w * 5 + 5
    assert trainable(transfer.resnet18((16, 16, 3), 5, width=w)) == total


def test_resolutions_and_channels_match_the_paper():
    model = transfer.resnet18((224, 224, 3), 1000)
    shapes = {name: model.get_layer(name).output.shape[1:] for name in ("stem_conv", "stem_pool")}
    shapes |= {f"stage{k}": model.get_layer(f"stage{k}_block2_relu2").output.shape[1:] for k in (1, 2, 3, 4)}
    assert shapes == {
        "stem_conv": (112, 112, 64),
        "stem_pool": (56, 56, 64),
        "stage1": (56, 56, 64),
        "stage2": (28, 28, 128),
        "stage3": (14, 14, 256),
        "stage4": (7, 7, 512),
    }
    weighted = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    assert len([layer for layer in weighted if "shortcut" not in layer.name]) == 18


def convolve(x, kernel, stride):
    """Symmetric zero padding, word for word."""
    size = len(kernel)
    x = np.pad(x, ((0, 0), (size // 2,) * 2, (size // 2,) * 2, (0, 0)))
    n = (x.shape[1] - size) // stride + 1
    y = np.zeros((len(x), n, n, kernel.shape[-1]))
    for i in range(n):
        for j in range(n):
            window = x[:, stride * i : stride * i + size, stride * j : stride * j + size]
            y[:, i, j] = np.tensordot(window, kernel, axes=3)
    return y


def normalise(x, layer):
    gamma, beta, mean, variance = layer.get_weights()
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def test_output_matches_the_equations(small):
    """All of the network in NumPy, with random weights everywhere, moving averages too."""
    rng = np.random.default_rng(1)
    small.set_weights([np.abs(rng.standard_normal(w.shape)) * 0.3 + 0.1 for w in small.weights])
    x = image = rng.standard_normal((2, 16, 16, 3))

    def layer(name):
        return small.get_layer(name)

    def kernel(name):
        return layer(name).get_weights()[0]

    x = np.maximum(normalise(convolve(x, kernel("stem_conv"), 1), layer("stem_norm")), 0)
    for stage in (1, 2, 3, 4):
        for block in (1, 2):
            name, stride = f"stage{stage}_block{block}", 2 if stage > 1 and block == 1 else 1
            f = normalise(convolve(x, kernel(f"{name}_conv1"), stride), layer(f"{name}_norm1"))
            f = normalise(convolve(np.maximum(f, 0), kernel(f"{name}_conv2"), 1), layer(f"{name}_norm2"))
            if stride == 2:
                x = normalise(x[:, ::2, ::2] @ kernel(f"{name}_shortcut_conv")[0, 0], layer(f"{name}_shortcut_norm"))
            x = np.maximum(f + x, 0)
    W, b = layer("probabilities").get_weights()
    z = x.mean(axis=(1, 2)) @ W + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(small(image).numpy(), e / e.sum(axis=1, keepdims=True), rtol=1e-9)


def test_blocks_whose_branch_is_zero_are_the_identity():
    """With γ₂ = 0 nothing is added to what comes in."""
    model = transfer.resnet18((8, 8, 1), 3, width=2, dtype="float64", seed=0)
    for block in (1, 2):
        norm = model.get_layer(f"stage1_block{block}_norm2")
        norm.set_weights([np.zeros(2), *norm.get_weights()[1:]])
    inner = keras.Model(model.get_layer("stem_relu").output, model.get_layer("stage1_block2_relu2").output)
    x = np.random.default_rng(0).random((2, 8, 8, 2))
    np.testing.assert_allclose(inner(x).numpy(), x)


def test_same_seed_same_weights():
    first, again, other = (transfer.resnet18((8, 8, 1), 3, width=2, seed=s).get_weights() for s in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()
    names = ["stage1_block1_conv1", "stage1_block1_conv2"]
    one, two = (transfer.resnet18((8, 8, 1), 3, width=2, seed=1).get_layer(name).get_weights()[0] for name in names)
    assert (one != two).any()


def test_initial_spread_is_he_s_by_outgoing_connections():
    kernel = transfer.resnet18((32, 32, 3), seed=0).get_layer("stage4_block2_conv2").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 512)), rel=0.01)


def test_resnet18_errors():
    with pytest.raises(ShapeError, match=r"\(H, W, C\)"):
        transfer.resnet18((32, 32))
    with pytest.raises(InvalidValueError, match=r"at least 32 × 32 .*take stem='cifar'"):
        transfer.resnet18((28, 28, 1), stem="imagenet")
    with pytest.raises(InvalidValueError, match="'cifar', 'imagenet' or None"):
        transfer.resnet18(stem="large")
    with pytest.raises(InvalidValueError, match="positive integers"):
        transfer.resnet18(width=0)


def test_xray_traces_and_verifies():
    from toolkit import xray

    model = transfer.resnet18((8, 8, 3), 3, width=2, dtype="float64", seed=0)
    rng = np.random.default_rng(0)
    trace = xray.trace(model, rng.random((4, 8, 8, 3)), np.arange(4) % 3, loss="sparse_categorical_crossentropy")
    report = trace.verify()
    assert not report.failed, report
    assert len(report.rows) > 100
