"""``training.fit`` against plain ``model.fit``: the architectures of the course, side by side.

Same initial weights, the same batches of 32 in the same order, Adam, float32, the same number of epochs. The two take
turns on a fresh model, so that whatever else the machine does slows both; a ratio is the median of the rounds' ratios.
"whole run" counts everything from the call to the return, compiling included, and must reach the floor; "later epochs"
leaves the first out; "processor" compares the seconds of all cores, which other work on the machine hardly changes.
The accuracies on the test samples must agree. Exit status 1 where a floor is missed. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, median

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import data, models, training

VOCABULARY, LENGTH = 10_000, 64
ACCURACY_MAY_DIFFER = 0.01  # an LSTM as one operation rounds otherwise than a loop over time


@dataclass
class Case:
    """A network, its data, and how much faster it has to be trained.

    Attributes:
        build: makes the model; ``seed`` fixes its weights.
        x, y: training samples, in random order.
        x_test, y_test: what its accuracy is measured on.
        epochs: of a run.
        floor: seconds of ``model.fit`` ÷ seconds of ``training.fit``, at least.
    """

    build: Callable[..., keras.Model]
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    epochs: int
    floor: float


@dataclass
class Measured:
    """One training run.

    Attributes:
        whole: seconds of all of it.
        later: seconds of an epoch after the first.
        processor: seconds of all cores together.
        accuracy: on the test samples.
    """

    whole: float
    later: float
    processor: float
    accuracy: float


class EpochTimes(keras.callbacks.Callback):
    """When each epoch of a plain ``fit`` ended."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


def digits(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """``mnist5k`` as arrays of one shape a sample."""
    mnist = data.load("mnist5k")
    return mixed(mnist.x_train.reshape(-1, *shape), mnist.y_train, mnist.x_test.reshape(-1, *shape), mnist.y_test)


def docstrings() -> tuple[np.ndarray, ...]:
    """``docstrings`` as token ids (N, LENGTH) and class numbers."""
    texts = data.load("docstrings")
    layer = keras.layers.TextVectorization(VOCABULARY, output_sequence_length=LENGTH)
    layer.adapt(np.array(texts.x_train, dtype=object))
    x, x_test = (layer(np.array(part, dtype=object)).numpy().astype("int32") for part in (texts.x_train, texts.x_test))
    names, y = np.unique(texts.y_train, return_inverse=True)
    return mixed(x, y, x_test, np.searchsorted(names, texts.y_test))


def mixed(x: np.ndarray, y: np.ndarray, *test: np.ndarray) -> tuple[np.ndarray, ...]:
    """The training samples in random order, so that neither way has to shuffle and both see the same batches."""
    order = np.random.default_rng(0).permutation(len(x))
    return x[order], y[order], *test


def cases() -> dict[str, Case]:
    """The networks of the course by name."""
    words = docstrings()
    classes = int(words[1].max()) + 1
    return {
        "MLP 784-128-10": Case(models.mlp, *digits((784,)), epochs=10, floor=2.0),
        "text, Dense 256": Case(
            lambda seed: models.text_classifier(VOCABULARY, classes, seed=seed), *words, epochs=6, floor=1.5
        ),
        "LSTM 64-32": Case(models.sequence_classifier, *digits((28, 28)), epochs=5, floor=1.5),
        "attention": Case(
            lambda seed: models.attention_classifier(VOCABULARY, classes, seed=seed), *words, epochs=3, floor=1.5
        ),
        "CNN 32-64": Case(models.image_classifier, *digits((28, 28, 1)), epochs=4, floor=1.0),
    }


def plain(model: keras.Model, case: Case) -> tuple[float, float]:
    """Seconds of the whole run, seconds of an epoch after the first."""
    times = EpochTimes()
    started = time.perf_counter()
    model.fit(case.x, case.y, batch_size=32, epochs=case.epochs, shuffle=False, verbose=0, callbacks=[times])
    return time.perf_counter() - started, (times.ends[-1] - times.ends[0]) / (case.epochs - 1)


def ours(model: keras.Model, case: Case) -> tuple[float, float]:
    """The same of ``training.fit``."""
    started = time.perf_counter()
    history = training.fit(model, case.x, case.y, batch_size=32, epochs=case.epochs, shuffle=False, verbose=False)
    return time.perf_counter() - started, mean(history.seconds[1:])


def measure(way: Callable, case: Case, seed: int) -> Measured:
    """Trains a fresh model in one of the two ways."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = case.build(seed=seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    started = time.process_time()
    whole, later = way(model, case)
    processor = time.process_time() - started
    return Measured(whole, later, processor, model.evaluate(case.x_test, case.y_test, verbose=0)[1])


def measured_rounds(name: str, case: Case, rounds: int) -> list[tuple[Measured, Measured]]:
    """Plain and ours, side by side, once for each round."""
    pairs = []
    for seed in range(rounds):
        pairs.append((measure(plain, case, seed), measure(ours, case, seed)))
        seconds = " and ".join(f"{one.whole:.2f} s" for one in pairs[-1])
        print(f"{name}, round {seed + 1} of {rounds}: {seconds}", file=sys.stderr, flush=True)
    return pairs


def missed(name: str, floor: float, whole: float, processor: float, accuracy: tuple[float, float]) -> list[str]:
    """What a case should have reached and did not, in words."""
    lines = []
    if whole < floor:
        busy = f" (by processor time {processor:.2f}×: the machine is busy)" if processor >= floor else ""
        lines.append(f"{name}: {whole:.2f}× is below the floor of {floor:.1f}×{busy}")
    if abs(accuracy[0] - accuracy[1]) > ACCURACY_MAY_DIFFER:
        lines.append(f"{name}: accuracy {accuracy[1]:.4f} is not that of model.fit, {accuracy[0]:.4f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each way trains each model (default: 3)")
    parser.add_argument("--only", default="", help="part of a model's name, to leave out the others")
    args = parser.parse_args()
    started = time.perf_counter()
    table = Table(title="training.fit against model.fit: batch 32, Adam, float32, medians")
    columns = (
        "model.fit s",
        "training.fit s",
        "whole run",
        "floor",
        "later epochs",
        "processor",
        "acc. model.fit",
        "acc. training.fit",
    )
    for column in ("", *columns):
        table.add_column(column, justify="right" if column else "left")
    failures: list[str] = []
    for name, case in cases().items():
        if args.only not in name:
            continue
        pairs = measured_rounds(name, case, args.rounds)
        whole, later, processor = (
            median(getattr(before, what) / getattr(after, what) for before, after in pairs)
            for what in ("whole", "later", "processor")
        )
        seconds = [median(pair[k].whole for pair in pairs) for k in (0, 1)]
        accuracy = tuple(mean(pair[k].accuracy for pair in pairs) for k in (0, 1))
        failures += missed(name, case.floor, whole, processor, accuracy)
        table.add_row(
            f"{name}, {case.epochs} epochs",
            *(f"{s:.2f}" for s in seconds),
            f"{whole:.2f}×",
            f"{case.floor:.1f}×",
            f"{later:.2f}×",
            f"{processor:.2f}×",
            *(f"{share:.4f}" for share in accuracy),
        )
    Console(width=130).print(table)
    print(f"{time.perf_counter() - started:.0f} s in all, {args.rounds} rounds")
    if failures:
        sys.exit("\n".join(["Missed:", *failures]))


if __name__ == "__main__":
    main()
