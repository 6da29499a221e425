from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

# name: (scratch optimiser, Keras class and its arguments)
PAIRS = {
    "sgd": (scratch.SGD(0.1), "SGD", {"learning_rate": 0.1}),
    "sgd_momentum": (scratch.SGD(0.05, 0.8), "SGD", {"learning_rate": 0.05, "momentum": 0.8}),
    "momentum": (scratch.Momentum(0.05, 0.9), "SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": (scratch.Nesterov(0.05, 0.9), "SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (scratch.RMSprop(0.01, rho=0.8), "RMSprop", {"learning_rate": 0.01, "rho": 0.8}),
    "adam": (scratch.Adam(0.01), "Adam", {"learning_rate": 0.01}),
    "adam_betas": (
        scratch.Adam(0.02, 0.7, 0.95, 1e-3),
        "Adam",
        {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3},
    ),
    "adamw": (scratch.AdamW(0.01, weight_decay=0.1), "AdamW", {"learning_rate": 0.01, "weight_decay": 0.1}),
}


def test_defaults_match_keras():
    import keras

    for ours, theirs in (
        (scratch.SGD(), keras.optimizers.SGD()),
        (scratch.RMSprop(), keras.optimizers.RMSprop()),
        (scratch.Adam(), keras.optimizers.Adam()),
        (scratch.AdamW(), keras.optimizers.AdamW()),
    ):
        for name in ("learning_rate", "momentum", "nesterov", "rho", "beta_1", "beta_2", "epsilon", "weight_decay"):
            if hasattr(ours, name):
                assert np.isclose(getattr(ours, name), float(getattr(theirs, name)), rtol=1e-6), (ours, name)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("seed", [0, 1])
def test_hundred_training_steps_match_keras(name, seed, keras_twin):
    """From the same weights and batches every weight agrees after every tenth step, in float64."""
    import copy

    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    d, hidden, classes, n = (int(rng.integers(low, low + 6)) for low in (3, 4, 2, 8))
    network = scratch.Sequential(
        [
            scratch.Dense(hidden, "tanh", kernel_regularizer=scratch.L2(0.01)),
            scratch.Dense(hidden, "relu", kernel_initializer="he_normal"),
            scratch.Dense(classes, "softmax"),
        ],
        input_shape=d,
        dtype="float64",
        seed=seed,
    )
    ours, keras_class, options = PAIRS[name]
    network.compile(copy.deepcopy(ours), "sparse_categorical_crossentropy")
    twin = keras_twin(network, keras.losses.SparseCategoricalCrossentropy(dtype="float64"))
    optimizer = getattr(keras.optimizers, keras_class)(**options)
    for step in range(100):
        x, y = rng.standard_normal((n, d)), rng.integers(0, classes, n)
        loss = network.train_step(x, y)
        expected_loss, gradients = twin.loss_and_gradients(x, y)
        optimizer.apply_gradients(zip(map(tf.constant, gradients), twin.model.trainable_variables))
        if step % 10 == 9:
            assert np.isclose(loss, expected_loss, rtol=1e-6)
            for w, expected in zip(network.get_weights(), twin.model.get_weights(), strict=True):
                np.testing.assert_allclose(w, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", PAIRS)
def test_optimizer_descends_a_bowl(name):
    import copy

    optimizer = copy.deepcopy(PAIRS[name][0])
    params = {"w": np.array([3.0, -2.0])}
    for _ in range(500):
        optimizer.step(params, {"w": 2 * params["w"]})
    assert np.abs(params["w"]).max() < 0.5
    assert optimizer.iterations == 500


def test_adam_first_step_is_the_learning_rate_in_the_direction_of_the_sign():
    # m = 0.1 g, v = 0.001 g²; corrected both are g and g²: the step is α·g/|g|.
    params = {"w": np.array([1.0, 1.0, 1.0])}
    scratch.Adam(0.1).step(params, {"w": np.array([5.0, -0.02, 300.0])})
    np.testing.assert_allclose(params["w"], [0.9, 1.1, 0.9], rtol=1e-4)


def test_momentum_matches_hand_example():
    # g = 1 twice, α = 0.1, μ = 0.5: v = −0.1, w = −0.1; then v = −0.05 − 0.1 = −0.15, w = −0.25.
    params, optimizer = {"w": np.zeros(1)}, scratch.Momentum(0.1, 0.5)
    for expected in (-0.1, -0.25):
        optimizer.step(params, {"w": np.ones(1)})
        np.testing.assert_allclose(params["w"], [expected])


def test_nesterov_matches_hand_example():
    # v = −0.1, w += 0.5·(−0.1) − 0.1 = −0.15; then v = −0.15, w += −0.075 − 0.1 = −0.325.
    params, optimizer = {"w": np.zeros(1)}, scratch.Nesterov(0.1, 0.5)
    for expected in (-0.15, -0.325):
        optimizer.step(params, {"w": np.ones(1)})
        np.testing.assert_allclose(params["w"], [expected])


def test_adamw_decays_before_the_step():
    # Without gradient only the decay is left: w ← w − 0.1·0.5·w.
    params = {"w": np.array([2.0])}
    scratch.AdamW(0.1, weight_decay=0.5).step(params, {"w": np.zeros(1)})
    np.testing.assert_allclose(params["w"], [1.9])


def test_step_updates_in_place_and_leaves_gradients_alone():
    w, g = np.ones(3, "float32"), np.full(3, 2.0, "float32")
    for optimizer in (scratch.SGD(), scratch.Momentum(), scratch.RMSprop(), scratch.Adam(), scratch.AdamW()):
        before = w.copy()
        optimizer.step({"w": w}, {"w": g})
        assert w.dtype == "float32"
        assert (w < before).all()
        np.testing.assert_array_equal(g, 2)


def test_reset_forgets():
    optimizer, params = scratch.Adam(), {"w": np.ones(2)}
    optimizer.step(params, {"w": np.ones(2)})
    optimizer.reset()
    assert (optimizer.iterations, optimizer.state) == (0, {})


def test_optimizer_errors():
    optimizer = scratch.Adam()
    with pytest.raises(ShapeError, match=r"a gradient for 'w'.*Call backward"):
        optimizer.step({"w": np.ones(2)}, {})
    with pytest.raises(ShapeError, match=r"shape \(2,\) for 'w'.*\(3,\)"):
        optimizer.step({"w": np.ones(2)}, {"w": np.ones(3)})
    optimizer.step({"w": np.ones(2)}, {"w": np.ones(2)})
    with pytest.raises(CallOrderError, match="another network"):
        optimizer.step({"w": np.ones(2)}, {"w": np.ones(2)})


def test_a_refused_step_changes_nothing():
    optimizer, params = scratch.Adam(), {"a": np.ones(2), "b": np.ones(2)}
    with pytest.raises(ShapeError):
        optimizer.step(params, {"a": np.ones(2)})
    np.testing.assert_array_equal(params["a"], 1)
    assert optimizer.iterations == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: scratch.SGD(-0.1),
        lambda: scratch.SGD(float("nan")),
        lambda: scratch.SGD("fast"),
        lambda: scratch.Momentum(0.1, 1.0),
        lambda: scratch.RMSprop(rho=-1),
        lambda: scratch.Adam(beta_1=1),
        lambda: scratch.Adam(beta_2=2),
        lambda: scratch.Adam(epsilon=-1),
        lambda: scratch.AdamW(weight_decay=-1),
    ],
)
def test_option_errors(make):
    with pytest.raises(InvalidValueError, match=r"in \[0"):
        make()


CLIPPING = [
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"clipnorm": 50.0},
    {"global_clipnorm": 90.0},
]


