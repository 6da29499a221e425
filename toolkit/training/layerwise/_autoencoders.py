"""Stacked autoencoders: blocks that first learn to reconstruct what they see, without labels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from toolkit.argument_checks import check_share
from toolkit.errors import InvalidValueError
from toolkit.training._data import Nested
from toolkit.training._masking_noise import masking_noise
from toolkit.training.layerwise._blocks import Block, blocks_of
from toolkit.training.layerwise._chain import Chain, built, drawing, fresh_optimizer
from toolkit.training.layerwise._features import Features, without_mask
from toolkit.training.layerwise._greedy import (
    GIGABYTE,
    compiled_chain,
    require_compiled,
    require_pair,
    train_stage,
)
from toolkit.training.layerwise._mirror import mirrored
from toolkit.training.layerwise._record import LayerwiseHistory
from toolkit.training.layerwise._stages import Stages, epochs_of


def stacked_autoencoders(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int | Sequence[int] = 1,
    head_epochs: int = 1,
    fine_tune_epochs: int = 1,
    unlabelled: Nested = None,
    corruption: float = 0.0,
    blocks: Sequence[str | int] | None = None,
    decoders: Mapping[str, Sequence[keras.Layer]] | None = None,
    memory_limit: int = GIGABYTE,
    batch_size: int = 32,
    validation_data: tuple[Nested, Nested] | None = None,
    seed: int = 0,
    gradients: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    verbose: bool | None = None,
    **options: Any,
) -> LayerwiseHistory:
    r"""Pre-trains a Sequential model in place without labels, block by block, then teaches it the labels.

    Stage k teaches block :math:`f_k` together with a decoder :math:`g_k` to give back its own input,

    .. math:: \min_{f_k,\, g_k} \tfrac1{D}\lVert g_k(f_k(h_{k-1})) - h_{k-1} \rVert^2,
        \qquad h_0 = x,\; h_k = f_k(h_{k-1})

    D being the numbers in one :math:`h_{k-1}`, the mean over the batch. The decoders are thrown away. Then the head
    learns on the frozen blocks, and at last the whole model. Hinton and Salakhutdinov, "Reducing the dimensionality
    of data with neural networks", 2006 (they pre-train with restricted Boltzmann machines); Bengio et al., "Greedy
    layer-wise training of deep networks", 2007 (autoencoders, as here).

    Args:
        model: built and compiled; its kind of optimiser serves every stage, its loss and metrics the last two.
        x: inputs with labels, one array with N rows.
        y: targets with N rows.
        epochs: of each autoencoder, or one number for each block.
        head_epochs: of the head alone on the frozen blocks.
        fine_tune_epochs: of the whole model.
        unlabelled: further inputs, of any number, for the autoencoders; they learn from ``x`` if None, else from
            these alone, so that a set of which ``x`` is a labelled part is given whole.
        corruption: share of the numbers of an input that are set to 0 before the block sees it; it is to restore
            them (Vincent et al., "Extracting and composing robust features with denoising autoencoders", 2008).
        blocks: name or index of each block's last layer; see ``greedy``.
        decoders: layers by a block's name, instead of the mirrored ones: Dense → Dense, Conv → ConvTranspose,
            pooling → upsampling, Flatten → Reshape, the last one linear.
        memory_limit: bytes. Stored outputs above it go to a temporary file.
        batch_size: samples a step.
        validation_data: ``(x, y)`` to measure after each epoch, the reconstruction of its x included.
        seed: fixes the order of the samples, the decoders and what is corrupted.
        gradients: whether to record the first gradient of each layer.
        checkpoint: folder; the same call after a kill goes on inside the stage that was under way.
        resume: whether to go on from a checkpoint that is there.
        verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.
        **options: further ones of ``training.fit`` for every stage.

    Returns:
        A record for each stage. The losses of the autoencoders are mean squared errors of different inputs.

    Raises:
        UnsupportedError: not a Sequential model, or a block that cannot be mirrored, such as an embedding.
        CallOrderError: the model is not built or not compiled.
        InvalidValueError: an option does not fit; or what ``training.fit`` raises.
    """
    return pretrain(
        model,
        x,
        y,
        epochs=epochs,
        head_epochs=head_epochs,
        fine_tune_epochs=fine_tune_epochs,
        unlabelled=unlabelled,
        corruption=corruption,
        blocks=blocks,
        decoders=decoders,
        memory_limit=memory_limit,
        validation_data=validation_data,
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        verbose=verbose,
        gradients=gradients,
        options={"batch_size": batch_size, "seed": seed} | options,
    )


def pretrain(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int | Sequence[int],
    head_epochs: int,
    fine_tune_epochs: int,
    unlabelled: Nested = None,
    corruption: float = 0.0,
    blocks: Sequence[str | int] | None = None,
    decoders: Mapping[str, Sequence[keras.Layer]] | None = None,
    memory_limit: int = GIGABYTE,
    validation_data: tuple[Nested, Nested] | None = None,
    seed: int = 0,
    options: dict[str, Any],
    kept: dict[str, Any] | None = None,
    **of_stages: Any,
) -> LayerwiseHistory:
    """What ``stacked_autoencoders`` does; ``kept`` holds what was compiled for earlier runs on the same ``model``."""
    where = f"layerwise.stacked_autoencoders of {getattr(model, 'name', model)!r}"
    parts = blocks_of(model, where, blocks)
    require_compiled(model, where)
    each = epochs_of(where, epochs, len(parts.hidden))
    (on_top,) = epochs_of(where, head_epochs, 1, "head_epochs", least=0)
    (fine_tuning,) = epochs_of(where, fine_tune_epochs, 1, "fine_tune_epochs", least=0)
    check_share(where, "corruption", corruption)
    held_out = require_pair(where, validation_data)
    decoding = decoders_of(parts.hidden, decoders or {}, seed, where)
    plan = [("autoencoder", n) for n in each]
    plan += [(kind, n) for kind, n in (("head", on_top), ("fine-tuning", fine_tuning)) if n]
    seen = [x if unlabelled is None else unlabelled, x, *(held_out[:1] if held_out else ())]
    stages = Stages(where, plan, options=options, kept=kept, **of_stages)
    room = {"batch_size": options["batch_size"], "memory_limit": memory_limit, "where": where}
    with stages, Features(seen[0], seen[1:], **room) as features:
        for k, block in enumerate(parts.hidden):
            with stages.stage(f"autoencoder {k + 1}: {block.name}") as stage:
                if k:
                    stage.pass_through(features, parts.hidden[k - 1].layers)
                name = f"{model.name}_autoencoder_{k + 1}"
                network = stage.model(
                    lambda block=block, decoder=decoding[k], name=name, k=k: _autoencoder(
                        block, decoder, corruption, model, name, 1000 * seed + k
                    )
                )
                inputs = features.now[0]
                restored = (features.now[2], without_mask(features.now[2])) if held_out else None
                stage.train(network, inputs, without_mask(inputs), validation=restored, **_WITHOUT_LABELS)
        if on_top:
            with stages.stage("head") as stage:
                stage.pass_through(features, parts.hidden[-1].layers)
                features.now = features.now[1:]  # from here on with labels
                head = parts.head.layers
                network = stage.model(lambda: compiled_chain(head, (), model, f"{model.name}_head"))
                train_stage(stage, network, features, y, held_out)
        if fine_tuning:
            with stages.stage("fine-tuning") as stage:
                stage.train(model, x, y, validation=validation_data)
    return stages.history


# What belongs to the labelled samples has no meaning for the others.
_WITHOUT_LABELS = {"sample_weight": None, "class_weight": None}


def decoders_of(
    blocks: Sequence[Block], given: Mapping[str, Sequence[keras.Layer]], seed: int, where: str
) -> list[list[keras.Layer]]:
    """One for each block, with weights; all before the first stage, so that nothing is trained in vain."""
    unknown = set(given) - {block.name for block in blocks}
    if unknown:
        known = ", ".join(block.name for block in blocks)
        raise InvalidValueError(where, f"decoders for blocks among {known}", ", ".join(sorted(unknown)))
    decoders = []
    for k, block in enumerate(blocks):
        with drawing(1000 * seed + 500 + k):
            decoder = given.get(block.name) or mirrored(block.layers, block.input_shape, where)
            decoders.append(built(decoder, block.output_shape))
        shape = block.output_shape
        for layer in decoders[-1]:
            shape = tuple(layer.compute_output_shape(shape))
        if shape != block.input_shape:
            raise InvalidValueError(
                where, f"a decoder of {block.name!r} with outputs of shape {block.input_shape}", f"{shape}"
            )
    return decoders


def _autoencoder(
    block: Block, decoder: Sequence[keras.Layer], corruption: float, model: keras.Model, name: str, seed: int
) -> Chain:
    layers = [*block.layers, *decoder]
    if corruption:
        layers.insert(0, Corruption(corruption, seed=seed))
    autoencoder = Chain(layers, name=name)
    autoencoder.compile(fresh_optimizer(model), "mse")
    return autoencoder


class Corruption(keras.layers.Layer):
    """``masking_noise`` in training, nothing else.

    Args:
        share: of the numbers that are set to 0, from 0 to below 1.
        seed: fixes which.
        options: those of ``keras.Layer``.
    """

    def __init__(self, share: float, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.share, self.seed = share, seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any, training: bool = False) -> Any:
        """The inputs, corrupted in training; then whole numbers become floats."""
        return x if not training else masking_noise(ops.cast(x, self.compute_dtype), self.share, self.seeds)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """That of the inputs."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """The share and the seed."""
        return super().get_config() | {"share": self.share, "seed": self.seed}
