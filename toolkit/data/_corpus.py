"""The corpus of docstrings: built once for the installed versions, cached, and split by module."""

from __future__ import annotations

import gc
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import platform
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.atomic_write import atomic_write, remove_partial_files
from toolkit.data import _docstrings, _near_duplicates
from toolkit.data._docstrings import STANDARD_LIBRARY, Docstring, read_docstrings, source_files
from toolkit.data._info import CorpusInfo, PackageInfo
from toolkit.data._near_duplicates import without_near_duplicates
from toolkit.data._readers import Arrays
from toolkit.data._store import locked
from toolkit.data._texts import as_objects
from toolkit.errors import DataError

_log = logging.getLogger(__name__)

_TEXT_WORDS = range(20, 401)
_BODY_WORDS, _SUMMARY_WORDS = range(10, 401), range(3, 31)
_TEST_SHARE = 0.2
_PATIENCE_SECONDS = 2.0
_WAIT_SECONDS = 600


class Corpus(NamedTuple):
    """The arrays of one target, the names of their classes, and where the texts came from."""

    arrays: Arrays
    classes: tuple[str, ...]
    source: str


def read_corpus(info: CorpusInfo, cache: Path, target: str) -> Corpus:
    """The corpus as samples of one target, from the cache if it is there, otherwise built and cached.

    No module gives samples to both parts. Labelled samples are balanced: each class has the same number.

    Args:
        info: the catalogue's entry.
        cache: the cache folder; where it cannot be written to, the corpus is built each time.
        target: ``"library"`` or ``"family"``: y is a class; ``"summary"``: x is the body, y the summary line.

    Returns:
        The corpus of those packages that are installed; its source names the others.

    Raises:
        DataError: if fewer than two classes are left, or a package holds too few docstrings.
    """
    docstrings = load_docstrings(info, cache)
    digest = hashlib.sha256(_lines(docstrings)).hexdigest()[:8]
    installed = versions(info)
    source = f"docstrings of the installed {', '.join(installed.values())}{without(info)}; corpus {digest}"
    if without(info):
        _log.warning("The corpus of docstrings is%s.", without(info).removeprefix(","))
    if target == "summary":
        return Corpus(_pairs(info, docstrings), (), source)
    packages = [package for package in info.packages if package.name in installed]
    label = {package.name: package.name if target == "library" else package.family for package in packages}
    classes = tuple(dict.fromkeys(label.values()))
    if target == "library":  # only those with enough docstrings for a class of their own
        classes = tuple(name for name in info.classes if name in installed)
    groups = [[text for text in docstrings if label[text.package] == name] for name in classes]
    n_train, n_test = info.train // len(info.classes), info.test // len(info.classes)
    parts = [_split_by_module(group, n_test) for group in groups]
    # Should another version hold fewer docstrings, the classes shrink together.
    n_train, n_test = (min(n, *(len(part[k]) for part in parts)) for k, n in enumerate((n_train, n_test)))
    if not n_train or not n_test:
        raise DataError("data set 'docstrings'", "docstrings of each class", "none of some class")
    train, test = (
        sorted(((text, k) for k, part in enumerate(parts) for text in part[side][:n]), key=lambda pair: _draw(pair[0]))
        for side, n in enumerate((n_train, n_test))
    )
    columns = [
        column
        for pairs in (train, test)
        for column in (as_objects(text.text for text, _ in pairs), np.array([k for _, k in pairs], np.int64))
    ]
    return Corpus(Arrays(*columns), classes, source)


def _pairs(info: CorpusInfo, docstrings: list[Docstring]) -> Arrays:
    """Bodies and their summary lines, of all packages."""
    usable = [
        text
        for text in docstrings
        if len(text.body.split()) in _BODY_WORDS and len(text.summary.split()) in _SUMMARY_WORDS
    ]
    sides: tuple[list[Docstring], list[Docstring]] = ([], [])
    for package in info.packages:
        group = [text for text in usable if text.package == package.name]
        for side, part in zip(sides, _split_by_module(group, round(_TEST_SHARE * len(group)))):
            side.extend(part)
    train, test = (sorted(side, key=_draw) for side in sides)
    columns = [
        as_objects(getattr(text, field) for text in side) for side in (train, test) for field in ("body", "summary")
    ]
    return Arrays(*columns)


