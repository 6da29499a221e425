"""The exercises of lesson 09: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np


def padded(rows):
    """As lists, one as long as the other."""
    return [list(row) for row in zip(*zip_longest(*rows, fillvalue=0), strict=True)]


def written(texts):
    return padded([[*text, 3] for text in texts])


def teacher_forcing(texts):
    return padded([[2, *text] for text in texts]), written(texts)


def read_by_the_library(texts):
    from toolkit.models.summarizer import shifted

    return shifted(np.array(written(texts))), written(texts)


def shift_of(texts):
    """Without a thought of what stands behind the end."""
    return [[2, *row[:-1]] for row in written(texts)], written(texts)


def losses(p, targets):
    return [-np.log(p[n, t]) for n, t in np.ndindex(*p.shape) if targets[n, t] != 0]


def loss_with_a_loop(batches):
    return np.mean([loss for batch in batches for loss in losses(*batch)])


def loss_of_sums(batches):
    total = sum(-np.sum(np.log(p) * (y > 0)) for p, y in batches)
    return total / sum(np.count_nonzero(y) for _, y in batches)


def written_one_by_one(step, state, start, T):
    tokens = [start]
    while len(tokens) <= T:
        token, state = step(tokens[-1], state)
        tokens.append(token)
    return tokens[1:]


def extended_with_a_loop(sequences, total, log_p):
    longer = [([*sequences[b], v], total[b] + log_p[b, v]) for b, v in np.ndindex(*log_p.shape)]
    longer.sort(key=lambda pair: pair[1], reverse=True)
    return [tokens for tokens, _ in longer[: len(total)]], [score for _, score in longer[: len(total)]]


def rouge_score(summary, reference):
    """Precision, recall and F₁ of the library."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1"]).score(reference, summary)["rouge1"]


def rouge_of_the_library(summary, reference):
    return rouge_score(summary, reference).fmeasure


RIGHT = [
    ("09.1", teacher_forcing),
    ("09.1", read_by_the_library),
    ("09.2", loss_with_a_loop),
    ("09.2", loss_of_sums),
    ("09.3", written_one_by_one),
    ("09.4", extended_with_a_loop),
    ("09.5", rouge_of_the_library),
    ("09.5", lambda s, r: 2 / (1 / rouge_score(s, r).precision + 1 / rouge_score(s, r).recall)),
]


def forgetful(step, state, start, T):
    tokens = [start]
    for _ in range(T):
        tokens.append(step(tokens[-1], state)[0])
    return tokens[1:]


def best_of_each(sequences, total, log_p):
    longer = [([*sequences[b], log_p[b].argmax()], total[b] + max(log_p[b])) for b in range(len(total))]
    longer.sort(key=lambda pair: -pair[1])
    return [tokens for tokens, _ in longer], [score for _, score in longer]


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
    def extend(sequences, total, log_p):
        def of(pair):
            return score(total[pair[0]], log_p[pair])

        best = sorted(np.ndindex(*log_p.shape), key=of, reverse=reverse)[: len(total)]
        return [[*sequences[b], v] for b, v in best], [of(pair) for pair in best]

    return extend


def best_from_behind(sequences, total, log_p):
    """argsort sorts from the smallest on: the largest stand at the end, the very largest last."""
    scores = (total + log_p.T).T
    b, v = np.unravel_index(np.argsort(scores.ravel())[-len(total) :], scores.shape)
    return np.c_[sequences[b], v], scores[b, v]


def best_of_the_best(sequences, total, log_p):
    b = max(range(len(total)), key=lambda b: total[b])
    best = np.argsort(log_p[b])[::-1][: len(total)]
    return [[*sequences[b], v] for v in best], total[b] + log_p[b, best]


def tokens_in_their_rows(sequences, total, log_p):
    """The new tokens are put behind the old sequences, row by row."""
    extended, totals = extended_with_a_loop(sequences, total, log_p)
    return np.hstack([sequences, [[row[-1]] for row in extended]]), totals


def totals_of_the_beginnings(sequences, total, log_p):
    b = np.argsort(-(total[:, None] + log_p).ravel())[: len(total)] // log_p.shape[1]
    return extended_with_a_loop(sequences, total, log_p)[0], total[b]


def reversed_rows(texts):
    """What is read and what is written, each row from behind."""
    return [[2, *text][::-1] for text in texts], [[*text, 3][::-1] for text in texts]


def total_loss(batches):
    return sum(sum(losses(*batch)) for batch in batches)


def single_texts(batches):
    return [(p[[n]], y[[n]]) for p, y in batches for n in range(len(p))]


def mean_with_weights(batches, weight):
    weights = [weight(y) for _, y in batches]
    return sum(w * np.mean(losses(*batch)) for w, batch in zip(weights, batches, strict=True)) / sum(weights)


WRONG = [
    ("09.1", lambda texts: (written(texts), written(texts)), "not shifted"),
    ("09.1", lambda texts: ([[*row[1:], 0] for row in written(texts)], written(texts)), "shifted the other way"),
    ("09.1", lambda texts: ([[row[-1], *row[:-1]] for row in written(texts)], written(texts)), "last token first"),
    ("09.1", lambda texts: (padded([[3, *text] for text in texts]), written(texts)), "end instead of start"),
    ("09.1", lambda texts: (np.pad(padded(texts), ((0, 0), (1, 0))), written(texts)), "padding instead of start"),
    ("09.1", shift_of, "end read"),
    ("09.1", lambda texts: ([[2, *row[:-1]] for row in padded(texts)], padded(texts)), "no end"),
    ("09.1", lambda texts: (teacher_forcing(texts)[0], [[*row, 3] for row in padded(texts)]), "end behind the padding"),
    ("09.1", lambda texts: [[row[::-1] for row in padded(rows)] for rows in reversed_rows(texts)], "padding in front"),
    ("09.1", lambda texts: teacher_forcing(texts)[::-1], "exchanged"),
    ("09.2", lambda batches: np.mean([np.mean(losses(*batch)) for batch in batches]), "batches count alike"),
    ("09.2", lambda batches: -np.log(np.concatenate([p.ravel() for p, _ in batches])).mean(), "padding counted"),
    ("09.2", lambda batches: mean_with_weights(batches, lambda y: y.shape[0]), "weighted by the texts"),
    ("09.2", lambda batches: total_loss(batches) / sum(p.size for p, _ in batches), "divided by all places"),
    ("09.2", lambda batches: np.mean([np.mean(losses(*row)) for row in single_texts(batches)]), "texts count alike"),
    ("09.2", lambda batches: total_loss(batches), "not divided"),
    ("09.2", lambda batches: loss_with_a_loop([(p, np.where(y == 3, 0, y)) for p, y in batches]), "end left out"),
    ("09.2", lambda batches: -np.log(np.hstack([p[y > 0] for p, y in batches]).mean()), "mean of the probabilities"),
    ("09.3", forgetful, "state not carried on"),
    ("09.3", lambda step, state, start, T: written_one_by_one(step, np.zeros(4), start, T), "encoder's state not used"),
    ("09.3", deaf, "token not fed back"),
    ("09.3", begun_with_start, "start written"),
    ("09.4", best_of_each, "best of each beginning"),
    ("09.4", tokens_in_their_rows, "beginnings not followed"),
    ("09.4", totals_of_the_beginnings, "totals not added up"),
    ("09.4", ranked(lambda total, log_p: log_p), "totals forgotten"),
    ("09.4", ranked(lambda total, log_p: total * log_p), "logarithms multiplied"),
    ("09.4", ranked(lambda total, log_p: total + log_p, reverse=False), "worst kept"),
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
