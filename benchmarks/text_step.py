"""One training step of a text model: scratch and plain Keras ``fit`` side by side.

Embedding(20,000, 64) → masked mean over time → Dense 256 → Dense 4, Adam, float32, texts of 20 to 100 words whose
frequencies follow Zipf's law, as those of real words do. The two take turns, so that whatever else the machine does
slows both; the figures are medians over the rounds. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import bridge, scratch

WORDS, LENGTH, CLASSES = 20_000, 100, 4


def network() -> scratch.Sequential:
    net = scratch.Sequential(
        [
            scratch.Embedding(WORDS, 64, mask_zero=True),
            scratch.GlobalAveragePooling1D(),
            scratch.Dense(256, "relu"),
            scratch.Dense(CLASSES, "softmax"),
        ],
        input_shape=(LENGTH,),
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    return net


def texts(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Word numbers ``(N, T)``, padded with 0, and their classes."""
    share = 1 / np.arange(1, WORDS)
    ids = 1 + rng.choice(WORDS - 1, (count, LENGTH), p=share / share.sum())
    ids[np.arange(LENGTH) >= rng.integers(20, LENGTH + 1, (count, 1))] = 0
    return ids.astype("int32"), rng.integers(0, CLASSES, count)


class Scratch:
    """``fit`` of one network, which goes on training: Adam has running averages for the words seen before."""

    def __init__(self) -> None:
        self.network = network()

    def __call__(self, x: np.ndarray, y: np.ndarray, batch: int) -> float:
        started = time.perf_counter()
        self.network.fit(x, y, batch_size=batch, verbose=False)
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
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=50, help="steps in each turn")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    table = Table(title=f"Embedding – mean – Dense 256 – Dense {CLASSES}, Adam, float32: {args.steps} steps a turn")
    for column in ("", "batch", "ms a step (median)", "min", "max", "ratio to Keras"):
        table.add_column(column, justify="left" if not column else "right")
    for batch in args.batches:
        x, y = texts(batch * args.steps, rng)
        turns = {"scratch": Scratch(), "Keras fit": Keras(x, y, batch)}
        milliseconds = {name: [] for name in turns}
        for _ in range(args.rounds):
            for name, turn in turns.items():
                milliseconds[name].append(1000 * turn(x, y, batch) / args.steps)
        for name, values in milliseconds.items():
            ratio = median(a / b for a, b in zip(values, milliseconds["Keras fit"]))
            figures = (median(values), min(values), max(values), ratio)
            table.add_row(name, str(batch), *(f"{figure:.2f}" for figure in figures))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
