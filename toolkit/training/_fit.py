"""Training any compiled Keras model: faster than ``model.fit``, with the same result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from toolkit.argument_checks import is_integer
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError
from toolkit.training._checkpoint import Checkpoint
from toolkit.training._data import Nested, training_source, validation_source
from toolkit.training._early_stopping import EarlyStopping
from toolkit.training._history import History
from toolkit.training._run import Run


def fit(
    model: keras.Model,
    x: Nested,
    y: Nested = None,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: Nested = None,
    validation_split: float = 0.0,
    shuffle: bool = True,
    seed: int = 0,
    sample_weight: Nested = None,
    class_weight: Mapping[int, float] | None = None,
    patience: int | None = None,
    monitor: str = "val_loss",
    restore_best: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume: bool = True,
    steps_per_execution: int | str = "auto",
    jit_compile: bool | str = "auto",
    callbacks: keras.callbacks.Callback | Sequence[keras.callbacks.Callback] | None = (),
    verbose: bool | None = None,
) -> History:
    """Trains ``model`` in place, as ``model.fit`` does, with less time between the steps.

    The mathematics of a step is Keras's own ``train_step``: the same batches, the smaller last one included, the
    same losses, metrics, masks, weights and seeds. With the same order of the samples the weights are those of
    ``model.fit``, bit for bit, or to rounding where an LSTM runs as one operation or XLA is used (``settings`` of the
    history says so; XLA that is asked for draws other masks of dropout). Only the order differs by default: it follows
    from ``seed`` (see ``training.epoch_order``).

    Args:
        model: a compiled Keras model of any kind; on return only its weights, optimiser and metrics have changed,
            and ``model.history`` is the history, as it is after an interruption.
        x: inputs: an array, tensor or data frame with N rows, a list or dict of them for several inputs, or a
            ``tf.data.Dataset`` of batches ``(x, y)`` or ``(x, y, sample_weight)``. A ``numpy.memmap`` stays on disk and
            is read batch by batch.
        y: targets with N rows, one array for each output.
        epochs: how many times all of ``x`` is seen.
        batch_size: samples a step; a data set brings its own.
        validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or a data set to measure after each epoch.
        validation_split: share of the rows at the end held out for the same purpose.
        shuffle: whether each epoch has an order of its own; a data set keeps its own order: epoch k is its k-th
            iteration. (``model.fit`` passes over some iterations, and ends an epoch of unknown length with a step of
            no samples.)
        seed: fixes these orders. Initial weights and dropout belong to the model: ``keras.utils.set_random_seed``.
        sample_weight: weight of each sample in the loss.
        class_weight: weight of each class instead, for integer or one-hot targets.
        patience: stop when ``monitor`` was not better for so many epochs; None trains all epochs.
        monitor: the measure to watch: ``"val_loss"``, ``"loss"``, ``"val_accuracy"``, …
        restore_best: with ``patience``, whether the run ends with the weights of its best epoch.
        checkpoint: folder for the state of the run. The same call after a kill goes on from there, and its final
            weights equal those of an undisturbed run; after the end it returns at once, or goes on for more
            ``epochs``, but not for fewer. What callbacks count and collect in numbers, texts, arrays and lists is part
            of it.
        checkpoint_every: write it every so many steps too, not only after each epoch.
        resume: whether to go on from a checkpoint that is there; False starts afresh.
        steps_per_execution: steps in one call into TensorFlow; "auto" takes as many as run in a quarter of a second,
            and one where a callback wants to see every batch or a data set brings them. It changes the speed only.
        jit_compile: whether XLA compiles the step; "auto" uses it for loops over time in long runs, which is where it
            pays on a CPU, if it changes nothing but the rounding; and otherwise what the model was compiled with.
        callbacks: Keras callbacks, but not ``BackupAndRestore``, whose work ``checkpoint`` does.
        verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.

    Returns:
        The history: ``.history``, ``.frame()``, ``.plot()``, ``.best_epoch``, ``.stopped``, ``.settings``.

    Raises:
        InvalidValueError: an option is out of range; ``monitor`` is not measured; the checkpoint is of another run;
            or a loss or weight is no longer finite. Then it says in which epoch, step and layer, and the model holds
            the weights from before.
        ShapeError: the arrays differ in their number of samples, or are empty.
        UnsupportedError: data or model of a kind that this function does not train.
        CallOrderError: the model is not compiled.
        DataError: the checkpoint cannot be read or written.
    """
    where = f"training.fit of {getattr(model, 'name', model)!r}"
    _check_model(model, where)
    epochs, batch_size = _integer(where, "epochs", epochs), _integer(where, "batch_size", batch_size)
    patience = None if patience is None else _integer(where, "patience", patience)
    checkpoint_every = None if checkpoint_every is None else _integer(where, "checkpoint_every", checkpoint_every)
    if steps_per_execution != "auto":
        steps_per_execution = _integer(where, 'steps_per_execution ("auto" or)', steps_per_execution)
    seed = _integer(where, "seed", seed, least=0)
    if jit_compile not in (True, False, "auto"):
        raise InvalidValueError(where, 'jit_compile as True, False or "auto"', repr(jit_compile))
    if checkpoint_every is not None and checkpoint is None:
        raise InvalidValueError(where, "checkpoint_every beside a checkpoint folder", "no checkpoint")
    if validation_split and (not 0 < validation_split < 1 or validation_data is not None):
        raise InvalidValueError(where, "validation_split in (0, 1), without validation_data", repr(validation_split))

    source, held_out = training_source(
        where,
        x,
        y,
        sample_weight,
        class_weight,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
    )
    validation = held_out if validation_data is None else validation_source(where, validation_data, batch_size)
    run = Run(
        model,
        source,
        validation,
        epochs=epochs,
        stopping=EarlyStopping(model, monitor, patience, restore_best),
        callbacks=_callbacks(where, callbacks),
        steps_per_execution=None if steps_per_execution == "auto" else steps_per_execution,
        jit_compile=jit_compile,
        where=where,
        verbose=verbose,
    )
    if checkpoint is None:
        return run.train()
    settings = {"batch_size": batch_size, "shuffle": shuffle, "seed": seed}
    store = Checkpoint(checkpoint, run.fingerprint(settings), where)
    with store.held():
        run.keep_in(store, every=checkpoint_every, resume=resume)
        return run.train()


def _check_model(model: Any, where: str) -> None:
    if keras.config.backend() != "tensorflow":
        raise UnsupportedError(where, "Keras on TensorFlow", f"Keras on {keras.config.backend()}")
    if not isinstance(model, keras.Model):
        remedy = "A toolkit.scratch network has its own fit."
        raise UnsupportedError("training.fit", "a Keras model", type(model).__name__, remedy)
    if not model.compiled:
        remedy = "Call model.compile(optimizer, loss) first."
        raise CallOrderError(where, "a compiled model", "one without loss and optimiser", remedy)
    if model._distribute_strategy is not None:
        made = f"one made under {type(model._distribute_strategy).__name__}"
        raise UnsupportedError(where, "a model made without a distribution strategy", made, "Train it with model.fit.")


def _callbacks(where: str, given: Any) -> list[keras.callbacks.Callback]:
    callbacks = keras.tree.flatten(given) if given is not None else []
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise InvalidValueError(where, "callbacks as a list of keras.callbacks.Callback", repr(callback))
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise UnsupportedError(where, "callbacks that do not resume", "BackupAndRestore", "Use checkpoint=FOLDER.")
    return callbacks


def _integer(where: str, name: str, value: Any, least: int = 1) -> int:
    if not is_integer(value) or value < least:
        kind = "a positive integer" if least else "an integer from 0"
        raise InvalidValueError(where, f"{name} as {kind}", repr(value))
    return int(value)
