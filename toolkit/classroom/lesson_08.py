"""The exercises of lesson 08: attention, its masks and its gradient, and two bugs."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(8)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


def _softmax(S: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(S - S.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


# ---------------------------------------------------------------------- 08.1


def _attention(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> np.ndarray:
    return _softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ V


_ATTENTION = Exercise(
    id="08.1",
    title="Attention",
    reference=_attention,
    # As many queries as keys as numbers in each: there a wrong transpose gives a number instead of an exception.
    cases=((_normal(4, 4), _normal(4, 4), _normal(4, 4)), (_normal(3, 3), _normal(3, 3), _normal(3, 3))),
    misconceptions=(
        Misconception(
            "√d missing",
            lambda Q, K, V: _softmax(Q @ K.T) @ V,
            "The scores are not divided by √d. (Keras's layers.Attention leaves that out, too; the equation does not.)",
        ),
        Misconception(
            "d for √d",
            lambda Q, K, V: _softmax(Q @ K.T / Q.shape[1]) @ V,
            "You divide by d. A sum of d products has *variance* d: by what must it be divided to have variance 1?",
        ),
        Misconception(
            "multiplied by √d",
            lambda Q, K, V: _softmax(Q @ K.T * np.sqrt(Q.shape[1])) @ V,
            "You make the scores larger. √d is to keep them small.",
        ),
        Misconception(
            "softmax over the queries",
            lambda Q, K, V: _softmax(Q @ K.T / np.sqrt(Q.shape[1]), axis=0) @ V,
            "Your softmax runs down the columns. Each *query* shares out its weights among the keys: rows sum to 1.",
        ),
        Misconception(
            "softmax missing",
            lambda Q, K, V: Q @ K.T / np.sqrt(Q.shape[1]) @ V,
            "Scores are not weights yet: they can be negative and do not sum to 1.",
        ),
        Misconception(
            "keys asked for queries",
            lambda Q, K, V: _softmax(K @ Q.T / np.sqrt(Q.shape[1])) @ V,
            "Queries and keys have changed places: the rows of S belong to the queries.",
        ),
        Misconception(
            "keys not transposed",
            lambda Q, K, V: _softmax(Q @ K / np.sqrt(Q.shape[1])) @ V,
            "Q @ K multiplies a query with the *columns* of K. A key is a row: which of the two must be transposed?",
        ),
        Misconception(
            "keys handed out",
            lambda Q, K, V: _softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ K,
            "You mix the keys. Keys are compared; what is handed out are the values.",
        ),
        Misconception(
            "weights returned",
            lambda Q, K, V: _softmax(Q @ K.T / np.sqrt(Q.shape[1])),
            "Those are the weights A. The values are still to be mixed with them.",
        ),
        Misconception(
            "divided after the softmax",
            lambda Q, K, V: _softmax(Q @ K.T) / np.sqrt(Q.shape[1]) @ V,
            "You divide the weights by √d, so they no longer sum to 1. The *scores* are to be divided.",
        ),
    ),
)

# ---------------------------------------------------------------------- 08.2

_AXIS = Exercise(
    id="08.2",
    title="Find the bug: weights that do not add up",
    reference=_softmax,
    cases=((_normal(4, 4),), (_normal(2, 5),), (np.array([[1000.0, 0.0], [0.0, 1.0]]),)),
    misconceptions=(
        Misconception(
            "still over the queries",
            lambda S: _softmax(S, axis=0),
            "That still has the bug: the columns sum to 1. Along which axis do the keys of one query lie?",
        ),
        Misconception(
            "over everything",
            lambda S: np.exp(S - S.max()) / np.exp(S - S.max()).sum(),
            "Now the whole matrix sums to 1. Each query has a 1 of its own to share out.",
        ),
        Misconception(
            "transposed",
            lambda S: _softmax(S.T),
            "The rows sum to 1, but they belong to the keys now: the matrix has been transposed.",
        ),
        Misconception(
            "without exp",
            lambda S: S / S.sum(axis=1, keepdims=True),
            "The rows sum to 1, but without exp weights can be negative.",
        ),
    ),
)

# ---------------------------------------------------------------------- 08.3


def _causal(S: np.ndarray, k: int = 0) -> np.ndarray:
    return _softmax(np.where(np.tril(np.ones_like(S), k) > 0, S, -1e9))


def _itself_forbidden(S: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return _softmax(np.where(np.tril(np.ones_like(S), -1) > 0, S, -np.inf))


_CAUSAL = Exercise(
    id="08.3",
    title="No looking ahead",
    reference=_causal,
    cases=((_normal(4, 4),), (_normal(6, 6),)),
    misconceptions=(
        Misconception(
            "zeroed after the softmax",
            lambda S: np.tril(_softmax(S)),
            "The future has weight 0, but the rows no longer sum to 1: what the future would have got is missing. Mask "
            "before the softmax.",
        ),
        Misconception(
            "score 0 for −∞",
            lambda S: _softmax(np.tril(S)),
            "You gave the future the score 0, and exp(0) is 1: it still gets a weight. Which score has the weight 0?",
        ),
        Misconception(
            "looking ahead only",
            lambda S: _softmax(np.where(np.triu(np.ones_like(S)) > 0, S, -1e9)),
            "That is the other triangle: each query sees the future and not the past.",
        ),
        Misconception(
            "itself forbidden",
            lambda S: _causal(S, -1),
            "A query may see itself. As it is, the first one has nothing to look at.",
        ),
        Misconception(
            "itself forbidden, by −∞",
            _itself_forbidden,
            "A query may see itself. As it is, the first one has nothing to look at: all its scores are −∞, hence nan.",
        ),
        Misconception(
            "one too far",
            lambda S: _causal(S, 1),
            "Each query sees one step ahead.",
        ),
        Misconception(
            "not masked",
            _softmax,
            "Nothing is masked: every query sees all keys.",
        ),
        Misconception(
            "softmax over the queries",
            lambda S: _softmax(np.where(np.tril(np.ones_like(S)) > 0, S, -1e9), axis=0),
            "The mask is right. The softmax runs down the columns; the rows have to sum to 1.",
        ),
    ),
)

# ---------------------------------------------------------------------- 08.4


def _softmax_backward(A: np.ndarray, dA: np.ndarray) -> np.ndarray:
    return A * (dA - (dA * A).sum(axis=1, keepdims=True))


_BACKWARD = Exercise(
    id="08.4",
    title="Back through the weights",
    reference=_softmax_backward,
    cases=((_softmax(_normal(3, 3)), _normal(3, 3)), (_softmax(_normal(4, 6)), _normal(4, 6))),
    misconceptions=(
        Misconception(
            "diagonal only",
            lambda A, dA: A * (1 - A) * dA,
            "That is the sigmoid's way back. In a softmax every score changes *all* weights of its row: they sum to 1.",
        ),
        Misconception(
            "sum missing",
            lambda A, dA: A * dA,
            "One term is missing: if one weight grows, the others of the row must shrink.",
        ),
        Misconception(
            "sum without the weights",
            lambda A, dA: A * (dA - dA.sum(axis=1, keepdims=True)),
            "The sum is over dA · A, not over dA alone.",
        ),
        Misconception(
            "sum over the queries",
            lambda A, dA: A * (dA - (dA * A).sum(axis=0, keepdims=True)),
            "Your sum runs over the queries. The weights that depend on each other lie in one row.",
        ),
        Misconception(
            "sum over everything",
            lambda A, dA: A * (dA - (dA * A).sum()),
            "Your sum runs over the whole matrix. Each row is a softmax of its own.",
        ),
        Misconception(
            "mean for sum",
            lambda A, dA: A * (dA - (dA * A).mean(axis=1, keepdims=True)),
            "A mean where a sum belongs: the weights A are what averages here.",
        ),
        Misconception(
            "outer factor missing",
            lambda A, dA: dA - (dA * A).sum(axis=1, keepdims=True),
            "The factor A in front is missing: a key without weight gets no gradient.",
        ),
        Misconception(
            "sign turned",
            lambda A, dA: -_softmax_backward(A, dA),
            "The sign is turned: raise a score, and its own weight grows.",
        ),
    ),
)

# ---------------------------------------------------------------------- 08.5


def _self_attention(h: np.ndarray) -> np.ndarray:
    """Keras's ``layers.Attention()([h, h])``: dot products, not divided by √d."""
    return _softmax(h @ h.transpose(0, 2, 1)) @ h


