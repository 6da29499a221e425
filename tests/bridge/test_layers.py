"""Every layer crosses the bridge with all its options, both ways."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from toolkit import bridge, scratch
from toolkit.bridge._twins import TWINS
from toolkit.errors import UnsupportedError

IMAGE, SEQUENCE, VECTOR, WORDS = (6, 5, 2), (4, 3), (5,), (4,)
STATES = {"return_sequences": True, "return_state": True}

# A layer with as many options as possible off their defaults, and the shapes of its inputs.
LAYERS = [
    (scratch.Dense(3, "gelu", use_bias=False, kernel_regularizer=scratch.L2(0.1)), [VECTOR]),
    (scratch.Dense(3, "softmax"), [SEQUENCE]),
    (scratch.Dense(3, "tanh"), [IMAGE]),
    (scratch.Conv2D(4, (3, 2), 2, "same", activation="relu", kernel_regularizer=scratch.L2(0.2)), [IMAGE]),
    (scratch.Conv2D(4, 2, dilation_rate=(2, 1), use_bias=False), [IMAGE]),
    (scratch.MaxPooling2D((2, 3), 1, "same"), [IMAGE]),
    (scratch.AveragePooling2D(3, (2, 1), "same"), [IMAGE]),
    (scratch.GlobalAveragePooling1D(), [SEQUENCE]),
    (scratch.GlobalAveragePooling2D(), [IMAGE]),
    (scratch.Flatten(), [IMAGE]),
    (scratch.Embedding(7, 3, mask_zero=True), [WORDS]),
    (scratch.Masking(mask_value=1.0), [SEQUENCE]),
    (scratch.SimpleRNN(2, "relu", use_bias=False, go_backwards=True), [SEQUENCE]),
    (scratch.SimpleRNN(3, **STATES), [SEQUENCE, (3,)]),
    (scratch.LSTM(2, "sigmoid", "tanh", unit_forget_bias=False, zero_output_for_mask=True), [SEQUENCE]),
    (scratch.LSTM(3, **STATES), [SEQUENCE, (3,), (3,)]),
    (scratch.GRU(2, "relu", "linear", reset_after=False), [SEQUENCE]),
    (scratch.GRU(3, **STATES), [SEQUENCE, (3,)]),
    (scratch.Attention(use_scale=True, dropout=0.3, seed=4), [SEQUENCE, SEQUENCE]),
    (scratch.Attention(causal=True), [SEQUENCE, (4, 2), SEQUENCE]),
    (scratch.AdditiveAttention(causal=True), [SEQUENCE, (4, 2), SEQUENCE]),
    (scratch.AdditiveAttention(use_scale=False, dropout=0.3, seed=4), [SEQUENCE, SEQUENCE]),
    (scratch.MultiHeadAttention(2, 3, 4, dropout=0.2, use_bias=False, seed=1), [SEQUENCE, (6, 2)]),
    (scratch.MultiHeadAttention(1, 2, output_shape=5, causal=True), [SEQUENCE, (4, 2), (4, 5)]),
    (scratch.BatchNormalization(0.7, 0.1, scale=False), [IMAGE]),
    (scratch.BatchNormalization(center=False), [VECTOR]),
    (scratch.LayerNormalization(0.01, center=False), [SEQUENCE]),
    (scratch.LayerNormalization(scale=False), [VECTOR]),
    (scratch.Add(), [IMAGE, IMAGE, IMAGE]),
    (scratch.Concatenate(axis=1), [SEQUENCE, (2, 3)]),
    (scratch.Dropout(0.4, seed=3), [VECTOR]),
    *((activation(), [VECTOR]) for activation in scratch.ACTIVATIONS.values()),
]


def options_of(layer: scratch.Layer) -> dict[str, object]:
    """All that the constructor was told, as far as it can be compared: activations by class, penalties by strength."""
    names = {name for base in type(layer).__mro__[:-2] for name in inspect.signature(base.__init__).parameters}
    values = {name: getattr(layer, name) for name in names | {"units"} if hasattr(layer, name)}
    return {
        name: type(v) if isinstance(v, scratch.Layer) else v.l2 if isinstance(v, scratch.L2) else v
        for name, v in values.items()
        if not name.endswith("_initializer")
    }


@pytest.mark.parametrize(("layer", "shapes"), LAYERS, ids=lambda value: getattr(value, "name", ""))
def test_layer_crosses_both_ways(layer, shapes):
    rng = np.random.default_rng(0)
    inputs = [scratch.Input(shape) for shape in shapes]
    network = scratch.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]), dtype="float64")
    for w in network.weights.values():
        w += rng.random(w.shape)
    model = bridge.to_keras(network)
    back = bridge.to_scratch(model)
    is_words = isinstance(layer, scratch.Embedding)
    x = [rng.integers(0, 7, (3, *s)) if is_words else rng.standard_normal((3, *s)) for s in shapes]
    x = x if len(x) > 1 else x[0]
    y, keras_y, y_back = network.forward(x), model(x), back.forward(x)
    for ours, theirs, again in zip(*(v if isinstance(v, list) else [v] for v in (y, keras_y, y_back)), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(ours, again)
    (layer_back,) = back.layers
    assert type(layer_back) is type(layer)
    assert layer_back.name == model.layers[-1].name == layer.name
    assert options_of(layer_back) == options_of(layer)
    assert model.layers[-1].dtype == back.dtype == "float64"
    assert list(back.weights) == list(network.weights)


def test_every_twin_is_in_the_list_above():
    assert {twin.scratch for twin in TWINS} | set(scratch.ACTIVATIONS.values()) == {type(layer) for layer, _ in LAYERS}


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.keras.__name__)
def test_carried_options_are_options_of_keras(twin):
    """A misspelt row of the table would only be found by the model that needs it."""
    own = {name for base in twin.keras.__mro__ for name in inspect.signature(base.__init__).parameters}
    assert set(twin.options) <= own | {"zero_output_for_mask"}


class OwnLayer(scratch.ReLU):
    """A layer of the learner's own: a subclass is not the class it comes from."""


