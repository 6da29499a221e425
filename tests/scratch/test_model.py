from __future__ import annotations

import copy

import numpy as np
import pytest

from toolkit import bridge, scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def residual(**options) -> scratch.Model:
    x = scratch.Input((4,))
    h = scratch.Dense(4, "tanh")(x)
    return scratch.Model(x, scratch.Dense(3, "softmax")(scratch.Add()([x, h])), **options)


def siamese() -> scratch.Model:
    """Two inputs through one layer, twice; the layer has a penalty."""
    a, b = scratch.Input((3,), name="a"), scratch.Input((3,), name="b")
    shared = scratch.Dense(3, "tanh", kernel_regularizer=scratch.L2(0.1), name="shared")
    h = scratch.Concatenate()([shared(a), shared(shared(b))])
    return scratch.Model([a, b], scratch.Dense(1)(h), dtype="float64")


# ---------------------------------------------------------------------- forward and backward


def test_residual_matches_hand_example():
    # h = 3x, y = x + h: at x = 2, y = 8. dL/dx is 1 along the shortcut and 3 along the branch; dW = x = 2.
    x = scratch.Input((1,))
    h = scratch.Dense(1, kernel_initializer=[[3.0]], name="h")(x)
    model = scratch.Model(x, scratch.Add()([x, h]), dtype="float64")
    np.testing.assert_array_equal(model.forward([[2.0]]), [[8]])
    np.testing.assert_array_equal(model.backward([[1.0]]), [[4]])
    np.testing.assert_array_equal(model.grads["h/W"], [[2]])


def test_shared_layer_matches_hand_example():
    # y = W(Wx) with W = 3, x = 2: y = 18, dy/dW = 2Wx = 12, dy/dx = W² = 9.
    x, layer = scratch.Input((1,)), scratch.Dense(1, use_bias=False, kernel_initializer=[[3.0]], name="twice")
    model = scratch.Model(x, layer(layer(x)), dtype="float64")
    np.testing.assert_array_equal(model.forward([[2.0]]), [[18]])
    np.testing.assert_array_equal(model.backward([[1.0]]), [[9]])
    np.testing.assert_array_equal(model.grads["twice/W"], [[12]])
    assert model.count_params() == 1


@pytest.mark.parametrize("make", [residual, siamese])
def test_model_gradient(make, rng):
    model = make()
    several = model.several_inputs
    x = [rng.random((5, 3)), rng.random((5, 3))] if several else rng.random((5, 4))
    model.compile(loss="mse" if several else "sparse_categorical_crossentropy")
    report = scratch.gradient_check(model, x, rng.random((5, 1)) if several else [0, 1, 2, 0, 1])
    assert report.errors.keys() == {f"{name[:-1]}d{name[-1]}" for name in model.params}


def test_dx_of_every_input(rng):
    model = siamese()
    x, dy = [rng.standard_normal((2, 3)), rng.standard_normal((2, 3))], rng.standard_normal((2, 1))
    model.forward(x)
    dx = model.backward(dy)
    for k in (0, 1):

        def objective(values, k=k):
            return float((model.forward([values if i == k else x[i] for i in (0, 1)]) * dy).sum())

        scratch.compare_gradients(dx[k], scratch.numerical_gradient(objective, x[k]))


def test_the_penalty_of_a_shared_layer_counts_once(rng):
    model = siamese()
    model.compile(loss="mse")
    x = [np.zeros((2, 3)), np.zeros((2, 3))]
    loss, grads = model.loss_and_gradients(x, np.zeros((2, 1)))
    W = model.params["shared/W"]
    np.testing.assert_allclose(loss, model.layers[0].kernel_regularizer.penalty(W))
    np.testing.assert_allclose(grads["shared/W"], model.layers[0].kernel_regularizer.gradient(W))


def test_softmax_that_others_use_too_is_not_fused_with_its_loss(rng):
    """The loss then starts from the probabilities: the other way out of the softmax has a gradient as well."""
    x = scratch.Input((3,))
    p = scratch.Dense(3, "softmax")(x)
    model = scratch.Model(x, [p, scratch.Dense(2)(p)])
    model.compile(loss=["sparse_categorical_crossentropy", "mse"], loss_weights=[0.5, 2])
    scratch.gradient_check(model, rng.random((4, 3)), [np.array([0, 1, 2, 1]), rng.random((4, 2))])


