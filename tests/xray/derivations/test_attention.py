from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.derivations import derive, why_not


def test_attention_matches_hand_example(call_layer):
    # Q = (1, 0)ᵀ, K = V: (ln 3, 0)ᵀ: S = ((ln 3, 0), (0, 0)); A = ((3/4, 1/4), (1/2, 1/2)); Y = (3/4 ln 3, 1/2 ln 3)
    # dY = (4, 0): dV = Aᵀ dY = (3, 1); dA = dY Vᵀ = ((4 ln 3, 0), (0, 0));
    # dS = A ⊙ (dA − Σ dA ⊙ A) = ((3/4 · ln 3, −1/4 · 3 ln 3), (0, 0)) = 3/4 ln 3 · ((1, −1), (0, 0))
    # dQ = dS K = (3/4 ln² 3, 0); dK = dSᵀ Q = 3/4 ln 3 · (1, −1); K and V are one tensor: 3 + 3/4 ln 3, 1 − 3/4 ln 3
    log3 = np.log(3.0)
    arguments = {"inputs": [np.array([[[1.0], [0.0]]]), np.array([[[log3], [0.0]]])]}
    call = call_layer(keras.layers.Attention(dtype="float64"), arguments, dy=[np.array([[[4.0], [0.0]]])])
    derivation = derive(call)
    assert [step.title for step in derivation.forward] == [
        "scores", "weights", "output: the weighted average of the values",
    ]  # fmt: skip
    close = {"rtol": 1e-14, "atol": 1e-15}
    np.testing.assert_allclose(derivation.values["S"][0], [[log3, 0], [0, 0]], **close)
    np.testing.assert_allclose(derivation.values["A"][0], [[0.75, 0.25], [0.5, 0.5]], **close)
    np.testing.assert_allclose(derivation.outputs[0][0, :, 0], [0.75 * log3, 0.5 * log3], **close)
    gradients = derivation.intermediate_gradients
    np.testing.assert_allclose(gradients["dA"][0], [[4 * log3, 0], [0, 0]], **close)
    np.testing.assert_allclose(gradients["dS"][0], 0.75 * log3 * np.array([[1, -1], [0, 0]]), **close)
    np.testing.assert_allclose(derivation.dx[0][0, :, 0], [0.75 * log3**2, 0], **close)
    np.testing.assert_allclose(derivation.dx[1][0, :, 0], [3 + 0.75 * log3, 1 - 0.75 * log3], **close)
    weights = derivation.backward[1]
    assert weights.equation == r"dS = A \odot (dA - \sum_{T_k} dA \odot A)"
    assert derivation.backward[-1].title == "dV adds up"


sizes = st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4))


def draw_mask(rng, shape):
    mask = rng.random(shape) > 0.4
    mask[:, 0] = True
    return mask


@pytest.mark.parametrize("kind", [keras.layers.Attention, keras.layers.AdditiveAttention])
@given(
    sizes=sizes,
    with_key=st.booleans(),
    use_scale=st.booleans(),
    masks=st.tuples(st.booleans(), st.booleans()),
    causal=st.booleans(),
    scores=st.booleans(),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 999),
)
def test_attention_matches_keras(
    kind, call_layer, check_derivation, sizes, with_key, use_scale, masks, causal, scores, dropout, seed
):
    (N, Tq, Tk), rng = sizes, np.random.default_rng(seed)
    inputs = [rng.standard_normal((N, Tq, 2)), rng.standard_normal((N, Tk, 3 if with_key else 2))]
    inputs += [rng.standard_normal((N, Tk, 2))] if with_key else []
    given_masks = [draw_mask(rng, x.shape[:2]) if has else None for x, has in zip(inputs, masks)]
    given_masks += [None] * (len(inputs) - 2)
    call = call_layer(
        kind(use_scale, dropout=dropout, dtype="float64"),
        {"inputs": inputs, "use_causal_mask": causal, "return_attention_scores": scores},
        {"mask": given_masks} if any(masks) else {},
        training=dropout > 0,
        seed=seed,
    )
    check_derivation(call)


@given(
    sizes=sizes,
    with_key=st.booleans(),
    masks=st.sets(st.sampled_from(["query", "value", "key", "attention"])),
    causal=st.booleans(),
    scores=st.booleans(),
    dropout=st.sampled_from([0.0, 0.4]),
    options=st.fixed_dictionaries(
        {
            "use_bias": st.booleans(),
            "value_dim": st.sampled_from([None, 4]),
            "output_shape": st.sampled_from([None, 5, (2, 3)]),
        }
    ),
    seed=st.integers(0, 999),
)
def test_multi_head_attention_matches_keras(
    call_layer, check_derivation, sizes, with_key, masks, causal, scores, dropout, options, seed
):
    (N, Tq, Tk), rng = sizes, np.random.default_rng(seed)
    arguments = {"query": rng.standard_normal((N, Tq, 3)), "value": rng.standard_normal((N, Tk, 4))}
    arguments |= {"key": rng.standard_normal((N, Tk, 2))} if with_key else {}
    given_masks = {f"{name}_mask": draw_mask(rng, arguments[name].shape[:2]) for name in masks if name in arguments}
    if "attention" in masks:
        given_masks["attention_mask"] = draw_mask(rng, (N, Tq, Tk))
    call = call_layer(
        keras.layers.MultiHeadAttention(2, 3, dropout=dropout, **options, dtype="float64"),
        arguments | {"use_causal_mask": causal, "return_attention_scores": scores},
        given_masks,
        training=dropout > 0,
        seed=seed,
    )
    check_derivation(call)


def test_scores_scaling_weights_and_output_are_steps(call_layer, rng):
    layer = keras.layers.MultiHeadAttention(2, 3)
    x = rng.standard_normal((2, 4, 6)).astype("float32")
    derivation = derive(call_layer(layer, {"query": x, "value": x, "use_causal_mask": True}))
    titles = [step.title for step in derivation.forward]
    wanted = ["query: heads first", "scores", "scaling", "mask: a pair that is not allowed loses", "weights"]
    assert [title for title in titles if title in wanted] == wanted
    assert derivation.values["A"].shape == (2, 2, 4, 4)
    assert (np.triu(derivation.values["A"], 1) == 0).all()


@pytest.mark.parametrize(
    ("layer", "inputs", "reason"),
    [
        (keras.layers.Attention(score_mode="concat"), {"inputs": [(1, 2, 3), (1, 2, 3)]}, "concat"),
        (keras.layers.MultiHeadAttention(1, 2, sliding_window=1), {"query": (1, 2, 3), "value": (1, 2, 3)}, "sliding"),
        (
            keras.layers.MultiHeadAttention(1, 2, attention_axes=(1, 2)),
            {"query": (1, 2, 2, 3), "value": (1, 2, 2, 3)},
            "more axes",
        ),
        (keras.layers.MultiHeadAttention(1, 2, use_gate=True), {"query": (1, 2, 3), "value": (1, 2, 3)}, "gated"),
    ],
)
def test_what_is_not_covered_is_refused_with_a_reason(call_layer, layer, inputs, reason):
    arguments = {
        name: [np.ones(shape, "float32") for shape in shapes]
        if isinstance(shapes, list)
        else np.ones(shapes, "float32")
        for name, shapes in inputs.items()
    }
    call = call_layer(layer, arguments)
    assert derive(call) is None
    assert reason in why_not(call)
