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


def rouge_score(summary, reference):
    """Precision, recall and F₁ of the library."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1"]).score(reference, summary)["rouge1"]


def rouge_of_the_library(summary, reference):
    return rouge_score(summary, reference).fmeasure


RIGHT = [
    ("09.1", shifted_with_a_loop),
    ("09.2", loss_with_a_loop),
    ("09.3", written_one_by_one),
    ("09.4", extended_with_a_loop),
    ("09.5", rouge_of_the_library),
    ("09.1", lambda y: np.c_[np.full(len(y), 2), y[:, :-1]]),
    ("09.2", lambda p, y: -np.sum(np.log(p) * (y > 0)) / np.sum(y > 0)),
    ("09.5", lambda s, r: 2 / (1 / rouge_score(s, r).precision + 1 / rouge_score(s, r).recall)),
]


def forgetful(step, state, start, T):
    tokens = [start]
    for _ in range(T):
        tokens.append(step(tokens[-1], state)[0])
    return tokens[1:]


def best_of_each(total, log_p):
    rows = sorted(range(len(total)), key=lambda b: -(total[b] + max(log_p[b])))
    return [[b, int(np.argmax(log_p[b]))] for b in rows]


def deaf(step, state, start, T):
    tokens = []
    while len(tokens) < T:
        token, state = step(start, state)
        tokens.append(token)
    return tokens


def begun_with_start(step, state, start, T):
    tokens = [start]
    while len(tokens) < T:
        token, state = step(tokens[-1], state)
        tokens.append(token)
    return tokens


def ranked(score, reverse=True):
    def extend(total, log_p):
        pairs = sorted(np.ndindex(*log_p.shape), key=lambda pair: score(total[pair[0]], log_p[pair]), reverse=reverse)
        return pairs[: len(total)]

    return extend


def best_from_behind(total, log_p):
    """argsort sorts from the smallest on: the largest stand at the end, the very largest last."""
    scores = (total + log_p.T).T
    return np.transpose(np.unravel_index(np.argsort(scores.ravel())[-len(total) :], scores.shape))


def best_of_the_best(total, log_p):
    b = max(range(len(total)), key=lambda b: total[b])
    return [(b, v) for v in np.argsort(log_p[b])[::-1][: len(total)]]


WRONG = [
    ("09.1", lambda y: y.copy(), "not shifted"),
    ("09.1", lambda y: [[*row[1:], 0] for row in y], "shifted the other way"),
    ("09.1", lambda y: np.hstack([y[:, -1:], y[:, :-1]]), "last token first"),
    ("09.1", lambda y: np.hstack([np.full((len(y), 1), 2), y]), "nothing taken off"),
    ("09.1", lambda y: [[2, *row[1:]] for row in y], "start for the first token"),
    ("09.1", lambda y: [[3, *row[:-1]] for row in y], "end instead of start"),
    ("09.1", lambda y: np.pad(y, ((0, 0), (1, 0)))[:, :-1], "padding instead of start"),
    ("09.2", lambda p, y: np.mean(-np.log(p)), "padding counted"),
    ("09.2", lambda p, y: np.mean(-np.log(p) * (y > 0)), "divided by all places"),
    ("09.2", lambda p, y: np.mean([loss_with_a_loop(p[[n]], y[[n]]) for n in range(len(p))]), "mean of means"),
    ("09.2", lambda p, y: -np.log(p[y > 0]).sum(), "not divided"),
    ("09.2", lambda p, y: np.mean(np.sum(-np.log(p) * (y > 0), axis=1)), "divided by the texts"),
    ("09.2", lambda p, y: np.average(np.log(p), weights=y > 0), "sign turned"),
    ("09.2", lambda p, y: loss_with_a_loop(p, np.where(y == 3, 0, y)), "end left out"),
    ("09.2", lambda p, y: -np.log(np.average(p, weights=y > 0)), "mean of the probabilities"),
    ("09.3", forgetful, "state not carried on"),
    ("09.3", lambda step, state, start, T: written_one_by_one(step, np.zeros(4), start, T), "encoder's state not used"),
    ("09.3", deaf, "token not fed back"),
    ("09.3", begun_with_start, "start written"),
    ("09.3", lambda step, state, start, T: written_one_by_one(step, state, start, T)[:-1], "one too few"),
    ("09.4", best_of_each, "best of each beginning"),
    ("09.4", lambda total, log_p: extended_with_a_loop(np.zeros(len(total)), log_p), "totals forgotten"),
    ("09.4", ranked(lambda total, log_p: total * log_p), "logarithms multiplied"),
    ("09.4", ranked(lambda total, log_p: total + log_p, reverse=False), "worst kept"),
    ("09.4", lambda total, log_p: [[v, b] for b, v in extended_with_a_loop(total, log_p)], "token first"),
    ("09.4", best_from_behind, "worst first"),
    ("09.4", best_of_the_best, "only the best beginning"),
    ("09.5", lambda s, r: rouge_score(s, r).precision, "precision only"),
    ("09.5", lambda s, r: rouge_score(s, r).recall, "recall only"),
    ("09.5", lambda s, r: rouge_of_the_library(" ".join({*s.split()}), " ".join({*r.split()})), "each word once"),
    ("09.5", lambda s, r: len(set(s.split()) & set(r.split())) * 2 / len({*s.split()} | {*r.split()}), None),
    (
        "09.5",
        lambda s, r: sum(word in r.split() for word in s.split()) * 2 / len((s + " " + r).split()),
        "repetitions rewarded",
    ),
    ("09.5", lambda s, r: np.mean(rouge_score(s, r)[:2]), "plain mean"),
    ("09.5", lambda s, r: np.prod(rouge_score(s, r)[:2]) / sum(rouge_score(s, r)[:2]), "2 forgotten"),
]


def test_shift_is_the_summarisers():
    from toolkit.models.summarizer import shifted

    for (targets,) in cases("09.1"):
        np.testing.assert_array_equal(shifted_with_a_loop(targets), shifted(targets))
