from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import training
from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError
from toolkit.training import unlabelled


@pytest.fixture
def points() -> np.ndarray:
    return unlabelled.GaussianRing(modes=4).draw(64)


def values(network):
    return [w.numpy() for w in network.weights]


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_matches_its_two_halves(gan, points):
    """Plain gradient descent: first D against samples of the old G, then G against the new D."""
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=True)
    twin = unlabelled.GAN(keras.models.clone_model(gan.generator), keras.models.clone_model(gan.discriminator))
    twin.generator.set_weights(gan.generator.get_weights())
    twin.discriminator.set_weights(gan.discriminator.get_weights())
    z_D, z_G = twin.latent(64), twin.latent(64)  # the same seed, so the same z as in the step
    G, D = twin.generator, twin.discriminator
    fake = G(z_D)
    with tf.GradientTape() as tape:
        loss = unlabelled.discriminator_loss(D(points), D(fake))
    for w, g in zip(D.weights, tape.gradient(loss, [w.value for w in D.weights]), strict=True):
        w.assign_sub(0.2 * g)
    with tf.GradientTape() as tape:
        generator_loss = unlabelled.generator_loss(D(G(z_G)))
    for w, g in zip(G.weights, tape.gradient(generator_loss, [w.value for w in G.weights]), strict=True):
        w.assign_sub(0.1 * g)

    logs = gan.train_step(tf.constant(points))
    for ours, theirs in ((gan.generator, G), (gan.discriminator, D)):
        for a, b in zip(values(ours), values(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert float(logs["discriminator_loss"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(logs["generator_loss"]) == pytest.approx(float(generator_loss), rel=1e-5)


def test_each_half_changes_its_own_network_only(gan, points):
    before = values(gan.generator), values(gan.discriminator)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1), run_eagerly=True)
    gan.train_step(tf.constant(points))
    assert_same(values(gan.generator), before[0])
    assert not np.array_equal(values(gan.discriminator)[0], before[1][0])

    before = values(gan.generator), values(gan.discriminator)
    gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.0), run_eagerly=True)
    gan.train_step(tf.constant(points))
    assert not np.array_equal(values(gan.generator)[0], before[0][0])
    assert_same(values(gan.discriminator), before[1])


def test_generator_gradient_vanishes_in_the_saturating_game(gan, points):
    """A discriminator that is sure of itself: its logit is −20 for all that is generated."""
    norms = {}
    kernel, bias = gan.discriminator.layers[-1].weights
    kernel.assign(kernel * 1e-3)
    bias.assign([-20.0])
    for saturating in (False, True):
        gan.saturating = saturating
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
        gan.reset_metrics()
        norms[saturating] = float(gan.train_step(tf.constant(points))["generator_gradient"])
    assert norms[True] < 1e-7 * norms[False]


def test_learns_where_the_data_lie(gan):
    x = np.random.default_rng(0).normal([3.0, -2.0], 0.3, (256, 2)).astype("float32")
    assert np.abs(gan.sample(200).mean(axis=0) - [3, -2]).max() > 1
    history = training.fit(gan, x, epochs=60, batch_size=32, verbose=False)
    assert np.abs(gan.sample(200).mean(axis=0) - [3, -2]).max() < 0.6
    assert set(history.history) == set(unlabelled.GAN.MEASURES)
    assert all(0 <= share <= 1 for share in history.history["discriminator_accuracy"])


def test_resumed_training_matches_undisturbed_training(gan, points, tmp_path):
    """Both optimisers' moments and the states of the seeds are a part of the checkpoint, and so are the samples."""
    start = [v.numpy() for v in gan.variables]

    def run(epochs, **options):
        for variable, value in zip(gan.variables, start, strict=True):
            variable.assign(value)
        gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02), run_eagerly=True)
        record = unlabelled.SampleRecord(4, (0, 1, 3))
        training.fit(gan, points, epochs=epochs, batch_size=32, callbacks=[record], verbose=False, **options)
        return values(gan), record

    whole, record = run(3)
    run(1, checkpoint=tmp_path / "run")
    resumed, again = run(3, checkpoint=tmp_path / "run")
    assert_same(whole, resumed)
    assert record.times == again.times == [0, 1, 3]
    assert_same(record.samples, again.samples)


