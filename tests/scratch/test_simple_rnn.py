from __future__ import annotations

import numpy as np

from toolkit import scratch


def test_simple_rnn_matches_hand_example():
    # One unit, linear: h_t = x_t·2 + h_{t−1}·3 + 1 from h_0 = 0, with x = (1, −1, 2):
    #   h_1 = 2 + 0 + 1 = 3, h_2 = −2 + 9 + 1 = 8, h_3 = 4 + 24 + 1 = 29
    layer = scratch.SimpleRNN(
        1, "linear", kernel_initializer=[[2.0]], recurrent_initializer=[[3.0]], bias_initializer=[1.0]
    )
    x = np.array([[[1.0], [-1.0], [2.0]]])
    np.testing.assert_array_equal(layer.forward(x), [[29]])
    # Backward from dy = 1: dz_3 = 1, dz_2 = 1·3 = 3, dz_1 = 3·3 = 9.
    #   dW = Σ x_t dz_t = 9 − 3 + 2 = 8; dU = Σ h_{t−1} dz_t = 0·9 + 3·3 + 8·1 = 17; db = 9 + 3 + 1 = 13; dx_t = 2 dz_t
    np.testing.assert_array_equal(layer.backward([[1.0]]), [[[18], [6], [2]]])
    np.testing.assert_array_equal(layer.grads["W"], [[8]])
    np.testing.assert_array_equal(layer.grads["U"], [[17]])
    np.testing.assert_array_equal(layer.grads["b"], [13])


def test_simple_rnn_truncated_matches_hand_example():
    # As above, but the gradient of the state stops between steps 2 and 3: dz_3 = 1, dz_2 = dz_1 = 0.
    layer = scratch.SimpleRNN(
        1, "linear", truncate=2, kernel_initializer=[[2.0]], recurrent_initializer=[[3.0]], bias_initializer=[1.0]
    )
    layer.forward(np.array([[[1.0], [-1.0], [2.0]]]))
    np.testing.assert_array_equal(layer.backward([[1.0]]), [[[0], [0], [2]]])
    np.testing.assert_array_equal(layer.grads["U"], [[8]])


def test_simple_rnn_masked_matches_hand_example():
    # Step 2 is padding: h_2 = h_1 = 3, h_3 = 4 + 9 + 1 = 14. The gradient goes round it: dz_3 = 1, dz_2 = 0, dz_1 = 3.
    layer = scratch.SimpleRNN(
        1,
        "linear",
        return_sequences=True,
        kernel_initializer=[[2.0]],
        recurrent_initializer=[[3.0]],
        bias_initializer=[1.0],
    )
    x, mask = np.array([[[1.0], [-1.0], [2.0]]]), np.array([[True, False, True]])
    np.testing.assert_array_equal(layer.forward(x, mask=mask), [[[3], [3], [14]]])
    np.testing.assert_array_equal(layer.backward([[[0.0], [0.0], [1.0]]]), [[[6], [0], [2]]])


def test_gradient_fades_with_a_small_recurrent_weight_and_explodes_with_a_large_one():
    x = np.zeros((1, 20, 1))
    for weight in (0.5, 2.0):
        layer = scratch.SimpleRNN(1, "linear", kernel_initializer=[[1.0]], recurrent_initializer=[[weight]])
        layer.forward(x)
        np.testing.assert_allclose(layer.backward([[1.0]])[0, :, 0], weight ** np.arange(19, -1, -1))
