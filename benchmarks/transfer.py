"""Transfer on CIFAR-10's photographs: from scratch, on frozen features, fine-tuned, over the number of labels.

A ResNet-18 of small width learns the classes with even numbers (airplane, bird, deer, frog, ship), 1,000 images each.
Then the other five (automobile, cat, dog, horse, truck) are learned from a few labels a class, in three ways with the
same architecture and the same images: from scratch; a linear head on the frozen network; the whole network fine-tuned
from there, slower towards the image. Each is tested on the same 200 images a class. Epochs and rates were chosen on
training images that were held out, never on the test images.

Intervals are 95 % (Student's t) over the seeds, which choose the labelled images, their order and the initial weights;
the margin is paired, fine-tuned minus scratch with the same seed. The exit code is 1 if at the smallest number of
labels the margin's interval reaches 0. The images are JPEG-lossy: these figures compare among themselves only.

    TOOLKIT_DATA=FOLDER python benchmarks/transfer.py                  # 10 labels a class, 5 seeds
    TOOLKIT_DATA=FOLDER python benchmarks/transfer.py --labels 10 100 1000 --seeds 3
    TOOLKIT_DATA=FOLDER python benchmarks/transfer.py --probe   # EfficientNet-Lite0, linear head
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import data, training
from toolkit.errors import DataError
from toolkit.models import transfer
from toolkit.training._linear_probe import interval_half_width

SOURCE, TARGET = (0, 2, 4, 6, 8), (1, 3, 5, 7, 9)
# Labels a class → epochs of fine-tuning, epochs from scratch. More data need fewer epochs.
EPOCHS = {10: (20, 60), 30: (16, 40), 100: (8, 20), 300: (6, 16), 1000: (6, 20)}
PRETRAINING_EPOCHS, RATE, FINE_TUNING_RATE = 8, 1e-3, 3e-4


def classes(cifar: data.Dataset, chosen: tuple[int, ...], part: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = (cifar.x_train, cifar.y_train) if part == "train" else (cifar.x_test, cifar.y_test)
    rows = np.concatenate([np.flatnonzero(y == label)[:1000] for label in chosen])  # as many of CIFAR-10 itself
    return x[rows], np.searchsorted(chosen, y[rows])


def with_mirror_images(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every image and its mirror image: a car that drives to the left is a car."""
    return np.concatenate([x, x[:, :, ::-1]]), np.concatenate([y, y])


