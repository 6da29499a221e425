"""Running stages one after the other: train, measure, record, go on after a kill."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError
from toolkit.training._data import Nested
from toolkit.training._fit import fit
from toolkit.training._history import History
from toolkit.training._progress import _duration, _place_for
from toolkit.training._state import State
from toolkit.training.layerwise._chain import Chain
from toolkit.training.layerwise._features import Features, inference, rows_of
from toolkit.training.layerwise._folder import Folder, Plan
from toolkit.training.layerwise._memory import Peak
from toolkit.training.layerwise._record import LayerwiseHistory, StageRecord

_GRADIENT_ROWS = 256


class Stages:
    """The stages of one layered training.

    Each stage is a run of ``training.fit`` with a checkpoint folder of its own. After a kill the same call passes
    over the finished stages, whose runs return at once with their weights, and goes on inside the one that was
    under way.

    Args:
        where: who asks, for errors.
        plan: kind and epochs of each stage.
        options: of ``training.fit``, the same for every stage.
        checkpoint: folder for the checkpoints and ``stages.json``, see ``Folder``; None keeps nothing.
        resume: whether to go on from there.
        verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.
        gradients: whether each record holds the norms of the first gradients.
        measured: whether each record holds the peak memory.
        kept: models and functions of earlier runs with the same layers, by stage: reused, so that nothing is compiled
            twice.
    """

    def __init__(
        self,
        where: str,
        plan: Plan,
        *,
        options: dict[str, Any],
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = True,
        verbose: bool | None = None,
        gradients: bool = False,
        measured: bool = True,
        kept: dict[str, Any] | None = None,
    ) -> None:
        self.plan, self.options, self.gradients = list(plan), options, gradients
        self.folder = None if checkpoint is None else Folder(checkpoint, self.plan, resume=resume, where=where)
        self.history = LayerwiseHistory()
        self.measured, self.kept = measured, kept
        self.shown = Shown(self._epochs(len(self.plan)) or 1, verbose)

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self.shown.close()

    @contextlib.contextmanager
    def stage(self, name: str, place: int | None = None) -> Iterator[Stage]:
        """One stage: what happens inside the ``with`` block is measured and recorded as ``name``.

        Args:
            name: for the record and the progress.
            place: in the plan, from 0; the one behind the last stage if None.
        """
        place = len(self.history) if place is None else place
        with Peak() if self.measured else contextlib.nullcontext() as peak:
            stage = Stage(self, name, place, peak)
            yield stage
        record = stage.record()
        if self.folder is not None:
            record = self.folder.finish(place, record)
        self.history.stages.append(record)
        self.shown.done = self._epochs(place + 1)
        self.shown.line(_line(record))

    def _epochs(self, stages: int) -> int:
        """Of so many stages together."""
        return sum(epochs for _, epochs in self.plan[:stages])


class Stage:
    """One stage while it runs."""

    def __init__(self, stages: Stages, name: str, place: int, peak: Peak | None) -> None:
        self.stages, self.name, self.place, self.peak = stages, name, place, peak
        self.feature_seconds, self._features = 0.0, None
        self.gradients: dict[str, float] = {}
        self.trainable = 0

    def pass_through(self, features: Features, layers: Sequence[keras.Layer]) -> None:
        """Computes the outputs of ``layers``; the time counts as this stage's."""
        started, before = time.perf_counter(), features.bytes_in_memory
        features.pass_through(self._inference(features, layers))
        self.feature_seconds += time.perf_counter() - started
        if self.peak is not None:
            self.peak.outside = before + features.bytes_in_memory  # both, until all had passed
            self.peak.hold(features.bytes_in_memory)
        self._features = features

    def _inference(self, features: Features, layers: Sequence[keras.Layer]) -> Callable:
        key = f"outputs of {', '.join(layer.name for layer in layers)}"
        kept = {} if self.stages.kept is None else self.stages.kept
        if key not in kept:
            kept[key] = inference(layers, features.example)
        return kept[key]

    def model(self, make: Callable[[], keras.Model]) -> keras.Model:
        """The model of this stage: a new one, or the one that an earlier run kept, with the new one's numbers."""
        new = make()
        if self.stages.kept is None:
            return new
        key = f"{self.place} {self.name}"
        kept = self.stages.kept.setdefault(key, new)
        if kept is not new:
            for variable, value in zip(kept.variables, new.variables, strict=True):
                variable.assign(value)
            start_again(kept.optimizer, new.optimizer)
        return kept

    def train(self, model: keras.Model, x: Nested, y: Nested, *, validation: Nested = None, **options: Any) -> None:
        """Trains the stage's model by ``training.fit``, for as many epochs as planned."""
        stages = self.stages
        options = stages.options | options
        if stages.folder is not None:
            options |= stages.folder.of_fit(self.place)
        shown = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: self._begin(),
            on_epoch_end=lambda epoch, logs: stages.shown.advance(f"{self.name}  loss {logs['loss']:.4f}"),
        )
        callbacks = [*keras.tree.flatten(options.pop("callbacks", None) or ()), shown]
        if stages.gradients:
            self.gradients = gradient_norms(model, x, y)
        self.trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
        self.history = fit(
            model,
            x,
            y,
            epochs=stages.plan[self.place][1],
            validation_data=validation,
            callbacks=callbacks,
            verbose=False,
            **options,
        )
        steps = int(model.optimizer.iterations.numpy())
        self.history.settings = self.history.settings | {"steps": steps}

    def compute(self, learn: Callable[[], object]) -> None:
        """A stage that learns in one go, without epochs."""
        self._begin()
        started = time.perf_counter()
        learn()
        self.history = History(stopped="learned in one go")
        self.feature_seconds += time.perf_counter() - started

    def _begin(self) -> None:
        if self.stages.folder is not None:
            self.stages.folder.begin(self.place)

    def record(self) -> StageRecord:
        """What is known of it in the end."""
        features, peak = self._features, self.peak
        return StageRecord(
            self.name,
            self.history,
            self.trainable,
            self.feature_seconds,
            features.bytes if features else 0,
            features.on_disk if features else False,
            peak.bytes if peak else 0,
            peak.by if peak else "",
            self.gradients,
        )


