"""The exercises of lesson 11: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import scratch
from toolkit.classroom import exercises
from toolkit.classroom.lesson_11 import Training


def reference(number):
    return next(exercise.reference for exercise in exercises("11") if exercise.id == number)


def residual_by_rows(x, W1, W2, dy):
    dx = dy.copy()
    for n in range(len(x)):
        open_units = x[n] @ W1 > 0
        dx[n] += W1[:, open_units] @ (W2[open_units] @ dy[n])
    return dx


def parameters_by_model():
    from toolkit.models import transfer

    model = transfer.resnet18((32, 32, 3))
    block = [layer for layer in model.layers if layer.name.startswith("stage2_block1_")]
    return sum(int(np.prod(w.shape)) for layer in block for w in layer.trainable_weights)


def rates_in_a_loop(rate, stages, decay):
    rates = [rate]
    for _ in range(stages - 1):
        rates.insert(0, rates[0] / decay)
    return rates


def norm_by_scratch(x, gamma, beta, mean, var):
    layer = scratch.BatchNormalization(epsilon=1e-5)
    layer.build((x.shape[1],), dtype="float64")
    layer.params["gamma"][...], layer.params["beta"][...] = gamma, beta
    layer.non_trainable["moving_mean"][...], layer.non_trainable["moving_variance"][...] = mean, var
    return layer.forward(x), mean, var


def in_two_steps(first, then=lambda name, position: True, again=True):
    """Answers to 11.6: which layers learn in each of the two steps, and whether the model is compiled between."""

    def fine_tune(model):
        changed = []
        for learns in (first, then):
            for position, name in enumerate(model.trainable):
                model.trainable[name] = learns(name, position)
            if again or not changed:
                model.compile()
            changed.append(model.fit())
        return changed

    return fine_tune


def head_alone(name, position):
    return name == "head"


RIGHT = [
    ("11.1", residual_by_rows),
    ("11.2", parameters_by_model),
    ("11.3", rates_in_a_loop),
    ("11.4", lambda x: 255 * x / 127.5 - 1),
    ("11.5", norm_by_scratch),
    ("11.6", in_two_steps(head_alone)),
    ("11.3", lambda rate, stages, decay: np.geomspace(rate / decay ** (stages - 1), rate, stages)),
    ("11.1", lambda x, W1, W2, dy: dy + np.where(x @ W1 > 0, dy @ W2.T, 0) @ W1.T),
    ("11.2", 64 * 128 * (9 + 1) + 128 * 128 * 9 + 6 * 128),
    ("11.4", lambda x: (x - 0.5) / 0.5),
]


def norm_of_the_batch(x, gamma, beta, mean, var):
    z = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    return z * gamma + beta, mean, var


def relu_on_the_way_back(x, W1, W2, dy):
    da = dy @ W2.T
    da[da < 0] = 0
    return dy + da @ W1.T


def parameters_of_the_block_before():
    from toolkit.models import transfer

    model = transfer.resnet18((32, 32, 3))
    block = [layer for layer in model.layers if layer.name.startswith("stage1_block2_")]
    return sum(int(np.prod(w.shape)) for layer in block for w in layer.trainable_weights)


def norm_that_trains(x, gamma, beta, mean, var):
    layer = scratch.BatchNormalization(momentum=0.9, epsilon=1e-5)
    layer.build((x.shape[1],), dtype="float64")
    layer.params["gamma"][...], layer.params["beta"][...] = gamma, beta
    layer.non_trainable["moving_mean"][...], layer.non_trainable["moving_variance"][...] = mean, var
    y = layer.forward(x, training=True)
    return y, layer.non_trainable["moving_mean"], layer.non_trainable["moving_variance"]


def freeze(chosen):
    def train(model):
        for position, name in enumerate(model.trainable):
            model.trainable[name] = not chosen(name, position)
        model.compile()
        return model.fit()

    return train


WRONG = [
    ("11.1", lambda x, W1, W2, dy: residual_by_rows(x, W1, W2, dy) - dy, "shortcut forgotten"),
    ("11.1", lambda x, W1, W2, dy: dy.copy(), "branch forgotten"),
    ("11.1", lambda x, W1, W2, dy: dy + dy @ (W1 @ W2).T, "ReLU forgotten"),
    ("11.1", relu_on_the_way_back, "ReLU of the gradient"),
    ("11.1", lambda x, W1, W2, dy: dy * (residual_by_rows(x, W1, W2, dy) - dy), "multiplied with the shortcut"),
    (
        "11.1",
        lambda x, W1, W2, dy: x + residual_by_rows(x, W1, W2, dy) - dy,
        "x for the gradient of the shortcut",
    ),
    ("11.1", lambda x, W1, W2, dy: dy + np.where(x @ W1 > 0, dy @ W2, 0) @ W1, "not transposed"),
    ("11.2", lambda: 221_184 + 2 * 256, "shortcut forgotten"),
    ("11.2", lambda: 221_184 + 8_192 + 2 * 256, "normalisation of the shortcut forgotten"),
    ("11.2", lambda: 221_184 + 8_192, "normalisations forgotten"),
    ("11.2", lambda: 221_184 + 8_192 + 3 * 128, "one number a channel"),
    ("11.2", lambda: 230_144 + 3 * 2 * 128, "moving averages counted"),
    ("11.2", lambda: 230_144 + 3 * 128, "biases counted"),
    ("11.2", lambda: 230_144 + (9 - 1) * 64 * 128, "shortcut of 3 × 3"),
    ("11.2", parameters_of_the_block_before, "64 channels throughout"),
    ("11.3", lambda rate, stages, decay: rates_in_a_loop(rate, stages, decay)[::-1], "the wrong way round"),
    ("11.3", lambda rate, stages, decay: rates_in_a_loop(rate, stages, 1 / decay)[::-1], "growing beyond the rate"),
    ("11.3", lambda rate, stages, decay: rates_in_a_loop(rate / decay, stages, decay), "head slowed as well"),
    (
        "11.3",
        lambda rate, stages, decay: [rate / (decay * k) for k in range(stages - 1, 0, -1)] + [rate],
        "divided by multiples",
    ),
    ("11.3", lambda rate, stages, decay: np.linspace(rate - (stages - 1) * decay, rate, stages), "decay subtracted"),
    ("11.3", lambda rate, stages, decay: [rate] * stages, "all alike"),
    ("11.4", lambda x: (x - 127.5) / 127.5, "still scaled twice"),
    ("11.4", lambda x: x.copy(), "left as they are"),
    ("11.4", lambda x: x * 255.0, "in [0, 255]"),
    ("11.4", lambda x: 255 * x / 127.5, "scaled, not shifted"),
    ("11.4", lambda x: (255 * x - 255) / 255, "shifted, not scaled"),
    ("11.4", lambda x: np.flip(255 * x, axis=-1) / 127.5 - 1, "colours exchanged"),
    ("11.4", lambda x: (255 * x - np.mean(255 * x)) / np.std(255 * x), "normalised by its own mean"),
    ("11.5", norm_that_trains, "still by the batch"),
    ("11.5", norm_of_the_batch, "averages kept, batch used"),
    ("11.5", lambda *args: (norm_by_scratch(*args)[0], *norm_that_trains(*args)[1:]), "averages used, and updated"),
    ("11.5", lambda x, gamma, beta, mean, var: (x * gamma + beta, mean, var), "not normalised"),
    (
        "11.5",
        lambda x, gamma, beta, mean, var: ((x - mean) / (var + 1e-5) * gamma + beta, mean, var),
        "variance for deviation",
    ),
    (
        "11.5",
        lambda x, gamma, beta, mean, var: norm_by_scratch(x, 1, 0, mean, var),
        "scale and shift frozen to 1 and 0",
    ),
    ("11.6", in_two_steps(head_alone, again=False), "not compiled again"),
    ("11.6", in_two_steps(lambda name, position: True), "never frozen"),
    ("11.6", in_two_steps(lambda name, position: name != "head"), "head frozen instead"),
    ("11.6", in_two_steps(head_alone, lambda name, position: name != "head"), "head frozen in the second step"),
    ("11.6", in_two_steps(lambda name, position: False), "nothing learns at first"),
    ("11.6", in_two_steps(lambda name, position: position > 0), "only the first layer frozen"),
]


def test_residual_block_gradient():
    rng = np.random.default_rng(0)
    x, W1, W2, dy = rng.standard_normal((4, 3, 3))
    numeric = scratch.numerical_gradient(lambda x: ((x + np.maximum(x @ W1, 0) @ W2) * dy).sum(), x)
    scratch.compare_gradients(reference("11.1")(x, W1, W2, dy), numeric)


def test_training_looks_at_the_first_fit_matches_keras():
    small = Training(("body", "head"))
    with pytest.raises(RuntimeError, match="compile"):
        small.fit()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="body"), keras.layers.Dense(1)])

    def both(change):
        """What the stand-in and Keras say of the layers ``body`` and ``head`` after one more step."""
        change(small, lambda learns: small.trainable.update(body=learns))
        change(model, lambda learns: setattr(model.layers[0], "trainable", learns))
        before = [layer.get_weights()[0] for layer in model.layers]
        model.train_on_batch(np.ones((1, 2)), np.full((1, 1), 5.0))
        after = [bool((layer.get_weights()[0] != w).any()) for layer, w in zip(model.layers, before, strict=True)]
        return list(small.fit().values()), after

    def compiled(trained):
        return trained.compile(*("sgd", "mse") if trained is model else ())

    steps = {
        "compiled, then frozen": lambda trained, body: (compiled(trained), body(False)),
        "thawed": lambda trained, body: body(True),
        "compiled again": lambda trained, body: compiled(trained),
        "frozen": lambda trained, body: body(False),
    }
    learned = {name: both(step) for name, step in steps.items()}
    assert all(stand_in == keras_says for stand_in, keras_says in learned.values())
    assert [body for (body, _), _ in learned.values()] == [False, False, True, True]
