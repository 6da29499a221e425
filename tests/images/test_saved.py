from __future__ import annotations

import json

import numpy as np
import pytest

from toolkit.errors import DataError, ToolkitError
from toolkit.images import Augment, ImagePreprocessor

SETTINGS = [
    {},
    {"size": [12, 9], "colour": "grey", "resize": "letterbox", "normalize": None, "background": 7},
    {"normalize": "standard"},
    {"normalize": "standard", "mean": (0.5, 0.4, 0.3), "std": np.array([0.1, 0.2, 0.3])},
    {"augment": Augment("both", 0.1, 5, hue=np.float64(3)), "background": (1, 2, 3), "seed": np.int64(3)},
    {"source_colour": "bgr", "on_error": "skip", "max_pixels": 10_000},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_load_gives_back_what_was_saved(settings, tmp_path, picture):
    images = [picture[:50, :50], picture[20:40]]
    saved = ImagePreprocessor(**{"source_colour": "rgb"} | settings).fit(images)
    saved.save(tmp_path / "images.json")
    loaded = ImagePreprocessor.load(tmp_path / "images.json")
    np.testing.assert_array_equal(loaded.transform(images), saved.transform(images))
    assert loaded.to_json() == saved.to_json()
    assert loaded.augment == saved.augment
    assert [path.name for path in tmp_path.iterdir()] == ["images.json"]


def test_unfitted_stays_unfitted(tmp_path):
    loaded = ImagePreprocessor.from_json(ImagePreprocessor(normalize="standard").to_json())
    assert not hasattr(loaded, "mean_")


def _change(path: str, value: object):
    def change(content: dict) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            content = content[parent]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_change("kind", "pickle"), "kind"),
        (_change("version", 2), "version"),
        (_change("extra", 1), "extra"),
        (_change("settings.size", "28"), "settings.size"),
        (_change("settings.size", [28.5, 28]), "settings.size"),
        (_change("settings.size", [28]), "size"),
        (_change("settings.seed", "0"), "settings.seed"),
        (_change("settings.colour", "cmyk"), "colour"),
        (_change("settings.code", "import os"), "settings.code"),
        (_change("settings.augment", {"flip": None}), "settings.augment"),
        (_change("settings.augment.rotate", 1000.0), "rotate"),
        (_change("learned_mean", [0.1]), "one number for each channel"),
        (_change("learned_mean", None), "one number for each channel"),
        (_change("learned_std", [0.0, 1.0, 1.0]), "learned_std"),
    ],
)
def test_a_changed_file_is_refused(change, message, picture):
    fitted = ImagePreprocessor(normalize="standard", source_colour="rgb", augment=Augment(rotate=3)).fit([picture])
    content = json.loads(fitted.to_json())
    change(content)
    with pytest.raises(ToolkitError, match=message):
        ImagePreprocessor.from_json(json.dumps(content))


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"null", b"\xff\xfe", b'{"kind": NaN}', b"\x80\x04."])
def test_other_files_are_refused_by_name(content, tmp_path):
    (tmp_path / "images.json").write_bytes(content)
    with pytest.raises(DataError, match=r"images\.json: expected what ImagePreprocessor\.save wrote"):
        ImagePreprocessor.load(tmp_path / "images.json")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: .* received No such file"):
        ImagePreprocessor.load(tmp_path / "none.json")
    with pytest.raises(DataError, match="a place that can be written to, received No such file"):
        ImagePreprocessor().save(tmp_path / "nowhere" / "a.json")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "images.json"
    ImagePreprocessor().save(path)
    before = path.read_text()
    monkeypatch.setattr(type(path), "replace", _no_room)
    with pytest.raises(DataError, match="No space left"):
        ImagePreprocessor(seed=5).save(path)
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["images.json"]


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")
