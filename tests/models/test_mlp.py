from __future__ import annotations

import numpy as np
import pytest

from toolkit import bridge, models
from toolkit.errors import InvalidValueError


def test_the_digits_classifier_matches_hand_example():
    model = models.mlp()
    assert model.count_params() == 784 * 128 + 128 + 128 * 10 + 10
    assert model.input_shape == (None, 784)
    assert model.output_shape == (None, 10)
    assert [layer.name for layer in model.layers] == ["hidden_1", "probabilities"]


def test_the_second_network_matches_hand_example():
    model = models.mlp(100, (64, 32), 10)
    assert model.count_params() == 100 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10


def test_mlp_matches_its_scratch_twin():
    model = models.mlp(6, (5, 4), 3, activation="tanh", dropout=0.2, l2=0.01, dtype="float64", seed=1)
    x = np.random.default_rng(0).standard_normal((4, 6))
    y = model(x).numpy()
    np.testing.assert_allclose(y, bridge.to_scratch(model).forward(x), rtol=1e-10)
    np.testing.assert_allclose(y.sum(axis=1), 1)


def test_mlp_learns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 4)).astype("float32")
    y = x[:, :3].argmax(axis=1)
    model = models.mlp(4, (16,), 3, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=20, verbose=0).history
    assert history["accuracy"][-1] > 0.8 > history["accuracy"][0]


def test_same_seed_same_weights():
    first, again, other = (models.mlp(6, (5,), 3, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("sizes", [(0, (5,), 3), (6, (5, -1), 3), (6, (5,), 2.5), (True, (5,), 3)])
def test_mlp_errors(sizes):
    with pytest.raises(InvalidValueError, match="positive integers"):
        models.mlp(*sizes)
