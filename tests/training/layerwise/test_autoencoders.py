"""Stacked autoencoders: mirrored decoders, stages without labels, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.errors import InvalidValueError, UnsupportedError
from toolkit.training import layerwise
from toolkit.training.layerwise._autoencoders import Corruption
from toolkit.training.layerwise._chain import built
from toolkit.training.layerwise._mirror import mirrored

layers = keras.layers


def shape_of(chain, shape):
    for layer in built(chain, shape):
        shape = tuple(layer.compute_output_shape(shape))
    return shape


@pytest.mark.parametrize(
    ("block", "shape", "decoder"),
    [
        ([layers.Dense(3, "relu"), layers.Dropout(0.1)], (None, 7), ["Dense"]),
        ([layers.Flatten(), layers.Dense(3)], (None, 4, 5), ["Dense", "Reshape"]),
        (
            [layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D()],
            (None, 9, 9, 2),
            ["UpSampling2D", "ZeroPadding2D", "Conv2DTranspose"],
        ),
        ([layers.Conv2D(3, 3, strides=2, padding="same")], (None, 7, 8, 2), ["Conv2DTranspose", "Cropping2D"]),
        ([layers.Conv2D(3, 2, strides=3)], (None, 10, 10, 1), ["Conv2DTranspose", "ZeroPadding2D"]),
        ([layers.Conv2D(3, 3), layers.GlobalAveragePooling2D()], (None, 5, 5, 1), None),
        ([layers.Conv1D(3, 3), layers.AveragePooling1D(2)], (None, 9, 2), None),
        ([layers.Conv1D(3, 3), layers.GlobalMaxPooling1D()], (None, 9, 2), None),
        ([keras.Sequential([keras.Input((7,)), layers.Dense(5, "tanh"), layers.Dense(3)])], (None, 7), ["Dense"] * 2),
    ],
    ids=lambda value: "-".join(type(v).__name__ for v in value) if isinstance(value, list) else None,
)
def test_a_mirror_undoes_the_shape(block, shape, decoder):
    chain = mirrored(block, shape, "")
    assert shape_of(chain, shape_of(block, shape)) == shape
    if decoder:
        assert [type(layer).__name__ for layer in chain] == decoder
    learning = [layer for layer in chain if hasattr(layer, "activation")]
    assert learning[-1].activation is keras.activations.linear
    assert all(layer.activation is keras.activations.tanh for layer in learning[:-1])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(layers.Embedding(5, 2), (None, 4)), (layers.LSTM(2), (None, 4, 3)), (layers.Conv1D(2, 3), (None, None, 3))],
)
def test_what_has_no_mirror_errors(layer, shape):
    with pytest.raises(UnsupportedError, match=rf"expected blocks of Dense, .*{type(layer).__name__}.*decoders="):
        mirrored([layer], shape, "layerwise.stacked_autoencoders")


def test_stages(build, x, y):
    model, unlabelled = build(), np.concatenate([x, -x])
    before = model.get_weights()
    record = layerwise.stacked_autoencoders(
        model, x, y, unlabelled=unlabelled, epochs=2, validation_data=(x, y), batch_size=16, class_weight={0: 2.0}
    )
    assert [stage.name for stage in record] == [
        "autoencoder 1: hidden_1",
        "autoencoder 2: hidden_2",
        "autoencoder 3: hidden_3",
        "head",
        "fine-tuning",
    ]
    assert [stage.steps for stage in record] == [12, 12, 12, 3, 3], "96 samples without labels, 48 with"
    assert record[0].trainable_parameters == 6 * 5 + 5 + 5 * 6 + 6
    assert record[3].trainable_parameters == 5 * 3 + 3
    assert set(record[0].history.history) == {"loss", "val_loss"}
    assert all(not np.array_equal(a, b) for a, b in zip(before[::2], model.get_weights()[::2]))


def test_an_autoencoder_learns_to_reconstruct(build):
    """Data on a line in six dimensions: a block of five linear units has room for all of it."""
    line = np.random.default_rng(0).standard_normal((64, 1)) @ np.ones((1, 6))
    model = build(body=lambda: [layers.Dense(5, name="code")], optimizer=keras.optimizers.Adam(0.05))
    record = layerwise.stacked_autoencoders(model, line, np.zeros(64, int), epochs=40, fine_tune_epochs=0)
    losses = record[0].history.history["loss"]
    assert losses[-1] < 0.01 * losses[0]


def test_padded_tokens_are_not_reconstructed():
    """The mask that the embedding makes travels beside the stored outputs: it weighs them, and is not given back."""
    tokens = np.array([[1, 2, 3, 0, 0], [3, 1, 2, 2, 0]] * 4)
    body = [layers.Embedding(4, 2, mask_zero=True, name="embedding"), layers.Dense(2, name="dense")]
    model = keras.Sequential([keras.Input((5,)), *body, layers.GlobalAveragePooling1D(), layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    nothing = layers.Dense(2, kernel_initializer="zeros")
    decoders = {"embedding": [layers.GlobalAveragePooling1D(), layers.Dense(5)], "dense": [nothing]}
    options = {
        "blocks": ["embedding", "dense"],
        "decoders": decoders,
        "head_epochs": 0,
        "fine_tune_epochs": 0,
        "batch_size": 8,
    }
    options["validation_data"] = tokens[:2], np.zeros(2)
    record = layerwise.stacked_autoencoders(model, tokens, np.zeros(8, int), **options)
    outputs = model.layers[0](tokens).numpy()
    assert record[1].history.history["loss"] == pytest.approx([np.mean(outputs[tokens > 0] ** 2)], rel=1e-5)


def test_whole_numbers_can_be_corrupted(build):
    counts = np.random.default_rng(0).integers(0, 9, (16, 6))
    whole, floats = build(depth=1), build(depth=1)
    layerwise.stacked_autoencoders(whole, counts, counts[:, 0] % 3, corruption=0.3)
    layerwise.stacked_autoencoders(floats, counts.astype("float32"), counts[:, 0] % 3, corruption=0.3)
    np.testing.assert_array_equal(whole.get_weights()[0], floats.get_weights()[0])


def test_given_decoders_and_options_error(build, x, y):
    good = {"hidden_2": [layers.Dense(4, "relu"), layers.Dense(5)]}
    record = layerwise.stacked_autoencoders(build(), x, y, decoders=good)
    assert record[1].trainable_parameters == 5 * 5 + 5 + 5 * 4 + 4 + 4 * 5 + 5
    with pytest.raises(InvalidValueError, match=r"a decoder of 'hidden_1' with outputs of shape \(None, 6\)"):
        layerwise.stacked_autoencoders(build(), x, y, decoders={"hidden_1": [layers.Dense(7)]})
    with pytest.raises(InvalidValueError, match="decoders for blocks among hidden_1, hidden_2, hidden_3"):
        layerwise.stacked_autoencoders(build(), x, y, decoders={"head": [layers.Dense(5)]})
    with pytest.raises(InvalidValueError, match=r"corruption in \[0, 1\)"):
        layerwise.stacked_autoencoders(build(), x, y, corruption=1.0)


def test_corruption_sets_a_share_to_0_and_scales_nothing():
    layer = Corruption(0.25, seed=0)
    values = np.full((100, 100), 2.0, "float32")
    corrupted = layer(values, training=True).numpy()
    assert set(np.unique(corrupted)) == {0.0, 2.0}
    assert abs((corrupted == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(layer(values), values)
