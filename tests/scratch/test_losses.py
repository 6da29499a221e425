from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def softmax(z):
    return scratch.Softmax().activate(z)


def sigmoid(z):
    return scratch.Sigmoid().activate(z)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


# name: (scratch loss, Keras class, makes (y_true, y_pred) from random logits)
CASES = {
    "mse": (scratch.MeanSquaredError, "MeanSquaredError", lambda rng, z: (rng.standard_normal(z.shape), z)),
    "bce": (scratch.BinaryCrossentropy, "BinaryCrossentropy", lambda rng, z: (rng.random(z.shape), sigmoid(z))),
    "cce": (
        scratch.CategoricalCrossentropy,
        "CategoricalCrossentropy",
        lambda rng, z: (softmax(rng.standard_normal(z.shape)), softmax(z)),
    ),
    "scce": (
        scratch.SparseCategoricalCrossentropy,
        "SparseCategoricalCrossentropy",
        lambda rng, z: (rng.integers(0, z.shape[1], len(z)), softmax(z)),
    ),
}
LOGIT_CASES = {
    "bce": (lambda rng, z: (rng.random(z.shape), z)),
    "cce": (lambda rng, z: (softmax(rng.standard_normal(z.shape)), z)),
    "scce": (lambda rng, z: (rng.integers(0, z.shape[1], len(z)), z)),
}


def assert_loss_matches_keras(loss, twin, y_true, y_pred):
    import tensorflow as tf

    variable = tf.Variable(y_pred)
    with tf.GradientTape() as tape:
        expected = twin(y_true, variable)
    np.testing.assert_allclose(loss.forward(y_true, y_pred), float(expected), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(loss.backward(), tape.gradient(expected, variable).numpy(), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
@given(n=st.integers(1, 6), c=st.integers(2, 8), seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.3, 2, 30]))
def test_loss_matches_keras(name, n, c, seed, scale):
    """Scale 30 gives probabilities below 1e-7, where Keras clips."""
    import keras

    rng = np.random.default_rng(seed)
    ours, theirs, make = CASES[name]
    y_true, y_pred = make(rng, scale * rng.standard_normal((n, c)))
    assert_loss_matches_keras(ours(), getattr(keras.losses, theirs)(dtype="float64"), y_true, y_pred)


@pytest.mark.parametrize("name", LOGIT_CASES)
@given(n=st.integers(1, 6), c=st.integers(2, 8), seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.3, 2, 30]))
def test_loss_from_logits_matches_keras(name, n, c, seed, scale):
    import keras

    rng = np.random.default_rng(seed)
    y_true, z = LOGIT_CASES[name](rng, scale * rng.standard_normal((n, c)))
    ours, theirs, _ = CASES[name]
    twin = getattr(keras.losses, theirs)(from_logits=True, dtype="float64")
    assert_loss_matches_keras(ours(from_logits=True), twin, y_true, z)


@pytest.mark.parametrize(("name", "from_logits"), [*((n, False) for n in CASES), *((n, True) for n in LOGIT_CASES)])
def test_loss_gradient(name, from_logits, rng):
    z = rng.standard_normal((4, 5))
    y_true, y_pred = (LOGIT_CASES[name] if from_logits else CASES[name][2])(rng, z)
    loss = CASES[name][0](from_logits=True) if from_logits else CASES[name][0]()
    numeric = scratch.numerical_gradient(lambda values: loss.forward(y_true, values), y_pred, h=1e-6)
    loss.forward(y_true, y_pred)
    scratch.compare_gradients(loss.backward(), numeric)


def test_unnormalised_probabilities_match_keras(rng):
    """Keras divides the rows of categorical cross-entropy by their sum; the gradient goes through that division."""
    import keras

    y_pred = rng.uniform(0.1, 0.9, (4, 3))
    labels = np.array([0, 2, 1, 1])
    assert_loss_matches_keras(
        scratch.CategoricalCrossentropy(),
        keras.losses.CategoricalCrossentropy(dtype="float64"),
        one_hot(labels, 3),
        y_pred,
    )
    assert_loss_matches_keras(
        scratch.SparseCategoricalCrossentropy(),
        keras.losses.SparseCategoricalCrossentropy(dtype="float64"),
        labels,
        y_pred,
    )


def test_mean_squared_error_matches_hand_example():
    # Differences (1, −2, 0, 3): squares sum to 14, over 4 outputs 3.5; gradient 2·difference/4.
    loss = scratch.MeanSquaredError()
    assert loss.forward([[0.0, 2.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 4.0]]) == 3.5
    np.testing.assert_array_equal(loss.backward(), [[0.5, -1.0], [0.0, 1.5]])


