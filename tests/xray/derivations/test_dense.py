from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.xray.derivations import derive, why_not
from toolkit.xray.derivations.operations import CURVES


def test_dense_matches_hand_example(call_layer):
    # x = (1, 2), W = ((1, −1), (0.5, 1)), b = (0, −2): p = (2, 1), z = (2, −1), a = (2, 0)
    # dy = (3, 5): dz = (3, 0); dW = xᵀdz = ((3, 0), (6, 0)); db = (3, 0); dx = dz Wᵀ = (3, 1.5)
    layer = keras.layers.Dense(2, "relu", dtype="float64")
    weights = [np.array([[1.0, -1.0], [0.5, 1.0]]), np.array([0.0, -2.0])]
    call = call_layer(layer, {"inputs": np.array([[1.0, 2.0]])}, weights=weights, dy=[np.array([[3.0, 5.0]])])
    derivation = derive(call)
    assert [step.title for step in derivation.forward] == ["product", "bias", "activation, relu"]
    assert [step.equation for step in derivation.forward] == [r"p = x\, W", "z = p + b", r"a = \max(z, 0)"]
    values = {name: array.tolist() for name, array in derivation.values.items() if name not in "Wb"}
    assert values == {"x": [[1, 2]], "p": [[2, 1]], "z": [[2, -1]], "a": [[2, 0]]}
    assert [step.equation for step in derivation.backward] == [
        r"dz = dy \odot [z > 0]",
        r"dp = dz,\quad db = \sum_{N} dz",
        r"dx = dp\, W^\top,\quad dW = x^\top\, dp",
    ]
    gradients = {name: array.tolist() for name, array in derivation.intermediate_gradients.items()}
    assert gradients == {
        "dy": [[3, 5]], "dz": [[3, 0]], "dp": [[3, 0]], "db": [3, 0], "dx": [[3, 1.5]], "dW": [[3, 0], [6, 0]],
    }  # fmt: skip
    assert derivation.dx[0] is derivation.intermediate_gradients["dx"]
    product = derivation.backward[-1]
    assert list(product.tensors) == ["x", "W", "dp", "dx", "dW"]
    assert product.spaces["W"] == r"\mathbb{R}^{D \times M}"
    assert [product.tensors[name].role for name in product.tensors] == [
        "input", "parameter", "gradient", "gradient", "gradient",
    ]  # fmt: skip


@given(
    rows=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    sizes=st.tuples(st.integers(1, 4), st.integers(2, 4)),
    activation=st.sampled_from([None, "relu", "tanh", "softmax", "sigmoid", "gelu"]),
    use_bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_dense_matches_keras(call_layer, check_derivation, rows, sizes, activation, use_bias, seed):
    D, M = sizes
    layer = keras.layers.Dense(M, activation, use_bias=use_bias, dtype="float64")
    x = np.random.default_rng(seed).standard_normal((*rows, D))
    derivation = check_derivation(call_layer(layer, {"inputs": x}, seed=seed))
    assert len(derivation.forward) == 1 + use_bias + (activation is not None)


@pytest.mark.parametrize("name", [*CURVES, "linear", "softmax"])
def test_activations_match_keras(call_layer, check_derivation, rng, name):
    z = 4 * rng.standard_normal((5, 6))
    check_derivation(call_layer(keras.layers.Activation(name, dtype="float64"), {"inputs": z}))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.ReLU(dtype="float64"),
        keras.layers.ReLU(6.0, dtype="float64"),
        keras.layers.ReLU(negative_slope=0.1, dtype="float64"),
        keras.layers.LeakyReLU(0.3, dtype="float64"),
        keras.layers.ELU(0.7, dtype="float64"),
        keras.layers.Softmax(axis=1, dtype="float64"),
    ],
    ids=lambda layer: layer.name,
)
def test_activation_layers_match_keras(call_layer, check_derivation, rng, layer):
    check_derivation(call_layer(layer, {"inputs": 4 * rng.standard_normal((3, 4, 2))}))


def test_masked_softmax_matches_keras(call_layer, check_derivation, rng):
    mask = rng.random((3, 5)) > 0.4
    call = call_layer(keras.layers.Softmax(dtype="float64"), {"inputs": rng.standard_normal((3, 5))}, {"mask": mask})
    derivation = check_derivation(call)
    assert [step.tensors["m"].role for step in (derivation.forward[0], derivation.forward[-1])] == ["mask", "mask"]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("both", [False, True])