L = keras.layers


def of(*layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: of(L.UnitNormalization(name="u")), r"UnitNormalization 'u'.*layers Dense, Conv2D.*UnitNormalization"),
        (lambda: of(L.Dense(2, "elu", name="d")), r"Dense 'd'.*activation of linear.*elu"),
        (lambda: of(L.Activation("swish")), "silu"),
        (lambda: of(L.Dense(2, L.LeakyReLU())), "activation of linear.*LeakyReLU"),
        (lambda: of(L.Dense(2, kernel_regularizer="l1")), "kernel_regularizer L2 or None.*L1"),
        (lambda: of(L.Dense(2, bias_regularizer="l2")), "bias_regularizer=None, received bias_regularizer=L2"),
        (lambda: of(L.Dense(2, activity_regularizer="l2")), "activity_regularizer=None"),
        (lambda: of(L.Dense(2, kernel_constraint="max_norm")), "received kernel_constraint=MaxNorm"),
        (lambda: of(L.Dense(2, lora_rank=1)), "lora_rank=None, received lora_rank=1"),
        (lambda: of(L.ReLU(max_value=6)), "max_value=None, received max_value=6"),
        (lambda: of(L.ReLU(negative_slope=0.1)), "negative_slope=0.0, received"),
        (lambda: of(L.Softmax(axis=0)), "axis=-1, received axis=0"),
        (lambda: of(L.Dropout(0.5, noise_shape=(None, 1))), "noise_shape=None"),
        (lambda: of(L.Dense(2, dtype="mixed_float16")), "float32 or float64.*mixed_float16"),
        (lambda: of(L.Dense(2), L.Dense(2, dtype="float64")), "one dtype for all layers"),
        (lambda: of(L.Conv2D(2, 3, groups=2), shape=IMAGE), "groups=1, received groups=2"),
        (lambda: of(L.Conv2D(2, 3, data_format="channels_first"), shape=(2, 6, 5)), "received data_format='channels_f"),
        (lambda: of(L.GlobalAveragePooling1D(keepdims=True), shape=SEQUENCE), "keepdims=False"),
        (lambda: of(L.LSTM(2, dropout=0.1), shape=SEQUENCE), "dropout=0.0, received dropout=0.1"),
        (lambda: of(L.GRU(2, recurrent_dropout=0.1), shape=SEQUENCE), "recurrent_dropout=0.0"),
        (lambda: of(L.GRU(2, recurrent_regularizer="l2"), shape=SEQUENCE), "recurrent_regularizer=None"),
        (lambda: of(L.BatchNormalization(axis=1), shape=IMAGE), "axis=-1, received axis=1"),
        (lambda: of(L.BatchNormalization(renorm=True)), "renorm=False"),
        (lambda: of(L.LayerNormalization(axis=[1, 2]), shape=SEQUENCE), r"axis=-1, received axis=\[1, 2\]"),
        (lambda: of(L.Embedding(4, 2, embeddings_regularizer="l2")), "embeddings_regularizer=None"),
        (lambda: of(L.Bidirectional(L.LSTM(2)), shape=SEQUENCE), "received Bidirectional"),
    ],
)
def test_to_scratch_errors(model, message):
    with pytest.raises(UnsupportedError, match=message):
        bridge.to_scratch(model())


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (OwnLayer(), [VECTOR], "OwnLayer 'own_layer': expected one of Dense, Conv2D"),
        (scratch.Dense(2, OwnLayer()), [VECTOR], "Dense 'dense': expected one of .*received OwnLayer"),
        (scratch.LSTM(2, truncate=2), [SEQUENCE], "LSTM 'lstm': expected truncate=None, received truncate=2"),
        (scratch.Attention(scaled=True), [SEQUENCE, SEQUENCE], "scaled=False, received scaled=True"),
    ],
)
def test_to_keras_errors(layer, shapes, message):
    inputs = [scratch.Input(shape) for shape in shapes]
    with pytest.raises(UnsupportedError, match=message):
        bridge.to_keras(scratch.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0])))
