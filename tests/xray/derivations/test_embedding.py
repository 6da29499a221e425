from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.xray.derivations import derive


def test_embedding_matches_hand_example(call_layer):
    # Rows 2, 0, 2 of E; the gradients of row 2 add up: 1 + 100. No gradient reaches the ids.
    layer = keras.layers.Embedding(3, 1, dtype="float64")
    dy = np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1)
    call = call_layer(layer, {"inputs": np.array([[2, 0, 2]])}, weights=[np.array([[5.0], [6.0], [7.0]])], dy=[dy])
    derivation = derive(call)
    assert derivation.outputs[0].ravel().tolist() == [7, 5, 7]
    assert derivation.gradients["embeddings"].ravel().tolist() == [10, 0, 101]
    assert derivation.dx == (None,)
    assert derivation.forward[0].equation == "y = E[x]"
    assert derivation.forward[0].spaces["x"] == r"\{0, \dots, V - 1\}^{N \times T}"


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_embedding_matches_keras(call_layer, check_derivation, rng, shape, dtype):
    layer = keras.layers.Embedding(7, 3, mask_zero=True, dtype="float64")
    derivation = check_derivation(call_layer(layer, {"inputs": rng.integers(0, 7, shape).astype(dtype)}))
    assert derivation.gradients["embeddings"].shape == (7, 3)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_masking_matches_keras(call_layer, check_derivation, rng, value):
    x = rng.standard_normal((3, 4, 2))
    x[1, 2:] = np.float32(value)
    derivation = check_derivation(call_layer(keras.layers.Masking(value, dtype="float64"), {"inputs": x}))
    assert derivation.values["m"][1, :, 0].tolist() == [True, True, False, False]