def test_a_loss_may_send_its_gradient_past_the_activation(call_layer, rng, activation, both):
    layer = keras.layers.Dense(3, activation, dtype="float64")
    dlogits = rng.standard_normal((4, 3))
    call = call_layer(layer, {"inputs": rng.standard_normal((4, 2))}, dlogits=dlogits, without_dy=() if both else (0,))
    derivation = derive(call)
    x, W = call.inputs[0], call.weights["kernel"]
    dz = dlogits.copy()
    if both:
        a, dy = call.outputs[0], call.dy[0]
        through = a * (1 - a) * dy if activation == "sigmoid" else a * (dy - (dy * a).sum(axis=1, keepdims=True))
        dz += through
    np.testing.assert_allclose(derivation.intermediate_gradients["dz"], dz, rtol=1e-12)
    np.testing.assert_allclose(derivation.dx[0], dz @ W.T, rtol=1e-12)
    np.testing.assert_allclose(derivation.gradients["kernel"], x.T @ dz, rtol=1e-12)
    for name, gradient in derivation.autodiff().gradients.items():
        np.testing.assert_allclose(derivation.intermediate_gradients[name], gradient, rtol=1e-12, atol=1e-14)
    titles = [step.title for step in derivation.backward]
    expected = [f"activation, {activation}", "dz adds up"] if both else []
    assert titles == [*expected, "bias", "product"]


def test_gradient_stands_on_the_side_of_keras_where_rounding_decides(call_layer):
    # Keras found a = 1e-9 where NumPy may find −1e-9: the gradient passes, as in Keras. Elsewhere nothing is moved.
    from dataclasses import replace

    layer = keras.layers.Dense(3, "relu", dtype="float32")
    weights = [np.array([[1.0, 1.0, 1.0]], "float32"), np.array([-1.0 - 2e-7, -1.0 + 2e-7, -1.5], "float32")]
    call = call_layer(layer, {"inputs": np.ones((1, 1), "float32")}, weights=weights, dy=[np.ones((1, 3), "float32")])
    assert derive(call).intermediate_gradients["dz"].tolist() == [[0, 1, 0]]
    other = replace(call, outputs=(np.array([[1e-9, 0.0, 0.0]], "float32"),))
    assert derive(other).intermediate_gradients["dz"].tolist() == [[1, 0, 0]]
    far = replace(call, outputs=(np.array([[0.0, 0.0, 0.5]], "float32"),))
    assert derive(far).values["z"][0, 2] == -0.5


def test_frozen_weights_have_no_gradient(call_layer, check_derivation, rng):
    layer = keras.layers.Dense(3, dtype="float64")
    layer.trainable = False
    derivation = check_derivation(call_layer(layer, {"inputs": rng.standard_normal((4, 2))}))
    assert derivation.gradients == {}
    assert derivation.backward[-1].equation == r"dx = dp\, W^\top"


def test_without_a_gradient_there_is_no_backward_pass(call_layer, rng):
    call = call_layer(keras.layers.Dense(3, "tanh"), {"inputs": rng.standard_normal((4, 2))}, without_dy=(0,))
    derivation = derive(call)
    assert derivation.backward == ()
    assert derivation.dx == (None,)
    assert derivation.gradients == {}
    assert derivation.autodiff().gradients == {}


def test_integers_have_no_gradient(call_layer, check_derivation, rng):
    call = call_layer(keras.layers.Dense(3, dtype="float64"), {"inputs": rng.integers(0, 9, (4, 2))})
    assert check_derivation(call).dx == (None,)


class Doubled(keras.layers.Dense):
    """A subclass computes what it wants."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (keras.layers.Dense(2, lambda z: z), "activation"),
        (keras.layers.Dense(2, "mish"), "mish"),
        (keras.layers.Dense(2, dtype="mixed_float16"), "float16"),
        (keras.layers.Dense(2, activity_regularizer="l2"), "penalty"),
        (Doubled(2), "Doubled is none of the layers"),
        (keras.layers.ReLU(threshold=1.0), "threshold"),
        (keras.layers.ReLU(5.0), "maximum"),
        (keras.layers.Softmax((1, 2)), "several axes"),
    ],
)
def test_what_is_not_covered_is_refused_with_a_reason(call_layer, rng, layer, reason):
    ndim = 3 if isinstance(layer, keras.layers.Softmax) else 2
    call = call_layer(layer, {"inputs": rng.standard_normal((2, 3, 4)[:ndim]).astype("float32")}, without_dy=(0,))
    assert derive(call) is None
    assert reason in why_not(call)


def test_low_rank_kernels_are_refused(call_layer, rng):
    layer = keras.layers.Dense(4)
    layer.build((None, 3))
    layer.enable_lora(2)
    assert "low-rank" in why_not(call_layer(layer, {"inputs": rng.standard_normal((2, 3))}))
