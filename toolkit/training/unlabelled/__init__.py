"""Learning without labels: by mending, by contrast, and against an opponent.

    encoder = unlabelled.image_encoder(seed=0)
    simclr = unlabelled.SimCLR(encoder, unlabelled.projection_head(seed=0))
    simclr.compile("adam")
    training.fit(simclr, x, epochs=20, batch_size=256)
    training.linear_probe(encoder.predict(x), y, encoder.predict(x_test), y_test, per_class=(1, 10, None), seeds=5)

``DenoisingAutoencoder`` and ``SimCLR`` learn an encoder, whose worth ``training.linear_probe`` measures; ``GAN`` learns
a generator, whose samples are to be looked at. The losses have twins in NumPy: ``scratch.BinaryCrossentropy``,
``scratch.NTXent``, ``scratch.DiscriminatorLoss`` and ``scratch.GeneratorLoss``.
"""

from toolkit.training.unlabelled._contrastive import SimCLR, nt_xent
from toolkit.training.unlabelled._denoising import DenoisingAutoencoder
from toolkit.training.unlabelled._gan import GAN, SampleRecord, discriminator_loss, generator_loss
from toolkit.training.unlabelled._networks import (
    dense_network,
    image_decoder,
    image_discriminator,
    image_encoder,
    image_generator,
    projection_head,
)
from toolkit.training.unlabelled._ring import GaussianRing
from toolkit.training.unlabelled._self_supervised import SelfSupervised
from toolkit.training.unlabelled._views import RandomView

__all__ = [
    "GAN",
    "DenoisingAutoencoder",
    "GaussianRing",
    "RandomView",
    "SampleRecord",
    "SelfSupervised",
    "SimCLR",
    "dense_network",
    "discriminator_loss",
    "generator_loss",
    "image_decoder",
    "image_discriminator",
    "image_encoder",
    "image_generator",
    "nt_xent",
    "projection_head",
]
