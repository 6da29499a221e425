"""Saved classifiers: the same answers, and no harm from bad files."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from toolkit.errors import DataError, InvalidValueError, UnsupportedError
from toolkit.images import ImagePreprocessor
from toolkit.models import ImageClassifier, TabularClassifier, TextClassifier
from toolkit.text import TextPreprocessor


@pytest.fixture
def saved(classifier, samples, tmp_path):
    X, y = samples
    classifier.set_params(epochs=1).fit(X, y)
    path = tmp_path / "classifier.zip"
    classifier.save(path)
    return path


def test_load_predicts_the_same(classifier, samples, saved):
    X, _ = samples
    loaded = type(classifier).load(saved)
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert loaded.classes_.tolist() == classifier.classes_.tolist()
    assert loaded.get_params()["epochs"] == 1
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_loaded_classifier_goes_on_learning(classifier, samples, saved):
    X, y = samples
    loaded = type(classifier).load(saved)
    for _ in range(25):
        loaded.partial_fit(X, y)
    assert loaded.score(X, y) > 0.9


def rewrite(path, change):
    """The archive with its JSON changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(members["classifier.json"])
    change(description)
    members["classifier.json"] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    X, y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2
    path = tmp_path_factory.mktemp("saved") / "table.zip"
    TabularClassifier((4,), epochs=1, verbose=False).fit(X, y).save(path)
    return path.read_bytes()


@pytest.fixture
def archive(content, tmp_path):
    path = tmp_path / "table.zip"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="another"),
        lambda d: d.update(version=2),
        lambda d: d.update(surprise=1),
        lambda d: d.update(classes=[]),
        lambda d: d.update(classes=[0, 1, 2]),
        lambda d: d.update(sample_shape=[5]),
        lambda d: d.update(sample_shape=[-1]),
        lambda d: d["settings"].update(hidden=[7]),
        lambda d: d["settings"].update(unknown=7),
        lambda d: d["settings"].update(hidden="os.system"),
        lambda d: d["inputs"].pop("mean"),
        lambda d: d["inputs"].update(mean=[0.0]),
        lambda d: d.pop("settings"),
    ],
)
def test_description_that_does_not_fit_errors(archive, change):
    rewrite(archive, change)
    with pytest.raises(DataError, match=r"TabularClassifier\.load"):
        TabularClassifier.load(archive)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"\x80\x04K\x01."])
def test_file_of_another_kind_errors(tmp_path, content):
    path = tmp_path / "bad.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="a classifier that was saved"):
        TabularClassifier.load(path)


def test_missing_file_errors(tmp_path):
    with pytest.raises(DataError, match="a classifier that was saved"):
        TabularClassifier.load(tmp_path / "nothing.zip")


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_truncated_file_errors(archive, keep):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError):
        TabularClassifier.load(archive)


def test_missing_weights_errors(archive):
    with zipfile.ZipFile(archive) as old:
        description = old.read("classifier.json")
    with zipfile.ZipFile(archive, "w") as new:
        new.writestr("classifier.json", description)
    with pytest.raises(DataError):
        TabularClassifier.load(archive)


def test_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("classifier.json", bytes(10_000_000))
    with pytest.raises(DataError, match="compressed parts"):
        TabularClassifier.load(path)


def test_settings_of_a_huge_model_take_no_memory(archive):
    """200,000 × 200,000 weights would be 160 GB; that the file does not hold them is known before."""
    rewrite(archive, lambda d: d["settings"].update(hidden=[200_000, 200_000]))
    with pytest.raises(DataError, match="weight 0 of shape"):
        TabularClassifier.load(archive)


@pytest.mark.parametrize(
    "weight",
    [
        np.zeros((3, 4), np.float64),
        np.zeros((4, 3), np.float32),
        np.full((3, 4), np.nan, np.float32),
        np.zeros((3, 4), object),
        np.asfortranarray(np.zeros((3, 4), np.float32)),
    ],
)
def test_other_weights_errors(archive, weight):
    replace_weight(archive, weight)
    with pytest.raises(DataError, match="weight 0"):
        TabularClassifier.load(archive)


def test_pickled_weights_are_not_unpickled(archive):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    trap = np.empty((3, 4), object)
    trap[:] = Trap()
    replace_weight(archive, trap)
    with pytest.raises(DataError, match="weight 0"):
        TabularClassifier.load(archive)


