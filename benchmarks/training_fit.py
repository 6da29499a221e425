"""``training.fit`` against plain ``model.fit``: the four architectures of the course, side by side.

Same initial weights, batch 32, Adam, float32, the same number of epochs; each shuffles in its own order. The two
take turns on a fresh model, so that whatever else the machine does slows both; the figures are medians over the
rounds. "whole run" counts everything from the call to the return, compiling included; "later epochs" leaves the
first out. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import mean, median

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import data, models, training

VOCABULARY, LENGTH = 10_000, 64


class EpochTimes(keras.callbacks.Callback):
    """When each epoch of a plain ``fit`` ended."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


def tokens(texts: np.ndarray, layer: keras.layers.TextVectorization) -> np.ndarray:
    return layer(np.array(texts, dtype=object)).numpy().astype("int32")


def cases() -> dict[str, tuple[Callable, tuple, int]]:
    """Name → builder, (x_train, y_train, x_test, y_test), epochs."""
    digits = data.load("mnist5k")
    texts = data.load("docstrings")
    layer = keras.layers.TextVectorization(VOCABULARY, output_sequence_length=LENGTH)
    layer.adapt(np.array(texts.x_train, dtype=object))
    names, y_train = np.unique(texts.y_train, return_inverse=True)
    y_test = np.searchsorted(names, texts.y_test)
    words = tokens(texts.x_train, layer), y_train, tokens(texts.x_test, layer), y_test
    y = digits.y_train, digits.y_test
    flat = digits.x_train.reshape(-1, 784), y[0], digits.x_test.reshape(-1, 784), y[1]
    rows = digits.x_train.reshape(-1, 28, 28), y[0], digits.x_test.reshape(-1, 28, 28), y[1]
    image = digits.x_train, y[0], digits.x_test, y[1]
    classes = len(names)
    return {
        "MLP 784-128-10": (lambda: models.mlp(seed=0), flat, 10),
        "text, Dense 256": (lambda: models.text_classifier(VOCABULARY, classes, seed=0), words, 6),
        "LSTM 64-32": (lambda: models.sequence_classifier(seed=0), rows, 5),
        "attention": (lambda: models.attention_classifier(VOCABULARY, classes, seed=0), words, 3),
        "CNN 32-64": (lambda: models.image_classifier(seed=0), image, 5),
    }


def compiled(build: Callable) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def plain(build: Callable, x: np.ndarray, y: np.ndarray, epochs: int) -> tuple[keras.Model, float, float]:
    """A model, the seconds of the whole run, the seconds of an epoch after the first."""
    model, times = compiled(build), EpochTimes()
    started = time.perf_counter()
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[times])
    return model, time.perf_counter() - started, (times.ends[-1] - times.ends[0]) / (epochs - 1)


def ours(build: Callable, x: np.ndarray, y: np.ndarray, epochs: int) -> tuple[keras.Model, float, float]:
    model = compiled(build)
    started = time.perf_counter()
    history = training.fit(model, x, y, batch_size=32, epochs=epochs, verbose=False)
    return model, time.perf_counter() - started, mean(history.seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a model's name")
    args = parser.parse_args()
    table = Table(title="training.fit against model.fit: batch 32, Adam, float32, medians")
    for column in ("", "model.fit s", "training.fit s", "whole run", "later epochs", "accuracy", ""):
        table.add_column(column, justify="right" if column else "left")
    table.columns[5].header, table.columns[6].header = "acc. model.fit", "acc. training.fit"
    for name, (build, (x, y, x_test, y_test), epochs) in cases().items():
        if args.only not in name:
            continue
        runs = {plain: [], ours: []}
        accuracy = {}
        for _ in range(args.rounds):
            for way, results in runs.items():
                keras.backend.clear_session()
                model, whole, later = way(build, x, y, epochs)
                results.append((whole, later))
                accuracy[way] = model.evaluate(x_test, y_test, verbose=0)[1]
        whole, later = (median(a[k] / b[k] for a, b in zip(runs[plain], runs[ours])) for k in (0, 1))
        seconds = [median(run[0] for run in runs[way]) for way in (plain, ours)]
        table.add_row(
            f"{name}, {epochs} epochs",
            *(f"{s:.2f}" for s in seconds),
            f"{whole:.2f}×",
            f"{later:.2f}×",
            *(f"{accuracy[way]:.4f}" for way in (plain, ours)),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
