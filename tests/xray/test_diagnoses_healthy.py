"""No diagnosis fires on ten models with nothing wrong, fresh, after a few steps, and when they have learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import data, xray


@dataclass(frozen=True)
class Healthy:
    """A compiled model and a batch for it."""

    model: keras.Model
    x: Any
    y: Any


def healthy(name: str, *, eager: bool = True) -> Healthy:
    """One of the ten, compiled, at initialisation."""
    # Eager steps: a few of them take less time than to build a graph.
    keras.utils.set_random_seed(3)
    model, x, y, loss = MODELS[name](np.random.default_rng(3))
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss, run_eagerly=eager, jit_compile=False)
    return Healthy(model, x, y)


_CLASSES = "sparse_categorical_crossentropy"


def _digits(n: int = 48) -> tuple[np.ndarray, np.ndarray]:
    d = data.load("digits")
    return d.x_train[:n], d.y_train[:n]


def _tokens(rng: np.random.Generator, n: int = 64, t: int = 12, rows: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Zipf's law, padded with 0; the class is whether word 2 is in the text."""
    shares = 1 / np.arange(1, rows)
    x = rng.choice(np.arange(1, rows), size=(n, t), p=shares / shares.sum())
    x[np.arange(t) >= rng.integers(t // 2, t + 1, size=(n, 1))] = 0
    return x, (x == 2).any(axis=1).astype("int64")


def _mlp(rng: np.random.Generator) -> tuple:
    x, y = _digits()
    stack = [layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(32, "relu"), layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((8, 8, 1)), *stack]), x, y, _CLASSES


def _cnn(rng: np.random.Generator) -> tuple:
    x, y = _digits()
    stack = [
        layers.Conv2D(8, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 2, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10),
    ]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.Sequential([keras.Input((8, 8, 1)), *stack]), x, y, loss


def _text(rng: np.random.Generator) -> tuple:
    x, y = _tokens(rng)
    stack = [
        layers.Embedding(100, 16, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        layers.Dense(16, "relu"),
        layers.Dense(1, "sigmoid"),
    ]
    return keras.Sequential([keras.Input((12,), dtype="int32"), *stack]), x, y, "binary_crossentropy"


def _lstm(rng: np.random.Generator) -> tuple:
    x, y = _tokens(rng)
    stack = [layers.Embedding(100, 16, mask_zero=True), layers.LSTM(16), layers.Dense(2, "softmax")]
    return keras.Sequential([keras.Input((12,), dtype="int32"), *stack]), x, y, _CLASSES


def _attention(rng: np.random.Generator) -> tuple:
    y = rng.integers(0, 3, 32)
    x = rng.normal(size=(32, 10, 6)) + y[:, None, None] * 0.5
    i = keras.Input((10, 6))
    h = layers.Dense(16)(i)
    h = layers.Attention(use_scale=True)([h, h])
    return keras.Model(i, layers.Dense(3, "softmax")(layers.GlobalAveragePooling1D()(h))), x, y, _CLASSES


def _residual(rng: np.random.Generator) -> tuple:
    x, y = _digits()
    i = keras.Input((8, 8, 1))
    h = layers.Conv2D(8, 3, padding="same", use_bias=False)(i)
    for _ in range(4):
        z = layers.Activation("relu")(layers.BatchNormalization()(h))
        h = layers.Add()([h, layers.Conv2D(8, 3, padding="same")(z)])
    h = layers.GlobalAveragePooling2D()(layers.Activation("relu")(layers.BatchNormalization()(h)))
    return keras.Model(i, layers.Dense(10, "softmax")(h)), x, y, _CLASSES


def _autoencoder(rng: np.random.Generator) -> tuple:
    x = _digits()[0].reshape(-1, 64)
    stack = [layers.Dense(24, "relu"), layers.Dense(8), layers.Dense(24, "relu"), layers.Dense(64, "sigmoid")]
    return keras.Sequential([keras.Input((64,)), *stack]), x, x, "binary_crossentropy"


def _regression(rng: np.random.Generator) -> tuple:
    x = rng.normal(size=(40, 5))
    y = x @ rng.normal(size=(5, 1)) + rng.normal(size=(40, 1)) * 0.1
    stack = [layers.Dense(24, "tanh"), layers.Dense(24, "tanh"), layers.Dense(1)]
    return keras.Sequential([keras.Input((5,)), *stack]), x, y, "mse"


def _two_inputs(rng: np.random.Generator) -> tuple:
    image, y = _digits()
    numbers = rng.normal(size=(48, 3)) + y[:, None] / 10
    i, j = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="numbers")
    h = layers.Dense(16, "relu")(layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(i)))
    h = layers.Concatenate()([h, layers.Dense(8, "sigmoid")(j)])
    return keras.Model([i, j], layers.Dense(10, "softmax")(h)), [image, numbers], y, _CLASSES


def _transformer(rng: np.random.Generator) -> tuple:
    x, y = _tokens(rng)
    i = keras.Input((12,), dtype="int32")
    positions = keras.ops.arange(12)
    h = layers.Embedding(100, 16, mask_zero=True)(i) + layers.Embedding(32, 16)(positions)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 8)(h, h))
    h = layers.LayerNormalization()(h + layers.Dense(16)(layers.Dense(32, "gelu")(h)))
    return keras.Model(i, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(h))), x, y, _CLASSES


MODELS: dict[str, Callable[[np.random.Generator], tuple]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "text": _text,
    "lstm": _lstm,
    "attention": _attention,
    "residual": _residual,
    "autoencoder": _autoencoder,
    "regression": _regression,
    "two inputs": _two_inputs,
    "transformer": _transformer,
}


@pytest.mark.parametrize("name", MODELS)
def test_healthy_model_has_no_diagnosis_fresh_and_after_steps(name):
    case = healthy(name)
    for training in (False, True):
        found = xray.trace(case.model, case.x, case.y, training=training).diagnose()
        assert not found, str(found)
    for _ in range(6):
        case.model.train_on_batch(case.x, case.y)
    found = xray.trace(case.model, case.x, case.y).diagnose()
    assert not found, str(found)
    assert not found.unjudged


@pytest.mark.parametrize("name", ["mlp", "lstm", "residual"])
def test_healthy_model_that_has_learnt_its_batch_has_no_diagnosis(name):
    case = healthy(name, eager=False)
    case.model.fit(case.x, case.y, epochs=100, batch_size=64, verbose=0)
    found = xray.trace(case.model, case.x, case.y, training=name == "residual").diagnose()
    assert not found, str(found)


def test_fresh_models_are_healthy_whatever_their_seed():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 20)), rng.integers(0, 5, 16)
    for seed in range(12):
        keras.utils.set_random_seed(seed)
        stack = [layers.Dense(16, "relu") for _ in range(4)]
        model = keras.Sequential([keras.Input((20,)), *stack, layers.Dense(5, "softmax")])
        found = xray.trace(model, x, y, loss=_CLASSES).diagnose()
        assert not found, str(found)


def test_diagnosing_leaves_the_model_as_it_was():
    case = healthy("residual")
    before = [np.array(w) for w in case.model.get_weights()]
    xray.trace(case.model, case.x, case.y, training=True).diagnose()
    assert all(np.array_equal(a, b) for a, b in zip(before, case.model.get_weights()))
