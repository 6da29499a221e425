"""Greedy training on an 8-block network: stored outputs against recomputed ones, and its memory against end-to-end's.

Three questions, each with a floor; the exit status is 1 if one is missed.

1. How much faster is an epoch when the outputs of the frozen blocks are stored? Every block is trained twice from the
   same weights: on stored outputs, and through the frozen blocks. The seconds are those of the epochs after the first
   (which pays for compiling), summed over the eight blocks; the one pass that stores the outputs is told beside them.
   Floor: 2.0×.
2. Do both end with the same weights? Floor: to rounding, 10⁻³ of the largest weight (the sums of float32 run in another
   order, and Adam carries the difference on).
3. How much memory does training hold at its height, beyond what was there before it? Everything that TensorFlow's
   allocator gives out counts: activations, gradients, moments, data and stored outputs as tensors. Floor: greedy takes
   less than end to end, with the outputs in memory and on disk.

Run it with ``make bench`` or ``python benchmarks/layerwise.py --blocks 8``.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import data
from toolkit.training import layerwise

layerwise.count_memory()

import keras  # noqa: E402

BATCH = 64


def build(blocks: int, channels: int) -> keras.Sequential:
    keras.utils.set_random_seed(0)
    convolutions = [keras.layers.Conv2D(channels, 3, padding="same", activation="relu") for _ in range(blocks)]
    top = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *convolutions, *top])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def later_epochs(record: layerwise.LayerwiseHistory) -> float:
    """Seconds of one epoch of every block, the first epochs left out."""
    return sum(float(np.median(stage.history.seconds[1:])) for stage in record)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    digits = data.load("mnist5k")
    x, y = digits.x_train[: args.samples], digits.y_train[: args.samples]
    models, records = {}, {}
    for way, options in {
        "stored in memory": {},
        "stored on disk": {"memory_limit": 0},
        "recomputed": {"cache": False},
    }.items():
        models[way] = build(args.blocks, args.channels)
        records[way] = layerwise.greedy(
            models[way], x, y, epochs=args.epochs, batch_size=BATCH, verbose=False, **options
        )
    end_to_end = build(args.blocks, args.channels)
    whole = [f"{end_to_end.layers[args.blocks].name}"]  # one block of all layers: plain training, measured alike
    records["end to end"] = layerwise.greedy(end_to_end, x, y, epochs=2, batch_size=BATCH, blocks=whole, verbose=False)

    table = Table(title=f"{args.blocks} convolutions of {args.channels} channels, {len(x)} images, batch {BATCH}")
    for column in ("", "one epoch of every block", "storing the outputs", "peak memory", "of it stored outputs"):
        table.add_column(column, justify="right" if column else "left")
    for way, record in records.items():
        stored = max(stage.feature_bytes for stage in record)
        on_disk = " (file)" if any(stage.features_on_disk for stage in record) else ""
        table.add_row(
            way,
            f"{later_epochs(record):.2f} s",
            f"{sum(stage.feature_seconds for stage in record):.2f} s",
            f"{record.peak_bytes / 1e6:.1f} MB",
            f"{stored / 1e6:.1f} MB{on_disk}",
        )
    Console(width=120).print(table)

    ratio = later_epochs(records["recomputed"]) / later_epochs(records["stored in memory"])
    pairs = zip(models["stored in memory"].get_weights(), models["recomputed"].get_weights())
    apart = max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)
    on_disk = zip(models["stored in memory"].get_weights(), models["stored on disk"].get_weights())
    same_on_disk = all(np.array_equal(a, b) for a, b in on_disk)
    peaks = {way: record.peak_bytes for way, record in records.items()}
    highest = max(peaks["stored in memory"], peaks["stored on disk"])
    checks = {
        f"an epoch on stored outputs is {ratio:.2f}× as fast (floor 2.0×)": ratio >= 2.0,
        f"the weights differ by {apart:.1e} of the largest (floor 1e-3)": apart < 1e-3,
        "in memory and on disk give the same weights": same_on_disk,
        f"greedy holds {highest / peaks['end to end']:.0%} of end-to-end's memory at its height (floor: below 100 %)": (
            highest < peaks["end to end"]
        ),
    }
    for text, good in checks.items():
        print("✓" if good else "✗", text)
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
