"""The loss of a trace is Keras's, its formula gives the same in NumPy, and what it sends back is TensorFlow's."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray

L = keras.losses
LABELS = np.array([0, 2, 1, 2])
ROWS = np.eye(3)[LABELS]
SOFT = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [1, 0, 0], [0.2, 0.5, 0.3]])

KNOWN = {
    "mse": (None, "mse", SOFT),
    "mae": (None, "mae", SOFT),
    "binary": ("sigmoid", "binary_crossentropy", ROWS),
    "binary soft": ("sigmoid", "binary_crossentropy", SOFT),
    "binary logits": (None, L.BinaryCrossentropy(from_logits=True), ROWS),
    "categorical": ("softmax", "categorical_crossentropy", ROWS),
    "categorical soft": ("softmax", "categorical_crossentropy", SOFT),
    "categorical logits": (None, L.CategoricalCrossentropy(from_logits=True), SOFT),
    "sparse": ("softmax", "sparse_categorical_crossentropy", LABELS),
    "sparse column": ("softmax", "sparse_categorical_crossentropy", LABELS[:, None]),
    "sparse logits": (None, L.SparseCategoricalCrossentropy(from_logits=True), LABELS),
    "sum": (None, L.MeanSquaredError(reduction="sum"), SOFT),
}
LOSS_CLASSES = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}
UNKNOWN = {
    "huber": (None, "huber", SOFT),
    "smoothed": ("softmax", L.CategoricalCrossentropy(label_smoothing=0.1), ROWS),
    "own": (None, lambda y, p: keras.ops.mean((y - p) ** 4, axis=-1), SOFT),
    "none": (None, L.MeanSquaredError(reduction=None), SOFT),
    "ignoring": (None, L.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), LABELS),
}


def model_with(activation: str | None) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation, name="out")])


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 0.25]])
@pytest.mark.parametrize("name", KNOWN)
def test_loss_matches_keras(name, weights, rng):
    activation, loss, y = KNOWN[name]
    model = model_with(activation)
    x = rng.standard_normal((4, 4)).astype("float32")
    t = xray.trace(model, x, y, loss=loss, sample_weight=weights)
    assert t.verify().worst.error <= 1e-5
    (term,) = t.capture.terms
    assert term.formula is not None
    as_object = keras.losses.get(loss)
    if not isinstance(as_object, L.Loss):  # a function, of which Keras takes the mean
        as_object = L.deserialize({"class_name": LOSS_CLASSES[loss], "config": {}})
    expected = as_object(y, model(x), sample_weight=None if weights is None else np.array(weights))
    assert t.loss == pytest.approx(float(expected), rel=1e-5)
    assert {row.tensor for row in t.verify().rows if row.layer == term.name} == {
        "L",
        f"d{term.formula.variable}",
    }
    steps = [step for step in t.steps if step.phase == "loss"]
    assert all(step.derived for step in steps)
    assert "ell" in steps[0].tensors


@pytest.mark.parametrize("name", UNKNOWN)
def test_losses_without_a_formula_verify(name, rng):
    activation, loss, y = UNKNOWN[name]
    t = xray.trace(model_with(activation), rng.standard_normal((4, 4)), y, loss=loss, optimizer="sgd")
    t.verify()
    (term,) = t.capture.terms
    assert term.formula is None
    assert not any(step.derived for step in t.steps if step.phase == "loss")


def test_softmax_and_cross_entropy_matches_hand_example():
    """One sample, z = (ln 2, 0): p = (2/3, 1/3), L = −ln 1/3, dz = p − y, dW = xᵀ dz."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(2, "softmax", name="out")])
    model.set_weights([np.array([[np.log(2), 0.0]]), np.zeros(2)])
    t = xray.trace(model, [[1.0]], [1], loss="sparse_categorical_crossentropy")
    assert t.loss == pytest.approx(np.log(3))
    back = next(step for step in t.steps if step.phase == "backward")
    for name, value in {"dz": [[2 / 3, -2 / 3]], "dW": [[2 / 3, -2 / 3]], "db": [2 / 3, -2 / 3]}.items():
        np.testing.assert_allclose(back.tensors[name].value, value, rtol=1e-6)
    assert "da" not in back.tensors
    assert back.equation.startswith(r"\begin{aligned} dW")