def test_an_output_without_gradient_counts_as_zero(rng):
    x = scratch.Input((3,))
    h = scratch.Dense(3, "tanh", name="h")(x)
    model = scratch.Model(x, [scratch.Dense(2, name="left")(h), scratch.Dense(2, name="right")(h)], dtype="float64")
    x, dy = rng.random((4, 3)), rng.random((4, 2))
    model.forward(x)
    dx, grads = model.backward([dy, None]), model.grads
    model.forward(x)
    np.testing.assert_array_equal(dx, model.backward([dy, np.zeros((4, 2))]))
    for key, gradient in model.grads.items():
        np.testing.assert_array_equal(grads[key], gradient)
    assert grads.keys() == model.params.keys()


def test_states_of_a_recurrent_layer_are_nodes(rng):
    x = scratch.Input((None, 2))
    y, h, c = scratch.LSTM(3, return_sequences=True, return_state=True, name="encoder")(x)
    assert (y.shape, h.shape, c.shape) == ((None, 3), (3,), (3,))
    decoded = scratch.LSTM(3, name="decoder")([y, h, c])
    model = scratch.Model(x, decoded)
    model.compile(loss="mse")
    scratch.gradient_check(model, rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 3)))
    assert model.forward(rng.random((3, 7, 2))).shape == (3, 3)


def test_a_layer_for_two_lengths_is_built_for_any(rng):
    a, b, embedding = scratch.Input((4,)), scratch.Input((6,)), scratch.Embedding(5, 2)
    pooled = [scratch.GlobalAveragePooling1D()(embedding(node)) for node in (a, b)]
    model = scratch.Model([a, b], scratch.Concatenate()(pooled))
    assert embedding.input_shape == (None,)
    assert model.forward([rng.integers(0, 5, (3, 4)), rng.integers(0, 5, (3, 6))]).shape == (3, 4)
    assert model.backward(rng.random((3, 4))) == [None, None]  # word numbers have no gradient


# ---------------------------------------------------------------------- training


def test_fit_of_several_inputs_and_outputs_matches_keras(rng):
    """Same weights, same batches, float32: loss, accuracy, validation and weights of plain ``fit`` agree."""
    import keras

    a, b = scratch.Input((3,), name="a"), scratch.Input((2,), name="b")
    h = scratch.Concatenate()([scratch.Dense(4, "relu")(a), scratch.Dense(4, "relu")(b)])
    model = scratch.Model([a, b], [scratch.Dense(3, "softmax", name="kind")(h), scratch.Dense(1, name="size")(h)])
    losses, weights = ["sparse_categorical_crossentropy", "mean_squared_error"], [1.0, 0.3]
    twin = bridge.to_keras(model)
    model.compile("adam", losses, weights)
    twin.compile(keras.optimizers.Adam(), losses, loss_weights=weights, metrics=[["accuracy"], []])
    x = [rng.standard_normal((50, d)).astype("float32") for d in (3, 2)]
    y = [rng.integers(0, 3, 50), rng.standard_normal((50, 1)).astype("float32")]
    options = {"epochs": 2, "batch_size": 8, "shuffle": False, "validation_split": 0.2}
    ours, theirs = model.fit(x, y, **options).history, twin.fit(x, y, verbose=0, **options).history
    assert ours.keys() == {"loss", "kind_accuracy", "val_loss", "val_kind_accuracy"}
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-4, err_msg=name)
    for w, expected in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-3, atol=1e-5)
    for prediction, expected in zip(model.predict(x, batch_size=7), twin.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(prediction, expected, rtol=1e-3, atol=1e-5)
    assert model.evaluate(x, y).keys() == {"loss", "kind_accuracy"}


def test_same_seed_same_network_and_training(rng):
    x, y = rng.random((20, 4)), rng.integers(0, 3, 20)
    runs = []
    for seed in (5, 5, 6):
        model = residual(seed=seed)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, batch_size=8)
        runs.append(model.get_weights())
    assert all((a == b).all() for a, b in zip(runs[0], runs[1], strict=True))
    assert (runs[0][0] != runs[2][0]).any()


