"""What any summariser must beat: the beginning of the text, and words drawn from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError
from toolkit.text._texts import check_texts


def lead(texts: Sequence[str], words: int) -> list[str]:
    """The first words of each text: strong where texts begin with what matters, as news do.

    Args:
        texts: what is to be summarised.
        words: how many; the mean length of the summaries is fair.

    Raises:
        InvalidValueError: ``words`` is not a positive integer, or the texts are no list of ``str``.
    """
    _check(words, "lead")
    return [" ".join(text.split()[:words]) for text in check_texts(texts, "lead")]


def random_words(texts: Sequence[str], words: int, seed: int = 0) -> list[str]:
    """Words of each text, drawn without repetition and left in their order.

    Args:
        texts: what is to be summarised.
        words: how many.
        seed: fixes the draws.

    Raises:
        InvalidValueError: ``words`` is not a positive integer, or the texts are no list of ``str``.
    """
    _check(words, "random_words")
    random = np.random.default_rng(seed)
    summaries = []
    for text in check_texts(texts, "random_words"):
        split = text.split()
        places = sorted(random.choice(len(split), min(words, len(split)), replace=False))
        summaries.append(" ".join(split[k] for k in places))
    return summaries


def _check(words: int, where: str) -> None:
    if not is_integer(words) or words < 1:
        raise InvalidValueError(where, "words as a positive integer", repr(words))
