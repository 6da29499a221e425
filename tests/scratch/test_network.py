"""What Sequential and Model share: masks up to the loss, order of weights, moving averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import bridge, scratch
from toolkit.errors import InvalidValueError, ShapeError

# The tagger's last activation and loss, and how Keras calls the loss.
LOSSES = {
    "mean_squared_error": ("linear", "MeanSquaredError"),
    "binary_crossentropy": ("sigmoid", "BinaryCrossentropy"),
    "categorical_crossentropy": ("softmax", "CategoricalCrossentropy"),
    "sparse_categorical_crossentropy": ("softmax", "SparseCategoricalCrossentropy"),
}
WORDS = np.array([[1, 2, 3, 0], [4, 0, 0, 0], [5, 1, 1, 2], [0, 0, 0, 0]])


def tagger(activation: str = "softmax", dtype: str = "float64") -> scratch.Sequential:
    """One output for each word; padding has none."""
    layers = [scratch.Embedding(6, 4, mask_zero=True), scratch.Dense(5, "tanh"), scratch.Dense(3, activation)]
    return scratch.Sequential(layers, input_shape=(None,), dtype=dtype, seed=3)


def tags(loss: str, rng: np.random.Generator, shape: tuple[int, int] = WORDS.shape) -> np.ndarray:
    labels = rng.integers(0, 3, shape)
    return {
        "mean_squared_error": rng.standard_normal((*shape, 3)),
        "binary_crossentropy": rng.integers(0, 2, (*shape, 3)).astype(float),
        "categorical_crossentropy": np.eye(3)[labels],
        "sparse_categorical_crossentropy": labels,
    }[loss]


def test_masked_loss_matches_hand_example():
    # Two positions count, with errors 1 and 3: the loss is (1 + 9)/2 = 5; gradients are 2·error/2 = 1 and 3, else 0.
    network = scratch.Sequential([scratch.Masking(0.0), scratch.Linear()], input_shape=(3, 1), dtype="float64")
    network.compile("sgd", "mse")
    x = np.array([[[1.0], [3.0], [0.0]]])
    loss, _ = network.loss_and_gradients(x, np.array([[[0.0], [0.0], [77.0]]]))
    assert loss == 5
    network.forward(x)
    network.data_loss(np.zeros((1, 3, 1)))
    np.testing.assert_array_equal(network._losses[0].backward(), [[[1], [3], [0]]])


@pytest.mark.parametrize("loss", LOSSES)
@given(
    words=st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_masked_loss_and_gradients_match_keras(loss, words, seed, keras_twin):
    import keras
    import tensorflow as tf

    words, rng = np.array(words), np.random.default_rng(seed)
    activation, keras_loss = LOSSES[loss]
    network = tagger(activation)
    network.compile("sgd", loss)
    y = tags(loss, rng, words.shape)
    value, grads = network.loss_and_gradients(words, y)
    model, keras_loss = bridge.to_keras(network), getattr(keras.losses, keras_loss)(dtype="float64")
    with tf.GradientTape() as tape:
        expected_value = keras_loss(y, model(tf.constant(words)))
    expected = tape.gradient(expected_value, model.trainable_variables)
    np.testing.assert_allclose(value, float(expected_value), rtol=1e-10)
    for (key, g), keras_g in zip(grads.items(), expected, strict=True):
        keras_g = tf.convert_to_tensor(keras_g).numpy()
        np.testing.assert_allclose(g, keras_g, rtol=1e-8, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("loss", LOSSES)
def test_masked_network_gradient(loss, rng):
    network = tagger(LOSSES[loss][0])
    network.compile("sgd", loss)
    report = scratch.gradient_check(network, WORDS, tags(loss, rng))
    assert report.errors.keys() == {f"{layer}/d{p}" for layer, p in (key.split("/") for key in network.params)}


def test_targets_at_padding_may_be_anything(rng):
    network, y = tagger(), tags("sparse_categorical_crossentropy", rng)
    network.compile("sgd", "sparse_categorical_crossentropy")
    before = network.loss_and_gradients(WORDS, y)[0]
    assert network.loss_and_gradients(WORDS, np.where(WORDS == 0, -1, y))[0] == before
    with pytest.raises(InvalidValueError, match="-1 at index"):
        network.loss_and_gradients(np.ones_like(WORDS), np.where(WORDS == 0, -1, y))


def test_a_batch_of_nothing_but_padding_has_no_loss():
    network = tagger()
    network.compile("adam", "sparse_categorical_crossentropy")
    assert network.fit(np.zeros((4, 3), int), np.zeros((4, 3), int)).history == {"loss": [0.0], "accuracy": [0.0]}


def test_fit_with_masks_matches_keras_fit(rng):
    """Loss and accuracy of batches with different numbers of words, as ``fit`` of Keras reports them."""
    import keras

    network = tagger(dtype="float32")
    model = bridge.to_keras(network)
    network.compile("adam", "sparse_categorical_crossentropy")
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    words = np.where(np.arange(7) < rng.integers(1, 8, (40, 1)), rng.integers(1, 6, (40, 7)), 0)
    labels = words % 3
    options = {"epochs": 3, "batch_size": 8, "shuffle": False, "validation_split": 0.2}
    ours, theirs = network.fit(words, labels, **options), model.fit(words, labels, verbose=0, **options)
    assert ours.history.keys() == theirs.history.keys()
    for name, values in ours.history.items():
        np.testing.assert_allclose(values, theirs.history[name], rtol=1e-4, err_msg=name)
    expected = model.evaluate(words, labels, batch_size=16, verbose=0, return_dict=True)
    for name, value in network.evaluate(words, labels, batch_size=16).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, err_msg=name)


def test_masked_accuracy_matches_hand_example():
    # Of five words that count, those equal to 1 are right.
    network = scratch.Sequential(
        [scratch.Embedding(3, 2, mask_zero=True, embeddings_initializer=[[0, 0], [0, 1], [1, 0]]), scratch.Softmax()]
    )
    network.compile(loss="sparse_categorical_crossentropy")
    words = np.array([[1, 1, 2], [2, 1, 0]])
    assert network.evaluate(words, np.ones((2, 3), int))["accuracy"] == 3 / 5


def test_the_mask_has_to_fit_the_targets(rng):
    network = tagger()
    network.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ShapeError, match=r"for a mask of shape \(4, 4\), received y_true \(4, 3\)"):
        network.loss_and_gradients(WORDS, np.zeros((4, 3), int))


def test_moving_averages_are_weights_but_no_parameters(rng):
    network = scratch.Sequential([scratch.Dense(3), scratch.BatchNormalization(momentum=0.5), scratch.Dense(1)])
    network.build((2,))
    # 2·3 + 3, of γ, β, mean and variance 3 each, 3 + 1
    assert network.count_params() == 9 + 12 + 4 == 25
    assert network.summary().splitlines()[-1] == "25 parameters (19 trainable, 6 not), float32"
    assert list(network.weights)[2:6] == [
        f"batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    assert not [key for key in network.params if "moving" in key]
    model = bridge.to_keras(network)
    network.compile("sgd", "mse")
    network.train_step(rng.standard_normal((8, 2)), rng.standard_normal((8, 1)))
    assert not np.allclose(network.weights["batch_normalization/moving_mean"], 0)
    for w, expected in zip(network.get_weights(), model.get_weights(), strict=True):
        assert w.shape == expected.shape
    network.set_weights(model.get_weights())
    np.testing.assert_array_equal(network.weights["batch_normalization/moving_mean"], [0, 0, 0])


def test_gradient_check_leaves_moving_averages_alone(rng):
    network = scratch.Sequential([scratch.Dense(3), scratch.BatchNormalization(), scratch.Dense(1)], input_shape=2)
    network.compile("sgd", "mse")
    before = network.get_weights()
    x, y = rng.standard_normal((6, 2)), rng.standard_normal((6, 1))
    # A batch's mean takes the bias before it away again: its gradient is 0.
    scratch.gradient_check(network, x, y, training=True)
    scratch.gradient_check(network, x, y)
    assert all((a == b).all() for a, b in zip(network.get_weights(), before, strict=True))


def test_sequential_refuses_several_outputs():
    with pytest.raises(ShapeError, match=r"one output of LSTM 'lstm', received \(N, 3\), \(N, 3\), \(N, 3\). Model"):
        scratch.Sequential([scratch.LSTM(3, return_state=True), scratch.Dense(1)], input_shape=(4, 2))
