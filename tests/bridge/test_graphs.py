"""Graphs cross the bridge: branches, shared layers, states, masks, models inside models, models from files."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import bridge, scratch
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError

L = keras.layers


def assert_same_outputs(model: keras.Model, network: scratch.Network, *x: np.ndarray) -> None:
    argument = list(x) if len(x) > 1 else x[0]
    expected, y = model(argument), network.forward(argument)
    for theirs, ours in zip(*(v if isinstance(v, list) else [v] for v in (expected, y)), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5, atol=1e-6)


def assert_same_mask(y, network: scratch.Network) -> None:
    keras_mask = getattr(y, "_keras_mask", None)
    assert (network.last_mask is None) == (keras_mask is None)
    if keras_mask is not None:
        np.testing.assert_array_equal(network.last_mask, keras_mask.numpy())


def test_branches_shared_layers_and_several_ends_match_keras(rng):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    shared = L.Dense(3, "relu", name="shared")
    h = L.Add(name="sum")([shared(a), L.Dense(3, name="other")(b)])
    model = keras.Model([a, b], [L.Dense(2, name="left")(h), L.Concatenate(name="right")([h, b])], name="branched")
    network = bridge.to_scratch(model)
    assert isinstance(network, scratch.Model)
    assert network.name == "branched"
    assert network.input_names == ["a", "b"]
    assert [layer.name for layer in network.layers] == [layer.name for layer in model.layers if layer.name not in "ab"]
    assert_same_outputs(model, network, *(rng.standard_normal((5, d)).astype("float32") for d in (4, 3)))
    back = bridge.to_keras(network)
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    assert [tensor.name for tensor in back.inputs] == ["a", "b"]


def test_a_layer_applied_to_its_own_output_matches_keras(rng):
    inputs = keras.Input((4,))
    layer = L.Dense(4, "tanh", name="again")
    model = keras.Model(inputs, layer(layer(inputs)))
    network = bridge.to_scratch(model)
    assert [layer.name for layer in network.layers] == ["again"]
    assert_same_outputs(model, network, rng.random((2, 4)).astype("float32"))


def test_a_chain_becomes_a_sequential_whatever_it_was():
    inputs = keras.Input((4,))
    functional = keras.Model(inputs, L.Dense(2)(L.Dense(3)(inputs)))
    nested = keras.Sequential([keras.Input((4,)), keras.Sequential([L.Dense(3), L.ReLU()]), functional.layers[-1]])
    for model in (functional, nested):
        assert isinstance(bridge.to_scratch(model), scratch.Sequential)
    inputs = keras.Input((4,))
    assert isinstance(bridge.to_scratch(keras.Model(inputs, L.Add()([inputs, inputs]), trainable=True)), scratch.Model)


def test_models_inside_models_are_taken_apart(rng):
    """A shared encoder (a functional model) used on two inputs, then a Sequential."""
    one = keras.Input((4,))
    encoder = keras.Model(one, L.Add()([L.Dense(4, name="inner")(one), one]), name="encoder")
    a, b = keras.Input((4,)), keras.Input((4,))
    head = keras.Sequential([L.Dense(3, "relu", name="first"), L.Dense(1, name="last")])
    model = keras.Model([a, b], head(L.Concatenate()([encoder(a), encoder(b)])))
    network = bridge.to_scratch(model)
    assert sorted(layer.name for layer in network.layers if layer.params) == ["first", "inner", "last"]
    assert_same_outputs(model, network, *(rng.standard_normal((5, 4)).astype("float32") for _ in range(2)))


def encoder(h, x):
    """Recurrence, attention, sums: three ways on which masks travel."""
    h = L.LSTM(4, return_sequences=True)(h)
    h = L.Add()([h, L.Attention()([h, h], use_causal_mask=True)])
    return L.Add()([h, L.MultiHeadAttention(2, 3)(query=h, key=h, value=x)])


def tagger(head=lambda h: L.Dense(3, "softmax")(L.LayerNormalization()(h))):
    words = keras.Input((None,), dtype="int32", name="words")
    x = L.Embedding(6, 4, mask_zero=True)(words)
    return keras.Model(words, head(encoder(x, x)))


WORDS = np.array([[1, 2, 3, 0, 0], [4, 5, 1, 2, 3], [5, 0, 0, 0, 0]])


@pytest.mark.parametrize(
    "head",
    [
        lambda h: L.Dense(3)(h),
        lambda h: L.Dense(3)(L.GlobalAveragePooling1D()(h)),
        lambda h: encoder(h, h),
        lambda h: L.MultiHeadAttention(1, 2)(h, h),
        lambda h: L.Concatenate()([h, h]),
        lambda h: L.GRU(3, return_sequences=True)(h),
        lambda h: L.BatchNormalization()(h),
    ],
    ids=["dense", "average", "encoder", "attention", "concatenate", "recurrent", "normalisation"],
)
def test_masks_match_keras_also_from_a_file(head, tmp_path):
    """MultiHeadAttention takes the masks off its inputs: behind the sum Keras finds some masks again, others not."""
    model = tagger(head)
    model.save(tmp_path / "tagger.keras")
    for each in (model, keras.models.load_model(tmp_path / "tagger.keras")):
        network = bridge.to_scratch(each)
        assert network.input_shape == (None,)
        assert_same_outputs(each, network, WORDS)
        assert_same_mask(each(WORDS), network)
        assert_same_outputs(bridge.to_keras(network), network, WORDS)


def test_cross_attention_that_finds_one_of_two_masks_matches_keras():
    source, target = keras.Input((5,), dtype="int32"), keras.Input((5,), dtype="int32")
    embedding = L.Embedding(6, 4, mask_zero=True)
    memory, h = embedding(source), embedding(target)
    h = L.Add()([h, L.MultiHeadAttention(2, 2)(h, h, use_causal_mask=True)])  # from here on h has no mask
    model = keras.Model([source, target], L.Dense(3)(L.MultiHeadAttention(2, 2)(h, memory)))
    network = bridge.to_scratch(model)
    assert [call.sees_mask for call in network.calls if call.layer.name.startswith("multi_head")][1] == [False, True]
    assert_same_outputs(model, network, WORDS, WORDS[::-1])
    assert_same_mask(model([WORDS, WORDS[::-1]]), network)
    assert_same_outputs(bridge.to_keras(network), network, WORDS, WORDS[::-1])


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")  # so Keras says of the inner model
@pytest.mark.parametrize(
    "block",
    [
        lambda x: L.MultiHeadAttention(1, 2)(x, x),
        lambda x: L.Attention()([x, x]),
        lambda x: L.LSTM(4, return_sequences=True)(x),
        lambda x: L.Add()([x, L.Dense(4)(x)]),
        lambda x: L.Add()([x, L.MultiHeadAttention(1, 2)(x, x)]),
    ],
    ids=["heads", "attention", "recurrent", "residual", "encoder"],
)
@pytest.mark.parametrize(
    "join",
    [
        lambda x, h: L.MultiHeadAttention(1, 2)(L.Add()([x, h]), x),
        lambda x, h: L.LSTM(3)(L.Add()([x, h])),
        lambda x, h: L.Attention()([h, x]),
        lambda x, h: L.Dense(3)(h),
    ],
    ids=["heads", "recurrent", "attention", "dense"],
)
def test_masks_in_a_model_inside_a_model_match_keras(block, join):
    """While the outer graph is drawn Keras loses sight of the inner model's masks; some it finds when it runs."""
    inside = keras.Input((5, 4))
    inner = keras.Model(inside, block(inside))
    words = keras.Input((5,), dtype="int32")
    x = L.Embedding(6, 4, mask_zero=True)(words)
    model = keras.Model(words, join(x, inner(x)))
    network = bridge.to_scratch(model)
    assert_same_outputs(model, network, WORDS)
    assert_same_mask(model(WORDS), network)