def test_sample_record_keeps_the_same_z(gan, points):
    before = gan.sample(4)
    record = unlabelled.SampleRecord(4, epochs=(0, 2))
    gan.compile("adam", "adam", run_eagerly=True)
    training.fit(gan, points, epochs=2, batch_size=64, callbacks=[record], verbose=False)
    assert record.times == [0, 2]
    np.testing.assert_array_equal(record.samples[0], before)
    np.testing.assert_array_equal(record.samples[1], gan.sample(4))
    assert not np.array_equal(before, gan.sample(4))


def test_packs_hold_neighbours_side_by_side():
    generator = unlabelled.dense_network(3, 2, hidden=(4,), seed=0)
    gan = unlabelled.GAN(generator, unlabelled.dense_network(6, 1, hidden=(4,), seed=1), pack=3)
    x = tf.reshape(tf.range(14.0), (7, 2))  # the seventh sample fills no pack
    packed = gan._packed(x).numpy()
    assert packed.tolist() == [[0, 1, 4, 5, 8, 9], [2, 3, 6, 7, 10, 11]]
    gan.compile(run_eagerly=True)
    assert np.isfinite(float(gan.train_step(x)["discriminator_loss"]))


def test_small_image_gan_runs(bars):
    """Batch normalisation, dropout and transposed convolutions, through training.fit."""
    generator = unlabelled.image_generator((8, 8, 1), 4, filters=4, seed=0)
    gan = unlabelled.GAN(generator, unlabelled.image_discriminator((8, 8, 1), filters=2, seed=1))
    gan.compile(run_eagerly=True)
    training.fit(gan, bars, batch_size=24, verbose=False)
    samples = gan.sample(5)
    assert samples.shape == (5, 8, 8, 1)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert not np.array_equal(samples, gan.sample(5, seed=1))


def test_a_broken_learning_rate_is_named(gan, points):
    gan.compile(keras.optimizers.SGD(1e30), keras.optimizers.SGD(1e30), run_eagerly=True)
    with pytest.raises(InvalidValueError, match="not finite in epoch"):
        training.fit(gan, points, epochs=6, batch_size=32, verbose=False)


def test_gan_errors(gan):
    generator = gan.generator
    with pytest.raises(ShapeError, match=r"from \(None, 2\) to \(None, 1\)"):
        unlabelled.GAN(generator, unlabelled.dense_network(3, 1))
    with pytest.raises(ShapeError, match=r"one logit for each sample or pack of 2"):
        unlabelled.GAN(generator, unlabelled.dense_network(2, 1), pack=2)
    with pytest.raises(InvalidValueError, match="ends with sigmoid"):
        unlabelled.GAN(generator, keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]))
    with pytest.raises(InvalidValueError, match="pack"):
        unlabelled.GAN(generator, gan.discriminator, pack=0)
    optimizer = keras.optimizers.Adam()
    with pytest.raises(InvalidValueError, match="two optimisers"):
        gan.compile(optimizer, optimizer)
    for options, message in (({"n": 0}, "n as a positive integer"), ({"n": 2.5}, "n as a positive integer")):
        with pytest.raises(InvalidValueError, match=message):
            gan.sample(**options)
    with pytest.raises(UnsupportedError, match=r"generator as a built .* received NoneType"):
        unlabelled.GAN(None, gan.discriminator)
    gan.compile("adam", "adam")
    with pytest.raises(InvalidValueError, match="GAN: expected floats, received int"):
        training.fit(gan, np.ones((8, 2), int), verbose=False)
    with pytest.raises(ShapeError, match=r"samples of shape \(2,\), received \(3,\)"):
        training.fit(gan, np.ones((8, 3), "float32"), verbose=False)