def test_two_models_share_layers(rng):
    """A classifier and the part of it that makes features: training the one trains the other, and names stay."""
    x = scratch.Input((4,))
    h = scratch.Dense(3, "relu")(scratch.Dense(5, "relu")(x))
    classifier = scratch.Model(x, scratch.Dense(2, "softmax")(h))
    features = scratch.Model(x, h)
    names = ["dense", "dense_1", "dense_2"]
    assert [layer.name for layer in classifier.layers] == names
    assert [layer.name for layer in features.layers] == names[:2]
    tail_input = scratch.Input((3,))
    tail = scratch.Model(tail_input, classifier.layers[2](tail_input))
    assert list(tail.params) == ["dense_2/W", "dense_2/b"]
    classifier.compile("sgd", "sparse_categorical_crossentropy")
    x = rng.random((8, 4))
    classifier.fit(x, rng.integers(0, 2, 8))
    np.testing.assert_array_equal(tail.forward(features.forward(x)), classifier.forward(x))


def test_copies_are_independent_and_deep_graphs_can_be_copied(rng):
    node = x = scratch.Input((2,))
    for _ in range(300):
        node = scratch.Add()([node, scratch.ReLU()(node)])
    model = scratch.Model(x, scratch.Dense(1)(node))
    model.compile("sgd", "mse")
    twin = copy.deepcopy(model)
    before = model.get_weights()
    twin.train_step(-rng.random((3, 2)), rng.random((3, 1)))
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
    assert any((a != b).any() for a, b in zip(twin.get_weights(), before, strict=True))
    assert model.last_output is None


# ---------------------------------------------------------------------- structure


def test_layers_are_named_and_numbered_in_the_order_of_keras():
    x = scratch.Input((2,))
    short = scratch.Dense(2)(x)
    long = scratch.Dense(2)(scratch.Dense(2, name="first")(x))
    model = scratch.Model(x, scratch.Add()([short, long]))
    # The longest way to the output first: 'first' is two calls away, the other two are one, in the order of Add.
    assert [layer.name for layer in model.layers] == ["first", "dense", "dense_1", "add"]
    assert model.layers[1] is short.call.layer
    assert [layer.name for layer in bridge.to_keras(model).layers[1:]] == ["first", "dense", "dense_1", "add"]


def test_summary_matches_hand_example():
    x = scratch.Input((4,), name="pixels")
    h = scratch.BatchNormalization()(scratch.Dense(4, name="wide")(x))
    model = scratch.Model(x, scratch.Dense(2)(scratch.Add()([x, h])))
    # 4·4 + 4, of γ, β, mean and variance 4 each, 4·2 + 2
    assert model.count_params() == 20 + 16 + 10 == 46
    lines = model.summary().splitlines()
    assert lines[0].split("  ")[-1] == "called on"
    assert lines[2].split() == ["wide", "(Dense,", "linear)", "(N,", "4)", "20", "pixels"]
    assert lines[4].endswith("pixels + batch_normalization")
    assert lines[-1] == "46 parameters (38 trainable, 8 not), float32"
    assert [w.shape for w in model.get_weights()] == [(4, 4), (4,), (4,), (4,), (4,), (4,), (4, 2), (2,)]
    assert repr(model) == "<Model 'model': 4 layers, 46 parameters>"


def test_nodes_show_what_they_are():
    x = scratch.Input((None, 3), name="sentence")
    y = scratch.Dense(2)(x)
    assert (repr(x), repr(y)) == ("<Node 'sentence': (N, None, 3)>", "<Node 'dense': (N, None, 2)>")
    assert repr(y.call) == "<Call of Dense 'dense' on sentence>"
    assert scratch.Input(5).shape == (5,)


