from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.derivations import derive, why_not

KINDS = ("SimpleRNN", "LSTM", "GRU")


def test_one_step_of_an_lstm_matches_hand_example(call_layer):
    # One unit, all activations linear, W = (i 1, f 2, g 3, o 1), U = (1, 0, 0, 2), no bias; x = 1, h = 2, c = 3:
    # i = 1 + 2 = 3, f = 2, g = 3, o = 1 + 4 = 5; c = 2·3 + 3·3 = 15; h = 5·15 = 75
    # dy = 1: do = 15, dc = 5; df = 5·3 = 15, dc_0 = 5·2 = 10, di = 5·3 = 15, dg = 5·3 = 15
    # dx = 15·1 + 15·2 + 15·3 + 15·1 = 105; dh_0 = 15·1 + 15·2 = 45; dW = (15, 15, 15, 15), dU = (30, 30, 30, 30)
    layer = keras.layers.LSTM(1, None, None, use_bias=False, dtype="float64")
    weights = [np.array([[1.0, 2.0, 3.0, 1.0]]), np.array([[1.0, 0.0, 0.0, 2.0]])]
    arguments = {"sequences": np.ones((1, 1, 1)), "initial_state": [np.full((1, 1), 2.0), np.full((1, 1), 3.0)]}
    derivation = derive(call_layer(layer, arguments, weights=weights, dy=[np.ones((1, 1))]))
    values = {name: array.item() for name, array in derivation.values.items() if array.size == 1}
    assert {name: values[name] for name in ("i_1", "f_1", "g_1", "o_1", "c_1", "h_1", "y")} == {
        "i_1": 3, "f_1": 2, "g_1": 3, "o_1": 5, "c_1": 15, "h_1": 75, "y": 75,
    }  # fmt: skip
    gradients = {name: array.item() for name, array in derivation.intermediate_gradients.items() if array.size == 1}
    expected = {"do_1": 15, "dc_1": 5, "df_1": 15, "dc_0": 10, "di_1": 15, "dg_1": 15, "dh_0": 45}
    assert {name: gradients[name] for name in expected} == expected
    assert [dx.item() for dx in derivation.dx] == [105, 45, 10]
    assert derivation.gradients["kernel"].tolist() == [[15, 15, 15, 15]]
    assert derivation.gradients["recurrent_kernel"].tolist() == [[30, 30, 30, 30]]


def test_each_gate_at_each_time_step_is_a_step(call_layer, rng):
    call = call_layer(keras.layers.LSTM(2), {"sequences": rng.standard_normal((2, 3, 4)).astype("float32")})
    derivation = derive(call)
    titles = [step.title for step in derivation.forward]
    for t in (1, 2, 3):
        for gate in ("input gate", "forget gate", "candidate", "output gate", "cell", "output"):
            assert titles.count(f"{gate}, t = {t}") == 1
    assert titles.index("cell, t = 1") < titles.index("input gate, t = 2")
    backward = [step.title for step in derivation.backward]
    assert backward.index("cell, t = 2") < backward.index("dc_1 adds up") < backward.index("cell, t = 1")
    (total,) = (step for step in derivation.backward if step.title == "dU_f adds up")
    assert total.equation == r"dU_f = dU_f^{(1)} + dU_f^{(2)} + dU_f^{(3)}"
    np.testing.assert_allclose(
        total.tensors["dU_f"].value, sum(total.tensors[f"dU_f^({k})"].value for k in (1, 2, 3)), rtol=1e-6
    )
    equations = {step.title: step.equation for step in derivation.forward}
    assert equations["cell, t = 2"] == r"c_2 = f_2 \odot c_1 + i_2 \odot g_2"
    assert equations["forget gate, t = 2: weighted sum"] == r"z_{f,2} = x_2\, W_f + h_1\, U_f + b_f"


