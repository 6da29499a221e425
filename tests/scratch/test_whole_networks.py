"""The networks of the course agree with their Keras twins: outputs, gradients, and every weight after 50 Adam steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from toolkit import bridge, scratch

CLASSES, STEPS, BATCH = 3, 50, 6


@dataclass
class Case:
    """A network and how a batch for it is drawn."""

    network: scratch.Network
    draw: Callable[[np.random.Generator], tuple]


def words(rng: np.random.Generator, longest: int = 7) -> np.ndarray:
    """Texts of one to ``longest`` words out of 9; 0 is padding."""
    lengths = rng.integers(1, longest + 1, (BATCH, 1))
    return np.where(np.arange(longest) < lengths, rng.integers(1, 10, (BATCH, longest)), 0)


def labels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, CLASSES, BATCH)


def softmax() -> scratch.Layer:
    return scratch.Dense(CLASSES, "softmax")


def cnn() -> Case:
    layers = [
        scratch.Conv2D(4, 3, activation="relu"),
        scratch.MaxPooling2D(),
        scratch.Conv2D(8, 3, activation="relu"),
        scratch.MaxPooling2D(),
        scratch.Flatten(),
        softmax(),
    ]
    network = scratch.Sequential(layers, input_shape=(12, 12, 1), dtype="float64")
    return Case(network, lambda rng: (rng.random((BATCH, 12, 12, 1)), labels(rng)))


def text() -> Case:
    layers = [
        scratch.Embedding(10, 4, mask_zero=True),
        scratch.GlobalAveragePooling1D(),
        scratch.Dense(16, "relu"),
        softmax(),
    ]
    network = scratch.Sequential(layers, input_shape=(None,), dtype="float64")
    return Case(network, lambda rng: (words(rng), labels(rng)))


def lstm() -> Case:
    layers = [scratch.LSTM(8, return_sequences=True), scratch.LSTM(4), softmax()]
    network = scratch.Sequential(layers, input_shape=(5, 3), dtype="float64")
    return Case(network, lambda rng: (rng.standard_normal((BATCH, 5, 3)), labels(rng)))


def gru() -> Case:
    """Both ways through padded texts, and both variants: the states of the two end in one vector."""
    x = scratch.Input((None,), name="tokens")
    h = scratch.Embedding(10, 4, mask_zero=True)(x)
    forwards = scratch.GRU(5)(scratch.GRU(4, return_sequences=True)(h))
    backwards = scratch.GRU(3, reset_after=False, go_backwards=True)(h)
    network = scratch.Model(x, softmax()(scratch.Concatenate()([forwards, backwards])), dtype="float64")
    return Case(network, lambda rng: (words(rng), labels(rng)))


def attention() -> Case:
    x = scratch.Input((None,), name="tokens")
    h = scratch.LSTM(4, return_sequences=True)(scratch.Embedding(10, 4, mask_zero=True)(x))
    h = scratch.GlobalAveragePooling1D()(scratch.Attention()([h, h]))
    return Case(scratch.Model(x, softmax()(h), dtype="float64"), lambda rng: (words(rng), labels(rng)))


def residual() -> Case:
    def convolution(h: scratch.Node) -> scratch.Node:
        return scratch.BatchNormalization()(scratch.Conv2D(3, 3, padding="same", use_bias=False)(h))

    x = scratch.Input((6, 6, 3))
    h = scratch.ReLU()(scratch.Add()([x, convolution(scratch.ReLU()(convolution(x)))]))
    network = scratch.Model(x, softmax()(scratch.GlobalAveragePooling2D()(h)), dtype="float64")
    return Case(network, lambda rng: (rng.standard_normal((BATCH, 6, 6, 3)), labels(rng)))


def transformer() -> Case:
    x = scratch.Input((None,), name="tokens")
    h = scratch.Embedding(10, 4, mask_zero=True)(x)
    h = scratch.LayerNormalization()(scratch.Add()([h, scratch.MultiHeadAttention(2, 2)([h, h])]))
    hidden = scratch.Dense(4)(scratch.Dense(8, "gelu")(h))
    h = scratch.GlobalAveragePooling1D()(scratch.LayerNormalization()(scratch.Add()([h, hidden])))
    return Case(scratch.Model(x, softmax()(h), dtype="float64"), lambda rng: (words(rng), labels(rng)))


def seq2seq() -> Case:
    """The decoder starts from the encoder's last states and says the next word; padding is no word to say."""
    source, target = scratch.Input((None,), name="source"), scratch.Input((None,), name="target")
    embedding = scratch.Embedding(10, 4, mask_zero=True, name="words")
    _, *states = scratch.LSTM(4, return_state=True, name="encoder")(embedding(source))
    y, _, _ = scratch.LSTM(4, return_sequences=True, return_state=True, name="decoder")([embedding(target), *states])
    network = scratch.Model([source, target], scratch.Dense(10, "softmax")(y), dtype="float64")
    return Case(network, lambda rng: ([words(rng), words(rng, 5)], rng.integers(0, 10, (BATCH, 5))))


@pytest.mark.parametrize("make", [cnn, text, lstm, gru, attention, residual, transformer, seq2seq])
def test_fifty_adam_steps_match_keras(make):
    import keras
    import tensorflow as tf

    case, rng = make(), np.random.default_rng(0)
    network, model = case.network, bridge.to_keras(case.network)
    network.compile(scratch.Adam(0.01), "sparse_categorical_crossentropy")
    optimizer = keras.optimizers.Adam(0.01)
    loss_of = keras.losses.SparseCategoricalCrossentropy(dtype="float64")

    @tf.function(reduce_retracing=True)
    def loss_and_gradients(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True)) + sum(model.losses)
        return loss, tape.gradient(loss, model.trainable_variables)

    x, _ = case.draw(rng)
    np.testing.assert_allclose(network.forward(x), model(x).numpy(), rtol=1e-10, atol=1e-12)
    for step in range(STEPS):
        x, y = case.draw(rng)
        expected_loss, expected = loss_and_gradients(x, tf.constant(y))
        loss, grads = network.loss_and_gradients(x, y)
        if step == 0:
            np.testing.assert_allclose(loss, float(expected_loss), rtol=1e-10)
            for (key, g), keras_g in zip(grads.items(), expected, strict=True):
                keras_g = tf.convert_to_tensor(keras_g).numpy()
                np.testing.assert_allclose(g, keras_g, rtol=1e-8, atol=1e-11, err_msg=key)
        network.optimizer.step(network.params, grads)
        optimizer.apply(expected, model.trainable_variables)
    for (key, w), keras_w in zip(network.weights.items(), model.get_weights(), strict=True):
        np.testing.assert_allclose(w, keras_w, rtol=1e-8, atol=1e-10, err_msg=key)


def test_builders_of_the_course_cross_the_bridge():
    """``toolkit.models`` and scratch mean the same four architectures."""
    from toolkit import models

    rng = np.random.default_rng(0)
    for model, x in (
        (models.image_classifier((12, 12, 1), 3, seed=0), rng.random((2, 12, 12, 1))),
        (models.text_classifier(10, 3, seed=0), words(rng)),
        (models.sequence_classifier((None, 3), 3, mask_value=0.0, seed=0), rng.random((2, 5, 3))),
        (models.attention_classifier(10, 3, units=8, heads=2, seed=0), words(rng)),
    ):
        x = x.astype("int32" if x.dtype.kind == "i" else "float32")
        network = bridge.to_scratch(model)
        np.testing.assert_allclose(network.forward(x), model(x).numpy(), rtol=1e-4, atol=1e-6)