def replace_weight(path, weight):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    np.save(file, weight, allow_pickle=True)
    members["weights/0.npy"] = file.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_other_class_errors(archive):
    with pytest.raises(DataError, match=r"Load it with TabularClassifier\.load"):
        TextClassifier.load(archive)


def test_save_before_fit_errors(tmp_path):
    with pytest.raises(NotFittedError):
        TabularClassifier().save(tmp_path / "x.zip")
    assert not list(tmp_path.iterdir())


def test_setting_without_a_place_in_json_errors(tmp_path):
    X, y = np.zeros((4, 2)), [0, 1, 0, 1]
    classifier = TabularClassifier((4,), epochs=1, random_state=np.random.RandomState(0), verbose=False).fit(X, y)
    with pytest.raises(UnsupportedError, match="JSON"):
        classifier.save(tmp_path / "x.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(classes=[1, 0]),
        lambda d: d.update(classes=[0, 0]),
        lambda d: d.update(classes=[0, 300], dtype="uint8"),
        lambda d: d.update(dtype="V100000000"),
        lambda d: d.update(sample_shape=[3, 3]),
        lambda d: d["settings"].update(learning_rate={"module": "os", "class_name": "system", "config": {}}),
        lambda d: d["settings"].update(learning_rate="fast"),
        lambda d: d["inputs"].update(scale=[1.0, 0.0, 1.0]),
        lambda d: d["inputs"].update(mean=["a", "b", "c"]),
        lambda d: d["inputs"].update(mean=None),
        lambda d: d.update(inputs=[]),
    ],
)
def test_hostile_description_errors(archive, change):
    rewrite(archive, change)
    with pytest.raises(DataError, match=r"TabularClassifier\.load"):
        TabularClassifier.load(archive)


@pytest.mark.parametrize(
    ("classifier", "X"),
    [
        (TextClassifier(preprocessor=TextPreprocessor(max_tokens=9, stemmer=None)), ["good film", "bad film"]),
        (ImageClassifier(preprocessor=ImagePreprocessor((8, 8), "grey")), np.zeros((2, 8, 8), np.uint8)),
    ],
    ids=["texts", "images"],
)
def test_own_preprocessor_comes_back(classifier, X, tmp_path):
    path = tmp_path / "classifier.zip"
    small = {"hidden": (4,), "epochs": 1, "verbose": False}
    small |= {"filters": (2,)} if isinstance(classifier, ImageClassifier) else {}
    classifier.set_params(**small).fit(X, ["+", "-"]).save(path)
    loaded = type(classifier).load(path)
    assert loaded.preprocessor.get_params() == classifier.preprocessor.get_params()
    assert loaded.fit(X, ["+", "-"]).sample_shape_ == classifier.sample_shape_


def test_preprocessor_of_defaults_stays_none(classifier, samples, saved):
    assert type(classifier).load(saved).get_params().get("preprocessor") is None


def test_damaged_preprocessing_errors(tmp_path):
    path = tmp_path / "classifier.zip"
    TextClassifier(hidden=(4,), epochs=1, verbose=False).fit(["good", "bad"], [0, 1]).save(path)
    rewrite(path, lambda d: d["inputs"].update(preprocessor="{}"))
    with pytest.raises(DataError):
        TextClassifier.load(path)


def test_columns_are_still_known(tmp_path):
    X = pd.DataFrame({"width": [1.0, 2.0], "height": [3.0, 1.0]})
    TabularClassifier((4,), epochs=1, verbose=False).fit(X, [0, 1]).save(tmp_path / "classifier.zip")
    loaded = TabularClassifier.load(tmp_path / "classifier.zip")
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X[["height", "width"]])


def test_settings_changed_since_fit_errors(archive):
    """A file that could not be read again is not written."""
    before = archive.read_bytes()
    classifier = TabularClassifier.load(archive)
    with pytest.raises(InvalidValueError, match="the settings that the network was trained with, received others"):
        classifier.set_params(hidden=(3, 3)).save(archive)
    assert archive.read_bytes() == before


def test_numpy_reads_the_weights(archive):
    with np.load(archive) as weights:
        assert weights["weights/0"].shape == (3, 4)


def test_a_file_that_is_replaced_is_whole_or_the_old_one(archive, monkeypatch):
    before = archive.read_bytes()
    classifier = TabularClassifier.load(archive)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(DataError, match="No space left"):
        classifier.save(archive)
    assert archive.read_bytes() == before
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
