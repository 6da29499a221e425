"""Forward-forward: goodness and its loss by hand, locality, prediction, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import xray
from toolkit.errors import InvalidValueError, UnsupportedError
from toolkit.training import layerwise
from toolkit.training.layerwise._forward_forward import LocalNetwork, _local_losses

layers = keras.layers


@pytest.fixture
def network(build):
    model = build(body=lambda: [layers.Dense(2, "relu", name="one"), layers.Dense(2, "relu", name="two")])
    return LocalNetwork([], model.layers[:2], classes=3, threshold=1.0, seed=0)


def test_goodness_matches_hand_example(network):
    """x = (1, 0, …), label 0; W picks x₁ twice, V adds (0, 2) for label 0, (0, 0) for others."""
    one, two = network.dense
    one.kernel.assign(np.eye(6, 2) * [[1, 0]] + np.array([[0, 1]] + [[0, 0]] * 5))
    two.kernel.assign([[1.0, 0.0], [0.0, 1.0]])
    network.V.assign([[0, 2], [0, 0], [0, 0]])
    x = np.eye(1, 6, dtype="float32")
    # h₁ = (1, 1 + 2) = (1, 3), G₁ = (1 + 9)/2 = 5; brought to mean square 1: (1, 3)/√5, so G₂ = 1
    first, second = network._activities(x, tf.one_hot([0], 3))
    np.testing.assert_allclose(first, [[1, 3]])
    np.testing.assert_allclose(second, np.array([[1, 3]]) / np.sqrt(5), rtol=1e-5)
    # label 1 or 2: h₁ = (1, 1), G₁ = 1
    logits = network([x, np.array([0], "int32")]).numpy()
    np.testing.assert_allclose(logits[0, 0], [5 - 1, 1 - 1], atol=1e-5)
    expected = np.log1p(np.exp(-logits[0, :, 0])).sum() + np.log1p(np.exp(logits[0, :, 1])).sum()
    np.testing.assert_allclose(_local_losses(None, logits), [expected], rtol=1e-5)


def test_no_gradient_passes_from_layer_to_layer(network, x, y):
    with tf.GradientTape() as tape:
        logits = network([x, y.astype("int32")])
        second = tf.reduce_sum(tf.square(logits[:, 1]))
    gradients = tape.gradient(second, [network.dense[0].kernel.value, network.dense[1].kernel.value])
    assert float(tf.norm(gradients[0])) == 0
    assert float(tf.norm(gradients[1])) > 0


def test_wrong_labels_are_wrong(network):
    """Give each label its own mark in V and look which marks the negative samples carry."""
    y = np.repeat([0, 1, 2], 50).astype("int32")
    marks = []
    network._activities = lambda x, shares: marks.append(shares.numpy().argmax(axis=1)) or [shares]
    for _ in range(3):
        network([np.zeros((150, 6), "float32"), y])
    for drawn in marks:
        np.testing.assert_array_equal(drawn[:150], y)
        assert (drawn[150:] != y).all()
        assert set(zip(y, drawn[150:])) == {(a, b) for a in range(3) for b in range(3) if a != b}
    assert not np.array_equal(marks[0], marks[1]), "drawn anew each time"


def test_learns(x, y, build):
    model = build(
        body=lambda: [layers.Dense(32, "relu"), layers.Dense(32, "relu")],
        run_eagerly=False,
        optimizer=keras.optimizers.Adam(0.02),
    )
    head = model.layers[-1].get_weights()
    trained = layerwise.forward_forward(model, x, y, epochs=60, batch_size=16)
    assert trained.accuracy(x, y) > 0.8
    assert trained.goodness(x).shape == (48, 3)
    np.testing.assert_array_equal(trained.predict(x), trained.goodness(x).argmax(axis=1))
    assert [h.shape for h in trained.activities(x)] == [(48, 32), (48, 32)]
    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], head[0])
    assert trained.history[0].trainable_parameters == 6 * 32 + 32 + 32 * 32 + 32 + 3 * 32


def test_validation_measures_and_leaves_training_alone(x, y, build, assert_same_variables):
    plain, measured = build(depth=1), build(depth=1)
    layerwise.forward_forward(plain, x, y, epochs=2, batch_size=24)
    trained = layerwise.forward_forward(measured, x, y, epochs=2, batch_size=24, validation_data=(x[:9], y[:9]))
    assert_same_variables(plain, measured)
    history = trained.history[0].history.history
    network = trained._network
    again = network.evaluate([x[:9], y[:9].astype("int32")], y[:9], verbose=0)
    assert history["val_loss"][-1] == pytest.approx(again, rel=1e-6), "the same wrong labels each time"


def test_xray_knows_every_number(network, x, y):
    network.compile("sgd", loss=_local_losses)
    assert xray.trace(network, [x[:4], y[:4].astype("int32")], y[:4]).verify().worst.error <= 1e-5


def test_same_seed_same_result(build, x, y, assert_same_variables):
    one, same = build(), build()
    layerwise.forward_forward(one, x, y, seed=1)
    layerwise.forward_forward(same, x, y, seed=1)
    assert_same_variables(one, same)


def test_errors(build, x, y):
    body = [layers.Dense(4), layers.ReLU(name="relu")]
    with pytest.raises(UnsupportedError, match=r"Dense layers .* received 'relu' \(ReLU\)\. Put activations into"):
        layerwise.forward_forward(build(body=lambda: body), x, y)
    with pytest.raises(InvalidValueError, match=r"integers from 0 to 2, received int64 of shape \(48,\) from 1 to 3"):
        layerwise.forward_forward(build(), x, y + 1)
    with pytest.raises(InvalidValueError, match="classes y of shape"):
        layerwise.forward_forward(build(), x, keras.utils.to_categorical(y))
    for threshold in ("a", 0, np.inf):
        with pytest.raises(InvalidValueError, match="threshold as a number above 0"):
            layerwise.forward_forward(build(), x, y, threshold=threshold)
    with pytest.raises(InvalidValueError, match=r"validation_data as \(x, y\)"):
        layerwise.forward_forward(build(), x, y, validation_data=x)
    binary = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dense(1, "sigmoid", name="one")])
    binary.compile("adam", "binary_crossentropy")
    with pytest.raises(UnsupportedError, match=r"an output for each class, received 'one' \(Dense\) .* \(N, 1\)"):
        layerwise.forward_forward(binary, x, y % 2)


def test_another_threshold_is_another_run_errors(build, x, y, tmp_path):
    layerwise.forward_forward(build(), x, y, threshold=0.5, checkpoint=tmp_path)
    with pytest.raises(InvalidValueError, match=r"threshold is 5\.0, was 0\.5"):
        layerwise.forward_forward(build(), x, y, epochs=2, threshold=5.0, checkpoint=tmp_path)
