"""What the course's models reach on real data: mean of several seeds, beside a linear model, with floors.

Every run starts from raw samples: images as pixels, texts as strings (``TextPreprocessor``), recordings as
measurements. The settings below were chosen on a quarter of the training data held out; the test data are looked at
once, when a run has ended. A data set that is not on this machine is named and left out; a figure below its floor makes
the exit code 1. For the sets that are not embedded: ``toolkit data fetch NAME`` or ``TOOLKIT_DATA=FOLDER``.

Floors: MNIST 99.0 % (convolutional, in 90 s of training on two cores) and 97.5 % (its rows, recurrent); AG News, 6,000
texts to train, 86 %, and with attention no worse than with averaged word vectors (95 % interval, paired by text);
review sentences 74 %.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from toolkit import data, models, training
from toolkit.errors import DataError
from toolkit.text import TextPreprocessor
from toolkit.training._linear_probe import interval_half_width


@dataclass(frozen=True)
class Case:
    """One model on one data set.

    Attributes:
        title: as it stands in the table.
        data: name of the data set.
        build: makes the model from ``(dataset, vocabulary size or None, seed)``.
        epochs: of training, at ``batch_size`` and with Adam's α falling from ``learning_rate`` to 0 along a cosine.
        load: further arguments of ``data.load``.
        min_frequency: of ``TextPreprocessor``, for texts.
        floor: what the mean accuracy must reach.
        seconds: how long one training may take.
        no_worse_than: title of the case, on the same data, that this one must not be worse than: the 95 % interval of
            the difference, over the test samples that both saw, must not lie below 0.
    """

    title: str
    data: str
    build: Callable[[data.Dataset, int | None, int], keras.Model]
    epochs: int
    batch_size: int = 64
    learning_rate: float = 0.002
    load: Mapping[str, Any] = field(default_factory=dict)
    min_frequency: int = 2
    floor: float | None = None
    seconds: float | None = None
    no_worse_than: str | None = None


def cnn(d: data.Dataset, vocabulary: None, seed: int) -> keras.Model:
    return models.image_classifier(d.x_train.shape[1:], len(d.classes), dropout=0.3, seed=seed)


def lstm(d: data.Dataset, vocabulary: None, seed: int) -> keras.Model:
    return models.sequence_classifier(
        d.x_train.shape[1:], len(d.classes), mask_value=d.mask_value, dropout=0.1, seed=seed
    )


def averaged(d: data.Dataset, vocabulary: int, seed: int) -> keras.Model:
    return models.text_classifier(vocabulary, len(d.classes), dropout=0.5, word_dropout=0.3, seed=seed)


def attention(d: data.Dataset, vocabulary: int, seed: int) -> keras.Model:
    return models.attention_classifier(
        vocabulary, len(d.classes), embedding_dim=128, dropout=0.5, word_dropout=0.7, seed=seed
    )


def mlp(d: data.Dataset, vocabulary: None, seed: int) -> keras.Model:
    return models.mlp(d.x_train.shape[1], (128,), len(d.classes), dropout=0.2, seed=seed)


FLAT, ROWS = {"flatten": True}, {"as_sequence": True}
CASES = [
    Case("MLP", "digits", mlp, 30, load=FLAT),
    Case("MLP", "mnist5k", mlp, 15, load=FLAT),
    Case("CNN", "mnist5k", cnn, 10),
    Case("CNN", "mnist", cnn, 4, floor=0.990, seconds=90),
    Case("LSTM 64-32", "mnist5k", lstm, 15, load=ROWS),
    Case("LSTM 64-32", "mnist", lstm, 4, load=ROWS, floor=0.975),
    Case("LSTM 64-32", "japanese_vowels", lstm, 60, batch_size=16),
    Case("averaged words", "docstrings", averaged, 8),
    Case("attention", "docstrings", attention, 8),
    Case("averaged words", "ag_news", averaged, 5, floor=0.86),
    Case("attention", "ag_news", attention, 8, floor=0.86, no_worse_than="averaged words"),
    Case("averaged words", "sentence_polarity", averaged, 5, floor=0.74),
    Case("averaged words", "movie_reviews", averaged, 8),
]


@cache
def samples(name: str, load: tuple, min_frequency: int) -> tuple[data.Dataset, np.ndarray, np.ndarray, int | None]:
    """The data set, its training and test samples as the model takes them, and the size of the vocabulary."""
    d = data.load(name, **dict(load))
    if d.x_train.dtype != object:
        return d, d.x_train, d.x_test, None
    preprocessor = TextPreprocessor(min_frequency=min_frequency).fit(d.x_train)
    return d, preprocessor.transform(d.x_train), preprocessor.transform(d.x_test), len(preprocessor.vocabulary_)


@cache
def linear_accuracy(name: str) -> float:
    """Logistic regression on TF-IDF of words and pairs of words, or on the standardised numbers of a sample."""
    d = data.load(name)
    if d.x_train.dtype == object:
        features = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
        model = make_pipeline(features, LogisticRegression(C=10, max_iter=1000))
        return float(model.fit(d.x_train, d.y_train).score(d.x_test, d.y_test))
    flat = [x.reshape(len(x), -1) for x in (d.x_train, d.x_test)]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    return float(model.fit(flat[0][:10_000], d.y_train[:10_000]).score(flat[1], d.y_test))


def run(case: Case, seed: int) -> tuple[np.ndarray, float]:
    """Which test samples are right, ``(N,)`` bool, and the seconds of training."""
    d, x_train, x_test, vocabulary = samples(case.data, tuple(case.load.items()), case.min_frequency)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = case.build(d, vocabulary, seed)
    steps = case.epochs * -(-len(x_train) // case.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(case.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    started = time.perf_counter()
    training.fit(model, x_train, d.y_train, epochs=case.epochs, batch_size=case.batch_size, seed=seed, verbose=False)
    seconds = time.perf_counter() - started
    return model.predict(x_test, batch_size=256, verbose=0).argmax(axis=1) == d.y_test, seconds


def missed(case: Case, right: np.ndarray, slowest: float, others: Mapping[tuple[str, str], np.ndarray]) -> list[str]:
    """What a case fell short of, in words; ``right`` and the ``others`` are shares over the seeds, ``(N,)``."""
    name, mean = f"{case.title} on {case.data}", right.mean()
    faults = []
    if case.floor is not None and mean < case.floor:
        faults.append(f"{name}: expected a mean of at least {case.floor:.3f}, received {mean:.4f}")
    if case.seconds is not None and slowest > case.seconds:
        faults.append(f"{name}: expected at most {case.seconds:.0f} s of training, received {slowest:.0f} s")
    if (case.no_worse_than, case.data) in others:
        gain, margin = difference(right, others[case.no_worse_than, case.data])
        if gain + margin < 0:
            faults.append(f"{name}: expected no worse than {case.no_worse_than}, received {gain:+.4f} ± {margin:.4f}")
    return faults


def difference(right: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How much more is right than with the other model, and half the 95 % interval of that, paired by sample."""
    gains = right - other
    return gains.mean(), float(interval_half_width(gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each case, with seeds 0, 1, … (default 3)")
    parser.add_argument("--only", default="", help="part of 'title on data', such as 'CNN' or 'ag_news'")
    args = parser.parse_args()
    console = Console(width=120)
    table = Table(title=f"Accuracy on the test data, seeds {', '.join(map(str, range(args.seeds)))}")
    for column in ("model", "data", "train", "test", "linear", "mean", "lowest", "highest", "floor", "s a training"):
        table.add_column(column, justify="left" if column in ("model", "data") else "right")
    shares: dict[tuple[str, str], np.ndarray] = {}
    faults = []
    for case in CASES:
        name = f"{case.title} on {case.data}"
        if args.only not in name:
            continue
        try:
            d, *_ = samples(case.data, tuple(case.load.items()), case.min_frequency)
        except DataError as error:
            console.print(f"left out, {name}: {error}")
            continue
        rights, seconds = zip(*(run(case, seed) for seed in range(args.seeds)), strict=True)
        accuracies = [right.mean() for right in rights]
        shares[case.title, case.data] = np.mean(rights, axis=0)
        faults += missed(case, shares[case.title, case.data], max(seconds), shares)
        table.add_row(
            case.title,
            case.data,
            f"{len(d.x_train):,}",
            f"{len(d.x_test):,}",
            f"{linear_accuracy(case.data):.4f}",
            f"{np.mean(accuracies):.4f}",
            f"{min(accuracies):.4f}",
            f"{max(accuracies):.4f}",
            "" if case.floor is None else f"{case.floor:.3f}",
            f"{np.mean(seconds):.1f}",
        )
        console.print(f"{name}: {', '.join(f'{a:.4f}' for a in accuracies)}")
        if (case.no_worse_than, case.data) in shares:
            gain, margin = difference(shares[case.title, case.data], shares[case.no_worse_than, case.data])
            console.print(f"{name}, against {case.no_worse_than}: {gain:+.4f} ± {margin:.4f}")
    console.print(table)
    for fault in faults:
        console.print(f"missed: {fault}", style="red")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
