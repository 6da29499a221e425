"""A small network of three blocks, and data that it can learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest

SAMPLES, FEATURES, CLASSES = 48, 6, 3
layers = keras.layers


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((SAMPLES, FEATURES)).astype("float32")


@pytest.fixture
def y(x) -> np.ndarray:
    return x[:, :CLASSES].argmax(axis=1)


@pytest.fixture
def build():
    """A compiled classifier; every one that it makes starts with the same weights."""

    def build(seed: int = 0, *, depth: int = 3, body=None, optimizer="adam", **options) -> keras.Sequential:
        keras.utils.set_random_seed(seed)
        hidden = body() if body else [layers.Dense(5, "relu", name=f"hidden_{k}") for k in range(1, depth + 1)]
        model = keras.Sequential([keras.Input((FEATURES,)), *hidden, layers.Dense(CLASSES, "softmax", name="head")])
        options = {"metrics": ["accuracy"], "run_eagerly": True} | options
        model.compile(optimizer, "sparse_categorical_crossentropy", **options)
        return model

    return build


@pytest.fixture
def noisy_body():
    """Blocks whose training differs from inference: normalisation and dropout."""

    def body() -> list[keras.Layer]:
        return [
            layer
            for k in range(1, 4)
            for layer in (
                layers.Dense(5, name=f"hidden_{k}"),
                layers.BatchNormalization(name=f"normalisation_{k}"),
                layers.ReLU(name=f"relu_{k}"),
                layers.Dropout(0.3, name=f"dropout_{k}"),
            )
        ]

    return body


@pytest.fixture
def assert_same_variables():
    """Weights, moving averages and the states of random numbers; to rounding if ``rtol`` is given."""

    def assert_same_variables(model, other, rtol: float = 0.0) -> None:
        pairs = list(zip(model.variables, other.variables, strict=True))
        assert pairs
        for variable, twin in pairs:
            np.testing.assert_allclose(variable.numpy(), twin.numpy(), rtol, rtol, err_msg=variable.path)

    return assert_same_variables
