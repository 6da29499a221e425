from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from toolkit import data
from toolkit.data._info import SequencesInfo
from toolkit.data._sequences import read_sequences

HEADER = b"#A comment\n@problemName Tiny\n@equalLength false\n@classLabel true b a\n@data\n"
TRAIN = HEADER + b"1,2,3:4,5,6:a\n7:8:b\n"
TEST = HEADER + b"-1.5,2e-1:3,4:b\n"


@pytest.fixture
def tiny_sequences(make_info):
    def make(**changes):
        entry = make_info({"train.ts": TRAIN, "test.ts": TEST}).model_dump(
            exclude={"image_shape", "max_value", "stand_in", "files"}
        )
        files = [{"name": name, "size": 1, "md5": "0" * 32} for name in ("train.ts", "test.ts")]
        fixed = {"reader": "ts", "package": "sktime", "files": files, "train": 2, "test": 1}
        return SequencesInfo(**{**entry, **fixed, "length": 4, "channels": 2, **changes})

    return make


def test_ts_matches_hand_example(tiny_sequences):
    """Two channels, three time steps and one, padded to four; the header's first label is class 0."""
    arrays, lengths_train, lengths_test = read_sequences(tiny_sequences(), [TRAIN, TEST])
    assert arrays.x_train.tolist() == [[[1, 4], [2, 5], [3, 6], [0, 0]], [[7, 8], [0, 0], [0, 0], [0, 0]]]
    assert arrays.x_train.dtype == np.float32
    assert arrays.y_train.tolist() == [1, 0]
    assert lengths_train.tolist() == [3, 1]
    np.testing.assert_array_equal(arrays.x_test[0, :2], np.float32([[-1.5, 3], [0.2, 4]]))
    assert lengths_test.tolist() == [2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"7:8:b", b"7:8:c", "'c' is not in list"),
        (b"7:8:b", b"7:b", r"sample 1 has shape \(1, 1\)"),
        (b"7:8:b", b"7:8:9:b", r"sample 1 has shape \(1, 3\)"),
        (b"7:8:b", b"1,2,3,4,5:1,2,3,4,5:b", r"sample 1 has shape \(5, 2\)"),
        (b"7:8:b", b"7,8:9:b", "inhomogeneous"),
        (b"7:8:b", b"7:?:b", "could not convert"),
        (b"7:8:b", b"7:nan:b", "not finite"),
        (b"7:8:b", b"0:0:b", "looks like padding"),
        (b"7:8:b", b"", r"\(1, 1\) training and test sequences instead of \(2, 1\)"),
        (b"true b a", b"true b", "instead of 2 of them"),
        (b"@data", b"@date", r"\(0, 1\) training"),
    ],
)
def test_ts_of_another_kind_errors(tiny_sequences, old, new, message):
    assert old in TRAIN
    with pytest.raises(ValueError, match=message):
        read_sequences(tiny_sequences(), [TRAIN.replace(old, new), TEST])


@pytest.mark.parametrize(
    ("name", "shape", "n_test", "lengths"),
    [
        ("japanese_vowels", (270, 29, 12), 370, (7, 29)),
        ("basic_motions", (40, 100, 6), 40, (100, 100)),
        ("italy_power", (67, 24, 1), 1029, (24, 24)),
    ],
)
def test_embedded_sequences(name, shape, n_test, lengths):
    d = data.load(name)
    assert d.x_train.shape == shape
    assert d.x_test.shape == (n_test, *shape[1:])
    assert d.source == "package sktime: embedded, sha256 verified"
    for x, y, length, mask in (
        (d.x_train, d.y_train, d.lengths_train, d.mask_train),
        (d.x_test, d.y_test, d.lengths_test, d.mask_test),
    ):
        assert x.dtype == np.float32
        assert set(y) == set(range(len(d.classes)))
        assert (mask.dtype, mask.shape) == (bool, x.shape[:2])
        assert (mask.sum(axis=1) == length).all()
        # The mask of Keras's Masking layer: a time step that is not the mask value throughout.
        assert (mask == (x != d.mask_value).any(axis=2)).all()
    both = np.concatenate([d.lengths_train, d.lengths_test])
    assert (both.min(), both.max()) == lengths


def test_speakers_of_the_vowels():
    """As the publisher counts them: 30 recordings of each for training, and these for the test."""
    d = data.load("japanese_vowels")
    assert np.bincount(d.y_train).tolist() == [30] * 9
    assert np.bincount(d.y_test).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert d.classes[0] == "speaker 1"


def test_winter_days_have_their_peak_earlier():
    """Which label is winter is known by the evening: lamps are lit at six, not at nine."""
    d = data.load("italy_power")
    evening = [d.x_test[d.y_test == k, 16:, 0].mean(axis=0).argmax() + 16 for k in (0, 1)]
    assert d.classes == ("October to March", "April to September")
    assert evening[0] < evening[1]


@pytest.mark.parametrize("name", ["japanese_vowels", "basic_motions", "italy_power"])
def test_sequences_match_sktime(name):
    from sktime.datasets import load_from_tsfile

    d = data.load(name)
    folder = Path(importlib.util.find_spec("sktime").submodule_search_locations[0])
    x, y = load_from_tsfile(str(folder / data.catalogue()[name].files[1].name), return_data_type="nested_univ")
    assert len(x) == len(d.x_test)
    for n in range(0, len(x), 7):
        theirs = np.stack([channel.to_numpy() for channel in x.iloc[n]], axis=1)
        np.testing.assert_array_equal(d.x_test[n, : d.lengths_test[n]], theirs.astype(np.float32))
    labels = list(dict.fromkeys(y))
    assert len({(label, int(k)) for label, k in zip(y, d.y_test, strict=True)}) == len(labels) == len(d.classes)


def test_rows_of_images_as_a_sequence():
    images = data.load("mnist5k")
    rows = data.load("mnist5k", as_sequence=True)
    assert rows.x_train.shape == (4000, 28, 28)
    np.testing.assert_array_equal(rows.x_train, images.x_train[..., 0])
    assert (rows.lengths_train, rows.mask_train, rows.mask_value) == (None, None, None)
    assert data.load("digits", as_sequence=True, scale=False).x_test.dtype == np.uint8


def test_rows_of_colour_images_hold_their_channels(make_info, in_catalogue, tmp_path):
    info = make_info({"tiny.npz": b"?"}, image_shape=(5, 4, 3))
    in_catalogue(info)
    x = np.arange(2 * 60, dtype=np.uint8).reshape(2, 5, 4, 3)
    np.savez(tmp_path / "tiny.npz", x_train=x, y_train=[1, 0], x_test=x, y_test=[1, 0])
    d = data.load("tiny", data_dir=tmp_path, as_sequence=True, scale=False)
    assert d.x_train.shape == (2, 5, 12)
    assert d.x_train[0, 1].tolist() == list(range(12, 24))


def test_repr_of_sequences():
    lines = repr(data.load("japanese_vowels")).splitlines()
    assert lines[1] == "  x_train  (270, 29, 12) float32, 7 to 26 true time steps"
    assert lines[2] == "  y_train  (270,) int64"
    assert repr(data.load("italy_power")).splitlines()[1] == "  x_train  (67, 24, 1) float32, 24 true time steps"


def test_sequences_need_no_import_of_their_package():
    import subprocess
    import sys

    code = (
        "import sys; from toolkit import data\n"
        "data.load('japanese_vowels'); data.load('sunspots')\n"
        "print([name for name in 'sktime statsmodels pandas sklearn scipy tensorflow'.split() if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
