from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

LOSSES = {
    "mean_squared_error": ("linear", "MeanSquaredError"),
    "binary_crossentropy": ("sigmoid", "BinaryCrossentropy"),
    "categorical_crossentropy": ("softmax", "CategoricalCrossentropy"),
    "sparse_categorical_crossentropy": ("softmax", "SparseCategoricalCrossentropy"),
}


def targets(loss, rng, n, classes):
    labels = rng.integers(0, classes, n)
    return {
        "mean_squared_error": rng.standard_normal((n, classes)),
        "binary_crossentropy": rng.integers(0, 2, (n, classes)).astype(float),
        "categorical_crossentropy": np.eye(classes)[labels],
        "sparse_categorical_crossentropy": labels,
    }[loss]


def small(loss="sparse_categorical_crossentropy", optimizer="adam", **options):
    net = scratch.Sequential([scratch.Dense(8, "relu"), scratch.Dense(3, "softmax")], input_shape=(4,), **options)
    net.compile(optimizer, loss)
    return net


@pytest.mark.parametrize("loss", LOSSES)
@given(
    sizes=st.lists(st.integers(2, 8), min_size=1, max_size=3),
    activations=st.lists(
        st.sampled_from(["linear", "relu", "sigmoid", "tanh", "gelu", "softmax"]), min_size=3, max_size=3
    ),
    initializer=st.sampled_from(["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]),
    d=st.integers(1, 8),
    n=st.integers(1, 6),
    classes=st.integers(2, 5),
    scale=st.sampled_from([1, 1, 40]),
    seed=st.integers(0, 2**32 - 1),
)
def test_initialised_network_matches_keras(
    loss, sizes, activations, initializer, d, n, classes, scale, seed, keras_twin
):
    """Outputs, loss and every gradient; scale 40 saturates the softmax, where the fused loss counts."""
    import keras

    rng = np.random.default_rng(seed)
    last, keras_loss = LOSSES[loss]
    network = scratch.Sequential(
        [
            *(scratch.Dense(m, f, kernel_initializer=initializer) for m, f in zip(sizes, activations)),
            scratch.Dense(classes, kernel_regularizer=scratch.L2(0.02)),
            {"linear": scratch.Linear, "sigmoid": scratch.Sigmoid, "softmax": scratch.Softmax}[last](),
        ],
        input_shape=d,
        seed=seed,
        dtype="float64",
    )
    network.compile(loss=loss)
    for p in network.params.values():
        p *= scale
    twin = keras_twin(network, getattr(keras.losses, keras_loss)(dtype="float64"))
    x, y = rng.standard_normal((n, d)), targets(loss, rng, n, classes)

    np.testing.assert_allclose(network.forward(x), twin(x), rtol=1e-10, atol=1e-12)
    value, grads = network.loss_and_gradients(x, y)
    expected_value, expected = twin.loss_and_gradients(x, y)
    np.testing.assert_allclose(value, expected_value, rtol=1e-10)
    size = max(np.abs(g).max() for g in expected)
    for (key, g), keras_g in zip(grads.items(), expected, strict=True):
        np.testing.assert_allclose(g, keras_g, rtol=1e-8, atol=1e-10 * max(size, 1), err_msg=key)


def test_fit_matches_keras_fit():
    """Same weights, same batches, float32: losses, accuracies and weights of plain ``fit`` agree."""
    import keras

    from toolkit import bridge

    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype(int) + (x[:, 0] > 1)
    net = small()
    model = bridge.to_keras(net)
    model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"epochs": 3, "batch_size": 16, "shuffle": False}
    ours = net.fit(x, y, validation_split=0.2, **options)
    theirs = model.fit(x, y, validation_split=0.2, verbose=0, **options)
    assert ours.history.keys() == theirs.history.keys()
    for name, values in ours.history.items():
        np.testing.assert_allclose(values, theirs.history[name], rtol=1e-4, err_msg=name)
    for w, expected in zip(net.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-3, atol=1e-5)


def test_sequential_matches_hand_example():
    # 2-2-2: z1 = xW1 + b1 = (1·1 + 2·0.5, 1·(−1) + 2·2 − 1) = (2, 2), a1 = relu = (2, 2)
    # z2 = a1 W2 = (2·1 + 2·0, 2·0 + 2·1) = (2, 2), p = (½, ½), loss = ln 2.
    # Backward, label 0: dz2 = p − (1, 0) = (−½, ½); dW2 = a1ᵀdz2 = [[−1, 1], [−1, 1]]; da1 = dz2 W2ᵀ = (−½, ½)
    # dz1 = da1; dW1 = xᵀdz1 = [[−½, ½], [−1, 1]].
    net = scratch.Sequential(
        [
            scratch.Dense(2, "relu", kernel_initializer=[[1, -1], [0.5, 2]], bias_initializer=[0, -1]),
            scratch.Dense(2, "softmax", kernel_initializer=np.eye(2)),
        ],
        input_shape=2,
        dtype="float64",
    )
    net.compile(loss="sparse_categorical_crossentropy")
    loss, grads = net.loss_and_gradients([[1.0, 2.0]], [0])
    assert np.isclose(loss, np.log(2))
    np.testing.assert_allclose(grads["dense_1/W"], [[-1, 1], [-1, 1]])
    np.testing.assert_allclose(grads["dense_1/b"], [-0.5, 0.5])
    np.testing.assert_allclose(grads["dense/W"], [[-0.5, 0.5], [-1, 1]])
    np.testing.assert_allclose(grads["dense/b"], [-0.5, 0.5])


@pytest.mark.parametrize("loss", LOSSES)
def test_sequential_gradient(loss, rng):
    net = scratch.Sequential(
        [
            scratch.Dense(4, "tanh", kernel_regularizer=scratch.L2(0.1)),
            scratch.Dropout(0.3),
            scratch.Dense(3, LOSSES[loss][0]),
        ],
        input_shape=5,
    )
    net.compile(loss=loss)
    x, y = rng.standard_normal((6, 5)), targets(loss, rng, 6, 3)
    scratch.gradient_check(net, x, y)
    scratch.gradient_check(net, x, y, training=True)


def test_backward_returns_dx(rng):
    net = small(dtype="float64")
    x, dy = rng.standard_normal((2, 4)), rng.standard_normal((2, 3))
    net.forward(x)
    numeric = scratch.numerical_gradient(lambda values: float((net.forward(values) * dy).sum()), x)
    net.forward(x)
    scratch.compare_gradients(net.backward(dy), numeric)


def test_names_are_numbered_as_in_keras():
    net = scratch.Sequential([scratch.Dense(3), scratch.ReLU(), scratch.Dense(2), scratch.Dense(2, name="dense_1")])
    assert [layer.name for layer in net.layers] == ["dense", "re_lu", "dense_2", "dense_1"]
    assert [layer.name for layer in scratch.Sequential([net.layers[2], net.layers[0]]).layers] == ["dense", "dense_1"]


def test_same_seed_same_network_and_training(rng):
    x, y = rng.random((40, 4)), rng.integers(0, 3, 40)
    runs = []
    for seed in (5, 5, 6):
        net = scratch.Sequential(
            [scratch.Dense(8, "relu"), scratch.Dropout(0.5), scratch.Dense(3, "softmax")], input_shape=4, seed=seed
        )
        net.compile("adam", "sparse_categorical_crossentropy")
        net.fit(x, y, epochs=2, batch_size=8)
        runs.append(net.get_weights())
    assert all((a == b).all() for a, b in zip(runs[0], runs[1], strict=True))
    assert (runs[0][0] != runs[2][0]).any()


def test_a_layer_more_does_not_change_the_initial_values_before_it():
    short = scratch.Sequential([scratch.Dense(3)], input_shape=4)
    long = scratch.Sequential([scratch.Dense(3), scratch.Dense(2)], input_shape=4)
    np.testing.assert_array_equal(short.layers[0].params["W"], long.layers[0].params["W"])


def test_learns_to_classify(rng):
    x = rng.standard_normal((600, 4))
    y = np.argmax(x[:, :3], axis=1)
    net = small(scratch.SparseCategoricalCrossentropy(), scratch.Adam(0.01))
    history = net.fit(x[:500], y[:500], epochs=30, validation_data=(x[500:], y[500:]))
    assert history.epochs == len(history.seconds) == 30
    assert len(history.batch_loss) == 30 * 16
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    assert net.evaluate(x[500:], y[500:])["accuracy"] == history.history["val_accuracy"][-1] > 0.9
    assert "val_accuracy" in repr(history)


def test_predict_and_evaluate_do_not_depend_on_the_batch_size(rng):
    x, y = rng.random((50, 4)), rng.integers(0, 3, 50)
    net = small(dtype="float64")
    np.testing.assert_allclose(net.predict(x, batch_size=7), net.forward(x))
    for name, value in net.evaluate(x, y, batch_size=7).items():
        assert np.isclose(value, net.evaluate(x, y)[name])


@pytest.mark.parametrize(
    ("loss", "y_pred", "y", "accuracy"),
    [
        (scratch.BinaryCrossentropy(), [[0.9], [0.2], [0.6]], [1, 0, 0], 2 / 3),
        (scratch.BinaryCrossentropy(from_logits=True), [[0.3], [-0.2], [0.6]], [1, 0, 0], 2 / 3),
        (scratch.CategoricalCrossentropy(), [[0.1, 0.9], [0.6, 0.4]], [[0, 1], [0, 1]], 1 / 2),
        (scratch.SparseCategoricalCrossentropy(), [[0.1, 0.9], [0.6, 0.4]], [[1], [0]], 1.0),
    ],
)
def test_accuracy_matches_hand_example(loss, y_pred, y, accuracy):
    net = scratch.Sequential([scratch.Linear()])
    net.compile(loss=loss)
    assert np.isclose(net.evaluate(y_pred, y)["accuracy"], accuracy)


def test_weights_round_trip_and_errors():
    net = small()
    weights = [w + 1 for w in net.get_weights()]
    net.set_weights(weights)
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))
    with pytest.raises(ShapeError, match="4 arrays"):
        net.set_weights(weights[:2])
    with pytest.raises(ShapeError, match=r"dense_1/b of shape \(3,\)"):
        net.set_weights([w * 0 for w in weights[:3]] + [np.zeros(4)])
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))
    with pytest.raises(CallOrderError, match="input_shape"):
        scratch.Sequential([scratch.Dense(2)]).set_weights([])


