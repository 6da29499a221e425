"""The exercises of lesson 09: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

from toolkit.classroom import exercises


def cases(number):
    return next(exercise.cases for exercise in exercises("09") if exercise.id == number)


def shifted_with_a_loop(targets):
    inputs = np.zeros_like(targets)
    for n, row in enumerate(targets):
        inputs[n] = [2, *row[:-1]]
    return inputs


def loss_with_a_loop(p, targets):
    losses = [-np.log(p[n, t]) for n, t in np.ndindex(*p.shape) if targets[n, t] != 0]
    return sum(losses) / len(losses)


def written_one_by_one(step, state, start, T):
    tokens = [start]
    while len(tokens) <= T:
        token, state = step(tokens[-1], state)
        tokens.append(token)
    return tokens[1:]


def extended_with_a_loop(total, log_p):
    pairs = [(total[b] + log_p[b, v], b, v) for b, v in np.ndindex(*log_p.shape)]
    return np.array([[b, v] for _, b, v in sorted(pairs, reverse=True)[: len(total)]])


def rouge_of_the_library(summary, reference):
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1"]).score(reference, summary)["rouge1"].fmeasure


RIGHT = [
    ("09.1", shifted_with_a_loop),
    ("09.2", loss_with_a_loop),
    ("09.3", written_one_by_one),
    ("09.4", extended_with_a_loop),
    ("09.5", rouge_of_the_library),
]


def forgetful(step, state, start, T):
    tokens = [start]
    for _ in range(T):
        tokens.append(step(tokens[-1], state)[0])
    return tokens[1:]


def best_of_each(total, log_p):
    rows = sorted(range(len(total)), key=lambda b: -(total[b] + max(log_p[b])))
    return [[b, int(np.argmax(log_p[b]))] for b in rows]


WRONG = [
    ("09.1", lambda y: y.copy(), "not shifted"),
    ("09.1", lambda y: np.hstack([y[:, -1:], y[:, :-1]]), "last token first"),
    ("09.1", lambda y: np.hstack([np.full((len(y), 1), 2), y]), "nothing taken off"),
    ("09.2", lambda p, y: np.mean(-np.log(p)), "padding counted"),
    ("09.2", lambda p, y: np.mean(-np.log(p) * (y > 0)), "divided by all places"),
    ("09.3", forgetful, "state not carried on"),
    ("09.4", best_of_each, "best of each beginning"),
    ("09.5", lambda s, r: len(set(s.split()) & set(r.split())) * 2 / len({*s.split()} | {*r.split()}), None),
    (
        "09.5",
        lambda s, r: sum(word in r.split() for word in s.split()) * 2 / len((s + " " + r).split()),
        "repetitions rewarded",
    ),
]


def test_shift_is_the_summarisers():
    from toolkit.models.summarizer import shifted

    for (targets,) in cases("09.1"):
        np.testing.assert_array_equal(shifted_with_a_loop(targets), shifted(targets))
