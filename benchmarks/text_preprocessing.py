"""From texts to stems: ``TextPreprocessor`` and the loop that everybody writes, side by side, with identical tokens.

The loop cuts each text with NLTK's ``word_tokenize(text, preserve_line=True)``, writes each token in lower case, leaves
stop words out and stems the rest with NLTK's ``PorterStemmer``. Its texts have been cleaned before the clock starts.
``fit_transform`` cleans them, makes the same tokens, and besides a vocabulary and rows of ids, from which the tokens
are read back and compared. It starts without memory of any word; so do its processes, whose start is part of the time.
The ways take turns, so that whatever else the machine does slows all; the figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median

from joblib.externals.loky import get_reusable_executor
from nltk import PorterStemmer, word_tokenize
from rich.console import Console
from rich.table import Table

from toolkit import data
from toolkit.errors import DataError
from toolkit.text import TextPreprocessor, clean
from toolkit.text._steps import steps_for

SHARED_DATA = Path(os.environ.get("TOOLKIT_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
LOOP = "plain loop"


def plain_loop(texts: list[str], stop_words: set[str]) -> list[list[str]]:
    stem = PorterStemmer().stem
    rows = []
    for text in texts:
        tokens = (token.lower() for token in word_tokenize(text, preserve_line=True))
        rows.append([stem(token) for token in tokens if token not in stop_words])
    return rows


def forget() -> None:
    """No word is remembered, here or in another process, and no other process runs."""
    steps_for.cache_clear()
    get_reusable_executor().shutdown(wait=True)


def seconds(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure(name: str, texts: list[str], rounds: int) -> Table:
    cleaned = [clean(text) for text in texts]
    stop_words = set(TextPreprocessor().stop_word_list().words)
    tokens = plain_loop(cleaned, stop_words)
    settings = {"max_tokens": None, "sequence_length": max(map(len, tokens))}
    alone, together = TextPreprocessor(**settings), TextPreprocessor(**settings, processes=2)
    for preprocessor in (alone, together):
        assert preprocessor.inverse_transform(preprocessor.fit_transform(texts)) == [" ".join(row) for row in tokens]
    turns = {
        LOOP: lambda: plain_loop(cleaned, stop_words),
        "fit_transform": lambda: alone.fit_transform(texts),
        "transform, words seen before": lambda: alone.transform(texts),
        "fit_transform, processes=2 started": lambda: together.fit_transform(texts),
    }
    measured = {turn: [] for turn in turns}
    for _ in range(rounds):
        for turn, function in turns.items():
            if "before" not in turn:
                forget()
            measured[turn].append(seconds(function))
    forget()

    count = sum(map(len, tokens))
    table = Table(title=f"{len(texts):,} {name}, {sum(map(len, texts)):,} characters → {count:,} stems")
    for column in ("", "seconds (median)", "min", "max", "stems/s", "times the loop's speed"):
        table.add_column(column, justify="right" if column else "left")
    for turn, values in measured.items():
        ratio = median(loop / value for loop, value in zip(measured[LOOP], values))
        figures = [f"{figure:.2f}" for figure in (median(values), min(values), max(values))]
        table.add_row(turn, *figures, f"{count / median(values):,.0f}", f"{ratio:.1f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    console = Console(width=110)
    try:
        reviews = data.load("movie_reviews", data_dir=SHARED_DATA / "nltk_data")
        texts = [*reviews.x_train, *reviews.x_test]
        console.print(measure("movie reviews", texts, args.rounds))
    except DataError as error:
        console.print(f"movie reviews: skipped. {error}", markup=False)
    console.print(measure("docstrings", list(data.load("docstrings").x_train[:3000]), args.rounds))


if __name__ == "__main__":
    main()