def test_cross_entropy_matches_hand_example():
    # −(ln 0.5 + ln 0.25)/2 = (ln 2 + ln 4)/2 = 1.5 ln 2
    p = [[0.5, 0.5], [0.75, 0.25]]
    for loss, y in (
        (scratch.SparseCategoricalCrossentropy(), [0, 1]),
        (scratch.CategoricalCrossentropy(), [[1, 0], [0, 1]]),
    ):
        assert np.isclose(loss.forward(y, p), 1.5 * np.log(2))
    # From logits dz = (p − y)/N.
    loss = scratch.SparseCategoricalCrossentropy(from_logits=True)
    loss.forward([0, 1], np.log(p))
    np.testing.assert_allclose(loss.backward(), [[-0.25, 0.25], [0.375, -0.375]])


def test_binary_cross_entropy_matches_hand_example():
    # −(ln 0.8 + ln(1 − 0.4))/2
    loss = scratch.BinaryCrossentropy()
    assert np.isclose(loss.forward([[1.0], [0.0]], [[0.8], [0.4]]), -(np.log(0.8) + np.log(0.6)) / 2)
    np.testing.assert_allclose(loss.backward(), [[-1 / 0.8 / 2], [1 / 0.6 / 2]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOGIT_CASES)
def test_extreme_logits_stay_finite(name, dtype):
    z = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    y = {"bce": [[0, 1], [0, 1]], "cce": [[0, 1], [1, 0]], "scce": [1, 0]}[name]
    loss = CASES[name][0](from_logits=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(loss.forward(y, z))
        gradient = loss.backward()
    assert np.isfinite(gradient).all()
    assert gradient.dtype == dtype


def test_targets_for_one_output_may_leave_out_the_last_axis():
    loss = scratch.BinaryCrossentropy()
    assert loss.forward([1, 0], [[0.8], [0.4]]) == loss.forward([[1], [0]], [[0.8], [0.4]])
    sparse = scratch.SparseCategoricalCrossentropy()
    assert sparse.forward([[1], [0]], [[0.5, 0.5], [0.9, 0.1]]) == sparse.forward([1, 0], [[0.5, 0.5], [0.9, 0.1]])


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "message"),
    [
        (scratch.MeanSquaredError(), [[1.0, 2.0]], [[1.0, 2.0, 3.0]], r"shape of y_pred, \(1, 3\).*\(1, 2\)"),
        (scratch.MeanSquaredError(), [1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]], "shape of y_pred"),
        (scratch.MeanSquaredError(), [1.0], [1.0], r"y_pred of shape \(N, C\)"),
        (scratch.MeanSquaredError(), np.zeros((0, 2)), np.zeros((0, 2)), "not empty"),
        (scratch.MeanSquaredError(), [[np.nan]], [[1.0]], "y_true without NaN"),
        (scratch.MeanSquaredError(), [[1.0]], [[np.inf]], "y_pred without NaN"),
        (scratch.MeanSquaredError(), [["a"]], [[1.0]], "real numbers"),
        (scratch.BinaryCrossentropy(), [[2.0]], [[0.5]], r"y_true in \[0, 1\]"),
        (scratch.BinaryCrossentropy(), [[1.0]], [[3.0]], "from_logits=True"),
        (scratch.CategoricalCrossentropy(), [[1, 1, 0]], [[0.2, 0.3, 0.5]], "sum to 1.*sums to 2"),
        (scratch.CategoricalCrossentropy(), [[0, 1]], [[-0.1, 1.1]], "from_logits=True"),
        (scratch.CategoricalCrossentropy(), [[0, 1]], [[0.0, 0.0]], "positive sum"),
        (scratch.SparseCategoricalCrossentropy(), [3], [[0.2, 0.3, 0.5]], "from 0 to 2.*3 at index"),
        (scratch.SparseCategoricalCrossentropy(), [0, -1], [[0.5, 0.5]] * 2, r"-1 at index \(1,\)"),
        (scratch.SparseCategoricalCrossentropy(), [0.5], [[0.5, 0.5]], "whole numbers"),
        (scratch.SparseCategoricalCrossentropy(), [np.nan], [[0.5, 0.5]], "whole numbers"),
        (scratch.SparseCategoricalCrossentropy(), [[0, 1]], [[0.5, 0.5]], "one-hot rows use Categorical"),
        (scratch.SparseCategoricalCrossentropy(), [0, 1], [[0.5, 0.5]], r"y_true of shape \(1,\)"),
    ],
)
def test_loss_errors(loss, y_true, y_pred, message):
    with pytest.raises((ShapeError, InvalidValueError), match=message):
        loss.forward(y_true, y_pred)


@pytest.mark.parametrize("name", CASES)
def test_backward_before_forward_errors(name):
    with pytest.raises(CallOrderError, match="forward before backward"):
        CASES[name][0]().backward()