@given(
    kind=st.sampled_from(KINDS),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    options=st.fixed_dictionaries(
        dict.fromkeys(
            ("return_sequences", "return_state", "go_backwards", "zero_output_for_mask", "use_bias", "unroll"),
            st.booleans(),
        )
    ),
    masked=st.booleans(),
    with_state=st.booleans(),
    reset_after=st.booleans(),
    seed=st.integers(0, 999),
)
def test_recurrent_layers_match_keras(
    call_layer, check_derivation, kind, sizes, options, masked, with_state, reset_after, seed
):
    (N, T, D, M), rng = sizes, np.random.default_rng(seed)
    more = {"reset_after": reset_after} if kind == "GRU" else {}
    layer = getattr(keras.layers, kind)(M, **options, **more, dtype="float64")
    arguments = {"sequences": rng.standard_normal((N, T, D))}
    if with_state:
        states = [rng.standard_normal((N, M)) for _ in range(2 if kind == "LSTM" else 1)]
        arguments["initial_state"] = states
    masks = {"mask": rng.random((N, T)) > 0.4} if masked else {}
    call = call_layer(layer, arguments, masks, seed=seed)
    if masked and options["unroll"] and options["go_backwards"] and options["zero_output_for_mask"]:
        assert "mixes up" in why_not(call)  # Keras zeroes the outputs by the mask in its forward order
    else:
        check_derivation(call)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_other_activations_match_keras(call_layer, check_derivation, rng, kind):
    layer = getattr(keras.layers, kind)(3, "relu", "hard_sigmoid", dtype="float64")
    check_derivation(call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))}))


@pytest.mark.parametrize("without_dy", [(0,), (1,), (0, 1), (1, 2)])
def test_only_some_outputs_have_gradients(call_layer, check_derivation, rng, without_dy):
    layer = keras.layers.LSTM(2, return_state=True, return_sequences=True, dtype="float64")
    check_derivation(call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))}, without_dy=without_dy))


def test_nothing_but_padding(call_layer, check_derivation, rng):
    layer = keras.layers.LSTM(2, return_sequences=True, dtype="float64")
    call = call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))}, {"mask": np.zeros((2, 3), bool)})
    derivation = check_derivation(call)
    assert not derivation.outputs[0].any()
    assert not derivation.gradients["kernel"].any()


def test_padding_keeps_the_states(call_layer, check_derivation, rng):
    mask = np.array([[True, True, False], [True, False, False]])
    layer = keras.layers.GRU(2, dtype="float64")
    derivation = check_derivation(call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))}, {"mask": mask}))
    titles = [step.title for step in derivation.forward]
    assert "padding keeps what was, t = 2" in titles
    assert not any("t = 3" in title for title in titles)  # nobody takes this step
    np.testing.assert_array_equal(derivation.outputs[0][1], derivation.values["h_1"][1])


def test_dropout_matters_in_training_alone(call_layer, check_derivation, rng):
    layer = keras.layers.LSTM(2, dropout=0.5, recurrent_dropout=0.5, dtype="float64")
    call = call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))})
    check_derivation(call)
    trained = call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2))}, training=True)
    assert derive(trained) is None
    assert why_not(trained) == "dropout inside a recurrent layer"


def test_stateful_layers_are_refused(call_layer, rng):
    layer = keras.layers.SimpleRNN(2, stateful=True)
    call = call_layer(layer, {"sequences": rng.standard_normal((2, 3, 2)).astype("float32")}, without_dy=(0,))
    assert "stateful" in why_not(call)


def test_a_long_sequence_is_one_flat_list(call_layer, rng):
    call = call_layer(keras.layers.SimpleRNN(2), {"sequences": rng.standard_normal((1, 300, 1)).astype("float32")})
    derivation = derive(call)
    np.testing.assert_allclose(derivation.outputs[0], call.outputs[0], rtol=1e-5)
    assert r"\dots" in derivation.forward[0].equation
    (total,) = (step for step in derivation.backward if step.title == "dW adds up")
    assert total.equation == r"dW = \sum_{k=1}^{300} dW^{(k)}"
