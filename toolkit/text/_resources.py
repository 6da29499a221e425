"""What the steps need besides code: a list of stop words, a Punkt model. Built in, NLTK's own, or from a folder.

A vocabulary is saved together with its resources, so that it gives the same tokens on a machine that lacks them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
from collections.abc import Iterable

from nltk.tabdata import PunktDecoder
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer
from pydantic import BaseModel, ConfigDict, Field, model_validator

from toolkit.errors import DataError
from toolkit.text import _stop_words
from toolkit.text._cleaning import clean
from toolkit.text._nltk_data import PUNKT_TAB, STOPWORDS, read_package
from toolkit.text._parameters import Parameters

_WHERE = "TextPreprocessor"


class StopWords(BaseModel):
    """A list of stop words.

    Attributes:
        source: where it is from.
        sha256: checksum of the words, one a line, in order.
        words: in lower case, sorted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    sha256: str
    words: tuple[str, ...] = Field(repr=False)

    @classmethod
    def of(cls, words: Iterable[str], source: str) -> StopWords:
        """The list of ``words``, each cleaned and in lower case as tokens are."""
        ready = tuple(sorted({clean(word, html=False).strip().lower() for word in words} - {""}))
        return cls(source=source, sha256=_sha256("\n".join(ready)), words=ready)

    @model_validator(mode="after")
    def _words_are_these(self) -> StopWords:
        if _sha256("\n".join(self.words)) != self.sha256:
            raise ValueError("the stop words are not those that their sha256 was taken of")
        return self


class PunktModel(BaseModel):
    """A model that finds where sentences end (Kiss and Strunk: Unsupervised Multilingual Sentence Boundary Detection,
    Computational Linguistics 32(4), 2006): the four files of NLTK's punkt_tab.

    Attributes:
        source: where it is from.
        sha256: checksum of the four files, one after the other.
        abbrev_types: abbreviations, one a line.
        collocations: pairs of words between which no sentence ends.
        ortho_context: how each word has been seen written.
        sent_starters: words that often begin a sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    sha256: str
    abbrev_types: str = Field(repr=False)
    collocations: str = Field(repr=False)
    ortho_context: str = Field(repr=False)
    sent_starters: str = Field(repr=False)

    @classmethod
    def of(cls, files: dict[str, str], source: str) -> PunktModel:
        """The model of the four files, by their names without ending."""
        return cls(source=source, sha256=_sha256("".join(files[name] for name in sorted(files))), **files)

    @model_validator(mode="after")
    def _can_be_used(self) -> PunktModel:
        if _sha256(self.abbrev_types + self.collocations + self.ortho_context + self.sent_starters) != self.sha256:
            raise ValueError("the Punkt model is not the one that its sha256 was taken of")
        try:
            self.sentence_tokenizer()
        except (ValueError, IndexError) as error:
            raise ValueError("no Punkt model") from error
        return self

    def sentence_tokenizer(self) -> PunktSentenceTokenizer:
        """NLTK's tokeniser of text into sentences, with this model."""
        decoder, parameters = PunktDecoder(), PunktParameters()
        parameters.abbrev_types = decoder.txt2set(io.StringIO(self.abbrev_types))
        parameters.collocations = {
            (first, second) for first, second in decoder.tab2tups(io.StringIO(self.collocations))
        }
        parameters.ortho_context = decoder.tab2intdict(io.StringIO(self.ortho_context))
        parameters.sent_starters = decoder.txt2set(io.StringIO(self.sent_starters))
        return PunktSentenceTokenizer(parameters)


class Resources(BaseModel):
    """All that is not code: ``TextPreprocessor.resources_``, and part of every saved vocabulary."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stop_words: StopWords | None
    punkt: PunktModel | None


def find_resources(parameters: Parameters) -> Resources:
    """The resources that the settings ask for, from where they say.

    Raises:
        DataError: if they are not there or are damaged. Nothing else is taken in their stead.
    """
    return Resources(
        stop_words=_find_stop_words(parameters.stop_words, parameters.resources),
        punkt=_find_punkt(parameters.resources) if parameters.tokenizer == "punkt" else None,
    )


def _find_stop_words(chosen: str | tuple[str, ...] | None, resources: str) -> StopWords | None:
    if chosen is None:
        return None
    if not isinstance(chosen, str):
        return StopWords.of(chosen, "given as stop_words")
    if resources != "builtin":
        # The name becomes part of a path.
        if not re.fullmatch("[a-z]+", chosen):
            raise DataError(_WHERE, "stop_words to be a language, such as 'english', or a list", repr(chosen))
        texts, source = read_package(STOPWORDS, [chosen], resources)
        return StopWords.of(texts[chosen].split(), f"{source}, {chosen}")
    if chosen != "english":
        remedy = "NLTK has lists of other languages: pass resources='nltk'."
        raise DataError(_WHERE, "stop_words='english' with resources='builtin'", repr(chosen), remedy)
    return _built_in()


@functools.cache
def _built_in() -> StopWords:
    return StopWords.of(_stop_words.ENGLISH, _stop_words.SOURCE)


def _find_punkt(resources: str) -> PunktModel:
    names = {
        "abbrev_types": "english/abbrev_types.txt",
        "collocations": "english/collocations.tab",
        "ortho_context": "english/ortho_context.tab",
        "sent_starters": "english/sent_starters.txt",
    }
    texts, source = read_package(PUNKT_TAB, names.values(), resources)
    try:
        return PunktModel.of({name: texts[file] for name, file in names.items()}, f"{source}, english")
    except ValueError as error:
        raise DataError(_WHERE, "a Punkt model in NLTK's tokenizers/punkt_tab", str(error)) from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
