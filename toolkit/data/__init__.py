"""Data sets by name: embedded in the installation, from a folder, from the cache, or downloaded.

    from toolkit import data

    d = data.load("mnist5k")
    d.x_train.shape   # (4000, 28, 28, 1)

On every machine there are images (``"mnist5k"``, ``"digits"``), texts (``"docstrings"``), pairs of texts
(``"addition"``, ``"dates"``, and ``"docstrings"`` with their summaries), sequences (``"japanese_vowels"``,
``"basic_motions"``, ``"italy_power"``) and series (``"sunspots"``, ``"co2"``). Others are looked for in the folder
given as ``data_dir=`` or by the environment variable ``TOOLKIT_DATA``, then in the cache (``TOOLKIT_CACHE`` moves it),
and are else downloaded from their publishers, or from the mirror that ``TOOLKIT_DATA_URL`` names. ``catalogue()``
lists them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from toolkit.data._catalogue import catalogue
    from toolkit.data._dataset import Dataset
    from toolkit.data._info import DatasetInfo
    from toolkit.data._load import fetch, load
    from toolkit.data._places import cache_dir
    from toolkit.data._series import Series, Windows, windows
    from toolkit.data._status import Status, status

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Series",
    "Status",
    "Windows",
    "cache_dir",
    "catalogue",
    "fetch",
    "load",
    "status",
    "windows",
]

# Loaded at first use (PEP 562): pydantic, which checks the catalogue, takes 80 ms to import.
_HOMES = {
    "Dataset": "_dataset",
    "DatasetInfo": "_info",
    "Series": "_series",
    "Status": "_status",
    "Windows": "_series",
    "cache_dir": "_places",
    "catalogue": "_catalogue",
    "fetch": "_load",
    "load": "_load",
    "status": "_status",
    "windows": "_series",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
