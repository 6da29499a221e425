"""The denoising autoencoder: whoever can mend an image has understood something of it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training._masking_noise import masking_noise
from toolkit.training.unlabelled._self_supervised import SelfSupervised


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
        ShapeError: the decoder's outputs have not the shape of the encoder's inputs.
        InvalidValueError: ``masking`` is not in [0, 1), or ``gaussian`` is negative.
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
        if decoder.output_shape[1:] != encoder.input_shape[1:]:
            expected = f"a decoder that gives back the shape of the inputs, {encoder.input_shape[1:]}"
            raise ShapeError("DenoisingAutoencoder", expected, f"{decoder.output_shape[1:]}")
        if not 0 <= masking < 1:
            raise InvalidValueError("DenoisingAutoencoder", "masking from 0 to below 1", repr(masking))
        if not gaussian >= 0:
            raise InvalidValueError("DenoisingAutoencoder", "gaussian from 0", repr(gaussian))
        self.encoder, self.decoder = encoder, decoder
        self.masking, self.gaussian = masking, gaussian
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The reconstruction ``r`` of x as it is; nothing is spoiled here."""
        return self.decoder(self.encoder(x, training=training), training=training)

    def corrupt(self, x: tf.Tensor) -> tf.Tensor:
        """``x̃``, of the shape of x, spoiled anew with each call."""
        x = tf.convert_to_tensor(x)
        spoiled = masking_noise(x, self.masking, self.seeds)
        if self.gaussian:
            spoiled += self.gaussian * keras.random.normal(tf.shape(x), dtype=x.dtype, seed=self.seeds)
        return spoiled

    def compute_loss(self, x: tf.Tensor, *_: Any, training: bool = True, **__: Any) -> tf.Tensor:
        """Cross-entropy between the clean x and what was made of its spoiled version."""
        r = self(self.corrupt(x), training=training)
        return tf.reduce_mean(keras.losses.binary_crossentropy(x, r))