def test_validation_measures_and_learns_nothing(gan, points):
    """What the discriminator says of samples that it has not seen, worked out by hand."""
    gan.compile("sgd", "sgd", run_eagerly=True)
    before = [weight.numpy() for weight in gan.trainable_weights]
    state = gan.seeds.state.numpy()
    measured, again = (gan.evaluate(points, batch_size=64, return_dict=True, verbose=0) for _ in range(2))
    assert measured == again  # the same z each time
    assert_same([gan.seeds.state.numpy()], [state])  # and others than in training, which goes on as without
    gan.seeds.state.assign([~state[0], 0])
    s_real, s_generated = gan(points), gan(gan.generator(gan.latent(len(points))))
    right = (np.mean(s_real > 0) + np.mean(s_generated < 0)) / 2
    assert measured["discriminator_accuracy"] == pytest.approx(right)
    assert measured["discriminator_loss"] == pytest.approx(
        float(unlabelled.discriminator_loss(s_real, s_generated)), rel=1e-5
    )
    assert measured["generator_loss"] == pytest.approx(float(unlabelled.generator_loss(s_generated)), rel=1e-5)
    assert measured["generator_gradient"] > 0
    assert_same(before, [weight.numpy() for weight in gan.trainable_weights])
    history = training.fit(gan, points[:32], validation_data=(points[32:], None), verbose=False).history
    assert {f"val_{name}" for name in unlabelled.GAN.MEASURES} <= set(history)


def test_a_last_batch_that_fills_no_pack_counts_nowhere():
    x = np.random.default_rng(0).standard_normal((9, 2)).astype("float32")
    losses = []
    for n in (8, 9):
        generator = unlabelled.dense_network(3, 2, hidden=(4,), seed=0)
        gan = unlabelled.GAN(generator, unlabelled.dense_network(4, 1, hidden=(4,), seed=1), pack=2)
        gan.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
        losses.append(training.fit(gan, x[:n], batch_size=8, shuffle=False, verbose=False).history)
    assert losses[0] == losses[1]


@pytest.mark.parametrize("eager", [True, False])
def test_batches_that_fill_no_pack_errors(eager):
    """Nothing would be learned, and the means of nothing would read 0."""
    generator = unlabelled.dense_network(3, 2, hidden=(4,), seed=0)
    gan = unlabelled.GAN(generator, unlabelled.dense_network(8, 1, hidden=(4,), seed=1), pack=4)
    gan.compile(run_eagerly=eager)
    x = np.random.default_rng(0).standard_normal((9, 2)).astype("float32")
    expected = r"expected a first batch that fills a pack of 4, received a smaller one"
    with pytest.raises(InvalidValueError if eager else tf.errors.InvalidArgumentError, match=expected):
        training.fit(gan, x, batch_size=3, verbose=False)
    gan.compile(run_eagerly=True)
    with pytest.raises(InvalidValueError, match=expected):
        training.fit(gan, x, batch_size=4, validation_data=(x[:3], None), verbose=False)


def test_half_precision_learns_like_float32(points):
    changes = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            generator = unlabelled.dense_network(3, 2, hidden=(8,), seed=0)
            gan = unlabelled.GAN(generator, unlabelled.dense_network(2, 1, hidden=(8,), seed=1))
        finally:
            keras.config.set_dtype_policy("float32")
        gan.latent = lambda n: tf.reshape(tf.linspace(-2.0, 2.0, 3 * n), (n, 3))  # half precision draws another z
        # 2¹⁵, with which Keras begins, may be too much: the optimiser finds its scale by leaving out steps.
        scaled = (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=64) for _ in "GD")
        gan.compile(*(scaled if policy == "mixed_float16" else (keras.optimizers.SGD(0.01) for _ in "GD")))
        before = values(gan.generator) + values(gan.discriminator)
        logs = gan.train_step(tf.constant(points))
        after = values(gan.generator) + values(gan.discriminator)
        changes.append([b - a for a, b in zip(before, after)] + [float(value) for value in logs.values()])
    for change, expected in zip(*changes[::-1], strict=True):
        np.testing.assert_allclose(change, expected, rtol=0.05, atol=0.02 * np.abs(expected).max())


