"""What the recurrent layers have in common: states, masks, order, truncation; the three are equal to Keras's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

# name: (scratch class, Keras class, options of both, number of states)
LAYERS = {
    "simple_rnn": (scratch.SimpleRNN, "SimpleRNN", {}, 1),
    "lstm": (scratch.LSTM, "LSTM", {}, 2),
    "gru": (scratch.GRU, "GRU", {}, 1),
    "gru_reset_before": (scratch.GRU, "GRU", {"reset_after": False}, 1),
}
ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "gelu"]


def pair(name, units, **options):
    """A scratch layer and its Keras twin."""
    import keras

    cls, keras_class, own, states = LAYERS[name]
    twin = getattr(keras.layers, keras_class)(units, **own, **options, dtype="float64")
    return cls(units, **own, **options), twin, states


def with_initial_state(twin, x, training):
    """Calls the twin; beside an initial state Keras does not look for the mask of ``x``, it has to be told."""
    if not isinstance(x, list):
        return twin(x, training=training)
    return twin(x[0], initial_state=x[1:], training=training, mask=getattr(x[0], "_keras_mask", None))


def draw_mask(kind, shape, rng):
    """Padding on the right, padding anywhere, or that and samples which are nothing but padding."""
    if kind is None:
        return None
    if kind == "right":
        return np.arange(shape[1]) < rng.integers(1, shape[1] + 1, (shape[0], 1))
    mask = rng.random(shape) < 0.6
    if kind == "some rows all padding":
        mask[::2] = False
    return mask


@pytest.mark.parametrize("name", LAYERS)
@given(
    n=st.integers(1, 4),
    t=st.integers(1, 6),
    d=st.integers(1, 4),
    m=st.integers(1, 4),
    masked=st.sampled_from([None, "right", "random", "some rows all padding"]),
    initial=st.booleans(),
    options=st.fixed_dictionaries(
        {
            "return_sequences": st.booleans(),
            "return_state": st.booleans(),
            "go_backwards": st.booleans(),
            "zero_output_for_mask": st.booleans(),
            "use_bias": st.booleans(),
        }
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_recurrent_matches_keras(assert_matches_keras, name, n, t, d, m, masked, initial, options, seed):
    rng = np.random.default_rng(seed)
    layer, twin, states = pair(name, m, **options)
    inputs = [rng.standard_normal((n, t, d))]
    if initial:
        inputs += [rng.standard_normal((n, m)) for _ in range(states)]
    mask = draw_mask(masked, (n, t), rng)
    if initial and mask is not None:
        mask = [mask, *(None for _ in range(states))]
    assert_matches_keras(layer, twin, *inputs, mask=mask, call=with_initial_state)


@pytest.mark.parametrize("name", LAYERS)
@given(
    activation=st.sampled_from(ACTIVATIONS),
    recurrent_activation=st.sampled_from(ACTIVATIONS),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=12)
def test_activations_match_keras(assert_matches_keras, name, activation, recurrent_activation, seed):
    options = {"activation": activation}
    if name != "simple_rnn":
        options["recurrent_activation"] = recurrent_activation
    layer, twin, _ = pair(name, 3, return_sequences=True, **options)
    x = np.random.default_rng(seed).standard_normal((2, 4, 3))
    assert_matches_keras(layer, twin, x, mask=np.array([[True, False, True, True], [True, True, True, False]]))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("k", [1, 2, 3, 7])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_truncation_matches_keras_in_chunks(name, k, go_backwards):
    """The twin runs chunk by chunk; tf.stop_gradient stands on the states between two chunks."""
    import tensorflow as tf

    rng = np.random.default_rng(5)
    n, t, d, m = 3, 7, 2, 3
    layer, twin, states = pair(name, m, return_sequences=True, return_state=True)
    layer.truncate, layer.go_backwards = k, go_backwards
    layer.build((t, d), dtype="float64")
    twin.build((n, t, d))
    twin.set_weights(list(layer.params.values()))
    inputs = [rng.standard_normal((n, t, d)), *(rng.standard_normal((n, m)) for _ in range(states))]
    dy = [rng.standard_normal((n, t, m)), *(rng.standard_normal((n, m)) for _ in range(states))]
    variables = [tf.Variable(values) for values in inputs]
    with tf.GradientTape() as tape:
        x, *state = variables
        x = tf.reverse(x, [1]) if go_backwards else x
        chunks = []
        for first in range(0, t, k):
            y, *state = twin(x[:, first : first + k], initial_state=state if first == 0 else stopped(state))
            chunks.append(y)
        outputs = [tf.concat(chunks, axis=1), *state]
        objective = sum(tf.reduce_sum(y * d) for y, d in zip(outputs, dy))
    expected = [g.numpy() for g in tape.gradient(objective, [*variables, *twin.trainable_variables])]
    for y, expected_y in zip(layer.forward(inputs), outputs, strict=True):
        np.testing.assert_allclose(y, expected_y.numpy(), rtol=1e-10, atol=1e-12)
    gradients = [*layer.backward(dy), *layer.grads.values()]
    for gradient, expected_gradient in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-8, atol=1e-11)


def stopped(state):
    import tensorflow as tf

    return [tf.stop_gradient(values) for values in state]


def test_truncation_stops_the_state_and_nothing_else(rng):
    x, dy = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 4))
    layer = scratch.LSTM(4, truncate=2)
    layer.forward(x)
    dx = layer.backward(dy)
    assert (dx[:, 4:] != 0).all()  # the last chunk
    assert (dx[:, :4] == 0).all()
    whole = scratch.LSTM(4, truncate=6)
    whole.forward(x)
    assert (whole.backward(dy) != 0).all()


def test_truncation_goes_round_padded_steps_no_further_than_round_others(rng):
    x, mask = rng.standard_normal((1, 6, 3)), np.array([[True, True, True, False, False, False]])
    layer = scratch.GRU(4, truncate=4)  # the boundary lies within the padding
    layer.forward(x, mask=mask)
    np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), np.zeros_like(x))


@pytest.mark.parametrize("name", LAYERS)
def test_recurrent_gradient(name, rng):
    cls, _, own, states = LAYERS[name]
    layer = cls(3, return_sequences=True, return_state=True, go_backwards=True, **own)
    x = [rng.standard_normal((2, 4, 2)), *(rng.standard_normal((2, 3)) for _ in range(states))]
    mask = [np.array([[True, False, True, True], [False, True, True, False]]), *(None for _ in range(states))]
    report = scratch.gradient_check(layer, x, mask=mask)
    assert report.errors.keys() == {*(f"dx{k + 1}" for k in range(states + 1)), "dW", "dU", "db"}


@pytest.mark.parametrize("name", LAYERS)
def test_padding_at_the_end_changes_nothing(name, rng):
    cls, _, own, _ = LAYERS[name]
    layer = cls(3, **own)
    short = rng.standard_normal((2, 4, 2)).astype("float32")
    padded = np.concatenate([short, rng.standard_normal((2, 3, 2)).astype("float32")], axis=1)
    y = layer.forward(short)
    dx = layer.backward(np.ones_like(y))
    grads = layer.grads
    np.testing.assert_array_equal(layer.forward(padded, mask=np.arange(7)[np.newaxis] < [[4], [4]]), y)
    padded_dx = layer.backward(np.ones_like(y))
    np.testing.assert_allclose(padded_dx[:, :4], dx, rtol=1e-6)
    np.testing.assert_array_equal(padded_dx[:, 4:], 0)
    for key, gradient in grads.items():
        np.testing.assert_allclose(layer.grads[key], gradient, rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_sequence_cut_in_two_goes_on_from_its_state(name, rng):
    cls, _, own, _ = LAYERS[name]
    layer = cls(3, return_sequences=True, return_state=True, **own)
    x = rng.standard_normal((2, 5, 2))
    y, *last = layer.forward(x)
    first, *state = layer.forward(x[:, :2])
    second, *end = layer.forward([x[:, 2:], *state])  # batches of any length, with a state and without
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), y, rtol=1e-5)
    for state, expected in zip(end, last, strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_none_among_the_upstream_gradients_is_zero(name, rng):
    cls, _, own, states = LAYERS[name]
    layer = cls(3, return_state=True, **own)
    y, *_ = layer.forward(rng.standard_normal((2, 4, 2)))
    dy = rng.standard_normal(y.shape)
    with_zeros = layer.backward([dy, *(np.zeros_like(y) for _ in range(states))])
    np.testing.assert_array_equal(layer.backward([dy, *(None for _ in range(states))]), with_zeros)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_recurrent_computes_in_its_dtype(name, dtype, rng):
    cls, _, own, _ = LAYERS[name]
    layer = cls(3, return_sequences=True, **own)
    layer.build((4, 2), dtype=dtype)
    y = layer.forward(rng.standard_normal((2, 4, 2)), mask=rng.random((2, 4)) < 0.5)
    dx = layer.backward(np.ones((2, 4, 3)))
    assert {y.dtype, dx.dtype, *(g.dtype for g in layer.grads.values())} == {np.dtype(dtype)}
    assert list(layer.params) == list(layer.grads) == ["W", "U", "b"]
    assert all(layer.grads[key].shape == p.shape for key, p in layer.params.items())
    assert layer.backward(np.ones((2, 4, 3)), needs_dx=False) is None


@pytest.mark.parametrize("name", LAYERS)
def test_fresh_weights_are_drawn_as_in_keras(name):
    layer, twin, _ = pair(name, 32)
    layer.build((None, 48), dtype="float64")
    twin.build((None, None, 48))
    W, U, b = twin.get_weights()
    assert [p.shape for p in layer.params.values()] == [W.shape, U.shape, b.shape]
    np.testing.assert_allclose(layer.params["W"].std(), W.std(), rtol=0.05)  # each is within 1 %
    for kernel in (layer.params["U"], U):
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(32), atol=1e-5)
    np.testing.assert_array_equal(layer.params["b"], b)


def test_gates_are_those_of_the_last_pass_and_nan_in_padded_steps(rng):
    layer = scratch.LSTM(3, return_sequences=True)
    mask = np.array([[True, True, False, True], [True, True, False, False]])
    y = layer.forward(rng.standard_normal((2, 4, 2)), mask=mask)
    gates = layer.gates
    assert list(gates) == ["i", "f", "g", "o", "h", "c"]
    assert all(values.shape == (2, 4, 3) for values in gates.values())
    np.testing.assert_array_equal(gates["h"], y)
    np.testing.assert_array_equal(gates["c"][0, 2], gates["c"][0, 1])  # padding: the cell is kept
    for name in ("i", "f", "g", "o"):
        np.testing.assert_array_equal(np.isnan(gates[name]).all(axis=2), ~mask)
    i, f, g, o, h, c = (values[:, 1] for values in gates.values())
    np.testing.assert_allclose(c, f * gates["c"][:, 0] + i * g, rtol=1e-5)
    np.testing.assert_allclose(h, o * np.tanh(c), rtol=1e-5)
    for other, names in ((scratch.SimpleRNN(2), ["h"]), (scratch.GRU(2), ["z", "r", "g", "h"])):
        other.forward(np.ones((1, 3, 1)))
        assert list(other.gates) == names


def test_shapes_and_masks_of_what_comes_out():
    x, mask = np.ones((2, 5, 3)), np.ones((2, 5), bool)
    for options, shape in (
        ({}, (4,)),
        ({"return_sequences": True}, (5, 4)),
        ({"return_state": True}, ((4,), (4,), (4,))),
        ({"return_sequences": True, "return_state": True}, ((5, 4), (4,), (4,))),
    ):
        layer = scratch.LSTM(4, **options)
        layer.build((5, 3))
        assert layer.output_shape == shape
        y = layer.forward(x)
        assert (tuple(a.shape[1:] for a in y) if isinstance(y, list) else y.shape[1:]) == shape
    assert scratch.LSTM(4).compute_mask(x, mask) is None
    assert scratch.LSTM(4, return_sequences=True).compute_mask(x, mask) is mask
    assert scratch.LSTM(4, return_sequences=True, return_state=True).compute_mask(x, mask) == [mask, None, None]


def test_recurrent_errors(rng):
    layer = scratch.LSTM(3, name="memory")
    with pytest.raises(CallOrderError, match="LSTM 'memory': expected forward before backward"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(CallOrderError, match="forward before gates"):
        _ = layer.gates
    with pytest.raises(ShapeError, match=r"x of shape \(N, T, D\), T ≥ 1, received shape \(2, 4\)"):
        layer.forward(rng.random((2, 4)))
    with pytest.raises(ShapeError, match="T ≥ 1"):
        layer.forward(rng.random((2, 0, 4)))
    with pytest.raises(ShapeError, match=r"x of shape \(N, T, D\), received shape \(N, 4\)"):
        layer.build((4,))
    with pytest.raises(ShapeError, match=r"\(N, 5, None\)"):
        layer.build((5, None))
    layer.forward(rng.random((2, 5, 4)))  # a wrong first call does not spoil the layer
    layer.forward(rng.random((2, 7, 4)))  # nor does it fix the number of time steps
    with pytest.raises(ShapeError, match=r"x of shape \(N, T, 4\), T ≥ 1, received shape \(2, 5, 3\)"):
        layer.forward(rng.random((2, 5, 3)))
    with pytest.raises(InvalidValueError, match=r"x without NaN or infinity, received nan at index \(0, 1, 0\)"):
        layer.forward(np.array([[[0, 0, 0, 0], [np.nan, 0, 0, 0]]]))
    with pytest.raises(ShapeError, match=r"the list \[x, h0, c0\], received a list of 2"):
        layer.forward([rng.random((2, 5, 4)), np.ones((2, 3))])
    with pytest.raises(ShapeError, match=r"c0 of shape \(2, 3\), received shape \(2, 4\)"):
        layer.forward([rng.random((2, 5, 4)), np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(InvalidValueError, match="h0 without NaN"):
        layer.forward([rng.random((2, 5, 4)), np.full((2, 3), np.inf), np.ones((2, 3))])
    with pytest.raises(ShapeError, match=r"mask \(N, T\) of shape \(2, 5\)"):
        layer.forward(rng.random((2, 5, 4)), mask=np.ones((2, 4), bool))
    layer.forward(rng.random((2, 5, 4)))
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(2, 3\)"):
        layer.backward(np.ones((2, 5, 3)))
    with_state = scratch.GRU(3, return_state=True)
    with_state.forward(rng.random((2, 5, 4)))
    with pytest.raises(ShapeError, match=r"the list \[dy, dh\], received one ndarray"):
        with_state.backward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"the list \[dy, dh\], received a list of 3"):
        with_state.backward([None, None, None])
    fixed = scratch.SimpleRNN(3)
    fixed.build((5, 4))
    with pytest.raises(ShapeError, match=r"x of shape \(N, 5, 4\)"):
        fixed.forward(rng.random((2, 6, 4)))


def test_option_errors():
    with pytest.raises(InvalidValueError, match="units as a positive integer"):
        scratch.LSTM(0)
    with pytest.raises(InvalidValueError, match="truncate as a positive integer"):
        scratch.GRU(2, truncate=0)
    with pytest.raises(InvalidValueError, match="an activation"):
        scratch.LSTM(2, recurrent_activation="hard")
    with pytest.raises(TypeError, match="dropout"):
        scratch.LSTM(2, dropout=0.5)
