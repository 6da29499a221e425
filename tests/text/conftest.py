from __future__ import annotations

import argparse
import collections
import email.message
import hashlib
import io
import logging
import pathlib
import subprocess
import unittest.mock
import zipfile

import nltk
import numpy as np
import pytest

from toolkit.text import _nltk_data, _resources
from toolkit.text._steps import steps_for


@pytest.fixture(autouse=True)
def no_nltk_data(tmp_path, monkeypatch):
    """A machine without any of NLTK's data, with an empty cache and no network."""
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOOLKIT_DATA_URL", "http://127.0.0.1:9")  # the port of "discard": nothing answers
    steps_for.cache_clear()


PUNKT_FILES = {
    "english/abbrev_types.txt": "dr\nu.s\ne.g\n",
    "english/collocations.tab": "##number##\tjan\n",
    "english/ortho_context.tab": "he\t12\nsmith\t4\n",
    "english/sent_starters.txt": "he\nwe\n",
}


@pytest.fixture
def archive():
    """Makes a package as NLTK publishes it, of the text of each of its files."""

    def pack(name: str, files: dict[str, str]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            for file, text in files.items():
                packed.writestr(f"{name}/{file}", text)
        return stream.getvalue()

    return pack


@pytest.fixture
def stopwords_zip(archive):
    return archive("stopwords", {"english": "the\nis\nisn't\n", "german": "der\ndie\ndas\nfür\n"})


@pytest.fixture
def nltk_folder(tmp_path, stopwords_zip):
    """A data folder as ``nltk.download`` lays it out: stop words in their archive, Punkt unpacked; small, made here."""
    folder = tmp_path / "nltk_data"
    (folder / "corpora").mkdir(parents=True)
    (folder / "corpora" / "stopwords.zip").write_bytes(stopwords_zip)
    for name, text in PUNKT_FILES.items():
        path = folder / "tokenizers" / "punkt_tab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def published(monkeypatch):
    """Lets the catalogue's stop words be those of an archive made here."""

    def publish(content: bytes):
        package = _nltk_data.STOPWORDS._replace(size=len(content), sha256=hashlib.sha256(content).hexdigest())
        monkeypatch.setattr(_resources, "STOPWORDS", package)

    return publish


@pytest.fixture(scope="session")
def docstrings():
    """Real texts that are on every machine: what NumPy and the standard library say about themselves."""
    modules = (np, np.linalg, argparse, collections, email.message, logging, pathlib, subprocess, unittest.mock)
    docs = [getattr(value, "__doc__", None) for module in modules for value in vars(module).values()]
    return sorted({doc for doc in docs if isinstance(doc, str)})


@pytest.fixture(scope="session")
def movie_reviews(shared_data):
    """The 2,000 reviews, as NLTK reads them."""
    with zipfile.ZipFile(shared_data / "nltk_data" / "corpora" / "movie_reviews.zip") as packed:
        names = sorted(name for name in packed.namelist() if name.endswith(".txt"))
        return [packed.read(name).decode("latin-1") for name in names]
