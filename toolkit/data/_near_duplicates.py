"""Texts that say almost the same, found by MinHash."""

from __future__ import annotations

import functools
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from toolkit.data._docstrings import Docstring

_SHINGLE_WORDS = 3
_BANDS, _ROWS = 16, 4
_SAME = 0.5


def without_near_duplicates(docstrings: list[Docstring]) -> list[Docstring]:
    """Keep the first of texts that share half of their shingles; none, if they are of several packages.

    A shingle is three words in a row. Two texts are the same if the Jaccard similarity of their sets A and B of
    shingles, |A∩B| / |A∪B|, is at least 1/2. Pairs to compare are found by MinHash: in a time that grows with
    the number of texts, not with its square, and missing a pair of similarity s with probability (1 − s⁴)¹⁶.

    Reference: Broder: On the resemblance and containment of documents. SEQUENCES 1997.
    """
    shingles = [_shingles(text.text) for text in docstrings]
    kept: list[int] = []
    ambiguous: set[int] = set()
    seen: dict[bytes, list[int]] = defaultdict(list)
    for k, keys in enumerate(_band_keys(shingles)):
        candidates = sorted({other for key in keys for other in seen[key]})
        same = [other for other in candidates if _jaccard(shingles[k], shingles[other]) >= _SAME]
        ambiguous |= {other for other in same if docstrings[other].package != docstrings[k].package}
        if not same:
            kept.append(k)
            for key in keys:
                seen[key].append(k)
    return [docstrings[k] for k in kept if k not in ambiguous]


def _shingles(text: str) -> np.ndarray:
    """The distinct shingles of a text as 64-bit numbers, in ascending order; at least one."""
    words = np.array([_number(word) for word in re.findall(r"\w+", text.lower())], dtype=np.uint64)
    width = min(_SHINGLE_WORDS, len(words))
    rolled = sum(
        (words[k : len(words) - width + 1 + k] * np.uint64(prime) for k, prime in enumerate(_PRIMES[:width])),
        np.zeros(max(len(words) - width + 1, 1), np.uint64),
    )
    return np.unique(rolled)


@functools.lru_cache(maxsize=1 << 17)
def _number(word: str) -> int:
    return zlib.crc32(word.encode())


# Odd numbers of 61 bits: multiplying by one and dropping what overflows spreads the hashes over 64 bits.
_PRIMES = (2305843009213693951, 2305843009213693921, 2305843009213693907)


def _band_keys(shingles: list[np.ndarray]) -> Iterator[list[bytes]]:
    """For each text, keys of which two texts are likely to have one in common if they are alike."""
    if not shingles:
        return
    random = np.random.RandomState(1997)
    every = np.concatenate(shingles)
    starts = np.cumsum([0, *map(len, shingles[:-1])])
    smallest = np.empty((len(shingles), _BANDS * _ROWS), np.uint32)
    for k in range(_BANDS * _ROWS):
        factor, shift = (np.uint64(number) for number in random.randint(0, 1 << 62, 2, dtype=np.int64))
        hashed = (every * (factor * np.uint64(2) + np.uint64(1)) + shift) >> np.uint64(32)
        smallest[:, k] = np.minimum.reduceat(hashed, starts)
    for row in smallest:
        yield [bytes([band]) + row[band * _ROWS : (band + 1) * _ROWS].tobytes() for band in range(_BANDS)]


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)
