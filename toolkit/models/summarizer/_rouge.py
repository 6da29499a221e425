"""ROUGE: how much of a reference summary is in a written one."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from nltk.stem import PorterStemmer

from toolkit.errors import ShapeError
from toolkit.text._texts import check_texts


class Rouge(NamedTuple):
    """Mean F₁ over all pairs, each from 0 to 1.

    Attributes:
        rouge1: of single words.
        rouge2: of pairs of neighbouring words.
        rougeL: of the longest common subsequence.
    """

    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815 - the measure's name

    def __str__(self) -> str:
        return "  ".join(f"ROUGE-{name} {100 * value:.1f}" for name, value in zip("12L", self))


def rouge(summaries: Sequence[str], references: Sequence[str]) -> Rouge:
    r"""ROUGE-1, -2 and -L of N written summaries against their references.

    Of a pair with c words (pairs of words; the length of the longest common subsequence) in common, the precision is c
    over those of the summary, the recall c over those of the reference, and F₁ their harmonic mean. Words are compared
    in lower case and by their stem (Porter's, for English); punctuation does not count. A word is a run of letters,
    marks and digits of any script; texts of a script that writes no spaces must be cut into words before.

    Args:
        summaries: what was written.
        references: what a person wrote, one for each.

    Raises:
        ShapeError: there are not as many references as summaries, or none.
        InvalidValueError: one of them is no ``str``, or they are no lists. (An empty ``str`` has nothing in common.)

    Source: Lin (2004), "ROUGE: A package for automatic evaluation of summaries"; computed by Google's ``rouge-score``,
    whose own tokeniser knows ASCII's letters only.
    """
    from rouge_score.rouge_scorer import RougeScorer

    summaries = list(check_texts(summaries, "rouge, summaries"))
    references = list(check_texts(references, "rouge, references"))
    if len(summaries) != len(references) or len(summaries) == 0:
        raise ShapeError("rouge", "a reference for each summary", f"{len(summaries)} and {len(references)}")
    scorer = RougeScorer(Rouge._fields, tokenizer=_Words())
    scores = [scorer.score(reference, summary) for summary, reference in zip(summaries, references)]
    return Rouge(*(float(np.mean([score[name].fmeasure for score in scores])) for name in Rouge._fields))


class _Words:
    """Cuts ASCII texts as ``rouge-score`` does, which would drop all other letters."""

    def __init__(self) -> None:
        self._stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        text = unicodedata.normalize("NFC", text.casefold())
        words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text).split()
        return [self._stem(word) if len(word) > 3 else word for word in words]  # as in ROUGE 1.5.5
