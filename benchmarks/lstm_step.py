"""One training step of LSTM 64 → LSTM 32 → Dense 10: scratch and plain Keras ``fit`` side by side.

Digits read row by row, sequences of 28 steps with 28 numbers each; Adam, float32. The two take turns, so that
whatever else the machine does slows both; the figures are medians over the rounds. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import bridge, data, scratch


def network() -> scratch.Sequential:
    net = scratch.Sequential(
        [scratch.LSTM(64, return_sequences=True), scratch.LSTM(32), scratch.Dense(10, "softmax")],
        input_shape=(28, 28),
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    return net


def scratch_seconds(x: np.ndarray, y: np.ndarray, batch: int) -> float:
    net = network()
    started = time.perf_counter()
    net.fit(x, y, batch_size=batch, verbose=False)
    return time.perf_counter() - started


class Keras:
    """Plain ``fit``; the model is compiled, traced and warmed up before anything is timed."""

    def __init__(self, x: np.ndarray, y: np.ndarray, batch: int) -> None:
        self.model = bridge.to_keras(network())
        self.model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.fit(x, y, batch_size=batch, verbose=0)

    def __call__(self, x: np.ndarray, y: np.ndarray, batch: int) -> float:
        started = time.perf_counter()
        self.model.fit(x, y, batch_size=batch, verbose=0)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=30, help="steps in each turn")
    args = parser.parse_args()
    digits = data.load("mnist5k")
    table = Table(title=f"LSTM 64 – LSTM 32 – Dense 10 on 28×28, Adam, float32: {args.steps} steps a turn")
    for column in ("", "batch", "ms a step (median)", "min", "max", "ratio to Keras"):
        table.add_column(column, justify="left" if not column else "right")
    for batch in args.batches:
        x, y = digits.x_train[: batch * args.steps], digits.y_train[: batch * args.steps]
        x = x.reshape(-1, 28, 28)
        turns = {"scratch": scratch_seconds, "Keras fit": Keras(x, y, batch)}
        milliseconds = {name: [] for name in turns}
        for _ in range(args.rounds):
            for name, turn in turns.items():
                milliseconds[name].append(1000 * turn(x, y, batch) / -(-len(x) // batch))
        for name, values in milliseconds.items():
            ratio = median(a / b for a, b in zip(values, milliseconds["Keras fit"]))
            figures = (median(values), min(values), max(values), ratio)
            table.add_row(name, str(batch), *(f"{figure:.2f}" for figure in figures))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
