from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError
from toolkit.models import transfer


def test_stages_of_resnet18(small):
    found = transfer.stages(small)
    assert list(found) == ["stem", "stage1", "stage2", "stage3", "stage4", "head"]
    assert [layer.name for layer in found["stem"]] == ["stem_conv", "stem_norm"]
    assert [layer.name for layer in found["head"]] == ["probabilities"]
    assert sum(map(len, found.values())) == sum(bool(layer.weights) for layer in small.layers)


def test_stages_by_resolution_match_hand_example(plain):
    names = {stage: [layer.name for layer in layers] for stage, layers in transfer.stages(plain).items()}
    assert names == {"stage1": ["first"], "stage2": ["second"], "stage3": ["third"], "head": ["answer"]}


@pytest.mark.parametrize(
    ("network", "beginnings"),
    [
        ("ResNet50", ("conv1_", "conv2_", "conv3_", "conv4_", "conv5_")),
        ("VGG16", ("block1_", "block2_", "block3_", "block4_", "block5_")),
    ],
)
def test_stages_of_published_networks_are_the_papers(network, beginnings):
    body, _ = transfer.backbone(network, (64, 64, 3))
    found = transfer.stages(body)
    assert found.pop("head") == []
    assert len(found) == 5
    for layers, beginning in zip(found.values(), beginnings, strict=True):
        assert all(layer.name.startswith(beginning) for layer in layers)


def test_frozen_until(small):
    transfer.freeze_until(small, "stage3")
    learning = {name for name, layers in transfer.stages(small).items() if any(k.trainable_weights for k in layers)}
    assert learning == {"stage3", "stage4", "head"}
    transfer.freeze_until(small, "stem")
    assert all(layer.trainable for layers in transfer.stages(small).values() for layer in layers)


def test_stages_of_a_model_inside_a_model(small):
    image = keras.Input((16, 16, 3), dtype="float64")
    inner = keras.Model(small.input, small.get_layer("stage4_block2_relu2").output, name="inner")
    x = keras.layers.GlobalAveragePooling2D(dtype="float64")(inner(image))
    model = keras.Model(image, keras.layers.Dense(2, dtype="float64", name="new")(x))
    inner.trainable = False
    transfer.freeze_until(model, "stage4")
    assert list(transfer.stages(model))[-2:] == ["stage4", "head"]
    kernels = [w.path.split("/")[-2] for w in model.trainable_weights if w.path.endswith("kernel")]
    assert all(name.startswith("stage4_") for name in kernels[:-1])
    assert kernels[-1] == "new"


def fitted(model, stage, **options):
    """Weights before and after some steps, by path."""
    transfer.freeze_until(model, stage, **options)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    before = {w.path: w.numpy() for w in model.weights}
    rng = np.random.default_rng(0)
    training.fit(model, rng.random((8, 16, 16, 3)), np.arange(8) % 4, epochs=2, batch_size=4, verbose=False)
    return {w.path for w in model.weights if (w.numpy() != before[w.path]).any()}


def test_nothing_frozen_changes_moving_statistics_neither(small):
    changed = fitted(small, "stage4")
    stages = {path.split("/")[-2].split("_")[0] for path in changed}
    assert stages == {"stage4", "probabilities"}
    assert any(path.endswith("moving_mean") for path in changed)  # those that learn do follow their batches


def test_batch_norm_in_inference_throughout(small):
    changed = fitted(small, "stem", train_batch_norm=False)
    assert any("stem_conv" in path for path in changed)
    assert not any("norm" in path for path in changed)


class Block(keras.layers.Layer):
    """A convolution and its normalisation in one layer, as people write them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.convolution, self.norm = keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()

    def call(self, x, training=None):
        return self.norm(self.convolution(x), training=training)


def test_batch_norm_within_a_layer_stays_in_inference_too():
    layers = [keras.Input((16, 16, 3)), Block(name="block"), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([*layers, keras.layers.Dense(4, "softmax")])
    changed = fitted(model, "stage1", train_batch_norm=False)
    assert any("block/conv2d" in path for path in changed)
    assert not any("normalization" in path for path in changed)
    changed = fitted(model, "stage1")
    assert sum("normalization" in path for path in changed) == 4


def test_frozen_batch_norm_normalises_as_in_inference(small):
    x = np.random.default_rng(0).random((4, 16, 16, 3))
    transfer.freeze_until(small, "head")
    np.testing.assert_array_equal(small(x, training=True).numpy(), small(x, training=False).numpy())
    transfer.freeze_until(small, "stem")
    assert (small(x, training=True).numpy() != small(x, training=False).numpy()).any()


def test_compiled_before_freezing_errors(small, images):
    """What Keras compiled before would go on training the frozen layers."""
    small.compile("sgd", "sparse_categorical_crossentropy")
    transfer.freeze_until(small, "head")
    with pytest.raises(CallOrderError, match="compile"):
        training.fit(small, *images)
    with pytest.raises(ValueError, match="compile"):
        small.fit(*images, verbose=0)


def test_freezing_errors(small):
    with pytest.raises(InvalidValueError, match=r"stem, stage1, stage2, stage3, stage4, head, received 'stage5'"):
        transfer.freeze_until(small, "stage5")
    with pytest.raises(UnsupportedError, match="feature maps"):
        transfer.stages(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3), keras.layers.GlobalAveragePooling2D()]
    with pytest.raises(UnsupportedError, match=r"one whose images have no fixed size\. Build it with keras\.Input"):
        transfer.stages(keras.Sequential([*layers, keras.layers.Dense(2)]))
    with pytest.raises(UnsupportedError, match="one that is not built"):
        transfer.stages(keras.Sequential([keras.layers.Dense(2)]))
