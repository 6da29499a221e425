from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from toolkit import data
from toolkit.data import _corpus, _status
from toolkit.data._catalogue import info_of
from toolkit.data._corpus import build, corpus_path, load_docstrings, read_corpus
from toolkit.data._info import PackageInfo
from toolkit.data._places import cache_dir
from toolkit.errors import DataError

PROJECT = Path(__file__).resolve().parents[2]


def test_corpus_is_balanced_and_whole(tiny_corpus, cache):
    corpus = read_corpus(tiny_corpus, cache, "library")
    x_train, y_train, x_test, y_test = corpus.arrays
    assert corpus.classes == ("alpha", "beta")
    assert np.bincount(y_train).tolist() == [24, 24]
    assert np.bincount(y_test).tolist() == [16, 16]
    assert y_train.dtype == y_test.dtype == np.int64
    assert x_train.dtype == x_test.dtype == object
    assert len(set(x_train) | set(x_test)) == 80
    assert corpus.source.startswith("docstrings of the installed alpha 1.0, beta 1.1; corpus ")
    package = {text.text: text.package for text in load_docstrings(tiny_corpus, cache)}
    assert all(package[text] == corpus.classes[label] for text, label in zip(x_train, y_train, strict=True))
    assert read_corpus(tiny_corpus, cache, "family").classes == ("greek", "letters")


def test_classes_shrink_together(tiny_corpus, packages, cache):
    """A version with fewer docstrings makes a smaller corpus, not an unbalanced one."""
    for path in (packages / "beta" / "part0").iterdir():
        path.unlink()
    corpus = read_corpus(tiny_corpus, cache, "library")
    assert np.bincount(corpus.arrays.y_train).tolist() == [4, 4]
    assert np.bincount(corpus.arrays.y_test).tolist() == [16, 16]
    for path in (packages / "beta" / "part1").iterdir():
        path.write_text("")
    with pytest.raises(DataError, match="docstrings of each class"):
        read_corpus(tiny_corpus, cache / "other", "library")


@pytest.mark.parametrize("target", ["library", "family", "summary"])
def test_no_module_gives_samples_to_both_parts(tiny_corpus, cache, target):
    field = "body" if target == "summary" else "text"
    module = {getattr(text, field): (text.package, text.module) for text in load_docstrings(tiny_corpus, cache)}
    arrays = read_corpus(tiny_corpus, cache, target).arrays
    train, test = ({module[text] for text in side} for side in (arrays.x_train, arrays.x_test))
    assert len(train) > len(test) > 0
    assert not train & test


def test_body_and_summary_belong_together(tiny_corpus, cache):
    summary = {text.body: text.summary for text in load_docstrings(tiny_corpus, cache)}
    corpus = read_corpus(tiny_corpus, cache, "summary")
    x_train, y_train, x_test, y_test = corpus.arrays
    assert len(x_train) + len(x_test) == 80
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert [summary[text] for text in x] == y.tolist()
        assert all(type(text) is str for text in y)
    assert corpus.classes == ()


def test_order_of_the_file_system_does_not_matter(tiny_corpus, cache, monkeypatch):
    before = build(tiny_corpus)
    walk = os.walk

    def turned(root):
        for folder, folders, names in walk(root):
            folders.reverse()
            yield folder, folders, names[::-1]

    monkeypatch.setattr("toolkit.data._docstrings.os.walk", turned)
    assert build(tiny_corpus) == before


def test_cache_is_used_and_keyed_by_version(tiny_corpus, packages, cache, monkeypatch):
    texts = load_docstrings(tiny_corpus, cache)
    path = corpus_path(tiny_corpus, cache)
    assert path.is_file()
    with monkeypatch.context() as patch:
        patch.setattr(_corpus, "build", None)  # would fail if called
        assert load_docstrings(tiny_corpus, cache) == texts
    information = packages / "beta-1.1.dist-info"
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: beta\nVersion: 1.2\n")
    information.rename(packages / "beta-1.2.dist-info")
    assert corpus_path(tiny_corpus, cache) != path
    assert "beta 1.2" in read_corpus(tiny_corpus, cache, "library").source
    assert path.is_file()  # another environment may use it


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: b"not gzip",
        lambda content: gzip.compress(b"0" * 64 + b'\n["alpha"]\n'),
    ],
)
def test_damaged_cache_is_built_again(tiny_corpus, cache, damage):
    texts = load_docstrings(tiny_corpus, cache)
    path = corpus_path(tiny_corpus, cache)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert load_docstrings(tiny_corpus, cache) == texts
    assert path.read_bytes() == whole
    assert list(path.parent.iterdir()) == [path]