def test_graph_errors():
    a, b, c = scratch.Input((3,), name="a"), scratch.Input((3,), name="b"), scratch.Input((3,), name="a")
    both = scratch.Add()([a, b])
    inner = scratch.Dense(2)(a)
    for make, message in (
        (lambda: scratch.Model(a, both), r"none for 'b' \(N, 3\), which Add 'add' needs. Add this Input"),
        (lambda: scratch.Model(a, b), "which the output needs"),
        (lambda: scratch.Model([a, b], inner), "unused input 'b'"),
        (lambda: scratch.Model([a, c], scratch.Add()([a, c])), "every name once, received 'a' 2 times"),
        (lambda: scratch.Model([a, a], inner), "inputs, each once"),
        (lambda: scratch.Model(a, []), "outputs, each once, received none"),
        (lambda: scratch.Model((3,), inner), "inputs that are nodes"),
        (lambda: scratch.Model(a, scratch.Dense(2)), "outputs that are nodes"),
        (
            lambda: scratch.Model(a, scratch.Dense(2, name="d")(scratch.Dense(2, name="d")(a))),
            "every name once, received 'd' 2 times",
        ),
        (lambda: scratch.Add()([a, np.ones((2, 3))]), "nodes only, or arrays only, received ndarray"),
        (lambda: scratch.Dense(2)(a, training=True), "a call on nodes without options, received training=True"),
        (lambda: scratch.Input((3, 0)), "positive integers or None"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            make()


def test_a_part_of_a_call_cannot_be_an_input():
    x = scratch.Input((4, 2))
    y, h, _ = scratch.LSTM(3, return_sequences=True, return_state=True)(x)
    with pytest.raises(InvalidValueError, match="no layer of the model computes, received an output of 'lstm'"):
        scratch.Model([x, h], [scratch.Dense(1)(h), y])


def test_shape_errors(rng):
    x = scratch.Input((4,), name="x")
    for make, message in (
        (lambda: scratch.Add()([x, scratch.Input((3,))]), "Add 'add': expected inputs of one shape"),
        (lambda: scratch.LSTM(3)(x), r"LSTM 'lstm': expected x of shape \(N, T, D\)"),
        (lambda: scratch.Dense(3)(scratch.Input((None,))), r"Dense 'dense': expected .*received shape \(N, None\)"),
        (lambda: residual().forward(rng.random((2, 5))), r"Model 'model': expected input \(N, 4\), received \(2, 5\)"),
        (lambda: residual().forward(rng.random(4)), r"received \(4,\)"),
        (lambda: siamese().forward(rng.random((2, 3))), "x as a list of arrays, received ndarray"),
        (lambda: siamese().forward([rng.random((2, 3))]), r"a \(N, 3\), b \(N, 3\), received \(2, 3\)"),
        (lambda: siamese().forward([rng.random((2, 3)), rng.random((1, 3))]), r"received \(2, 3\), \(1, 3\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            make()
    built = scratch.Dense(2, name="built")
    built.build((5,))
    with pytest.raises(ShapeError, match=r"Dense 'built': expected x of shape \(N, 5\), received shape \(N, 4\)"):
        built(x)
    y = scratch.Dense(2, name="wide")(x)
    scratch.Model(x, y)
    with pytest.raises(ShapeError, match=r"built for \(N, 4\) in float64, received built for \(N, 4\) in float32"):
        scratch.Model(x, y, dtype="float64")


def test_training_errors(rng):
    model = siamese()
    x, y = [rng.random((4, 3)), rng.random((4, 3))], rng.random((4, 1))
    with pytest.raises(CallOrderError, match="forward before backward"):
        model.backward(y)
    with pytest.raises(CallOrderError, match="compile"):
        model.loss_and_gradients(x, y)
    with pytest.raises(InvalidValueError, match="each of 1 outputs, received 2 losses"):
        model.compile("sgd", ["mse", "mse"])
    model.compile("sgd", "mse")
    for call, message in (
        (lambda: model.fit(x[0], y), "x as a list of arrays"),
        (lambda: model.fit(x, y[:3]), r"x of shape \(4, 3\) and \(4, 3\) and y of shape \(3, 1\)"),
        (lambda: model.fit([x[0], x[1][:2]], y), "with the same N"),
        (lambda: model.loss_and_gradients(x, y[:3]), "as many targets as inputs, 4, received 3"),
    ):
        with pytest.raises(ShapeError, match=message):
            call()
    two = scratch.Model(x := scratch.Input((2,)), [scratch.Dense(1)(x), scratch.Dense(1)(x)])
    with pytest.raises(InvalidValueError, match="a loss and a weight for each of 2 outputs, received 1 losses"):
        two.compile("sgd", "mse")
    two.compile("sgd", ["mse", "mse"])
    with pytest.raises(ShapeError, match="a list with an element for each of 2 outputs"):
        two.train_step(rng.random((3, 2)), rng.random((3, 1)))
