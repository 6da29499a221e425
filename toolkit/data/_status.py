"""``status``: where ``load`` would find a data set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.data._catalogue import info_of
from toolkit.data._corpus import corpus_path, versions, without
from toolkit.data._info import CorpusInfo, DatasetInfo, GeneratedInfo, TextsInfo
from toolkit.data._places import UserFolder, cache_dir, cached_paths, find_in_folder, package_paths, user_folder
from toolkit.data._sources import read_embedded, read_from_folder
from toolkit.errors import DataError


@dataclass(frozen=True)
class Status:
    """Whether and where a data set is on this machine.

    Attributes:
        name: what ``load`` is called with.
        state: ``"embedded"`` (installed with the toolkit), ``"folder"`` (in the user's folder),
            ``"cached"``, ``"missing"``, or ``"damaged"`` (files are there that ``load`` would not use).
        path: the folder that holds its files; ``None`` if missing.
        size_bytes: size of the files that are there; if missing, of those to download.
        note: one sentence on what was found or what to do.
    """

    name: str
    state: Literal["embedded", "folder", "cached", "missing", "damaged"]
    path: Path | None
    size_bytes: int
    note: str


def status(name: str, data_dir: str | os.PathLike[str] | None = None) -> Status:
    """Say where ``load`` would find a data set, without downloading anything.

    Args:
        name: one of the names in ``catalogue()``.
        data_dir: as for ``load``.

    Raises:
        DataError: if the name is unknown. All else that is wrong is said in the note.
    """
    info = info_of(name)
    if isinstance(info, CorpusInfo):
        return _status_of_corpus(info)
    if isinstance(info, GeneratedInfo):
        return Status(name, "embedded", None, 0, f"Made when it is loaded, from seed {info.seed}.")
    if info.embedded:
        return _status_embedded(info)
    try:
        folder = user_folder(data_dir)
    except DataError as error:
        return Status(name, "missing", None, info.size_bytes, str(error))
    try:
        return (folder and _status_in_folder(info, folder)) or _status_in_cache(info)
    except OSError as error:
        return Status(name, "damaged", None, info.size_bytes, f"Cannot be read: {error.strerror or error}.")


def _status_of_corpus(info: CorpusInfo) -> Status:
    try:
        path = corpus_path(info, cache_dir())
    except DataError as error:
        return Status(info.name, "damaged", None, 0, str(error))
    packages = f"{len(versions(info))} installed packages{without(info)}"
    if not path.is_file():
        return Status(info.name, "embedded", None, 0, f"Built at first use, in some seconds, from {packages}.")
    note = f"Built from {packages}."
    return Status(info.name, "embedded", path.parent, path.stat().st_size, note)


def _status_embedded(info: DatasetInfo) -> Status:
    try:
        read_embedded(info)
        return Status(
            info.name,
            "embedded",
            package_paths(info)[0].parent,
            info.size_bytes,
            f"Installed with the package {info.package}.",
        )
    except DataError as error:
        return Status(info.name, "damaged", None, info.size_bytes, str(error))


def _status_in_folder(info: DatasetInfo, folder: UserFolder) -> Status | None:
    try:
        found = find_in_folder(info, folder.path)
        if found is None:
            return None
        target = info.targets[0] if isinstance(info, TextsInfo) else ""
        _, source = read_from_folder(info, folder, found, target, only_check=True)
    except DataError as error:
        return Status(info.name, "damaged", folder.path, 0, str(error))
    size = sum(path.stat().st_size for path in found.paths)
    return Status(info.name, "folder", found.paths[0].parent, size, f"In the {source}.")


def _status_in_cache(info: DatasetInfo) -> Status:
    paths = cached_paths(info, cache_dir())
    present = [path for path in paths if path.is_file()]
    if not present:
        note = f"`toolkit data fetch {info.name}` downloads it; {info.stand_in} needs no network."
        return Status(info.name, "missing", None, info.size_bytes, note)
    size = sum(path.stat().st_size for path in present)
    bad = [file.name for file, path in zip(info.files, paths, strict=True) if not file.matches(path)]
    if bad:
        note = f"Missing or not the published file: {', '.join(bad)}. `toolkit data fetch {info.name}` mends it."
        return Status(info.name, "damaged", paths[0].parent, size, note)
    return Status(info.name, "cached", paths[0].parent, size, f"Published files; {info.algorithms} verified.")