def test_a_confident_output_loses_nothing_to_clipping():
    """p rounds to 0: through the probability the gradient would be 0, through the logits it is −1."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(2, "softmax", name="out")])
    model.set_weights([np.array([[40.0, 0.0]]), np.zeros(2)])
    t = xray.trace(model, [[1.0]], [1], loss="sparse_categorical_crossentropy")
    np.testing.assert_allclose(t.gradients["out/bias"], [1, -1])
    t.verify()


@pytest.mark.parametrize("activation", ["softmax", None])
@pytest.mark.parametrize("margin", [3.0, 7.0, 12.0, 40.0])
def test_a_model_that_is_sure_of_the_truth_verifies(activation, margin):
    """Next to 0 the loss and its gradient have only the rounding of 1 + … and of p − 1 left."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3, activation=activation)])
    model.set_weights([margin * np.eye(3) + [[0.1, 0.37, 0], [0, 0.1, 0.37], [0.37, 0, 0.1]], np.zeros(3)])
    loss = "sparse_categorical_crossentropy" if activation else L.SparseCategoricalCrossentropy(from_logits=True)
    trace = xray.trace(model, np.eye(3)[:1], np.array([0]), loss=loss)
    trace.verify()


def test_probabilities_that_are_clipped_are_told(rng):
    x = keras.Input((1,))
    p = layers.Dense(2, "softmax")(x)
    model = keras.Model(x, layers.Reshape((2,))(p))  # a layer between hides the logits
    model.set_weights([np.array([[40.0, 0.0]]), np.zeros(2)])
    t = xray.trace(model, [[1.0]], [1], loss="sparse_categorical_crossentropy")
    gradient = next(step for step in t.steps if step.title == "gradient of the loss")
    assert "2 probabilities lie outside" in gradient.note
    t.verify()


def test_masks_of_outputs_weigh_the_loss(rng):
    model = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            layers.Embedding(6, 3, mask_zero=True),
            layers.LSTM(4, return_sequences=True),
        ]
    )
    model.add(layers.Dense(5, "softmax"))
    x = np.array([[1, 2, 0, 0], [3, 4, 5, 1], [2, 0, 0, 0]])
    t = xray.trace(model, x, rng.integers(0, 5, (3, 4)), loss="sparse_categorical_crossentropy")
    assert t.verify().worst.error <= 1e-5
    (term,) = t.capture.terms
    np.testing.assert_allclose(term.weights, (x != 0) * 12 / 7, rtol=1e-6)  # 7 of 12 places count


def test_regularisers_are_steps_of_their_own(rng):
    both = keras.regularizers.L1L2(0.01, 0.02)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, kernel_regularizer=both, activity_regularizer="l2", name="out")]
    )
    t = xray.trace(model, rng.standard_normal((4, 4)), SOFT, loss="mse", optimizer="sgd")
    assert t.verify().worst.error <= 1e-5
    step = next(step for step in t.steps if "regularisation" in step.title)
    w = model.get_weights()[0]
    np.testing.assert_allclose(step.tensors["dOmega"].value, 0.01 * np.sign(w) + 0.04 * w, rtol=1e-5)
    np.testing.assert_allclose(step.tensors["g"].value, t.gradients["out/kernel"])
    total = next(step for step in t.steps if step.title == "sum of the losses")
    assert total.tensors["L"].value == pytest.approx(
        sum(float(total.tensors[name].value) for name in ("L_1", "L_added", "Omega")), rel=1e-6
    )


def test_a_label_that_does_not_fit_is_named_by_its_output(rng):
    x = keras.Input((4,))
    model = keras.Model(x, [layers.Dense(2, "softmax", name="kind")(x), layers.Dense(1, name="size")(x)])
    losses = ["sparse_categorical_crossentropy", "mse"]
    values = rng.standard_normal((4, 4))
    with pytest.raises(ValueError, match="labels of 'kind': expected whole numbers from 0 to 1"):
        xray.trace(model, values, [LABELS, np.zeros(4)], loss=losses)
    t = xray.trace(model, values, [LABELS % 2, np.zeros(4)], loss=losses)
    assert [term.name for term in t.capture.terms] == ["kind", "size"]
    t.verify()
