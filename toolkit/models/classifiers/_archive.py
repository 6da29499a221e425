"""The file of a classifier: settings, labels, preprocessing in JSON, and weights; see ``toolkit.models._archive``."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

import toolkit
from toolkit.errors import DataError, UnsupportedError
from toolkit.models._archive import (
    first_fault,
    plain_settings,
    read_weights,
    reading,
    require_same_network,
    tuples_again,
    write_archive,
)

if TYPE_CHECKING:
    from toolkit.models.classifiers._base import NeuralClassifier

_DESCRIPTION = "classifier.json"
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
    """Writes ``classifier`` to ``path``, whole or not at all.

    Raises:
        UnsupportedError: a label or a setting has no place in JSON.
        InvalidValueError: the settings are not those of the network.
        DataError: the file cannot be written.
    """
    where = f"{type(classifier).__name__}.save"
    settings = {key: value for key, value in classifier.get_params(deep=False).items() if key != _OBJECT}
    labels, names = classifier.classes_, getattr(classifier, "feature_names_in_", None)
    try:
        description = _Description(
            classifier=type(classifier).__name__,
            settings=plain_settings(settings),
            classes=labels.tolist(),
            dtype="str" if labels.dtype.kind == "U" else labels.dtype.name,
            sample_shape=classifier.sample_shape_,
            n_features=getattr(classifier, "n_features_in_", None),
            feature_names=None if names is None else names.tolist(),
            inputs=dict(classifier._inputs_state()),
        )
    except ValidationError as error:
        raise UnsupportedError(where, "settings and labels that JSON can hold", first_fault(error)) from error
    except TypeError as error:
        raise UnsupportedError(where, "settings that JSON can hold", str(error)) from error
    shape, classes = classifier.sample_shape_, len(labels)
    require_same_network(where, classifier.model_, lambda: classifier._build_model(shape, classes))
    write_archive(path, where, _DESCRIPTION, description, classifier.model_.get_weights())


def read_classifier(cls: type[NeuralClassifier], path: str | os.PathLike[str]) -> NeuralClassifier:
    """The classifier in the file ``path``.

    Raises:
        DataError: there is no such file, it is damaged, or holds no ``cls``.
    """
    where = f"{cls.__name__}.load"
    with reading(path, where, "a classifier that was saved") as archive:
        description = _Description.model_validate_json(archive.read(_DESCRIPTION))
        if description.classifier != cls.__name__:
            remedy = f"Load it with {description.classifier}.load."
            raise DataError(where, f"a {cls.__name__}", f"a {description.classifier} in {os.fspath(path)}", remedy)
        return _rebuilt(cls, description, archive)


def _rebuilt(cls: type[NeuralClassifier], description: _Description, archive: zipfile.ZipFile) -> NeuralClassifier:
    classifier = cls(**tuples_again(description.settings))
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
    shape, classes = description.sample_shape, len(classifier.classes_)
    weights = read_weights(archive, lambda: classifier._build_model(shape, classes))
    classifier._make_model(shape)
    classifier.model_.set_weights(weights)
    return classifier
