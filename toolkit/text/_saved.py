"""The file of a fitted preprocessor: JSON, checked by pydantic before anything is made of it."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, Self

import nltk
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from toolkit.errors import DataError
from toolkit.text._parameters import LONGEST_SEQUENCE, Parameters
from toolkit.text._resources import Resources
from toolkit.text._steps import Recipe, Steps

PADDING, UNKNOWN = "", "[UNK]"
# Every rule that splits, and endings that the stemmers take off: whoever loads the file must get the same stems.
_SAMPLE = (
    "\"It's 'easy',\" they said -- cannot, gonna, more'n 3,000 of us'd (wouldn't we?) pay $5.50: relational databases,"
    ' happily running ponies; "generously" dying skies... the end.'
)


class Versions(BaseModel):
    """What the file was written with: NLTK, and the version of Unicode that Python knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nltk: str
    unicode: str

    @classmethod
    def here(cls) -> Versions:
        """Those of this installation."""
        return cls(nltk=nltk.__version__, unicode=unicodedata.unidata_version)


class Sample(BaseModel):
    """A text and its stems: the proof that the steps are still the same."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: Annotated[str, Field(max_length=1000)]
    stems: tuple[str, ...]


class SavedPreprocessor(BaseModel):
    """All that the file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["toolkit.text.TextPreprocessor"] = "toolkit.text.TextPreprocessor"
    version: Literal[1] = 1
    parameters: Parameters
    resources: Resources
    written_with: Versions
    sample: Sample
    vocabulary: tuple[str, ...]
    counts: tuple[Annotated[int, Field(ge=0, lt=1 << 63)], ...]
    sequence_length: Annotated[int, Field(ge=1, le=LONGEST_SEQUENCE)]

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        recipe: Recipe,
        vocabulary: tuple[str, ...],
        counts: list[int],
        sequence_length: int,
    ) -> Self:
        """What is to be saved."""
        return cls(
            parameters=parameters,
            resources=recipe.resources,
            written_with=Versions.here(),
            sample=Sample(text=_SAMPLE, stems=Steps(recipe).stages(_SAMPLE).stems),
            vocabulary=vocabulary,
            counts=tuple(counts),
            sequence_length=sequence_length,
        )

    @property
    def recipe(self) -> Recipe:
        """The steps, with the resources of the file."""
        return Recipe(self.parameters.html, self.parameters.lower, self.parameters.stemmer, self.resources)

    @model_validator(mode="after")
    def _is_a_vocabulary(self) -> Self:
        if self.vocabulary[:2] != (PADDING, UNKNOWN):
            raise ValueError(f"a vocabulary begins with {PADDING!r} and {UNKNOWN!r}")
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError("a token stands twice in the vocabulary")
        if any(token.split() != [token] for token in self.vocabulary[1:]):
            raise ValueError("a token of the vocabulary is empty or holds white space")
        if len(self.counts) != len(self.vocabulary):
            raise ValueError(f"{len(self.counts)} counts for a vocabulary of {len(self.vocabulary)}")
        if (self.parameters.tokenizer == "punkt") != (self.resources.punkt is not None):
            raise ValueError("a Punkt model belongs to tokenizer='punkt', and to that alone")
        if (self.parameters.stop_words is None) != (self.resources.stop_words is None):
            raise ValueError("a list of stop words belongs to stop_words, and to that alone")
        return self


def from_json(text: str | bytes, where: str) -> SavedPreprocessor:
    """What ``save`` wrote, checked, and checked to give the same stems here.

    Raises:
        DataError: that names the field at fault.
    """
    try:
        saved = SavedPreprocessor.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(map(str, fault["loc"])) or "the file"
        raise DataError(where, "what TextPreprocessor.save wrote", f"{field}: {fault['msg']}") from error
    if Steps(saved.recipe).stages(saved.sample.text).stems != saved.sample.stems:
        here, there = Versions.here(), saved.written_with
        raise DataError(
            where,
            f"the steps of NLTK {there.nltk} with Unicode {there.unicode}, which it was written with",
            f"NLTK {here.nltk} with Unicode {here.unicode}, which cut or stem the file's sample differently",
            f"Install nltk=={there.nltk}, or fit a new preprocessor.",
        )
    return saved
