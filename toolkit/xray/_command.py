"""What ``toolkit xray`` reads before it traces: a model from a file, samples by name or from a file, their labels."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from toolkit import data
from toolkit.data import Dataset
from toolkit.errors import DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.xray._losses import watched_loss

_SAMPLE = re.compile(r"([a-z][a-z0-9_]*)(?::(\d+)(?:-(\d+))?)?")
_MOST_SAMPLES = 512


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch for a model.

    Attributes:
        x, y: samples and labels, in the shapes and the structure that the model takes; y is None without labels.
        told: where they come from and what was done to their shape.
    """

    x: Any
    y: Any
    told: str


# ---------------------------------------------------------------------- the model


def load_model(path: Path) -> keras.Model:
    """The model of a ``.keras`` file; nothing in the file is run.

    Raises:
        DataError: there is no such file, it is damaged, or holds Python code (a ``Lambda`` layer).
        UnsupportedError: it needs a class that only the program that wrote it has.
    """
    where = f"file {path.name!r}"
    if not path.is_file():
        raise DataError(where, "a .keras file", "a folder" if path.is_dir() else "no such file", "Look at the path.")
    try:
        with zipfile.ZipFile(path) as archive:
            # Keras compresses nothing. A small file that unpacks to a large one is none of its own.
            compressed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
            # Keras itself would not notice damage among the weights.
            damaged = None if compressed else archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        remedy = "Save the model with model.save('model.keras'); other formats (.h5, SavedModel) are not read."
        raise DataError(where, "a .keras file", f"something else, or a part of one ({error})", remedy) from error
    if compressed:
        raise DataError(where, "a file as model.save writes it", "a compressed archive", "Save the model again.")
    if damaged is not None:
        raise DataError(where, "a .keras file", f"a damaged one: {damaged} has another checksum", "Copy it again.")
    try:
        with warnings.catch_warnings():
            # A model that was saved before its first step; its optimiser begins at 0 all the same.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = keras.saving.load_model(path, safe_mode=True)
    # The file may say anything, and Keras fails on it in any way.
    except Exception as error:
        raise _not_loaded(where, str(error) or type(error).__name__) from error
    if not isinstance(model, keras.Model):
        raise UnsupportedError(where, "a Keras model", type(model).__name__)
    return model


def _not_loaded(where: str, message: str) -> DataError | UnsupportedError:
    if unknown := re.search(r"[Cc]ould not locate (?:class|function) '([^']+)'", message):
        return UnsupportedError(
            where,
            "layers, losses and functions of Keras",
            f"{unknown[1]!r}, which only the program that wrote the file has",
            "Trace the model there: xray.trace(model, x, y).to_html('page.html').",
        )
    if "safe_mode" in message or "unsafe" in message or "arbitrary code" in message:
        return DataError(
            where,
            "a model without Python code",
            "one with code in it (a Lambda layer), which is not run",
            "Trace it in the program that made it, or use layers of Keras instead of Lambda.",
        )
    return DataError(
        where, "a model that Keras can load", f"one that it cannot: {message.splitlines()[0][:200]}", "Save it again."
    )


# ---------------------------------------------------------------------- the samples


def read_samples(
    model: keras.Model,
    sample: str | None,
    inputs: Sequence[str],
    labels: Sequence[str],
    count: int | None,
    loss: str | None,
) -> Samples:
    """Samples of a data set or from files, whichever is asked for; see `from_data` and `from_files`.

    Raises:
        InvalidValueError: neither is asked for, or both.
    """
    if (sample is None) == (not inputs) or (labels and not inputs):
        given = {"--sample": sample, "--input": inputs or None, "--labels": labels or None}
        raise InvalidValueError(
            "toolkit xray",
            "--sample NAME:INDEX, or --input X.NPY with or without --labels Y.NPY",
            " and ".join(name for name, value in given.items() if value is not None) or "neither",
            "For example --sample digits:0.",
        )
    if inputs:
        return from_files(model, inputs, labels, count, loss)
    return from_data(model, str(sample), count, loss)


