"""The denoising autoencoder: whoever can mend an image has understood something of it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from toolkit.training._masking_noise import masking_noise
from toolkit.training.unlabelled._checks import (
    require_batch,
    require_built,
    require_number,
    require_shape,
    require_shares,
)
from toolkit.training.unlabelled._own_steps import in_float32
from toolkit.training.unlabelled._self_supervised import SelfSupervised

_WHERE = "DenoisingAutoencoder"


@keras.saving.register_keras_serializable("toolkit")
class DenoisingAutoencoder(SelfSupervised):
    r"""Learns an encoder by mending what was spoiled on purpose (Vincent et al., 2008).

    .. math:: \tilde x = m \odot x + \sigma\varepsilon, \quad m \sim \mathrm{Bernoulli}(1 - \nu), \quad
              \varepsilon \sim \mathcal N(0, 1); \qquad h = f(\tilde x), \quad r = g(h)

    .. math:: L = -\frac{1}{NP} \sum_{n,p} x_{np} \ln r_{np} + (1 - x_{np}) \ln (1 - r_{np})

    for N images of P values in [0, 1]. The target is the clean x, not :math:`\tilde x`: a network that gave back its
    input, noise and all, would have learned nothing. The decoder is thrown away afterwards; the features are
    ``encoder(x)``. ``model(x)`` returns the reconstruction r.

        autoencoder = DenoisingAutoencoder(encoder, decoder, masking=0.4)
        autoencoder.compile("adam")
        training.fit(autoencoder, x, epochs=20, batch_size=128)
        h = encoder.predict(x)

    Args:
        encoder: f, ``x (N, …)`` → ``h (N, D)``.
        decoder: g, ``h (N, D)`` → ``r (N, …)`` of the shape of x, in [0, 1].
        masking: ν, the share of values set to 0; with ``masking=0, gaussian=0`` it is a plain autoencoder.
        gaussian: σ, the standard deviation of noise that is added.
        seed: fixes the noise.

    Raises:
        UnsupportedError: encoder or decoder is no built Keras model.
        ShapeError: the decoder does not take the encoder's outputs, or does not give back the shape of its inputs; in
            training, the samples are of another shape.
        InvalidValueError: ``masking`` is not in [0, 1), or ``gaussian`` is negative; in training, x holds no floats, or
            values outside of [0, 1] (then, where the step is compiled, it is TensorFlow's InvalidArgumentError).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        masking: float = 0.4,
        gaussian: float = 0.0,
        seed: int | None = 0,
        name: str = "denoising_autoencoder",
    ) -> None:
        super().__init__(name=name)
        require_built(_WHERE, encoder=encoder, decoder=decoder)
        require_shape(_WHERE, "a decoder of features", encoder.output_shape[1:], decoder.input_shape[1:])
        expected = "a decoder that gives back the shape of the inputs,"
        require_shape(_WHERE, expected, encoder.input_shape[1:], decoder.output_shape[1:])
        require_number(_WHERE, "masking from 0 to below 1", masking, below=1.0)
        require_number(_WHERE, "gaussian from 0", gaussian)
        self.encoder, self.decoder = encoder, decoder
        self.masking, self.gaussian, self.seed = masking, gaussian, seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.built = True  # the networks are

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The reconstruction ``r`` of x as it is; nothing is spoiled here."""
        return self.decoder(self.encoder(x, training=training), training=training)

    def corrupt(self, x: tf.Tensor) -> tf.Tensor:
        """``x̃``, of the shape of x, spoiled anew with each call."""
        x = require_batch(_WHERE, x, self.encoder.input_shape[1:])
        spoiled = masking_noise(x, self.masking, self.seeds)
        if self.gaussian:
            spoiled += self.gaussian * keras.random.normal(tf.shape(x), dtype=x.dtype, seed=self.seeds)
        return spoiled

    def compute_loss(self, x: tf.Tensor, *_: Any, training: bool = True, **__: Any) -> tf.Tensor:
        """Cross-entropy between the clean x and what was made of its spoiled version."""
        spoiled = self.corrupt(x)
        # Of other values the loss has no least value: it falls and falls, and nothing is learned.
        in_range = require_shares(_WHERE, tf.convert_to_tensor(x))
        with tf.control_dependencies([] if in_range is None else [in_range]):
            r = in_float32(self(spoiled, training=training))
        return tf.reduce_mean(keras.losses.binary_crossentropy(x, r))

    def get_config(self) -> dict[str, Any]:
        """The networks and what spoils the inputs."""
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        noise = {"masking": self.masking, "gaussian": self.gaussian, "seed": self.seed}
        return keras.saving.serialize_keras_object(parts | noise | {"name": self.name})
