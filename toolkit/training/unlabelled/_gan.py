"""Generative adversarial networks: one network invents samples, the other learns to see through it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError
from toolkit.training.unlabelled._checks import require, require_batch, require_built, require_integer
from toolkit.training.unlabelled._own_steps import apart_from_training, descend, in_float32, with_penalties

_AT_A_TIME = 256  # samples


def discriminator_loss(s_real: tf.Tensor, s_generated: tf.Tensor) -> tf.Tensor:
    r"""Cross-entropy of *real or generated?* from logits s, :math:`D = \sigma(s)`.

    .. math:: L_D = -\frac1N \sum_n \ln D(x_n) - \frac1M \sum_m \ln (1 - D(G(z_m)))

    Args:
        s_real: the discriminator's logits of real samples, ``(N, 1)``.
        s_generated: its logits of generated ones, ``(M, 1)``.
    """
    s_real, s_generated = in_float32(s_real), in_float32(s_generated)
    return tf.reduce_mean(tf.nn.softplus(-s_real)) + tf.reduce_mean(tf.nn.softplus(s_generated))


def generator_loss(s_generated: tf.Tensor, *, saturating: bool = False) -> tf.Tensor:
    r"""What the generator makes small.

    .. math:: L_G = -\frac1M \sum_m \ln D(G(z_m)) \qquad \text{saturating: } \frac1M \sum_m \ln (1 - D(G(z_m)))

    The second is its side of the minimax game. Their gradients in s are −(1 − D)/M and −D/M: where the discriminator
    sees through every sample, D ≈ 0, the first is at its largest, and nothing is left of the second.

    Args:
        s_generated: the discriminator's logits of generated samples, ``(M, 1)``.
        saturating: whether to use the second.
    """
    s_generated = in_float32(s_generated)
    if saturating:
        return -tf.reduce_mean(tf.nn.softplus(s_generated))
    return tf.reduce_mean(tf.nn.softplus(-s_generated))


@keras.saving.register_keras_serializable("toolkit")
class GAN(keras.Model):
    r"""Generator and discriminator, trained against each other (Goodfellow et al., 2014).

    .. math:: \min_G \max_D \; V(D, G) = \mathbb E_{x \sim p_\text{data}} \ln D(x)
              + \mathbb E_{z \sim \mathcal N(0, 1)} \ln (1 - D(G(z)))

    For a fixed G with density :math:`p_G` the best discriminator is :math:`D^* = p_\text{data} / (p_\text{data} +
    p_G)`, and then :math:`V = 2\,\mathrm{JSD}(p_\text{data}, p_G) - \ln 4`. In practice both take turns, a step each,
    and the generator uses ``-ln D`` (see ``generator_loss``).

        gan = GAN(generator, discriminator)
        gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
        training.fit(gan, x, epochs=20, batch_size=64)
        gan.sample(16)

    Neither loss says how good the samples are: each is measured against an opponent that changes. Look at the samples.

    Args:
        generator: G, ``z (N, Z)`` → samples of the shape of x.
        discriminator: D, ``x (N, …)`` → one logit each, ``(N, 1)``; no sigmoid at its end. With ``pack=m`` it sees m
            samples at a time, side by side along their last axis.
        saturating: whether the generator uses its side of the minimax game, ``ln(1 − D)``.
        pack: m samples are judged together, all real or all generated, which shows a lack of variety (PacGAN, Lin et
            al., 2018); samples of a batch that do not fill a pack are left out, so a batch needs m at least. A smaller
            one behind others, at the end of the data, changes nothing and counts in no measure.
        seed: fixes z.

    Raises:
        UnsupportedError: generator or discriminator is no built Keras model.
        ShapeError: generator and discriminator do not fit each other; in training, the samples are of another shape.
        InvalidValueError: ``pack`` is not a positive integer; in training, the samples are no floats, or those of the
            first batch do not fill a pack (then, where the step is compiled, it is TensorFlow's InvalidArgumentError).
    """

    MEASURES = ("discriminator_loss", "generator_loss", "discriminator_accuracy", "generator_gradient")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        saturating: bool = False,
        pack: int = 1,
        seed: int | None = 0,
        name: str = "gan",
    ) -> None:
        super().__init__(name=name)
        require_built("GAN", generator=generator, discriminator=discriminator)
        require_integer("GAN", "pack", pack)
        *shape, channels = generator.output_shape[1:]
        if discriminator.input_shape[1:] != (*shape, channels * pack) or discriminator.output_shape[1:] != (1,):
            expected = f"a discriminator from {(None, *shape, channels * pack)} to (None, 1), one logit for each sample"
            if pack > 1:
                expected += f" or pack of {pack}"
            raise ShapeError("GAN", expected, f"{discriminator.input_shape} to {discriminator.output_shape}")
        if getattr(discriminator.layers[-1], "activation", None) is keras.activations.sigmoid:
            remedy = "Leave the sigmoid out: the losses bring it along."
            raise InvalidValueError("GAN", "a discriminator that returns logits", "one that ends with sigmoid", remedy)
        self.generator, self.discriminator = generator, discriminator
        self.saturating, self.pack, self.seed = saturating, pack, seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.built = True  # the networks are
        self.means = [keras.metrics.Mean(name) for name in self.MEASURES]

    def compile(
        self,
        generator_optimizer: str | keras.optimizers.Optimizer = "adam",
        discriminator_optimizer: str | keras.optimizers.Optimizer = "adam",
        **options: Any,
    ) -> None:
        """Sets the two optimisers; each needs its own, with moments of its own.

        Args:
            generator_optimizer: of the generator.
            discriminator_optimizer: of the discriminator.
            options: of ``keras.Model.compile``, such as ``run_eagerly``.

        Raises:
            InvalidValueError: both are the same optimiser.
        """
        if generator_optimizer is discriminator_optimizer and not isinstance(generator_optimizer, str):
            raise InvalidValueError("GAN.compile", "two optimisers", "the same one twice", "Make one for each network.")
        super().compile(optimizer=generator_optimizer, **options)
        self.discriminator_optimizer = keras.optimizers.get(discriminator_optimizer)
        scaling = keras.optimizers.LossScaleOptimizer  # which Keras puts around the first one in mixed float16
        if isinstance(self.optimizer, scaling) and not isinstance(self.discriminator_optimizer, scaling):
            self.discriminator_optimizer = scaling(self.discriminator_optimizer)
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def get_compile_config(self) -> dict[str, Any]:
        """The two optimisers; nothing where the model is not compiled."""
        if not self.compiled:
            return {}
        pair = {"generator_optimizer": self.optimizer, "discriminator_optimizer": self.discriminator_optimizer}
        return keras.saving.serialize_keras_object(pair)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with what ``get_compile_config`` returned."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means over an epoch.

        Both losses, without penalties of regularisers; the share of real and generated samples that the discriminator
        told right; and the norm of the gradient that arrives at the generator's weights.
        """
        return self.means

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The discriminator's logits of samples: above 0 it takes them for real."""
        return self._judged(x, training)

    def latent(self, n: int | tf.Tensor) -> tf.Tensor:
        """``z (n, Z)``, drawn anew with each call."""
        shape = n, self.generator.input_shape[-1]
        return keras.random.normal(shape, dtype=self.generator.compute_dtype, seed=self.seeds)

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """``n`` generated samples, ``(n, …)``; the same for the same weights and seed.

        Raises:
            InvalidValueError: ``n`` is not a positive integer.
        """
        require_integer("GAN.sample", "n", n)
        z = np.random.default_rng(seed).standard_normal((n, self.generator.input_shape[-1]))
        z = z.astype(self.generator.compute_dtype)
        # Called as it is: for some samples now and then, `predict` would take longer to compile than they take.
        parts = [self.generator(z[k : k + _AT_A_TIME], training=False) for k in range(0, n, _AT_A_TIME)]
        return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """A step of the discriminator, then a step of the generator against it."""
        x = self._samples(data)
        n = tf.shape(x)[0]

        # The discriminator learns; the generator's samples are data to it, made outside of the tape.
        generated = self.generator(self.latent(n), training=True)
        with tf.GradientTape() as tape:
            s_real, s_generated = self._judged(x, True), self._judged(generated, True)
            loss_D = discriminator_loss(s_real, s_generated)
            total_D = with_penalties(loss_D, self.discriminator)
        descend(self.discriminator_optimizer, self.discriminator.trainable_variables, tape, total_D)

        # The generator learns: the gradient comes to it through the discriminator, which stays as it is.
        with tf.GradientTape() as tape:
            s = self._judged(self.generator(self.latent(n), training=True), True)
            loss_G = generator_loss(s, saturating=self.saturating)
            total_G = with_penalties(loss_G, self.generator)
        gradient = descend(self.optimizer, self.generator.trainable_variables, tape, total_G)

        return self._measured(s_real, s_generated, loss_D, loss_G, gradient)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The same measures of a batch that nothing is learned from: what the discriminator says of samples it has
        not seen tells whether it knows the others by heart. Every evaluation draws the same z.
        """
        x = self._samples(data)
        with apart_from_training(self, self.means[0].count), tf.GradientTape() as tape:
            s_real = self._judged(x, False)
            s_generated = self._judged(self.generator(self.latent(tf.shape(x)[0]), training=False), False)
            loss_G = generator_loss(s_generated, saturating=self.saturating)
        gradients = tape.gradient(loss_G, [w.value for w in self.generator.trainable_variables])
        loss_D, gradient = discriminator_loss(s_real, s_generated), tf.linalg.global_norm(gradients)
        return self._measured(s_real, s_generated, loss_D, loss_G, gradient)

    def get_config(self) -> dict[str, Any]:
        """The networks and the options."""
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        options = {"saturating": self.saturating, "pack": self.pack, "seed": self.seed}
        return keras.saving.serialize_keras_object(parts | options | {"name": self.name})

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> GAN:
        """The model again, with networks of their first weights."""
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def _samples(self, data: Any) -> tf.Tensor:
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        x = require_batch("GAN", x, self.generator.output_shape[1:])
        # The last batch of an epoch may be smaller than a pack, the first may not: none would count.
        counts = (tf.shape(x)[0] >= self.pack) | (self.means[0].count > 0)
        error = InvalidValueError("GAN", f"a first batch that fills a pack of {self.pack}", "a smaller one")
        checked = require(counts, error)
        with tf.control_dependencies([] if checked is None else [checked]):
            return tf.identity(x)

    def _judged(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return self.discriminator(self._packed(x), training=training)

    def _measured(
        self,
        s_real: tf.Tensor,
        s_generated: tf.Tensor,
        loss_D: tf.Tensor,
        loss_G: tf.Tensor,
        gradient: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        right = [tf.reduce_mean(tf.cast(told, "float32")) for told in (s_real > 0, s_generated < 0)]
        judged = tf.shape(s_real)[0] > 0  # a last batch may be too small to fill a pack: then its means are none
        taken = judged & tf.math.is_finite(gradient)  # a scaled loss may overflow: then the step is left out
        measured = (loss_D, judged), (loss_G, judged), ((right[0] + right[1]) / 2, judged), (gradient, taken)
        for mean, (value, counts) in zip(self.means, measured, strict=True):
            mean.update_state(tf.where(counts, value, tf.zeros_like(value)), sample_weight=tf.cast(counts, "float32"))
        return self.get_metrics_result()

    def _packed(self, x: tf.Tensor) -> tf.Tensor:
        """``(N, …, C)`` → ``(N // m, …, m·C)``."""
        if self.pack == 1:
            return x
        packs = tf.shape(x)[0] // self.pack
        return tf.concat(tf.split(x[: packs * self.pack], self.pack), axis=-1)


class SampleRecord(keras.callbacks.Callback):
    """Keeps what a GAN's generator makes of the same z at several times of its training.

        record = SampleRecord(n=8, epochs=(0, 1, 5, 20))
        training.fit(gan, x, epochs=20, callbacks=[record])
        plots.sample_grid(record.samples, rows=record.times)

    Args:
        n: how many samples.
        epochs: after which epochs, from 1; 0 is before training.
        seed: fixes z.

    Raises:
        InvalidValueError: ``n`` or an epoch is no such integer.
        UnsupportedError: when training begins, of a model that is no GAN.

    Attributes:
        samples: for each of these times an array ``(n, …)``.
        times: the epochs that came so far.
    """

    def __init__(self, n: int = 8, epochs: Sequence[int] = (0, 1, 2, 5, 10, 20), *, seed: int = 0) -> None:
        super().__init__()
        require_integer("SampleRecord", "n", n)
        if not isinstance(epochs, Iterable):
            raise InvalidValueError("SampleRecord", "epochs as a sequence of integers", repr(epochs))
        self.n, self.epochs, self.seed = n, tuple(epochs), seed
        for epoch in self.epochs:
            require_integer("SampleRecord", "each of epochs", epoch, least=0)
        self.samples: list[np.ndarray] = []
        self.times: list[int] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        """The generator as it is before."""
        if not isinstance(self.model, GAN):
            raise UnsupportedError("SampleRecord", "a GAN to take samples of", type(self.model).__name__)
        self._keep(0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """The generator after an epoch."""
        self._keep(epoch + 1)

    def _keep(self, epoch: int) -> None:
        if epoch in self.epochs and epoch not in self.times:
            self.samples.append(self.model.sample(self.n, seed=self.seed))
            self.times.append(epoch)
