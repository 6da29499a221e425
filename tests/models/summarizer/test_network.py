"""The network: its parts by name, its masks, its seeds, its file, and what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.errors import InvalidValueError
from toolkit.models import encoder_decoder


def test_parts_have_names_and_sizes():
    model = encoder_decoder(20, embedding_dim=5, units=8, attention="bahdanau", bidirectional=True, copied_words=3)
    shapes = {w.path.split("encoder_decoder/")[-1]: tuple(w.shape) for w in model.weights}
    names = {layer.name for layer in model.layers}
    assert {"source", "target", "embedding", "encoder", "decoder", "attention", "gate", "mixture"} <= names
    assert shapes["embedding/embeddings"] == (20, 5)
    assert shapes["attention_query/kernel"] == shapes["attention_key/kernel"] == (8, 8)
    assert shapes["attention/scale"] == (8,)
    assert shapes["attentional_state/kernel"] == (16, 8)
    assert shapes["probabilities/kernel"] == (8, 20)
    assert shapes["gate/kernel"] == (8 + 8 + 5, 1)
    assert model.output_shape == (None, None, 23)
    # D·V + two LSTMs of 4 and one of 8 units + two M×M + v + (2M·M + M) + (M·V + V) + gate
    lstms = 2 * 4 * 4 * (5 + 4 + 1) + 4 * 8 * (5 + 8 + 1)
    assert model.count_params() == 100 + lstms + 2 * 64 + 8 + (128 + 8) + (160 + 20) + 22


def test_probabilities_sum_to_one(make, batch, variant):
    p = make(variant)([*batch(variant)[:2]]).numpy()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-5)
    assert (p >= 0).all()


def test_padding_has_no_influence(make, batch, variant):
    """More of it changes nothing, and neither does what stands in the loss at its places."""
    model = make(variant)
    source, shifted, target = batch(variant)
    p = model([source, shifted])
    wider = model([np.pad(source, ((0, 0), (0, 3))), np.pad(shifted, ((0, 0), (0, 2)))])
    real = target > 0
    np.testing.assert_allclose(wider.numpy()[:, : target.shape[1]][real], p.numpy()[real], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(p._keras_mask, real)
    loss = keras.losses.SparseCategoricalCrossentropy()
    p_of_target = np.take_along_axis(p.numpy(), target[..., np.newaxis], axis=2)[..., 0]
    expected = -np.log(np.maximum(p_of_target[real], 1e-7)).mean()  # Keras's least probability
    assert float(loss(target, p)) == pytest.approx(expected, rel=1e-5)
    assert float(loss(np.where(real, target, 5), p)) == pytest.approx(expected, rel=1e-5)


def test_a_token_depends_on_those_before_it_and_on_the_source(make, batch, variant):
    """Nothing leaks from the target's future; the source, all of it, matters."""
    model = make(variant)
    source, shifted, _ = batch(variant)
    source, shifted = source[:1], np.maximum(shifted[:1], 1)
    p = model([source, shifted]).numpy()
    later, other = shifted.copy(), source.copy()
    later[:, 3], other[:, -1] = (shifted[:, 3] + 1) % 8 + 1, (source[:, -1] + 1) % 8 + 1
    changed = model([source, later]).numpy()
    np.testing.assert_allclose(changed[:, :3], p[:, :3], rtol=1e-6)
    assert (np.abs(changed[:, 3] - p[:, 3]) > 1e-6).any()
    assert (np.abs(model([other, shifted]).numpy() - p) > 1e-6).any()


def test_seed_fixes_the_weights(variant):
    models = [encoder_decoder(9, embedding_dim=3, units=4, seed=seed, **variant) for seed in (1, 1, 2)]
    first, again, other = (np.concatenate([w.ravel() for w in model.get_weights()]) for model in models)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_both_directions_begin_differently():
    encoder = encoder_decoder(9, embedding_dim=3, units=4, bidirectional=True, seed=1).get_layer("encoder")
    assert (encoder.forward_layer.get_weights()[0] != encoder.backward_layer.get_weights()[0]).any()


def test_file_of_keras_gives_the_same_model(make, batch, variant, tmp_path):
    model = make(variant, scheduled_sampling=True)
    model.save(tmp_path / "model.keras")
    x = [*batch(variant)[:2]]
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6)
    assert type(loaded) is type(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 0}, "positive integers"),
        ({"vocabulary_size": 2.5}, "positive integers"),
        ({"units": 5, "bidirectional": True}, "even number of units"),
        ({"attention": "dot"}, "'luong', 'bahdanau' or None"),
        ({"attention": None, "copied_words": 2}, "attention for copied_words"),
        ({"copied_words": -1}, "positive integers"),
        ({"dropout": 1.5}, r"a rate in \[0, 1\), received 1\.5"),
    ],
)
def test_encoder_decoder_errors(options, message):
    with pytest.raises(InvalidValueError, match=message):
        encoder_decoder(**{"vocabulary_size": 9, **options})