def test_masks_that_keras_would_lose_are_refused():
    words = scratch.Input((None,))
    h = scratch.Embedding(6, 4, mask_zero=True)(words)
    h = scratch.Add()([h, scratch.MultiHeadAttention(1, 2)([h, h])])
    average = scratch.Model(words, scratch.GlobalAveragePooling1D()(h))
    assert_same_outputs(bridge.to_keras(average), average, WORDS)  # here the mask is passed by hand
    with pytest.raises(
        UnsupportedError, match=r"Model 'tags': expected an output that keeps its mask.*takes the masks"
    ):
        bridge.to_keras(scratch.Model(words, scratch.Dense(2)(h), name="tags"))
    second = scratch.MultiHeadAttention(1, 2, name="second")([h, h])
    with pytest.raises(UnsupportedError, match="MultiHeadAttention 'second': expected masks that Keras finds too"):
        bridge.to_keras(scratch.Model(words, second))


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
@pytest.mark.parametrize("passes_mask", [True, False])
def test_initial_states_with_and_without_mask_match_keras(cell, passes_mask):
    """Keras gives a recurrent layer that is called with an initial state no mask, unless it is passed."""
    kind = getattr(L, cell)
    words, summary = keras.Input((4,), dtype="int32"), keras.Input((5,), dtype="int32")
    _, *states = kind(3, return_state=True)(L.Embedding(6, 2, mask_zero=True)(words))
    x = L.Embedding(6, 2, mask_zero=True)(summary)
    options = {"mask": x._keras_mask} if passes_mask else {}
    initial = states if len(states) > 1 else states[0]
    y = kind(3, return_sequences=True)(x, initial_state=initial, **options)
    model = keras.Model([words, summary], y)
    network = bridge.to_scratch(model)
    batch = np.array([[1, 2, 0, 0], [3, 4, 5, 1]]), np.array([[1, 2, 0, 3, 0], [0, 4, 5, 1, 0]])
    assert_same_outputs(model, network, *batch)
    assert_same_mask(model(list(batch)), network)
    assert_same_outputs(bridge.to_keras(network), network, *batch)