def test_summary_matches_hand_example():
    net = scratch.Sequential([scratch.Dense(128, "relu"), scratch.Dense(10, "softmax")], input_shape=784)
    # 784·128 + 128 and 128·10 + 10
    assert net.count_params() == 100_480 + 1_290 == 101_770
    for text in ("100,480", "1,290", "101,770", "(N, 128)", "dense_1 (Dense, softmax)"):
        assert text in net.summary()


def test_progress_is_silent_for_short_runs_and_on_request(rng, capsys):
    x, y = rng.random((20, 4)), rng.integers(0, 3, 20)
    small().fit(x, y, epochs=2)
    assert capsys.readouterr().out == ""
    small().fit(x, y, epochs=2, verbose=True)
    out = capsys.readouterr().out
    assert "epoch 2/2" in out
    assert "accuracy" in out


def test_on_epoch_end_sees_every_epoch(rng):
    seen = []
    small().fit(rng.random((8, 4)), [0] * 8, epochs=3, on_epoch_end=lambda epoch, m: seen.append((epoch, sorted(m))))
    assert seen == [(i, ["accuracy", "loss"]) for i in range(3)]


def test_structure_errors():
    dense = scratch.Dense(2)
    for layers, message in (
        ([], "at least one layer"),
        ([dense, dense], "twice"),
        ([scratch.Dense(2, name="a"), scratch.Dense(2, name="a")], "'a' 2 times"),
        ([lambda x: x], "layers of toolkit.scratch"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            scratch.Sequential(layers)
    built = scratch.Dense(2)
    built.build((5,))
    with pytest.raises(ShapeError, match=r"built for \(N, 3\)"):
        scratch.Sequential([scratch.Dense(3), built], input_shape=4)
    with pytest.raises(InvalidValueError, match="float32"):
        scratch.Sequential([scratch.Dense(2)], dtype="float16")


def test_training_errors(rng):
    x, y = rng.random((6, 4)), np.array([0, 1, 2, 0, 1, 2])
    net = small()
    for call, message in (
        (lambda: net.fit(x, y[:5]), r"\(6, 4\) and y of shape \(5,\)"),
        (lambda: net.fit(x[:0], y[:0]), "N ≥ 1"),
        (lambda: net.fit(x[:, :3], y), r"x of shape \(N, 4\)"),
        (lambda: net.loss_and_gradients(x, y[:2]), "as many targets as inputs"),
        (lambda: net.predict(x[:0]), "at least one sample"),
        (lambda: net.forward(x[0]), "batch axis"),
    ):
        with pytest.raises(ShapeError, match=message):
            call()
    for call, message in (
        (lambda: net.fit(x, y, epochs=0), "epochs as a positive integer"),
        (lambda: net.fit(x, y, batch_size=2.5), "batch_size as a positive integer"),
        (lambda: net.fit(x, y, validation_split=1.5), "validation_split"),
        (lambda: net.fit(x, y + 1), "3 at index"),
        (lambda: net.fit(np.where(x > 0.5, np.nan, x), y), "Dense 'dense': expected x without NaN"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            call()
    unprepared = scratch.Sequential([scratch.Dense(3)])
    with pytest.raises(CallOrderError, match="compile"):
        unprepared.loss_and_gradients(x, y)
    with pytest.raises(CallOrderError, match="compile"):
        unprepared.fit(x, y)
    for optimizer, loss in (("newton", "mse"), ("sgd", "hinge")):
        with pytest.raises(InvalidValueError, match="expected a"):
            unprepared.compile(optimizer, loss)


def test_divergence_is_reported_and_the_history_kept(rng):
    net = scratch.Sequential([scratch.Dense(1)], input_shape=2)
    net.compile(scratch.SGD(1e6), "mse")
    with np.errstate(all="ignore"), pytest.raises(InvalidValueError, match=r"smaller learning rate|without NaN"):
        net.fit(rng.random((8, 2)), rng.random((8, 1)), epochs=100)
    assert net.history.batch_loss
