"""What any summariser must beat: the beginning of the text, and words drawn from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.errors import InvalidValueError


def lead(texts: Sequence[str], words: int) -> list[str]:
    """The first words of each text: strong where texts begin with what matters, as news do.

    Args:
        texts: what is to be summarised.
        words: how many; the mean length of the summaries is fair.

    Raises:
        InvalidValueError: ``words`` is not a positive integer.
    """
    _check(words)
    return [" ".join(text.split()[:words]) for text in texts]


def random_words(texts: Sequence[str], words: int, seed: int = 0) -> list[str]:
    """Words of each text, drawn without repetition and left in their order.

    Args:
        texts: what is to be summarised.
        words: how many.
        seed: fixes the draws.

    Raises:
        InvalidValueError: ``words`` is not a positive integer.
    """
    _check(words)
    random = np.random.default_rng(seed)
    summaries = []
    for text in texts:
        split = text.split()
        places = sorted(random.choice(len(split), min(words, len(split)), replace=False))
        summaries.append(" ".join(split[k] for k in places))
    return summaries


def _check(words: int) -> None:
    if isinstance(words, bool) or not isinstance(words, int) or words < 1:
        raise InvalidValueError("a baseline", "words as a positive integer", repr(words))
