"""``Summarizer``: texts in, short texts out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from toolkit import training
from toolkit.argument_checks import check_share, is_integer, is_number
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models.summarizer._network import encoder_decoder
from toolkit.models.summarizer._rouge import rouge
from toolkit.models.summarizer._search import Written, beam_search, greedy_search
from toolkit.models.summarizer._vocabulary import PADDING, START, UNKNOWN, Encoded, Vocabulary, shifted
from toolkit.text._texts import check_texts
from toolkit.training._progress import Shown

_BATCH = 64  # texts that are decoded together
_LONGEST_SOURCE, _LONGEST_SUMMARY = 400, 100
# The special tokens and one other; a token and the end.
_LEAST = {"max_tokens": 5, "source_length": 1, "summary_length": 2}
_LEAST |= {"copied_words": 0, "beam_width": 1, "epochs": 1, "batch_size": 1}


class Alignment(NamedTuple):
    """What a summary looked at while it was written; ``plots.attention(*alignment)`` draws it.

    Attributes:
        weights: ``(T, S)``, of each written token over the tokens of the source; rows sum to 1.
        summary_tokens: the T written tokens, the end included.
        source_tokens: the S tokens of the source.
    """

    weights: np.ndarray
    summary_tokens: list[str]
    source_tokens: list[str]


class Summarizer(BaseEstimator):
    r"""Learns from pairs to write a short text for a long one: an encoder-decoder with attention, from raw texts.

    ``fit`` learns one vocabulary for texts and summaries and trains ``encoder_decoder`` with teacher forcing;
    ``summarize`` writes with beam search, and never the unknown token. Any task from text to text will do: with
    ``level="characters"`` it learns to add or to rewrite dates.

    Args:
        attention: "luong", "bahdanau" or None.
        level: what a token is: "words" (NLTK's) or "characters".
        max_tokens: V, the most tokens of the vocabulary, the four special ones included.
        lower: write words in lower case.
        embedding_dim: D of the word vectors.
        units: M of encoder and decoder.
        bidirectional: whether the encoder reads from both ends.
        copied_words: K, how many unknown words of a text can be copied; 0 for no pointer.
        dropout: share dropped in training.
        scheduled_sampling: share of the decoder's inputs that are its own in the last epoch; from the first one on it
            grows evenly from 0.
        source_length: the most tokens of a text that are read; None takes the longest in ``fit``, at most 400.
        summary_length: the most tokens that are written, the end included; None takes the longest, at most 100.
        beam_width: B of the search; 1 is greedy.
        length_penalty: α of the search; 0 favours short summaries.
        epochs: how many times ``fit`` goes through the pairs.
        batch_size: pairs a step.
        learning_rate: of Adam at first; it falls to 0 along half a cosine. Gradients are clipped to the norm 1.
        validation_fraction: share of the pairs held out to watch.
        patience: stop after so many epochs without improvement and go back to the best one; None never stops.
        random_state: fixes weights, batches and dropout: a whole number or a RandomState; None draws new ones.
        verbose: as for ``training.fit``: None shows progress in runs over two seconds.

    Attributes:
        model_: the trained ``keras.Model``.
        vocabulary_: the tokens by id.
        history_: what ``fit`` measured, a ``training.History``.
        source_length_: S. summary_length_: T.

    Example:
        >>> texts = ["2 1", "3 2 1", "1 3", "2 3", "1 2"] * 8
        >>> last = Summarizer(level="characters", units=32, epochs=15, learning_rate=0.02, verbose=False)
        >>> last.fit(texts, [text[-1] for text in texts]).summarize("3 1 2")
        '2'
    """

    def __init__(
        self,
        attention: Literal["luong", "bahdanau"] | None = "luong",
        *,
        level: Literal["words", "characters"] = "words",
        max_tokens: int = 8_000,
        lower: bool = True,
        embedding_dim: int = 64,
        units: int = 128,
        bidirectional: bool = True,
        copied_words: int = 0,
        dropout: float = 0.0,
        scheduled_sampling: float = 0.0,
        source_length: int | None = None,
        summary_length: int | None = None,
        beam_width: int = 4,
        length_penalty: float = 1.0,
        epochs: int = 10,
        batch_size: int = 64,
        learning_rate: float = 0.005,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool | None = None,
    ) -> None:
        self.attention = attention
        self.level = level
        self.max_tokens = max_tokens
        self.lower = lower
        self.embedding_dim = embedding_dim
        self.units = units
        self.bidirectional = bidirectional
        self.copied_words = copied_words
        self.dropout = dropout
        self.scheduled_sampling = scheduled_sampling
        self.source_length = source_length
        self.summary_length = summary_length
        self.beam_width = beam_width
        self.length_penalty = length_penalty
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ training

    def fit(self, texts: Sequence[str], summaries: Sequence[str]) -> Self:
        """Learns the vocabulary, builds a model and trains it; then what was learned before is forgotten.

        If it fails or is interrupted, the summariser stays as it was.

        Args:
            texts: N texts.
            summaries: what is to be written for each.

        Raises:
            InvalidValueError: an option is out of range, or a text is empty, without a token, or no ``str``.
            ShapeError: there are not as many summaries as texts, or none.
        """
        texts, summaries = _texts(texts, "texts"), _texts(summaries, "summaries")
        if len(texts) != len(summaries):
            raise ShapeError("Summarizer", "a summary for each text", f"{len(texts)} texts, {len(summaries)} summaries")
        self._check_options()
        seed = self._draw_seed()
        held_out = None
        if self.validation_fraction:
            if np.ceil(self.validation_fraction * len(texts)) == len(texts):
                received = f"validation_fraction={self.validation_fraction} of {len(texts)}"
                raise InvalidValueError("Summarizer", "enough pairs to hold some out and learn from others", received)
            texts, held_texts, summaries, held_summaries = train_test_split(
                texts, summaries, test_size=self.validation_fraction, random_state=seed
            )
            held_out = held_texts, held_summaries
        vocabulary = Vocabulary.learned([*texts, *summaries], self.level, self.max_tokens, self.lower)
        longest = [max(len(vocabulary.split(text)) for text in of) for of in (texts, summaries)]
        source_length = int(self.source_length or min(longest[0], _LONGEST_SOURCE))
        summary_length = int(self.summary_length or min(longest[1] + 1, _LONGEST_SUMMARY))

        def arrays(texts: Sequence[str], summaries: Sequence[str]) -> tuple[list[np.ndarray], np.ndarray]:
            """``[source (N, S), shifted target (N, T)]`` and the target."""
            source = self._encode(vocabulary, texts, source_length)
            target = vocabulary.encode_targets(summaries, summary_length, source.unknown)
            return [source.ids, shifted(target)], target

        model = self._build_model(len(vocabulary), seed)
        inputs, targets = arrays(texts, summaries)
        steps = self.epochs * -(-len(targets) // self.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        model.compile(
            keras.optimizers.Adam(rate, global_clipnorm=1.0),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
        history = training.fit(
            model,
            inputs,
            targets,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_data=None if held_out is None else arrays(*held_out),
            patience=self.patience,
            monitor="loss" if held_out is None else "val_loss",
            callbacks=[_GrowingRate(self.scheduled_sampling, self.epochs)] if self.scheduled_sampling else (),
            seed=seed,
            verbose=self.verbose,
        )
        # Only now, so that a fit that fails or is interrupted leaves what was learned before.
        self.vocabulary_, self.model_, self.history_ = vocabulary, model, history
        self.source_length_, self.summary_length_ = source_length, summary_length
        return self

    def _build_model(self, vocabulary_size: int, seed: int | None) -> keras.Model:
        return encoder_decoder(
            vocabulary_size,
            embedding_dim=self.embedding_dim,
            units=self.units,
            bidirectional=self.bidirectional,
            attention=self.attention,
            copied_words=self.copied_words,
            scheduled_sampling=self.scheduled_sampling > 0,
            dropout=self.dropout,
            seed=seed,
        )

    def _encode(self, vocabulary: Vocabulary, texts: Sequence[str], length: int, first: int = 0) -> Encoded:
        """The texts as ids; ``first`` is the index of the first one, for the error."""
        encoded = vocabulary.encode(texts, length, self.copied_words)
        empty = np.flatnonzero(encoded.ids[:, 0] == PADDING)  # of zero-width spaces alone, for example
        if empty.size:
            received = f"{texts[empty[0]]!r} at index {first + empty[0]}"
            raise InvalidValueError("Summarizer", "texts with at least one token", received)
        return encoded

    # ------------------------------------------------------------------ writing

    def summarize(self, texts: str | Sequence[str]) -> Any:
        """Writes a summary for a text, a ``str``, or for each of a list, an array ``(N,)`` of ``str``.

        Raises:
            NotFittedError: before ``fit``.
            ShapeError: the list is empty.
            InvalidValueError: a text is empty, without a token, or no ``str``; or an option was set out of range, or
                since ``fit`` to what the network was not made for.
        """
        self._check_is_ready()
        one = isinstance(texts, str)
        texts = _texts([texts] if one else texts, "texts")
        batches = [texts[k : k + _BATCH] for k in range(0, len(texts), _BATCH)]
        summaries = []
        with Shown(len(batches), 0, self.verbose, what="batch") as shown:
            for k, batch in enumerate(batches):
                source = self._encode(self.vocabulary_, batch, self.source_length_, k * _BATCH)
                for ids, unknown in zip(self._search(source.ids).tokens, source.unknown):
                    summaries.append(self.vocabulary_.join(self.vocabulary_.decode(ids, unknown)))
                shown.step(k, 1, 1, {})
        return summaries[0] if one else np.array(summaries, dtype=object)

    predict = summarize

    def score(self, texts: Sequence[str], summaries: Sequence[str]) -> float:
        """The mean ROUGE-L F₁ of what is written for the texts against the summaries; ``rouge`` has the others."""
        return rouge(self.summarize(texts), _texts(summaries, "summaries")).rougeL

    def alignment(self, text: str) -> Alignment:
        """The weights of attention while the summary of one text is written.

        Raises:
            NotFittedError: before ``fit``.
            InvalidValueError: ``text`` is empty or no ``str``, or there is no attention; and as for ``summarize``.
        """
        self._check_is_ready()
        if self.attention is None:
            raise InvalidValueError("Summarizer.alignment", "a Summarizer with attention", "attention=None")
        (text,) = _texts([text], "texts")
        source = self._encode(self.vocabulary_, [text], self.source_length_)
        written = self._search(source.ids)
        words = self.vocabulary_.decode(written.tokens[0], source.unknown[0])
        tokens = [*words, *["[END]"] * (written.tokens.shape[1] > len(words))]
        read = self.vocabulary_.split(text)[: self.source_length_]
        return Alignment(written.weights[0, : len(tokens), : len(read)], tokens, read)

    def _search(self, ids: np.ndarray) -> Written:
        options = {"max_length": int(self.summary_length_), "forbidden": (PADDING, UNKNOWN, START)}
        if self.beam_width == 1:
            return greedy_search(self.model_, ids, **options)
        return beam_search(self.model_, ids, width=int(self.beam_width), length_penalty=self.length_penalty, **options)

    # ------------------------------------------------------------------ saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes settings, vocabulary and weights into one file, from which ``load`` makes the summariser again.

        The file is a zip archive of JSON and NumPy arrays; nothing in it is executed or unpickled when it is loaded. It
        is written beside ``path`` and renamed when it is whole.

        Raises:
            NotFittedError: before ``fit``.
            UnsupportedError: a setting has no place in JSON, such as a RandomState.
            InvalidValueError: a setting that the network follows from was changed after ``fit``.
            DataError: the file cannot be written.
        """
        from toolkit.models.summarizer._saved import write_summarizer

        self._check_is_ready()
        write_summarizer(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The summariser that ``save`` has written; it writes the same.

        Raises:
            DataError: there is no such file, it is damaged, or it holds something else.
        """
        from toolkit.models.summarizer._saved import read_summarizer

        return read_summarizer(cls, path)

    # ------------------------------------------------------------------ checks

    def _check_options(self) -> None:
        if self.level not in ("words", "characters"):
            raise InvalidValueError("Summarizer", "level 'words' or 'characters'", repr(self.level))
        for name in ("validation_fraction", "scheduled_sampling", "dropout"):
            check_share("Summarizer", name, getattr(self, name))
        if not is_number(self.learning_rate) or not 0 < self.learning_rate < np.inf:
            raise InvalidValueError("Summarizer", "learning_rate as a number above 0", repr(self.learning_rate))
        if not is_number(self.length_penalty) or not 0 <= self.length_penalty <= 10:
            raise InvalidValueError("Summarizer", "length_penalty from 0 to 10", repr(self.length_penalty))
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name.endswith("length"):
                continue
            if not is_integer(value) or value < least:
                raise InvalidValueError("Summarizer", f"{name} as an integer from {least}", repr(value))

    def _check_is_ready(self) -> None:
        """Whether there is something to write with, and the options, which may have been set since, still fit it."""
        check_is_fitted(self, "model_")
        self._check_options()
        network = {"level": self.vocabulary_.level}
        network["copied_words"] = self.model_.output_shape[-1] - len(self.vocabulary_)
        for name, value in network.items():
            if getattr(self, name) != value:
                received = f"{name}={getattr(self, name)!r}"
                raise InvalidValueError(
                    "Summarizer", f"{name}={value!r}, as in fit", received, "Set it back, or fit again."
                )

    def _draw_seed(self) -> int:
        """``random_state`` as the whole number that Keras wants; None draws one."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))


class _GrowingRate(keras.callbacks.Callback):
    """Lets the share of the decoder's own inputs grow evenly, from 0 in the first epoch to ``last`` in the last.

    Where there is only one epoch, it is the last.
    """

    def __init__(self, last: float, epochs: int) -> None:
        super().__init__()
        self.last, self.epochs = last, epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.sampling_rate.assign(self.last * epoch / (self.epochs - 1) if self.epochs > 1 else self.last)


def _texts(texts: Any, name: str) -> list[str]:
    texts = list(check_texts(texts, f"Summarizer, {name}"))
    if not texts:
        raise ShapeError("Summarizer", f"at least one of {name}", "none")
    for n, text in enumerate(texts):
        if not text.strip():
            raise InvalidValueError("Summarizer", f"{name} that are not empty", f"{text!r} at index {n}")
    return texts
