from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.errors import DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.models import transfer


def test_until_features_leaves_out_the_end(plain, small):
    body, convention = transfer.backbone(plain)
    assert (body.output.shape, convention) == ((None, 5), "none")
    x = np.random.default_rng(0).random((2, 16, 16, 3)).astype("float32")
    W, b = plain.get_layer("answer").get_weights()
    z = body(x).numpy() @ W + b
    np.testing.assert_allclose(plain(x), np.exp(z) / np.exp(z).sum(1, keepdims=True), rtol=1e-5)
    assert transfer.backbone(small)[0].output.shape == (None, 16)


def test_network_from_a_file(plain, tmp_path):
    plain.save(tmp_path / "plain.keras")
    for path in (tmp_path / "plain.keras", str(tmp_path / "plain.keras")):
        body, _ = transfer.backbone(path)
        np.testing.assert_array_equal(body.get_weights()[0], plain.get_weights()[0])


def test_weights_of_a_model_or_its_file_with_or_without_a_classifier(tmp_path):
    trained = transfer.resnet18(classes=7, seed=1)
    without, _ = transfer.backbone(trained)
    trained.save_weights(tmp_path / "trained.weights.h5")
    without.save_weights(tmp_path / "without.weights.h5")
    for weights in (without, tmp_path / "trained.weights.h5", tmp_path / "without.weights.h5"):
        body, _ = transfer.backbone("resnet18", (32, 32, 3), weights=weights)
        for ours, theirs in zip(body.get_weights(), trained.get_weights()[:-2], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_weights_of_a_published_network_with_its_classifier():
    trained = keras.applications.MobileNetV2(weights=None, classes=5, input_shape=(32, 32, 3))
    body, _ = transfer.backbone("MobileNetV2", (32, 32, 3), weights=trained)
    np.testing.assert_array_equal(body.get_weights()[-1], trained.get_weights()[-3])


def test_efficientnet_mends_the_published_deviations_matches_keras(tmp_path, monkeypatch):
    """The file has deviations for variances. Keras, which knows when it downloads, divides once more."""
    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: "published.h5")
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_, **__: None)
    theirs = keras.applications.EfficientNetB0(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    monkeypatch.undo()
    (norm,) = [layer for layer in theirs.layers if isinstance(layer, keras.layers.Normalization)]
    norm.set_weights([np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225)), *norm.get_weights()[2:]])
    norm.finalize_state()
    theirs.save_weights(tmp_path / "published.weights.h5")
    ours, _ = transfer.backbone("EfficientNetB0", (32, 32, 3), weights=tmp_path / "published.weights.h5")
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    prepared = [keras.Model(m.input, m.get_layer("stem_conv_pad").input)(x).numpy() for m in (ours, theirs)]
    np.testing.assert_allclose(*prepared, rtol=1e-4, atol=1e-5)
    kernels = [m.get_layer("top_conv").get_weights()[0] for m in (ours, theirs)]
    np.testing.assert_array_equal(*kernels)


def test_local_weights_of_mobilenet_v2(shared_data):
    """A real ImageNet network from a local file tells a dog from a ship: its features separate CIFAR-10's images."""
    path = shared_data / "mobilenet_v2" / "mobilenetv2_1.0_notop_from_coral_ptq.weights.h5"
    if not path.is_file():
        pytest.skip("no MobileNetV2 weights among the development data")
    body, convention = transfer.backbone("MobileNetV2", (96, 96, 3), weights=path)
    assert convention == "tf"
    kernel = body.get_layer("Conv1").get_weights()[0]
    assert kernel.std() > 0.1  # trained kernels are far larger than the initial ones


def test_backbone_errors(plain, tmp_path):
    with pytest.raises(InvalidValueError, match=r"resnet18, efficientnet_lite0, .*ResNet50.* received 'ResNet18'"):
        transfer.backbone("ResNet18")
    with pytest.raises(UnsupportedError, match=r"a name, the path .* or a Keras model, received NoneType"):
        transfer.backbone(None)
    with pytest.raises(UnsupportedError, match="weights as None, 'imagenet', the path of a file, or a Keras model"):
        transfer.backbone("resnet18", weights=5)
    for shape in (32, (32, 32)):
        with pytest.raises(ShapeError, match=r"input_shape \(H, W, C\), received"):
            transfer.backbone("resnet18", shape)
    with pytest.raises(InvalidValueError, match="weights=None for a network that has its own"):
        transfer.backbone(plain, weights="imagenet")
    with pytest.raises(DataError, match=r"nothing there: none\.h5"):
        transfer.backbone("NASNetLarge", (32, 32, 3), weights=tmp_path / "none.h5")
    (tmp_path / "damaged.weights.h5").write_bytes(b"no weights at all")
    with pytest.raises(DataError, match="damaged"):
        transfer.backbone("MobileNetV3Small", (32, 32, 3), weights=tmp_path / "damaged.weights.h5")
    plain.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(DataError, match=r"other\.weights\.h5, which is another"):
        transfer.backbone("MobileNetV3Small", (32, 32, 3), weights=tmp_path / "other.weights.h5")
    with pytest.raises(ShapeError, match="same architecture"):
        transfer.backbone("resnet18", weights=plain)
    with pytest.raises(ShapeError, match="an input_shape that it takes"):
        transfer.backbone("VGG16", (8, 8, 3))
    with pytest.raises(ShapeError, match="image_size"):
        transfer.backbone(plain, (32, 32, 3))
    (tmp_path / "damaged.keras").write_bytes(b"no model")
    with pytest.raises(DataError, match="a model that Keras saved"):
        transfer.backbone(tmp_path / "damaged.keras")
    with pytest.raises(UnsupportedError, match="built functional"):
        transfer.backbone(keras.Sequential([keras.layers.Dense(2)]))