_SEQUENTIAL = Exercise(
    id="08.5",
    title="Find the bug: attention in a Sequential",
    reference=_self_attention,
    cases=((_normal(2, 4, 4),), (_normal(3, 3, 3),)),
    misconceptions=(
        Misconception(
            "the states themselves",
            lambda h: h,
            "You return the states as they are: nobody has asked anybody.",
        ),
        Misconception(
            "divided by √d",
            lambda h: _softmax(h @ h.transpose(0, 2, 1) / np.sqrt(h.shape[-1])) @ h,
            "That is the equation of this lesson. keras.layers.Attention does not divide by √d; the exercise asks for "
            "what that layer answers.",
        ),
        Misconception(
            "attention between sequences",
            lambda h: np.stack([_softmax(h[:, t] @ h[:, t].T) @ h[:, t] for t in range(h.shape[1])], axis=1),
            "The sequences of the batch ask each other. The steps of *one* sequence are to ask each other.",
        ),
        Misconception(
            "mean over the steps",
            lambda h: _self_attention(h).mean(axis=1),
            "You have pooled as well. Self-attention keeps the T steps: (N, T, M).",
        ),
        Misconception(
            "weights only",
            lambda h: _softmax(h @ h.transpose(0, 2, 1)),
            "Those are the weights. The layer's answer is the states, mixed with them.",
        ),
    ),
)

EXERCISES = [_ATTENTION, _AXIS, _CAUSAL, _BACKWARD, _SEQUENTIAL]
