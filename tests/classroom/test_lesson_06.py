"""The exercises of lesson 06: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("06") if exercise.id == number)


def cases(number):
    return next(exercise.cases for exercise in exercises("06") if exercise.id == number)


def pad_with_numpy(ids, length):
    row = np.zeros(length, int)
    row[: len(ids)] = ids[:length]
    return row.tolist()


def counts_with_a_loop(texts):
    counts = {}
    for tokens in texts:
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    return counts


def average_with_loops(x, e):
    rows = []
    for ids, vectors in zip(x, e, strict=True):
        rows.append(np.mean([v for i, v in zip(ids, vectors, strict=True) if i != 0], axis=0))
    return np.array(rows)


def gradient_by_one_hot(x, de, V):
    return np.einsum("ntv,ntd->vd", np.eye(V)[x], de)


RIGHT = [
    ("06.1", pad_with_numpy),
    ("06.2", counts_with_a_loop),
    ("06.2", lambda texts: Counter(itertools.chain(*texts))),
    ("06.3", lambda tokens, stop: [t for t in (token.casefold() for token in tokens) if t not in stop]),
    ("06.4", average_with_loops),
    ("06.5", gradient_by_one_hot),
]

WRONG = [
    ("06.1", lambda ids, length: (ids + [0] * length)[: max(length, len(ids))], "nothing cut"),
    ("06.1", lambda ids, length: [0] * max(0, length - len(ids)) + ids[:length], "zeros in front"),
    ("06.2", lambda texts: Counter(t for tokens in texts for t in dict.fromkeys(tokens)), "documents counted"),
    ("06.3", lambda tokens, stop: [t.lower() for t in tokens if t not in stop], "still compared before lower-casing"),
    ("06.3", lambda tokens, stop: [t for t in tokens if t.lower() not in stop], "not lower-cased"),
    ("06.4", lambda x, e: np.mean(e, axis=1), "padding still counts"),
    ("06.4", lambda x, e: np.where((x != 0)[..., None], e, 0).mean(1), "divided by T"),
    ("06.5", lambda x, de, V: gradient_by_one_hot(x, de, V) / x.shape[0], "averaged over the batch"),
]


def test_averages_and_gradients_are_those_of_the_engine():
    for x, e in cases("06.4"):
        pooling = scratch.GlobalAveragePooling1D()
        pooling.build(e.shape[1:], dtype="float64")
        np.testing.assert_allclose(pooling.forward(e, mask=x != 0), reference("06.4")(x, e))
    for x, de, V in cases("06.5"):
        embedding = scratch.Embedding(V, de.shape[-1])
        embedding.build(x.shape[1:], dtype="float64")
        embedding.forward(x)
        embedding.backward(de)
        np.testing.assert_allclose(np.asarray(embedding.grads["E"]), reference("06.5")(x, de, V))