def test_cache_that_cannot_be_written_to(tiny_corpus, small_disk, caplog):
    disk = small_disk(256)
    disk.read_only()
    texts = load_docstrings(tiny_corpus, disk / "data")
    assert len(texts) == 80
    assert "built anew each time" in caplog.text
    with pytest.raises(OSError, match="Read-only"):
        load_docstrings(tiny_corpus, disk / "data", must_store=True)


def test_cache_below_a_file(tiny_corpus, tmp_path, caplog):
    (tmp_path / "file").touch()
    assert len(load_docstrings(tiny_corpus, tmp_path / "file" / "data")) == 80
    assert "built anew each time" in caplog.text


def test_read_only_cache_that_holds_it_is_used(tiny_corpus, small_disk, monkeypatch, caplog):
    disk = small_disk(256)
    texts = load_docstrings(tiny_corpus, disk / "data")
    disk.read_only()
    monkeypatch.setattr(_corpus, "build", None)
    assert load_docstrings(tiny_corpus, disk / "data") == texts
    assert caplog.text == ""


def test_full_disk_leaves_nothing_half_written(tiny_corpus, small_disk, caplog):
    disk = small_disk(8)
    (disk / "filler").write_bytes(bytes(4 * 1024))
    assert len(load_docstrings(tiny_corpus, disk / "data")) == 80
    assert "built anew each time" in caplog.text
    assert not corpus_path(tiny_corpus, disk / "data").exists()


def test_two_processes_build_it_once(tiny_corpus, packages, cache):
    """Both are asked at once; the second finds what the first has written."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from toolkit.data import _corpus\n"
        "from toolkit.data._info import CorpusInfo\n"
        "build = _corpus.build\n"
        "_corpus.build = lambda info, **kw: (print('builds', flush=True), time.sleep(0.5), build(info, **kw))[2]\n"
        "info = CorpusInfo.model_validate_json(sys.argv[1])\n"
        "print(len(_corpus.load_docstrings(info, Path(sys.argv[2]))))\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tiny_corpus.model_dump_json(), str(cache)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(packages)])},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(printed) == [["80"], ["builds", "80"]]


def test_absent_package_is_left_out_and_named(tiny_corpus, packages, cache, caplog):
    absent = PackageInfo(name="gamma", distribution="gamma", family="greek")
    three = tiny_corpus.model_copy(
        update={
            "packages": (*tiny_corpus.packages, absent),
            "classes": ("alpha", "beta", "gamma"),
            "train": 72,
            "test": 48,
        }
    )
    for target, classes in (("library", ("alpha", "beta")), ("family", ("greek", "letters")), ("summary", ())):
        caplog.clear()
        corpus = read_corpus(three, cache, target)
        assert corpus.classes == classes
        assert corpus.source.startswith(
            "docstrings of the installed alpha 1.0, beta 1.1, without gamma, not installed;"
        )
        assert caplog.messages == ["The corpus of docstrings is without gamma, not installed."]
        for got, expected in zip(corpus.arrays, read_corpus(tiny_corpus, cache, target).arrays, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert _status._status_of_corpus(three).note.endswith("from 2 installed packages, without gamma, not installed.")


def test_too_few_packages_errors(tiny_corpus, packages, cache):
    shutil.rmtree(packages / "beta")
    shutil.rmtree(packages / "beta-1.1.dist-info")
    with pytest.raises(DataError, match=r"two of the packages alpha, beta to be installed.* received alpha"):
        read_corpus(tiny_corpus, cache, "library")
    assert _status._status_of_corpus(tiny_corpus).state == "damaged"


def test_package_that_is_installed_under_another_name(tiny_corpus, packages, cache):
    """As tensorflow-cpu is."""
    other = packages / "beta_cpu-3.0.dist-info"
    (packages / "beta-1.1.dist-info").rename(other)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: beta-cpu\nVersion: 3.0\n")
    (other / "top_level.txt").write_text("beta\n")
    assert "beta 3.0" in read_corpus(tiny_corpus, cache, "library").source


def test_progress_bar_after_two_seconds(tiny_corpus, monkeypatch, capsys):
    import rich.progress

    bars = []
    started = rich.progress.Progress.__enter__
    monkeypatch.setattr(rich.progress.Progress, "__enter__", lambda bar: bars.append(bar) or started(bar))
    texts = build(tiny_corpus)
    assert not bars
    monkeypatch.setattr(_corpus, "_PATIENCE_SECONDS", 0.0)
    assert build(tiny_corpus) == texts
    (task,) = bars[0].tasks
    assert task.total == 42
    assert capsys.readouterr().out == ""
    assert build(tiny_corpus, progress=False) == texts
    assert len(bars) == 1


@pytest.fixture(scope="module")
def full_cache():
    """The user's own cache, with the corpus of this machine's packages; it takes 13 seconds to build."""
    load_docstrings(info_of("docstrings"), cache_dir())
    return cache_dir()


@pytest.fixture
def full(full_cache, monkeypatch):
    monkeypatch.setenv("TOOLKIT_CACHE", str(full_cache.parent))
    monkeypatch.setattr(_corpus, "build", None)
    return load_docstrings(info_of("docstrings"), full_cache)


@pytest.mark.xdist_group("docstrings")
def test_full_corpus(full):
    info = info_of("docstrings")
    d = data.load("docstrings")
    assert (len(d.x_train), len(d.x_test)) == (info.train, info.test)
    assert d.classes == info.classes
    assert np.bincount(d.y_train).tolist() == [800] * 6
    assert np.bincount(d.y_test).tolist() == [200] * 6
    assert not set(d.x_train) & set(d.x_test)
    lengths = [len(text.split()) for text in [*d.x_train, *d.x_test]]
    assert min(lengths) >= 20
    assert max(lengths) <= 400
    assert "tensorflow 2." in d.source
    family = data.load("docstrings", target="family")
    assert np.bincount(family.y_train).tolist() == [800] * 8
    summary = data.load("docstrings", target="summary")
    assert len(summary.x_train) + len(summary.x_test) > 11_600
    assert summary.classes == ()


@pytest.mark.xdist_group("docstrings")
def test_full_corpus_does_not_name_its_libraries(full):
    names = "|".join(package.name for package in info_of("docstrings").packages)
    leak = re.compile(rf"{names}|scikit|pyplot|\b(np|pd|plt|mpl|tf\.\w+)\b|://|>>>|versionadded", re.IGNORECASE)
    assert not Counter(match[0] for text in full for match in leak.finditer(text.text))


@pytest.mark.xdist_group("docstrings")
def test_full_corpus_has_no_near_duplicates(full):
    """Three words in a row are the key: every text against all that share one of its rarest with it."""
    shingles = [set(zip(words, words[1:], words[2:])) for words in (text.text.lower().split() for text in full)]
    holders = {}
    for k, own in enumerate(shingles):
        for shingle in own:
            holders.setdefault(shingle, []).append(k)
    worst = 0.0
    for k in range(0, len(full), 10):
        shared = Counter(other for shingle in shingles[k] if len(holders[shingle]) < 200 for other in holders[shingle])
        del shared[k]
        for other, count in shared.most_common(3):
            worst = max(worst, count / (len(shingles[k]) + len(shingles[other]) - count))
    assert worst < 0.8


@pytest.mark.xdist_group("docstrings")
def test_a_linear_model_learns_the_task_and_does_not_exhaust_it(full):
    """The figure itself is that of benchmarks/docstrings_baseline.py."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB

    d = data.load("docstrings")
    words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    x_train, x_test, model = words.fit_transform(d.x_train), words.transform(d.x_test), MultinomialNB(alpha=0.1)
    assert 0.8 < model.fit(x_train, d.y_train).score(x_test, d.y_test) < 0.95
    shuffled = np.random.RandomState(0).permutation(d.y_train)
    assert model.fit(x_train, shuffled).score(x_test, d.y_test) < 0.25


