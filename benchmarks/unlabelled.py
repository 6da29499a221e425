"""What representations learned without labels are worth: linear-probe accuracy against the labels used.

Raw pixels, the features of a random encoder, of a denoising autoencoder's and of SimCLR's, all of the same
architecture; each is learned from all training images without their labels, then logistic regression on the frozen
features gets a few labels of each class. Every seed has encoders, augmentation and a draw of labels of its own; the
figures are means with 95 % intervals over the seeds. Test images are used for these figures alone: strengths, epochs
and temperature were chosen on 800 training images held out of mnist5k. Run it with ``make bench``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

from toolkit import data, training
from toolkit.training import unlabelled

PER_CLASS = (1, 5, 10, 50, 100, None)


def random_encoder(x: np.ndarray, seed: int, epochs: int) -> keras.Model:
    return unlabelled.image_encoder(x.shape[1:], seed=seed)


def denoising(x: np.ndarray, seed: int, epochs: int) -> keras.Model:
    encoder = unlabelled.image_encoder(x.shape[1:], seed=seed)
    model = unlabelled.DenoisingAutoencoder(encoder, unlabelled.image_decoder(x.shape[1:], seed=seed), seed=seed)
    model.compile(keras.optimizers.Adam(0.002))
    training.fit(model, x, epochs=epochs, batch_size=128, seed=seed, verbose=False)
    return encoder


def simclr(x: np.ndarray, seed: int, epochs: int) -> keras.Model:
    encoder = unlabelled.image_encoder(x.shape[1:], seed=seed)
    view = unlabelled.RandomView(seed=seed)
    model = unlabelled.SimCLR(encoder, unlabelled.projection_head(seed=seed), view, temperature=0.2)
    model.compile(keras.optimizers.Adam(0.002))
    training.fit(model, x, epochs=epochs, batch_size=256, seed=seed, verbose=False)
    return encoder


METHODS = {"raw pixels": None, "random encoder": random_encoder, "denoising autoencoder": denoising, "SimCLR": simclr}


def probe(images: data.Dataset, h: np.ndarray, h_test: np.ndarray, seeds: range) -> training.ProbeResult:
    return training.linear_probe(h, images.y_train, h_test, images.y_test, per_class=PER_CLASS, seeds=seeds)


def one_seed(learn: Callable, images: data.Dataset, seed: int, epochs: int) -> training.ProbeResult:
    keras.backend.clear_session()
    encoder = learn(images.x_train, seed, epochs)
    h, h_test = (encoder.predict(x, batch_size=512, verbose=0) for x in (images.x_train, images.x_test))
    return probe(images, h, h_test, range(seed, seed + 1))


def joined(results: list[training.ProbeResult]) -> training.ProbeResult:
    accuracy = np.concatenate([result.accuracy for result in results], axis=1)
    seeds = tuple(seed for result in results for seed in result.seeds)
    return training.ProbeResult(results[0].per_class, results[0].labels, accuracy, seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist5k", help="mnist5k (4,000 images) or mnist (60,000; TOOLKIT_DATA)")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30, help="of the learning without labels")
    args = parser.parse_args()
    images = data.load(args.data)
    table = Table(title=f"test accuracy of a linear probe, {args.data}, {args.epochs} epochs, {args.seeds} seeds")
    table.add_column("labels of each class")
    for count in PER_CLASS:
        table.add_column("all" if count is None else str(count), justify="right")
    table.add_column("s a seed", justify="right")
    for name, learn in METHODS.items():
        started = time.perf_counter()
        if learn is None:
            whole = probe(images, images.x_train, images.x_test, range(args.seeds))
        else:
            whole = joined([one_seed(learn, images, seed, args.epochs) for seed in range(args.seeds)])
        seconds = (time.perf_counter() - started) / args.seeds
        cells = (f"{m:.1%}" + ("" if np.isnan(w) else f" ± {w:.1%}") for m, w in zip(whole.mean, whole.half_width))
        table.add_row(name, *cells, f"{seconds:.0f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