def _split_by_module(group: list[Docstring], n_test: int) -> tuple[list[Docstring], list[Docstring]]:
    """Whole modules, drawn at random but always the same, until ``n_test`` texts are in the test part.

    A module with more than an eighth of them stays in the training part: the test is of many modules.
    """
    modules: dict[tuple[str, str], list[Docstring]] = defaultdict(list)
    for text in group:
        modules[text.package, text.module].append(text)
    train: list[Docstring] = []
    test: list[Docstring] = []
    most = max(n_test // 8, min(map(len, modules.values()), default=0))
    for module in sorted(modules, key=lambda module: _digest(*module)):
        texts = modules[module]
        fits = len(texts) <= min(n_test - len(test), most)
        (test if fits else train).extend(texts)
    return sorted(train, key=_draw), sorted(test, key=_draw)


def _draw(text: Docstring) -> str:
    """A key to sort by: as good as chance, and the same on every machine."""
    return _digest(text.package, text.module, text.name, text.summary)


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def load_docstrings(
    info: CorpusInfo, cache: Path, *, force: bool = False, must_store: bool = False, progress: bool = True
) -> list[Docstring]:
    """All docstrings of the corpus, from the cache if it holds them for the installed versions.

    Args:
        info: the catalogue's entry.
        cache: the cache folder.
        force: build them even where the cache has them.
        must_store: fail where they cannot be stored.
        progress: show a progress bar while building.

    Raises:
        DataError: if too few packages are installed.
        OSError: if they must be stored and cannot be.
    """
    path = corpus_path(info, cache)
    docstrings = None if force else _read(path)
    if docstrings is not None:
        return docstrings
    try:
        with locked(info, cache, _WAIT_SECONDS):
            docstrings = None if force else _read(path)  # another process may have built them meanwhile
            if docstrings is None:
                docstrings = build(info, progress=progress)
                _write(path, docstrings)
    except OSError as error:
        if must_store:
            raise
        _log.warning("The corpus is built anew each time, because it cannot be stored in %s: %s", cache, error)
    return build(info, progress=progress) if docstrings is None else docstrings


def corpus_path(info: CorpusInfo, cache: Path) -> Path:
    """Where the cache keeps the docstrings of the versions that are installed."""
    # The code that makes them counts as a version, too.
    modules = (__file__, _docstrings.__file__, _near_duplicates.__file__)
    sources = [Path(module).read_text(encoding="utf-8") for module in modules]
    packages = [package.model_dump_json() for package in info.packages]
    return cache / info.name / f"{_digest(*versions(info).values(), *packages, *sources)[:16]}.jsonl.gz"


def versions(info: CorpusInfo) -> dict[str, str]:
    """Name and version of each package that is installed.

    Raises:
        DataError: if fewer than two of the classes are.
    """
    found = {package.name: _version(package) for package in info.packages}
    installed = {name: f"{name} {version}" for name, version in found.items() if version}
    if len(installed.keys() & set(info.classes)) < 2:
        raise DataError(
            "data set 'docstrings'",
            f"two of the packages {', '.join(info.classes)} to be installed: their docstrings are its classes",
            ", ".join(installed) or "none",
            "`toolkit doctor` says what else is missing.",
        )
    return installed


def without(info: CorpusInfo) -> str:
    """What to say of the packages that are not installed; empty if all are."""
    absent = [package.name for package in info.packages if package.name not in versions(info)]
    return f", without {' and '.join(absent)}, not installed" if absent else ""


def _version(package: PackageInfo) -> str | None:
    if package.name == STANDARD_LIBRARY:
        return platform.python_version()
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package.distribution)
    if importlib.util.find_spec(package.name) is None:
        return None
    # The same package under another name, as tensorflow-cpu is.
    names = importlib.metadata.packages_distributions().get(package.name, [])
    return importlib.metadata.version(names[0]) if names else None


def _read(path: Path) -> list[Docstring] | None:
    """The docstrings in a file of the cache, or ``None`` if it is not there or not as it was written."""
    try:
        digest, _, lines = gzip.decompress(path.read_bytes()).partition(b"\n")
    except (OSError, EOFError, zlib.error):
        return None
    if digest.decode("ascii", "replace") != hashlib.sha256(lines).hexdigest():
        return None
    return [Docstring(*json.loads(line)) for line in lines.splitlines()]


def _write(path: Path, docstrings: list[Docstring]) -> None:
    lines = _lines(docstrings)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_partial_files(path)  # what a killed process left; others are locked out
    with atomic_write(path) as file:
        file.write(gzip.compress(hashlib.sha256(lines).hexdigest().encode() + b"\n" + lines, 6, mtime=0))


def _lines(docstrings: list[Docstring]) -> bytes:
    return "".join(f"{json.dumps(text)}\n" for text in docstrings).encode()


def build(info: CorpusInfo, *, progress: bool = True) -> list[Docstring]:
    """Read the docstrings of all packages that are installed and take out what says the same twice.

    Raises:
        DataError: if too few packages are installed, or one without its sources.
    """
    installed = versions(info)
    packages = [package for package in info.packages if package.name in installed]
    files = [(package.name, *file) for package in packages for file in source_files(package)]
    with _collection_paused():
        shown = _with_progress(files) if progress else files
        docstrings = [text for file in shown for text in read_docstrings(*file, words=_TEXT_WORDS)]
        return without_near_duplicates(docstrings)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Syntax trees hold no cycles: looking for some among their nodes takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _with_progress(files: list[tuple[str, str, Path]]) -> Iterator[tuple[str, str, Path]]:
    """Yield the files; show a bar if that takes longer than two seconds."""
    started = time.monotonic()
    bar = None
    with ExitStack() as stack:
        for done, file in enumerate(files):
            if bar is None and time.monotonic() - started > _PATIENCE_SECONDS:
                from rich.console import Console
                from rich.progress import Progress

                bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
                task = bar.add_task("Reading docstrings, this once", total=len(files))
            if bar is not None:
                bar.update(task, completed=done)
            yield file
