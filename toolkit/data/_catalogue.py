"""The catalogue of data sets: ``data/catalogue.toml``, read once and checked."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from toolkit.data._info import AnyInfo, DatasetInfo
from toolkit.errors import DataError

_FILE_NAME = "catalogue.toml"


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
        infos = TypeAdapter(list[AnyInfo]).validate_python(entries)
    except ValidationError as error:
        first = error.errors()[0]
        # A location is the entry's position, for which its name says more; its reader; and then the field.
        position, *fields = first["loc"]
        place = ".".join([list(tables)[position], *map(str, fields[1:])])
        raise DataError(path.name, f"a valid entry {place}", first["msg"]) from error
    except (tomllib.TOMLDecodeError, TypeError, UnicodeDecodeError) as error:
        raise DataError(path.name, "a TOML file with one table for each data set", str(error)) from error
    found = {info.name: info for info in infos}
    for info in infos:
        if info.stand_in and not (info.stand_in in found and found[info.stand_in].embedded):
            raise DataError(path.name, f"the stand-in of {info.name} to be an embedded set", info.stand_in)
    return found
