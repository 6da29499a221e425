"""The LSTM as one operation against Keras's loop over time: outputs, states and gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import training
from toolkit.training._recurrent import fused, fusible

N, T, D, M = 4, 5, 3, 2


def outputs_and_gradients(layer, x, mask, initial_state):
    """All outputs, and the gradients of their weighted sum with respect to weights, x and the initial state."""
    x, initial_state = tf.constant(x), [tf.constant(s) for s in initial_state]
    with tf.GradientTape() as tape:
        tape.watch([x, *initial_state])
        outputs = layer(x, mask=mask, initial_state=initial_state)
        flat = keras.tree.flatten(outputs)
        weights = np.random.default_rng(2)
        total = tf.add_n([tf.reduce_sum(y * weights.standard_normal(y.shape).astype("float32")) for y in flat])
    return flat, tape.gradient(total, [w.value for w in layer.trainable_weights] + [x, *initial_state])


def assert_fused_matches(layer, mask=None, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, T, D)).astype("float32")
    state = [rng.standard_normal((N, layer.units)).astype("float32") for _ in range(2)]
    layer.build((N, T, D))
    for weight in layer.weights:
        weight.assign(rng.standard_normal(weight.shape))
    assert fusible(layer)
    plain = outputs_and_gradients(layer, x, mask, state)
    with fused([layer]):
        ours = outputs_and_gradients(layer, x, mask, state)
    for values, twins in zip(ours, plain, strict=True):
        for value, twin in zip(values, twins, strict=True):
            np.testing.assert_allclose(value, twin, rtol=1e-4, atol=1e-5)
    assert "inner_loop" not in vars(layer)


masks = st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=N, max_size=N)


@settings(max_examples=15)
@given(
    mask=st.none() | masks,
    return_sequences=st.booleans(),
    go_backwards=st.booleans(),
    use_bias=st.booleans(),
    zero_output_for_mask=st.booleans(),
    seed=st.integers(0, 99),
)
def test_lstm_matches_keras(mask, return_sequences, go_backwards, use_bias, zero_output_for_mask, seed):
    options = {"return_sequences": return_sequences, "go_backwards": go_backwards, "use_bias": use_bias}
    options["zero_output_for_mask"] = zero_output_for_mask
    layer = keras.layers.LSTM(M, return_state=True, **options)
    assert_fused_matches(layer, None if mask is None else np.array(mask), seed=seed)


@pytest.mark.parametrize(
    "mask",
    [np.zeros((N, T), bool), np.tile([True, False, True, False, True], (N, 1)), np.tri(N, T, dtype=bool)],
    ids=["nothing counts", "gaps", "prefixes"],
)
def test_lstm_with_mask_matches_keras(mask):
    assert_fused_matches(keras.layers.LSTM(M, return_sequences=True, return_state=True), mask)


def test_dropout_of_the_inputs_matches_model_fit(rng, y, plain_fit):
    x = rng.standard_normal((50, T, D)).astype("float32")

    def model():
        keras.utils.set_random_seed(0)
        lstm = keras.layers.LSTM(6, dropout=0.4)
        model = keras.Sequential([keras.Input((T, D)), lstm, keras.layers.Dense(3, "softmax")])
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        return model

    ours, plain = model(), model()
    training.fit(ours, x, y, epochs=2, batch_size=16)
    plain_fit(plain, x, y, epochs=2)
    for w, twin in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(w, twin, atol=1e-5)


def test_bidirectional_lstm_matches_keras():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Bidirectional(keras.layers.LSTM(M, return_sequences=True))
    x = np.random.default_rng(0).standard_normal((N, T, D)).astype("float32")
    plain = layer(x)
    with fused([layer.forward_layer, layer.backward_layer]):
        np.testing.assert_allclose(layer(x), plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"recurrent_dropout": 0.1},
        {"unroll": True},
        {"dtype": "float64"},
    ],
    ids=str,
)
def test_what_the_operation_does_not_compute_is_left_to_keras(options):
    assert not fusible(keras.layers.LSTM(M, **options))
    assert not fusible(keras.layers.GRU(M))
