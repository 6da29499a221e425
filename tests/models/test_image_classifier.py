from __future__ import annotations

import numpy as np
import pytest

from toolkit import models
from toolkit.errors import InvalidValueError, ShapeError


def test_shapes_and_parameters_match_hand_example():
    model = models.image_classifier()
    shapes = [layer.output.shape[1:] for layer in model.layers]
    assert shapes == [(26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (1600,), (10,)]
    assert model.count_params() == (9 * 1 * 32 + 32) + (9 * 32 * 64 + 64) + (1600 * 10 + 10)


def test_one_convolution_matches_hand_example():
    # A kernel that takes the difference of two neighbours finds the one edge of a 4 × 4 image.
    model = models.image_classifier((4, 4, 1), 2, filters=(1,), dtype="float64", seed=0)
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 1], kernel[1, 2] = -1, 1
    features, bias = np.array([[1.0, -1.0]]), np.array([0.5, 0.0])
    model.set_weights([kernel, np.zeros(1), features, bias])
    image = np.zeros((1, 4, 4, 1))
    image[0, :, 2:] = 1  # dark left, bright right: the difference is 1 at column 1, after pooling in the one cell
    z = features[0] + bias
    np.testing.assert_allclose(model(image).numpy(), [np.exp(z) / np.exp(z).sum()])


def test_image_classifier_learns():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = rng.random((200, 8, 8, 1)).astype("float32") * 0.3
    x[y == 1, 2:6, 3:5] += 0.7  # a vertical bar
    x[y == 0, 3:5, 2:6] += 0.7  # a horizontal one
    model = models.image_classifier((8, 8, 1), 2, filters=(4,), hidden=(8,), dropout=0.1, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    history = model.fit(x, y, epochs=15, verbose=0).history
    assert history["accuracy"][-1] > 0.9


def test_same_seed_same_weights():
    first, again, other = (models.image_classifier(hidden=(7,), seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


def test_image_classifier_errors():
    with pytest.raises(InvalidValueError, match=r"nothing is left after block 2.*larger images"):
        models.image_classifier((7, 7, 1))
    with pytest.raises(ShapeError, match=r"\(H, W, C\)"):
        models.image_classifier((28, 28))
    with pytest.raises(InvalidValueError, match="positive integers"):
        models.image_classifier((28, 28, 0))
