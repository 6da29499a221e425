"""Reading a data set from where it lies: the package that ships it, the user's folder, or the cache."""

from __future__ import annotations

import os
from pathlib import Path

from toolkit.data._download import downloading, mirror_url
from toolkit.data._info import DatasetInfo, ImagesInfo, SeriesInfo, TextsInfo
from toolkit.data._places import (
    FilesInFolder,
    UserFolder,
    cache_dir,
    cached_paths,
    find_in_folder,
    package_paths,
    user_folder,
)
from toolkit.data._readers import UNREADABLE, Arrays, read_npz, read_published
from toolkit.data._sequences import Sequences, read_sequences
from toolkit.data._series import Values, read_series
from toolkit.data._store import install
from toolkit.data._texts import read_part, read_texts
from toolkit.errors import DataError

# What the files of a set give: images and texts give arrays, sequences their lengths besides, a series its dates.
Content = Arrays | Sequences | Values


def read(info: DatasetInfo, data_dir: str | os.PathLike[str] | None, target: str) -> tuple[Content, str]:
    """Read a data set from its package, else from the user's folder, else from the cache, else download it.

    Returns:
        The content, and one sentence on where it came from and how it was checked.

    Raises:
        DataError: if the files are nowhere to be had or are damaged, or the cache cannot store them.
    """
    if info.embedded:
        return read_embedded(info)
    folder = user_folder(data_dir)
    found = find_in_folder(info, folder.path) if folder else None
    if found:
        return read_from_folder(info, folder, found, target)
    return _read_cached(info, target)


def read_embedded(info: DatasetInfo) -> tuple[Content, str]:
    """Read a data set from the installed package that ships it.

    Raises:
        DataError: if the package is not installed or ships other bytes than the catalogue says.
    """
    contents = [_read_bytes(info, path) for path in package_paths(info)]
    for file, content in zip(info.files, contents, strict=True):
        if not file.matches_bytes(content):
            raise DataError(
                where(info),
                f"{file.name} of the package {info.package} with {file.algorithm} {file.checksum}",
                f"a file of {len(content)} bytes with another checksum",
                "The package is damaged or of a release that ships other data: "
                "install the version that requirements.lock names.",
            )
    return _parsed(info, contents, ""), f"package {info.package}: embedded, {info.algorithms} verified"


def _read_cached(info: DatasetInfo, target: str) -> tuple[Content, str]:
    cache = cache_dir()
    contents = _verified_contents(info, cached_paths(info, cache))
    if contents is None:
        paths = install(info, cache, downloading(info, base_url=mirror_url()))
        contents = _verified_contents(info, paths)
    if contents is None:
        raise DataError(
            where(info), "the files that have just been fetched", "others", "Another process changes the cache."
        )
    return _parsed(info, contents, target), f"cache: published files, {info.algorithms} verified"


def _verified_contents(info: DatasetInfo, paths: list[Path]) -> list[bytes] | None:
    """The bytes of the cached files, or ``None`` if one is missing or not the published one."""
    contents = []
    for file, path in zip(info.files, paths, strict=True):
        try:
            content = path.read_bytes()
        except OSError:
            return None  # install() finds out why, and says so if it cannot mend it
        if not file.matches_bytes(content):
            return None
        contents.append(content)
    return contents


def read_from_folder(
    info: DatasetInfo, folder: UserFolder, found: FilesInFolder, target: str, *, only_check: bool = False
) -> tuple[Content | None, str]:
    """Read what the user put in a folder; files that differ from the published ones are checked.

    Args:
        info: the catalogue's entry.
        folder: the folder, and how the user named it.
        found: what lies there.
        target: what y shall be, for texts.
        only_check: give ``None`` for the content if the files are known without reading it.

    Raises:
        DataError: if a file cannot be read or does not hold what the set promises.
    """
    contents = [_read_bytes(info, path) for path in found.paths]
    names = ", ".join(path.name for path in found.paths)
    published = _are_published(info, found, contents)
    checked = f"published files, {info.algorithms} verified"
    if published and not found.stand_in and only_check:
        return None, f"folder {folder.named_by}: {checked}"
    try:
        if isinstance(info, TextsInfo) and found.stand_in:
            content: Content = read_part(info, contents[0], target)
        elif _is_npz(info, found):
            content = read_npz(info, contents[0])
        else:
            content = _parsed(info, contents, target)
    except UNREADABLE as error:
        raise DataError(
            where(info),
            f"{_promise(info)} in {names}",
            f"{error} ({found.paths[0].parent}, named by {folder.named_by})",
            "The file is damaged or of another kind. It has been left as it is: replace it or choose another folder.",
        ) from error
    if published and not found.stand_in:
        return content, f"folder {folder.named_by}: {checked}"
    if published:
        checked = f"{names} alone, {info.algorithms} verified, split here"
    else:
        checked = f"{names}, not the published bytes ({info.algorithms} differs); structure checked"
    source = f"folder {folder.named_by}: {checked}"
    if (len(content.y_train), len(content.y_test)) != (info.train, info.test):
        counts = f"{len(content.y_train):,} + {len(content.y_test):,} of {info.train:,} + {info.test:,} {info.kind}"
        source = f"{source}; {counts}"
    return content, source


def _are_published(info: DatasetInfo, found: FilesInFolder, contents: list[bytes]) -> bool:
    if not found.stand_in:
        return all(file.matches_bytes(content) for file, content in zip(info.files, contents, strict=True))
    return any(file.name == found.paths[0].name and file.matches_bytes(contents[0]) for file in info.files)


def _is_npz(info: DatasetInfo, found: FilesInFolder) -> bool:
    # The published MNIST file is itself <name>.npz: one of the user's making may lie under that name.
    return isinstance(info, ImagesInfo) and (found.stand_in or info.reader == "npz")


def _parsed(info: DatasetInfo, contents: list[bytes], target: str) -> Content:
    if isinstance(info, ImagesInfo):
        return read_published(info, contents)
    if isinstance(info, TextsInfo):
        return read_texts(info, contents, target)
    if isinstance(info, SeriesInfo):
        return read_series(info, contents)
    return read_sequences(info, contents)


def _promise(info: DatasetInfo) -> str:
    labels = f"labels 0 to {len(info.classes) - 1}"
    if isinstance(info, ImagesInfo):
        return f"images {info.image_shape} of dtype uint8 and {labels}"
    return f"texts in the published layout, with {labels},"


def _read_bytes(info: DatasetInfo, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(where(info), f"to read {path}", error.strerror or str(error)) from error


def where(info: DatasetInfo) -> str:
    """How errors name a data set."""
    return f"data set {info.name!r}"
