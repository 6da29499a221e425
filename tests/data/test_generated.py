from __future__ import annotations

import datetime

import numpy as np
import pytest

from toolkit import data
from toolkit.data._generated import dates
from toolkit.errors import InvalidValueError


@pytest.mark.parametrize(("name", "train", "test"), [("addition", 50_000, 2_000), ("dates", 20_000, 2_000)])
def test_pairs_are_texts_and_the_same_each_time(name, train, test):
    d, again = data.load(name), data.load(name)
    assert (len(d.x_train), len(d.x_test), d.classes) == (train, test, ())
    assert all(type(text) is str for text in (*d.x_train, *d.y_train, *d.x_test, *d.y_test))
    assert d.x_train.tolist() == again.x_train.tolist()
    assert d.y_test.tolist() == again.y_test.tolist()
    assert d.source == "made here from seed 0"
    assert data.status(name).state == "embedded"
    assert data.fetch(name) == []


def test_sums_are_right_and_no_two_numbers_are_in_both_parts():
    d = data.load("addition")
    numbers = {}
    for part in ("train", "test"):
        terms = [tuple(map(int, text.split("+"))) for text in getattr(d, f"x_{part}")]
        assert [str(a + b) for a, b in terms] == getattr(d, f"y_{part}").tolist()
        assert len(set(terms)) == len(terms)
        assert max(map(max, terms)) == 999
        numbers[part] = set(map(frozenset, terms))
    assert not numbers["train"] & numbers["test"]


def test_no_day_is_in_both_parts():
    d = data.load("dates")
    assert not set(d.y_train) & set(d.y_test)
    days = [datetime.date.fromisoformat(day) for day in d.y_train]
    assert (min(days).year, max(days).year) == (1950, 2049)


def test_forms_of_a_date_match_hand_example(monkeypatch):
    class Always(np.random.RandomState):
        """Draws 4 January 1950, a Wednesday, in every form in turn."""

        turn = 0

        def randint(self, high):
            if high > 100:
                return 3
            self.turn += 1
            return (self.turn - 1) % high

    drawn = dates(Always(0))
    pairs = [next(drawn) for _ in range(9)]
    assert {(day, iso) for day, (_, iso) in pairs} == {(datetime.date(1950, 1, 4), "1950-01-04")}
    assert [text for _, (text, _) in pairs] == [
        "4 January 1950",
        "4 Jan 50",
        "January 4, 1950",
        "Wednesday, 4 January 1950",
        "4th of January 1950",
        "04/01/1950",
        "04/01/50",
        "4.1.1950",
        "Wed 4-Jan-1950",
    ]


def test_other_targets_errors():
    with pytest.raises(InvalidValueError, match="target to be one of iso"):
        data.load("dates", target="topic")
