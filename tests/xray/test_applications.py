"""Models of keras.applications trace and verify; all of them with HYPOTHESIS_PROFILE=thorough."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import xray

SIZES = {
    "MobileNetV2": 32,
    "ResNet50V2": 32,
    "EfficientNetB0": 32,
    "ResNet50": 64,
    "VGG16": 32,
    "VGG19": 32,
    "MobileNet": 32,
    "MobileNetV3Small": 32,
    "DenseNet121": 32,
    "EfficientNetV2B0": 32,
    "NASNetMobile": 32,
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "ConvNeXtTiny": 32,
}
FEW = 3


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", SIZES)
def test_applications_verify(name, training, rng, thorough):
    if not thorough and (name not in list(SIZES)[:FEW] or (training and name != "MobileNetV2")):
        pytest.skip("with HYPOTHESIS_PROFILE=thorough")
    size = SIZES[name]
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    x = rng.standard_normal((4, size, size, 3)).astype("float32")
    t = xray.trace(model, x, np.arange(4), loss="sparse_categorical_crossentropy", training=training)
    verification = t.verify()
    print(f"{name}: {len(verification.rows)} tensors, worst {verification.worst}")
    assert verification.worst.error <= 1e-5
    keras.backend.clear_session()
