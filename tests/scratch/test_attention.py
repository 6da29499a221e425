from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch._optimizers import get_optimizer

# Keras warns of a softmax over a single key.
one_key = pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")


def sequences(rng, n, Tq, Tk, dims):
    """Query ``(n, Tq, dims[0])``, then value and perhaps key, ``(n, Tk, …)``."""
    return [rng.standard_normal((n, Tq if k == 0 else Tk, d)) for k, d in enumerate(dims)]


def random_masks(rng, x, which):
    """A mask for each input where ``which`` says so, else None; whole rows of padding occur."""
    return [rng.random(values.shape[:2]) < 0.6 if masked else None for values, masked in zip(x, which)]


class Replay:
    """Stands for the random generator: the same numbers at every call."""

    def __init__(self, keep):
        self.keep = keep

    def random(self, shape, dtype):
        assert self.keep.shape == shape
        return self.keep.astype(dtype)


def keras_keeps(shape, rate, seed):
    """Where Keras's first dropout of this seed keeps a number: 1, else 0."""
    import keras

    return keras.random.dropout(np.ones(shape), rate, seed=keras.random.SeedGenerator(seed)).numpy() > 0


# ---------------------------------------------------------------------- Attention


def test_attention_matches_hand_example():
    # Two queries, two keys, D = 4, so √D = 2.
    #   S = QKᵀ/2 = [[ln 3, 0], [0, ln 4]], so A = [[3/4, 1/4], [1/5, 4/5]] and, with V = [[4, 0], [0, 20]],
    #   Y = AV = [[3, 5], [4/5, 16]].
    # Backward from dY = I: dV = Aᵀ; dA = Vᵀ; Σ dA⊙A = (3, 16) for the two rows, so
    #   dS = A ⊙ (dA − Σ) = [[3/4·(4 − 3), 1/4·(0 − 3)], [1/5·(0 − 16), 4/5·(20 − 16)]] = [[3/4, −3/4], [−16/5, 16/5]];
    #   dQ = dS K/2 halves it, dK = dSᵀQ/2.
    Q = np.array([[[2 * math.log(3), 0, 0, 0], [0, 2 * math.log(4), 0, 0]]])
    K = np.array([[[1.0, 0, 0, 0], [0, 1, 0, 0]]])
    V = np.array([[[4.0, 0], [0, 20]]])
    layer = scratch.Attention(scaled=True)
    layer.build(((2, 4), (2, 2), (2, 4)), dtype="float64")
    np.testing.assert_allclose(layer.forward([Q, V, K]), [[[3, 5], [0.8, 16]]])
    np.testing.assert_allclose(layer.attention_scores, [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]]])
    dQ, dV, dK = layer.backward(np.eye(2)[np.newaxis])
    np.testing.assert_allclose(dV, [[[3 / 4, 1 / 5], [1 / 4, 4 / 5]]])
    np.testing.assert_allclose(dQ, [[[3 / 8, -3 / 8, 0, 0], [-8 / 5, 8 / 5, 0, 0]]])
    log3, log4 = math.log(3), math.log(4)
    np.testing.assert_allclose(
        dK, [[[3 / 4 * log3, -16 / 5 * log4, 0, 0], [-3 / 4 * log3, 16 / 5 * log4, 0, 0]]], atol=1e-15
    )


