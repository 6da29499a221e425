"""The catalogue of data sets: ``data/catalogue.toml``, read once and checked."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from toolkit.errors import DataError

_FILE_NAME = "catalogue.toml"


class FileInfo(BaseModel):
    """One published file: its name, its size in bytes, its SHA-256 and where it can be downloaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: PositiveInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    urls: tuple[Annotated[str, Field(pattern=r"^https?://")], ...] = ()

    @field_validator("name")
    @classmethod
    def _stays_inside_its_folder(cls, name: str) -> str:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name:
            raise ValueError(f"{name!r} is not a plain relative file name")
        return name

    def matches_bytes(self, content: bytes) -> bool:
        """Whether ``content`` is the published file, byte for byte."""
        return len(content) == self.size and hashlib.sha256(content).hexdigest() == self.sha256

    def matches(self, path: Path) -> bool:
        """Whether the file at ``path`` is there and is the published file, byte for byte."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256


class DatasetInfo(BaseModel):
    """What the catalogue says about one data set.

    Attributes:
        name: what ``load`` is called with, e.g. ``"mnist5k"``.
        title: the name in words.
        reader: how the files are laid out: ``"csv"``, ``"npz"``, ``"idx"`` or ``"cifar"``.
        image_shape: height, width and channels of one image, in pixels.
        max_value: the brightest pixel value; ``load`` divides by it.
        train: number of training images.
        test: number of test images.
        classes: name of each class; label k means ``classes[k]``.
        licence: the licence that the publisher names.
        citation: what to cite.
        homepage: where the data set is described.
        files: the published files.
        package: for an embedded set, the installed package that ships it.
        stand_in: for a set that is downloaded, the embedded set to use without a network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    reader: Literal["csv", "npz", "idx", "cifar"]
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    max_value: PositiveInt
    train: PositiveInt
    test: PositiveInt
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    licence: str
    citation: str
    homepage: str
    files: Annotated[tuple[FileInfo, ...], Field(min_length=1)]
    package: str | None = None
    stand_in: str | None = None

    @property
    def embedded(self) -> bool:
        """Whether the data came with the toolkit's own installation, so that no network is needed."""
        return self.package is not None

    @property
    def size_bytes(self) -> int:
        """Size of all its files together, in bytes."""
        return sum(file.size for file in self.files)

    @model_validator(mode="after")
    def _is_embedded_or_downloadable(self) -> DatasetInfo:
        if self.embedded and (self.stand_in or any(file.urls for file in self.files)):
            raise ValueError("an embedded set (with 'package') has neither urls nor a stand_in")
        if not self.embedded and not (self.stand_in and all(file.urls for file in self.files)):
            raise ValueError("a set without 'package' needs a stand_in, and urls for each of its files")
        return self


def catalogue() -> dict[str, DatasetInfo]:
    """All data sets by name, in the catalogue's order.

    Raises:
        DataError: if the catalogue is missing or an entry in it is not valid.
    """
    return dict(_installed_catalogue())


def info_of(name: str) -> DatasetInfo:
    """The catalogue's entry for ``name``.

    Raises:
        DataError: if no data set has this name.
    """
    known = _installed_catalogue()
    if not isinstance(name, str) or name not in known:
        raise DataError("toolkit.data", f"one of the names {', '.join(known)}", repr(name))
    return known[name]


@functools.cache
def _installed_catalogue() -> dict[str, DatasetInfo]:
    return read_catalogue(_find_catalogue())


def _find_catalogue() -> Path:
    here = Path(__file__).resolve().parent
    # In an installed wheel it lies beside this module, in a checkout in the top-level folder data/.
    places = [here / _FILE_NAME, here.parents[1] / "data" / _FILE_NAME]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        "toolkit.data",
        f"its catalogue {_FILE_NAME} in the installed package or in the checkout's data folder",
        "neither",
        "Reinstall the toolkit.",
    )


def read_catalogue(path: Path) -> dict[str, DatasetInfo]:
    """Read and check a catalogue file.

    Raises:
        DataError: if it is not TOML, an entry is not valid, or a stand-in is not an embedded set.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = [{"name": name, **table} for name, table in tables.items()]
        infos = TypeAdapter(list[DatasetInfo]).validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        # The first step of the location is the entry's position: its name says more.
        place = ".".join([list(tables)[first["loc"][0]], *map(str, first["loc"][1:])])
        raise DataError(path.name, f"a valid entry {place}", first["msg"]) from error
    except (tomllib.TOMLDecodeError, TypeError, UnicodeDecodeError) as error:
        raise DataError(path.name, "a TOML file with one table for each data set", str(error)) from error
    found = {info.name: info for info in infos}
    for info in infos:
        if info.stand_in and not (info.stand_in in found and found[info.stand_in].embedded):
            raise DataError(path.name, f"the stand-in of {info.name} to be an embedded set", info.stand_in)
    return found