def from_data(model: keras.Model, sample: str, count: int | None, loss: str | None) -> Samples:
    """Training samples of a data set: ``"digits:0"``, ``"digits:0-7"``, both ends included.

    Args:
        model: what they are for; they are brought to the shape that it takes, flattened for example.
        sample: name, and index or range; the first one without.
        count: how many, from the first index on; instead of a range.
        loss: name of the loss; the one that the model was compiled with if None.

    Raises:
        InvalidValueError: ``sample`` says nothing of the kind, or there are not so many.
        DataError: there is no such data set.
        ShapeError: the model takes something else.
    """
    where = f"--sample {sample}"
    match = _SAMPLE.fullmatch(sample)
    if match is None:
        raise InvalidValueError(where, "name:index or name:first-last", repr(sample), "For example digits:0-7.")
    name, first = match[1], int(match[2] or 0)
    if match[3] and count is not None:
        raise InvalidValueError(where, "a range, or --samples", "both")
    last = int(match[3]) if match[3] else first + (count or 1) - 1
    loaded = data.load(name)
    if not isinstance(loaded, Dataset):
        raise InvalidValueError(
            where, "a set of labelled samples", f"a series, {name!r}", "Make windows of it and give them by --input."
        )
    total = len(loaded.x_train)
    if not first <= last < total:
        raise InvalidValueError(where, f"indices from 0 to {total - 1}, the smaller first", f"{first} to {last}")
    _check_count(where, last - first + 1)
    x, y = loaded.x_train[first : last + 1], loaded.y_train[first : last + 1]
    return _samples(where, model, x, y, f"{name}, training samples {first} to {last}", loss)


def from_files(
    model: keras.Model, inputs: Sequence[str], labels: Sequence[str], count: int | None, loss: str | None
) -> Samples:
    """Samples, and labels if there are any, from files of ``numpy.save``.

    Args:
        model: what they are for.
        inputs: a path for each input of the model, in their order, or ``"name=path"`` in any order.
        labels: likewise for each output.
        count: how many samples; all if None.
        loss: name of the loss; the one that the model was compiled with if None.

    Raises:
        DataError: a file is missing, damaged, or holds Python objects.
        InvalidValueError: an input has no file, or two.
        ShapeError: the model takes something else.
    """
    inside = list(getattr(model, "inputs", None) or [])
    xs = _arrays("--input", inputs, [tensor.name for tensor in inside], count)
    ys = _arrays("--labels", labels, list(getattr(model, "output_names", None) or []), count) if labels else None
    for name, x in xs.items():
        _check_count(f"--input {name}", len(x))
    if len(xs) == 1 and len(inside) < 2 and (ys is None or len(ys) == 1):
        (told, x), y = *xs.items(), None if ys is None else next(iter(ys.values()))
        return _samples(f"--input {told}", model, x, y, told, loss)
    fitted = [fit_one(f"--input {name}", model, x, tensor) for (name, x), tensor in zip(xs.items(), inside)]
    x = _as_given(getattr(model, "_inputs_struct", None), fitted or list(xs.values()))
    y = None if ys is None else _as_given(getattr(model, "_outputs_struct", None), list(ys.values()))
    told = ", ".join(inputs)
    if y is None or (loss is None and watched_loss(model, None) is None):
        return Samples(x, None, f"{told}; no {'labels' if y is None else 'loss'}, so the forward pass alone")
    return Samples(x, y, told)


def _as_given(structure: Any, arrays: list[np.ndarray]) -> Any:
    """The arrays as the model has its inputs or outputs: in a list, in a dict by their names, or one alone."""
    if structure is None:
        return arrays if len(arrays) > 1 else arrays[0]
    return keras.tree.pack_sequence_as(structure, arrays)


def _arrays(option: str, given: Sequence[str], names: list[str], count: int | None) -> dict[str, np.ndarray]:
    """The array of each input or output of a model, in the order of ``names``; of unknown ones as they were given."""
    parts = [text.partition("=") for text in given]
    by_name = {name: Path(path) for name, _, path in parts if name in names and path}
    if not by_name:
        paths = [Path(text) for text in given]
        by_name = dict(zip(names, paths)) if len(names) == len(paths) else {path.name: path for path in paths}
    if len(by_name) != len(given) or (len(names) > 1 and set(by_name) != set(names)):
        example = " ".join(f"{option} {name}={name}.npy" for name in names)
        raise InvalidValueError(
            option, f"one file for each of {', '.join(map(repr, names))}", ", ".join(given), f"For example {example}."
        )
    ordered = by_name if len(names) < 2 else {name: by_name[name] for name in names}
    return {(path.name if len(names) < 2 else name): _array(path)[:count] for name, path in ordered.items()}


