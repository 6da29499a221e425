"""One training epoch of the 784-128-10 network: scratch, Keras and scikit-learn side by side.

Same data, Adam, batch 128, float32. The three take turns, so that whatever else the machine does slows all of
them; the figures are medians over the rounds. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import bridge, data, scratch

BATCH = 128


def network() -> scratch.Sequential:
    net = scratch.Sequential(
        [scratch.Dense(128, "relu", kernel_initializer="he_uniform"), scratch.Dense(10, "softmax")], input_shape=784
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    return net


def scratch_epochs(x: np.ndarray, y: np.ndarray, epochs: int) -> float:
    net = network()
    started = time.perf_counter()
    net.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=False)
    return (time.perf_counter() - started) / epochs


class Keras:
    """Plain ``fit``; the model is compiled, traced and warmed up before anything is timed."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.model = bridge.to_keras(network())
        self.model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.fit(x, y, epochs=1, batch_size=BATCH, verbose=0)

    def __call__(self, x: np.ndarray, y: np.ndarray, epochs: int) -> float:
        started = time.perf_counter()
        self.model.fit(x, y, epochs=epochs, batch_size=BATCH, verbose=0)
        return (time.perf_counter() - started) / epochs


def sklearn_epochs(x: np.ndarray, y: np.ndarray, epochs: int) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (128,), solver="adam", alpha=0.0, batch_size=BATCH, max_iter=epochs, tol=0.0, n_iter_no_change=epochs + 1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        started = time.perf_counter()
        model.fit(x, y)
    return (time.perf_counter() - started) / epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist5k", help="mnist5k (4,000 digits) or mnist (60,000)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--epochs", type=int, default=5, help="epochs in each turn")
    args = parser.parse_args()
    digits = data.load(args.data, flatten=True)
    x, y = digits.x_train, digits.y_train
    turns = {"scratch": scratch_epochs, "Keras fit": Keras(x, y), "scikit-learn": sklearn_epochs}
    seconds = {name: [] for name in turns}
    for _ in range(args.rounds):
        for name, turn in turns.items():
            seconds[name].append(turn(x, y, args.epochs))

    table = Table(title=f"784-128-10, Adam, batch {BATCH}, float32: {len(x):,} digits of {args.data}")
    for column in ("", "s an epoch (median)", "min", "max", "ratio to scratch"):
        table.add_column(column, justify="left" if not column else "right")
    ours = median(seconds["scratch"])
    for name, values in seconds.items():
        ratio = median(a / b for a, b in zip(values, seconds["scratch"]))
        table.add_row(name, f"{median(values):.4f}", f"{min(values):.4f}", f"{max(values):.4f}", f"{ratio:.2f}")
    Console(width=100).print(table, f"scratch: {len(x) / ours:,.0f} samples a second")


if __name__ == "__main__":
    main()
