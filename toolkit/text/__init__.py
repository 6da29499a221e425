"""Texts for a network: clean, tokenise, drop stop words, stem, number; NLTK does the work.

    from toolkit.text import TextPreprocessor

    preprocessor = TextPreprocessor(max_tokens=10_000)
    x = preprocessor.fit_transform(texts)          # (N, T) int32, for an Embedding
    preprocessor.preprocess("Cats don't <b>fly</b>.")   # shows each stage

It needs no download, and gives the same tokens on every machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from toolkit.text._cleaning import clean
    from toolkit.text._preprocessor import TextPreprocessor
    from toolkit.text._steps import Stages

# Loaded at first use (PEP 562): the preprocessor is a scikit-learn transformer, which takes a second to import.
_HOMES = {"Stages": "_steps", "TextPreprocessor": "_preprocessor", "clean": "_cleaning"}

__all__ = ["Stages", "TextPreprocessor", "clean"]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
