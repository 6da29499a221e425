"""A folder of classes: one folder for each, named like it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.errors import DataError, InvalidValueError

# What operating systems leave behind. Hidden files and folders (.DS_Store, .ipynb_checkpoints) are passed over too.
_LITTER = {"thumbs.db", "desktop.ini"}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"}


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class ImageFolder:
    """The files of a folder of classes, and their labels. No image has been read yet.

    Attributes:
        paths: the files, in the order of the classes and of their names.
        labels: (N,) int64; label k means ``classes[k]``.
        classes: the names of the class folders, sorted.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        counts = np.bincount(self.labels, minlength=len(self.classes))
        lines = [f"{len(self)} images in {len(self.classes)} classes"]
        return "\n".join(lines + [f"  {count:6d}  {name}" for name, count in zip(self.classes, counts)])

    def split(self, validation_split: float, seed: int = 0) -> tuple[ImageFolder, ImageFolder]:
        """Two folders for training and validation, with the same share of each class.

        Args:
            validation_split: the second one's share, between 0 and 1. A class of n images gives
                ``round(n · share)`` of them.
            seed: decides which; the same seed and the same files give the same split on every machine.

        Raises:
            InvalidValueError: the share is out of range, or leaves one side without any image.
        """
        where = "ImageFolder.split"
        if not 0 < validation_split < 1:
            raise InvalidValueError(where, "validation_split between 0 and 1", repr(validation_split))
        rng = np.random.default_rng(seed)
        chosen = np.zeros(len(self), bool)
        for label in range(len(self.classes)):
            members = rng.permutation(np.flatnonzero(self.labels == label))
            chosen[members[: round(len(members) * validation_split)]] = True
        if chosen.all() or not chosen.any():
            raise InvalidValueError(
                where, "images on both sides", f"{chosen.sum()} of {len(self)} for validation", "Add more images."
            )
        return self._part(~chosen), self._part(chosen)

    def _part(self, chosen: np.ndarray) -> ImageFolder:
        paths = tuple(path for path, taken in zip(self.paths, chosen) if taken)
        return ImageFolder(paths, self.labels[chosen], self.classes)


def find_images(folder: str | os.PathLike[str]) -> ImageFolder:
    """List a folder that holds one folder of images for each class, with sub-folders or without.

    Every file in a class folder counts as an image, so that none is lost for an unusual name; one that is not
    will be reported when it is read. Hidden files and those that operating systems leave behind are passed over.

    Raises:
        DataError: there is no such folder, it has no class folders, a class is empty, or images lie beside the
            class folders, where they have no label.
    """
    root = Path(folder)
    where = f"folder {root}"
    try:
        entries = sorted(filter(_is_visible, root.iterdir()), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(where, "a folder with one folder for each class", error.strerror or str(error)) from error
    folders = [entry for entry in entries if entry.is_dir()]
    stray = [entry.name for entry in entries if not entry.is_dir() and entry.suffix.lower() in _SUFFIXES]
    if not folders:
        raise DataError(where, "one folder for each class", f"{len(stray)} images and no folders in it")
    if stray:
        remedy = "Move each into the folder of its class."
        raise DataError(where, "images inside of class folders only", f"{', '.join(stray[:3])} beside them", remedy)
    paths: list[Path] = []
    labels: list[int] = []
    for label, class_folder in enumerate(folders):
        files = sorted(_files_in(class_folder), key=Path.as_posix)  # Windows would compare without case
        if not files:
            raise DataError(where, "an image in every class folder", f"none in {class_folder.name!r}")
        paths += files
        labels += [label] * len(files)
    return ImageFolder(tuple(paths), np.array(labels, np.int64), tuple(entry.name for entry in folders))


def _files_in(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"folder {error.filename}", "a folder that can be read", error.strerror or str(error))

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if _is_visible(Path(name))]
        yield from (path for name in names if _is_visible(path := Path(parent, name)))


def _is_visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower() not in _LITTER
