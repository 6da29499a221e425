"""The exercises of lesson 01: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import math

import numpy as np

from toolkit import scratch


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def naive_softmax(z):
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return e / e.sum(axis=-1, keepdims=True)


def shifted_by_the_batch(z):
    with np.errstate(all="ignore"):
        return naive_softmax(z - np.max(z))


def never_keepdims(z):
    with np.errstate(all="ignore"):
        return np.exp(z - np.max(z, axis=1)) / np.sum(np.exp(z - np.max(z, axis=1)), axis=1)


def dense_loop(x, W, b):
    z = np.empty((len(x), W.shape[1]))
    for n, row in enumerate(x):
        for m in range(W.shape[1]):
            z[n, m] = sum(row[d] * W[d, m] for d in range(len(row))) + b[m]
    return z


def max0(z):
    return np.maximum(z, 0)


def network(output, relu=max0):
    return lambda x, W1, b1, W2, b2: output(relu(x @ W1 + b1) @ W2 + b2)


def picked(p, y):
    return np.array([row[label] for row, label in zip(p, y)])


RIGHT = [
    ("01.1", -0.5),
    ("01.1", np.dot([2, -1, 0.5], [1.5, 2, -4]) + 0.5),
    ("01.2", dense_loop),
    ("01.2", lambda x, W, b: (W.T @ x.T).T + b),
    ("01.3", softmax),
    ("01.3", scratch.Softmax().activate),
    ("01.3", lambda z: np.exp(z - np.log(np.exp(z - z.max(1)[:, None]).sum(1))[:, None] - z.max(1)[:, None])),
    ("01.4", network(softmax)),
    ("01.4", network(naive_softmax)),
    ("01.5", lambda p, y: sum(-math.log(p[n, label]) for n, label in enumerate(y)) / len(y)),
    ("01.5", lambda p, y: -(np.eye(p.shape[1])[y] * np.log(p)).sum() / len(p)),
]

WRONG = [
    ("01.1", -1, "bias forgotten"),
    ("01.1", 0, "a instead of z"),
    ("01.1", -1.5, "bias subtracted"),
    ("01.1", 3.5, "a minus sign lost"),
    ("01.1", 1.5, "added instead of multiplied"),
    ("01.2", lambda x, W, b: np.dot(x, W), "bias forgotten"),
    ("01.2", lambda x, W, b: np.dot(W, x) + b, "W x instead of x W"),
    ("01.2", lambda x, W, b: b + x @ W.T, "W transposed"),
    ("01.2", lambda x, W, b: b + W * x, "element by element"),
    ("01.2", lambda x, W, b: x @ W + b.reshape(-1, 1), "one bias for each sample"),
    ("01.2", lambda x, W, b: x @ W - b, "bias subtracted"),
    ("01.2", lambda x, W, b: max0(dense_loop(x, W, b)), "activation applied"),
    ("01.3", naive_softmax, "overflow"),
    ("01.3", shifted_by_the_batch, "maximum of the whole batch"),
    ("01.3", lambda z: np.exp(z.T - z.max(1)).T / np.exp(z.T - z.max(1)).T.sum(1), "keepdims forgotten"),
    ("01.3", never_keepdims, "keepdims forgotten twice"),
    ("01.3", lambda z: np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(0), "softmax over the batch"),
    ("01.3", lambda z: softmax(z.reshape(-1)).reshape(z.shape), "softmax over everything"),
    ("01.3", lambda z: z / np.array([s or 1 for s in z.sum(1)])[:, None], "normalised without exp"),
    ("01.3", scratch.Sigmoid().activate, "sigmoid"),
    ("01.4", network(lambda z: softmax(z.T).T), "still over the batch"),
    ("01.4", network(lambda z: np.exp(z) / np.exp(z).sum()), "one sum for the whole batch"),
    ("01.4", network(lambda z: np.exp(z) / np.exp(z).sum(1)), "keepdims forgotten"),
    ("01.4", network(softmax, relu=lambda z: z), "the ReLU is gone"),
    ("01.5", lambda p, y: -np.log(picked(p, y)).sum(), "summed instead of averaged"),
    ("01.5", lambda p, y: np.log(picked(p, y)).mean(), "minus forgotten"),
    ("01.5", lambda p, y: -np.log(picked(p, y)), "one loss for each sample"),
    ("01.5", lambda p, y: -np.log(p).mean(), "mean of all probabilities"),
    ("01.5", lambda p, y: -np.log(p[:, y]).mean(), "whole columns picked"),
    ("01.5", lambda p, y: -np.mean([math.log2(q) for q in picked(p, y)]), "logarithm to another base"),
    ("01.5", lambda p, y: -np.mean([math.log10(q) for q in picked(p, y)]), "logarithm to base ten"),
    ("01.5", lambda p, y: -math.log(picked(p, y).mean()), "logarithm of the mean"),
    ("01.5", lambda p, y: (1 - picked(p, y)).mean(), "no logarithm"),
]