def test_a_step_that_overflows_in_half_precision_counts_nowhere(points):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        generator = unlabelled.dense_network(3, 2, hidden=(8,), seed=0)
        gan = unlabelled.GAN(generator, unlabelled.dense_network(2, 1, hidden=(8,), seed=1))
    finally:
        keras.config.set_dtype_policy("float32")
    too_large = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**40)
    gan.compile(too_large, "sgd", run_eagerly=True)
    assert isinstance(gan.discriminator_optimizer, keras.optimizers.LossScaleOptimizer)
    before = values(gan.generator)
    logs = gan.train_step(tf.constant(points))
    assert_same(values(gan.generator), before)
    assert float(logs["generator_gradient"]) == 0
    assert np.isfinite(float(logs["generator_loss"]))


@pytest.mark.parametrize("which", ["generator", "discriminator"])
def test_regularisers_count_matches_hand_example(which, gan, points):
    """2λW more in the gradient; the measures are those of the game."""
    kernel = getattr(gan, which).layers[0].kernel
    start, learned, measured = [v.numpy() for v in gan.variables], [], []
    for regularizer in (None, keras.regularizers.L2(0.3)):
        for variable, value in zip(gan.variables, start, strict=True):
            variable.assign(value)
        kernel.regularizer, before = regularizer, kernel.numpy()
        gan.compile(*(keras.optimizers.SGD(0.1 * (which == name)) for name in ("generator", "discriminator")))
        measured.append([float(value) for value in gan.train_step(tf.constant(points)).values()])
        learned.append(kernel.numpy())
    plain, penalised = learned
    np.testing.assert_allclose(penalised - plain, -0.1 * 2 * 0.3 * before, rtol=1e-3, atol=1e-6)
    assert measured[0][0] == measured[1][0]


def test_another_game_is_another_run_errors(gan, points, tmp_path):
    gan.compile(run_eagerly=True)
    training.fit(gan, points, batch_size=64, checkpoint=tmp_path, verbose=False)
    gan.saturating = True
    gan.compile(run_eagerly=True)
    with pytest.raises(InvalidValueError, match="layer 0 GAN, saturating is True, was False"):
        training.fit(gan, points, epochs=2, batch_size=64, checkpoint=tmp_path, verbose=False)
    gan.saturating = False
    gan.compile("adam", keras.optimizers.Adam(beta_1=0.5), run_eagerly=True)
    with pytest.raises(InvalidValueError, match=r"another one: other optimizers\[0\], beta_1 is 0\.5, was 0\.9\."):
        training.fit(gan, points, epochs=2, batch_size=64, checkpoint=tmp_path, verbose=False)


def test_saved_model_is_the_same_again(gan, points, tmp_path):
    gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02), run_eagerly=True)
    training.fit(gan, points, batch_size=64, verbose=False)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(again.sample(4), gan.sample(4))
    for mine, theirs in (
        (gan.optimizer, again.optimizer),
        (gan.discriminator_optimizer, again.discriminator_optimizer),
    ):
        assert_same([v.numpy() for v in mine.variables], [v.numpy() for v in theirs.variables])
    training.fit(again, points, batch_size=64, verbose=False)


def test_sample_record_errors(autoencoder, bars):
    with pytest.raises(InvalidValueError, match="epochs as a sequence of integers, received 3"):
        unlabelled.SampleRecord(epochs=3)
    with pytest.raises(InvalidValueError, match="each of epochs as an integer from 0, received -1"):
        unlabelled.SampleRecord(epochs=(0, -1))
    with pytest.raises(UnsupportedError, match="a GAN to take samples of, received DenoisingAutoencoder"):
        training.fit(autoencoder, bars, callbacks=[unlabelled.SampleRecord()], verbose=False)
