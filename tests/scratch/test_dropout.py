from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError


def test_dropout_matches_keras(rng):
    """With Keras's own mask, output and gradient are Keras's."""
    import keras
    import tensorflow as tf

    x, dy = 1 + rng.random((50, 20)), rng.standard_normal((50, 20))
    twin = keras.layers.Dropout(0.3, seed=1, dtype="float64")
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = twin(variable, training=True)
    expected_dx = tape.gradient(y, variable, dy).numpy()
    kept = y.numpy() != 0

    layer = scratch.Dropout(0.3)
    layer.build((20,), dtype="float64")
    layer._rng = _Replay(np.where(kept, 1.0, 0.0))
    np.testing.assert_allclose(layer.forward(x, training=True), y.numpy(), rtol=1e-10)
    np.testing.assert_allclose(layer.backward(dy), expected_dx, rtol=1e-8)


class _Replay:
    """Stands for the random generator and gives numbers known in advance."""

    def __init__(self, values):
        self.values = values

    def random(self, shape, dtype):
        assert self.values.shape == shape
        return self.values.astype(dtype)


def test_dropout_is_the_identity_outside_training(rng):
    layer, x = scratch.Dropout(0.5), rng.random((3, 4)).astype("float32")
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


def test_dropout_drops_the_stated_share_and_keeps_the_mean():
    layer = scratch.Dropout(0.25, seed=3)
    y = layer.forward(np.ones((400, 100)), training=True)
    # 40,000 draws: the share's standard deviation is 0.2 %.
    assert abs((y == 0).mean() - 0.25) < 0.01
    assert abs(y.mean() - 1) < 0.015
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3], rtol=1e-6)


def test_dropout_same_seed_same_mask():
    x = np.ones((5, 5))
    first, again = (scratch.Dropout(0.5, seed=7).forward(x, training=True) for _ in range(2))
    other = scratch.Dropout(0.5, seed=8).forward(x, training=True)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_two_dropouts_of_one_network_draw_different_masks():
    net = scratch.Sequential([scratch.Dropout(0.5), scratch.Dropout(0.5)], input_shape=(40,))
    net.forward(np.ones((10, 40)), training=True)
    assert (net.layers[0].mask != net.layers[1].mask).any()


def test_dropout_gradient(rng):
    scratch.gradient_check(scratch.Dropout(0.4, seed=2), rng.random((4, 6)), training=True)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_dropout_rate_errors(rate):
    with pytest.raises(InvalidValueError, match=r"\[0, 1\)"):
        scratch.Dropout(rate)


def test_dropout_errors():
    with pytest.raises(CallOrderError, match="forward before backward"):
        scratch.Dropout(0.5).backward(np.ones((2, 2)))