@pytest.mark.xdist_group("docstrings")
def test_status_fetch_and_repr(full, full_cache, monkeypatch, cache):
    path = corpus_path(info_of("docstrings"), full_cache)
    assert data.fetch("docstrings") == [path]
    status = data.status("docstrings")
    assert (status.state, status.path, status.size_bytes) == ("embedded", path.parent, path.stat().st_size)
    assert status.note == "Built from 10 installed packages."
    lines = repr(data.load("docstrings")).splitlines()
    assert re.fullmatch(r"  x_train  \(4800,\) texts of 20 to \d+ words, median \d+", lines[1])
    assert str(full_cache) not in "".join(lines)
    monkeypatch.setenv("TOOLKIT_CACHE", str(cache))
    assert data.status("docstrings").note == "Built at first use, in some seconds, from 10 installed packages."
    assert data.status("docstrings").path is None


def test_fetch_that_cannot_store_errors(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(_corpus, "build", lambda info, progress: [])
    with pytest.raises(DataError, match=r"a cache folder that can be written to .*TOOLKIT_CACHE"):
        data.fetch("docstrings")


def test_nothing_is_imported_to_build_it(packages, tiny_corpus, cache):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from toolkit.data._corpus import load_docstrings\n"
        "from toolkit.data._info import CorpusInfo\n"
        "before = set(sys.modules)\n"
        "info = CorpusInfo.model_validate_json(sys.argv[1])\n"
        "load_docstrings(info, Path(sys.argv[2]))\n"
        "heavy = 'tensorflow keras sklearn scipy pandas matplotlib nltk alpha beta'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, tiny_corpus.model_dump_json(), str(cache)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), str(packages)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
