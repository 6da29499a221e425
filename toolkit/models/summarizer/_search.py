"""Which tokens to write, given what the network thinks of each: greedy and beam search, batched and compiled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from toolkit.argument_checks import is_integer, is_number
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models.summarizer._decoder import Decoder, kept_with
from toolkit.models.summarizer._vocabulary import END, PADDING, START


@dataclass(frozen=True, eq=False)
class Written:
    """What a search has written for N sources.

    Attributes:
        tokens: ids ``(N, T)`` int32, up to and including the end token, then padding. T is the longest.
        log_probability: log P(tokens | source), ``(N,)`` float: the sum over the tokens, the end included.
        weights: the attention of each token over the source, ``(N, T, S)``; zero after the end.
    """

    tokens: np.ndarray
    log_probability: np.ndarray
    weights: np.ndarray


def greedy_search(
    model: keras.Model,
    source: ArrayLike,
    *,
    max_length: int = 50,
    start: int = START,
    end: int = END,
    forbidden: Iterable[int] = (PADDING, START),
) -> Written:
    r"""Writes at every step the most probable token, :math:`y_t = \arg\max_w P(w \mid y_{<t}, x)`.

    One decoder step a token for all N sources together, in one compiled loop that ends when all are finished. It never
    takes a choice back, so it can miss the most probable *sequence*: see ``beam_search``.

    Args:
        model: made by ``encoder_decoder``.
        source: token ids ``(N, S)``, padded with 0 at the end.
        max_length: T, the most tokens that are written; a sequence may be cut off there without an end.
        start: the id that the decoder begins with.
        end: the id that finishes a sequence.
        forbidden: ids that are never written.

    Raises:
        ShapeError: ``source`` is not ``(N, S)``.
        InvalidValueError: an option is out of range, or an id is none of the model's; or a source has padding before a
            token, or no token.
        UnsupportedError: ``model`` is no encoder-decoder.
    """
    decoder = Decoder(model)
    source, forbidden = _checked("greedy_search", decoder, source, max_length, start, end, forbidden)
    key = ("greedy", max_length, start, end, forbidden)
    search = kept_with(model, str(key), lambda: _compiled(partial(_greedy, decoder, *key[1:])))
    return Written(*(tensor.numpy() for tensor in search(source)))


def beam_search(
    model: keras.Model,
    source: ArrayLike,
    *,
    width: int = 4,
    length_penalty: float = 0.0,
    max_length: int = 50,
    start: int = START,
    end: int = END,
    forbidden: Iterable[int] = (PADDING, START),
) -> Written:
    r"""Keeps the ``width`` best beginnings of each source and writes all their continuations.

    At every step each of the B beginnings is continued by its B most probable tokens; the best B of these stay.
    Best is the largest :math:`\log P(y_1 \dots y_t \mid x) / t^{\alpha}`: a longer sequence has a smaller probability,
    since it is a product of more factors, and :math:`\alpha` makes up for it. Finished sequences keep their place and
    their length. With ``width=1`` it writes what ``greedy_search`` writes.

    Args:
        model: made by ``encoder_decoder``.
        source: token ids ``(N, S)``, padded with 0 at the end.
        width: B.
        length_penalty: α; 0 compares probabilities, 1 their geometric mean for a token.
        max_length, start, end, forbidden: as for ``greedy_search``.

    Raises:
        ShapeError: ``source`` is not ``(N, S)``.
        InvalidValueError: an option is out of range, or an id is none of the model's; or a source has padding before a
            token, or no token.
        UnsupportedError: ``model`` is no encoder-decoder.

    Source: Sutskever, Vinyals, Le (2014), arXiv:1409.3215; the length: Wu et al. (2016), arXiv:1609.08144, section 7,
    whose divisor is :math:`((5 + t) / 6)^\alpha`, which rewards length less while sequences are short.
    """
    decoder = Decoder(model)
    source, forbidden = _checked("beam_search", decoder, source, max_length, start, end, forbidden)
    if not is_integer(width) or width < 1:
        raise InvalidValueError("beam_search", "width as a positive integer", repr(width))
    if not is_number(length_penalty) or not 0 <= length_penalty <= 10:
        raise InvalidValueError("beam_search", "length_penalty from 0 to 10", repr(length_penalty))
    key = ("beam", max_length, start, end, forbidden, width, float(length_penalty))
    search = kept_with(model, str(key), lambda: _compiled(partial(_beam, decoder, *key[1:])))
    return Written(*(tensor.numpy() for tensor in search(source)))


def _checked(
    where: str, decoder: Decoder, source: ArrayLike, max_length: int, start: int, end: int, forbidden: Iterable[int]
) -> tuple[tf.Tensor, tuple[int, ...]]:
    """The source and what is forbidden."""
    source = np.asarray(source)
    if source.ndim != 2 or source.dtype.kind not in "iu" or 0 in source.shape:
        raise ShapeError(where, "token ids of shape (N, S), not empty", f"{source.dtype} of shape {source.shape}")
    if not is_integer(max_length) or max_length < 1:
        raise InvalidValueError(where, "max_length as a positive integer", repr(max_length))
    V = decoder.tokens
    if source.min() < 0 or source.max() >= V:
        raise InvalidValueError(where, f"token ids from 0 to {V - 1}", f"{source.min()} to {source.max()}")
    is_token = source != PADDING
    if not is_token[:, 0].all() or (is_token[:, 1:] & ~is_token[:, :-1]).any():
        row = np.flatnonzero(~is_token[:, 0] | (is_token[:, 1:] & ~is_token[:, :-1]).any(axis=1))[0]
        raise InvalidValueError(where, "sources that begin with a token, padded at the end", f"{source[row]} at {row}")
    forbidden = tuple(forbidden) if isinstance(forbidden, Iterable) else forbidden  # a generator can be read once
    if not isinstance(forbidden, tuple) or not all(_is_id(k, V) for k in (start, end, *forbidden)):
        received = f"start={start!r}, end={end!r}, forbidden={forbidden!r}"
        raise InvalidValueError(where, f"start, end and all that is forbidden as ids from 0 to {V - 1}", received)
    if len(set(forbidden)) == V:
        raise InvalidValueError(where, "a token that may be written", "all of them forbidden")
    return tf.constant(source, tf.int32), forbidden


def _is_id(value: object, V: int) -> bool:
    return is_integer(value) and 0 <= value < V


def _compiled(search: Any) -> Any:
    return tf.function(search, input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False)


def _log_of_allowed(p: tf.Tensor, forbidden: Sequence[int]) -> tf.Tensor:
    """Log p ``(N, V)``, −∞ for ids that must not be written."""
    log_p = tf.math.log(p + 1e-30)
    if not forbidden:
        return log_p
    allowed = tf.reduce_all(tf.range(tf.shape(p)[1])[:, tf.newaxis] != tf.constant(list(forbidden)), axis=1)
    return tf.where(allowed, log_p, -float("inf"))


def _greedy(
    decoder: Decoder, max_length: int, start: int, end: int, forbidden: Sequence[int], source: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Tokens ``(N, T)``, log-probabilities ``(N,)``, weights ``(N, T, S)``."""
    memory, state = decoder.encode(source)
    N, dtype = tf.shape(source)[0], state.h.dtype
    zero = tf.zeros([], dtype)

    def step(t: Any, token: Any, finished: Any, total: Any, state: Any, tokens: Any, weights: Any) -> tuple:
        p, a, state = decoder.step(memory, state, token)
        best, token = (tensor[:, 0] for tensor in tf.math.top_k(_log_of_allowed(p, forbidden), 1))
        token = tf.where(finished, PADDING, token)
        total += tf.where(finished, zero, best)
        a = tf.where(finished[:, tf.newaxis], zero, a)
        finished |= token == end
        return t + 1, token, finished, total, state, tokens.write(t, token), weights.write(t, a)

    _, _, _, total, _, tokens, weights = tf.while_loop(
        lambda t, token, finished, *_: (t < max_length) & ~tf.reduce_all(finished),
        step,
        (
            tf.constant(0),
            tf.fill([N], start),
            tf.zeros([N], tf.bool),
            tf.zeros([N], dtype),
            state,
            tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
            tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=[None, None]),
        ),
    )
    return tf.transpose(tokens.stack()), total, tf.transpose(weights.stack(), [1, 0, 2])


