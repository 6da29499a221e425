"""``TextPreprocessor``: from raw texts to rows of token ids."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.text._parameters import Parameters, check_parameters
from toolkit.text._resources import Resources, StopWords
from toolkit.text._saved import PADDING, UNKNOWN, SavedPreprocessor, from_json
from toolkit.text._sequences import PADDING_ID, UNKNOWN_ID, Block, check_rows, rows_of_equal_length, stem_blocks
from toolkit.text._steps import Recipe, Stages, steps_for
from toolkit.text._texts import check_text, check_texts

_WHERE = "TextPreprocessor"
_LEARNED_SHARE = 0.95
_LONGEST_LEARNED = 1_000
_LARGEST_FILE = 256_000_000


class TextPreprocessor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turns texts into rows of token ids of one length, as an ``Embedding`` takes them.

    Each text is cleaned (HTML, Unicode), cut into NLTK's word tokens, written in **lower case before** the stop words
    are taken out, and stemmed. ``fit`` counts the stems — how often each *token* occurs in all texts, not in how many
    texts — and numbers them from the most frequent on; equally frequent ones by their characters. Id 0 is padding and
    id 1 stands for every token that is not in the vocabulary.

    A scikit-learn transformer of texts, not of tables: it goes into a ``Pipeline`` and can be cloned. ``preprocess``
    and ``tokens`` need no ``fit``. Bad input is refused by name, never dropped. What ``set_params`` changes counts from
    the next ``fit`` on; ``processes`` at once.

    Args:
        max_tokens: V, the most tokens that the vocabulary holds, padding and unknown included; None for no limit.
        min_frequency: leave out tokens that are rarer. An int counts occurrences; a float is a share of all tokens that
            are left after stop words, in all texts together.
        max_frequency: leave out tokens that are more frequent. As ``min_frequency``: 1 is one occurrence, 1.0 is all.
        sequence_length: T, the length of every row. None learns it: the shortest length that at least 95 % of the
            fitted texts do not exceed, from 1 to 1,000.
        lower: write tokens in lower case. Stop words are recognised in either case.
        stop_words: "english", a collection of words, or None to keep all tokens. A word is compared with whole tokens,
            in lower case and before stemming; the tokeniser cuts *isn't* into *is* and *n't*.
        stemmer: "porter" or "snowball" (English), or None to keep words whole.
        tokenizer: "treebank" is NLTK's ``word_tokenize(text, preserve_line=True)``. "punkt" finds the sentences first,
            as ``word_tokenize(text)`` does, so that each full stop is a token; it needs NLTK's *punkt_tab*.
        padding: "post" fills short rows with zeros at their end, "pre" at their beginning.
        truncating: "post" cuts long rows off at their end, "pre" at their beginning.
        html: remove HTML's tags and resolve its entities; False for texts about HTML.
        resources: where the stop words and the Punkt model are from. "builtin" is the same everywhere: this toolkit's
            own list, which leaves negations in the text. "nltk" is NLTK's, from its data folders, else from the cache,
            else downloaded and verified. A folder is one of NLTK's data folders; what it lacks is an error.
        processes: how many processes share the work on corpora of more than 512 texts. The results are the same. To
            start them takes seconds, so that they pay from some 50 MB of text on, where cores are free.

    Attributes:
        vocabulary_: the tokens by id: ``""`` (padding), ``"[UNK]"`` (unknown), then the most frequent.
        token_ids_: the ids by token.
        counts_: int64 (V,), how often each token occurs in the fitted texts; ``counts_[1]`` counts what is unknown.
        sequence_length_: T.
        resources_: the stop words and the Punkt model in use, with their source and sha256.

    Example:
        >>> texts = ["The cats sat on the mat.", "My cat &amp; your dog"]
        >>> preprocessor = TextPreprocessor().fit(texts)
        >>> preprocessor.vocabulary_
        ('', '[UNK]', 'cat', '&', '.', 'dog', 'mat', 'sat')
        >>> preprocessor.transform(texts)
        array([[2, 7, 6, 4],
               [2, 3, 5, 0]], dtype=int32)
    """

    def __init__(
        self,
        max_tokens: int | None = 20_000,
        *,
        min_frequency: int | float = 1,
        max_frequency: int | float = 1.0,
        sequence_length: int | None = None,
        lower: bool = True,
        stop_words: str | Collection[str] | None = "english",
        stemmer: Literal["porter", "snowball"] | None = "porter",
        tokenizer: Literal["treebank", "punkt"] = "treebank",
        padding: Literal["post", "pre"] = "post",
        truncating: Literal["post", "pre"] = "post",
        html: bool = True,
        resources: str | os.PathLike[str] = "builtin",
        processes: int = 1,
    ) -> None:
        self.max_tokens = max_tokens
        self.min_frequency = min_frequency
        self.max_frequency = max_frequency
        self.sequence_length = sequence_length
        self.lower = lower
        self.stop_words = stop_words
        self.stemmer = stemmer
        self.tokenizer = tokenizer
        self.padding = padding
        self.truncating = truncating
        self.html = html
        self.resources = resources
        self.processes = processes

    # ------------------------------------------------------------------ fit and transform

    def fit(self, texts: Iterable[str], y: ArrayLike | None = None) -> Self:
        """Learn the vocabulary, and T where ``sequence_length`` is None.

        Args:
            texts: N texts: a list, a pandas column, a NumPy array, a generator. They are read once.
            y: ignored.

        Raises:
            InvalidValueError: an argument is not what it may be; a text is no ``str``, which its position names; no
                token is left to learn.
            ShapeError: ``texts`` is an array or a table without exactly one axis.
            DataError: ``resources`` lacks what is needed.
        """
        parameters, recipe = self._settings()
        self._learn(stem_blocks(check_texts(texts, f"{_WHERE}.fit"), recipe, parameters.processes), parameters)
        self._fitted_parameters, self._recipe = parameters, recipe
        return self

    def transform(self, texts: Iterable[str]) -> np.ndarray:
        """The token ids of each text.

        Args:
            texts: N texts, as in ``fit``.

        Returns:
            (N, T) int32. A text without any token, such as an empty one or one of stop words, becomes one unknown
            token and padding, so that no row is all padding: its masked average would be 0/0.

        Raises:
            NotFittedError: before ``fit``.
            InvalidValueError, ShapeError: as in ``fit``.
        """
        check_is_fitted(self, "vocabulary_")
        texts = check_texts(texts, f"{_WHERE}.transform")
        return self._encode(stem_blocks(texts, self._recipe, self._parameters().processes))

    def fit_transform(self, texts: Iterable[str], y: ArrayLike | None = None) -> np.ndarray:
        """``fit(texts).transform(texts)``, with each text looked at once."""
        parameters, recipe = self._settings()
        texts = check_texts(texts, f"{_WHERE}.fit_transform")
        blocks = list(stem_blocks(texts, recipe, parameters.processes))
        self._learn(blocks, parameters)
        self._fitted_parameters, self._recipe = parameters, recipe
        return self._encode(blocks)

    def inverse_transform(self, ids: ArrayLike | Sequence[ArrayLike]) -> list[str]:
        """The tokens of each row, with spaces between them; padding is left out, unknown tokens are ``[UNK]``.

        Args:
            ids: (N, T) integers, or N rows of any lengths.

        Raises:
            NotFittedError: before ``fit``.
            InvalidValueError: an id is no integer or not in the vocabulary.
            ShapeError: ``ids`` is not a row for each text.
        """
        check_is_fitted(self, "vocabulary_")
        where = f"{_WHERE}.inverse_transform"
        rows = check_rows(ids, len(self.vocabulary_), where)
        return [" ".join(self.vocabulary_[token_id] for token_id in row if token_id != PADDING_ID) for row in rows]

    # ------------------------------------------------------------------ one text

    def preprocess(self, text: str) -> Stages:
        """Show what becomes of one text, stage by stage; works before ``fit``, then without ids."""
        stages = steps_for(self._current_recipe()).stages(check_text(text, f"{_WHERE}.preprocess"))
        if not hasattr(self, "vocabulary_"):
            return stages
        ids = tuple(self.token_ids_.get(stem, UNKNOWN_ID) for stem in stages.stems)
        return replace(stages, ids=ids or (UNKNOWN_ID,))

    def tokens(self, text: str) -> list[str]:
        """The stems of one text, which ``fit`` counts and ``transform`` numbers; works before ``fit``."""
        (stems,) = steps_for(self._current_recipe())([check_text(text, f"{_WHERE}.tokens")])
        return stems

    def stop_word_list(self) -> StopWords | None:
        """The stop words in use, ``words``, and their ``source``; works before ``fit``. None where all tokens stay."""
        return self._current_recipe().resources.stop_words

    # ------------------------------------------------------------------ save and load

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that ``transform`` needs to a JSON file, whole or not at all.

        Raises:
            NotFittedError: before ``fit``.
            DataError: the file cannot be written.
        """
        text = self.to_json()
        with atomic_write(path, f"file {Path(path).name!r}") as file:
            file.write(text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The preprocessor that ``save`` wrote.

        Raises:
            DataError: the file is not one, or NLTK's tokens or stems here are not those that it was fitted with.
        """
        path = Path(path)
        where = f"file {path.name!r}"
        try:
            with path.open("rb") as stream:
                content = stream.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise DataError(where, "what TextPreprocessor.save wrote", error.strerror or str(error)) from error
        if len(content) > _LARGEST_FILE:
            raise DataError(where, f"at most {_LARGEST_FILE:,} bytes", "more")
        return cls.from_json(content, where)

    def to_json(self) -> str:
        """What ``save`` writes."""
        check_is_fitted(self, "vocabulary_")
        saved = SavedPreprocessor.of(
            self._fitted_parameters, self._recipe, self.vocabulary_, self.counts_.tolist(), self.sequence_length_
        )
        return saved.model_dump_json(indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "TextPreprocessor.from_json") -> Self:
        """The preprocessor that ``to_json`` described; raises DataError as ``load``."""
        saved = from_json(text, where)
        preprocessor = cls(**dict(saved.parameters))
        preprocessor._fitted_parameters, preprocessor._recipe = saved.parameters, saved.recipe
        preprocessor._set_vocabulary(saved.vocabulary, saved.counts, saved.sequence_length)
        return preprocessor

    # ------------------------------------------------------------------ the vocabulary

    def _learn(self, blocks: Iterable[Block], parameters: Parameters) -> None:
        counts: Counter[str] = Counter()
        lengths = [np.zeros(0, np.int64)]
        for block in blocks:
            occurrences = np.bincount(block.indices, minlength=len(block.stems))
            counts.update(dict(zip(block.stems, occurrences.tolist())))
            lengths.append(block.lengths)
        total = counts.total()
        if not total:
            raise InvalidValueError(
                f"{_WHERE}.fit", "a text with a token that is no stop word", f"{len(np.concatenate(lengths))} without"
            )
        kept = {token: count for token, count in counts.items() if _is_between(count, total, parameters)}
        if not kept:
            raise InvalidValueError(
                f"{_WHERE}.fit",
                f"a token from min_frequency={self.min_frequency} to max_frequency={self.max_frequency}",
                f"none among {len(counts):,}, of which the most frequent occurs {max(counts.values()):,} times",
            )
        most = parameters.max_tokens and parameters.max_tokens - 2
        tokens = sorted(kept, key=lambda token: (-kept[token], token))[:most]
        known = [kept[token] for token in tokens]
        length = parameters.sequence_length or _usual_length(np.concatenate(lengths))
        self._set_vocabulary((PADDING, UNKNOWN, *tokens), (0, total - sum(known), *known), length)

    def _set_vocabulary(self, vocabulary: tuple[str, ...], counts: tuple[int, ...], sequence_length: int) -> None:
        self.vocabulary_ = vocabulary
        self.token_ids_ = {token: token_id for token_id, token in enumerate(vocabulary)}
        self.counts_ = np.array(counts, np.int64)
        self.sequence_length_ = sequence_length

    def _encode(self, blocks: Iterable[Block]) -> np.ndarray:
        length = self.sequence_length_
        padding, truncating = self._fitted_parameters.padding, self._fitted_parameters.truncating
        rows = [np.zeros((0, length), np.int32)]
        for block in blocks:
            ids = np.array([self.token_ids_.get(stem, UNKNOWN_ID) for stem in block.stems], np.int32)
            rows.append(rows_of_equal_length(ids[block.indices], block.lengths, length, padding, truncating))
        return np.concatenate(rows)

    # ------------------------------------------------------------------ settings

    def _parameters(self) -> Parameters:
        return check_parameters(self.get_params(deep=False))

    def _settings(self) -> tuple[Parameters, Recipe]:
        parameters = self._parameters()
        return parameters, Recipe.of(parameters)

    def _current_recipe(self) -> Recipe:
        return self._recipe if hasattr(self, "_recipe") else self._settings()[1]

    @property
    def resources_(self) -> Resources:
        """The stop words and the Punkt model in use, with their source and sha256."""
        check_is_fitted(self, "vocabulary_")
        return self._recipe.resources

    # ------------------------------------------------------------------ scikit-learn

    @property
    def _n_features_out(self) -> int:
        return self.sequence_length_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False  # texts, not tables
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # always int32
        return tags


def _is_between(count: int, total: int, parameters: Parameters) -> bool:
    low, high = parameters.min_frequency, parameters.max_frequency
    # Divided, since 0.1 * 30 is more than 3.
    share = count / total
    enough = count >= low if isinstance(low, int) else share >= low
    return enough and (count <= high if isinstance(high, int) else share <= high)


def _usual_length(lengths: np.ndarray) -> int:
    return int(np.clip(np.quantile(lengths, _LEARNED_SHARE, method="inverted_cdf"), 1, _LONGEST_LEARNED))
