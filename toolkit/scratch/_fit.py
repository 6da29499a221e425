"""Training and evaluating a network: epochs of shuffled mini-batches, a history, a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._layer import to_array

if TYPE_CHECKING:
    from toolkit.scratch._network import Network

# The data of a network with one input (or output), or with several.
Arrays = np.ndarray | list[np.ndarray]


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
    network: Network,
    x: Arrays,
    y: Arrays,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: tuple[Arrays, Arrays] | None = None,
    validation_split: float = 0.0,
    shuffle: bool = True,
    seed: int | None = None,
    verbose: bool | None = None,
    on_epoch_end: Callable[[int, dict[str, float]], None] | None = None,
) -> History:
    """Trains ``network`` in place.

    Args:
        network: a network with a loss and an optimiser (``compile``).
        x: inputs ``(N, …)``; for a network with several inputs a list.
        y: targets, ``N`` of them, in the form that the loss takes; for several outputs a list.
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
        if not is_integer(value) or value < 1:
            raise InvalidValueError(where, f"{name} as a positive integer", repr(value))
    if validation_split:
        if not 0 < validation_split < 1 or validation_data is not None:
            raise InvalidValueError(
                where, "validation_split in (0, 1), without validation_data", repr(validation_split)
            )
        n = count(x)
        cut = int(n * (1 - validation_split))
        if cut == 0:
            raise ShapeError(where, "samples left to train on", f"{n} in all, all held out")
        validation_data = take(x, slice(cut, None)), take(y, slice(cut, None))
        x, y = take(x, slice(cut)), take(y, slice(cut))
    if validation_data is not None:
        validation_data = _check_data(network, *validation_data)

    n = count(x)
    rng = np.random.default_rng(network.seed if seed is None else seed)
    history = network.history = History()
    progress = _Progress(epochs, -(-n // batch_size), verbose)
    for epoch in range(epochs):
        order = rng.permutation(n) if shuffle else np.arange(n)
        started, tally = time.perf_counter(), _Tally()
        for step, first in enumerate(range(0, n, batch_size)):
            batch = order[first : first + batch_size]
            xb, yb = take(x, batch), take(y, batch)
            loss = network.train_step(xb, yb)
            if not np.isfinite(loss):
                raise InvalidValueError(
                    where,
                    "a finite loss",
                    f"{loss} at epoch {epoch + 1}, step {step + 1}",
                    "The steps were too large: try a smaller learning rate or inputs scaled to about 1.",
                )
            history.batch_loss.append(loss)
            tally.add(loss, len(batch), network.count_right(yb))
            progress.step(epoch, step, tally.measures["loss"])
        history.seconds.append(time.perf_counter() - started)
        measures = tally.measures
        if validation_data is not None:
            validation = evaluate(network, *validation_data)
            measures |= {f"val_{name}": value for name, value in validation.items()}
        history.append(measures)
        progress.epoch(epoch, measures, history.seconds[-1])
        if on_epoch_end is not None:
            on_epoch_end(epoch, measures)
    return history


def evaluate(network: Network, x: Arrays, y: Arrays, batch_size: int = 1024) -> dict[str, float]:
    """Loss (with penalties) and, for classifiers, accuracy over all of ``x, y``, in inference mode.

    As in Keras a batch counts in the loss by its samples; the accuracy counts positions that no mask leaves out.
    """
    x, y = _check_data(network, x, y)
    tally = _Tally()
    for rows in _slices(count(x), batch_size):
        yb = take(y, rows)
        network.forward(take(x, rows))
        tally.add(network.data_loss(yb), count(yb), network.count_right(yb))
    return tally.measures | {"loss": tally.measures["loss"] + network.regularization()}


def predict(network: Network, x: Arrays, batch_size: int = 1024) -> Arrays:
    """The outputs for ``x``, batch by batch."""
    x = to_arrays(network, x, network.several_inputs, "x")
    if count(x) == 0:
        raise ShapeError(network.where, "at least one sample", "none")
    batches = [network.forward(take(x, rows)) for rows in _slices(count(x), batch_size)]
    if network.several_outputs:
        return [np.concatenate(parts) for parts in zip(*batches)]
    return np.concatenate(batches)


def take(arrays: Arrays, rows: np.ndarray | slice) -> Arrays:
    """The samples ``rows`` of one array, or of each of several."""
    return [array[rows] for array in arrays] if isinstance(arrays, list) else arrays[rows]


def count(arrays: Arrays) -> int:
    """The number of samples N."""
    return len(arrays[0]) if isinstance(arrays, list) else len(arrays)


def _slices(n: int, batch_size: int) -> Iterator[slice]:
    return (slice(first, first + batch_size) for first in range(0, n, batch_size))


class _Tally:
    """Loss and accuracies of the batches so far."""

    def __init__(self) -> None:
        self.loss = np.zeros(2)
        self.right: dict[str, np.ndarray] = {}

    def add(self, loss: float, samples: int, right: dict[str, np.ndarray]) -> None:
        self.loss += loss * samples, samples
        for name, counts in right.items():
            self.right[name] = self.right.get(name, 0) + counts

    @property
    def measures(self) -> dict[str, float]:
        total, samples = self.loss
        accuracies = {name: float(right / max(counted, 1)) for name, (right, counted) in self.right.items()}
        return {"loss": float(total / samples)} | accuracies


def to_arrays(network: Network, values: Arrays, several: bool, name: str) -> Arrays:
    """``values`` as an array; where the network has several inputs (or outputs), as a list of arrays."""
    if not several:
        return to_array(values, None, name, network.where)
    if not isinstance(values, list | tuple):
        raise ShapeError(network.where, f"{name} as a list of arrays", type(values).__name__)
    return [to_array(array, None, name, network.where) for array in values]


def _check_data(network: Network, x: Arrays, y: Arrays) -> tuple[Arrays, Arrays]:
    x = to_arrays(network, x, network.several_inputs, "x")
    y = to_arrays(network, y, network.several_outputs, "y")
    inputs, targets = (v if isinstance(v, list) else [v] for v in (x, y))
    fit_together = len({array.shape[:1] for array in inputs + targets}) == 1
    if not fit_together or count(x) == 0 or min(array.ndim for array in inputs) < 2:
        shapes = [" and ".join(str(array.shape) for array in arrays) for arrays in (inputs, targets)]
        raise ShapeError(
            network.where, "x (N, …) and y with the same N ≥ 1", f"x of shape {shapes[0]} and y of shape {shapes[1]}"
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