class Learner:
    """One compiled network that begins anew as often as it is told to; compiling takes longer than a short run."""

    def __init__(self, width: int) -> None:
        self.model = transfer.resnet18((32, 32, 3), len(TARGET), width=width, seed=0)
        self.model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.model.optimizer.build(self.model.trainable_variables)

    def run(self, start: list[np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, **options: object) -> None:
        self.model.set_weights(start)
        for variable in self.model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self.model.optimizer.learning_rate = rate
        training.fit(self.model, *with_mirror_images(x, y), verbose=False, **options)
        self.settle(x)

    def settle(self, x: np.ndarray) -> None:
        """The averages of batch normalisation as they are with these weights, from at most 500 images.

        While weights move fast, the moving averages lag behind. That costs most where the steps are few and large:
        from scratch, with few labels. Without this the margin would be too wide.
        """
        some = np.random.default_rng(0).permutation(len(x))[:500]
        norms = [layer for layer in self.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        momenta = [layer.momentum for layer in norms]
        for layer in norms:
            layer.momentum = 0.0  # keep nothing of the old averages
        self.model(x[some], training=True)
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum


def accuracy(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    return float((model.predict(x, batch_size=250, verbose=0).argmax(axis=1) == y).mean())


def linear_head(features: np.ndarray, y: np.ndarray, seed: int, C: float = 1.0) -> list[np.ndarray]:
    """Weights (F, K) and biases (K,) of a softmax regression for K classes; a smaller C holds the weights down."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=C, max_iter=1000, random_state=seed).fit(features, y)
    return [fitted.coef_.T.astype("float32"), fitted.intercept_.astype("float32")]


def head_accuracy(head: list[np.ndarray], features: np.ndarray, y: np.ndarray) -> float:
    return float(((features @ head[0] + head[1]).argmax(axis=1) == y).mean())


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval."""
    return float(np.mean(values)), float(interval_half_width(values))


def compare(
    cifar: data.Dataset, labels: list[int], seeds: int, width: int, network: Path | None, console: Console
) -> float:
    """Prints the table; returns the lower end of the margin's interval at the smallest number of labels."""
    began = time.perf_counter()
    source, target = classes(cifar, SOURCE, "train"), classes(cifar, TARGET, "train")
    x_test, y_test = classes(cifar, TARGET, "test")
    learner = Learner(width)
    if network is not None and network.is_file():
        learner.model.load_weights(network)
    else:
        learner.run(learner.model.get_weights(), *source, RATE, epochs=PRETRAINING_EPOCHS // 2, batch_size=64)
        if network is not None:
            learner.model.save_weights(network)
    trained = learner.model.get_weights()
    known = accuracy(learner.model, *classes(cifar, SOURCE, "test"))
    console.print(
        f"pre-trained on {len(source[0]):,} images and their mirror images: "
        f"{known:.1%} on the source classes' test images, {time.perf_counter() - began:.0f} s"
    )
    features = {
        n: transfer.features(learner.model, x, verbose=False) for n, x in (("train", target[0]), ("test", x_test))
    }
    table = Table(title=f"ResNet-18 of width {width}, five new classes, {seeds} seeds, test accuracy")
    for column in ("labels a class", "from scratch", "frozen, linear head", "fine-tuned", "fine-tuned − scratch", "s"):
        table.add_column(column, justify="right")
    lowest = None
    for count in sorted(labels):
        results: dict[str, list[float]] = {"scratch": [], "frozen": [], "tuned": []}
        started = time.perf_counter()
        tuning_epochs, scratch_epochs = EPOCHS[min(EPOCHS, key=lambda known: abs(np.log(known / count)))]
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            rows = np.concatenate([rng.permutation(np.flatnonzero(target[1] == k))[:count] for k in range(len(TARGET))])
            x, y = target[0][rows], target[1][rows]
            head = linear_head(features["train"][rows], y, seed)
            results["frozen"].append(head_accuracy(head, features["test"], y_test))
            options = {"batch_size": 25 if count <= 30 else 50, "seed": seed}
            learner.run([*trained[:-2], *head], x, y, FINE_TUNING_RATE, epochs=tuning_epochs // 2, **options)
            results["tuned"].append(accuracy(learner.model, x_test, y_test))
            fresh = transfer.resnet18((32, 32, 3), len(TARGET), width=width, seed=seed + 1).get_weights()
            learner.run(fresh, x, y, RATE, epochs=scratch_epochs // 2, **options)
            results["scratch"].append(accuracy(learner.model, x_test, y_test))
        margin = [a - b for a, b in zip(results["tuned"], results["scratch"], strict=True)]
        cells = [interval(results[name]) for name in ("scratch", "frozen", "tuned")] + [interval(margin)]
        lowest = cells[-1][0] - cells[-1][1] if lowest is None else lowest
        seconds = time.perf_counter() - started
        table.add_row(str(count), *(f"{100 * m:.1f} ± {100 * h:.1f} %" for m, h in cells), f"{seconds:.0f}")
    console.print(table)
    console.print(f"{time.perf_counter() - began:.0f} s in all. {cifar.source}")
    return lowest


def probe(cifar: data.Dataset, console: Console) -> None:
    """A linear model on what EfficientNet-Lite0 with its ImageNet weights sees, all ten classes, at 96 pixels.

    1,280 features and 10,000 images: how much the weights are held down decides some points, so it is chosen on a fifth
    of the training images, held out.
    """
    began = time.perf_counter()
    model = transfer.transfer_model(
        "efficientnet_lite0", 10, weights="imagenet", input_shape=(96, 96, 3), image_size=(32, 32)
    )
    rows = np.random.default_rng(0).permutation(len(cifar.x_train))[:10_000]
    train, test = (transfer.features(model, x) for x in (cifar.x_train[rows], cifar.x_test))
    y, held_out = cifar.y_train[rows], len(rows) // 5
    known = {
        C: head_accuracy(linear_head(train[held_out:], y[held_out:], 0, C), train[:held_out], y[:held_out])
        for C in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    }
    best = max(known, key=known.get)
    tested = head_accuracy(linear_head(train, y, 0, best), test, cifar.y_test)
    console.print("held out: " + ", ".join(f"C = {C:g} {share:.1%}" for C, share in known.items()))
    console.print(
        f"EfficientNet-Lite0, ImageNet weights, 96 pixels: linear model (C = {best:g}) on the features of "
        f"{len(rows):,} images, {tested:.1%} of {len(test):,} test "
        f"images right, {time.perf_counter() - began:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[10], help="labels a class, at most 1,000")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage; 64 is ResNet-18 itself")
    parser.add_argument(
        "--network", type=Path, help="FILE.weights.h5 to keep the pre-trained network in, or to take it from"
    )
    parser.add_argument("--probe", action="store_true", help="only EfficientNet-Lite0 (the extra 'imagenet')")
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("an interval needs --seeds of 2 or more")
    console = Console(width=120)
    if not os.environ.get("TOOLKIT_DATA"):
        console.print("Skipped: set TOOLKIT_DATA to a folder with cifar10_small.npz or CIFAR-10 itself.")
        return
    try:
        cifar = data.load("cifar10", scale=not args.probe)
    except DataError as error:
        sys.exit(str(error))
    if args.probe:
        probe(cifar, console)
    elif compare(cifar, args.labels, args.seeds, args.width, args.network, console) <= 0:
        sys.exit("The margin at the fewest labels does not exceed its interval.")


if __name__ == "__main__":
    main()
