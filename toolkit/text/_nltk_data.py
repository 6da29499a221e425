"""NLTK's own data files: from NLTK's data folders, a folder of the user's, the toolkit's cache, or a verified download.

Files are read as text, one by one, unpacked or out of their archive: nothing is extracted, executed or unpickled.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import nltk

from toolkit.errors import DataError

_WHERE = "TextPreprocessor"
_LARGEST_FILE = 16_000_000
# RuntimeError: the archive is encrypted; NotImplementedError: compressed in a way that zipfile does not know.
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


class Package(NamedTuple):
    """A package of nltk_data: where it lies in a data folder, and its published archive."""

    category: str
    name: str
    size: int
    sha256: str

    @property
    def path(self) -> str:
        """Its place in a data folder, unpacked; with ``.zip``, its archive's."""
        return f"{self.category}/{self.name}"


# A revision that does not move, unlike NLTK's own index, which names its packages' newest archives. Sizes and sha256
# were computed from archives that had come from there by another way; the same sha256 stand in public repositories
# that download this revision.
_REVISION = "550b6625bcef1f2abff2ff770a5a0d272c9c6b2a"
STOPWORDS = Package("corpora", "stopwords", 37_733, "48c0e52d8b52546e827f53761fb30300c0ab94f70660d28bd65ba0a86270946b")
PUNKT_TAB = Package(
    "tokenizers", "punkt_tab", 4_319_076, "e57f64187974277726a3417ca6f181ec5403676c717672eef6a748a7b20e0106"
)


def read_package(package: Package, files: Iterable[str], resources: str) -> tuple[dict[str, str], str]:
    """Files of a package, as text, and a sentence on where they are from.

    Args:
        package: one of the above.
        files: their names within the package, such as ``english``.
        resources: ``"nltk"``: NLTK's data folders (``nltk.data.path``), else the toolkit's cache, else a download into
            it. Otherwise a folder that is laid out as ``nltk.download`` does it; nowhere else is then looked.

    Raises:
        DataError: if the package or one of the files is not there, or cannot be read.
    """
    place = _find(package, resources)
    return {name: _read_text(place, package, name) for name in files}, f"NLTK's {package.path}, {_kind(place, package)}"


def _find(package: Package, resources: str) -> Path:
    folders = [Path(folder) for folder in nltk.data.path] if resources == "nltk" else [Path(resources).expanduser()]
    for folder in folders:
        for place in (folder / package.path, folder / f"{package.path}.zip"):
            if place.exists():
                return place
    if resources == "nltk":
        return _download(package)
    if not folders[0].is_dir():
        raise DataError(_WHERE, "resources to be 'builtin', 'nltk' or a folder", f"nothing there: {resources!r}")
    raise DataError(
        _WHERE,
        f"{package.path}.zip, or {package.path} unpacked, in the folder given as resources",
        f"neither in {resources!r}",
        f"Put it there: nltk.download({package.name!r}, download_dir={resources!r}).",
    )


def _download(package: Package) -> Path:
    from toolkit.data._download import downloading, mirror_url
    from toolkit.data._info import DatasetInfo, FileInfo
    from toolkit.data._places import cache_dir
    from toolkit.data._store import install

    file = FileInfo(
        name=f"{package.name}.zip",
        size=package.size,
        sha256=package.sha256,
        urls=(f"https://raw.githubusercontent.com/nltk/nltk_data/{_REVISION}/packages/{package.path}.zip",),
    )
    info = DatasetInfo(
        name=f"nltk_{package.name}",
        title=f"NLTK's {package.path}",
        reader="nltk",
        licence="see the archive",
        citation="Bird, Klein, Loper: Natural Language Processing with Python. O'Reilly, 2009",
        homepage="https://www.nltk.org/nltk_data/",
        files=(file,),
        stand_in="builtin",
    )
    try:
        (path,) = install(info, cache_dir(), downloading(info, base_url=mirror_url()))
    except DataError as error:
        raise DataError(
            _WHERE,
            f"NLTK's {package.path}: in NLTK's data folders, in the cache, or by a download",
            error.received,
            "Pass a folder that holds it as resources=, or resources='builtin', which needs none.",
        ) from error
    return path


def _read_text(place: Path, package: Package, name: str) -> str:
    wanted = f"{name} in NLTK's {package.path}"
    try:
        content = _read_bytes(place, package, name)
        text = content.decode("utf-8")
    except (FileNotFoundError, KeyError) as error:
        raise DataError(_WHERE, wanted, f"{place.name} without it") from error
    except _UNREADABLE as error:
        received = f"{place.name} that cannot be read ({type(error).__name__}: {error})"
        raise DataError(_WHERE, wanted, received, "Replace it, or pass resources='builtin'.") from error
    if len(content) > _LARGEST_FILE:
        raise DataError(_WHERE, f"{wanted} to have at most {_LARGEST_FILE:,} bytes", "more", "Is it NLTK's?")
    return text


def _read_bytes(place: Path, package: Package, name: str) -> bytes:
    """The file's bytes, and not many more than it may have: an archive can hold far more than its own size."""
    if place.is_dir():
        with (place / name).open("rb") as stream:
            return stream.read(_LARGEST_FILE + 1)
    with zipfile.ZipFile(place) as archive, archive.open(f"{package.name}/{name}") as stream:
        return stream.read(_LARGEST_FILE + 1)


def _kind(place: Path, package: Package) -> str:
    from toolkit.data._info import FileInfo

    if place.is_dir():
        return "unpacked"
    published = FileInfo(name=place.name, size=package.size, sha256=package.sha256)
    revision = f"published archive of nltk_data {_REVISION[:8]}"
    return revision if published.matches(place) else f"an archive other than the {revision}"