@one_key
@given(
    n=st.integers(1, 4),
    Tq=st.integers(1, 5),
    Tk=st.integers(1, 5),
    D=st.integers(1, 6),
    M=st.integers(1, 6),
    with_key=st.booleans(),
    use_scale=st.booleans(),
    scaled=st.booleans(),
    causal=st.booleans(),
    masked=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_attention_matches_keras(
    assert_matches_keras, n, Tq, Tk, D, M, with_key, use_scale, scaled, causal, masked, seed
):
    import keras

    rng = np.random.default_rng(seed)
    x = sequences(rng, n, Tq, Tk, (D, M, D) if with_key else (D, D))
    masks = random_masks(rng, x, masked)

    def call(twin, x, training):
        # Keras has no division by √D: dividing the query does the same.
        query = x[0] / math.sqrt(D) if scaled else x[0]
        return twin([query, *x[1:]], mask=masks, training=training, use_causal_mask=causal)

    assert_matches_keras(
        scratch.Attention(use_scale, scaled=scaled, causal=causal),
        keras.layers.Attention(use_scale, dtype="float64"),
        *x,
        mask=masks,
        call=call,
    )


def test_attention_scores_match_keras(rng):
    import keras

    x = sequences(rng, 2, 3, 4, (5, 5))
    mask = [None, np.array([[True, True, False, False], [True, False, True, True]])]
    layer = scratch.Attention(causal=True)
    layer.forward(x, mask=mask)
    _, scores = keras.layers.Attention()(x, mask=mask, return_attention_scores=True, use_causal_mask=True)
    np.testing.assert_allclose(layer.attention_scores, scores, rtol=1e-6)


def test_attention_dropout_matches_keras(rng):
    import keras

    x = [values.astype("float64") for values in sequences(rng, 2, 3, 4, (5, 5))]
    twin = keras.layers.Attention(dropout=0.4, seed=7, dtype="float64")
    layer = scratch.Attention(dropout=0.4)
    layer.build(((3, 5), (4, 5)), dtype="float64")
    layer._rng = Replay(keras_keeps((2, 3, 4), 0.4, seed=7))
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y, twin(x, training=True), rtol=1e-10)
    assert not np.allclose(y, layer.forward(x))


def test_self_attention_adds_both_gradients(rng):
    x = rng.standard_normal((2, 4, 3))
    layer = scratch.Attention(scaled=True)
    layer.build(((4, 3), (4, 3)), dtype="float64")
    dy = rng.standard_normal(layer.forward([x, x]).shape)
    numeric = scratch.numerical_gradient(lambda values: (layer.forward([values, values]) * dy).sum(), x)
    layer.forward([x, x])
    scratch.compare_gradients(sum(layer.backward(dy)), numeric)


def test_scaled_attention_keeps_its_gradient_in_many_dimensions(rng):
    """Why √D: for D = 256 the plain product makes one weight nearly 1, and then hardly any gradient is left."""
    x = rng.standard_normal((50, 8, 256))
    sizes = {}
    for scaled in (False, True):
        layer = scratch.Attention(scaled=scaled)
        layer.forward([x, rng.standard_normal((50, 8, 256))])
        A = layer.attention_scores
        sizes[scaled] = (A * (1 - A)).mean()  # the derivative of a weight by its own score
    assert sizes[True] > 8 * sizes[False]


# ---------------------------------------------------------------------- MultiHeadAttention


def mha_twins(num_heads, key_dim, x, *, causal=False, **options):
    """The two layers, Keras's built, and how it is called."""
    import keras

    twin = keras.layers.MultiHeadAttention(num_heads, key_dim, dtype="float64", **options)
    twin.build(*(values.shape for values in x))  # a first call would take the masks off the tensors

    def call(twin, x, training):
        return twin(*x, training=training, use_causal_mask=causal)

    return scratch.MultiHeadAttention(num_heads, key_dim, causal=causal, **options), twin, call


