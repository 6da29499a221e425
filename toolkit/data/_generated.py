"""Pairs of texts that are made, not read: tasks for networks that turn one sequence into another.

Both follow from a seed, and no part of the test is in the training part: of the sums no pair of numbers, in either
order, of the dates no day, in whatever form.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

import numpy as np

from toolkit.data._info import GeneratedInfo
from toolkit.data._readers import Arrays
from toolkit.data._texts import as_objects

Pair = tuple[str, str]

_MOST_DIGITS = 3
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIRST_DAY, _DAYS = datetime.date(1950, 1, 1), 36_524  # to the end of 2049: two digits of a year are enough


def generate(info: GeneratedInfo) -> Arrays:
    """The pairs of a generated set: x and y are texts.

    Args:
        info: the catalogue's entry: how many pairs, and the seed.
    """
    makers: dict[str, Callable[[np.random.RandomState], Iterator[tuple[object, Pair]]]] = {
        "addition": additions,
        "dates": dates,
    }
    # RandomState, because NumPy promises its stream for ever; that of default_rng may change.
    random = np.random.RandomState(info.seed)
    sizes, parts = (info.train, info.test), ([], [])
    share = info.test / (info.train + info.test)
    part_of: dict[object, int] = {}  # a key is in one part only
    for key, pair in makers[info.reader](random):
        part = part_of.setdefault(key, int(random.random_sample() < share))
        if len(parts[part]) < sizes[part]:
            parts[part].append(pair)
        elif all(len(pairs) == size for pairs, size in zip(parts, sizes)):
            break
    columns = [as_objects(side) for pairs in parts for side in zip(*pairs, strict=True)]
    return Arrays(*columns)


def additions(random: np.random.RandomState) -> Iterator[tuple[frozenset[int], Pair]]:
    """Sums of two numbers of one to three digits, each once: ``"12+345"`` → ``"357"``; the key is the two numbers."""
    seen: set[Pair] = set()
    while True:
        digits = random.randint(1, _MOST_DIGITS + 1, (1000, 2))
        for a, b in (random.random_sample((1000, 2)) * 10**digits).astype(int).tolist():
            pair = f"{a}+{b}", f"{a + b}"
            if pair not in seen:
                seen.add(pair)
                yield frozenset((a, b)), pair


def dates(random: np.random.RandomState) -> Iterator[tuple[datetime.date, Pair]]:
    """Days from 1950 to 2049 as people write them, day before month: ``"3rd of March 2019"`` → ``"2019-03-03"``."""
    while True:
        day = _FIRST_DAY + datetime.timedelta(days=int(random.randint(_DAYS)))
        form = _FORMS[random.randint(len(_FORMS))]
        yield day, (form(day, _MONTHS[day.month - 1], _WEEKDAYS[day.weekday()]), day.isoformat())


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


_FORMS: tuple[Callable[[datetime.date, str, str], str], ...] = (
    lambda d, month, weekday: f"{d.day} {month} {d.year}",
    lambda d, month, weekday: f"{d.day} {month[:3]} {d.year % 100:02}",
    lambda d, month, weekday: f"{month} {d.day}, {d.year}",
    lambda d, month, weekday: f"{weekday}, {d.day} {month} {d.year}",
    lambda d, month, weekday: f"{_ordinal(d.day)} of {month} {d.year}",
    lambda d, month, weekday: f"{d.day:02}/{d.month:02}/{d.year}",
    lambda d, month, weekday: f"{d.day:02}/{d.month:02}/{d.year % 100:02}",
    lambda d, month, weekday: f"{d.day}.{d.month}.{d.year}",
    lambda d, month, weekday: f"{weekday[:3]} {d.day}-{month[:3]}-{d.year}",
)
