"""What the catalogue may say about a data set: one class for each kind, checked by pydantic."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator


class FileInfo(BaseModel):
    """One published file: its name, its size in bytes, its checksum and where it can be downloaded.

    The checksum is a SHA-256; where a publisher gives only an MD5, it is that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size: PositiveInt
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    urls: tuple[Annotated[str, Field(pattern=r"^https?://")], ...] = ()

    @field_validator("name")
    @classmethod
    def _stays_inside_its_folder(cls, name: str) -> str:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name:
            raise ValueError(f"{name!r} is not a plain relative file name")
        return name

    @model_validator(mode="after")
    def _has_one_checksum(self) -> FileInfo:
        if (self.sha256 is None) == (self.md5 is None):
            raise ValueError("a file has either a sha256 or, where its publisher gives no other, an md5")
        return self

    @property
    def algorithm(self) -> str:
        """The checksum's kind: ``"sha256"`` or ``"md5"``."""
        return "sha256" if self.sha256 else "md5"

    @property
    def checksum(self) -> str:
        """The checksum itself, in hexadecimal digits."""
        return self.sha256 or self.md5

    def matches_bytes(self, content: bytes) -> bool:
        """Whether ``content`` is the published file, byte for byte."""
        return len(content) == self.size and hashlib.new(self.algorithm, content).hexdigest() == self.checksum

    def matches(self, path: Path) -> bool:
        """Whether the file at ``path`` is there and is the published file, byte for byte."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, self.algorithm).hexdigest() == self.checksum


class DatasetInfo(BaseModel):
    """What the catalogue says about one data set of any kind.

    Attributes:
        kind: ``"images"``, ``"texts"``, ``"sequences"`` or ``"series"``; follows from the reader.
        name: what ``load`` is called with, e.g. ``"mnist5k"``.
        title: the name in words.
        reader: how the files are laid out.
        licence: the licence that the publisher names.
        citation: what to cite.
        homepage: where the data set is described.
        files: the published files.
        package: for an embedded set, the installed package that ships it.
        stand_in: for a set that is downloaded, the embedded set to use without a network.
        folders: further sub-folders of a user's folder in which its publisher's own tools leave the files.
        common_names: its files' names say nothing (``test.csv``), so only folders named after the set count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    reader: str
    licence: str
    citation: str
    homepage: str
    files: Annotated[tuple[FileInfo, ...], Field(min_length=1)]
    package: str | None = None
    stand_in: str | None = None
    folders: tuple[str, ...] = ()
    common_names: bool = False

    @property
    def embedded(self) -> bool:
        """Whether the data came with the toolkit's own installation, so that no network is needed."""
        return self.package is not None

    @property
    def size_bytes(self) -> int:
        """Size of all its files together, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def algorithms(self) -> str:
        """The checksums that its files are verified by: ``"sha256"``, or ``"sha256 and md5"``."""
        return " and ".join(sorted({file.algorithm for file in self.files}, reverse=True))

    @model_validator(mode="after")
    def _is_embedded_or_downloadable(self) -> DatasetInfo:
        if self.embedded and (self.stand_in or any(file.urls for file in self.files)):
            raise ValueError("an embedded set (with 'package') has neither urls nor a stand_in")
        if not self.embedded and not (self.stand_in and all(file.urls for file in self.files)):
            raise ValueError("a set without 'package' needs a stand_in, and urls for each of its files")
        return self


class LabelledInfo(DatasetInfo):
    """A data set of samples with labels, in a training and a test part.

    Attributes:
        train: number of training samples.
        test: number of test samples.
        classes: name of each class; label k means ``classes[k]``.
    """

    train: PositiveInt
    test: PositiveInt
    classes: Annotated[tuple[str, ...], Field(min_length=2)]


class ImagesInfo(LabelledInfo):
    """Labelled images.

    Attributes:
        image_shape: height, width and channels of one image, in pixels.
        max_value: the brightest pixel value; ``load`` divides by it.
    """

    kind = "images"
    reader: Literal["csv", "npz", "idx", "cifar"]
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    max_value: PositiveInt


class PartInfo(BaseModel):
    """One file of a set that is of use alone: it is split into ``train`` and ``test`` samples here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    train: PositiveInt
    test: PositiveInt


class TextsInfo(LabelledInfo):
    """Labelled texts.

    Attributes:
        targets: what ``load(target=…)`` may ask for as y; the first is the default.
        part: the file that a user's folder may hold alone, if there is one.
    """

    kind = "texts"
    reader: Literal["movie_reviews", "sentence_polarity", "ag_news", "acl_imdb", "keras_reuters"]
    targets: Annotated[tuple[str, ...], Field(min_length=1)] = ("class",)
    part: PartInfo | None = None


class PairsInfo(TextsInfo):
    """Texts, and for each another text to be written: a summary, an answer. There are no classes."""

    reader: Literal["scitldr"]
    classes: tuple[()] = ()


class GeneratedInfo(PairsInfo):
    """Pairs that are made when they are loaded, the same on every machine.

    Attributes:
        seed: they follow from it.
    """

    reader: Literal["addition", "dates"]
    files: tuple[FileInfo, ...] = ()
    seed: int

    @property
    def embedded(self) -> bool:
        """True: what is made needs no network."""
        return True


class PackageInfo(BaseModel):
    """An installed package whose docstrings are read.

    Attributes:
        name: what it is imported as; also the name of its class. ``"python"`` is the standard library.
        distribution: what it is installed as.
        family: the class that it belongs to with ``target="family"``.
        exclude: folders and modules inside it that are left out: other packages' code, generated code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    distribution: str
    family: str
    exclude: tuple[str, ...] = ()


class CorpusInfo(TextsInfo):
    """Texts that are built from what is installed, rather than read from published files.

    ``train``, ``test`` and ``classes`` are those of the first target, with the versions that requirements.lock names.

    Attributes:
        packages: the packages that are read.
    """

    reader: Literal["docstrings"]
    files: tuple[FileInfo, ...] = ()
    packages: Annotated[tuple[PackageInfo, ...], Field(min_length=2)]

    @property
    def embedded(self) -> bool:
        """True: what is built from installed packages needs no network."""
        return True

    @model_validator(mode="after")
    def _classes_are_packages(self) -> CorpusInfo:
        if unknown := set(self.classes) - {package.name for package in self.packages}:
            raise ValueError(f"the classes {', '.join(sorted(unknown))} are not among the packages")
        return self


class SequencesInfo(LabelledInfo):
    """Labelled sequences of vectors.

    Attributes:
        length: the most time steps that a sequence has; shorter ones are padded to it.
        channels: numbers at each time step.
    """

    kind = "sequences"
    reader: Literal["ts"]
    length: PositiveInt
    channels: PositiveInt


class SeriesInfo(DatasetInfo):
    """One quantity measured at regular times.

    Attributes:
        steps: number of measurements, the missing ones included.
        quantity: what is measured.
        unit: its unit; empty for a pure number.
        interval: the time between two measurements, as NumPy writes it: ``"1Y"``, ``"7D"``.
    """

    kind = "series"
    reader: Literal["series"]
    steps: PositiveInt
    quantity: str
    unit: str
    interval: Annotated[str, Field(pattern=r"^[1-9][0-9]*[YMWDh]$")]


AnyInfo = Annotated[
    ImagesInfo | TextsInfo | PairsInfo | GeneratedInfo | CorpusInfo | SequencesInfo | SeriesInfo,
    Field(discriminator="reader"),
]
