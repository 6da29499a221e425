"""The file of a preprocessor: JSON, checked by pydantic before anything is made of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, Self

import numpy as np
import pydantic

from toolkit.errors import DataError
from toolkit.images._augment import Augment

_STRICT = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class SavedAugment(pydantic.BaseModel):
    """The fields of `Augment`, which checks their ranges."""

    model_config = _STRICT

    flip: str | None
    shift: float
    rotate: float
    zoom: float
    brightness: float
    contrast: float
    saturation: float
    hue: float
    cutout: float
    border: str


class SavedSettings(pydantic.BaseModel):
    """The arguments of ``ImagePreprocessor``, which checks what they mean."""

    model_config = _STRICT

    size: list[int]
    colour: str
    resize: str
    normalize: str | None
    mean: list[float] | None
    std: list[float] | None
    source_colour: str | None
    background: int | list[int]
    augment: SavedAugment | None
    seed: int
    on_error: str
    max_pixels: int


class SavedPreprocessor(pydantic.BaseModel):
    """All that the file holds."""

    model_config = _STRICT

    kind: Literal["toolkit.images.ImagePreprocessor"]
    version: Literal[1]
    settings: SavedSettings
    learned_mean: list[float] | None
    learned_std: list[pydantic.PositiveFloat] | None

    @pydantic.model_validator(mode="after")
    def _one_for_each_channel(self) -> Self:
        lengths = {0 if numbers is None else len(numbers) for numbers in (self.learned_mean, self.learned_std)}
        if lengths not in ({0}, {1 if self.settings.colour == "grey" else 3}):
            raise ValueError("learned_mean and learned_std need one number for each channel")
        return self


def to_json(settings: dict[str, Any], mean: np.ndarray | None, std: np.ndarray | None) -> str:
    """The file's text for these settings and learned statistics."""
    augment = settings["augment"]
    plain = {name: _plain(value) for name, value in settings.items()}
    plain["augment"] = None if augment is None else asdict(augment)
    saved = SavedPreprocessor(
        kind="toolkit.images.ImagePreprocessor",
        version=1,
        settings=SavedSettings(**plain),
        learned_mean=None if mean is None else mean.tolist(),
        learned_std=None if std is None else std.tolist(),
    )
    return saved.model_dump_json(indent=2) + "\n"


def _plain(value: Any) -> Any:
    """NumPy's numbers and tuples as JSON has them."""
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def from_json(text: str | bytes, where: str) -> tuple[dict[str, Any], list[float] | None, list[float] | None]:
    """Settings and learned statistics; raises DataError that names the field at fault."""
    try:
        saved = SavedPreprocessor.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(where, "what ImagePreprocessor.save wrote", f"{field}: {first['msg']}") from error
    settings = saved.settings.model_dump()
    settings["size"] = tuple(settings["size"])
    if settings["augment"] is not None:
        settings["augment"] = Augment(**settings["augment"])
    return settings, saved.learned_mean, saved.learned_std
