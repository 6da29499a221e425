from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from toolkit import bridge, scratch

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "gelu"]


@st.composite
def networks(draw) -> scratch.Sequential:
    layers: list[scratch.Layer] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["dense", "dense", "dropout", "activation"]))
        if kind == "dense":
            l2 = draw(st.sampled_from([None, scratch.L2(0.1)]))
            layers.append(
                scratch.Dense(
                    draw(st.integers(2, 6)),
                    draw(st.sampled_from(ACTIVATIONS)),
                    use_bias=draw(st.booleans()),
                    kernel_regularizer=l2,
                )
            )
        elif kind == "dropout":
            layers.append(scratch.Dropout(draw(st.sampled_from([0.0, 0.4])), seed=draw(st.sampled_from([None, 3]))))
        else:
            layers.append(draw(st.sampled_from([scratch.ReLU, scratch.Softmax, scratch.GELU]))())
    return scratch.Sequential(
        layers,
        input_shape=draw(st.integers(2, 5)),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        seed=draw(st.integers(0, 1000)),
    )


@given(networks())
def test_there_and_back_again_matches_keras(network):
    model = bridge.to_keras(network)
    back = bridge.to_scratch(model)
    x = np.random.default_rng(0).standard_normal((3, *network.input_shape)).astype(network.dtype)
    y = network.forward(x)
    tolerance = 1e-10 if network.dtype == "float64" else 1e-5
    np.testing.assert_allclose(model(x).numpy(), y, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(back.forward(x), y)
    assert back.dtype == network.dtype
    assert {layer.dtype for layer in model.layers} == {network.dtype.name}
    assert np.isclose(back.regularization(), network.regularization())
    assert [layer.name for layer in back.layers] == [layer.name for layer in network.layers]
    assert [layer.name for layer in model.layers] == [layer.name for layer in network.layers]
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in network.layers]
    rates = [layer.rate for layer in network.layers if isinstance(layer, scratch.Dropout)]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == rates


def test_functional_models_and_layer_spellings_match_keras():
    x = inputs = keras.Input((4,), dtype="float64")
    for layer in (
        keras.layers.Dense(5, dtype="float64"),
        keras.layers.ReLU(dtype="float64"),
        keras.layers.Dense(3, activation=keras.activations.tanh, dtype="float64"),
        keras.layers.Softmax(dtype="float64"),
    ):
        x = layer(x)
    model = keras.Model(inputs, x)
    batch = np.random.default_rng(0).standard_normal((6, 4))
    network = bridge.to_scratch(model)
    assert [type(layer) for layer in network.layers] == [scratch.Dense, scratch.ReLU, scratch.Dense, scratch.Softmax]
    np.testing.assert_allclose(network.forward(batch), model(batch).numpy(), rtol=1e-10)


def test_a_layer_used_in_two_models_matches_keras():
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(3, "relu")
    other = keras.Input((4,))
    keras.Model(other, shared(other))
    model = keras.Model(inputs, shared(inputs))
    batch = np.ones((2, 4), "float32")
    np.testing.assert_allclose(bridge.to_scratch(model).forward(batch), model(batch).numpy(), rtol=1e-6)


def test_weights_are_copies():
    network = scratch.Sequential([scratch.Dense(2)], input_shape=3)
    model = bridge.to_keras(network)
    back = bridge.to_scratch(model)
    network.layers[0].params["W"] += 1
    for weights in (model.get_weights()[0], back.params["dense/W"]):
        assert np.abs(weights - network.params["dense/W"]).min() > 0.5


def test_training_from_both_sides_matches_keras():
    """A model that has crossed the bridge trains alike: 20 Adam steps in float64."""
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="float64"),
            keras.layers.Dense(6, "gelu", kernel_regularizer="l2", dtype="float64"),
            keras.layers.Dense(3, "softmax", dtype="float64"),
        ]
    )
    network = bridge.to_scratch(model)
    network.compile(scratch.Adam(0.01), "sparse_categorical_crossentropy")
    optimizer = keras.optimizers.Adam(0.01)
    loss = keras.losses.SparseCategoricalCrossentropy(dtype="float64")
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.standard_normal((8, 5)), rng.integers(0, 3, 8)
        network.train_step(x, y)
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True)) + sum(model.losses)
        optimizer.apply_gradients(zip(tape.gradient(value, model.trainable_weights), model.trainable_weights))
    for w, expected in zip(network.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-8, atol=1e-10)
