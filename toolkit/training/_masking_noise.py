"""Masking noise: what denoising autoencoders have to mend."""

from __future__ import annotations

import keras
from keras import ops


def masking_noise(x: keras.KerasTensor, share: float, seeds: keras.random.SeedGenerator) -> keras.KerasTensor:
    r"""Sets a share of the numbers to 0 and leaves the others as they are (dropout would scale them up).

    .. math:: \tilde x = m \odot x, \qquad m \sim \mathrm{Bernoulli}(1 - \nu)

    Args:
        x: floats of any shape.
        share: ν, from 0 to below 1.
        seeds: where the mask is drawn from, anew with each call.

    Returns:
        :math:`\tilde x`, of the shape and dtype of x.

    Source: Vincent et al., "Extracting and composing robust features with denoising autoencoders", ICML (2008).
    """
    kept = keras.random.uniform(ops.shape(x), dtype=x.dtype, seed=seeds) >= share
    return ops.where(kept, x, ops.zeros_like(x))
