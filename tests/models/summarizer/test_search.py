"""Greedy and beam search: against the network one token at a time, and against all sequences there are."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError
from toolkit.models.summarizer import _search, beam_search, greedy_search

START, END, FIRST = 2, 3, 4


class ChainState(NamedTuple):
    h: tf.Tensor
    c: tf.Tensor

    def repeated(self, times):
        return ChainState(*(tf.repeat(x, times, axis=0) for x in self))


class ChainMemory(NamedTuple):
    source: tf.Tensor

    def repeated(self, times):
        return ChainMemory(tf.repeat(self.source, times, axis=0))


class Chain:
    """Stands for a decoder: the next token depends on the last one, by a table of probabilities for each source."""

    def __init__(self, tables):
        self.tables = tf.constant(tables, tf.float64)  # (kinds, V, V)

    def encode(self, source):
        zeros = tf.zeros([tf.shape(source)[0], 1], tf.float64)
        return ChainMemory(source), ChainState(zeros, zeros)

    def step(self, memory, state, token):
        p = tf.gather_nd(self.tables, tf.stack([memory.source[:, 0], token], axis=1))
        return p, tf.cast(memory.source, tf.float64), state


def greedy(tables, source, length):
    return _search._greedy(Chain(tables), length, START, END, (0, START), tf.constant(source))


def beam(tables, source, length, width, alpha=0.0):
    return _search._beam(Chain(tables), length, START, END, (0, START), width, alpha, tf.constant(source))


def best_of_all(table, length, alpha):
    """The most probable sequence, by trying all of them, and its log-probability."""
    symbols = [1, *range(END, len(table))]
    best, best_score = (), -np.inf
    for n in range(1, length + 1):
        for body in itertools.product([s for s in symbols if s != END], repeat=n - 1):
            for last in [END] if n < length else symbols:
                way = (START, *body, last)
                with np.errstate(divide="ignore"):
                    score = sum(np.log(table[a, b]) for a, b in itertools.pairwise(way)) / n**alpha
                if score > best_score:
                    best, best_score = way[1:], score
    return best, best_score * len(best) ** alpha


def random_tables(kinds, V, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(V) / 2, (kinds, V))


def test_greedy_misses_what_beam_finds_matches_hand_example():
    # From the start 4 has 0.6 and 5 has 0.4. After 4 comes 6 or 7, each 0.5; after 5 comes the end, 0.9.
    # Greedy: 4, then 6, then the end, 0.6 · 0.5 · 1 = 0.3. Better: 5 and the end, 0.4 · 0.9 = 0.36.
    table = np.zeros((1, 8, 8))
    table[0, START, [4, 5]] = 0.6, 0.4
    table[0, 4, [6, 7]] = 0.5
    table[0, 5, [END, 6]] = 0.9, 0.1
    table[0, [6, 7], END] = 1.0
    tokens, log_p, _ = greedy(table, [[0]], 5)
    assert tokens.numpy().tolist() == [[4, 6, END]]
    assert np.exp(log_p.numpy()) == pytest.approx(0.3)
    tokens, log_p, _ = beam(table, [[0]], 5, width=2)
    assert tokens.numpy().tolist()[0][:2] == [5, END]
    assert np.exp(log_p.numpy()) == pytest.approx(0.36)


def test_length_penalty_matches_hand_example():
    # The end at once has 0.4; 4 and then the end 0.6 · 0.6 = 0.36: for each token √0.36 = 0.6.
    table = np.zeros((1, 5, 5))
    table[0, START, [END, 4]] = 0.4, 0.6
    table[0, 4, [END, 4]] = 0.6, 0.4
    assert beam(table, [[0]], 2, width=4, alpha=0.0)[0].numpy()[0, 0] == END
    assert beam(table, [[0]], 2, width=4, alpha=1.0)[0].numpy().tolist() == [[4, END]]


@settings(max_examples=8)
@given(V=st.integers(5, 6), length=st.integers(1, 3), alpha=st.sampled_from([0.0, 0.7, 1.0]), seed=st.integers(0, 999))
def test_a_beam_that_holds_everything_finds_the_best(V, length, alpha, seed):
    """V − 2 tokens can follow each: so many beginnings there are at most."""
    tables = random_tables(2, V, seed)
    tokens, log_p, _ = beam(tables, [[0], [1], [0]], length, width=(V - 2) ** length, alpha=alpha)
    for n, kind in enumerate((0, 1, 0)):
        best, best_log_p = best_of_all(tables[kind], length, alpha)
        assert tuple(token for token in tokens[n].numpy() if token) == best
        assert log_p[n].numpy() == pytest.approx(best_log_p)


def beam_in_words(table, length, width, alpha):
    """Beam search as one would explain it: a list of beginnings, each with its log-probability."""
    beginnings = [((), 0.0)]
    for _ in range(length):
        longer = []
        for way, total in beginnings:
            if way and way[-1] == END:
                longer.append((way, total))
                continue
            last = way[-1] if way else START
            longer += [
                ((*way, k), total + np.log(table[last, k] + 1e-30)) for k in range(len(table)) if k not in (0, START)
            ]
        beginnings = sorted(longer, key=lambda pair: -pair[1] / len(pair[0]) ** alpha)[:width]
    return beginnings[0]


@settings(max_examples=12)
@given(
    width=st.integers(1, 4), length=st.integers(1, 5), alpha=st.sampled_from([0.0, 0.7, 1.0]), seed=st.integers(0, 999)
)
def test_beam_matches_a_list_of_beginnings(width, length, alpha, seed):
    tables = random_tables(2, 7, seed)
    tokens, log_p, _ = beam(tables, [[1], [0]], length, width, alpha)
    for n, kind in enumerate((1, 0)):
        way, total = beam_in_words(tables[kind], length, width, alpha)
        assert tuple(token for token in tokens[n].numpy() if token) == way
        assert log_p[n].numpy() == pytest.approx(total)


@settings(max_examples=12)
@given(
    N=st.integers(1, 4), V=st.integers(5, 9), length=st.integers(1, 6), alpha=st.floats(0, 2), seed=st.integers(0, 999)
)
def test_width_one_is_greedy_exactly(N, V, length, alpha, seed):
    tables = random_tables(N, V, seed)
    source = np.arange(N, dtype="int32")[:, np.newaxis]
    for ours, theirs in zip(beam(tables, source, length, 1, alpha), greedy(tables, source, length), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@settings(max_examples=8)
@given(width=st.integers(1, 6), seed=st.integers(0, 999))
def test_a_source_is_decoded_alone_as_among_others(width, seed):
    tables = random_tables(3, 7, seed)
    tokens, log_p, _ = beam(tables, [[0], [1], [2]], 5, width)
    for n in range(3):
        alone, alone_log_p, _ = beam(tables, [[n]], 5, width)
        kept = tokens[n].numpy()
        np.testing.assert_array_equal(kept[: alone.shape[1]], alone[0])
        assert (kept[alone.shape[1] :] == 0).all()
        assert log_p[n].numpy() == pytest.approx(alone_log_p[0].numpy())


@pytest.fixture
def searches_run_by_python():
    """For searches that run once, which take TensorFlow longer to compile than to run."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("searches_run_by_python")
