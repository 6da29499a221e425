"""Texts in blocks, stems as numbers, and rows of equal length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.text._steps import Recipe, steps_for

PADDING_ID = 0
UNKNOWN_ID = 1

# A block is what is held of a corpus at a time, and what is sent to another process.
_TEXTS_IN_BLOCK = 512
_CHARACTERS_IN_BLOCK = 1_000_000


class Block(NamedTuple):
    """The stems of N texts, n in all, each distinct one written once.

    Attributes:
        stems: the distinct stems, in order of appearance.
        indices: (n,) int32, the stems of the texts one after the other, as positions in ``stems``.
        lengths: (N,) int64, the number of stems of each text.
    """

    stems: list[str]
    indices: np.ndarray
    lengths: np.ndarray


def stem_blocks(texts: Iterable[str], recipe: Recipe, processes: int) -> Iterator[Block]:
    """The stems of the texts, block by block in their order; more than one block goes to several processes."""
    blocks = _blocks(texts)
    first = list(islice(blocks, 2))
    blocks = chain(first, blocks)
    if processes == 1 or len(first) < 2:
        return (_stem(block, recipe) for block in blocks)
    import joblib

    parallel = joblib.Parallel(n_jobs=processes, return_as="generator")
    return parallel(joblib.delayed(_stem)(block, recipe) for block in blocks)


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block, characters = [], 0
    for text in texts:
        block.append(text)
        characters += len(text)
        if len(block) == _TEXTS_IN_BLOCK or characters > _CHARACTERS_IN_BLOCK:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _stem(texts: list[str], recipe: Recipe) -> Block:
    rows = steps_for(recipe)(texts)
    positions: defaultdict[str, int] = defaultdict()
    positions.default_factory = positions.__len__  # a new stem's position is the number of those before it
    lengths = np.array([len(row) for row in rows], np.int64)
    indices = np.fromiter(map(positions.__getitem__, chain.from_iterable(rows)), np.int32, int(lengths.sum()))
    return Block(list(positions), indices, lengths)


def check_rows(ids: ArrayLike | Sequence[ArrayLike], vocabulary_size: int, where: str) -> Iterator[list[int]]:
    """The rows of ``ids``, each checked as it comes.

    Raises:
        InvalidValueError: an id is no integer from 0 to ``vocabulary_size - 1``; its row is named.
        ShapeError: not (N, T), nor N rows of any lengths.
    """
    if hasattr(ids, "ndim"):
        ids = np.asarray(ids)  # a data frame would give the names of its columns
    if not isinstance(ids, Iterable) or isinstance(ids, str | bytes | Mapping) or getattr(ids, "ndim", 2) == 0:
        raise InvalidValueError(where, "ids of shape (N, T)", type(ids).__name__)
    for index, values in enumerate(ids):
        try:
            row = np.asarray(values)
        except ValueError as error:
            raise ShapeError(where, "ids of shape (N, T)", f"rows within row {index}") from error
        if row.ndim != 1:
            received = f"row {index} of shape {row.shape}"
            raise ShapeError(where, "ids of shape (N, T)", received, "For one row, pass [ids].")
        if row.size and row.dtype.kind not in "iu":
            raise InvalidValueError(where, "integer ids", f"{row.dtype} in row {index}", "Are these really ids?")
        outside = (row < 0) | (row >= vocabulary_size)
        if outside.any():
            received = f"{row[outside][0]} in row {index}"
            remedy = "Ids belong to the vocabulary that made them."
            raise InvalidValueError(where, f"ids from 0 to {vocabulary_size - 1}", received, remedy)
        yield row.tolist()


def rows_of_equal_length(
    ids: np.ndarray,
    lengths: np.ndarray,
    length: int,
    padding: Literal["post", "pre"],
    truncating: Literal["post", "pre"],
) -> np.ndarray:
    """Token ids of N texts, one text after the other, as an array with one row for each.

    Args:
        ids: (n,), the ids of all texts.
        lengths: (N,), how many of them each text has; their sum is n.
        length: T, the length of every row.
        padding: where zeros fill a shorter row: after (``"post"``) or before its ids.
        truncating: which ids of a longer text go: the last (``"post"``) or the first.

    Returns:
        (N, T) int32. A text without any id gets one ``UNKNOWN_ID``, so that no row is all padding.
    """
    rows = np.full((len(lengths), length), PADDING_ID, np.int32)
    kept = np.minimum(lengths, length)
    ends = np.cumsum(lengths)
    starts = ends - (kept if truncating == "pre" else lengths)
    row = np.repeat(np.arange(len(lengths)), kept)
    # The position of each kept id among those that are kept of its text.
    position = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    shift = length - kept if padding == "pre" else np.zeros_like(kept)
    rows[row, shift[row] + position] = ids[starts[row] + position]
    rows[lengths == 0, -1 if padding == "pre" else 0] = UNKNOWN_ID
    return rows
