"""One training step of the small CNN of lesson 05: scratch and plain Keras ``fit`` side by side.

Conv 32 3×3 relu → MaxPool 2 → Conv 64 3×3 relu → MaxPool 2 → Flatten → Dense 10, digits of 28×28×1, Adam, batch 32,
float32. The two take turns, so that whatever else the machine does slows both; the figures are medians over the
rounds. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import bridge, data, scratch

BATCH = 32


def network() -> scratch.Sequential:
    net = scratch.Sequential(
        [
            scratch.Conv2D(32, 3, activation="relu"),
            scratch.MaxPooling2D(2),
            scratch.Conv2D(64, 3, activation="relu"),
            scratch.MaxPooling2D(2),
            scratch.Flatten(),
            scratch.Dense(10, "softmax"),
        ],
        input_shape=(28, 28, 1),
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    return net


def scratch_seconds(x: np.ndarray, y: np.ndarray) -> float:
    net = network()
    started = time.perf_counter()
    net.fit(x, y, batch_size=BATCH, verbose=False)
    return time.perf_counter() - started


class Keras:
    """Plain ``fit``; the model is compiled, traced and warmed up before anything is timed."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.model = bridge.to_keras(network())
        self.model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.fit(x, y, batch_size=BATCH, verbose=0)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        started = time.perf_counter()
        self.model.fit(x, y, batch_size=BATCH, verbose=0)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=100, help="steps in each turn")
    args = parser.parse_args()
    digits = data.load("mnist5k")
    x, y = digits.x_train[: BATCH * args.steps], digits.y_train[: BATCH * args.steps]
    steps = -(-len(x) // BATCH)
    turns = {"scratch": scratch_seconds, "Keras fit": Keras(x, y)}
    milliseconds = {name: [] for name in turns}
    for _ in range(args.rounds):
        for name, turn in turns.items():
            milliseconds[name].append(1000 * turn(x, y) / steps)

    table = Table(title=f"Conv 32 – Conv 64 – Dense 10, Adam, batch {BATCH}, float32: {steps} steps a turn")
    for column in ("", "ms a step (median)", "min", "max", "ratio to Keras"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in milliseconds.items():
        ratio = median(a / b for a, b in zip(values, milliseconds["Keras fit"]))
        table.add_row(name, f"{median(values):.2f}", f"{min(values):.2f}", f"{max(values):.2f}", f"{ratio:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
