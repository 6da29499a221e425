"""Texts for a network: clean, tokenise, drop stop words, stem, number; NLTK does the work.

    from toolkit.text import TextPreprocessor

    preprocessor = TextPreprocessor(max_tokens=10_000)
    x = preprocessor.fit_transform(texts)          # (N, T) int32, for an Embedding
    preprocessor.preprocess("Cats don't <b>fly</b>.")   # shows each stage

It needs no download, and gives the same tokens on every machine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.text._cleaning import clean
    from toolkit.text._preprocessor import TextPreprocessor
    from toolkit.text._steps import Stages

# Loaded at first use (PEP 562): the preprocessor is a scikit-learn transformer, which takes a second to import.
_HOMES = {"Stages": "_steps", "TextPreprocessor": "_preprocessor", "clean": "_cleaning"}

__all__ = ["Stages", "TextPreprocessor", "clean"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"toolkit.text.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'toolkit.text' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
