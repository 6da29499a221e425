"""Training stops at the first number that is none, says where it came from, and leaves the model as it was before."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import models, training
from toolkit.errors import InvalidValueError


@pytest.mark.parametrize(("which", "row"), [("x", 0), ("x", 17), ("sample_weight", 49)])
def test_nan_in_the_data_names_the_step(which, row, build, x, y, plain_fit, assert_same_weights):
    weight = np.ones(50, "float32")
    x = x.copy()
    {"x": x, "sample_weight": weight}[which][row] = np.nan
    model = build()
    order = training.epoch_order(50, epoch=0, seed=0)
    step = int(np.flatnonzero(order == row)[0]) // 16
    expected = rf"{which} of the batch is not finite in epoch 1, step {step + 1}\..*Fill the gaps"
    with pytest.raises(InvalidValueError, match=expected):
        training.fit(model, x, y, epochs=3, batch_size=16, sample_weight=weight)
    before = build()
    if step:
        rows = order[: 16 * step]
        before.fit(x[rows], y[rows], sample_weight=weight[rows], batch_size=16, shuffle=False, verbose=0)
        assert_same_weights(model, before)
    else:
        np.testing.assert_array_equal(model.get_weights()[0], before.get_weights()[0])


def test_infinity_in_the_data_is_found_too(build, x, y):
    x = x.copy()
    x[3, 2] = np.inf
    with pytest.raises(InvalidValueError, match="x of the batch"):
        training.fit(build(), x, y)


@pytest.mark.parametrize("steps", ["auto", 1, 7])
def test_an_exploding_rate_names_the_layer(steps, build, x, y):
    def body():
        return [keras.layers.Dense(8, name="first"), keras.layers.Dense(8, name="second")]

    model = build(body, optimizer=keras.optimizers.SGD(1e25))
    with pytest.raises(InvalidValueError, match=r"layer '(first|second)' \(Dense\) is not finite in epoch 1, step 2"):
        training.fit(model, x, y, epochs=3, batch_size=16, steps_per_execution=steps)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert int(model.optimizer.iterations) == 1
    assert model.history.stopped.startswith("failed in epoch 1 after step 1")


class Square(keras.layers.Layer):
    """Its output is finite and its slope is not: the root of zero."""

    def call(self, z):
        return keras.ops.sqrt(keras.ops.relu(z) * 0.0)


def test_a_gradient_that_is_not_finite_names_the_weight(build, x, y):
    model = build(lambda: [keras.layers.Dense(4, name="below"), Square()])
    with pytest.raises(InvalidValueError, match=r"the gradient of layer 'below' \(Dense\), weight '(bias|kernel)'"):
        training.fit(model, x, y)


def test_a_loss_that_is_not_finite_is_named(x):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, name="output")])
    model.compile("sgd", lambda y, y_pred: keras.ops.log(0.0 * keras.ops.abs(y_pred)))
    with pytest.raises(InvalidValueError, match=r"output is finite, but the loss is not finite in epoch 1, step 1"):
        training.fit(model, x, x[:, :1])


def test_a_layer_inside_a_backbone_is_named(x, y, build):
    def body():
        layers = [keras.Input((6,)), keras.layers.Dense(4), Square(name="root"), keras.layers.ReLU()]
        culprit = keras.layers.Lambda(lambda z: z / 0.0, name="culprit")
        return [keras.Sequential([*layers, culprit], name="backbone")]

    with pytest.raises(InvalidValueError, match=r"the output of layer 'culprit' \(Lambda\)"):
        training.fit(build(body), x, y)


def test_a_step_of_ones_own_is_not_repeated_in_pieces(x):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def train_step(self, batch):
            return {"loss": tf.reduce_mean(self.dense(batch["a"])) / 0.0}

    model = Own()
    model.compile()
    with pytest.raises(InvalidValueError, match="received the loss not finite in epoch 1, step 1"):
        training.fit(model, {"a": x, "b": x})


def test_a_call_of_the_users_own_stays(build, x, y):
    model = build()
    call = model.layers[0].call
    model.layers[0].call = broken = lambda z, *_, **__: call(z) * float("nan")
    with pytest.raises(InvalidValueError, match="'hidden'"):
        training.fit(model, x, y)
    assert model.layers[0].call is broken


def test_a_text_of_padding_names_the_average(rng, y):
    tokens = rng.integers(1, 9, (50, 5))
    tokens[20] = 0
    model = models.text_classifier(9, 3, embedding_dim=4, hidden=(4,), seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(InvalidValueError, match=r"layer 'average' \(GlobalAveragePooling1D\)"):
        training.fit(model, tokens, y, batch_size=16)


def test_a_data_set_is_searched_too(build, x, y):
    x = x.copy()
    x[40] = np.nan
    with pytest.raises(InvalidValueError, match="x of the batch is not finite in epoch 1, step 3"):
        training.fit(build(), tf.data.Dataset.from_tensor_slices((x, y)).batch(16), epochs=2)


def test_a_broken_model_is_not_trained(build, x, y):
    model = build()
    model.layers[0].bias.assign(np.full(8, np.nan))
    with pytest.raises(InvalidValueError, match=r"NaN or infinity in layer 'hidden' \(Dense\), weight 'bias'"):
        training.fit(model, x, y)


def test_a_checkpoint_holds_no_nan(build, x, y, tmp_path):
    x = x.copy()
    x[int(training.epoch_order(50, epoch=1, seed=0)[20])] = np.nan
    x[int(training.epoch_order(50, epoch=1, seed=0)[0])] = 0
    with pytest.raises(InvalidValueError, match="step"):
        training.fit(build(), x, y, epochs=3, batch_size=16, checkpoint=tmp_path, checkpoint_every=1)
    with np.load(tmp_path / "checkpoint.npz") as file:
        assert all(np.isfinite(file[name]).all() for name in file.files)


def test_a_run_that_a_callback_ends_at_nan_is_not_saved(build, x, y, tmp_path):
    x = x.copy()
    x[int(training.epoch_order(50, epoch=0, seed=0)[0])] = np.nan
    with pytest.raises(InvalidValueError, match="x of the batch"):
        training.fit(build(), x, y, batch_size=16, checkpoint=tmp_path, callbacks=keras.callbacks.TerminateOnNaN())
    assert not (tmp_path / "checkpoint.npz").exists()
