from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError
from toolkit.models import transfer


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.random((6, 16, 16, 3), dtype="float32"), np.arange(6) % 4  # training casts wider ones to this


def one_step(model, batch, optimizer):
    """What one step of ``training.fit`` added to each weight, and the gradient before it."""
    x, y = batch
    before = [w.numpy() for w in model.trainable_weights]
    loss_function = keras.losses.SparseCategoricalCrossentropy(dtype="float64")
    with tf.GradientTape() as tape:
        loss = loss_function(y, model(x, training=True))
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    model.compile(optimizer, loss_function, run_eagerly=True)
    training.fit(model, x, y, batch_size=len(y), verbose=False)
    moved = [w.numpy() - b for w, b in zip(model.trainable_weights, before, strict=True)]
    return moved, [g.numpy() for g in gradients]


def stage_of(model):
    return {w.path: name for name, layers in transfer.stages(model).items() for layer in layers for w in layer.weights}


def test_every_stage_moves_by_its_rate_under_sgd(small, batch):
    """Δw = −η · decay^(−stages to the head) · gradient."""
    moved, gradients = one_step(small, batch, transfer.stage_rates(keras.optimizers.SGD(0.1), small, decay=2.6))
    stages, of = list(transfer.stages(small)), stage_of(small)
    for weight, step, gradient in zip(small.trainable_weights, moved, gradients, strict=True):
        rate = 0.1 * 2.6 ** -(5 - stages.index(of[weight.path]))
        np.testing.assert_allclose(step, -rate * gradient, rtol=1e-6, atol=1e-15, err_msg=weight.path)


def test_rates_hold_under_adam(small, batch):
    """Adam's first step has the size of the rate, however small the gradient: scaled gradients would not show."""
    factors = {"stem": 0.0, "stage1": 0.01, "head": 0.5}
    moved, gradients = one_step(small, batch, transfer.stage_rates(keras.optimizers.Adam(1e-3), small, factors))
    of = stage_of(small)
    for weight, step, gradient in zip(small.trainable_weights, moved, gradients, strict=True):
        rate = 1e-3 * factors.get(of[weight.path], 1.0)
        epsilon = 1e-7 / np.sqrt(1 - 0.999)  # as Keras counts it: before the correction of the second moment
        expected = -rate * gradient / (np.abs(gradient) + epsilon)
        np.testing.assert_allclose(step, expected, rtol=1e-4, atol=1e-10, err_msg=weight.path)


def test_compiled_training_matches_eager(plain, images):
    weights = plain.get_weights()
    results = []
    for eager in (True, False):
        plain.set_weights(weights)
        optimizer = transfer.stage_rates("adam", plain, {"stage1": 0.1, "stage2": 0.0})
        plain.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=eager)
        keras.utils.set_random_seed(1)
        plain.get_layer("dropped").rate = 0
        training.fit(plain, images[0] / 255, images[1], epochs=2, batch_size=5, verbose=False)
        results.append(plain.get_weights())
    for eager, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(eager, compiled, atol=1e-6)
    assert (results[0][2] == weights[2]).all()  # stage2 has the factor 0


def test_saved_and_loaded_with_the_model(plain, images, tmp_path):
    x, y = images[0] / 255, images[1]
    plain.get_layer("dropped").rate = 0
    plain.compile(transfer.stage_rates("adam", plain), "sparse_categorical_crossentropy", run_eagerly=True)
    training.fit(plain, x, y, batch_size=16, verbose=False)
    plain.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.factors == plain.optimizer.factors
    assert int(loaded.optimizer.iterations) == 1
    for model in (plain, loaded):
        model.run_eagerly = True
        training.fit(model, x, y, batch_size=16, verbose=False)
    for w, again in zip(plain.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(w, again, rtol=1e-6, atol=1e-7)


def test_learning_rate_is_the_inner_one(plain):
    optimizer = transfer.stage_rates(keras.optimizers.Adam(0.01), plain)
    optimizer.learning_rate = 0.02
    assert float(optimizer.learning_rate) == pytest.approx(0.02)


def test_the_given_optimiser_stays_as_it_was(small, batch):
    given = keras.optimizers.SGD(0.1)
    transfer.stage_rates(given, small, {"head": 0.5})
    twice = transfer.stage_rates(given, small, {"head": 0.5})
    moved, gradients = one_step(small, batch, twice)
    np.testing.assert_allclose(moved[-1], -0.05 * gradients[-1], rtol=1e-6)


def test_stage_rates_errors(plain):
    with pytest.raises(InvalidValueError, match="decay as a number from 1"):
        transfer.stage_rates("sgd", plain, decay=0.5)
    with pytest.raises(InvalidValueError, match="'stage9'"):
        transfer.stage_rates("sgd", plain, {"stage9": 1.0})
    with pytest.raises(InvalidValueError, match="a factor from 0 for 'head'"):
        transfer.stage_rates("sgd", plain, {"head": -1.0})
    with pytest.raises(InvalidValueError, match="decay as a number from 1, received None"):
        transfer.stage_rates("sgd", plain, decay=None)
    with pytest.raises(InvalidValueError, match=r"factors by stage, such as .*, received \[0\.1\]"):
        transfer.stage_rates("sgd", plain, [0.1])
    with pytest.raises(InvalidValueError, match="a factor from 0 for 'head', received 'x'"):
        transfer.stage_rates("sgd", plain, {"head": "x"})
    for optimizer in ("fast", None):
        with pytest.raises(InvalidValueError, match="a Keras optimiser or the name of one"):
            transfer.stage_rates(optimizer, plain)
    frozen_later = transfer.stage_rates("sgd", plain)
    transfer.freeze_until(plain, "stage2")
    with pytest.raises(CallOrderError, match="First freeze_until"):
        frozen_later.build(plain.trainable_variables)
    for around in (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), transfer.stage_rates("sgd", plain)):
        with pytest.raises(UnsupportedError, match=r"makes its updates itself, received .* Give its inner_optimizer"):
            transfer.stage_rates(around, plain)
    with pytest.raises(UnsupportedError, match="without weight_decay"):
        transfer.stage_rates(keras.optimizers.AdamW(), plain)
