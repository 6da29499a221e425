"""What is saved does the same again, records where its words are from, and is refused when it is not whole."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from toolkit.errors import DataError
from toolkit.text import TextPreprocessor, _preprocessor, _saved
from toolkit.text._stemming import Porter

TEXTS = ["The cats sat on the mat.", "My cat &amp; your dog, isn't it <b>3,000</b> “years” old? 日本 👩\u200d👧"]
OPTIONS = [
    {},
    {"max_tokens": None, "min_frequency": 1, "max_frequency": 0.5},
    {"stop_words": ["cat", "É", "mat"], "sequence_length": 3, "padding": "pre", "truncating": "pre"},
    {"stop_words": None, "stemmer": None, "lower": False, "html": False},
    {"stop_words": {"the", "on", "my"}, "stemmer": "snowball", "processes": 2},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_loaded_preprocessor_does_the_same(options, tmp_path):
    fitted = TextPreprocessor(**options).fit(TEXTS)
    fitted.save(tmp_path / "texts.json")
    loaded = TextPreprocessor.load(tmp_path / "texts.json")
    for name in ("vocabulary_", "token_ids_", "sequence_length_", "resources_"):
        assert getattr(loaded, name) == getattr(fitted, name)
    np.testing.assert_array_equal(loaded.counts_, fitted.counts_)
    assert loaded.counts_.dtype == np.int64
    new = [*TEXTS, "", "cats and unknown words"]
    np.testing.assert_array_equal(loaded.transform(new), fitted.transform(new))
    assert loaded.preprocess(TEXTS[1]) == fitted.preprocess(TEXTS[1])
    assert loaded.to_json() == fitted.to_json()
    assert loaded.fit(TEXTS).to_json() == fitted.to_json()


def test_the_file_records_what_was_chosen():
    saved = json.loads(TextPreprocessor(sequence_length=5).fit(TEXTS).to_json())
    assert saved["version"] == 1
    assert saved["parameters"]["sequence_length"] == 5
    assert saved["resources"]["stop_words"]["source"].startswith("toolkit.text: English function words")
    assert saved["resources"]["punkt"] is None
    assert set(saved["written_with"]) == {"nltk", "unicode"}


def test_the_file_is_the_same_in_another_process():
    """Sets of words are hashed differently there."""
    code = (
        "from toolkit.text import TextPreprocessor\n"
        "words = {'the', 'on', 'my', 'your', 'it', 'a', 'b', 'c'}\n"
        f"print(TextPreprocessor(stop_words=words).fit({TEXTS!r}).to_json(), end='')"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "12"
    ]
    assert printed[0] == printed[1] != b""


def test_saving_replaces_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "texts.json"
    path.write_text("old", encoding="utf-8")
    TextPreprocessor().fit(TEXTS).save(str(path))
    assert TextPreprocessor.load(str(path)).vocabulary_[2] == "cat"
    assert [file.name for file in tmp_path.iterdir()] == ["texts.json"]


def test_saving_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "texts.json"
    path.write_text("old", encoding="utf-8")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match=r"file 'texts\.json': .* received No space left on device"):
        TextPreprocessor().fit(TEXTS).save(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["texts.json"]


def test_saving_into_no_folder_errors(tmp_path):
    with pytest.raises(DataError, match="No such file or directory"):
        TextPreprocessor().fit(TEXTS).save(tmp_path / "nowhere" / "texts.json")


def test_what_is_not_fitted_cannot_be_saved(tmp_path):
    with pytest.raises(NotFittedError):
        TextPreprocessor().save(tmp_path / "texts.json")
    assert list(tmp_path.glob("*")) == []


def test_loading_what_is_not_there_errors(tmp_path):
    with pytest.raises(DataError, match=r"file 'texts\.json': .* No such file"):
        TextPreprocessor.load(tmp_path / "texts.json")
    with pytest.raises(DataError, match="directory"):
        TextPreprocessor.load(tmp_path)


def test_an_enormous_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_preprocessor, "_LARGEST_FILE", 1000)
    path = tmp_path / "texts.json"
    path.write_bytes(b" " * 1001)
    with pytest.raises(DataError, match="at most 1,000 bytes, received more"):
        TextPreprocessor.load(path)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_may_not_be_read_errors(tmp_path):
    path = tmp_path / "texts.json"
    TextPreprocessor().fit(TEXTS).save(path)
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        with pytest.raises(DataError, match="Permission denied"):
            TextPreprocessor.load(path)
    else:
        pytest.skip("this user may read every file")
    finally:
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file: Invalid JSON"),
        ("{", "the file: Invalid JSON"),
        (b"\xff\xfe", "the file: Invalid JSON"),
        (b"\x80\x04\x95", "the file: Invalid JSON"),
        ("\ud800", "the file: Input should be a valid string"),
        ("[" * 100_000, "the file: Invalid JSON: recursion limit"),
        ("null", "the file: Input should be an object"),
        ("[]", "the file: Input should be an object"),
        ("NaN", "the file"),
        ("{}", "parameters: Field required"),
        (None, "the file: JSON input should be string"),
        (5, "the file: JSON input should be string"),
    ],
)
def test_what_is_no_such_json_is_refused(text, message):
    with pytest.raises(DataError, match=r"expected what TextPreprocessor\.save wrote") as caught:
        TextPreprocessor.from_json(text)
    assert message in str(caught.value)


def _with(path, value):
    """The saved JSON, with another value at a path of keys."""
    saved = json.loads(TextPreprocessor().fit(TEXTS).to_json())
    *keys, last = path.split("/")
    place = saved
    for key in keys:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(saved)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("kind", "toolkit.images.ImagePreprocessor", "kind: "),
        ("version", 2, "version: "),
        ("version", "1", "version: "),
        ("parameters/stemmer", "lancaster", "parameters.stemmer: "),
        ("parameters/stemmer", "snowball", "which cut or stem the file's sample differently"),
        ("parameters/lower", 1, "parameters.lower: "),
        ("parameters/max_tokens", 0, "parameters.max_tokens: "),
        ("parameters/tokenizer", "punkt", "parameters: "),
        ("parameters/stop_words", None, "a list of stop words belongs to stop_words"),
        ("parameters/surprise", 1, "parameters.surprise: Extra inputs"),
        ("resources/stop_words", None, "a list of stop words belongs to stop_words"),
        ("resources/stop_words/words/0", "cat", "not those that their sha256 was taken of"),
        ("resources/stop_words/sha256", "0" * 64, "not those that their sha256 was taken of"),
        ("vocabulary/0", "[PAD]", "a vocabulary begins with '' and '[UNK]'"),
        ("vocabulary/2", "dog", "a token stands twice"),
        ("vocabulary/2", "", "a token stands twice"),
        ("vocabulary/2", "two words", "is empty or holds white space"),
        ("vocabulary/2", None, "vocabulary.2: "),
        ("vocabulary", [], "a vocabulary begins with"),
        ("vocabulary", {"cat": 2}, "vocabulary: "),
        ("counts", [0, 0, 1], "3 counts for a vocabulary of"),
        ("counts/2", -1, "counts.2: "),
        ("counts/2", 1.5, "counts.2: "),
        ("counts/2", 10**30, "counts.2: "),
        ("sequence_length", 0, "sequence_length: "),
        ("sequence_length", 10**9, "sequence_length: "),
        ("sample/text", "x" * 2000, "sample.text: "),
        ("sample/stems", ["other"], "which cut or stem the file's sample differently"),
    ],
)
def test_what_has_been_changed_is_refused(path, value, message):
    with pytest.raises(DataError, match="here: expected") as caught:
        TextPreprocessor.from_json(_with(path, value), "here")
    assert message in str(caught.value)


def test_unchanged_it_is_not_refused():
    assert TextPreprocessor.from_json(_with("version", 1)).vocabulary_[2] == "cat"


def test_half_a_file_is_refused(tmp_path):
    path = tmp_path / "texts.json"
    TextPreprocessor().fit(TEXTS).save(path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=r"file 'texts\.json'"):
            TextPreprocessor.load(path)


def test_another_nltk_that_stems_differently_is_told(monkeypatch):
    saved = TextPreprocessor().fit(TEXTS).to_json()
    monkeypatch.setattr(Porter, "_step1a", lambda self, word: word)
    monkeypatch.setattr(_saved.nltk, "__version__", "9.9")
    with pytest.raises(DataError, match=r"received NLTK 9\.9 .*Install nltk==3"):
        TextPreprocessor.from_json(saved)
