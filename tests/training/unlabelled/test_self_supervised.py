from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit import scratch, training
from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError
from toolkit.training import unlabelled

# ---------------------------------------------------------------------- both


@pytest.fixture(params=["simclr", "autoencoder"])
def model(request):
    return request.getfixturevalue(request.param)


def test_training_lowers_the_loss_and_moves_every_weight(model, bars):
    before = [w.numpy() for w in model.trainable_weights]
    model.compile(keras.optimizers.Adam(0.01))  # compiled, as in use
    history = training.fit(model, bars, epochs=12, batch_size=16, verbose=False)
    assert history.history["loss"][-1] < history.history["loss"][0]
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(weight.numpy(), old), weight.path


def test_same_seed_same_result(model, bars):
    start = [v.numpy() for v in model.variables]
    training.fit(model, bars, epochs=2, batch_size=16, verbose=False)
    first = [w.numpy() for w in model.trainable_weights]
    for variable, value in zip(model.variables, start, strict=True):
        variable.assign(value)  # the seed generators' states, too
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    training.fit(model, bars, epochs=2, batch_size=16, verbose=False)
    for weight, value in zip(model.trainable_weights, first, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_labels_that_come_along_change_nothing(model, bars):
    start = [v.numpy() for v in model.variables]
    losses = []
    for y in (None, np.arange(len(bars))):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        losses.append(training.fit(model, bars, y, batch_size=24, verbose=False).history["loss"])
    assert losses[0] == losses[1]


def test_validation_measures_and_learns_nothing(model, bars):
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    before = [w.numpy() for w in model.trainable_weights]
    history = training.fit(model, bars[:32], validation_data=(bars[32:], None), verbose=False)
    assert np.isfinite(history.history["val_loss"]).all()
    for weight, old in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_validation_draws_apart_from_training(model, bars):
    """The same noise in each evaluation, other in each batch; and what is learned is the same with and without."""
    start = [v.numpy() for v in model.variables]
    learned = []
    for validation in (None, (bars, None)):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        training.fit(model, bars[:24], validation_data=validation, epochs=2, batch_size=12, verbose=False)
        learned.append([w.numpy() for w in model.trainable_weights])
    for plain, watched in zip(*learned, strict=True):
        np.testing.assert_array_equal(plain, watched)
    model.compile("sgd")
    first, again = (model.evaluate(bars, batch_size=16, verbose=0) for _ in range(2))
    assert first == again
    alike = np.repeat(bars[:1], 16, axis=0)
    once, twice = (model.evaluate(np.concatenate([alike] * k), batch_size=16, verbose=0) for k in (1, 2))
    assert once != twice


def test_resumed_training_matches_undisturbed_training(model, bars, tmp_path):
    """The states of the random views and of the noise are a part of the checkpoint."""
    start = [v.numpy() for v in model.variables]
    training.fit(model, bars, epochs=3, batch_size=16, verbose=False)
    whole = [w.numpy() for w in model.trainable_weights]
    for epochs in (1, 3):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
        training.fit(model, bars, epochs=epochs, batch_size=16, checkpoint=tmp_path / "run", verbose=False)
    for weight, value in zip(model.trainable_weights, whole, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_a_broken_learning_rate_is_named(model, bars):
    model.compile(keras.optimizers.SGD(1e30), run_eagerly=True)
    with pytest.raises(InvalidValueError, match="not finite in epoch"):
        training.fit(model, bars, epochs=6, batch_size=24, verbose=False)


@pytest.mark.parametrize(
    ("name", "option"), [("simclr", "temperature"), ("autoencoder", "masking"), ("autoencoder", "gaussian")]
)
def test_another_option_is_another_run_errors(name, option, bars, tmp_path, request):
    model = request.getfixturevalue(name)
    training.fit(model, bars, batch_size=48, checkpoint=tmp_path, verbose=False)
    setattr(model, option, 0.7)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    with pytest.raises(InvalidValueError, match=rf"another one: model, .*, {option} is 0\.7, was 0\.\d\."):
        training.fit(model, bars, epochs=2, batch_size=48, checkpoint=tmp_path, verbose=False)


def test_saved_model_is_the_same_again(model, bars, tmp_path):
    training.fit(model, bars, batch_size=48, verbose=False)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(bars), model(bars))
    assert again.get_config().keys() == model.get_config().keys()
    options = "temperature", "masking", "gaussian", "seed"
    assert [vars(again).get(name) for name in options] == [vars(model).get(name) for name in options]
    again.compile("sgd", run_eagerly=True)
    training.fit(again, bars, batch_size=48, verbose=False)


# ---------------------------------------------------------------------- what Keras's own step does unseen


def dense_model(kind: str, regularizer: keras.Regularizer | None = None) -> unlabelled.SelfSupervised:
    """Dense layers alone, and nothing is drawn."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(6, "relu", kernel_initializer=keras.initializers.HeNormal(0)),
            keras.layers.Dense(6, kernel_initializer=keras.initializers.HeNormal(1), kernel_regularizer=regularizer),
        ]
    )
    if kind == "simclr":
        still = unlabelled.RandomView(shift=0, zoom=0, rotation=0, noise=0)
        model = unlabelled.SimCLR(encoder, unlabelled.projection_head(6, hidden=5, outputs=4, seed=1), still)
    else:
        start = keras.initializers.HeNormal(2)
        outputs = [keras.layers.Dense(64, "sigmoid", kernel_initializer=start), keras.layers.Reshape((8, 8, 1))]
        model = unlabelled.DenoisingAutoencoder(encoder, keras.Sequential([keras.Input((6,)), *outputs]), masking=0)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    return model


@pytest.mark.parametrize("kind", ["simclr", "autoencoder"])
def test_half_precision_learns_like_float32(kind, bars):
    """Keras scales the loss then, and the optimiser scales the gradients back."""
    changes = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = dense_model(kind)
        finally:
            keras.config.set_dtype_policy("float32")
        if policy == "mixed_float16":
            assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
            # 2¹⁵, with which Keras begins, may be too much: the optimiser finds its scale by leaving out steps.
            scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=256)
            model.compile(scaled, run_eagerly=True)
        before = model.encoder.layers[-1].kernel.numpy()
        loss = float(model.train_step(tf.constant(bars))["loss"])
        changes.append((model.encoder.layers[-1].kernel.numpy() - before, loss))
    (expected, loss), (change, half_loss) = changes
    assert np.linalg.norm(change - expected) < 0.01 * np.linalg.norm(expected)
    assert half_loss == pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("kind", ["simclr", "autoencoder"])
def test_regularisers_count_matches_hand_example(kind, bars):
    """λ‖W‖² more in the loss, 2λW more in the gradient."""
    plain, penalised = dense_model(kind), dense_model(kind, keras.regularizers.L2(0.3))
    before = plain.encoder.layers[-1].kernel.numpy()
    losses = [float(model.train_step(tf.constant(bars))["loss"]) for model in (plain, penalised)]
    assert losses[1] - losses[0] == pytest.approx(0.3 * (before**2).sum(), rel=1e-5)
    by_itself, together = (model.encoder.layers[-1].kernel.numpy() for model in (plain, penalised))
    np.testing.assert_allclose(together - by_itself, -0.1 * 2 * 0.3 * before, rtol=1e-4, atol=1e-6)
    evaluated = [model.evaluate(bars, batch_size=48, verbose=0) for model in (plain, penalised)]
    penalty = evaluated[1] - float(penalised.compute_loss(tf.constant(bars), training=False))
    assert penalty == pytest.approx(0.3 * (together**2).sum(), rel=1e-4)


@pytest.mark.parametrize("eager", [True, False])
def test_bytes_and_other_shapes_errors(eager, model, bars):
    model.compile("adam", run_eagerly=eager)
    with pytest.raises(InvalidValueError, match=r"expected floats, received uint8\..*divide bytes by 255"):
        training.fit(model, (255 * bars).astype("uint8"), verbose=False)
    with pytest.raises(ShapeError, match=r"samples of shape \(8, 8, 1\), received \(4, 8, 1\)"):
        model.train_step(tf.constant(bars[:, :4]))


def test_networks_that_are_not_built_errors(encoder):
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    for kind in (unlabelled.SimCLR, unlabelled.DenoisingAutoencoder):
        with pytest.raises(UnsupportedError, match=r"encoder as a built .* received NoneType"):
            kind(None, encoder)
        with pytest.raises(UnsupportedError, match=r"received one without shapes\. Let it begin with keras\.Input"):
            kind(encoder, unbuilt)


# ---------------------------------------------------------------------- SimCLR


def test_simclr_returns_the_features_of_the_images_themselves(simclr, encoder, bars):
    np.testing.assert_array_equal(simclr(bars), encoder(bars))
    assert simclr(bars).shape == (48, 6)


def test_simclr_step_matches_scratch(encoder, bars):
    """One step of gradient descent on the head: dL/dz by scratch, dW of a dense layer by the chain rule."""
    head = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, use_bias=False, dtype="float32")])
    still = unlabelled.RandomView(shift=0, zoom=0, rotation=0, noise=0)
    model = unlabelled.SimCLR(encoder, head, still)
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    h = np.tile(encoder(bars[:4]).numpy(), (2, 1)).astype("float64")
    W = head.layers[0].kernel.numpy().astype("float64")
    loss = scratch.NTXent(0.5)
    value = loss.forward(np.tile(np.arange(4), 2), h @ W)
    logs = model.train_step(tf.constant(bars[:4]))
    assert float(logs["loss"]) == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(head.layers[0].kernel.numpy(), W - h.T @ loss.backward(), rtol=1e-3, atol=1e-4)


def test_simclr_errors(encoder):
    head = unlabelled.projection_head(6)
    with pytest.raises(InvalidValueError, match="temperature above 0"):
        unlabelled.SimCLR(encoder, head, temperature=0)
    with pytest.raises(InvalidValueError, match="temperature above 0"):
        unlabelled.SimCLR(encoder, head, temperature="warm")
    with pytest.raises(ShapeError, match=r"outputs \(N, D\)"):
        unlabelled.SimCLR(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)]), head)
    with pytest.raises(ShapeError, match=r"a head of features \(6,\), received \(5,\)"):
        unlabelled.SimCLR(encoder, unlabelled.projection_head(5))
    with pytest.raises(ShapeError, match=r"a head with outputs \(N, P\)"):
        unlabelled.SimCLR(encoder, unlabelled.image_decoder((8, 8, 1), 6))
    with pytest.raises(UnsupportedError, match="view as a Keras layer, received str"):
        unlabelled.SimCLR(encoder, head, view="another")


# ---------------------------------------------------------------------- denoising autoencoder


def test_the_target_is_the_clean_image(autoencoder, bars):
    """With all but everything masked, what is compared is still the image, not the darkness."""
    autoencoder.masking = 0.999
    reconstructed = autoencoder.decoder(autoencoder.encoder(np.zeros_like(bars))).numpy()
    expected = keras.losses.binary_crossentropy(bars, reconstructed).numpy().mean()
    assert float(autoencoder.compute_loss(tf.constant(bars))) == pytest.approx(expected, rel=0.02)


def test_corruption_masks_the_share_that_was_asked_for(autoencoder):
    ones = np.ones((200, 8, 8, 1), dtype="float32")
    spoiled = np.asarray(autoencoder.corrupt(ones))
    assert (spoiled == 0).mean() == pytest.approx(0.4, abs=0.02)
    assert set(np.unique(spoiled)) == {0, 1}
    assert not np.array_equal(spoiled, autoencoder.corrupt(ones))


def test_gaussian_corruption_adds_noise_of_its_deviation(encoder):
    decoder = unlabelled.image_decoder((8, 8, 1), 6, filters=2, seed=0)
    autoencoder = unlabelled.DenoisingAutoencoder(encoder, decoder, masking=0, gaussian=0.2)
    noise = np.asarray(autoencoder.corrupt(np.ones((200, 8, 8, 1), dtype="float32"))) - 1
    assert noise.std() == pytest.approx(0.2, rel=0.05)
    assert abs(noise.mean()) < 0.01


def test_values_outside_of_0_and_1_errors(autoencoder, bars):
    """Of these the cross-entropy has no least value: it would fall for ever."""
    with pytest.raises(InvalidValueError, match=r"values in \[0, 1\], received others\. Divide bytes by 255"):
        training.fit(autoencoder, 255 * bars, verbose=False)
    autoencoder.compile("adam", run_eagerly=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected values in \[0, 1\]"):
        training.fit(autoencoder, bars - 0.5, verbose=False)


def test_gaps_are_named(autoencoder, bars):
    bars[3] = np.nan
    with pytest.raises(InvalidValueError, match="x of the batch is not finite in epoch 1"):
        training.fit(autoencoder, bars, verbose=False)


def test_autoencoder_spoils_nothing_outside_of_training(autoencoder, bars):
    np.testing.assert_array_equal(autoencoder(bars), autoencoder(bars))
    assert autoencoder(bars).shape == bars.shape


def test_autoencoder_errors(encoder):
    with pytest.raises(ShapeError, match=r"the shape of the inputs, \(8, 8, 1\)"):
        unlabelled.DenoisingAutoencoder(encoder, unlabelled.image_decoder((12, 12, 1), 6))
    decoder = unlabelled.image_decoder((8, 8, 1), 6)
    with pytest.raises(InvalidValueError, match="masking"):
        unlabelled.DenoisingAutoencoder(encoder, decoder, masking=1)
    with pytest.raises(InvalidValueError, match="masking from 0 to below 1, received None"):
        unlabelled.DenoisingAutoencoder(encoder, decoder, masking=None)
    with pytest.raises(ShapeError, match=r"a decoder of features \(6,\), received \(5,\)"):
        unlabelled.DenoisingAutoencoder(encoder, unlabelled.image_decoder((8, 8, 1), 5))
    with pytest.raises(InvalidValueError, match="gaussian"):
        unlabelled.DenoisingAutoencoder(encoder, decoder, gaussian=-1)
    with pytest.raises(InvalidValueError, match="divisible by 4"):
        unlabelled.image_decoder((10, 8, 1))


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 0), (8.0, 8, 1), 8])
@pytest.mark.parametrize(
    "network",
    [unlabelled.image_encoder, unlabelled.image_decoder, unlabelled.image_generator, unlabelled.image_discriminator],
)
def test_shapes_of_no_images_errors(network, shape):
    with pytest.raises(ShapeError, match=r"one image's shape, \(H, W, C\)"):
        network(shape)
