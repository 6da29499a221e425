from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models import transfer


def test_the_original_stays_as_it_was(plain, images):
    before = plain.get_weights()
    model = transfer.transfer_model(plain, 3, pixels="unit", trainable_from="stage1", seed=0)
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", run_eagerly=True)
    training.fit(model, *images, verbose=False)
    assert (model.get_layer("first").get_weights()[0] != before[0]).any()
    for w, b in zip(plain.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, b)


def test_same_features_and_a_new_head(plain, images):
    model = transfer.transfer_model(plain, 3, pixels="unit", seed=0)
    assert model.output_shape == (None, 3)
    body, _ = transfer.backbone(plain)
    expected = body(images[0].astype("float32") / 255)
    np.testing.assert_allclose(transfer.features(model, images[0]), expected, rtol=1e-5, atol=1e-6)
    assert [w.path for w in model.trainable_weights] == ["probabilities/kernel", "probabilities/bias"]


def test_network_with_branches_is_copied_whole(small):
    rng = np.random.default_rng(0)
    small.set_weights([np.abs(rng.standard_normal(w.shape)) * 0.3 for w in small.weights])
    model = transfer.transfer_model(small, 3, seed=0)
    x = rng.random((3, 16, 16, 3))
    body, _ = transfer.backbone(small)
    np.testing.assert_allclose(transfer.features(model, x, verbose=False), body(x).numpy(), rtol=1e-12)
    assert list(transfer.stages(model)) == list(transfer.stages(small))


def test_by_name_raw_pixels_go_in(images):
    model = transfer.transfer_model(
        "MobileNetV2", 3, input_shape=(64, 64, 3), image_size=(16, 16), trainable_from="stage5", dropout=0.1, seed=0
    )
    assert model.input_shape == (None, 16, 16, 3)
    names = [layer.name for layer in model.layers]
    assert names[:3] == ["image", "resizing", "preprocessing"]
    assert names[-3:] == ["features", "head_dropout", "probabilities"]
    prepared = keras.Model(model.input, model.get_layer("preprocessing").output)(images[0]).numpy()
    assert -1 <= prepared.min() < -0.9
    assert 0.9 < prepared.max() <= 1


def test_saved_and_loaded(plain, images, tmp_path):
    model = transfer.transfer_model(plain, 3, pixels="caffe", seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(images[0], verbose=0), model.predict(images[0], verbose=0))
    assert len(loaded.trainable_weights) == 2


def test_transferred_twice(plain, images):
    once = transfer.transfer_model(plain, 3, pixels="unit", dropout=0.1, seed=0)
    twice = transfer.transfer_model(once, 2, dropout=0.1, seed=0)
    np.testing.assert_array_equal(transfer.features(once, images[0]), transfer.features(twice, images[0]))


def test_transfer_model_errors(plain):
    with pytest.raises(InvalidValueError, match=r"dropout in \[0, 1\)"):
        transfer.transfer_model(plain, 3, dropout=1)
    with pytest.raises(InvalidValueError, match="stage1, stage2, stage3, head"):
        transfer.transfer_model(plain, 3, trainable_from="stage4")
    for pixels in ("imagenet", ["tf"]):
        with pytest.raises(InvalidValueError, match="conventions"):
            transfer.transfer_model(plain, 3, pixels=pixels)
    with pytest.raises(InvalidValueError, match=r"dropout in \[0, 1\), received None"):
        transfer.transfer_model(plain, 3, dropout=None)
    for image_size in (8, (8, 8, 3)):
        with pytest.raises(ShapeError, match=r"image_size \(H, W\), received"):
            transfer.transfer_model(plain, 3, image_size=image_size)
    with pytest.raises(InvalidValueError, match=r"positive integers, received 8\.0"):
        transfer.transfer_model(plain, 3, image_size=(8.0, 8))
    grey = transfer.resnet18((8, 8, 1), 2, width=2)
    with pytest.raises(ShapeError, match="three channels for 'caffe'"):
        transfer.transfer_model(grey, 3, pixels="caffe")


def test_xray_traces_and_verifies(plain, images):
    from toolkit import xray

    model = transfer.transfer_model(plain, 3, pixels="torch", trainable_from="stage3", seed=0)
    trace = xray.trace(model, images[0][:4].astype("float32"), images[1][:4], loss="sparse_categorical_crossentropy")
    report = trace.verify()
    assert not report.failed, report
