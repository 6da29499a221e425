"""Training and evaluating a network: epochs of shuffled mini-batches, a history, a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
)

if TYPE_CHECKING:
    from toolkit.scratch._sequential import Sequential


@dataclass
class History:
    """What a training run measured.

    Attributes:
        history: one list per measure with a value for each epoch: ``loss``, ``accuracy`` (classifiers),
            ``val_loss``, ``val_accuracy`` (with validation data).
        batch_loss: the loss of every single step, in order.
        seconds: how long each epoch took, without validation.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    batch_loss: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.seconds)

    def append(self, measures: dict[str, float]) -> None:
        """Adds one epoch's measures."""
        for name, value in measures.items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4f}" for name, values in self.history.items())
        return f"<History: {self.epochs} epochs; {last}>"


def fit(
    network: Sequential,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    validation_split: float = 0.0,
    shuffle: bool = True,
    seed: int | None = None,
    verbose: bool | None = None,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None = None,
) -> History:
    """Trains ``network`` in place.

    Args:
        network: a network with a loss and an optimiser (``compile``).
        x: inputs ``(N, …)``.
        y: targets, ``N`` of them, in the form that the loss takes.
        epochs: how many times all of ``x`` is seen.
        batch_size: samples per step; the last batch of an epoch may be smaller.
        validation_data: ``(x, y)`` to measure after each epoch.
        validation_split: share of the end of ``x, y`` held out for the same purpose, as in Keras.
        shuffle: whether each epoch has an order of its own.
        seed: fixes that order; default: the network's seed.
        verbose: True prints a line per epoch under a progress bar, False nothing; None (the default)
            is True where training takes over two seconds.
        on_epoch_end: called with the epoch (from 0) and its measures.

    Returns:
        The history; also kept as ``network.history``, where it survives an interrupted run.

    Raises:
        ShapeError: ``x`` and ``y`` differ in length, or are empty.
        InvalidValueError: an option is out of range, ``x`` holds NaN, or the loss stopped being a number.
    """
    x, y = _check_data(network, x, y)
    where = f"fit of {network.name!r}"
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InvalidValueError(where, f"{name} as a positive integer", repr(value))
    if validation_split:
        if not 0 < validation_split < 1 or validation_data is not None:
            raise InvalidValueError(
                where, "validation_split in (0, 1), without validation_data", repr(validation_split)
            )
        cut = int(len(x) * (1 - validation_split))
        if cut == 0:
            raise ShapeError(where, "samples left to train on", f"{len(x)} in all, all held out")
        x, y, validation_data = x[:cut], y[:cut], (x[cut:], y[cut:])
    if validation_data is not None:
        validation_data = _check_data(network, *validation_data)

    rng = np.random.default_rng(network.seed if seed is None else seed)
    history = network.history = History()
    progress = _Progress(epochs, -(-len(x) // batch_size), verbose)
    for epoch in range(epochs):
        order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
        started, total, right = time.perf_counter(), 0.0, 0.0
        for step, first in enumerate(range(0, len(x), batch_size)):
            batch = order[first : first + batch_size]
            xb, yb = x[batch], y[batch]
            loss = network.train_step(xb, yb)
            if not np.isfinite(loss):
                raise InvalidValueError(
                    where,
                    "a finite loss",
                    f"{loss} at epoch {epoch + 1}, step {step + 1}",
                    "The steps were too large: try a smaller learning rate or inputs scaled to about 1.",
                )
            history.batch_loss.append(loss)
            total += loss * len(batch)
            right += _count_right(network.loss, yb, network.last_output)
            progress.step(epoch, step, total / (first + len(batch)))
        history.seconds.append(time.perf_counter() - started)
        measures = {"loss": total / len(x)}
        if is_classifier(network.loss):
            measures["accuracy"] = right / len(x)
        if validation_data is not None:
            validation = evaluate(network, *validation_data)
            measures |= {f"val_{name}": value for name, value in validation.items()}
        history.append(measures)
        progress.epoch(epoch, measures, history.seconds[-1])
        if on_epoch_end is not None:
            on_epoch_end(epoch, measures)
    return history


def evaluate(network: Sequential, x: np.ndarray, y: np.ndarray, batch_size: int = 1024) -> dict[str, float]:
    """Loss (with penalties) and, for classifiers, accuracy over all of ``x, y``, in inference mode."""
    x, y = _check_data(network, x, y)
    total = right = 0.0
    for first in range(0, len(x), batch_size):
        yb = y[first : first + batch_size]
        y_pred = network.forward(x[first : first + batch_size])
        total += network.data_loss(yb) * len(yb)
        right += _count_right(network.loss, yb, y_pred)
    measures = {"loss": total / len(x) + network.regularization()}
    if is_classifier(network.loss):
        measures["accuracy"] = right / len(x)
    return measures


def is_classifier(loss: Loss) -> bool:
    """Whether accuracy means something for this loss."""
    return isinstance(loss, BinaryCrossentropy | CategoricalCrossentropy | SparseCategoricalCrossentropy)


def _count_right(loss: Loss, y: np.ndarray, y_pred: np.ndarray) -> float:
    """How many of the samples were classified correctly; for yes/no outputs, the mean over a sample's outputs."""
    if not is_classifier(loss):
        return 0.0
    if isinstance(loss, BinaryCrossentropy):
        yes = y_pred > (0 if loss.from_logits else 0.5)
        return float((yes == (np.reshape(y, y_pred.shape) > 0.5)).reshape(len(y), -1).mean(axis=1).sum())
    labels = y.argmax(axis=-1) if isinstance(loss, CategoricalCrossentropy) else y.reshape(y_pred.shape[:-1])
    return float((y_pred.argmax(axis=-1) == labels).reshape(len(y), -1).mean(axis=1).sum())


def _check_data(network: Sequential, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim < 2 or len(x) == 0 or y.ndim < 1 or len(x) != len(y):
        raise ShapeError(
            f"Sequential {network.name!r}",
            "x (N, …) and y with the same N ≥ 1",
            f"x of shape {x.shape} and y of shape {y.shape}",
        )
    return x, y


class _Progress:
    """A progress bar on stdout: silent for short runs, one line an epoch for long ones."""

    patience = 2.0

    def __init__(self, epochs: int, steps: int, verbose: bool | None) -> None:
        self.epochs, self.steps, self.verbose = epochs, steps, verbose
        self.started = self.drawn = time.perf_counter()
        self.live = sys.stdout.isatty() or "ipykernel" in sys.modules

    @property
    def shown(self) -> bool:
        if self.verbose is None:
            return time.perf_counter() - self.started > self.patience
        return self.verbose

    def step(self, epoch: int, step: int, loss: float) -> None:
        now = time.perf_counter()
        if now - self.drawn < 0.2 or not (self.live and self.shown):
            return
        self.drawn = now
        done = epoch * self.steps + step + 1
        share = done / (self.epochs * self.steps)
        left = (now - self.started) * (1 - share) / share
        bar = ("█" * int(20 * share)).ljust(20, "░")
        line = f"epoch {epoch + 1}/{self.epochs} {bar} {share:4.0%}  loss {loss:.4f}  {left:.0f} s left"
        print(f"\r{line:<78}", end="", flush=True)

    def epoch(self, epoch: int, measures: dict[str, float], seconds: float) -> None:
        if self.shown:
            values = "  ".join(f"{name} {value:.4f}" for name, value in measures.items())
            line = f"epoch {epoch + 1}/{self.epochs}  {seconds:.1f} s  {values}"
            print(f"{chr(13) if self.live else ''}{line:<78}", flush=True)