@one_key
@given(
    n=st.integers(1, 3),
    Tq=st.integers(1, 5),
    Tk=st.integers(1, 5),
    dims=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    with_key=st.booleans(),
    num_heads=st.integers(1, 4),
    # Not 1: Keras 3.15 on TensorFlow takes a bias (H, 1) for one of the time steps where T = H (ops.add).
    key_dim=st.integers(2, 4),
    value_dim=st.none() | st.integers(2, 4),
    output_shape=st.sampled_from([None, 3, (2, 3)]),
    use_bias=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
    causal=st.booleans(),
    masked=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_multi_head_attention_matches_keras(
    assert_matches_keras, n, Tq, Tk, dims, with_key, num_heads, key_dim, causal, masked, seed, **options
):
    rng = np.random.default_rng(seed)
    x = sequences(rng, n, Tq, Tk, dims if with_key else dims[:2])
    layer, twin, call = mha_twins(num_heads, key_dim, x, causal=causal, **options)
    assert_matches_keras(layer, twin, *x, mask=random_masks(rng, x, masked), call=call)


def test_multi_head_attention_scores_match_keras(rng):
    """0 for forbidden pairs, also in the row of a padded query."""
    x = sequences(rng, 2, 3, 4, (5, 6))
    layer, twin, _ = mha_twins(2, 3, x, causal=True)
    value_mask = np.array([[True, True, False, False], [False, False, True, True]])  # query 0 of sample 1: no key
    layer.build(((3, 5), (4, 6)), dtype="float64")
    twin.set_weights(list(layer.weights.values()))
    layer.forward(x, mask=[None, value_mask])
    _, scores = twin(*x, value_mask=value_mask, use_causal_mask=True, return_attention_scores=True)
    assert layer.attention_scores.shape == (2, 2, 3, 4)
    np.testing.assert_allclose(layer.attention_scores, scores, rtol=1e-10)
    np.testing.assert_array_equal(layer.attention_scores[1, :, 0], 0)


def test_multi_head_attention_dropout_matches_keras(rng):
    x = sequences(rng, 2, 3, 4, (5, 6))
    layer, twin, call = mha_twins(2, 3, x, dropout=0.4, seed=7)
    layer.build(((3, 5), (4, 6)), dtype="float64")
    twin.set_weights(list(layer.weights.values()))
    layer._rng = Replay(keras_keeps((2, 2, 3, 4), 0.4, seed=7))
    np.testing.assert_allclose(layer.forward(x, training=True), call(twin, x, True), rtol=1e-10)


def test_one_head_with_identity_projections_is_scaled_attention(rng):
    x = rng.standard_normal((2, 5, 4))
    heads = scratch.MultiHeadAttention(1, 4, use_bias=False)
    heads.build(((5, 4), (5, 4)), dtype="float64")
    for name, W in heads.params.items():
        W[...] = np.eye(4).reshape(W.shape)
        assert name in {"Wq", "Wk", "Wv", "Wo"}
    plain = scratch.Attention(scaled=True)
    plain.build(((5, 4), (5, 4)), dtype="float64")
    np.testing.assert_allclose(heads.forward([x, x]), plain.forward([x, x]), rtol=1e-12)
    np.testing.assert_allclose(heads.attention_scores[:, 0], plain.attention_scores, rtol=1e-12)
    dy = rng.standard_normal(x.shape)
    for a, b in zip(heads.backward(dy), plain.backward(dy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_multi_head_attention_weights_are_keras_weights_by_name():
    import keras

    twin = keras.layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=4)
    twin.build((None, 7, 6), (None, 8, 9), (None, 8, 10))
    layer = scratch.MultiHeadAttention(2, 3, 5, output_shape=4)
    layer.build(((7, 6), (8, 9), (8, 10)))
    letters = {"query": "q", "key": "k", "value": "v", "attention_output": "o", "kernel": "W", "bias": "b"}
    for (name, array), weight in zip(layer.params.items(), twin.weights, strict=True):
        part, kind = weight.path.split("/")[-2:]
        assert (name, array.shape) == (letters[kind] + letters[part], tuple(weight.shape))
    assert layer.count_params() == twin.count_params()


def test_multi_head_attention_draws_kernels_of_keras_size():
    import keras

    twin = keras.layers.MultiHeadAttention(4, 16)
    twin.build((None, 5, 64), (None, 5, 64))
    layer = scratch.MultiHeadAttention(4, 16)
    layer.build(((5, 64), (5, 64)))
    for array, weight in zip(layer.params.values(), twin.get_weights(), strict=True):
        # Both uniform in ±ℓ: of over 4,000 numbers the largest lies within a percent of ℓ.
        assert np.abs(array).max() == pytest.approx(np.abs(weight).max(), rel=0.02)


# ---------------------------------------------------------------------- AdditiveAttention


def test_additive_attention_matches_hand_example():
    # One query, two keys, D = 1, v = 2 ln 3; the keys are artanh(1/2) and 0, so that U = tanh(Q + K) = [1/2, 0].
    #   S = U v = [ln 3, 0], so A = [3/4, 1/4] and, with V = [4, 0], Y = 3.
    # Backward from dY = 1: dV = A; dA = V, Σ dA⊙A = 3, so dS = [3/4·(4 − 3), 1/4·(0 − 3)] = [3/4, −3/4];
    #   dv = Σ dS U = 3/8; dZ = dS v (1 − U²) = [9/8 ln 3, −3/2 ln 3] = dK, and dQ is its sum, −3/8 ln 3.
    Q, K, V = np.zeros((1, 1, 1)), np.array([[[math.atanh(0.5)], [0.0]]]), np.array([[[4.0], [0.0]]])
    layer = scratch.AdditiveAttention()
    layer.build(((1, 1), (2, 1), (2, 1)), dtype="float64")
    layer.params["scale"] = np.array([2 * math.log(3)])
    np.testing.assert_allclose(layer.forward([Q, V, K]), [[[3]]])
    np.testing.assert_allclose(layer.attention_scores, [[[3 / 4, 1 / 4]]])
    dQ, dV, dK = layer.backward(np.ones((1, 1, 1)))
    np.testing.assert_allclose(dV, [[[3 / 4], [1 / 4]]])
    np.testing.assert_allclose(layer.grads["scale"], [3 / 8])
    np.testing.assert_allclose(dQ, [[[-3 / 8 * math.log(3)]]])
    np.testing.assert_allclose(dK, [[[9 / 8 * math.log(3)], [-3 / 2 * math.log(3)]]])


@one_key
@given(
    n=st.integers(1, 4),
    Tq=st.integers(1, 5),
    Tk=st.integers(1, 5),
    D=st.integers(1, 6),
    M=st.integers(1, 6),
    with_key=st.booleans(),
    use_scale=st.booleans(),
    causal=st.booleans(),
    masked=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_additive_attention_matches_keras(
    assert_matches_keras, n, Tq, Tk, D, M, with_key, use_scale, causal, masked, seed
):
    import keras

    rng = np.random.default_rng(seed)
    x = sequences(rng, n, Tq, Tk, (D, M, D) if with_key else (D, D))
    masks = random_masks(rng, x, masked)
    assert_matches_keras(
        scratch.AdditiveAttention(use_scale, causal=causal),
        keras.layers.AdditiveAttention(use_scale, dtype="float64"),
        *x,
        mask=masks,
        call=lambda twin, x, training: twin([*x], mask=masks, training=training, use_causal_mask=causal),
    )


# ---------------------------------------------------------------------- all of them

LAYERS = {
    "attention": lambda **options: scratch.Attention(scaled=True, **options),
    "learned scale": lambda **options: scratch.Attention(True, **options),
    "additive": scratch.AdditiveAttention,
    "multi-head": lambda **options: scratch.MultiHeadAttention(2, 3, **options),
}
every = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@every
def test_attention_gradient(make, rng):
    x = sequences(rng, 2, 3, 4, (3, 2, 3))
    masks = [np.array([[1, 1, 0], [1, 1, 1]], bool), np.array([[1, 0, 1, 0], [1, 1, 1, 1]], bool)]
    scratch.gradient_check(make(), x)
    report = scratch.gradient_check(make(causal=True), x, mask=masks)
    assert {"dx1", "dx2", "dx3"} <= report.errors.keys()


def test_multi_head_attention_gradient_where_no_key_is_left(rng):
    x = sequences(rng, 2, 2, 3, (3, 3))
    value_mask = np.array([[0, 0, 0], [1, 0, 1]], bool)
    for dropout in (0.0, 0.5):  # the mean of the values; nothing
        layer = scratch.MultiHeadAttention(2, 3, dropout=dropout)
        scratch.gradient_check(layer, x, mask=[None, value_mask])
        assert (layer.forward(x, mask=[None, value_mask])[0] == 0).all() == (dropout > 0)


def test_attention_ignores_the_mask_where_no_key_is_left(rng):
    x = sequences(rng, 1, 2, 3, (3, 3))
    layer = scratch.Attention()
    layer.build(((2, 3), (3, 3)), dtype="float64")
    y, dx = layer.forward(x), layer.backward(np.ones((1, 2, 3)))
    # −10⁹ + S keeps seven decimal places of S.
    np.testing.assert_allclose(layer.forward(x, mask=[None, np.zeros((1, 3), bool)]), y, atol=1e-6)
    for gradient, expected in zip(layer.backward(np.ones((1, 2, 3))), dx, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_attention_in_float32_gives_the_mean_where_no_key_is_left(rng):
    """−10⁹ + S has no decimal places of S left: all scores are equal, as in Keras."""
    import keras
    import tensorflow as tf

    x = [values.astype("float32") for values in sequences(rng, 1, 2, 3, (3, 3))]
    y = scratch.Attention().forward(x, mask=[None, np.zeros((1, 3), bool)])
    np.testing.assert_allclose(y, np.broadcast_to(x[1].mean(axis=1, keepdims=True), y.shape), rtol=1e-6)
    expected = keras.layers.Attention()([tf.constant(a) for a in x], mask=[None, tf.zeros((1, 3), tf.bool)])
    np.testing.assert_allclose(y, expected.numpy(), rtol=1e-6)


@every
def test_attention_gradient_with_dropout(make, rng):
    x = sequences(rng, 2, 3, 4, (3, 3))
    scratch.gradient_check(make(dropout=0.5), x, training=True)
    assert (make(dropout=0.5).forward(x, training=True) != make().forward(x)).any()


@every
def test_causal_attention_does_not_look_ahead(make, rng):
    x = rng.standard_normal((1, 6, 3))
    changed = x.copy()
    changed[:, 4:] += 1
    layer = make(causal=True)
    before, after = layer.forward([x, x]), layer.forward([changed, changed])
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any()
    assert (np.triu(layer.attention_scores, 1) == 0).all()
    np.testing.assert_allclose(layer.attention_scores.sum(axis=-1), 1, rtol=1e-6)


@every
def test_padding_has_no_influence(make, rng):
    x = rng.standard_normal((2, 5, 3))
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    changed = np.where(mask[..., np.newaxis], x, 1e3)
    layer = make()
    masks = [mask, mask]
    before, after = layer.forward([x, x], mask=masks), layer.forward([changed, changed], mask=masks)
    np.testing.assert_array_equal(before[mask], after[mask])
    np.testing.assert_array_equal(layer.compute_mask([x, x], masks), mask)
    assert layer.compute_mask([x, x]) is None
    assert layer.compute_mask([x, x], [None, mask]) is None


@every
def test_attention_computes_in_its_dtype_and_keeps_its_inputs(make, rng):
    x = [values.astype("float32") for values in sequences(rng, 2, 3, 4, (3, 3))]
    kept = [values.copy() for values in x]
    masks = [np.array([[1, 1, 0]] * 2, bool), np.array([[1, 1, 0, 1]] * 2, bool)]
    for dtype in ("float32", "float64"):
        layer = make(causal=True, dropout=0.5)
        layer.build(((3, 3), (4, 3)), dtype=dtype)
        y = layer.forward(x, training=True, mask=masks)
        dx = layer.backward(np.ones_like(y))
        arrays = [y, *dx, layer.attention_scores, *layer.grads.values()]
        assert {array.dtype.name for array in arrays} == {dtype}
        assert layer.grads.keys() == layer.params.keys()
        assert all(isinstance(g, np.ndarray) and g.shape == layer.params[k].shape for k, g in layer.grads.items())
    for values, before in zip(x, kept):
        np.testing.assert_array_equal(values, before)


@every
def test_attention_takes_any_number_of_time_steps(make, rng):
    layer = make()
    layer.build(((None, 3), (None, 3)))
    for T in (2, 5):
        x = rng.standard_normal((1, T, 3))
        assert layer.forward([x, x]).shape == (1, T, 3)
        assert [dx.shape for dx in layer.backward(x)] == [(1, T, 3)] * 2


@every
def test_backward_without_dx_fills_the_gradients(make, rng):
    x = rng.standard_normal((1, 4, 3))
    layer = make()
    dy = rng.standard_normal(layer.forward([x, x]).shape)
    layer.backward(dy)
    expected = {name: gradient.copy() for name, gradient in layer.grads.items()}
    assert layer.backward(dy, needs_dx=False) is None
    for name, gradient in layer.grads.items():
        np.testing.assert_array_equal(gradient, expected[name])


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_every_optimizer_moves_the_learned_scale(name, rng):
    x = rng.standard_normal((1, 4, 3))
    layer = scratch.Attention(use_scale=True)
    layer.forward([x, x])
    layer.backward(rng.standard_normal((1, 4, 3)))
    get_optimizer(name).step(layer.params, layer.grads)
    moved = float(layer.params["scale"] - 1)
    assert np.sign(moved) == -np.sign(layer.grads["scale"])
    assert layer.params["scale"].shape == ()


@every
def test_attention_errors(make, rng):
    x, longer = rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 5, 3))
    with pytest.raises(CallOrderError, match="Call forward"):
        make().backward(x)
    with pytest.raises(CallOrderError, match="Call forward"):
        _ = make().attention_scores
    with pytest.raises(ShapeError, match=r"\[query, value\] or \[query, value, key\], received one ndarray.*\[x, x\]"):
        make().forward(x)
    with pytest.raises(ShapeError, match="received a list of 4"):
        make().forward([x, x, x, x])
    with pytest.raises(ShapeError, match=r"received one x of shape \(N, 4, 3\).*Sequential"):
        scratch.Sequential([make()], input_shape=(4, 3))
    with pytest.raises(ShapeError, match=r"shapes \(N, 4, 3\), \(N, 4\)"):
        make().forward([x, x[..., 0]])
    with pytest.raises(ShapeError, match=r"same number Tk of time steps.*value \(N, 4, 3\) and key \(N, 5, 3\)"):
        make().forward([x, x, longer])
    with pytest.raises(ShapeError, match="same N"):
        make().forward([x, x[:1]])
    layer = make()
    layer.build(((None, 3), (None, 3), (None, 3)))
    with pytest.raises(ShapeError, match="same number Tk"):
        layer.forward([x, x, longer])
    with pytest.raises(ShapeError, match="3 inputs, received 2"):
        layer.forward([x, x])
    layer.forward([x, longer, longer])
    with pytest.raises(ShapeError, match=r"dy of the shape of y, \(2, 4, 3\)"):
        layer.backward(longer)
    with pytest.raises(ShapeError, match=r"mask \(N, T\) of shape \(2, 5\)"):
        layer.forward([x, longer, longer], mask=[None, np.ones((2, 4), bool)])
    with pytest.raises(ShapeError, match=r"\[query_mask, value_mask\], received one ndarray"):
        layer.forward([x, longer, longer], mask=np.ones((2, 4), bool))
    with pytest.raises(InvalidValueError, match="value without NaN"):
        layer.forward([x, longer * np.nan, longer])
    with pytest.raises(InvalidValueError, match=r"\[0, 1\)"):
        make(dropout=1.0)


def test_attention_sizes_errors(rng):
    with pytest.raises(ShapeError, match=r"same size D, received query \(N, 4, 3\) and value \(N, 4, 2\)"):
        scratch.Attention().forward([rng.random((1, 4, 3)), rng.random((1, 4, 2))])
    with pytest.raises(ShapeError, match=r"query and key with the same size D"):
        scratch.Attention().forward([rng.random((1, 4, 3)), rng.random((1, 4, 2)), rng.random((1, 4, 2))])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"num_heads": 0}, "num_heads"),
        ({"key_dim": 1.5}, "key_dim"),
        ({"value_dim": -1}, "value_dim"),
        ({"output_shape": (2, 0)}, "output_shape"),
        ({"output_shape": True}, "output_shape"),
    ],
)
def test_multi_head_attention_size_errors(options, name):
    with pytest.raises(InvalidValueError, match=f"{name} as a positive integer"):
        scratch.MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **options})


@every
def test_attention_stands_in_a_model(make, rng):
    x = scratch.Input((None, 3))
    model = scratch.Model(x, scratch.Dense(1)(make()([x, scratch.Dense(3)(x)])))
    model.compile("adam", "mse")
    scratch.gradient_check(model, rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 4, 1)))
