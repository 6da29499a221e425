"""What is seen of each layer call: inputs, masks, seeds, running averages, and the gradients of this call alone."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray


def calls(t: xray.Trace) -> dict[str, xray.LayerCall]:
    return {call.path: call for call in t.calls}


def test_chain_matches_hand_example():
    """x = 2, h = 3x = 6, y = relu(h) − 1 = 5, L = (y − 1)² = 16: dy = 8, dh = 8, dx = 24, dw = 16."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, name="w"), layers.ReLU(name="relu")])
    model.add(layers.Dense(1, name="b"))
    model.set_weights([np.array([[3.0]]), np.array([[1.0]]), np.array([-1.0])])
    t = xray.trace(model, [[2.0]], [[1.0]], loss="mse")
    assert t.loss == 16
    seen = calls(t)
    assert (seen["b"].dy[0], seen["relu"].dy[0], seen["w"].dy[0], seen["w"].dx[0]) == (8, 8, 8, 24)
    assert seen["w"].gradients["kernel"] == 16
    forward, loss, backward = ([s.layer for s in t.steps if s.phase == p] for p in ("forward", "loss", "backward"))
    assert forward == ["w", "relu", "b"] == backward[::-1]
    assert loss == ["mse", "mse"]
    first = t.steps[0]
    assert (first.kind, first.title, first.derived) == ("Dense", "output", True)
    assert {name: float(tensor.value[0, 0]) for name, tensor in first.tensors.items()} == {"x": 2, "W": 3, "z": 6}
    assert first.equation == "z = xW + b"
    assert first.tensors["W"].axes == ("D", "M")
    assert first.spaces["x"] == r"\mathbb{R}^{N \times D}"


def test_each_call_has_its_own_dx(rng):
    """One tensor in two places: the gradients of the two uses add up to that of the tensor."""
    x = keras.Input((3,))
    h = layers.Dense(4, name="h")(x)
    model = keras.Model(x, layers.Multiply(name="times")([h, layers.Dense(4, "tanh", name="gate")(h)]))
    seen = calls(xray.trace(model, rng.standard_normal((2, 3)), np.zeros((2, 4)), loss="mse"))
    np.testing.assert_allclose(seen["h"].dy[0], seen["times"].dx[0] + seen["gate"].dx[0], rtol=1e-6)
    assert seen["times"].inputs[0] is seen["h"].outputs[0]  # the numbers are shared, not copied


def test_masks_as_the_layer_got_them(rng):
    words = keras.Input((4,), dtype="int32")
    h = layers.Embedding(6, 3, mask_zero=True, name="words")(words)
    y = layers.MultiHeadAttention(1, 2, name="heads")(h, h, use_causal_mask=True)
    model = keras.Model(words, layers.LSTM(2, name="lstm")(y))
    x = np.array([[1, 2, 0, 0], [3, 4, 5, 1]])
    seen = calls(xray.trace(model, x))
    np.testing.assert_array_equal(seen["words"].output_masks[0], x != 0)
    np.testing.assert_array_equal(seen["heads"].masks["query_mask"], x != 0)
    assert seen["heads"].arguments["use_causal_mask"] is True
    assert "use_causal_mask" not in seen["heads"].masks
    assert seen["heads"].input_names == ("query", "value")
    np.testing.assert_array_equal(seen["lstm"].mask, x != 0)
    assert set(seen["heads"].weights) >= {"query/kernel", "attention_output/bias"}


def test_states_are_inputs_with_a_gradient(rng):
    x = keras.Input((3, 2))
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(x)
    model = keras.Model(x, layers.LSTM(4, name="decoder")(x, initial_state=[h, c]))
    decoder = calls(xray.trace(model, rng.standard_normal((2, 3, 2)), np.ones((2, 4)), loss="mse"))["decoder"]
    assert decoder.input_names == ("sequence", "initial_state", "initial_state") or decoder.input_names[1:] == (
        "initial_state",
        "initial_state",
    )
    assert [state.shape for state in decoder.arguments["initial_state"]] == [(2, 4), (2, 4)]
    assert all(dx is not None for dx in decoder.dx)


def test_running_averages_before_and_after(rng):
    norm = layers.BatchNormalization(momentum=0.5, name="norm")
    x = keras.Input((2,))
    model = keras.Model(x, norm(norm(x)))
    values = 3 + rng.standard_normal((8, 2))
    first, second = xray.trace(model, values, training=True).calls
    np.testing.assert_array_equal(first.weights["moving_mean"], [0, 0])
    np.testing.assert_allclose(first.updated["moving_mean"], values.mean(axis=0) / 2, rtol=1e-5)
    np.testing.assert_array_equal(second.weights["moving_mean"], first.updated["moving_mean"])
    assert first.non_trainable == {"moving_mean", "moving_variance"}
    assert (first.index, second.index, first.calls) == (0, 1, 2)
    assert not xray.trace(model, values).calls[0].updated


def test_seeds_redo_the_draw(rng):
    model = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5, seed=7, name="drop")])
    x = np.ones((2, 50), "float32")
    model(x, training=True)
    (call,) = xray.trace(model, x, training=True).calls
    assert call.seed.tolist() == [7, 1]
    np.testing.assert_array_equal(call.outputs[0], model(x, training=True).numpy())


def test_arrays_are_read_only(classifier, batch):
    t = xray.trace(classifier, *batch, loss="sparse_categorical_crossentropy", optimizer="adam")
    for step in t.steps:
        for tensor in step.tensors.values():
            if tensor.value.ndim and tensor.role in ("input", "output", "parameter", "upstream"):
                with pytest.raises(ValueError, match="read-only"):
                    tensor.value[...] = 0


def test_a_model_that_uses_no_layer_twice_is_a_chain(classifier, batch):
    network = xray.trace(classifier, batch[0]).network
    ids = ["input 1", "hidden#0", "norm#0", "drop#0", "out#0"]
    assert [node["id"] for node in network["nodes"]] == ids
    assert network["edges"] == list(itertools.pairwise(ids))
    assert network["nodes"][1] == {"id": "hidden#0", "name": "hidden", "kind": "Dense", "shape": "(6, 5)"}
    assert xray.node_id("hidden", 0) == "hidden#0"


def test_statistics():
    statistics = xray.Statistics.of(np.array([[3.0, 0.0], [-4.0, np.nan]]))
    assert (statistics.norm, statistics.min, statistics.max, statistics.not_finite) == (5, -4, 3, 1)
    assert statistics.zeros == pytest.approx(1 / 3)
    assert np.isnan(xray.Statistics.of(np.array([np.inf])).mean)
