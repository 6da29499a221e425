from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.models.summarizer import ScheduledSampling


@pytest.fixture
def model(make):
    model = make({"attention": "luong"}, scheduled_sampling=True)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model


def test_rate_zero_is_teacher_forcing(model, make, batch):
    source, shifted, target = batch({})
    np.testing.assert_array_equal(model.mixed(source, shifted), shifted)
    plain = make({"attention": "luong"})
    plain.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    for each in (model, plain):
        each.train_on_batch([source, shifted], target)
    for ours, theirs in zip(model.trainable_weights, plain.trainable_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_rate_one_keeps_only_start_and_padding(model, batch):
    source, shifted, _ = batch({})
    model.sampling_rate.assign(1.0)
    model.get_layer("probabilities").bias.assign(np.where(np.arange(9) == 7, 50.0, 0.0))
    mixed = np.asarray(model.mixed(source, shifted))
    expected = np.where(shifted > 0, 7, 0)
    expected[:, 0] = 2
    np.testing.assert_array_equal(mixed, expected)


def test_padding_is_never_drawn(model):
    """However probable it is: within a target it would hide a place from the decoder and from the loss."""
    source, shifted = np.full((50, 2), 4), np.full((50, 9), 5)
    model.sampling_rate.assign(1.0)
    model.get_layer("probabilities").bias.assign(np.where(np.arange(9) == 0, 50.0, 0.0))
    mixed = np.asarray(model.mixed(source, shifted))
    assert (mixed != 0).all()
    assert (mixed[:, 1:] != 5).any()


def test_share_of_replaced_tokens_is_the_rate(model, batch):
    """Of 8,000 tokens; three standard errors are 0.016."""
    source, shifted = np.full((1000, 2), 4), np.full((1000, 9), 5)
    model.sampling_rate.assign(0.3)
    model.get_layer("probabilities").bias.assign(np.where(np.arange(9) == 7, 50.0, 0.0))
    share = (np.asarray(model.mixed(source, shifted))[:, 1:] == 7).mean()
    assert abs(share - 0.3) < 0.016


def test_trains_with_fit(make, batch):
    model = make({"attention": "luong", "copied_words": 2}, scheduled_sampling=True)
    assert isinstance(model, ScheduledSampling)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", run_eagerly=True)
    model.sampling_rate.assign(0.5)
    source, shifted, target = batch({"copied_words": 2})
    history = training.fit(model, [source, shifted], target, epochs=4, verbose=False)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert float(model.sampling_rate.numpy()) == 0.5