def _beam(
    decoder: Decoder,
    max_length: int,
    start: int,
    end: int,
    forbidden: Sequence[int],
    B: int,
    alpha: float,
    source: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """As ``_greedy``. Beginnings are rows, B in a row for each source: shape (N·B,) or (N, B)."""
    memory, state = decoder.encode(source)
    memory, state = memory.repeated(B), state.repeated(B)
    N, dtype = tf.shape(source)[0], state.h.dtype
    zero, minus_infinity = tf.zeros([], dtype), tf.constant(-float("inf"), dtype)

    def step(
        t: Any, token: Any, finished: Any, total: Any, length: Any, state: Any, tokens: Any, parents: Any, weights: Any
    ) -> tuple:
        p, a, state = decoder.step(memory, state, token)
        k = tf.minimum(B, tf.shape(p)[1])  # continuations of each
        log_p, following = tf.math.top_k(_log_of_allowed(p, forbidden), k)  # (N·B, k)
        # A finished one has a single continuation, itself.
        itself = tf.where(tf.range(k) == 0, zero, minus_infinity)
        log_p = tf.where(finished[:, tf.newaxis], itself, log_p)
        following = tf.where(finished[:, tf.newaxis], PADDING, following)
        totals = tf.reshape(total[:, tf.newaxis] + log_p, [N, B * k])
        length += tf.cast(~finished, dtype)
        lengths = tf.repeat(tf.reshape(length, [N, B]), k, axis=1)
        _, chosen = tf.math.top_k(totals / lengths**alpha, B)  # (N, B) of the B·k continuations
        parent = tf.reshape(chosen // k + B * tf.range(N)[:, tf.newaxis], [-1])
        token = tf.reshape(tf.gather(tf.reshape(following, [N, B * k]), chosen, batch_dims=1), [-1])
        total = tf.reshape(tf.gather(totals, chosen, batch_dims=1), [-1])
        state, length, finished, a = tf.nest.map_structure(lambda x: tf.gather(x, parent), (state, length, finished, a))
        a = tf.where(finished[:, tf.newaxis], zero, a)
        written = tokens.write(t, token), parents.write(t, parent), weights.write(t, a)
        return t + 1, token, finished | (token == end), total, length, state, *written

    first = tf.where(tf.range(B) == 0, zero, minus_infinity)  # at first there is one beginning
    t, _, _, total, length, _, tokens, parents, weights = tf.while_loop(
        lambda t, token, finished, *_: (t < max_length) & ~tf.reduce_all(finished),
        step,
        (
            tf.constant(0),
            tf.fill([N * B], start),
            tf.zeros([N * B], tf.bool),
            tf.tile(first, [N]),
            tf.zeros([N * B], dtype),
            state,
            tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
            tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=[None]),
            tf.TensorArray(dtype, 0, dynamic_size=True, element_shape=[None, None]),
        ),
    )
    score = tf.reshape(total / length**alpha, [N, B])
    best = tf.argmax(score, axis=1, output_type=tf.int32) + B * tf.range(N)
    path = _ways_back(parents.stack(), best, t)  # (T, N), rows of each step
    chosen = tf.gather(tokens.stack(), path, batch_dims=1)
    looked = tf.gather(weights.stack(), path, batch_dims=1)
    return tf.transpose(chosen), tf.gather(total, best), tf.transpose(looked, [1, 0, 2])


def _ways_back(parents: tf.Tensor, rows: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """The rows ``(T, N)`` that lead to the last ``rows (N,)``; ``parents (T, N·B)`` says from which row each came."""

    def back(t: tf.Tensor, row: tf.Tensor, path: tf.TensorArray) -> tuple:
        return t - 1, tf.gather(parents[t], row), path.write(t, row)

    path = tf.TensorArray(tf.int32, steps, element_shape=[None])
    return tf.while_loop(lambda t, row, path: t >= 0, back, (steps - 1, rows, path))[2].stack()
