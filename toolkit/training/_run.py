"""One training run: its position, its epochs, what happens after each call and each epoch."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training import _finite
from toolkit.training._callbacks import CallbackState
from toolkit.training._checkpoint import Checkpoint
from toolkit.training._compilation import decide
from toolkit.training._data import ArrayEpoch, Arrays, Stream, StreamEpoch, lengths_vary, require_numeric_targets
from toolkit.training._early_stopping import EarlyStopping
from toolkit.training._fingerprint import fingerprint
from toolkit.training._history import History
from toolkit.training._progress import Shown
from toolkit.training._state import State
from toolkit.training._steps import Logs, Pace, Steps, evaluate, has_own, measures, steps_of

_SECONDS_BETWEEN_CHECKS = 0.2


class Run:
    """Everything that one call of ``fit`` holds.

    Its position is ``epoch`` and ``step``, both from 0: the next step to be trained.
    """

    def __init__(
        self,
        model: keras.Model,
        source: Arrays | Stream,
        validation: Arrays | Stream | None,
        *,
        epochs: int,
        stopping: EarlyStopping,
        callbacks: Sequence[keras.callbacks.Callback],
        steps_per_execution: int | None,
        jit_compile: bool | str,
        where: str,
        verbose: bool | None,
    ) -> None:
        self.model, self.source, self.validation = model, source, validation
        self.epochs, self.stopping, self.callbacks = epochs, stopping, list(callbacks)
        self.where, self.verbose = where, verbose
        self.compilation = decide(
            model, jit_compile, source.steps and epochs * source.steps, lengths_vary=lengths_vary(source.spec)
        )
        self._build()
        self.state = State(model)
        _finite.require_finite_weights(model, self.state, where)
        stopping.require_measured(validation is not None, where)
        self.epoch = self.step = 0
        self.trained = 0  # steps in all
        self.expected = source.steps  # in an epoch, for the progress
        self.seconds = 0.0  # of the epoch so far
        self._added: dict[str, Any] = {}  # what callbacks add to its measures
        self.over = ""  # why it ended
        self.orders: list[int | None] = []  # what each epoch of a stream began with
        self.begun_with = _rate_at_first(model)
        self.history = model.history = History(monitor=stopping.watched)
        self.history.settings["learning_rate"] = self.begun_with, _learning_rate(model)
        self.store: Checkpoint | None = None
        self.every: int | None = None
        self.callback_state = CallbackState(self.callbacks)
        watching = self._watches_batches("train")
        self.validation_pace = Pace(1 if self._watches_batches("test") else None)
        self.pace = Pace(1 if watching and steps_per_execution is None else steps_per_execution)
        self.paced = f"1: {watching} sees every batch" if watching and steps_per_execution is None else ""
        if isinstance(source, Stream):
            self.paced = "1: a data set hands over one batch at a time"

    def _build(self) -> None:
        """Creates the variables that the model, its optimiser and its metrics do not have yet."""
        own = has_own(self.model, "train_step")
        if own and not self.compilation.eager:  # it alone knows what to make of a batch: tracing it tells, as in Keras
            steps_of(self.model, "train_step", self.source.spec, self.compilation)
            return
        if not own:
            require_numeric_targets(self.where, self.source)
        self.model._symbolic_build(data_batch=self.source.spec)

    # ------------------------------------------------------------------ checkpoint

    def fingerprint(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What makes this run this run; the number of epochs may grow."""
        stopping = self.stopping
        return {
            **fingerprint(self.model),
            "learning rate": self.begun_with,
            "variables": self.state.fingerprint(),
            "data": self.source.fingerprint(),
            "validation": self.validation.fingerprint() if self.validation else None,
            "fit": settings
            | {"monitor": stopping.watched, "patience": stopping.patience, "restore_best": stopping.restore_best},
        }

    def keep_in(self, store: Checkpoint, *, every: int | None, resume: bool) -> None:
        """Saves into ``store`` from now on, and goes on from what it holds."""
        self.store, self.every = store, every
        found = store.load() if resume else None
        if found is None:
            return
        arrays, record = found
        self._found = arrays, record
        self.epoch, self.step, self.seconds = record["epoch"], record["step"], record["seconds"]
        self.trained, self.over, self.orders = record["trained"], record["over"], record["orders"]
        if self.epoch + (self.step > 0) > self.epochs:
            begun = f"epochs of at least {self.epoch + (self.step > 0)}, which {store.path} has begun"
            raise InvalidValueError(self.where, begun, str(self.epochs), "Start afresh with resume=False.")
        self.history.__dict__.update(record["history"])
        self.stopping.resume(record["best"], arrays["best"])
        self.compilation = replace(self.compilation, **record["compilation"])
        self._require_same_order()

    _found: tuple[dict[str, list[np.ndarray]], dict[str, Any]] | None = None

    def _put_back(self) -> None:
        """Sets what the checkpoint holds, whatever callbacks have done at the beginning of training or an epoch."""
        if self._found is not None:
            arrays, record = self._found
            self.state.write(arrays["state"])
            self.callback_state.write(record["callbacks"], arrays["callbacks"])

    def _require_same_order(self) -> None:
        """A data set must come in the order of the killed run, which its first batch tells."""
        begun = self.epoch if self.step else self.epoch - 1
        if begun < 0 or self.orders[begun] is None:
            return
        epoch = self.source.epoch(begun)
        epoch.skip(max(self.step, 1))
        if epoch.first_batch != self.orders[begun]:
            raise InvalidValueError(
                self.where,
                "a data set that comes in the same order again",
                f"one whose epoch {begun + 1} begins with another batch than before the interruption",
                "Give its shuffle a seed: dataset.shuffle(buffer_size, seed=0).",
            )
        self._resumed = epoch if self.step else None

    def _save(self) -> None:
        if self.store is None:
            return
        callbacks, kept = self.callback_state.read()
        state = [value.numpy() for value in self.state.read()]
        arrays = {"state": state, "best": self.stopping.best_weights, "callbacks": kept}
        record = {name: getattr(self, name) for name in ("epoch", "step", "trained", "seconds", "over", "orders")}
        record["compilation"] = {name: getattr(self.compilation, name) for name in ("jit", "reason", "asked")}
        record |= {"callbacks": callbacks, "best": self.stopping.record(), "history": vars(self.history)}
        record["versions"] = {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}
        self.store.save(arrays, record)

    # ------------------------------------------------------------------ training

    def train(self) -> History:
        """Trains to the end, and says in the history why it was the end."""
        model, history = self.model, self.history
        started = time.perf_counter()
        train = steps_of(model, "train_step", self.source.spec, self.compilation)
        self.compilation = train.compilation
        self.seconds += time.perf_counter() - started  # the first epoch pays for compiling, as in Keras
        history.settings = self._settings(train)
        # The last callback sees what those before it add to the measures of an epoch, such as a learning rate.
        added = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self._added.update(logs))
        called = keras.callbacks.CallbackList(
            [*self.callbacks, added],
            model=model,
            epochs=self.epochs,
            steps=self.source.steps,
            verbose=int(bool(self.verbose)),
        )
        model.history, model.stop_training = history, False
        try:
            done = self.epoch + (self.step / self.source.steps if self.source.steps else 0)
            with Shown(self.epochs, done, self.verbose) as shown:
                called.on_train_begin()
                self.callback_state.begin()
                self._put_back()
                while self.epoch < self.epochs and not self.over:
                    self._train_epoch(train, called, shown)
        except KeyboardInterrupt:
            history.stopped = f"interrupted in epoch {self.epoch + 1} after step {self.step}"
            raise
        except Exception as error:
            history.stopped = f"failed in epoch {self.epoch + 1} after step {self.step}: {error}"
            raise
        finally:
            history.settings |= self._settings(train)
        history.stopped = self.over or f"all {self.epochs} epochs are done"
        if isinstance(model.optimizer, keras.optimizers.Optimizer):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        self.stopping.restore()
        called.on_train_end({name: values[-1] for name, values in history.history.items()})
        return history

    def _train_epoch(self, train: Steps, called: keras.callbacks.CallbackList, shown: Shown) -> None:
        model, epoch = self.model, self.epoch
        if self.step == 0:
            model.reset_metrics()
        batches = self._batches()
        called.on_epoch_begin(epoch)
        if self.step:
            self._put_back()
        self._found = None
        logs = self._train_steps(train, batches, called, shown)
        if self.step == 0:
            raise ShapeError(self.where, "at least one batch", "an empty data set")
        self.orders[epoch:] = [batches.first_batch]
        result = measures(model, logs)
        seconds, self.seconds = self.seconds, 0.0
        if self.validation is not None:
            test = steps_of(model, "test_step", self.validation.spec, self.compilation.without_xla())
            validation = evaluate(model, test, self.validation, self.validation_pace, called)
            result |= {f"val_{name}": value for name, value in validation.items()}
        if self.stopping.update(epoch + 1, result, self.where):
            self.over = f"no better {self.stopping.monitor} for {self.stopping.patience} epochs"
        self.history.best_epoch = self.stopping.best_epoch
        self._added = {}
        called.on_epoch_end(epoch, result)
        result |= {name: value for name, value in self._added.items() if isinstance(value, float)}
        self.history.append(result, seconds, self.source.samples or batches.samples)
        if model.stop_training and not self.over:
            self.over = f"a callback ended it after epoch {epoch + 1}"
        self.epoch, self.step = epoch + 1, 0
        self._save()
        shown.epoch(epoch, result, seconds)

    def _batches(self) -> ArrayEpoch | StreamEpoch:
        """The epoch's batches, those before ``step`` left out."""
        resumed, self._resumed = self._resumed, None
        return resumed or self.source.epoch(self.epoch)

    _resumed: StreamEpoch | None = None

    def _train_steps(
        self, train: Steps, batches: ArrayEpoch | StreamEpoch, called: keras.callbacks.CallbackList, shown: Shown
    ) -> Logs:
        """The rest of the epoch, call by call; returns what its last step returned."""
        logs: Logs = {}
        checked, safe, checked_at = self.step, self.state.read(), time.perf_counter()
        ended = False
        while not ended:
            count = self._next_call()
            if count == 0:
                break
            called.on_train_batch_begin(self.step)
            started = time.perf_counter()
            done, last = train.run(batches, self.step, count)
            now = time.perf_counter()
            self.pace.measure(done, now - started)
            self.step += done
            self.trained += done
            self.seconds += now - started
            logs = last or logs
            if done:
                called.on_train_batch_end(self.step - 1, logs)
            due = done > 0 and self.every is not None and self.trained % self.every == 0
            ended = done < count or self.step == self.source.steps or self.model.stop_training
            if due or ended or now - checked_at > _SECONDS_BETWEEN_CHECKS:
                if not (_finite.loss_is_finite(logs) and self.state.finite()):
                    self._blame(train, safe, batches, checked)
                checked, checked_at = self.step, now
                safe = safe if ended else self.state.read()  # behind the last step there is nothing to go back for
                batches.forget(self.step)
                shown.step(self.epoch, self.step, self.expected, logs)
            if due:
                self.orders[self.epoch :] = [batches.first_batch]
                self._save()
        self.expected = self.step  # an epoch of a data set of unknown length is about as long as the one before
        return logs

    def _next_call(self) -> int:
        """How many steps to run in one call: no further than the epoch or the next checkpoint."""
        count = self.pace.steps
        if self.every is not None:
            count = min(count, self.every - self.trained % self.every)
        return count if self.source.steps is None else min(count, self.source.steps - self.step)

    def _blame(self, train: Steps, safe: list[tf.Tensor], batches: ArrayEpoch | StreamEpoch, first: int) -> None:
        step, found = _finite.blame(self.model, train, self.state, safe, batches, first, self.step - first)
        self.step = step
        raise _finite.error(self.where, found, self.epoch, step)

    # ------------------------------------------------------------------ what was decided

    def _watches_batches(self, of: str) -> str:
        """The callback that wants to see every batch of "train" or "test", if there is one."""
        old = ("on_batch_begin", "on_batch_end") if of == "train" else ()
        for callback in self.callbacks:
            if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
                continue
            for name in (f"on_{of}_batch_begin", f"on_{of}_batch_end", *old):
                if not getattr(getattr(callback, name), "_is_default", False):
                    return type(callback).__name__
        return ""

    def _settings(self, train: Steps) -> dict[str, Any]:
        compilation = train.compilation
        executed = self.paced or (str(self.pace.asked) if self.pace.asked else f"auto: up to {self.pace.most}")
        return {
            "learning_rate": (self.begun_with, _learning_rate(self.model)),
            "jit_compile": compilation.jit,
            "jit_reason": compilation.reason,
            "fused_layers": [] if compilation.jit else [layer.name for layer in compilation.fused],
            "steps_per_execution": executed,
            "threads": tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count(),
        }


def _learning_rate(model: keras.Model) -> float | None:
    """The optimiser's learning rate now; None if it follows a schedule, or there is no optimiser."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    rate = getattr(optimizer, "_learning_rate", None)
    return float(rate.numpy()) if isinstance(rate, keras.Variable) else None


def _rate_at_first(model: keras.Model) -> float | None:
    """The same before callbacks of an earlier run changed it, so that this run may be its continuation."""
    history, now = getattr(model, "history", None), _learning_rate(model)
    first, last = history.settings["learning_rate"] if isinstance(history, History) else (now, now)
    return first if last == now else now
