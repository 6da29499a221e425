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
    ("06.1", lambda ids, length: (ids + [0] * length)[:length]),
    ("06.4", lambda x, e: [vectors[: np.count_nonzero(ids)].mean(axis=0) for ids, vectors in zip(x, e)]),
]


def pad_with_unknown(ids, length):
    row = np.ones(length, int)
    row[: len(ids)] = ids[:length]
    return row.tolist()


def pad_one_too_far(ids, length):
    row = ids[:length]
    for _ in range(len(ids), length + 1):
        row.append(0)
    return row


def shares_with_a_loop(texts):
    counts = counts_with_a_loop(texts)
    return {token: count / sum(counts.values()) for token, count in counts.items()}


def counts_begun_again(texts):
    for tokens in texts:
        counts = {}
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
    return counts


def numbered_with_a_loop(texts):
    vocabulary = {}
    for token in itertools.chain(*texts):
        vocabulary.setdefault(token, len(vocabulary))
    return vocabulary


def content_words_once(tokens, stop):
    words = []
    for token in map(str.lower, tokens):
        if token not in stop and token not in words:
            words.append(token)
    return words


def averages_of_padding(x, e):
    """Of nothing, in a text without padding."""
    with np.errstate(all="ignore"):
        return np.array([vectors[ids == 0].sum(axis=0) / np.sum(ids == 0) for ids, vectors in zip(x, e)])


def gradient_overwritten(x, de, V):
    dE = np.zeros((V, de.shape[-1]))
    for n, t in np.ndindex(*x.shape):
        dE[x[n, t]] = de[n, t]
    return dE


def gradient_averaged(x, de, V):
    dE = np.zeros((V, de.shape[-1]))
    for token in range(V):
        if token in x:
            dE[token] = de[x == token].mean(axis=0)
    return dE


WRONG = [
    ("06.1", lambda ids, length: (ids + [0] * length)[: max(length, len(ids))], "nothing cut"),
    ("06.1", lambda ids, length: [i for _, i in zip(range(length), ids)], "nothing filled up"),
    ("06.1", lambda ids, length: pad_with_numpy(ids[max(0, len(ids) - length) :], length), "cut at the beginning"),
    ("06.1", lambda ids, length: [0] * max(0, length - len(ids)) + ids[:length], "zeros in front"),
    ("06.1", pad_with_unknown, "filled with the unknown token"),
    ("06.1", pad_one_too_far, "one zero too many"),
    ("06.2", lambda texts: Counter(t for tokens in texts for t in dict.fromkeys(tokens)), "documents counted"),
    ("06.2", shares_with_a_loop, "shares for counts"),
    ("06.2", counts_begun_again, "the last text only"),
    ("06.2", lambda texts: len(set(itertools.chain(*texts))), "different tokens"),
    ("06.2", numbered_with_a_loop, "ids for counts"),
    ("06.3", lambda tokens, stop: [t.lower() for t in tokens if t not in stop], "still compared before lower-casing"),
    ("06.3", lambda tokens, stop: [t for t in tokens if t.lower() not in stop], "not lower-cased"),
    ("06.3", lambda tokens, stop: [t for t in map(str.lower, tokens) if t in stop], "stop words kept"),
    ("06.3", content_words_once, "each word once"),
    ("06.3", lambda tokens, stop: sorted(t for t in map(str.lower, tokens) if t not in stop), "sorted"),
    ("06.3", lambda tokens, stop: " ".join(tokens).lower().split(), "nothing dropped"),
    ("06.4", lambda x, e: np.mean(e, axis=1), "padding still counts"),
    ("06.4", lambda x, e: np.where((x != 0)[..., None], e, 0).mean(1), "divided by T"),
    ("06.4", lambda x, e: np.einsum("ntd,nt->nd", e, x != 0), "summed"),
    ("06.4", averages_of_padding, "only padding"),
    (
        "06.4",
        lambda x, e: [np.average(vectors, axis=0, weights=ids) for ids, vectors in zip(x, e)],
        "weighted by the ids",
    ),
    ("06.4", lambda x, e: sum(e[x > 0]) / np.sum(x > 0), "one average for all texts"),
    ("06.4", lambda x, e: average_with_loops(x.T, np.swapaxes(e, 0, 1)), "averaged over the texts"),
    ("06.5", gradient_overwritten, "repeated rows lost"),
    ("06.5", gradient_averaged, "mean of repeated rows"),
    ("06.5", lambda x, de, V: gradient_by_one_hot(x, de, V) / x.shape[0], "averaged over the batch"),
    ("06.5", lambda x, de, V: [de[x == i].sum(axis=0) for i in sorted(set(x.ravel()))], "used tokens only"),
    ("06.5", lambda x, de, V: np.ones((V, 1)) * de.reshape(-1, de.shape[-1]).sum(axis=0), "summed over all tokens"),
    ("06.5", lambda x, de, V: np.arange(V)[:, None] * gradient_by_one_hot(x, de, V), "times the id"),
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