@pytest.mark.parametrize("clipping", CLIPPING, ids=lambda clipping: "{}={}".format(*next(iter(clipping.items()))))
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_clipping_matches_keras(name, clipping, rng):
    """Dense and sparse gradients, of which some are longer than the limit and some are not."""
    import keras
    import tensorflow as tf

    params = {"E": rng.standard_normal((5, 3)), "W": rng.standard_normal((4, 2)), "b": rng.standard_normal(2)}
    variables = [keras.Variable(p, dtype="float64") for p in params.values()]
    ours = getattr(scratch, name)(0.1, **clipping)
    theirs = getattr(keras.optimizers, name)(0.1, **clipping)
    rows = np.array([1, 3, 1, 0])
    for _ in range(3):
        values, dW, db = rng.standard_normal((4, 3)), rng.standard_normal((4, 2)), 0.1 * rng.standard_normal(2)
        ours.step(params, {"E": scratch.SparseGradient(rows, values, (5, 3)), "W": dW, "b": db})
        sparse = tf.IndexedSlices(tf.constant(values), tf.constant(rows), tf.constant([5, 3]))
        theirs.apply([sparse, tf.constant(dW), tf.constant(db)], variables)
    for p, variable in zip(params.values(), variables, strict=True):
        np.testing.assert_allclose(p, variable.numpy(), rtol=1e-9, atol=1e-12)


def test_clipping_matches_hand_example():
    # ‖(3, 4)‖ = 5 and ‖(3, 4), (12)‖ = 13. Learning rate 1 and w = 0: the new w is −g.
    for clipping, expected in (
        ({"clipnorm": 2.5}, ([-1.5, -2.0], [-2.5])),
        ({"clipnorm": 5.0}, ([-3.0, -4.0], [-5.0])),
        ({"clipvalue": 3.5}, ([-3.0, -3.5], [-3.5])),
        ({"global_clipnorm": 6.5}, ([-1.5, -2.0], [-6.0])),
    ):
        params, grads = {"a": np.zeros(2), "b": np.zeros(1)}, {"a": np.array([3.0, 4.0]), "b": np.array([12.0])}
        scratch.SGD(1.0, **clipping).step(params, grads)
        np.testing.assert_allclose(params["a"], expected[0])
        np.testing.assert_allclose(params["b"], expected[1])
        np.testing.assert_array_equal(grads["a"], [3, 4])


def test_clipping_errors():
    with pytest.raises(InvalidValueError, match="one of clipnorm, clipvalue, global_clipnorm, received clipnorm and"):
        scratch.Adam(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(InvalidValueError, match="clipnorm above 0"):
        scratch.SGD(clipnorm=0)
    with pytest.raises(InvalidValueError, match="clipvalue in"):
        scratch.RMSprop(clipvalue="much")
    with pytest.raises(TypeError, match="clip"):
        scratch.Adam(clip=1.0)
