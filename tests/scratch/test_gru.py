from __future__ import annotations

import numpy as np

from toolkit import scratch


def one_unit(**options):
    """All activations linear, W = (z 1, r 2, g 3), U = (1, 0, 2)."""
    return scratch.GRU(
        1, "linear", "linear", kernel_initializer=[[1.0, 2.0, 3.0]], recurrent_initializer=[[1.0, 0.0, 2.0]], **options
    )


def test_gru_matches_hand_example():
    # Biases b = (0, 0, 1) and b′ = (0, 1, 1); h_0 = 2, x = 1:
    #   z = 1 + 2 = 3; r = 2 + 0 + 1 = 3; s = 2·2 + 1 = 5; g = 3 + 1 + 3·5 = 19; h = 3·2 + (1 − 3)·19 = −32
    layer = one_unit(bias_initializer=[[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    x, h0 = np.array([[[1.0]]]), np.array([[2.0]])
    np.testing.assert_array_equal(layer.forward([x, h0]), [[-32]])
    assert {name: values.item() for name, values in layer.gates.items()} == {"z": 3, "r": 3, "g": 19, "h": -32}
    # Backward from dy = 1: dz_z = 2 − 19 = −17; dz_g = 1 − 3 = −2; dz_r = −2·5 = −10; dz′ = (−17, −10, −2·3)
    #   dx = −17·1 − 10·2 − 2·3 = −43; dh_0 = 1·3 + (−17·1 − 10·0 − 6·2) = −26
    dx, dh0 = layer.backward([[1.0]])
    np.testing.assert_array_equal(dx, [[[-43]]])
    np.testing.assert_array_equal(dh0, [[-26]])
    np.testing.assert_array_equal(layer.grads["W"], [[-17, -10, -2]])
    np.testing.assert_array_equal(layer.grads["U"], [[-34, -20, -12]])
    np.testing.assert_array_equal(layer.grads["b"], [[-17, -10, -2], [-17, -10, -6]])


def test_gru_with_reset_before_matches_hand_example():
    # b = (0, 0, 1); h_0 = 2, x = 1: z = 1 + 2 = 3; r = 2; g = 3 + 1 + (2·2)·2 = 12; h = 3·2 + (1 − 3)·12 = −18
    layer = one_unit(reset_after=False, bias_initializer=[0.0, 0.0, 1.0])
    x, h0 = np.array([[[1.0]]]), np.array([[2.0]])
    np.testing.assert_array_equal(layer.forward([x, h0]), [[-18]])
    # Backward from dy = 1: dz_z = 2 − 12 = −10; dz_g = −2; d(r ⊙ h) = −2·2 = −4; dz_r = −4·2 = −8
    #   dx = −10·1 − 8·2 − 2·3 = −32; dh_0 = 1·3 − 4·2 + (−10·1 − 8·0) = −15; dU_g = (r·h) dz_g = 4·(−2)
    dx, dh0 = layer.backward([[1.0]])
    np.testing.assert_array_equal(dx, [[[-32]]])
    np.testing.assert_array_equal(dh0, [[-15]])
    np.testing.assert_array_equal(layer.grads["U"], [[-20, -16, -8]])
    np.testing.assert_array_equal(layer.grads["b"], [-10, -8, -2])
