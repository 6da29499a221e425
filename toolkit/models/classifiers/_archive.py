"""One file that holds a classifier: a zip archive of JSON (settings, labels, preprocessing) and NumPy arrays (weights).

A file from somebody else may be damaged or made to do harm. So nothing in it is code and nothing is unpickled: the
classifier builds its own model, and the arrays must have that model's shapes, which are known before any memory is
taken. Nothing is compressed, so no small file can unpack to a large one.
"""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

import toolkit
from toolkit.errors import DataError, UnsupportedError

if TYPE_CHECKING:
    from toolkit.models.classifiers._base import NeuralClassifier

_DESCRIPTION, _WEIGHT = "classifier.json", "weights/{}.npy"
# A setting that is an object: it is saved with what it has learned.
_OBJECT = "preprocessor"


class _Description(BaseModel):
    """What ``classifier.json`` says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["layer-by-layer classifier"] = "layer-by-layer classifier"
    version: Literal[1] = 1
    made_with: dict[str, str] = {"toolkit": toolkit.__version__, "keras": keras.__version__}
    classifier: str
    settings: dict[str, bool | int | float | str | list[int] | None]
    classes: list[str] | list[bool] | list[int] | list[float] = Field(min_length=2)
    dtype: str = Field(pattern=r"^(str|object|bool|u?int(8|16|32|64)|float(16|32|64))$")
    sample_shape: tuple[PositiveInt, ...]
    n_features: PositiveInt | None
    feature_names: list[str] | None
    inputs: dict[str, Any]


def write_classifier(classifier: NeuralClassifier, path: str | os.PathLike[str]) -> None:
    """Writes ``classifier`` to ``path``, by way of a file beside it.

    Raises:
        UnsupportedError: a label or a setting has no place in JSON.
        DataError: the file cannot be written.
    """
    path = Path(path)
    where = f"{type(classifier).__name__}.save"
    settings = {key: value for key, value in classifier.get_params(deep=False).items() if key != _OBJECT}
    labels, names = classifier.classes_, getattr(classifier, "feature_names_in_", None)
    try:
        description = _Description(
            classifier=type(classifier).__name__,
            settings=json.loads(json.dumps(settings, default=_plain)),
            classes=labels.tolist(),
            dtype="str" if labels.dtype.kind == "U" else labels.dtype.name,
            sample_shape=classifier.sample_shape_,
            n_features=getattr(classifier, "n_features_in_", None),
            feature_names=None if names is None else names.tolist(),
            inputs=dict(classifier._inputs_state()),
        )
    except ValidationError as error:
        raise UnsupportedError(where, "settings and labels that JSON can hold", _first(error)) from error
    except TypeError as error:
        raise UnsupportedError(where, "settings that JSON can hold", str(error)) from error
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_DESCRIPTION, description.model_dump_json(indent=1))
            for index, array in enumerate(classifier.model_.get_weights()):
                with archive.open(_WEIGHT.format(index), "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
        part.replace(path)
    except OSError as error:
        raise DataError(where, "a place that can be written to", f"{path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's own."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__}")


def read_classifier(cls: type[NeuralClassifier], path: str | os.PathLike[str]) -> NeuralClassifier:
    """The classifier in the file ``path``.

    Raises:
        DataError: there is no such file, it is damaged, or holds no ``cls``.
    """
    where, name = f"{cls.__name__}.load", os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("an archive with compressed parts")
            description = _Description.model_validate_json(archive.read(_DESCRIPTION))
            if description.classifier != cls.__name__:
                remedy = f"Load it with {description.classifier}.load."
                raise DataError(where, f"a {cls.__name__}", f"a {description.classifier} in {name}", remedy)
            return _rebuilt(cls, description, archive)
    except ValidationError as error:
        raise DataError(where, "a classifier that was saved", f"{name}, where {_first(error)}") from error
    except (OSError, zipfile.BadZipFile, LookupError, ValueError, TypeError, ArithmeticError, EOFError) as error:
        raise DataError(where, "a classifier that was saved", f"{name}, which cannot be read: {error}") from error


def _rebuilt(cls: type[NeuralClassifier], description: _Description, archive: zipfile.ZipFile) -> NeuralClassifier:
    classifier = cls(**{name: _tuple(value) for name, value in description.settings.items()})
    dtype = None if description.dtype == "str" else description.dtype
    classifier.classes_ = np.array(description.classes, dtype)
    if not np.array_equal(np.unique(classifier.classes_), classifier.classes_):
        raise ValueError("labels that are not sorted, or not all different")
    classifier.sample_shape_ = description.sample_shape
    if description.n_features is not None:
        classifier.n_features_in_ = description.n_features
    if description.feature_names is not None:
        classifier.feature_names_in_ = np.array(description.feature_names, dtype=object)
    classifier._restore_inputs(description.inputs)
    with tf.Graph().as_default():  # where a variable has a shape, but takes no memory
        planned = classifier._build_model(description.sample_shape, len(classifier.classes_)).weights
    weights = [_weight(archive, index, variable) for index, variable in enumerate(planned)]
    classifier._make_model(description.sample_shape)
    classifier.model_.set_weights(weights)
    return classifier


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


def _tuple(value: Any) -> Any:
    """JSON has no tuples: ``(64, 32)`` comes back as a list."""
    return tuple(value) if isinstance(value, list) else value


def _first(error: ValidationError) -> str:
    """Which entry is wrong, and why, in one line."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
