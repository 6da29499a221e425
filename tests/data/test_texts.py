from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from toolkit import data
from toolkit.data import _texts
from toolkit.data._catalogue import info_of
from toolkit.data._info import PairsInfo, TextsInfo
from toolkit.data._readers import UNREADABLE
from toolkit.data._texts import read_part, read_texts
from toolkit.errors import DataError, InvalidValueError


@pytest.fixture
def make_texts(make_info):
    """Makes a catalogue entry of texts for files of known content."""

    def make(files, reader, **changes):
        entry = make_info(files).model_dump(exclude={"image_shape", "max_value", "reader"})
        return TextsInfo(**{**entry, "reader": reader, "stand_in": "docstrings", **changes})

    return make


def _zip(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _pairs(x, y):
    return sorted(zip(x.tolist(), y.tolist(), strict=True))


def _assert_texts(*arrays):
    for array in arrays:
        assert array.dtype == object
        assert array.ndim == 1
        assert all(type(text) is str for text in array)


def test_movie_reviews_matches_hand_example(make_texts):
    """Folds 8 and 9 of the authors' ten, the first digit after ``cv``, are the test."""
    content = _zip(
        {
            "movie_reviews/README": b"not a review",
            "movie_reviews/pos/cv000_1.txt": b"good\nfilm",
            "movie_reviews/neg/cv799_2.txt": b"bad",
            "movie_reviews/neg/cv800_3.txt": b"worse",
            "movie_reviews/pos/cv900_4.txt": b"best",
        }
    )
    info = make_texts({"m.zip": content}, "movie_reviews", train=2, test=2)
    arrays = read_texts(info, [content], "class")
    assert _pairs(arrays.x_train, arrays.y_train) == [("bad", 0), ("good\nfilm", 1)]
    assert _pairs(arrays.x_test, arrays.y_test) == [("best", 1), ("worse", 0)]
    _assert_texts(arrays.x_train, arrays.x_test)
    assert arrays.y_train.dtype == np.int64


def test_sentence_polarity_matches_hand_example(make_texts):
    """A line separator of Latin-1 that was left in the file does not end a sentence."""
    members = {
        "sentence_polarity/rt-polarity.neg": "dull \ntoo\x85long \n\n".encode(),
        "sentence_polarity/rt-polarity.pos": "très bon\nfine\n".encode(),
    }
    content = _zip(members)
    info = make_texts({"s.zip": content}, "sentence_polarity", train=2, test=2)
    arrays = read_texts(info, [content], "class")
    both = _pairs(arrays.x_train, arrays.y_train) + _pairs(arrays.x_test, arrays.y_test)
    assert sorted(both) == [("dull", 0), ("fine", 1), ("too\x85long", 0), ("très bon", 1)]
    assert sorted(arrays.y_test) == [0, 1]


AG_NEWS = b'"1","A ""big"" day","It rained\\\\in Rome."\n"2","Goal, goal","Two\nlines, one row."\n'


def test_ag_news_matches_hand_example(make_texts):
    files = {"train.csv": AG_NEWS, "test.csv": b'"2","Title","Text"\n'}
    info = make_texts(files, "ag_news", train=2, test=1, targets=("topic", "title"))
    arrays = read_texts(info, list(files.values()), "topic")
    assert _pairs(arrays.x_train, arrays.y_train) == [
        ('A "big" day It rained in Rome.', 0),
        ("Goal, goal Two lines, one row.", 1),
    ]
    titles = read_texts(info, list(files.values()), "title")
    assert _pairs(titles.x_test, titles.y_test) == [("Text", "Title")]
    _assert_texts(titles.x_train, titles.y_train)


PAPER = {"source": ["We learn \\alpha.", " It  works. "], "target": ["Learning.", "They learn."], "title": "Learning"}


def _papers(*papers):
    return "".join(f"{json.dumps(paper)}\n" for paper in papers).encode()


@pytest.fixture
def make_pairs(make_texts):
    """A catalogue entry of SciTLDR for files of known content."""

    def make(files, **changes):
        entry = make_texts(files, "ag_news").model_dump(exclude={"classes", "reader"})
        return PairsInfo(**entry | {"reader": "scitldr", "targets": ("summary",)} | changes)

    return make


def test_scitldr_matches_hand_example(make_pairs):
    """A pair for each summary, for the test the first one; what is in the test is not learned from."""
    tested = {"source": ["Tested."], "target": ["The authors'.", "A reviewer's."], "title": "Tested"}
    dev = [PAPER | {"title": "Tested"}, PAPER | {"source": ["Tested."]}, PAPER | {"target": ["Short."]}]
    info = make_pairs({"train": b"?", "dev": b"?", "test": b"?"}, train=3, test=1)
    arrays = read_texts(info, [_papers(PAPER), _papers(*dev), _papers(tested)], "summary")
    text = "We learn \\alpha. It works."
    summaries = ["Learning.", "Short.", "They learn."]
    assert _pairs(arrays.x_train, arrays.y_train) == [(text, summary) for summary in summaries]
    assert _pairs(arrays.x_test, arrays.y_test) == [("Tested.", "The authors'.")]


@pytest.mark.parametrize(
    "line",
    [b"not JSON", b"[1]", _papers(PAPER | {"target": []}), _papers(PAPER | {"source": "text"}), b"\xff"],
    ids=["not JSON", "a list", "no summary", "a text", "not UTF-8"],
)
def test_scitldr_of_another_kind_errors(make_pairs, line):
    info = make_pairs({"train": b"?", "dev": b"?", "test": b"?"}, train=1, test=1)
    with pytest.raises(UNREADABLE):
        read_texts(info, [line, b"", line], "summary")


def test_scitldr_from_a_folder(shared_data):
    d = data.load("scitldr", data_dir=shared_data)
    assert d.source == "folder data_dir: published files, sha256 verified"
    assert (len(d.x_train), len(d.x_test), d.classes) == (3437, 618, ())
    assert not set(d.x_train) & set(d.x_test)
    _assert_texts(d.x_train, d.y_train, d.x_test, d.y_test)


@pytest.mark.parametrize(
    "row",
    [
        b'"3","a","b"\n',
        b'"0","a","b"\n',
        b'"one","a","b"\n',
        b'"1","a"\n',
        b'"1","a","\xff"\n',
        b"\n",
        b'"1","a",' * 99999,
    ],
)
def test_ag_news_of_another_kind_errors(make_texts, row):
    info = make_texts({"train.csv": row, "test.csv": row}, "ag_news", train=1, test=1)
    with pytest.raises(UNREADABLE):
        read_texts(info, [row, row], "topic")


def test_part_of_ag_news_is_split_the_same_for_each_target(make_texts):
    rows = b"".join(b'"%d","title %d","text %d"\n' % (k % 2 + 1, k, k) for k in range(10))
    part = {"file": "test.csv", "train": 6, "test": 4}
    info = make_texts({"train.csv": b"?", "test.csv": rows}, "ag_news", part=part, targets=("topic", "title"))
    topics, titles = read_part(info, rows, "topic"), read_part(info, rows, "title")
    assert np.bincount(topics.y_train).tolist() == [3, 3]
    assert np.bincount(topics.y_test).tolist() == [2, 2]
    joined = [f"{title} {text}" for text, title in zip(titles.x_test, titles.y_test, strict=True)]
    assert joined == topics.x_test.tolist()
    with pytest.raises(ValueError, match="9 texts instead of 10"):
        read_part(info, rows[rows.index(b"\n") + 1 :], "topic")


def _imdb():
    return {
        "aclImdb/README": b"about it",
        "aclImdb/train/unsup/0_0.txt": b"unlabelled",
        "aclImdb/train/pos/1_9.txt": "<br />Café!".encode(),
        "aclImdb/train/neg/0_2.txt": b"No.",
        "aclImdb/train/urls_neg.txt": b"http",
        "aclImdb/test/neg/0_1.txt": b"Never.",
    }


def test_imdb_matches_hand_example(make_texts):
    content = _tar(_imdb())
    info = make_texts({"a.tar.gz": content}, "acl_imdb", train=2, test=1)
    arrays = read_texts(info, [content], "class")
    assert _pairs(arrays.x_train, arrays.y_train) == [("<br />Café!", 1), ("No.", 0)]
    assert _pairs(arrays.x_test, arrays.y_test) == [("Never.", 0)]
    # The order of files in the archive does not matter.
    turned = _tar(dict(reversed(_imdb().items())))
    assert read_texts(info, [turned], "class").x_train.tolist() == arrays.x_train.tolist()


@pytest.mark.parametrize("cut", [10, 100, -4])
def test_cut_off_imdb_errors(make_texts, cut):
    """Even where only the checksum at the end of the gzip stream is missing."""
    content = _tar(_imdb())
    info = make_texts({"a.tar.gz": content}, "acl_imdb", train=2, test=1)
    with pytest.raises(UNREADABLE):
        read_texts(info, [content[:cut]], "class")


def test_imdb_with_wrong_sum_errors(make_texts):
    content = bytearray(_tar(_imdb()))
    content[-8] ^= 1
    info = make_texts({"a.tar.gz": bytes(content)}, "acl_imdb", train=2, test=1)
    with pytest.raises(gzip.BadGzipFile):
        read_texts(info, [bytes(content)], "class")


def _reuters(lists, labels, words):
    array = np.empty(len(lists), dtype=object)
    array[:] = lists
    stream = io.BytesIO()
    np.savez(stream, x=array, y=np.array(labels))
    return {"reuters.npz": stream.getvalue(), "reuters_word_index.json": json.dumps(words).encode()}


def test_reuters_matches_keras(make_texts, tmp_path, monkeypatch):
    """Keras's own reader of the same file: the same split, and the same words (it counts from 3 and adds a start)."""
    from keras.src.datasets import reuters

    random = np.random.RandomState(0)
    lists = [random.randint(1, 6, random.randint(1, 9)).tolist() for _ in range(11)]
    words = {word: number for number, word in enumerate(["the", "of", "said", "mln", "oil"], 1)}
    files = _reuters(lists, random.randint(0, 2, 11), words)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(reuters, "get_file", lambda *args, fname="", **kwargs: tmp_path / (fname or args[0]))
    (x_train, y_train), (x_test, y_test) = reuters.load_data(num_words=100)  # its default drops the last word
    names = {number + 3: word for word, number in reuters.get_word_index().items()}

    arrays = read_texts(make_texts(files, "keras_reuters", train=8, test=3), list(files.values()), "class")
    for ours, theirs in ((arrays.x_train, x_train), (arrays.x_test, x_test)):
        assert ours.tolist() == [" ".join(names[number] for number in numbers[1:]) for numbers in theirs]
    assert (arrays.y_train == y_train).all()
    assert (arrays.y_test == y_test).all()


def test_reuters_of_other_bytes_is_not_unpickled(make_texts, monkeypatch):
    files = _reuters([[1], [1]], [0, 1], {"the": 1})
    info = make_texts(files, "keras_reuters", train=1, test=1)
    monkeypatch.setattr(_texts, "_ListsOfNumbers", None)
    other = _reuters([[1], [1, 1]], [0, 1], {"the": 1})
    with pytest.raises(ValueError, match="other bytes than the published ones, which hold a pickle"):
        read_texts(info, list(other.values()), "class")


class _Bomb:
    exploded = False

    def __reduce__(self):
        return _explode, ()


def _explode():
    _Bomb.exploded = True


@pytest.mark.parametrize("content", [_Bomb(), [[1], _Bomb()], [eval], [np.float64], {"a": np.random.RandomState(0)}])
def test_pickle_that_asks_for_more_is_refused_and_never_run(content):
    with pytest.raises(ValueError, match="which an array of lists does not need"):
        _texts._ListsOfNumbers(io.BytesIO(pickle.dumps(content))).load()
    assert not _Bomb.exploded


@pytest.mark.parametrize("lists", [[[1], "word"], [[1], [1.5]], [[1], [True]], [[1], [[1]]], [[1], (1,)]])
def test_reuters_of_something_else_errors(make_texts, lists):
    files = _reuters(lists, [0, 1], {"the": 1})
    info = make_texts(files, "keras_reuters", train=1, test=1)
    with pytest.raises(ValueError, match="something else than lists of word numbers"):
        read_texts(info, list(files.values()), "class")


def test_reuters_word_without_a_name_errors(make_texts):
    files = _reuters([[1], [2]], [0, 1], {"the": 1})
    with pytest.raises(UNREADABLE):
        read_texts(make_texts(files, "keras_reuters", train=1, test=1), list(files.values()), "class")


def test_published_counts_errors(make_texts):
    content = _zip({"movie_reviews/pos/cv000_1.txt": b"a", "movie_reviews/neg/cv900_2.txt": b"b"})
    info = make_texts({"m.zip": content}, "movie_reviews", train=2, test=1)
    with pytest.raises(ValueError, match=r"\(1, 1\) training and test texts instead of \(2, 1\)"):
        read_texts(info, [content], "class")
    with pytest.raises(ValueError, match="no texts"):
        read_texts(info, [_zip({"else": b""})], "class")


@pytest.mark.parametrize(
    ("name", "train", "test", "first"),
    [
        ("movie_reviews", 1600, 400, "shakespeare . you hardly"),
        ("sentence_polarity", 8530, 2132, "a delightful stimulus for the optic nerves"),
    ],
)
def test_nltk_sets_from_the_shared_folder(shared_data, name, train, test, first):
    """Found where ``nltk.download`` leaves them, below a folder that holds other data, too."""
    d = data.load(name, data_dir=shared_data)
    assert d.source == "folder data_dir: published files, sha256 verified"
    assert np.bincount(d.y_train).tolist() == [train // 2] * 2
    assert np.bincount(d.y_test).tolist() == [test // 2] * 2
    assert d.classes == ("negative", "positive")
    assert d.x_train[0].startswith(first)
    _assert_texts(d.x_train, d.x_test)
    assert not set(d.x_train) & set(d.x_test)
    below = data.load(name, data_dir=shared_data / "nltk_data")
    assert below.x_train.tolist() == d.x_train.tolist()
    assert data.status(name, shared_data).state == "folder"


def test_movie_reviews_match_nltk(shared_data, monkeypatch):
    """The same texts and labels as NLTK's own reader gives."""
    import nltk
    from nltk.corpus import movie_reviews

    monkeypatch.setattr(nltk.data, "path", [str(shared_data / "nltk_data")])
    d = data.load("movie_reviews", data_dir=shared_data)
    ours = _pairs(np.concatenate([d.x_train, d.x_test]), np.concatenate([d.y_train, d.y_test]))
    theirs = [
        (movie_reviews.raw(name), label)
        for label, category in enumerate(("neg", "pos"))
        for name in movie_reviews.fileids(category)[::20]
    ]
    assert set(theirs) <= set(ours)
    assert len(ours) == 2000


def test_published_archive_from_a_mirror(shared_data, server, monkeypatch):
    content = (shared_data / "nltk_data" / "corpora" / "sentence_polarity.zip").read_bytes()
    server.files["/sentence_polarity/sentence_polarity.zip"] = content
    monkeypatch.setenv("TOOLKIT_DATA_URL", server.url)
    d = data.load("sentence_polarity")
    assert d.source == "cache: published files, sha256 verified"
    assert len(d.x_train) == 8530


def test_ag_news_from_its_test_file_alone(shared_data):
    d = data.load("ag_news", data_dir=shared_data)
    assert d.source == (
        "folder data_dir: test.csv alone, sha256 verified, split here; 6,000 + 1,600 of 120,000 + 7,600 texts"
    )
    assert np.bincount(d.y_train).tolist() == [1500] * 4
    assert np.bincount(d.y_test).tolist() == [400] * 4
    assert d.classes == ("World", "Sports", "Business", "Sci/Tech")
    assert not any("\\" in text for text in d.x_train)
    same = data.load("ag_news", data_dir=shared_data / "ag_news")
    assert same.x_test.tolist() == d.x_test.tolist()
    titles = data.load("ag_news", data_dir=shared_data, target="title")
    assert (titles.classes, len(titles.y_train)) == ((), 6000)
    _assert_texts(titles.x_train, titles.y_train, titles.x_test, titles.y_test)
    assert data.status("ag_news", shared_data).note.startswith("In the folder data_dir: test.csv alone")


def test_anybodys_test_file_is_not_ag_news(tmp_path):
    """``test.csv`` counts only in a folder named after the set; there, a wrong one is an error."""
    (tmp_path / "test.csv").write_text("id,label\n1,2\n")
    assert data.status("ag_news", tmp_path).state == "missing"
    folder = tmp_path / "ag-news"
    folder.mkdir()
    (folder / "test.csv").write_text("id,label\n1,2\n")
    status = data.status("ag_news", tmp_path)
    assert status.state == "damaged"
    with pytest.raises(DataError, match=r"texts in the published layout, .*row 1 .*left as it is"):
        data.load("ag_news", data_dir=tmp_path)


def test_ag_news_alone_is_not_taken_into_the_cache(shared_data):
    with pytest.raises(DataError, match=r"received test\.csv alone\. To use it where it is, pass data_dir="):
        data.fetch("ag_news", source=shared_data)


def test_ag_news_of_other_bytes_is_checked_and_said(tmp_path):
    """A file with the right rows that is not the published one is used, and the source says so."""
    info = info_of("ag_news")
    rows = b"".join(b'"%d","title %d","text"\n' % (k % 4 + 1, k) for k in range(7600))
    (tmp_path / "ag_news").mkdir()
    (tmp_path / "ag_news" / info.part.file).write_bytes(rows)
    d = data.load("ag_news", data_dir=tmp_path)
    assert "test.csv, not the published bytes (sha256 differs); structure checked; 6,000 + 1,600 of" in d.source


def test_no_network_names_the_corpus_that_needs_none(monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"no connection .*data\.load\('docstrings'\) needs no network"):
        data.load("reuters")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("imdb", {"flatten": True}, "no option flatten, which is for images, received a set of texts"),
        ("imdb", {"scale": False}, "no option scale"),
        ("japanese_vowels", {"as_sequence": True}, "no option as_sequence"),
        ("sunspots", {"target": "value"}, "no option target, which is for texts, received 'value'"),
        ("imdb", {"target": "summary"}, "target to be one of class, received 'summary'"),
        ("docstrings", {"target": "lib"}, "target to be one of library, family, summary, received 'lib'"),
        ("mnist5k", {"target": "digit"}, "no option target"),
        ("mnist5k", {"flatten": True, "as_sequence": True}, "flatten or as_sequence, received both"),
    ],
)
def test_options_of_another_kind_errors(name, options, message):
    with pytest.raises(InvalidValueError, match=message):
        data.load(name, **options)


def test_repr_of_texts(shared_data):
    lines = repr(data.load("sentence_polarity", data_dir=shared_data)).splitlines()
    assert lines[1] == "  x_train  (8530,) texts of 1 to 59 words, median 20"
    assert lines[5] == "  classes  2: negative, positive"
    assert lines[6] == "  example  'a delightful stimulus for the optic nerves , so …' → positive"
    titles = repr(data.load("ag_news", data_dir=shared_data, target="title"))
    assert "classes" not in titles
    assert "'Lab used by LAPD falsified DNA data'" in titles
