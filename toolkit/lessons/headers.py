"""Which lessons there are: read from the headers of ``notebooks/src/NN_slug.py``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jupytext
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from toolkit.errors import LessonError

_FILE_NAME = re.compile(r"(?P<number>\d\d)_(?P<slug>[a-z0-9_]+)\.py")


@dataclass(frozen=True)
class Lesson:
    """One lesson: what it teaches and where its two files are.

    Attributes:
        number: two digits, ``"01"``.
        slug: the file name without number and suffix, ``"the_forward_pass"``.
        title: the title, without the number.
        goal: what the learner can do afterwards, one sentence.
        minutes: how long a learner needs.
        prerequisites: numbers of the lessons to have done before.
        source: the hand-edited percent file.
        notebook: the generated page, which may not exist yet.
    """

    number: str
    slug: str
    title: str
    goal: str
    minutes: int
    prerequisites: tuple[str, ...]
    source: Path
    notebook: Path

    @property
    def name(self) -> str:
        """The file name without its suffix, ``"01_the_forward_pass"``."""
        return f"{self.number}_{self.slug}"


def _two_digits(number: object) -> str:
    return f"{int(str(number)):02d}"


_Number = Annotated[str, BeforeValidator(_two_digits)]


class _Header(BaseModel):
    """The ``lesson:`` part of a source's YAML header."""

    model_config = ConfigDict(extra="forbid")

    number: _Number
    title: str = Field(min_length=1)
    goal: str = Field(min_length=1)
    minutes: int = Field(gt=0)
    prerequisites: tuple[_Number, ...] = ()


def project_root(start: Path | None = None) -> Path:
    """Return the folder that holds ``notebooks/src``, looking from ``start`` upwards.

    Args:
        start: where to look first; the package's own folder by default.

    Raises:
        LessonError: there is none, as where the package was installed without its checkout.
    """
    start = Path(__file__).parent if start is None else start
    for folder in (start, *start.parents):
        if (folder / "notebooks" / "src").is_dir():
            return folder
    raise LessonError(
        "lessons",
        "a folder 'notebooks/src' beside the package",
        "an installation without notebooks",
        "The lessons come with the project's checkout: download it and run `make lab` there, or "
        "install it with `pip install -e .`",
    )


def catalogue(root: Path | None = None) -> list[Lesson]:
    """Return all lessons, in the order of their numbers.

    Args:
        root: the project's folder; found by `project_root` when left out.

    Raises:
        LessonError: there is no source, a name or header is not as it should be, or two lessons share
            a number.
    """
    notebooks = (project_root() if root is None else root) / "notebooks"
    lessons = [_read(source, notebooks) for source in sorted((notebooks / "src").glob("*.py"))]
    if not lessons:
        raise LessonError("lessons", "sources 'notebooks/src/NN_slug.py'", "an empty folder")
    for earlier, later in itertools.pairwise(lessons):
        if earlier.number == later.number:
            raise LessonError(
                later.source.name, "a number of its own", f"{later.number}, which {earlier.name} has, too"
            )
    return lessons


def find(names: Iterable[str], lessons: list[Lesson]) -> list[Lesson]:
    """Return the lessons that are meant by ``names``, each once, in the order of the catalogue.

    A name is a number (``"2"``, ``"02"``), a slug (``"the_backward_pass"``), a part of one that no
    other lesson has (``"backward"``), or a file name. No names at all mean all lessons.

    Raises:
        LessonError: no lesson, or more than one, is meant by a name.
    """
    names = list(names)
    if not names:
        return lessons
    wanted = {_find_one(name, lessons).number for name in names}
    return [lesson for lesson in lessons if lesson.number in wanted]


def _find_one(name: str, lessons: list[Lesson]) -> Lesson:
    stem = re.sub(r"\.(ipynb|py)$", "", Path(name.strip()).name).lower().replace("-", "_")
    number = stem.zfill(2) if stem.isdigit() else None
    exact = [lesson for lesson in lessons if number == lesson.number or stem in (lesson.slug, lesson.name)]
    found = exact or [lesson for lesson in lessons if stem and number is None and stem in lesson.name]
    if len(found) == 1:
        return found[0]
    if found:
        raise LessonError("lessons", "a name that fits one lesson", f"{name!r}, which fits {_listed(found)}")
    raise LessonError("lessons", f"one of {_listed(lessons)}", repr(name))


def _listed(lessons: list[Lesson]) -> str:
    return ", ".join(lesson.name for lesson in lessons)


def _read(source: Path, notebooks: Path) -> Lesson:
    match = _FILE_NAME.fullmatch(source.name)
    if match is None:
        raise LessonError(source.name, "a file name like '02_the_backward_pass.py'", f"{source.name!r}")
    header = _header(source)
    if header.number != match["number"]:
        raise LessonError(
            source.name, f"number {match['number']!r} as in the file name", f"{header.number!r} in the header"
        )
    return Lesson(
        **header.model_dump(),
        slug=match["slug"],
        source=source,
        notebook=notebooks / f"{source.stem}.ipynb",
    )


def _header(source: Path) -> _Header:
    metadata = jupytext.read(source, fmt="py:percent").metadata
    if "lesson" not in metadata:
        raise LessonError(
            source.name,
            "a header with 'lesson:' under 'jupyter:'",
            "none",
            "See `toolkit.lessons`' docstring.",
        )
    try:
        return _Header.model_validate(metadata["lesson"])
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise LessonError(
            source.name, f"a header whose '{field}' is right", f"{first['msg']} ({first['input']!r})"
        ) from error
