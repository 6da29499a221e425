"""Gradual unfreezing: the head first, then one stage more at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from toolkit.argument_checks import is_integer, is_number
from toolkit.errors import InvalidValueError
from toolkit.models.transfer._features import checked_images, computed, draws_at_random, split_head
from toolkit.models.transfer._rates import DECAY, known_optimizer, stage_rates
from toolkit.models.transfer._record import FineTuning, Step
from toolkit.models.transfer._stages import HEAD, freeze_until, require_stage, stages
from toolkit.training.layerwise._folder import Folder


def fine_tune(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    unfreeze: Sequence[str] | None = None,
    epochs: int | Sequence[int] = 3,
    learning_rate: float | Sequence[float] = 1e-3,
    decay: float = DECAY,
    optimizer: keras.optimizers.Optimizer | str = "adam",
    loss: Any = "sparse_categorical_crossentropy",
    metrics: Sequence[Any] = ("accuracy",),
    train_batch_norm: bool = True,
    cache_features: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    validation_data: Any = None,
    verbose: bool | None = None,
    **options: Any,
) -> FineTuning:
    """Trains ``model`` in steps: first the head alone, then the last stage with it, and so on towards the image.

    The new head is random at first, and its gradients would tear up what the network has learned. So the head learns
    alone, and what is nearest to it joins when it has calmed down. Stages nearer to the image move more slowly.

    Args:
        model: as ``transfer_model`` makes it. On return it is compiled as in the last step.
        x, y: as for ``training.fit``; a ``tf.data.Dataset`` brings both.
        unfreeze: the stages in the order in which they join, each with all behind it; None takes all of them, from the
            head to the image. ``("head",)`` trains a linear model on frozen features; one early stage alone trains all
            at once.
        epochs: of every step, or a number for each.
        learning_rate: of the head in every step, or a number for each.
        decay: what the rate is divided by from each stage to the one before it (see ``transfer.stage_rates``).
        optimizer: starts anew in every step, since what learns changes.
        loss: as for ``compile``.
        metrics: as for ``compile``.
        train_batch_norm: False keeps batch normalisation in inference even in stages that learn.
        cache_features: while only the head learns, compute the features of arrays once instead of in every epoch. The
            result is the same; where the frozen part draws at random (dropout, augmentation) it would not be, and
            nothing is cached, nor where frozen part and head are joined by more than one row of features.
        checkpoint: a folder; after a kill, the same call goes on from there. Finished steps are not repeated. The last
            step that has begun may get more epochs, those before it not: it started from what they had learned.
        batch_size: as for ``training.fit``.
        validation_data: as for ``training.fit``.
        verbose: as for ``training.fit``.
        options: anything else that ``training.fit`` takes: ``seed``, ``patience``, ``callbacks``, …

    Returns:
        The record: ``.frame()``, ``.plot()``, ``.steps``, ``.history``.

    Raises:
        InvalidValueError: an unknown stage, none at all, or not as many numbers as steps; epochs or a learning rate not
            above 0; a class that the head does not have; a checkpoint of other steps; and as for ``training.fit``.
        ShapeError: the images are not those that the model takes; and as for ``training.fit``.
        UnsupportedError: the model has no stages, or the optimiser is none for ``transfer.stage_rates``.

    Source: Howard, Ruder: *Universal language model fine-tuning for text classification*, ACL (2018), arXiv:1801.06146,
    section 3.3.
    """
    from toolkit import training

    where = f"transfer.fine_tune of {getattr(model, 'name', model)!r}"
    names = list(stages(model))
    order = names[::-1] if unfreeze is None else list(unfreeze)
    if not order or isinstance(unfreeze, str):
        raise InvalidValueError(where, f"unfreeze as a sequence of stages: {', '.join(names)}", repr(unfreeze))
    for stage in order:
        require_stage(stage, names, where)
    epochs_of = _one_for_each(order, epochs, "epochs", where)
    rates = _one_for_each(order, learning_rate, "learning_rate", where)
    for number in epochs_of:
        if not is_integer(number) or number < 1:
            raise InvalidValueError(where, "epochs of each step as a positive integer", repr(number))
    for rate in rates:
        if not is_number(rate) or not 0 < rate < float("inf"):
            raise InvalidValueError(where, "each learning_rate as a number above 0", repr(rate))
    optimizer = known_optimizer(optimizer, where)
    held_out = validation_data[0] if isinstance(validation_data, tuple) else None
    for images in (x, held_out):
        if hasattr(images, "__array__"):
            checked_images(where, model, images, batch_size)
    if hasattr(x, "__array__") and y is None:
        raise InvalidValueError(where, "labels y beside the images", "none")
    arrays = hasattr(x, "__array__") and (validation_data is None or hasattr(held_out, "__array__"))
    if loss == "sparse_categorical_crossentropy" and hasattr(y, "__array__"):
        _require_known_classes(where, y, model.output_shape[-1])

    folder = None
    if checkpoint is not None:
        plan = [(stage, int(number)) for stage, number in zip(order, epochs_of)]
        folder = Folder(checkpoint, plan, resume=options.pop("resume", True), where=where)
    callbacks = keras.tree.flatten(options.pop("callbacks", None) or ())
    record = FineTuning()
    for number, stage in enumerate(order, start=1):
        began = time.perf_counter()
        freeze_until(model, stage, train_batch_norm=train_batch_norm)
        compiled = {"loss": loss, "metrics": list(metrics)}
        paced = _at_rate(optimizer, rates[number - 1])
        factors = stage_rates(paced, model, decay=decay)
        model.compile(factors, **compiled)
        learner, data, validation = model, (x, y), validation_data
        halves = split_head(model) if cache_features and stage == HEAD and arrays else None
        cached = halves is not None and not draws_at_random(halves[0])
        if cached:
            body, learner = halves
            learner.compile(_at_rate(optimizer, rates[number - 1]), **compiled)
            data = computed(body, np.asarray(x), batch_size, verbose), y
            if validation is not None:
                validation = (computed(body, np.asarray(validation[0]), batch_size, verbose), *validation[1:])
        history = training.fit(
            learner,
            *data,
            epochs=epochs_of[number - 1],
            batch_size=batch_size,
            validation_data=validation,
            verbose=verbose,
            **options | ({"callbacks": callbacks} if folder is None else _kept_in(folder, number - 1, callbacks)),
        )
        record.steps.append(
            Step(
                stage=stage,
                trainable_parameters=sum(int(np.prod(w.shape)) for w in model.trainable_weights),
                learning_rates=_rates_by_stage(names[names.index(stage) :], rates[number - 1], decay),
                cached=cached,
                seconds=time.perf_counter() - began,
                history=history,
            )
        )
    return record


def _kept_in(folder: Folder, place: int, callbacks: list[keras.callbacks.Callback]) -> dict[str, Any]:
    """What ``training.fit`` needs to begin a step in its folder, or to go on inside it."""
    begin = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: folder.begin(place))
    return folder.of_fit(place) | {"callbacks": [*callbacks, begin]}


def _require_known_classes(where: str, y: Any, classes: int) -> None:
    labels = np.asarray(y)
    if labels.size and labels.dtype.kind in "iuf" and not (labels.min() >= 0 and labels.max() < classes):
        expected = f"labels from 0 to {classes - 1}, the classes of the head"
        raise InvalidValueError(where, expected, f"{labels.min()} to {labels.max()}")


def _one_for_each(order: list[str], value: Any, name: str, where: str) -> list:
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        return [value] * len(order)
    if len(value) != len(order):
        raise InvalidValueError(where, f"one number, or {len(order)} for {name}", f"{len(value)}")
    return list(value)


def _at_rate(optimizer: keras.optimizers.Optimizer, learning_rate: float) -> keras.optimizers.Optimizer:
    return type(optimizer).from_config(optimizer.get_config() | {"learning_rate": float(learning_rate)})


def _rates_by_stage(learning: list[str], rate: float, decay: float) -> dict[str, float]:
    return {name: rate * decay ** -(len(learning) - 1 - k) for k, name in enumerate(learning)}
