"""NLTK's own files: from its folders, a folder that was named, or a verified download; recorded, never replaced."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
import time

import nltk
import pytest
import rich.progress
from nltk.tokenize.punkt import PunktTokenizer

from toolkit.errors import DataError
from toolkit.text import TextPreprocessor, _nltk_data, _resources
from toolkit.text._nltk_data import PUNKT_TAB, STOPWORDS

TEXT = "Dr. Smith isn't here. He left the house."


@pytest.fixture
def server():
    """A mirror on this machine: ``files`` by path, ``requests`` as they came, ``cut`` answers with half a file."""

    class Mirror(http.server.ThreadingHTTPServer):
        daemon_threads = True
        files: dict[str, bytes] = {}  # noqa: RUF012
        requests: list[tuple[str, str | None]] = []  # noqa: RUF012
        cut = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            mirror = self.server
            mirror.requests.append((self.path, self.headers.get("Range")))
            if self.path not in mirror.files:
                self.send_error(404)
                return
            content = mirror.files[self.path]
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = len(content) // 2 if mirror.cut else len(content)
            mirror.cut = max(0, mirror.cut - 1)
            self.wfile.write(content[start:end])

        def log_message(self, *args):
            pass

    mirror = Mirror(("127.0.0.1", 0), Handler)
    mirror.files, mirror.requests = {}, []
    thread = threading.Thread(target=mirror.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield mirror
    mirror.shutdown()
    mirror.server_close()
    thread.join(10)


@pytest.fixture
def mirror(server, monkeypatch, published, stopwords_zip):
    """The mirror, which has the archive of stop words that the tests have published."""
    published(stopwords_zip)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the pause before another attempt
    server.files["/nltk_stopwords/stopwords.zip"] = stopwords_zip
    monkeypatch.setenv("TOOLKIT_DATA_URL", f"http://127.0.0.1:{server.server_address[1]}")
    return server


# ---------------------------------------------------------------------- a folder


def test_stop_words_of_a_folder(nltk_folder):
    english = TextPreprocessor(resources=nltk_folder)
    assert english.stop_word_list().words == ("is", "isn't", "the")
    assert english.tokens("The house is here") == ["hous", "here"]
    german = TextPreprocessor(stop_words="german", stemmer=None, resources=str(nltk_folder))
    assert german.tokens("Der Hund für die Katze") == ["hund", "katze"]


def test_punkt_of_a_folder_makes_each_full_stop_a_token(nltk_folder):
    punkt = TextPreprocessor(tokenizer="punkt", stop_words=None, stemmer=None, resources=nltk_folder)
    expected = ["dr.", "smith", "is", "n't", "here", ".", "he", "left", "the", "house", "."]
    assert punkt.tokens(TEXT) == expected
    assert list(punkt.preprocess(TEXT).stems) == expected


def test_unpacked_or_in_its_archive_a_package_reads_the_same(nltk_folder, stopwords_zip):
    packed = TextPreprocessor(resources=nltk_folder).stop_word_list()
    shutil.unpack_archive(nltk_folder / "corpora" / "stopwords.zip", nltk_folder / "corpora")
    (nltk_folder / "corpora" / "stopwords.zip").unlink()
    unpacked = TextPreprocessor(resources=nltk_folder).stop_word_list()
    assert unpacked.words == packed.words
    assert unpacked.source == "NLTK's corpora/stopwords, unpacked, english"
    assert packed.source.startswith("NLTK's corpora/stopwords, an archive other than the published archive")


def test_what_a_folder_lacks_is_an_error_and_nothing_else_is_taken(nltk_folder, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(nltk_folder)])
    bare = nltk_folder / "corpora"
    with pytest.raises(DataError, match=r"expected corpora/stopwords\.zip, .* neither in .*nltk\.download"):
        TextPreprocessor(resources=bare).fit(["a cat"])
    with pytest.raises(DataError, match="punkt_tab"):
        TextPreprocessor(resources=bare, tokenizer="punkt", stop_words=None).fit(["a cat"])
    with pytest.raises(DataError, match="nothing there"):
        TextPreprocessor(resources=nltk_folder / "nowhere").fit(["a cat"])


@pytest.mark.parametrize("language", ["klingon", "../english", "/etc/passwd", "german/../x", "ENGLISH", "", "a.b"])
def test_a_language_that_is_not_there_is_an_error(nltk_folder, language):
    with pytest.raises(DataError):
        TextPreprocessor(stop_words=language, resources=nltk_folder).fit(["a cat"])


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04" + bytes(30)])
def test_a_damaged_archive_is_an_error(nltk_folder, content):
    (nltk_folder / "corpora" / "stopwords.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"stopwords\.zip that cannot be read .*resources='builtin'"):
        TextPreprocessor(resources=nltk_folder).fit(["a cat"])


def test_a_truncated_archive_is_an_error(nltk_folder, stopwords_zip):
    (nltk_folder / "corpora" / "stopwords.zip").write_bytes(stopwords_zip[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        TextPreprocessor(resources=nltk_folder).fit(["a cat"])


def test_an_archive_bomb_is_not_unpacked(nltk_folder, monkeypatch):
    monkeypatch.setattr(_nltk_data, "_LARGEST_FILE", 10)
    with pytest.raises(DataError, match="at most 10 bytes, received more"):
        TextPreprocessor(resources=nltk_folder).fit(["a cat"])


def test_stop_words_in_another_encoding_are_an_error(nltk_folder):
    (nltk_folder / "corpora" / "stopwords.zip").unlink()
    (nltk_folder / "corpora" / "stopwords").mkdir()
    (nltk_folder / "corpora" / "stopwords" / "english").write_bytes("thé".encode("latin-1"))
    with pytest.raises(DataError, match="UnicodeDecodeError"):
        TextPreprocessor(resources=nltk_folder).fit(["a cat"])


@pytest.mark.parametrize("file", ["collocations.tab", "ortho_context.tab"])
def test_a_damaged_punkt_model_is_an_error(nltk_folder, file):
    path = nltk_folder / "tokenizers" / "punkt_tab" / "english" / file
    path.write_text("no tab\nhere\tx\ty\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a Punkt model|no Punkt model"):
        TextPreprocessor(tokenizer="punkt", resources=nltk_folder).fit(["a cat"])
    path.unlink()
    with pytest.raises(DataError, match="without it"):
        TextPreprocessor(tokenizer="punkt", resources=nltk_folder).fit(["a cat"])


# ---------------------------------------------------------------------- recorded


def test_the_saved_vocabulary_carries_its_resources(nltk_folder):
    preprocessor = TextPreprocessor(tokenizer="punkt", resources=nltk_folder).fit([TEXT])
    saved = preprocessor.to_json()
    recorded = json.loads(saved)["resources"]
    assert recorded["stop_words"]["source"].startswith("NLTK's corpora/stopwords")
    assert recorded["punkt"]["source"] == "NLTK's tokenizers/punkt_tab, unpacked, english"
    shutil.rmtree(nltk_folder)
    elsewhere = TextPreprocessor.from_json(saved)  # a machine without the folder
    assert elsewhere.resources_ == preprocessor.resources_
    assert elsewhere.tokens(TEXT) == ["dr.", "smith", "n't", "here", ".", "he", "left", "hous", "."]
    with pytest.raises(DataError, match="nothing there"):
        elsewhere.fit([TEXT])  # would have to read them anew, and takes no others


def test_a_change_of_the_model_in_the_file_is_found(nltk_folder):
    saved = TextPreprocessor(tokenizer="punkt", resources=nltk_folder).fit([TEXT]).to_json()
    with pytest.raises(DataError, match="not the one that its sha256 was taken of"):
        TextPreprocessor.from_json(saved.replace("u.s", "u.k"))


# ---------------------------------------------------------------------- NLTK's folders, the cache, a download


def test_nltks_folders_come_first(nltk_folder, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", ["/nowhere", str(nltk_folder)])
    assert TextPreprocessor(resources="nltk").stop_word_list().words == ("is", "isn't", "the")


def test_without_a_network_the_error_says_what_to_do():
    with pytest.raises(DataError, match=r"NLTK's corpora/stopwords: in NLTK's data folders, .*resources='builtin'"):
        TextPreprocessor(resources="nltk").fit(["a cat"])


def test_a_download_is_verified_and_cached(mirror, tmp_path, monkeypatch):
    shown = []

    class Recorded(rich.progress.Progress):
        def stop(self):
            shown.extend((task.description, task.completed, task.total) for task in self.tasks)
            super().stop()

    monkeypatch.setattr(rich.progress, "Progress", Recorded)
    preprocessor = TextPreprocessor(resources="nltk").fit(["the cat"])
    assert preprocessor.resources_.stop_words.words == ("is", "isn't", "the")
    assert preprocessor.resources_.stop_words.source == (
        f"NLTK's corpora/stopwords, published archive of nltk_data {_nltk_data._REVISION[:8]}, english"
    )
    size = len(mirror.files["/nltk_stopwords/stopwords.zip"])
    assert shown == [("stopwords.zip", size, size)]
    TextPreprocessor(resources="nltk", stop_words="german").fit(["the cat"])
    assert mirror.requests == [("/nltk_stopwords/stopwords.zip", None)]
    assert (tmp_path / "cache" / "data" / "nltk_stopwords" / "stopwords.zip").is_file()


def test_a_broken_download_goes_on_where_it_stopped(mirror, published, archive):
    words = [hashlib.sha256(bytes([k % 256, k // 256])).hexdigest() for k in range(10_000)]
    large = archive("stopwords", {"english": "\n".join(words)})
    published(large)
    mirror.files["/nltk_stopwords/stopwords.zip"] = large
    mirror.cut = 1
    assert TextPreprocessor(resources="nltk").stop_word_list().words == tuple(sorted(words))
    first, second = (asked for _, asked in mirror.requests)
    assert first is None
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    assert 0.25 * len(large) < start <= len(large) // 2


def test_other_bytes_than_the_published_are_refused(mirror, stopwords_zip, tmp_path):
    mirror.files["/nltk_stopwords/stopwords.zip"] = stopwords_zip[:-1] + b"x"
    with pytest.raises(DataError, match="NLTK's corpora/stopwords"):
        TextPreprocessor(resources="nltk").fit(["a cat"])
    assert not list((tmp_path / "cache").rglob("*.zip"))


def test_a_damaged_cache_is_downloaded_anew(mirror, tmp_path):
    TextPreprocessor(resources="nltk").fit(["a cat"])
    (tmp_path / "cache" / "data" / "nltk_stopwords" / "stopwords.zip").write_bytes(b"damaged")
    assert TextPreprocessor(resources="nltk").stop_word_list().words == ("is", "isn't", "the")
    assert len(mirror.requests) == 2


# ---------------------------------------------------------------------- NLTK's published files


def test_the_published_archives_are_those_with_the_recorded_checksums(shared_data):
    for package in (STOPWORDS, PUNKT_TAB):
        path = shared_data / "nltk_data" / f"{package.path}.zip"
        if path.is_file():
            assert "published archive of nltk_data" in _nltk_data._kind(path, package)
            assert "other" not in _nltk_data._kind(path, package)


def test_punkt_is_nltks(shared_data, movie_reviews, monkeypatch):
    folder = shared_data / "nltk_data"
    monkeypatch.setattr(nltk.data, "path", [str(folder)])
    preprocessor = TextPreprocessor(
        tokenizer="punkt", stop_words=None, stemmer=None, lower=False, html=False, resources=folder
    )
    for text in movie_reviews[:20]:
        assert preprocessor.tokens(text) == nltk.word_tokenize(text)
    sentences = PunktTokenizer("english").tokenize(TEXT)
    assert _resources.find_resources(preprocessor._parameters()).punkt.sentence_tokenizer().tokenize(TEXT) == sentences


def test_nltks_stop_words_are_nltks(shared_data, monkeypatch):
    folder = shared_data / "nltk_data"
    monkeypatch.setattr(nltk.data, "path", [str(folder)])
    words = TextPreprocessor(resources=folder).stop_word_list().words
    assert words == tuple(sorted(nltk.corpus.stopwords.words("english")))
