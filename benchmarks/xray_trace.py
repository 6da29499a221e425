"""What a trace costs: of the 28×28 CNN beside one eager training step, of ResNet50 in seconds and memory.

The step and the trace take turns; medians over the rounds. ``steps`` is the trace with all its steps and the update of
every weight made, ``sub-steps`` with every layer opened, too. ResNet50 runs in a process of its own: its peak
of memory is its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

LOSS = "sparse_categorical_crossentropy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--resnet", action="store_true", help="trace ResNet50 in this process and print what it took")
    args = parser.parse_args()
    if args.resnet:
        resnet()
    else:
        cnn(args.rounds)
        subprocess.run([sys.executable, __file__, "--resnet"], check=True)


def cnn(rounds: int) -> None:
    """Conv 32 and 64, batch 32: one eager step of Keras and TensorFlow, and traces of it."""
    import keras
    import tensorflow as tf
    from keras import layers

    from toolkit import xray

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", LOSS)
    rng = np.random.default_rng(0)
    x, y = rng.random((32, 28, 28, 1), dtype=np.float32), rng.integers(0, 10, 32)
    loss, optimizer = keras.losses.get(LOSS), keras.optimizers.Adam()

    def step() -> None:
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(y, model(tf.constant(x), training=True)))
        optimizer.apply(tape.gradient(value, [v.value for v in model.trainable_variables]), model.trainable_variables)

    def trace() -> xray.Trace:
        return xray.trace(model, x, y, training=True)

    def open_all() -> None:
        for each in trace().steps:
            _ = each.substeps

    runs = {"step": step, "trace": trace, "steps": lambda: trace().steps, "sub-steps": open_all}
    times = taken(runs, rounds)
    table = Table(title=f"28×28 CNN, batch 32, median of {rounds} rounds")
    for column in ("", "ms", "eager steps"):
        table.add_column(column, justify="right")
    for name, seconds in times.items():
        ratio = median(own / base for own, base in zip(seconds, times["step"]))
        table.add_row(name, f"{median(seconds) * 1e3:.1f}", f"{ratio:.1f}×")
    Console().print(table)


def taken(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each run, in turns; the first round of all warms up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - started)
    return times


def resnet() -> None:
    """ResNet50 at 64×64, a batch of 8, with all its steps and the update of every weight."""
    import keras

    from toolkit import xray

    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10)
    rng = np.random.default_rng(0)
    x, y = rng.random((8, 64, 64, 3), dtype=np.float32), rng.integers(0, 10, 8)
    started = time.perf_counter()
    steps = len(xray.trace(model, x, y, loss=LOSS, optimizer="adam", training=True).steps)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB
    Console().print(f"ResNet50, 64×64, batch 8: {steps} steps in {seconds:.1f} s, peak of the process {peak:.2f} GiB")


if __name__ == "__main__":
    main()
