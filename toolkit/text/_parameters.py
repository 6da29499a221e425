"""The settings of a ``TextPreprocessor``, checked: when it is fitted, and when it is read from a file."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Collection, Set
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from toolkit.errors import InvalidValueError

_WHERE = "TextPreprocessor"
LONGEST_SEQUENCE = 1_000_000


def _plain(value: Any) -> Any:
    """A number of NumPy, as searches over settings give them, or a path, as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _words(value: Any) -> Any:
    if isinstance(value, Set):
        return tuple(sorted(value, key=str))  # in one order on every run
    return tuple(value) if isinstance(value, Collection) and not isinstance(value, str | bytes) else value


def _can_be_saved(value: str) -> str:
    value.encode()  # a lone surrogate raises a ValueError, which pydantic reports
    return value


Text = Annotated[str, AfterValidator(_can_be_saved)]
Flag = Annotated[bool, BeforeValidator(_plain)]
Integer = Annotated[int, BeforeValidator(_plain)]
Frequency = (
    Annotated[int, BeforeValidator(_plain), Field(ge=1)]
    | Annotated[float, BeforeValidator(_plain), Field(gt=0, le=1, allow_inf_nan=False)]
)
_FREQUENCY = "a number of occurrences (int, from 1) or a share of all tokens (float, above 0, up to 1.0)"


class Parameters(BaseModel):
    """The arguments of ``TextPreprocessor`` and what each may be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_tokens: Annotated[Integer, Field(ge=3)] | None = Field(description="an int from 3, or None")
    min_frequency: Frequency = Field(description=_FREQUENCY)
    max_frequency: Frequency = Field(description=_FREQUENCY)
    sequence_length: Annotated[Integer, Field(ge=1, le=LONGEST_SEQUENCE)] | None = Field(
        description=f"an int from 1 to {LONGEST_SEQUENCE:,}, or None to learn it"
    )
    lower: Flag = Field(description="True or False")
    stop_words: Text | Annotated[tuple[Text, ...], BeforeValidator(_words)] | None = Field(
        description="'english', a list of words, or None"
    )
    stemmer: Literal["porter", "snowball"] | None = Field(description="'porter', 'snowball' or None")
    tokenizer: Literal["treebank", "punkt"] = Field(description="'treebank' or 'punkt'")
    padding: Literal["post", "pre"] = Field(description="'post' or 'pre'")
    truncating: Literal["post", "pre"] = Field(description="'post' or 'pre'")
    html: Flag = Field(description="True or False")
    resources: Annotated[Text, BeforeValidator(_plain), Field(min_length=1)] = Field(
        description="'builtin', 'nltk' or a folder"
    )
    processes: Annotated[Integer, Field(ge=1)] = Field(description="an int from 1")

    @model_validator(mode="after")
    def _go_together(self) -> Parameters:
        if self.stemmer == "snowball" and not self.lower:
            raise InvalidValueError(
                _WHERE, "lower=True with stemmer='snowball'", "lower=False", "Snowball's rules are for lower case."
            )
        if self.tokenizer == "punkt" and self.resources == "builtin":
            raise InvalidValueError(
                _WHERE,
                "NLTK's punkt_tab for tokenizer='punkt'",
                "resources='builtin'",
                "Pass resources='nltk', or a folder that holds it; or tokenizer='treebank'.",
            )
        return self


def check_parameters(values: dict[str, Any]) -> Parameters:
    """The settings, checked.

    Raises:
        InvalidValueError: that names the first of them that cannot be.
    """
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    if not fault["loc"]:
        raise fault["ctx"]["error"]
    name = fault["loc"][0]
    expected = f"{name} to be {Parameters.model_fields[name].description}"
    raise InvalidValueError(_WHERE, expected, reprlib.repr(values[name]))