def test_steps_are_those_of_teacher_forcing_and_width_one_is_greedy(make, batch, variant):
    """The states carried from token to token give the probabilities that one pass over the prefix gives."""
    model, source = make(variant), batch(variant)[0]
    greedy = greedy_search(model, source, max_length=6)
    narrow, wide = (beam_search(model, source, width=width, max_length=6) for width in (1, 3))
    for name in ("tokens", "log_probability", "weights"):
        np.testing.assert_array_equal(getattr(narrow, name), getattr(greedy, name))
    for written in (greedy, wide):
        tokens = written.tokens
        shifted = np.concatenate([np.full((len(tokens), 1), START), tokens[:, :-1]], axis=1) * (tokens > 0)
        p = np.take_along_axis(model([source, shifted]).numpy(), tokens[..., np.newaxis], axis=2)[..., 0]
        log_p = np.where(tokens > 0, np.log(np.maximum(p, 1e-30)), 0).sum(axis=1)
        np.testing.assert_allclose(written.log_probability, log_p, rtol=1e-4)
        sums = written.weights.sum(axis=2)
        np.testing.assert_allclose(sums, (tokens > 0) * (variant["attention"] is not None), atol=1e-5)
        assert (written.weights.transpose(0, 2, 1)[source == 0] == 0).all()


