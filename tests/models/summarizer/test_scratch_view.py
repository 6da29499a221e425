"""The encoder-decoder in NumPy: the same numbers forward, the same gradients backward."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import bridge, scratch

PLAIN = {name: {"attention": attention} for name, attention in (("none", None), ("luong", "luong"), ("b", "bahdanau"))}


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_outputs_and_gradients_match_keras(make, batch, options):
    """Every gradient within 1e-8 of its largest number, in float64; padding counts on neither side."""
    model = make(options, dtype="float64")
    source, shifted, target = batch(options)
    network = bridge.to_scratch(model)
    network.compile("sgd", "sparse_categorical_crossentropy")
    loss, gradients = network.loss_and_gradients([source, shifted], target)

    with tf.GradientTape() as tape:
        p = model([source, shifted], training=True)  # it carries the mask, which the loss finds
        keras_loss = keras.losses.SparseCategoricalCrossentropy(dtype="float64")(target, p)
    keras_gradients = tape.gradient(keras_loss, [w.value for w in model.trainable_weights])
    np.testing.assert_allclose(network.forward([source, shifted]), p, rtol=1e-10)
    assert loss == pytest.approx(float(keras_loss), rel=1e-10)
    assert len(gradients) == len(keras_gradients) == len(model.trainable_weights)
    for (name, ours), theirs in zip(gradients.items(), keras_gradients, strict=True):
        ours = ours.to_dense() if isinstance(ours, scratch.SparseGradient) else ours
        theirs = tf.convert_to_tensor(theirs).numpy()
        assert np.abs(ours - theirs).max() <= 1e-8 * np.abs(theirs).max(), name


@pytest.mark.parametrize("options", PLAIN.values(), ids=PLAIN)
def test_built_from_scratch_layers_it_crosses_to_keras(batch, options):
    """The same network drawn by hand, node by node."""
    source, target = scratch.Input((None,), name="source"), scratch.Input((None,), name="target")
    embedding = scratch.Embedding(9, 3, mask_zero=True)
    memory, h, c = scratch.LSTM(4, return_sequences=True, return_state=True)(embedding(source))
    s = scratch.LSTM(4, return_sequences=True)([embedding(target), h, c])
    if options["attention"] is not None:
        query = scratch.Dense(4, use_bias=False)(s)
        if options["attention"] == "luong":
            context = scratch.Attention()([query, memory])
        else:
            context = scratch.AdditiveAttention()([query, memory, scratch.Dense(4, use_bias=False)(memory)])
        s = scratch.Dense(4, "tanh")(scratch.Concatenate()([s, context]))
    network = scratch.Model([source, target], scratch.Dense(9, "softmax")(s), dtype="float64", seed=3)
    x = batch(options)[:2]
    twin = bridge.to_keras(network)
    np.testing.assert_allclose(twin([*x]), network.forward([*x]), rtol=1e-10)
