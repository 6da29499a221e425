"""The optimiser's step: the rule's numbers, Keras's own, and what training really does."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray

O = keras.optimizers  # noqa: E741 - short in the table below
RULES = {
    "sgd": lambda: O.SGD(0.1),
    "momentum": lambda: O.SGD(0.1, momentum=0.9),
    "nesterov": lambda: O.SGD(0.1, momentum=0.9, nesterov=True),
    "sgd with decay": lambda: O.SGD(0.1, weight_decay=0.01),
    "rmsprop": lambda: O.RMSprop(0.01),
    "adam": lambda: O.Adam(0.01),
    "adamw": lambda: O.AdamW(0.01, weight_decay=0.1),
    "clipnorm": lambda: O.Adam(0.01, clipnorm=0.1),
    "clipvalue": lambda: O.SGD(0.1, clipvalue=0.05),
    "global clipnorm": lambda: O.RMSprop(0.01, global_clipnorm=0.1),
    "schedule": lambda: O.Adam(O.schedules.ExponentialDecay(0.1, 1, 0.5)),
}
WITHOUT = {
    "nadam": lambda: O.Nadam(0.01),
    "lion": lambda: O.Lion(0.01),
    "amsgrad": lambda: O.Adam(0.01, amsgrad=True),
    "averaged": lambda: O.SGD(0.1, use_ema=True),
}


def words_model() -> keras.Model:
    """With an embedding, whose gradient has rows; with a weight that is used by no loss."""
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(8, 3, name="words"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4, "tanh", kernel_regularizer="l2", name="hidden"),
            layers.Dense(3, "softmax", name="out"),
        ]
    )


def words(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 6, (7, 5)), rng.integers(0, 3, 7)


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("name", [*RULES, *WITHOUT])
def test_update_matches_training(name, steps_before, rng):
    model, (x, y) = words_model(), words(rng)
    model.compile((RULES | WITHOUT)[name](), "sparse_categorical_crossentropy", run_eagerly=True)
    for _ in range(steps_before):
        model.train_on_batch(x, y)
    t = xray.trace(model, x, y, training=True)
    assert t.verify().worst.error <= 1e-5
    update = t.update()
    assert update.step == steps_before + 1
    assert (update.rule is None) == (name in WITHOUT)
    assert all(bool(weight.lines) == (name in RULES) for weight in update)
    model.train_on_batch(x, y)
    for weight, variable in zip(update, model.trainable_variables, strict=True):
        np.testing.assert_allclose(weight.after, variable.numpy(), rtol=2e-5, atol=1e-7)
        assert not np.array_equal(weight.after, weight.before)


def test_adam_matches_hand_example():
    """First step: m = 0.1·g, v = 0.001·g², both corrected; the step is α·sign(g)."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, name="line")])
    model.set_weights([np.array([[2.0]])])
    t = xray.trace(model, [[3.0]], [[0.0]], loss="mse", optimizer=keras.optimizers.Adam(0.5))
    weight = t.update()["line/kernel"]
    assert weight.gradient == pytest.approx(2 * 6 * 3)  # dL/dw = 2(wx − y)·x
    numbers = weight.numbers
    assert numbers["m_new"] == pytest.approx(3.6)
    assert numbers["v_new"] == pytest.approx(1.296)
    assert numbers["alpha_t"] == pytest.approx(0.5 * np.sqrt(0.001) / 0.1, rel=1e-4)
    assert numbers["w_new"] == pytest.approx(1.5, rel=1e-5)
    assert weight.after == pytest.approx(1.5, rel=1e-5)
    step = t.steps[-1]
    assert (step.phase, step.layer, step.title) == ("update", "line", "update of kernel, step 1")
    titles = ["running mean of the gradient", "running mean of the squared gradient", "bias correction", "step"]
    assert [sub.title for sub in step.substeps] == titles
    assert list(step.substeps[0].tensors) == ["beta_1", "g", "m", "m_new"]
    assert "Adam, step 1, alpha = 0.5" in str(t.update())
    assert "step: w' = w - α_t m'/(√(v') + ε)" in str(t.update())


def test_clipping_is_a_line_of_its_own():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, name="line")])
    model.set_weights([np.array([[2.0]])])
    t = xray.trace(model, [[3.0]], [[0.0]], loss="mse", optimizer=keras.optimizers.SGD(0.5, clipnorm=4.0))
    clipping, step = t.steps[-1].substeps
    assert clipping.tensors["dw"].value == pytest.approx(36)
    assert clipping.tensors["g"].value == pytest.approx(4)
    assert step.tensors["w_new"].value == pytest.approx(0)
    assert t.update().clipping == "clipnorm = 4"


def test_excluded_weights_do_not_decay(rng):
    model, (x, y) = words_model(), words(rng)
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[model.layers[-1].kernel], var_names=["bias"])
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    t = xray.trace(model, x, y)
    assert t.verify().worst.error <= 1e-5
    update = t.update()
    decayed = {weight.name for weight in update if weight.lines[0].title == "weight decay"}
    assert decayed == {"words/embeddings", "hidden/kernel"}
    assert update["hidden/kernel"].lines[-1].equation.startswith(r"w' = \tilde w")
    assert update["hidden/bias"].lines[-1].equation.startswith("w' = w")
    step = next(step for step in t.steps if step.title.startswith("update of embeddings"))
    assert "Only the rows that the batch used" in step.note
    assert [list(sub.tensors) for sub in step.substeps][:3] == [
        ["alpha", "lambda", "w", "w_tilde"],
        ["beta_1", "g", "m", "m_new"],
        ["beta_2", "g", "v", "v_new"],
    ]
    model.train_on_batch(x, y)
    for weight, variable in zip(update, model.trainable_variables, strict=True):
        np.testing.assert_allclose(weight.after, variable.numpy(), rtol=1e-5, atol=1e-7)


def test_constraints_have_no_derivation(rng):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3, kernel_constraint="max_norm", name="out")])
    t = xray.trace(
        model, 9 * rng.standard_normal((4, 2)), np.zeros((4, 3)), loss="mse", optimizer=keras.optimizers.SGD(5.0)
    )
    kernel, bias = t.update()
    assert "MaxNorm changes the weight" in kernel.note
    assert not kernel.lines
    assert bias.lines
    assert np.linalg.norm(kernel.after, axis=0).max() <= 2 + 1e-5
    t.verify()


def test_a_trace_keeps_the_optimiser_as_it_stood(rng):
    model, (x, y) = words_model(), words(rng)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    model.train_on_batch(x, y)
    t, again = (xray.trace(model, x, y) for _ in range(2))
    expected = t.update()
    model.train_on_batch(x, y)
    for own, other in zip(expected, again.update(), strict=True):  # asked for after the model has trained on
        np.testing.assert_array_equal(own.after, other.after)