def test_inputs_of_embeddings_are_integers_in_keras():
    words, x = scratch.Input((3,)), scratch.Input((3, 2))
    model = bridge.to_keras(scratch.Model([words, x], scratch.Add()([scratch.Embedding(4, 2)(words), x])))
    assert [tensor.dtype for tensor in model.inputs] == ["int32", "float32"]
    chain = scratch.Sequential([scratch.Embedding(4, 2), scratch.Flatten()], input_shape=3)
    assert bridge.to_keras(chain).inputs[0].dtype == "int32"


# ---------------------------------------------------------------------- errors


def functional(shape, build):
    inputs = keras.Input(shape)
    return keras.Model(inputs, build(inputs))


def frozen():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2, name="frozen")])
    model.layers[0].trainable = False
    return model


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = L.Dense(2)

    def call(self, x):
        return self.dense(x)


def subclassed():
    model = Subclassed()
    model(np.ones((1, 3), "float32"))
    return model


def causal_and_not():
    layer = L.Attention(name="both_ways")
    return functional((3, 2), lambda x: L.Add()([layer([x, x]), layer([x, x], use_causal_mask=True)]))


def masked(x):
    return L.Masking()(x)


def joined_after_attention(x, attended):
    """A Concatenate of which one input has lost its mask, the other not."""
    return L.Concatenate()([L.Add()([x, attended]), L.LSTM(2, return_sequences=True)(masked(x))])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (frozen, "Dense 'frozen'.*trainable=False"),
        (subclassed, "a subclassed model"),
        (lambda: functional((3,), lambda x: L.Dense(2)(Subclassed()(x))), "'subclassed.*a subclassed model"),
        (lambda: "model.keras", "a Keras model.*str"),
        (lambda: functional((3,), lambda x: x + 1), "one of the layers Dense.*received Add"),
        (lambda: functional((3,), lambda x: L.Dropout(0.5)(x, training=True)), "a call without training"),
        (causal_and_not, "'both_ways': expected use_causal_mask in all its calls or in none"),
        (
            lambda: functional((3, 2), lambda x: L.Attention()([x, x], return_attention_scores=True)),
            "a call without return_attention_scores",
        ),
        (
            lambda: functional((3, 2), lambda x: L.LSTM(2)(x, mask=keras.ops.any(x > 0, axis=-1))),
            "LSTM '.*': expected a call without mask",
        ),
        (
            lambda: functional((3, 2), lambda x: L.MultiHeadAttention(1, 2)(x, x, key_mask=masked(x)._keras_mask)),
            "a call without key_mask",
        ),
        (lambda: functional((3, 3), lambda x: L.Softmax()(masked(x))), "inputs without a mask.*Activation"),
        (
            lambda: functional(
                (3, 2), lambda x: joined_after_attention(h := masked(x), L.MultiHeadAttention(1, 2)(h, h))
            ),
            "Concatenate '.*': expected inputs with their masks.*lost it to MultiHeadAttention",
        ),
        (lambda: functional((3,), lambda x: x), "one dtype for all layers, received no layers"),
    ],
)
def test_to_scratch_errors(make, message):
    with pytest.raises(UnsupportedError, match=message):
        bridge.to_scratch(make())


def test_names_that_clash_when_models_are_taken_apart():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="same")], name="inner")
    model = functional((4,), lambda x: L.Add()([L.Dense(4, name="same")(x), inner(x)]))
    with pytest.raises(InvalidValueError, match="every name once, received 'same' 2 times"):
        bridge.to_scratch(model)


def test_to_keras_takes_networks():
    with pytest.raises(UnsupportedError, match=r"a scratch\.Sequential or scratch\.Model, received Dense"):
        bridge.to_keras(scratch.Dense(2))


def test_unbuilt_errors():
    with pytest.raises(CallOrderError, match="input_shape"):
        bridge.to_keras(scratch.Sequential([scratch.Dense(2)]))
    with pytest.raises(CallOrderError, match=r"keras\.Input"):
        bridge.to_scratch(keras.Sequential([L.Dense(2)]))
