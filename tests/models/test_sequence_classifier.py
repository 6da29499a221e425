from __future__ import annotations

import numpy as np
import pytest

from toolkit import models
from toolkit.errors import InvalidValueError, ShapeError


def test_parameters_match_hand_example():
    # An LSTM from D to M has four gates with D·M + M·M + M parameters each.
    model = models.sequence_classifier()
    first, second = 4 * (28 * 64 + 64 * 64 + 64), 4 * (64 * 32 + 32 * 32 + 32)
    assert model.count_params() == first + second + 32 * 10 + 10
    assert [layer.name for layer in model.layers] == ["lstm_1", "lstm_2", "probabilities"]


def test_padding_is_skipped_only_with_mask_value():
    x = np.random.default_rng(0).standard_normal((3, 6, 2)).astype("float32")
    padded = np.pad(x, ((0, 0), (0, 4), (0, 0)))
    masked = models.sequence_classifier((None, 2), 3, units=(5, 4), mask_value=0.0, seed=1)
    np.testing.assert_allclose(masked(x).numpy(), masked(padded).numpy(), rtol=1e-5)
    plain = models.sequence_classifier((None, 2), 3, units=(5, 4), seed=1)
    np.testing.assert_array_equal(plain(x).numpy(), masked(x).numpy())
    assert np.abs(plain(x).numpy() - plain(padded).numpy()).max() > 1e-3


def test_it_learns_what_came_first():
    """The answer lies at the first step, so it has to be carried to the last one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 8, 1)).astype("float32")
    y = (x[:, 0, 0] > 0).astype(int)
    model = models.sequence_classifier((8, 1), 2, units=(8, 8), dropout=0.05, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.optimizer.learning_rate = 0.02
    assert model.fit(x, y, epochs=12, verbose=0).history["accuracy"][-1] > 0.9


def test_same_seed_same_weights():
    first, again, other = (models.sequence_classifier(seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


def test_sequence_classifier_errors():
    with pytest.raises(ShapeError, match=r"input_shape \(T, D\)"):
        models.sequence_classifier((28, 28, 1))
    with pytest.raises(ShapeError, match="at least one LSTM"):
        models.sequence_classifier(units=())
    with pytest.raises(InvalidValueError, match="positive integers"):
        models.sequence_classifier((None, 0))
