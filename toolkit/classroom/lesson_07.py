"""The exercises of lesson 07: a recurrent step, the LSTM's cell, a gradient through time, and two bugs."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(7)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 07.1


def _rnn_step(x: np.ndarray, h: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.tanh(x @ W + h @ U + b)


_STEP = Exercise(
    id="07.1",
    title="One step of an RNN",
    reference=_rnn_step,
    cases=(
        (_normal(4, 3), _normal(4, 3), _normal(3, 3), _normal(3, 3), _normal(3)),
        (_normal(2, 2), _normal(2, 2), _normal(2, 2), _normal(2, 2), _normal(2)),
    ),
    misconceptions=(
        Misconception(
            "tanh missing",
            lambda x, h, W, U, b: x @ W + h @ U + b,
            "That is z. The state is bounded by tanh, or it would grow from step to step.",
        ),
        Misconception(
            "old state forgotten",
            lambda x, h, W, U, b: np.tanh(x @ W + b),
            "Your new state does not depend on the old one: that is a dense layer, which has no memory.",
        ),
        Misconception(
            "input forgotten",
            lambda x, h, W, U, b: np.tanh(h @ U + b),
            "Your new state does not depend on the input.",
        ),
        Misconception(
            "W and U exchanged",
            lambda x, h, W, U, b: np.tanh(x @ U + h @ W + b),
            "W belongs to the input, U to the state.",
        ),
        Misconception(
            "W for both",
            lambda x, h, W, U, b: np.tanh((x + h) @ W + b),
            "Input and state are multiplied by the same matrix. The state has its own, U.",
        ),
        Misconception(
            "bias forgotten",
            lambda x, h, W, U, b: np.tanh(x @ W + h @ U),
            "The bias is missing.",
        ),
        Misconception(
            "sigmoid",
            lambda x, h, W, U, b: 1 / (1 + np.exp(-(x @ W + h @ U + b))),
            "That is a sigmoid, as the gates of an LSTM have. The state of a simple RNN goes through tanh.",
        ),
        Misconception(
            "old state added",
            lambda x, h, W, U, b: h + np.tanh(x @ W + h @ U + b),
            "You add the old state once more. (The LSTM's cell does so; the simple RNN's state does not.)",
        ),
    ),
)

# ---------------------------------------------------------------------- 07.2

_D, _M = 12, 64

_COUNT = Exercise(
    id="07.2",
    title="The parameters of an LSTM",
    reference=lambda: 4 * (_D * _M + _M * _M + _M),
    rtol=0,
    misconceptions=(
        Misconception(
            "one gate",
            lambda: _D * _M + _M * _M + _M,
            "That is a simple RNN. An LSTM has such a part for each of i, f, g and o.",
        ),
        Misconception(
            "three gates",
            lambda: 3 * (_D * _M + _M * _M + _M),
            "Three gates, and one part more: the candidate g needs weights, too.",
        ),
        Misconception(
            "recurrent weights forgotten",
            lambda: 4 * (_D * _M + _M),
            "Those look at the input only. Every gate also looks at the old state, through U.",
        ),
        Misconception(
            "biases forgotten",
            lambda: 4 * (_D * _M + _M * _M),
            "The biases are missing: one for each unit of each part.",
        ),
        Misconception(
            "two biases",
            lambda: 4 * (_D * _M + _M * _M + 2 * _M),
            "Some libraries have a bias for the input and one for the state. Keras's LSTM has one.",
        ),
        Misconception(
            "a diagonal U",
            lambda: 4 * (_D * _M + _M + _M),
            "You count one recurrent weight for each unit. Every unit sees the state of all units: U is (M, M).",
        ),
        Misconception(
            "times the time steps",
            lambda: 29 * 4 * (_D * _M + _M * _M + _M),
            "You multiplied by the number of time steps. All steps share the same weights.",
        ),
    ),
)

# ---------------------------------------------------------------------- 07.3


def _lstm_cell(i: np.ndarray, f: np.ndarray, g: np.ndarray, o: np.ndarray, c: np.ndarray) -> tuple:
    c = f * c + i * g
    return c, o * np.tanh(c)


def _cell_case(*shape: int) -> tuple:
    return _rng.random(shape), _rng.random(shape), np.tanh(_normal(*shape)), _rng.random(shape), _normal(*shape)


_CELL = Exercise(
    id="07.3",
    title="The cell",
    reference=_lstm_cell,
    cases=(_cell_case(3, 4), _cell_case(1, 2)),
    misconceptions=(
        Misconception(
            "gates exchanged",
            lambda i, f, g, o, c: _lstm_cell(f, i, g, o, c),
            "Input and forget gate have changed places: f says how much of the old cell stays.",
        ),
        Misconception(
            "tanh missing",
            lambda i, f, g, o, c: (f * c + i * g, o * (f * c + i * g)),
            "The cell is right. What is shown of it goes through tanh first: the cell itself has no bounds.",
        ),
        Misconception(
            "tanh in the cell",
            lambda i, f, g, o, c: (np.tanh(f * c + i * g), o * np.tanh(f * c + i * g)),
            "The state is right, but the cell has been squeezed through tanh. It must stay as it is, or its gradient "
            "would vanish like a simple RNN's.",
        ),
        Misconception(
            "state from the old cell",
            lambda i, f, g, o, c: (f * c + i * g, o * np.tanh(c)),
            "The cell is right. The state shows the *new* cell.",
        ),
        Misconception(
            "nothing forgotten",
            lambda i, f, g, o, c: (c + i * g, o * np.tanh(c + i * g)),
            "The forget gate is missing. (In 1997 it was; it came in 2000.)",
        ),
        Misconception(
            "forget gate turned round",
            lambda i, f, g, o, c: _lstm_cell(i, 1 - f, g, o, c),
            "f = 1 means: keep all. In spite of its name, the forget gate says what is *not* forgotten.",
        ),
        Misconception(
            "input gate missing",
            lambda i, f, g, o, c: _lstm_cell(np.ones_like(i), f, g, o, c),
            "The candidate is written in full. How much of it does the input gate let in?",
        ),
        Misconception(
            "output gate missing",
            lambda i, f, g, o, c: (f * c + i * g, np.tanh(f * c + i * g)),
            "The cell is right; the state ignores the output gate.",
        ),
        Misconception(
            "another order",
            lambda i, f, g, o, c: _lstm_cell(i, f, g, o, c)[::-1],
            "Both are right; return the cell first, then the state.",
        ),
    ),
)

# ---------------------------------------------------------------------- 07.4


def _states(u: float, h0: float, T: int) -> list[float]:
    h = [h0]
    for _ in range(T):
        h.append(float(np.tanh(u * h[-1])))
    return h


def _through_time(u: float, h0: float, T: int, *, slope: bool = True) -> float:
    """``∂h_T/∂u``; ``slope=False`` leaves out the factors ``1 − h²``."""
    h, du, dh = _states(u, h0, T), 0.0, 1.0
    for t in reversed(range(T)):
        dz = dh * (1 - h[t + 1] ** 2) if slope else dh
        du += dz * h[t]
        dh = dz * u
    return du


def _last_step(u: float, h0: float, T: int) -> float:
    h = _states(u, h0, T)
    return (1 - h[T] ** 2) * h[T - 1]


def _forward_sum(u: float, h0: float, T: int) -> float:
    h = _states(u, h0, T)
    return sum((1 - h[t + 1] ** 2) * h[t] for t in range(T))


def _product(u: float, h0: float, T: int) -> float:
    h = _states(u, h0, T)
    return float(np.prod([u * (1 - h[t + 1] ** 2) for t in range(T)]))


_GRADIENT = Exercise(
    id="07.4",
    title="Through time",
    reference=_through_time,
    cases=((0.8, 0.5, 3), (1.3, 0.2, 5), (-0.7, 0.9, 2)),
    misconceptions=(
        Misconception(
            "last step only",
            _last_step,
            "That is the influence of u at the last step. u was used at every step before as well, and h_{T−1} depends "
            "on it, too.",
        ),
        Misconception(
            "steps not chained",
            _forward_sum,
            "You add up the steps, but each as if it were the last: what a step changes must still travel to the end, "
            "through u(1 − h²) at each later step.",
        ),
        Misconception(
            "derivative by h0",
            _product,
            "That product is ∂h_T/∂h_0. Asked for is the derivative by u, which enters at every step.",
        ),
        Misconception(
            "tanh's slope missing",
            lambda u, h0, T: _through_time(u, h0, T, slope=False),
            "The factors 1 − h² are missing: each step goes through tanh.",
        ),
        Misconception(
            "averaged over the steps",
            lambda u, h0, T: _through_time(u, h0, T) / T,
            "You divided by T. What comes back from several uses is added up, not averaged.",
        ),
        Misconception(
            "the state itself",
            lambda u, h0, T: _states(u, h0, T)[-1],
            "That is h_T. Asked for is how it changes with u.",
        ),
    ),
)

# ---------------------------------------------------------------------- 07.5


def _softmax(z: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


_POOL = Exercise(
    id="07.5",
    title="Find the bug: the classifier that answers T times",
    reference=lambda h, W, b: _softmax(h[:, -1] @ W + b),
    cases=((_normal(4, 6, 3), _normal(3, 5), _normal(5)), (_normal(2, 2, 2), _normal(2, 2), _normal(2))),
    misconceptions=(
        Misconception(
            "still one answer a step",
            lambda h, W, b: _softmax(h @ W + b),
            "That still has the bug: (N, T, C). Which of the T states has seen the whole sequence?",
        ),
        Misconception(
            "first state",
            lambda h, W, b: _softmax(h[:, 0] @ W + b),
            "The first state has seen the first step only.",
        ),
        Misconception(
            "last sequence",
            lambda h, W, b: _softmax(h[-1] @ W + b),
            "h[-1] is the last *sequence* of the batch. Time is the second axis.",
        ),
        Misconception(
            "mean of the states",
            lambda h, W, b: _softmax(h.mean(axis=1) @ W + b),
            "Averaging the states is a way to pool, too, often a good one. Asked for is the last state.",
        ),
        Misconception(
            "mean of the answers",
            lambda h, W, b: _softmax(h @ W + b).mean(axis=1),
            "You average T answers, of which the first ones have hardly seen anything. Asked for is the last state.",
        ),
        Misconception(
            "softmax over the batch",
            lambda h, W, b: _softmax(h[:, -1] @ W + b, axis=0),
            "The right state; but your softmax makes the columns sum to 1. Each row is one sequence's distribution.",
        ),
        Misconception(
            "logits",
            lambda h, W, b: h[:, -1] @ W + b,
            "The right state; but these are logits. Probabilities are asked for.",
        ),
    ),
)

# ---------------------------------------------------------------------- 07.6

_LAST = Exercise(
    id="07.6",
    title="Find the bug: the last step is padding",
    reference=lambda h, lengths: h[np.arange(len(h)), lengths - 1],
    # No sequence fills all places: there, one too far gives a wrong state instead of an exception.
    cases=(
        (_normal(4, 6, 3), np.array([2, 5, 1, 4])),
        (_normal(3, 3, 2), np.array([2, 1, 2])),
    ),
    misconceptions=(
        Misconception(
            "still the last place",
            lambda h, lengths: h[:, -1],
            "That still has the bug: after a short sequence there is only padding.",
        ),
        Misconception(
            "one too far",
            lambda h, lengths: h[np.arange(len(h)), lengths],
            "A sequence of length 4 fills the places 0 to 3. Which is its last?",
        ),
        Misconception(
            "rows not paired",
            lambda h, lengths: h[:, lengths - 1],
            "That takes all these steps from *every* sequence, (N, N, M). Pair each sequence with its own length.",
        ),
        Misconception(
            "mean of the real steps",
            lambda h, lengths: np.array([row[:length].mean(axis=0) for row, length in zip(h, lengths)]),
            "That is the mean over the real steps, masked rightly. Asked for is the last of them.",
        ),
        Misconception(
            "counted from the end",
            lambda h, lengths: h[np.arange(len(h)), -lengths],
            "A negative index counts from the end, where the padding is.",
        ),
        Misconception(
            "shortest for all",
            lambda h, lengths: h[:, lengths.min() - 1],
            "You cut all sequences to the shortest. Each has a last step of its own.",
        ),
    ),
)

EXERCISES = [_STEP, _COUNT, _CELL, _GRADIENT, _POOL, _LAST]
