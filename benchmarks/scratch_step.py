"""One training step of the course's networks: scratch and plain Keras ``fit`` side by side.

Same weights at first, same data, Adam, float32. The two take turns, so that whatever else the machine does slows both;
the figures are medians over the rounds, the ratio is the median of the rounds' ratios. Run it with ``make bench``.

NumPy's matrix products use one thread, TensorFlow uses all cores. With a second thread they are a little faster on an
idle machine; on a busy one they wait for it, for milliseconds, in every product. ``--threads 2`` shows it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from toolkit import bridge, data, scratch

WORDS, LENGTH = 20_000, 100


@dataclass
class Case:
    """A network, and samples for it.

    Attributes:
        layers: makes its layers.
        input_shape: the shape of one sample.
        draw: makes so many samples and their labels.
    """

    layers: Callable[[], list[scratch.Layer]]
    input_shape: tuple[int, ...]
    draw: Callable[[int], tuple[np.ndarray, np.ndarray]]


def digits(count: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The first digits of ``mnist5k``."""
    mnist = data.load("mnist5k")
    return mnist.x_train[:count].reshape(-1, *shape), mnist.y_train[:count]


def texts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts of 20 to 100 words whose frequencies follow Zipf's law, as those of real words do; padded with 0."""
    rng, share = np.random.default_rng(0), 1 / np.arange(1, WORDS)
    ids = 1 + rng.choice(WORDS - 1, (count, LENGTH), p=share / share.sum())
    ids[np.arange(LENGTH) >= rng.integers(20, LENGTH + 1, (count, 1))] = 0
    return ids.astype("int32"), rng.integers(0, 10, count)


CASES = {
    "Conv 32 – pool – Conv 64 – pool": Case(
        lambda: [
            scratch.Conv2D(32, 3, activation="relu"),
            scratch.MaxPooling2D(2),
            scratch.Conv2D(64, 3, activation="relu"),
            scratch.MaxPooling2D(2),
            scratch.Flatten(),
        ],
        (28, 28, 1),
        lambda count: digits(count, (28, 28, 1)),
    ),
    "LSTM 64 – LSTM 32, 28×28": Case(
        lambda: [scratch.LSTM(64, return_sequences=True), scratch.LSTM(32)],
        (28, 28),
        lambda count: digits(count, (28, 28)),
    ),
    f"Embedding {WORDS:,}×64 – mean – Dense 256": Case(
        lambda: [
            scratch.Embedding(WORDS, 64, mask_zero=True),
            scratch.GlobalAveragePooling1D(),
            scratch.Dense(256, "relu"),
        ],
        (LENGTH,),
        texts,
    ),
}


def turns_of(case: Case, batch: int, steps: int) -> dict[str, Callable[[], object]]:
    """An epoch of ``fit`` on either side, warmed up: Keras is traced, Adam has running averages for what it sees."""
    network = scratch.Sequential([*case.layers(), scratch.Dense(10, "softmax")], input_shape=case.input_shape)
    network.compile("adam", "sparse_categorical_crossentropy")
    model = bridge.to_keras(network)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = case.draw(batch * steps)
    turns = {
        "scratch": lambda: network.fit(x, y, batch_size=batch, verbose=False),
        "Keras fit": lambda: model.fit(x, y, batch_size=batch, verbose=0),
    }
    for turn in turns.values():
        turn()
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a network's name, such as Conv")
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=30, help="steps in each turn")
    parser.add_argument("--threads", type=int, default=1, help="of NumPy's matrix products")
    args = parser.parse_args()
    table = Table(title=f"One training step: {args.steps} steps a turn, {args.rounds} rounds, {args.threads} thread(s)")
    for column in ("network, with Dense 10", "batch", "", "ms a step (median)", "min", "max", "ratio to Keras"):
        table.add_column(column, justify="right" if "network" not in column and column else "left")
    for name, case in CASES.items():
        for batch in args.batches if args.only in name else ():
            turns = turns_of(case, batch, args.steps)
            milliseconds = {side: [] for side in turns}
            for _ in range(args.rounds):
                for side, turn in turns.items():
                    started = time.perf_counter()
                    with threadpool_limits(args.threads, user_api="blas"):
                        turn()
                    milliseconds[side].append(1000 * (time.perf_counter() - started) / args.steps)
            for side, values in milliseconds.items():
                ratio = median(a / b for a, b in zip(values, milliseconds["Keras fit"]))
                figures = (median(values), min(values), max(values), ratio)
                table.add_row(name, str(batch), side, *(f"{figure:.2f}" for figure in figures))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