@pytest.mark.usefixtures("searches_run_by_python")
def test_it_stops_when_all_are_finished_and_no_later_than_max_length(make, batch):
    options = {"attention": "luong"}
    model, source = make(options), batch(options)[0]
    bias = model.get_layer("probabilities").bias
    bias.assign(np.where(np.arange(9) == END, 50.0, 0.0))
    assert greedy_search(model, source, max_length=9).tokens.tolist() == [[END]] * 3
    assert beam_search(model, source, max_length=9, width=1).tokens.tolist() == [[END]] * 3
    bias.assign(np.where(np.arange(9) == END, -50.0, 0.0))
    for tokens in (greedy_search(model, source, max_length=4).tokens, beam_search(model, source, max_length=4).tokens):
        assert tokens.shape == (3, 4)
        assert not np.isin(tokens, [0, START, END]).any()


def test_compiled_once_for_batches_of_any_size(make, batch):
    options = {"attention": "luong"}
    model, source = make(options), batch(options)[0]
    for rows in (source, source[:1], source[:, :3]):
        greedy_search(model, rows, max_length=3)
    (search,) = vars(model)["_decoding"].values()
    assert search.experimental_get_tracing_count() == 1


def test_float64_compiled(make, batch):
    """A graph takes no number of another precision, where Python would convert it."""
    options = {"attention": "luong", "dtype": "float64"}
    model, source = make(options), batch(options)[0]
    greedy = greedy_search(model, source, max_length=3)
    beam = beam_search(model, source, width=1, max_length=3)
    assert greedy.log_probability.dtype == greedy.weights.dtype == "float64"
    for name in ("tokens", "log_probability", "weights"):
        np.testing.assert_array_equal(getattr(greedy, name), getattr(beam, name))


@pytest.mark.usefixtures("searches_run_by_python")
def test_forbidden_may_be_a_generator(make, batch):
    model, source = make({}), batch({})[0]
    written = greedy_search(model, source, max_length=4, forbidden=(k for k in (0, 1, START, END, 4, 5, 6, 7)))
    assert written.tokens.tolist() == [[8] * 4] * 3


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (ShapeError, {"source": [1, 2]}, r"shape \(N, S\)"),
        (ShapeError, {"source": [[1.5]]}, "float64"),
        (InvalidValueError, {"max_length": 0}, "max_length as a positive integer"),
        (InvalidValueError, {"width": 0}, "width as a positive integer"),
        (InvalidValueError, {"length_penalty": -1}, "length_penalty from 0"),
        (InvalidValueError, {"length_penalty": "1"}, "length_penalty from 0"),
        (InvalidValueError, {"source": [[1, 9]]}, "token ids from 0 to 8, received 1 to 9"),
        (InvalidValueError, {"source": [[-1, 1]]}, "token ids from 0 to 8, received -1 to 1"),
        (InvalidValueError, {"source": [[4, 0], [0, 4]]}, r"padded at the end, received \[0 4\] at 1"),
        (InvalidValueError, {"source": [[4, 0, 4]]}, r"padded at the end, received \[4 0 4\] at 0"),
        (InvalidValueError, {"source": [[0, 0]]}, r"begin with a token, padded at the end, received \[0 0\] at 0"),
        (InvalidValueError, {"start": 9}, "ids from 0 to 8, received start=9"),
        (InvalidValueError, {"end": "end"}, "end='end'"),
        (InvalidValueError, {"forbidden": 3}, "forbidden=3"),
        (InvalidValueError, {"forbidden": range(9)}, "a token that may be written"),
    ],
)
def test_search_errors(make, error, arguments, message):
    with pytest.raises(error, match=message):
        beam_search(make({}), **{"source": [[1, 2]], **arguments})


def test_other_models_errors():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="other")
    with pytest.raises(UnsupportedError, match="None without decoder"):
        greedy_search(None, [[1]])
    with pytest.raises(UnsupportedError, match="'other' without decoder, embedding, encoder, probabilities"):
        greedy_search(model, [[1, 2]])