def _array(path: Path) -> np.ndarray:
    where = f"file {path.name!r}"
    if not path.is_file():
        raise DataError(where, "a .npy file", "no such file", "Look at the path.")
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(where, "an array of numbers, as numpy.save writes it", f"{error}") from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise DataError(where, "one array, samples first", "an archive or a single number", "Use numpy.save.")
    return array


def _check_count(where: str, count: int) -> None:
    if count > _MOST_SAMPLES:
        remedy = "Take fewer: --samples 32 shows as much."
        raise InvalidValueError(where, f"up to {_MOST_SAMPLES} samples", f"{count:,}", remedy)


def _samples(
    where: str, model: keras.Model, x: np.ndarray, y: np.ndarray | None, told: str, loss: str | None
) -> Samples:
    fitted = fit_inputs(where, model, x)
    if fitted.shape != x.shape:
        told += f", reshaped from {x.shape[1:]} to {fitted.shape[1:]}"
    if loss is None and watched_loss(model, None) is None:
        return Samples(fitted, None, f"{told}; no loss, so the forward pass alone (--loss names one)")
    y = fit_labels(model, fitted, y, loss)
    return Samples(fitted, y, told if y is not None else f"{told}; no labels, so the forward pass alone")


def fit_inputs(where: str, model: keras.Model, x: np.ndarray) -> np.ndarray:
    """``x`` for a model of one input, see `fit_one`; of a subclassed model, which does not say what it takes, as it is.

    Raises:
        ShapeError: it does not fit, or the model takes several inputs.
        InvalidValueError: texts for a model of numbers, or the other way round.
    """
    expected: list[Any] = list(getattr(model, "inputs", None) or [])
    if not expected:
        return x
    if len(expected) > 1:
        example = " ".join(f"--input {tensor.name}={tensor.name}.npy" for tensor in expected)
        raise ShapeError(
            where,
            f"a model with one input; {model.name!r} takes {len(expected)}",
            "one array",
            f"Give a file for each: {example}.",
        )
    return fit_one(where, model, x, expected[0])


def fit_one(where: str, model: keras.Model, x: np.ndarray, expected: Any) -> np.ndarray:
    """``x`` in the shape of one input: as it is, flattened, with or without a channel at the end.

    Raises:
        ShapeError: none of these fits.
        InvalidValueError: texts for a model of numbers, or the other way round.
    """
    shape = tuple(expected.shape)
    texts, takes_texts = x.dtype.kind in "OSU", keras.backend.standardize_dtype(expected.dtype) == "string"
    if texts != takes_texts:
        said = {True: "texts", False: "numbers"}
        raise InvalidValueError(
            where, f"{said[takes_texts]}, which is what the model {model.name!r} takes", said[texts]
        )
    # One of each rank, so that at most one fits: as it is, a row, rows from top to bottom, with a channel.
    ways = [x, x[..., np.newaxis]]
    if shape[1:] != (None,):  # of any length: made for words, not for pixels
        ways.append(x.reshape(len(x), -1))
    if x.ndim == 4:
        ways.append(x.reshape(*x.shape[:2], -1))
    fitting = next((way for way in ways if _fits(way.shape, shape)), None)
    if fitting is None:
        raise ShapeError(
            f"{where}, model {model.name!r}",
            f"samples of shape {str(shape).replace('None', 'N', 1)}",
            f"{x.shape}",
            "Choose a data set that the model was made for, or give an array of this shape by --input.",
        )
    return fitting


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape[1:], wanted[1:]))


def fit_labels(model: keras.Model, x: np.ndarray, y: np.ndarray | None, loss: str | None) -> np.ndarray | None:
    """Labels in the form that the loss takes: rows of 0 and 1 for categorical cross-entropy, x itself for x again."""
    outputs = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        return y
    shape = tuple(outputs[0].shape)
    chosen = loss if loss is not None else model.loss
    name = getattr(chosen, "name", None) or getattr(chosen, "__name__", None) or str(chosen)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if x.ndim > 1 and _fits(x.shape, shape) and not name.startswith("sparse") and (y is None or y.shape != x.shape):
        return x  # an autoencoder
    if y is not None and y.ndim == 1 and name == "categorical_crossentropy" and y.dtype.kind in "iu":
        classes = shape[-1]
        if classes and y.min() >= 0 and y.max() < classes:
            return keras.utils.to_categorical(y, classes)
    return y
