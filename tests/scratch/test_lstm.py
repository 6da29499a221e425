from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch


def test_lstm_matches_hand_example():
    # One unit, all activations linear, so that every gate is its z. W = (i 1, f 2, g 3, o 1), U = (0, 1, 0, 2), b = 0.
    #   t = 1, x = 1, h = c = 0: i = 1, f = 2, g = 3, o = 1; c = 2·0 + 1·3 = 3; h = 1·3 = 3
    #   t = 2, x = 2, h = c = 3: i = 2, f = 4 + 3 = 7, g = 6, o = 2 + 6 = 8; c = 7·3 + 2·6 = 33; h = 8·33 = 264
    layer = scratch.LSTM(
        1,
        "linear",
        "linear",
        return_state=True,
        use_bias=False,
        kernel_initializer=[[1.0, 2.0, 3.0, 1.0]],
        recurrent_initializer=[[0.0, 1.0, 0.0, 2.0]],
    )
    y, h, c = layer.forward(np.array([[[1.0], [2.0]]]))
    assert (y.item(), h.item(), c.item()) == (264, 264, 33)
    assert {name: values[0, 1, 0] for name, values in layer.gates.items()} == {
        "i": 2, "f": 7, "g": 6, "o": 8, "h": 264, "c": 33,
    }  # fmt: skip
    # Backward from dy = 1. t = 2: dz_o = c = 33, dc = o = 8, dz_g = 8·2 = 16, dz_f = 8·3 = 24, dz_i = 8·6 = 48;
    #   to t = 1 go dc = 8·f = 56 and dh = 48·0 + 24·1 + 16·0 + 33·2 = 90; dx_2 = 48·1 + 24·2 + 16·3 + 33·1 = 177
    # t = 1: dz_o = 90·3 = 270, dc = 56 + 90·1 = 146, dz_g = 146·1, dz_f = 146·0, dz_i = 146·3 = 438
    #   dx_1 = 438·1 + 0·2 + 146·3 + 270·1 = 1146; dW = 1·dz_1 + 2·dz_2; dU = 0·dz_1 + 3·dz_2
    np.testing.assert_array_equal(layer.backward([[[1.0]], None, None]), [[[1146], [177]]])
    np.testing.assert_array_equal(layer.grads["W"], [[438 + 96, 48, 146 + 32, 270 + 66]])
    np.testing.assert_array_equal(layer.grads["U"], [[144, 72, 48, 99]])


@pytest.mark.parametrize("unit_forget_bias", [True, False])
def test_unit_forget_bias_matches_keras(unit_forget_bias):
    import keras

    layer, twin = (
        scratch.LSTM(3, unit_forget_bias=unit_forget_bias),
        keras.layers.LSTM(3, unit_forget_bias=unit_forget_bias),
    )
    layer.build((4, 2))
    twin.build((None, 4, 2))
    np.testing.assert_array_equal(layer.params["b"], twin.get_weights()[2])


def test_a_given_bias_stays_as_it_is():
    layer = scratch.LSTM(1, bias_initializer=[1.0, 2.0, 3.0, 4.0])
    layer.build((4, 2))
    np.testing.assert_array_equal(layer.params["b"], [1, 2, 3, 4])


def test_an_open_cell_keeps_its_gradient():
    # Forget gate wide open, the others shut: c passes unchanged, and so does its gradient, however many steps.
    b = [-50.0, 50.0, 0.0, -50.0]
    layer = scratch.LSTM(1, return_state=True, recurrent_initializer=np.zeros((1, 4)), bias_initializer=b)
    _, _, c = layer.forward([np.ones((1, 200, 1)), np.zeros((1, 1)), np.full((1, 1), 0.7)])
    _, _, dc0 = layer.backward([None, None, np.ones((1, 1))])
    np.testing.assert_allclose([c.item(), dc0.item()], [0.7, 1.0], rtol=1e-6)


def test_stacked_lstms_train_as_in_keras():
    """Twenty Adam steps of LSTM → LSTM → Dense, from the same weights: the weights agree to 1e-6."""
    import keras

    rng = np.random.default_rng(2)
    net = scratch.Sequential(
        [
            scratch.LSTM(5, return_sequences=True, go_backwards=True),
            scratch.LSTM(4),
            scratch.Dense(3, "softmax"),
        ],
        input_shape=(6, 2),
        dtype="float64",
    )
    layers = keras.layers
    twin = keras.Sequential(
        [
            keras.Input((6, 2), dtype="float64"),
            layers.LSTM(5, return_sequences=True, go_backwards=True, dtype="float64"),
            layers.LSTM(4, dtype="float64"),
            layers.Dense(3, "softmax", dtype="float64"),
        ]
    )
    twin.set_weights(net.get_weights())
    net.compile(scratch.Adam(0.01), "sparse_categorical_crossentropy")
    twin.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(dtype="float64"))
    x, y = rng.standard_normal((20 * 8, 6, 2)), rng.integers(0, 3, 20 * 8)
    net.fit(x, y, batch_size=8, shuffle=False, verbose=False)
    twin.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for ours, theirs in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
