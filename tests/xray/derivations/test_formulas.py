"""The formulas as a page draws them; that they parse is held by ``check_derivation`` for every layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.xray.derivations import DERIVATIONS, derive
from toolkit.xray.derivations._names import axes_of, latex_of, space_of
from toolkit.xray.views._formula import marked_formula

x, ids = np.ones((2, 3, 4)), np.array([[1, 0, 2]])
EXAMPLES = [
    (keras.layers.Dense(2, "softmax"), {"inputs": x}),
    (keras.layers.Conv2D(2, 2, activation="gelu"), {"inputs": np.ones((1, 3, 3, 2))}),
    (keras.layers.DepthwiseConv2D(2, activation="relu"), {"inputs": np.ones((1, 3, 3, 2))}),
    (keras.layers.ZeroPadding2D(1), {"inputs": np.ones((1, 3, 3, 2))}),
    (keras.layers.MaxPooling2D(2), {"inputs": np.ones((1, 4, 4, 2))}),
    (keras.layers.AveragePooling2D(2), {"inputs": np.ones((1, 4, 4, 2))}),
    (keras.layers.Embedding(3, 2), {"inputs": ids}),
    (keras.layers.SimpleRNN(2), {"sequences": x}),
    (keras.layers.LSTM(2, return_sequences=True), {"sequences": x}),
    (keras.layers.GRU(2), {"sequences": x}),
    (keras.layers.GRU(2, reset_after=False), {"sequences": x}),
    (keras.layers.Attention(use_scale=True), {"inputs": [x, x], "use_causal_mask": True}),
    (keras.layers.MultiHeadAttention(2, 3), {"query": x, "value": x, "use_causal_mask": True}),
    (keras.layers.BatchNormalization(), {"inputs": x}),
    (keras.layers.LayerNormalization(), {"inputs": x}),
    (keras.layers.Average(), {"inputs": [x, x]}),
    (keras.layers.Concatenate(), {"inputs": [x, x]}),
    (keras.layers.ELU(), {"inputs": x}),
]


@pytest.mark.parametrize(("layer", "arguments"), EXAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_a_page_draws_every_formula_and_finds_its_tensors(call_layer, layer, arguments):
    derivation = derive(call_layer(layer, arguments, training=True))
    for step in (*derivation.forward, *derivation.backward):
        symbols = tuple(tensor.latex for tensor in step.tensors.values())
        drawn, found = marked_formula(step.equation, symbols)
        assert "<mtext>\\" not in drawn, step.equation
        if r"\dots" not in step.equation and r"\sum_{k=1}" not in step.equation:
            assert sorted(found) == list(range(len(symbols))), step.equation


def test_all_layers_of_scratch_have_a_derivation():
    from toolkit.bridge._twins import BY_KERAS

    assert set(BY_KERAS) <= set(DERIVATIONS)


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("z_i_3", "z_{i,3}"),
        ("h_3", "h_3"),
        ("x_12", "x_{12}"),
        ("gamma", r"\gamma"),
        ("x_hat", r"\hat x"),
        ("h_tilde_3", r"\tilde h_3"),
        ("b'", "b'"),
        ("b'_z", "b'_z"),
    ],
)
def test_names_in_formulas(name, latex):
    assert latex_of(name) == latex


def test_spaces_in_formulas():
    assert space_of(("N", "D")) == r"\mathbb{R}^{N \times D}"
    assert space_of(()) == r"\mathbb{R}"
    assert space_of(("N",), r"\{0, 1\}") == r"\{0, 1\}^{N}"
    assert [axes_of(n) for n in (1, 2, 3, 4, 5)] == [
        ("N",), ("N", "D"), ("N", "T", "D"), ("N", "H", "W", "D"), ("N", "D_{1}", "D_{2}", "D_{3}", "D"),
    ]  # fmt: skip
