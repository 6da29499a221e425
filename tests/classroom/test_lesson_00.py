"""The exercises of lesson 00: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

RIGHT = [
    ("00.1", 7850),
    ("00.1", 7850.0),
    ("00.2", 3),
    ("00.2", np.argmax([0.02, 0.01, 0.07, 0.61, 0.00, 0.15, 0.00, 0.03, 0.10, 0.01])),
    ("00.3", lambda labels, predictions: (labels == predictions).sum() / len(labels)),
    ("00.3", lambda labels, predictions: sum(y == p for y, p in zip(labels, predictions)) / len(labels)),
]

WRONG = [
    ("00.1", 7840, "biases forgotten"),
    ("00.1", 7841, "one bias for the whole layer"),
    ("00.1", 784 * 11, "one bias for each input"),
    ("00.1", 290, "one row of pixels as the input"),
    ("00.1", 42, None),
    ("00.2", 0.61, "the probability instead of the class"),
    ("00.2", 4, "counted from one"),
    ("00.2", 9, "the last instead of the largest"),
    ("00.3", lambda labels, predictions: int((labels == predictions).sum()), "count instead of share"),
    ("00.3", lambda labels, predictions: 1 - np.mean(labels == predictions), "share of mistakes"),
    ("00.3", lambda labels, predictions: np.mean(labels == predictions) * 100, "percent"),
    ("00.3", lambda labels, predictions: abs(labels - predictions).mean(), "nearness instead of equality"),
]
