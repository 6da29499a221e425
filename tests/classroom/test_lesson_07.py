"""The exercises of lesson 07: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("07") if exercise.id == number)


def cases(number):
    return next(exercise.cases for exercise in exercises("07") if exercise.id == number)


def step_as_one_product(x, h, W, U, b):
    return np.tanh(np.hstack([x, h]) @ np.vstack([W, U]) + b)


def gradient_forward_in_time(u, h0, T):
    """Forward mode: carries ∂h/∂u along with h."""
    h, dh = h0, 0.0
    for _ in range(T):
        h, dh = np.tanh(u * h), (1 - np.tanh(u * h) ** 2) * (h + u * dh)
    return dh


def last_with_a_loop(h, lengths):
    return np.array([h[n, length - 1] for n, length in enumerate(lengths)])


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


RIGHT = [
    ("07.1", step_as_one_product),
    ("07.2", 4 * ((12 + 64) * 64 + 64)),
    ("07.3", lambda i, f, g, o, c: (i * g + f * c, np.tanh(i * g + f * c) * o)),
    ("07.4", gradient_forward_in_time),
    ("07.5", lambda h, W, b: softmax(h @ W + b)[:, -1, :]),
    ("07.6", last_with_a_loop),
    ("07.6", lambda h, lengths: np.take_along_axis(h, (lengths - 1)[:, None, None], axis=1)[:, 0]),
    ("07.3", lambda i, f, g, o, c: np.array([f * c + i * g, o * np.tanh(f * c + i * g)])),
]


def cell(write=lambda c: c, show=np.tanh):
    def step(i, f, g, o, c):
        c = write(f * c + i * g)
        return c, o * show(c)

    return step


def state_after(u, h0, t):
    for _ in range(t):
        h0 = np.tanh(u * h0)
    return h0


def slope(u, h0, t):
    """Of tanh, at step t."""
    return 1 - state_after(u, h0, t) ** 2


def gradient_of_a_linear_network(u, h0, T):
    h, dh = h0, 0.0
    for _ in range(T):
        h, dh = np.tanh(u * h), h + u * dh
    return dh


def masked(h, lengths):
    return (np.arange(h.shape[1]) < lengths[:, None])[..., None]


WRONG = [
    ("07.1", lambda x, h, W, U, b: np.tanh(np.dot(x, W) + b), "old state forgotten"),
    ("07.1", lambda x, h, W, U, b: np.dot(x, W) + np.dot(h, U) + b, "tanh missing"),
    ("07.1", lambda x, h, W, U, b: np.tanh(np.dot(h, U) + b), "input forgotten"),
    ("07.1", lambda x, h, W, U, b: step_as_one_product(h, x, W, U, b), "W and U exchanged"),
    ("07.1", lambda x, h, W, U, b: np.tanh(np.dot(x, W) + np.dot(h, W) + b), "W for both"),
    ("07.1", lambda x, h, W, U, b: step_as_one_product(x, h, W, U, 0), "bias forgotten"),
    ("07.1", lambda x, h, W, U, b: scratch.Sigmoid().activate(x @ W + h @ U + b), "sigmoid"),
    ("07.1", lambda x, h, W, U, b: step_as_one_product(x, h, W, U, b) + h, "old state added"),
    ("07.2", (12 + 64) * 64 + 64, "one gate"),
    ("07.2", 3 * ((12 + 64) * 64 + 64), "three gates"),
    ("07.2", (12 * 64 + 64) * 4, "recurrent weights forgotten"),
    ("07.2", 4 * (12 * 64 + 64 * 64), "biases forgotten"),
    ("07.2", 4 * ((12 + 64) * 64 + 64 + 64), "two biases"),
    ("07.2", 4 * (12 + 1 + 1) * 64, "a diagonal U"),
    ("07.2", 19712 * 29, "times the time steps"),
    ("07.3", lambda i, f, g, o, c: (i * c + f * g, o * np.tanh(i * c + f * g)), "gates exchanged"),
    ("07.3", lambda i, f, g, o, c: (f * c + i * g, o * np.tanh(c)), "state from the old cell"),
    ("07.3", cell(show=lambda c: c), "tanh missing"),
    ("07.3", cell(write=np.tanh, show=lambda c: c), "tanh in the cell"),
    ("07.3", lambda i, f, g, o, c: cell()(i, 1, g, o, c), "nothing forgotten"),
    ("07.3", lambda i, f, g, o, c: (c - f * c + i * g, o * np.tanh(c - f * c + i * g)), "forget gate turned round"),
    ("07.3", lambda i, f, g, o, c: (f * c + g, o * np.tanh(f * c + g)), "input gate missing"),
    ("07.3", lambda i, f, g, o, c: cell()(i, f, g, 1, c), "output gate missing"),
    ("07.3", lambda i, f, g, o, c: (o * np.tanh(f * c + i * g), f * c + i * g), "another order"),
    ("07.4", lambda u, h0, T: 0.0, None),
    ("07.4", lambda u, h0, T: slope(u, h0, T) * state_after(u, h0, T - 1), "last step only"),
    (
        "07.4",
        lambda u, h0, T: sum(slope(u, h0, t) * state_after(u, h0, t - 1) for t in range(1, T + 1)),
        "steps not chained",
    ),
    ("07.4", lambda u, h0, T: np.prod([slope(u, h0, t) for t in range(1, T + 1)]) * u**T, "derivative by h0"),
    ("07.4", gradient_of_a_linear_network, "tanh's slope missing"),
    ("07.4", lambda u, h0, T: gradient_forward_in_time(u, h0, T) / T, "averaged over the steps"),
    ("07.4", lambda u, h0, T: state_after(u, h0, T), "the state itself"),
    ("07.5", lambda h, W, b: softmax(h @ W + b), "still one answer a step"),
    ("07.5", lambda h, W, b: softmax((h @ W + b)[:, 0]), "first state"),
    ("07.5", lambda h, W, b: softmax(h[-1] @ W + b), "last sequence"),
    ("07.5", lambda h, W, b: softmax((h @ W + b).mean(axis=1)), "mean of the states"),
    (
        "07.5",
        lambda h, W, b: sum(softmax(h[:, t] @ W + b) for t in range(h.shape[1])) / h.shape[1],
        "mean of the answers",
    ),
    ("07.5", lambda h, W, b: softmax((h[:, -1] @ W + b).T).T, "softmax over the batch"),
    ("07.5", lambda h, W, b: (h @ W + b)[:, -1], "logits"),
    ("07.6", lambda h, lengths: h[:, h.shape[1] - 1], "still the last place"),
    ("07.6", lambda h, lengths: np.array([row[length] for row, length in zip(h, lengths)]), "one too far"),
    ("07.6", lambda h, lengths: np.take(h, lengths - 1, axis=1), "rows not paired"),
    ("07.6", lambda h, lengths: (h * masked(h, lengths)).sum(axis=1) / lengths[:, None], "mean of the real steps"),
    ("07.6", lambda h, lengths: h[np.arange(len(h)), 0 - lengths], "counted from the end"),
    ("07.6", lambda h, lengths: h[:, : min(lengths)][:, -1], "shortest for all"),
]


def test_gradient_through_time_gradient():
    for u, h0, T in cases("07.4"):

        def last(u, h0=h0, T=T):
            h = h0
            for _ in range(T):
                h = np.tanh(u * h)
            return h

        numeric = scratch.numerical_gradient(lambda v: last(float(v[()])), np.array(u))
        assert np.isclose(reference("07.4")(u, h0, T), numeric, rtol=1e-8)


def test_step_and_count_are_those_of_the_engine():
    for x, h, W, U, b in cases("07.1"):
        layer = scratch.SimpleRNN(len(b))
        layer.build(((1, x.shape[1]), h.shape[1:]), dtype="float64")
        for name, value in (("W", W), ("U", U), ("b", b)):
            layer.params[name][...] = value
        np.testing.assert_allclose(layer.forward([x[:, np.newaxis], h]), reference("07.1")(x, h, W, U, b))
    layer = scratch.LSTM(64)
    layer.build((29, 12))
    assert layer.count_params() == reference("07.2")()
