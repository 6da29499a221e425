"""Greedy training on 8-block networks: stored outputs against recomputed ones, and its memory against end-to-end's.

Three questions, each with a floor; the exit status is 1 if one is missed.

1. How much faster is an epoch when the outputs of the frozen blocks are stored? Every block is trained twice from the
   same weights: on stored outputs, and through the frozen blocks. The seconds are those of the fastest epoch after the
   first (which pays for compiling), summed over blocks 2 to 8 (nothing is frozen in front of block 1); the one pass
   that stores the outputs is told beside them. Floor: 2.0× on eight dense layers of 1,024. If a way forward through a
   block costs f, a step costs about 2f on stored outputs (forward, and the gradient of the weights), and 4f more, on
   average, through the frozen blocks: at most 3×. The optimiser, and whatever a step costs without any arithmetic, take
   away from that; in the small convolutions here, told too, they take most.
2. Do both end with the same weights, and outputs in memory and on disk too? Floor: to rounding, 10⁻³ of the largest.
3. How much memory does training hold at its height, beyond what was there before it? All that TensorFlow's allocator
   gives out (activations, gradients, moments, data) and the stored outputs. Floor: less than end to end; for the
   convolutions, whose outputs are many times larger than their images, with the outputs on disk.

Run it with ``make bench`` or ``python benchmarks/layerwise.py``.
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

BLOCKS = 8
layers = keras.layers


def dense() -> keras.Sequential:
    hidden = [layers.Dense(1024, "relu") for _ in range(BLOCKS)]
    return compiled([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(10, "softmax")])


def convolutions() -> keras.Sequential:
    hidden = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(BLOCKS)]
    top = [layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax")]
    return compiled([keras.Input((28, 28, 1)), *hidden, *top])


def compiled(chain: list) -> keras.Sequential:
    model = keras.Sequential(chain)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


WAYS = {"stored in memory": {}, "stored on disk": {"memory_limit": 0}, "recomputed": {"cache": False}}


def measured(build, samples: int, epochs: int, batch_size: int) -> tuple[dict, dict]:
    """Models and records of every way, and of end-to-end training."""
    digits = data.load("mnist5k")
    x, y = digits.x_train[:samples], digits.y_train[:samples]
    models, records = {}, {}
    for way, options in {**WAYS, "end to end": None}.items():
        keras.utils.set_random_seed(0)
        models[way] = build()
        if options is None:  # one block of all layers and the head: plain training, measured alike
            options = {"blocks": [len(models[way].layers) - 2]}
        records[way] = layerwise.greedy(
            models[way], x, y, epochs=epochs, batch_size=batch_size, verbose=False, **options
        )
    return models, records


def later_epochs(record: layerwise.LayerwiseHistory) -> float:
    """Seconds of one epoch of every block behind frozen ones, the first epochs left out."""
    return sum(min(stage.history.seconds[1:]) for stage in list(record)[1:] or record)


def table_of(title: str, records: dict) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("", "one epoch of blocks 2-8", "storing the outputs", "peak memory", "outputs of a block"):
        table.add_column(column, justify="right" if column else "left")
    for way, record in records.items():
        on_disk = " (file)" if any(stage.features_on_disk for stage in record) else ""
        table.add_row(
            way,
            f"{later_epochs(record):.2f} s",
            f"{sum(stage.feature_seconds for stage in record):.2f} s",
            f"{record.peak_bytes / 1e6:.1f} MB",
            f"{max(stage.feature_bytes for stage in record) / 1e6:.1f} MB{on_disk}",
        )
    return table


def apart(a: keras.Model, b: keras.Model) -> float:
    """The largest difference of any weight, as a share of the largest weight of its tensor."""
    return max(float(np.abs(v - w).max() / np.abs(v).max()) for v, w in zip(a.get_weights(), b.get_weights()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4096, help="for the dense network; an eighth for convolutions")
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()
    console = Console(width=120)
    checks = {}
    for name, build, samples, batch in (
        ("dense layers of 1,024", dense, args.samples, 1024),
        ("convolutions of 16 channels", convolutions, args.samples // 8, 64),
    ):
        models, records = measured(build, samples, args.epochs, batch)
        console.print(table_of(f"{BLOCKS} {name}, {samples:,} images, batch {batch}", records))
        ratio = later_epochs(records["recomputed"]) / later_epochs(records["stored in memory"])
        peaks = {way: record.peak_bytes / records["end to end"].peak_bytes for way, record in records.items()}
        floor = 2.0 if build is dense else None
        differ = max(apart(models["recomputed"], models[way]) for way in ("stored in memory", "stored on disk"))
        told = f"(floor {floor}×)" if floor else "(no floor)"
        checks[f"{name}: an epoch is {ratio:.2f}× as fast {told}"] = floor is None or ratio >= floor
        checks[f"{name}: the weights differ by {differ:.0e} of the largest (floor 1e-3)"] = differ < 1e-3
        for way in ("stored in memory", "stored on disk") if build is dense else ("stored on disk",):
            text = f"{name}, {way}: {peaks[way]:.0%} of end-to-end's memory at the height (floor: below 100 %)"
            checks[text] = peaks[way] < 1
    for text, good in checks.items():
        console.print(f"{'✓' if good else '✗'} {text}", highlight=False)
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