def start_again(optimizer: keras.optimizers.Optimizer, like: keras.optimizers.Optimizer) -> None:
    """Sets an optimiser back to its beginning: moments 0, and the learning rate of ``like``."""
    for variable in optimizer.variables:
        if variable is not optimizer._learning_rate:
            variable.assign(tf.zeros_like(variable.value))
    if isinstance(optimizer._learning_rate, keras.Variable):
        optimizer.learning_rate = like.learning_rate


def gradient_norms(model: keras.Model, x: Nested, y: Nested) -> dict[str, float]:
    """The norm of the loss's gradient with respect to the kernel of each layer, on the first 256 samples.

    The model is left as it was: masks of dropout and moving averages are put back.

    Returns:
        ``{layer: ‖∂L/∂W‖}`` for every layer with a trainable matrix or filter, in forward order.
    """
    rows = slice(0, _GRADIENT_ROWS)
    x, y = rows_of(x, rows), rows_of(y, rows)
    model(x)  # optimisers and metrics are not touched; a model that is not built yet gets its weights
    state = State(model)
    kept = state.read()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
    kernels = {
        layer.name: [v.value for v in layer.trainable_variables if len(v.shape) > 1]
        for layer in (model.own if isinstance(model, Chain) else model.layers)
    }
    kernels = {name: values for name, values in kernels.items() if values}
    gradients = tape.gradient(loss, kernels)
    norms = {name: float(tf.linalg.global_norm([g for g in of if g is not None])) for name, of in gradients.items()}
    state.write(kept)
    return norms


class Shown:
    """The progress of many parts: a line for each finished one, and below them how far the whole is.

    Args:
        total: how many steps the whole has.
        verbose: True shows it, False does not, None does once the whole takes over two seconds.
    """

    _PATIENCE, _REFRESH = 2.0, 0.2

    def __init__(self, total: int, verbose: bool | None) -> None:
        self.total, self.verbose, self.done = total, verbose, 0
        self._began, self._drawn = time.perf_counter(), 0.0
        self._lines: list[str] = []
        self._place: Callable[[list[str], str, float], None] | None = None
        self.close: Callable[[], None] = lambda: None

    def advance(self, status: str) -> None:
        """After one step; ``status`` says what is under way."""
        self.done += 1
        self.say(status)

    def say(self, status: str) -> None:
        """What is under way, inside of a step."""
        now = time.perf_counter()
        if now - self._drawn >= self._REFRESH:
            self._drawn = now
            if self.done:
                left = _duration((now - self._began) / self.done * max(0, self.total - self.done))
                status = f"{status}  {left} left"
            self._show(status, now)

    def line(self, text: str) -> None:
        """After a part."""
        self._lines.append(text)
        self._show("", time.perf_counter())

    def _show(self, status: str, now: float) -> None:
        if self.verbose if self.verbose is not None else now - self._began > self._PATIENCE:
            if self._place is None:
                self._place, self.close = _place_for(self.total)
            self._place(self._lines, status, min(self.done, self.total))


def _line(record: StageRecord) -> str:
    history = record.history
    values = "  ".join(f"{name} {v[-1]:.4f}" for name, v in history.history.items() if isinstance(v[-1], float))
    return f"{record.name}  {history.epochs} epochs in {record.seconds:.1f} s  {values}"


def epochs_of(where: str, epochs: int | Sequence[int], stages: int, name: str = "epochs", least: int = 1) -> list[int]:
    """The epochs of each stage: one number for all, or one for each.

    Raises:
        InvalidValueError: neither.
    """
    each = list(epochs) if isinstance(epochs, Sequence | np.ndarray) else [epochs] * stages
    if len(each) != stages or not all(is_integer(n) and n >= least for n in each):
        expected = f"{name} as an integer from {least}, or one for each of the {stages} blocks"
        raise InvalidValueError(where, expected, repr(epochs))
    return [int(n) for n in each]
