"""Small data, small models, and the plain ``model.fit`` that ``training.fit`` has to agree with."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from toolkit import training

SAMPLES, FEATURES, CLASSES = 50, 6, 3  # 50 = 3 batches of 16 and one of 2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.standard_normal((SAMPLES, FEATURES)).astype("float32")


@pytest.fixture
def y(x) -> np.ndarray:
    return x[:, :CLASSES].argmax(axis=1)


@pytest.fixture
def build() -> Callable[..., keras.Model]:
    """A compiled classifier; every one that it makes starts with the same weights."""

    def hidden() -> list[keras.layers.Layer]:
        return [keras.layers.Dense(8, "tanh", name="hidden")]

    def build(body=hidden, *, seed: int = 0, optimizer="adam", metrics=("accuracy",), **options):
        keras.utils.set_random_seed(seed)  # layers draw their own seeds as they are made
        layers = [keras.Input((FEATURES,)), *body(), keras.layers.Dense(CLASSES, "softmax", name="probabilities")]
        model = keras.Sequential(layers)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics), **options)
        return model

    return build


@pytest.fixture
def plain_fit() -> Callable:
    """``model.fit`` on the samples in the order in which ``training.fit`` takes them; returns its measures."""

    def rows(data, order):
        return keras.tree.map_structure(lambda array: array[order], data)

    def plain_fit(model, x, y, *, epochs, batch_size=16, seed=0, sample_weight=None, **options):
        measured: dict[str, list[float]] = {}
        samples = len(keras.tree.flatten(x)[0])
        for epoch in range(epochs):
            order = training.epoch_order(samples, epoch=epoch, seed=seed)
            weights = None if sample_weight is None else rows(sample_weight, order)
            history = model.fit(
                rows(x, order),
                rows(y, order),
                sample_weight=weights,
                batch_size=batch_size,
                shuffle=False,
                verbose=0,
                **options,
            )
            for name, values in history.history.items():
                measured.setdefault(name, []).extend(values)
        return measured

    return plain_fit


@pytest.fixture
def assert_same_weights() -> Callable:
    """Bit for bit: weights and the optimiser's state."""

    def assert_same_weights(model: keras.Model, other: keras.Model) -> None:
        pairs = list(zip(model.variables, other.variables, strict=True))
        pairs += zip(model.optimizer.variables, other.optimizer.variables, strict=True)
        assert pairs
        for variable, twin in pairs:
            np.testing.assert_array_equal(variable.numpy(), twin.numpy(), err_msg=variable.path)

    return assert_same_weights


@pytest.fixture
def interrupting() -> Callable[[int], keras.callbacks.Callback]:
    """A callback that presses Ctrl-C after so many steps."""

    class Interrupting(keras.callbacks.Callback):
        def __init__(self, steps: int) -> None:
            super().__init__()
            self.left = iter(range(steps - 1))

        def on_train_batch_end(self, batch, logs=None):
            if next(self.left, None) is None:
                raise KeyboardInterrupt

    return Interrupting
