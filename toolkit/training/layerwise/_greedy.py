"""Greedy layer-wise training: one block after the other, each with a head of its own for a while."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from toolkit.errors import CallOrderError, InvalidValueError
from toolkit.training._data import Nested
from toolkit.training.layerwise._blocks import Blocks, blocks_of
from toolkit.training.layerwise._chain import Chain, built, compile_like, copied, drawing, held_still
from toolkit.training.layerwise._features import Features
from toolkit.training.layerwise._record import LayerwiseHistory
from toolkit.training.layerwise._stages import Stage, Stages, epochs_of

GIGABYTE = 10**9

HeadBuilder = Callable[[tuple[int | None, ...]], Sequence[keras.Layer]]


def greedy(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int | Sequence[int] = 1,
    fine_tune_epochs: int = 0,
    blocks: Sequence[str | int] | None = None,
    head: HeadBuilder | None = None,
    cache: bool = True,
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
    r"""Trains a Sequential model in place, block by block, each on the frozen outputs of those before it.

    With blocks :math:`f_1 … f_K` and heads :math:`g_k`, stage k solves

    .. math:: \min_{f_k,\, g_k} L\bigl(y,\; g_k(f_k(h_{k-1}))\bigr), \qquad h_0 = x,\; h_k = f_k(h_{k-1})

    where :math:`h_{k-1}` is a constant: it is computed once and stored, not again in every epoch. The temporary heads
    are thrown away; the last block learns with the model's own head. Frozen blocks run in inference mode: dropout
    drops nothing, batch normalisation uses its moving averages. Bengio et al., "Greedy layer-wise training of deep
    networks", 2007 (supervised variant); Belilovsky et al., "Greedy layerwise learning can scale to ImageNet", 2019.

    Args:
        model: built and compiled; its loss, metrics and kind of optimiser serve every stage, the optimiser begins
            anew in each.
        x: inputs, one array with N rows.
        y: targets with N rows.
        epochs: of each stage, or one number for each block.
        fine_tune_epochs: of training the whole model afterwards, end to end.
        blocks: name or index of each block's last layer. By default a block is a layer with weights and what follows
            it; the last one is the head.
        head: layers for a temporary head, from the shape ``(None, …)`` of a block's outputs. By default feature maps
            are averaged down to 2×2 at most (Belilovsky et al.), sequences over time, and a copy of the model's own
            head follows.
        cache: False computes the frozen blocks again in every step. The result is the same but for rounding; it is
            there to be compared with.
        memory_limit: bytes. Stored outputs above it go to a temporary file.
        batch_size: samples a step.
        validation_data: ``(x, y)`` to measure after each epoch.
        seed: fixes the order of the samples and the temporary heads.
        gradients: whether to record the first gradient of each layer.
        checkpoint: folder; the same call after a kill goes on inside the stage that was under way, and ends with the
            weights of an undisturbed run. The last stage may get more epochs later, and fine-tuning may follow; an
            earlier one may not, since those behind it began from what it had learned.
        resume: whether to go on from a checkpoint that is there.
        verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.
        **options: further ones of ``training.fit`` for every stage: ``patience``, ``sample_weight``,
            ``checkpoint_every``, ``callbacks``, …

    Returns:
        A record for each stage: ``.frame()``, ``.plot()``, ``[k].history``.

    Raises:
        UnsupportedError: not a Sequential model, or inputs that are not one array.
        CallOrderError: the model is not built or not compiled.
        InvalidValueError: ``epochs`` or ``blocks`` do not fit; ``checkpoint`` holds another run; or what
            ``training.fit`` raises.
    """
    return train_greedily(
        model,
        x,
        y,
        epochs=epochs,
        fine_tune_epochs=fine_tune_epochs,
        blocks=blocks,
        head=head,
        cache=cache,
        memory_limit=memory_limit,
        validation_data=validation_data,
        seed=seed,
        checkpoint=checkpoint,
        resume=resume,
        verbose=verbose,
        gradients=gradients,
        options={"batch_size": batch_size, "seed": seed} | options,
    )


def train_greedily(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int | Sequence[int],
    fine_tune_epochs: int = 0,
    blocks: Sequence[str | int] | None = None,
    head: HeadBuilder | None = None,
    cache: bool = True,
    memory_limit: int = GIGABYTE,
    validation_data: tuple[Nested, Nested] | None = None,
    seed: int = 0,
    options: dict[str, Any],
    kept: dict[str, Any] | None = None,
    **of_stages: Any,
) -> LayerwiseHistory:
    """What ``greedy`` does; ``kept`` holds what was compiled for earlier runs on the same ``model``."""
    where = f"layerwise.greedy of {getattr(model, 'name', model)!r}"
    parts = blocks_of(model, where, blocks)
    require_compiled(model, where)
    each = epochs_of(where, epochs, len(parts.hidden))
    (fine_tuning,) = epochs_of(where, fine_tune_epochs, 1, "fine_tune_epochs", least=0)
    held_out = require_pair(where, validation_data)
    plan = [("block", n) for n in each] + [("fine-tuning", fine_tuning)] * (fine_tuning > 0)
    stages = Stages(where, plan, options=options, kept=kept, **of_stages)
    room = {"batch_size": options["batch_size"], "memory_limit": memory_limit, "where": where}
    with stages, Features(x, [held_out[0]] if held_out else [], **room) as features:
        for k, block in enumerate(parts.hidden):
            frozen = [layer for before in parts.hidden[:k] for layer in before.layers]
            with stages.stage(f"block {k + 1}: {block.name}") as stage, contextlib.ExitStack() as still:
                if cache and k:
                    stage.pass_through(features, parts.hidden[k - 1].layers)
                if not cache:
                    still.enter_context(held_still(frozen))
                name = f"{model.name}_block_{k + 1}"
                layers = [*block.layers, *_head_on(parts, k, head, seed)]
                network = stage.model(
                    lambda layers=layers, frozen=frozen, name=name: compiled_chain(
                        layers, () if cache else frozen, model, name
                    )
                )
                train_stage(stage, network, features, y, held_out)
        if fine_tuning:
            with stages.stage("fine-tuning") as stage:
                stage.train(model, x, y, validation=validation_data)
    return stages.history


def compiled_chain(
    layers: Sequence[keras.Layer], frozen: Sequence[keras.Layer], model: keras.Model, name: str, **changes: Any
) -> Chain:
    """A model of some layers, compiled as ``model`` is but for ``changes``."""
    chain = Chain(layers, frozen, name=name)
    compile_like(chain, model, **changes)
    return chain


def train_stage(stage: Stage, network: keras.Model, features: Features, y: Nested, held_out: tuple | None) -> None:
    """Trains on the features as they are now, with validation on those of ``held_out`` if there is any."""
    x, validation = features.now[0], None
    if held_out is not None:
        validation = (features.now[1], held_out[1])
    stage.train(network, x, y, validation=validation)


def require_compiled(model: keras.Model, where: str) -> None:
    """Raises CallOrderError for a model without a loss."""
    if not model.compiled:
        remedy = "Call model.compile(optimizer, loss) first."
        raise CallOrderError(where, "a compiled model", "one without loss and optimiser", remedy)


def require_pair(where: str, validation_data: Any) -> tuple[Nested, Nested] | None:
    """``(x, y)`` or None."""
    if validation_data is None:
        return None
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise InvalidValueError(where, "validation_data as (x, y)", type(validation_data).__name__)
    return tuple(validation_data)


def _head_on(parts: Blocks, k: int, head: HeadBuilder | None, seed: int) -> list[keras.Layer]:
    """The head of stage k (from 0): the model's own on the last block, else a new one."""
    if k == len(parts.hidden) - 1:
        return list(parts.head.layers)
    shape = parts.hidden[k].output_shape
    with drawing(1000 * seed + k):
        if head is not None:
            return built(head(shape), shape)
        layers = [*averaging(shape)]
        layers += [copied(layer, f"{layer.name}_on_block_{k + 1}") for layer in parts.head.layers]
        return built(layers, shape)


def averaging(shape: tuple[int | None, ...]) -> list[keras.Layer]:
    """Layers that turn outputs of ``shape`` into one vector a sample."""
    if len(shape) == 2:
        return []
    if len(shape) == 4 and None not in shape[1:]:
        window = [-(-side // 2) for side in shape[1:3]]
        return [keras.layers.AveragePooling2D(window, window, padding="same"), keras.layers.Flatten()]
    pooling = {3: "1D", 4: "2D", 5: "3D"}
    return [getattr(keras.layers, f"GlobalAveragePooling{pooling[len(shape)]}")()]
