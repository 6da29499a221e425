"""One file that holds a trained estimator: a zip archive of JSON (what was set and learned) and NumPy arrays (weights).

A file from somebody else may be damaged or made to do harm. So nothing in it is code and nothing is unpickled: the
reader builds its own model, and the arrays must have that model's shapes, which are known before any memory is
taken. Nothing is compressed, so no small file can unpack to a large one.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import BaseModel, ValidationError

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError

_WEIGHT = "weights/{}.npy"


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON holds them: NumPy's numbers and arrays as Python's own, tuples as lists.

    Raises:
        TypeError: one of them has no place in JSON.
    """
    return json.loads(json.dumps(settings, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__}")


def tuples_again(settings: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples: ``(64, 32)`` comes back as a list."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def write_archive(
    path: str | os.PathLike[str], where: str, name: str, description: BaseModel, weights: Iterable[np.ndarray]
) -> None:
    """Writes the description as ``name`` and the weights to ``path``, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    with atomic_write(path, where) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, description.model_dump_json(indent=1))
        for index, array in enumerate(weights):
            with archive.open(_WEIGHT.format(index), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array, order="C"), (1, 0), allow_pickle=False)


@contextmanager
def reading(path: str | os.PathLike[str], where: str, expected: str) -> Iterator[zipfile.ZipFile]:
    """The archive at ``path``; whatever is found wrong while it is open becomes a DataError.

    Raises:
        DataError: there is no such file, or it does not hold what was ``expected``.
    """
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("an archive with compressed parts")
            yield archive
    except ValidationError as error:
        raise DataError(where, expected, f"{name}, where {first_fault(error)}") from error
    except (OSError, zipfile.BadZipFile, LookupError, ValueError, TypeError, ArithmeticError, EOFError) as error:
        raise DataError(where, expected, f"{name}, which cannot be read: {error}") from error


def require_same_network(where: str, model: keras.Model, build: Callable[[], keras.Model]) -> None:
    """Whether the settings still give the network that was trained: nothing else can be read again.

    Raises:
        InvalidValueError: what ``build`` makes has other weights than ``model``.
    """
    if [(w.shape, w.dtype) for w in _planned(build)] != [(w.shape, w.dtype) for w in model.weights]:
        remedy = "Set them back, or fit again."
        raise InvalidValueError(
            where, "the settings that the network was trained with", "others, set after fit", remedy
        )


def read_weights(archive: zipfile.ZipFile, build: Callable[[], keras.Model]) -> list[np.ndarray]:
    """The weights for the model that ``build`` makes, each an array of the right shape and dtype.

    Raises:
        ValueError, LookupError, EOFError: they are not.
    """
    return [_weight(archive, index, variable) for index, variable in enumerate(_planned(build))]


def _planned(build: Callable[[], keras.Model]) -> list[keras.Variable]:
    """The weights of the model that ``build`` makes, in a graph: there they have a shape, but take no memory."""
    with tf.Graph().as_default():
        return build().weights


def _weight(archive: zipfile.ZipFile, index: int, variable: keras.Variable) -> np.ndarray:
    """Weight ``index``, which must be an array of the shape and dtype of ``variable``."""
    shape, dtype = tuple(variable.shape), np.dtype(variable.dtype)
    with archive.open(_WEIGHT.format(index)) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError(f"weight {index} in another version of NumPy's format")
        header = np.lib.format.read_array_header_1_0(file)
        if header != (shape, False, dtype):
            raise ValueError(f"weight {index} of shape {header[0]} and {header[2]}, not {shape} and {dtype}")
        array = np.frombuffer(file.read(), dtype).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"weight {index} with a number that is not finite")
    return array


def first_fault(error: ValidationError) -> str:
    """Which entry is wrong, and why, in one line."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
