"""The file of a summariser: settings and vocabulary in JSON, and weights; see ``toolkit.models._archive``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import keras
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

import toolkit
from toolkit.errors import UnsupportedError
from toolkit.models._archive import (
    first_fault,
    plain_settings,
    read_weights,
    reading,
    require_same_network,
    write_archive,
)
from toolkit.models.summarizer._vocabulary import Vocabulary

if TYPE_CHECKING:
    from toolkit.models.summarizer._summarizer import Summarizer

_DESCRIPTION = "summarizer.json"


class _Description(BaseModel):
    """What ``summarizer.json`` says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["layer-by-layer summarizer"] = "layer-by-layer summarizer"
    version: Literal[1] = 1
    made_with: dict[str, str] = {"toolkit": toolkit.__version__, "keras": keras.__version__}
    settings: dict[str, bool | int | float | str | None]
    vocabulary: dict[str, Any]
    source_length: PositiveInt
    summary_length: PositiveInt


def write_summarizer(summarizer: Summarizer, path: str | os.PathLike[str]) -> None:
    """Writes ``summarizer`` to ``path``, whole or not at all.

    Raises:
        UnsupportedError: a setting has no place in JSON.
        InvalidValueError: the settings are not those of the network.
        DataError: the file cannot be written.
    """
    where = "Summarizer.save"
    try:
        description = _Description(
            settings=plain_settings(summarizer.get_params()),
            vocabulary=summarizer.vocabulary_.to_json(),
            source_length=summarizer.source_length_,
            summary_length=summarizer.summary_length_,
        )
    except ValidationError as error:
        raise UnsupportedError(where, "settings that JSON can hold", first_fault(error)) from error
    except TypeError as error:
        raise UnsupportedError(where, "settings that JSON can hold", str(error)) from error
    require_same_network(where, summarizer.model_, lambda: _network(summarizer))
    write_archive(path, where, _DESCRIPTION, description, summarizer.model_.get_weights())


def read_summarizer(cls: type[Summarizer], path: str | os.PathLike[str]) -> Summarizer:
    """The summariser in the file ``path``.

    Raises:
        DataError: there is no such file, it is damaged, or it holds something else.
    """
    with reading(path, "Summarizer.load", "a Summarizer that was saved") as archive:
        description = _Description.model_validate_json(archive.read(_DESCRIPTION))
        summarizer = cls(**description.settings)
        summarizer._check_options()
        summarizer.vocabulary_ = Vocabulary.from_json(description.vocabulary)
        if summarizer.vocabulary_.level != summarizer.level:
            raise ValueError(f"a vocabulary of {summarizer.vocabulary_.level}")
        summarizer.source_length_, summarizer.summary_length_ = description.source_length, description.summary_length
        weights = read_weights(archive, lambda: _network(summarizer))
        summarizer.model_ = _network(summarizer)
        summarizer.model_.set_weights(weights)
    return summarizer


def _network(summarizer: Summarizer) -> keras.Model:
    """The network that follows from settings and vocabulary."""
    return summarizer._build_model(len(summarizer.vocabulary_), None)
