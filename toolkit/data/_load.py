"""``load`` and ``fetch``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, overload

import numpy as np

from toolkit.data._catalogue import info_of
from toolkit.data._corpus import corpus_path, load_docstrings, read_corpus
from toolkit.data._dataset import Dataset
from toolkit.data._download import downloading, mirror_url
from toolkit.data._generated import generate
from toolkit.data._info import (
    CorpusInfo,
    DatasetInfo,
    GeneratedInfo,
    ImagesInfo,
    LabelledInfo,
    SequencesInfo,
    SeriesInfo,
    TextsInfo,
)
from toolkit.data._places import cache_dir, package_paths
from toolkit.data._readers import Arrays
from toolkit.data._sequences import MASK_VALUE
from toolkit.data._series import Series
from toolkit.data._sources import read, read_embedded, where
from toolkit.data._store import copying_from, install, storage_errors
from toolkit.errors import InvalidValueError


@overload
def load(name: Literal["sunspots", "co2"]) -> Series: ...


@overload
def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = ...,
    flatten: bool = ...,
    as_sequence: bool = ...,
    scale: bool = ...,
    target: str | None = ...,
) -> Dataset: ...


def load(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    flatten: bool = False,
    as_sequence: bool = False,
    scale: bool = True,
    target: str | None = None,
) -> Dataset | Series:
    """Load a data set: labelled images, texts or sequences, or a series to forecast.

    An embedded set (``"mnist5k"``, ``"japanese_vowels"``, …) is read from the installed package that ships
    it; ``"docstrings"`` is built from the installed packages and cached; ``"addition"`` and ``"dates"`` are made from
    a seed. Any other is looked for in the user's folder, then in the cache, and is downloaded if it is in neither.

    The split into training and test is the same every time: the published one, or for sets that come in
    one piece, a fixed split with the same share of each class, shuffled.

    Args:
        name: one of the names in ``catalogue()``.
        data_dir: a folder to look in first, instead of the one that the environment variable
            ``TOOLKIT_DATA`` names. It may hold the published files, there, in a sub-folder ``<name>`` or
            where NLTK keeps its corpora; for images, also ``<name>.npz`` or ``<name>_small.npz`` with the arrays
            ``x_train``, ``y_train``, ``x_test``, ``y_test`` (shuffled here if it is sorted by class); for
            ``"ag_news"``, also ``test.csv`` alone.
            Files that differ from the published ones are used if their structure is right, and
            ``Dataset.source`` says so. Embedded sets need no folder and do not look there.
        flatten: of images: give each as one row, x (N, H·W·C) instead of (N, H, W, C).
        as_sequence: of images: give each as its rows from top to bottom, x (N, T, D) with T = H and D = W·C.
        scale: of images: give pixels as float32 in [0, 1] (divided by 255, or by 16 for ``"digits"``);
            otherwise as the published integers, uint8. Scaled, all of CIFAR-10 takes 0.7 GB.
        target: of texts: what y shall be. ``"docstrings"`` has ``"library"`` (the default), ``"family"`` and
            ``"summary"``; ``"ag_news"`` has ``"topic"`` (the default) and ``"title"``; ``"scitldr"`` has ``"summary"``.

    Returns:
        The data set. Greyscale images have one channel, C = 1; labels are int64 (N,); sequences are padded
        at the end. ``"sunspots"`` and ``"co2"`` give a `Series`, from which `windows` makes samples.

    Raises:
        DataError: if the name is unknown, the files are nowhere to be had or are damaged, or the cache
            cannot store them. The message says what to do.
        InvalidValueError: if an option does not apply to this set.
    """
    info = info_of(name)
    _check_options(info, flatten=flatten, as_sequence=as_sequence, scale=scale, target=target)
    if isinstance(info, CorpusInfo):
        arrays, classes, source = read_corpus(info, cache_dir(), target or info.targets[0])
        return _dataset(info, arrays, source, classes=classes)
    if isinstance(info, GeneratedInfo):
        return _dataset(info, generate(info), f"made here from seed {info.seed}")
    chosen = (target or info.targets[0]) if isinstance(info, TextsInfo) else ""
    content, source = read(info, data_dir, chosen)
    if isinstance(info, SeriesInfo):
        return Series(info.name, *content, info.quantity, info.unit, info.licence, info.citation, source)
    if isinstance(info, SequencesInfo):
        arrays, *lengths = content
        return _dataset(info, arrays, source, lengths=lengths)
    if isinstance(info, ImagesInfo):
        layout = (-1,) if flatten else (info.image_shape[0], -1) if as_sequence else info.image_shape
        content = content._replace(
            x_train=_as_asked(content.x_train, info, layout, scale=scale),
            x_test=_as_asked(content.x_test, info, layout, scale=scale),
        )
    return _dataset(info, content, source, classes=() if content.y_train.dtype == object else info.classes)


def _dataset(
    info: LabelledInfo,
    arrays: Arrays,
    source: str,
    *,
    classes: tuple[str, ...] | None = None,
    lengths: list[np.ndarray] | None = None,
) -> Dataset:
    return Dataset(
        info.name,
        *arrays,
        info.classes if classes is None else classes,
        info.licence,
        info.citation,
        source,
        *(lengths or (None, None)),
        None if lengths is None else MASK_VALUE,
    )


def _as_asked(images: np.ndarray, info: ImagesInfo, layout: tuple[int, ...], *, scale: bool) -> np.ndarray:
    images = images.reshape(len(images), *layout)
    return np.divide(images, np.float32(info.max_value), dtype=np.float32) if scale else images


def _check_options(info: DatasetInfo, *, flatten: bool, as_sequence: bool, scale: bool, target: str | None) -> None:
    if flatten and as_sequence:
        raise InvalidValueError(where(info), "flatten or as_sequence", "both")
    for option, used in (("flatten", flatten), ("as_sequence", as_sequence), ("scale", not scale)):
        if used and not isinstance(info, ImagesInfo):
            raise InvalidValueError(where(info), f"no option {option}, which is for images", f"a set of {info.kind}")
    targets = info.targets if isinstance(info, TextsInfo) else ()
    if target is not None and target not in targets:
        known = f"target to be one of {', '.join(targets)}" if targets else "no option target, which is for texts"
        raise InvalidValueError(where(info), known, repr(target))


def fetch(
    name: str,
    *,
    source: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Bring the published files of a data set into the cache.

    A download that was cut off or killed goes on from where it stopped.

    Args:
        name: one of the names in ``catalogue()``; for an embedded set, its files are verified;
            ``"docstrings"`` is built, and for those that are made from a seed there is nothing to do.
        source: copy the files from this folder instead of downloading them.
        force: fetch them again even where the cache has them. Until the new ones have arrived and
            been verified, the old ones stay.
        progress: show a progress bar while downloading or building.

    Returns:
        The verified files.

    Raises:
        DataError: if a file cannot be had, is not the published one, or cannot be stored.
    """
    info = info_of(name)
    if isinstance(info, CorpusInfo):
        with storage_errors(info, cache_dir()):
            load_docstrings(info, cache_dir(), force=force, must_store=True, progress=progress)
        return [corpus_path(info, cache_dir())]
    if isinstance(info, GeneratedInfo):
        return []
    if info.embedded:
        read_embedded(info)
        return package_paths(info)
    if source is not None:
        obtain = copying_from(info, Path(source).expanduser())
    else:
        obtain = downloading(info, progress=progress, base_url=mirror_url())
    return install(info, cache_dir(), obtain, force=force)
