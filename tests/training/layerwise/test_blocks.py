"""How a Sequential model falls into blocks and a head."""

from __future__ import annotations

import keras
import pytest

from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError
from toolkit.training.layerwise._blocks import blocks_of

layers = keras.layers


def names(parts) -> list[list[str]]:
    return [[type(layer).__name__ for layer in block.layers] for block in (*parts.hidden, parts.head)]


def test_a_block_is_a_layer_with_weights_and_what_follows_it():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(2.0),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(2, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    parts = blocks_of(model, "")
    assert names(parts) == [
        ["Rescaling", "Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D"],
        ["Conv2D", "Flatten", "Dropout"],
        ["Dense", "Softmax"],
    ]
    assert [block.input_shape for block in parts.hidden] == [(None, 8, 8, 1), (None, 3, 3, 4)]
    assert [block.output_shape for block in parts.hidden] == [(None, 3, 3, 4), (None, 2)]
    assert parts.hidden[0].name == model.layers[1].name


def test_a_model_inside_counts_as_one_layer():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(3)])
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)])
    assert names(blocks_of(model, "")) == [["Sequential"], ["Dense"]]


@pytest.mark.parametrize("ends", [["hidden_2"], [1]])
def test_asked_ends(ends, build):
    parts = blocks_of(build(), "", ends)
    assert [[layer.name for layer in block.layers] for block in parts.hidden] == [["hidden_1", "hidden_2"]]
    assert [layer.name for layer in parts.head.layers] == ["hidden_3", "head"]


@pytest.mark.parametrize("ends", [["no such layer"], [7], ["head"], ["hidden_2", "hidden_1"], [True]], ids=str)
def test_wrong_ends_error(ends, build):
    with pytest.raises(InvalidValueError, match=r"expected blocks that end|expected the last layer of each block"):
        blocks_of(build(), "greedy", ends)


def test_other_models_error(build):
    inputs = keras.Input((2,))
    with pytest.raises(UnsupportedError, match=r"a keras.Sequential model, received Functional"):
        blocks_of(keras.Model(inputs, layers.Dense(1)(inputs)), "greedy")
    with pytest.raises(CallOrderError, match=r"not built. Begin it with keras.Input"):
        blocks_of(keras.Sequential([layers.Dense(2), layers.Dense(2)]), "greedy")
    with pytest.raises(InvalidValueError, match="at least two layers with weights: a block and the head, received a"):
        blocks_of(keras.Sequential([keras.Input((2,)), layers.Dense(2, name="a")]), "greedy")
