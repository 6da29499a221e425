"""The docstring corpus and what a linear model makes of it: the figure that every neural one stands beside.

TF-IDF of words and pairs of words, then logistic regression: no tuning, and no chance in it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline

from toolkit import data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="docstrings", help="any set of texts with classes")
    parser.add_argument("--target", action="append", help="library and family by default")
    args = parser.parse_args()
    known = data.catalogue()[args.data].targets
    for target in args.target or [target for target in known if target not in ("summary", "title")]:
        report(args.data, target)


def report(name: str, target: str) -> None:
    started = time.perf_counter()
    d = data.load(name, target=target)
    loaded = time.perf_counter()
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000)
    )
    model.fit(d.x_train, d.y_train)
    predicted = model.predict(d.x_test)
    fitted = time.perf_counter()

    table = Table(title=f"{name}, target {target}: TF-IDF and logistic regression")
    for column in ("class", "train", "test", "recall"):
        table.add_column(column, justify="left" if column == "class" else "right")
    recalls = recall_score(d.y_test, predicted, average=None)
    for k, (label, recall) in enumerate(zip(d.classes, recalls, strict=True)):
        table.add_row(label, str((d.y_train == k).sum()), str((d.y_test == k).sum()), f"{recall:.3f}")
    chance = np.bincount(d.y_test).max() / len(d.y_test)
    table.add_row("all", str(len(d.y_train)), str(len(d.y_test)), f"{(predicted == d.y_test).mean():.3f}")
    words = np.median([len(text.split()) for text in d.x_train])
    Console(width=100).print(
        table,
        f"accuracy {(predicted == d.y_test).mean():.4f}, always the largest class {chance:.4f}; "
        f"{words:.0f} words in the median; {len(model[0].vocabulary_):,} features; "
        f"loaded in {loaded - started:.2f} s, fitted and tested in {fitted - loaded:.1f} s\n{d.source}\n",
    )


if __name__ == "__main__":
    main()
