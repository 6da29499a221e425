"""Keras twins in float64, and what it takes to compare with them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit import bridge, scratch


class KerasTwin:
    """The Keras model of a scratch network: outputs, loss and gradients in float64."""

    def __init__(self, network: scratch.Sequential, loss) -> None:
        self.model = bridge.to_keras(network)
        self.loss = loss

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.model(x).numpy()

    def loss_and_gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(tf.constant(x), training=False)) + sum(self.model.losses)
        return float(loss), [g.numpy() for g in tape.gradient(loss, self.model.trainable_variables)]


@pytest.fixture(scope="session")
def keras_twin():
    return KerasTwin


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)
