"""From the bytes of published files to labelled texts, one reader for each layout.

As the readers of images, these take bytes whose checksum has been verified. Texts stay as they were
published, mark-up included: cleaning them is a lesson of its own. Both parts are shuffled, always in the
same order.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import re
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from toolkit.data._info import TextsInfo
from toolkit.data._readers import Arrays, check_counts, stratified_split

_SHUFFLE_SEED = 2024
# A text and its label: the number of a class, or for the target "title" another text.
Sample = tuple[str, int | str]


def read_texts(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """Read the published files of a set of texts.

    Args:
        info: the catalogue's entry.
        contents: the bytes of ``info.files``, in the same order.
        target: one of ``info.targets``.

    Returns:
        x, (N,) objects of type ``str``; y, (N,) int64, or objects of type ``str``.

    Raises:
        UNREADABLE: any of these if the bytes do not hold the texts that ``info`` describes.
    """
    readers: dict[str, Callable[..., Arrays]] = {
        "movie_reviews": _read_movie_reviews,
        "sentence_polarity": _read_sentence_polarity,
        "ag_news": _read_ag_news,
        "acl_imdb": _read_acl_imdb,
        "keras_reuters": _read_keras_reuters,
        "scitldr": _read_scitldr,
    }
    return check_counts(info, readers[info.reader](info, contents, target))


def read_part(info: TextsInfo, content: bytes, target: str) -> Arrays:
    """Read the one file of a set that is of use alone, and split it: always the same, each class in its share.

    Raises:
        UNREADABLE: any of these if it is not that file.
    """
    samples = _ag_news_samples(info, content, target)
    if len(samples) != info.part.train + info.part.test:
        raise ValueError(f"{len(samples)} texts instead of {info.part.train + info.part.test}")
    topics = [topic for _, topic in _ag_news_samples(info, content, "topic")]
    return _split(samples, topics, info.part.test)


def _read_movie_reviews(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """NLTK's archive of one file a review, ``movie_reviews/pos/cv000_29590.txt``.

    The authors' experiments had ten folds, named by the first digit after ``cv``; the last two are the test.
    """
    folds: dict[bool, list[Sample]] = {False: [], True: []}
    with zipfile.ZipFile(io.BytesIO(contents[0])) as archive:
        for name in sorted(archive.namelist()):
            if found := re.fullmatch(r"movie_reviews/(neg|pos)/cv(\d)\d\d_\d+\.txt", name):
                text = archive.read(name).decode("ascii")
                folds[found[2] in "89"].append((text, ("neg", "pos").index(found[1])))
    return _shuffled(folds[False], folds[True])


def _read_sentence_polarity(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """NLTK's archive of one sentence a line; no split was published, so this makes one."""
    samples: list[Sample] = []
    with zipfile.ZipFile(io.BytesIO(contents[0])) as archive:
        for label, name in enumerate(("neg", "pos")):
            # Not splitlines(), which also splits at some letters of the old encoding that are left in here.
            lines = archive.read(f"sentence_polarity/rt-polarity.{name}").decode("utf-8").split("\n")
            samples += [(line.strip(), label) for line in lines if line.strip()]
    return _split(samples, [label for _, label in samples], info.test)


def _read_ag_news(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    train, test = (_ag_news_samples(info, content, target) for content in contents)
    return _shuffled(train, test)


def _ag_news_samples(info: TextsInfo, content: bytes, target: str) -> list[Sample]:
    r"""Lines of ``class,title,description``, classes counted from 1; a ``\`` stands for a line break."""
    samples: list[Sample] = []
    for number, row in enumerate(csv.reader(io.StringIO(content.decode("utf-8"), newline="")), 1):
        if len(row) != 3 or row[0] not in {str(k + 1) for k in range(len(info.classes))}:
            raise ValueError(f"row {number} is not a class from 1 to {len(info.classes)}, a title and a description")
        title, description = (" ".join(field.replace("\\", " ").split()) for field in row[1:])
        if target == "title":
            samples.append((description, title))
        else:
            samples.append((f"{title} {description}", int(row[0]) - 1))
    return samples


def _read_acl_imdb(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """Stanford's archive of one file a review, ``aclImdb/train/pos/0_9.txt``; unlabelled ones are passed over."""
    found: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    with gzip.GzipFile(fileobj=io.BytesIO(contents[0])) as stream:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                if member.isfile() and len(parts) == 4 and parts[1] in ("train", "test") and parts[2] in ("neg", "pos"):
                    text = archive.extractfile(member).read().decode("utf-8")
                    found[parts[1]].append((member.name, (text, ("neg", "pos").index(parts[2]))))
        while stream.read(1 << 20):  # only the end of a gzip stream tells whether it is intact
            pass
    train, test = ([sample for _, sample in sorted(found[part])] for part in ("train", "test"))
    return _shuffled(train, test)


class _Paper(NamedTuple):
    title: str
    abstract: str
    summaries: list[str]


def _read_scitldr(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """Lines of JSON, a paper each: the sentences of its abstract, and one or several summaries of one sentence.

    The first summary is the authors', the others are written from reviews. ``train.jsonl`` and ``dev.jsonl`` give a
    pair for each summary, without papers whose title or abstract is in the test, which were published so;
    ``test.jsonl`` gives one for each paper, the authors'.
    """
    train, dev, test = (_papers(content) for content in contents)
    titles, abstracts = ({getattr(paper, field) for paper in test} for field in ("title", "abstract"))
    unseen = [paper for paper in (*train, *dev) if paper.title not in titles and paper.abstract not in abstracts]
    pairs = [(paper.abstract, summary) for paper in unseen for summary in paper.summaries]
    return _shuffled(pairs, [(paper.abstract, paper.summaries[0]) for paper in test])


def _papers(content: bytes) -> list[_Paper]:
    papers = []
    for number, line in enumerate(content.decode("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        paper = json.loads(line)
        sides = [paper.get(key) if isinstance(paper, dict) else None for key in ("source", "target")]
        if not all(isinstance(side, list) and side and all(isinstance(s, str) for s in side) for side in sides):
            raise ValueError(f"line {number} is not a paper with sentences as source and target")
        source, summaries = ([" ".join(sentence.split()) for sentence in side] for side in sides)
        papers.append(_Paper(str(paper.get("title")), " ".join(source), summaries))
    return papers


def _read_keras_reuters(info: TextsInfo, contents: list[bytes], target: str) -> Arrays:
    """Keras's lists of word numbers, given back as words; split as ``keras.datasets.reuters`` splits them."""
    if not all(file.matches_bytes(content) for file, content in zip(info.files, contents, strict=True)):
        raise ValueError("other bytes than the published ones, which hold a pickle: only those are read")
    lists, labels = _reuters_arrays(contents[0])
    words = {number: word for word, number in json.loads(contents[1]).items()}
    order = np.arange(len(lists))
    np.random.RandomState(113).shuffle(order)
    samples = [(" ".join(words[number] for number in lists[k]), int(labels[k])) for k in order]
    first_test = int(len(samples) * (1 - 0.2))
    return Arrays(*_columns(samples[:first_test]), *_columns(samples[first_test:]))


def _reuters_arrays(content: bytes) -> tuple[list[list[int]], np.ndarray]:
    """The lists, which the published npz holds as a pickle, and the labels."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        labels = np.lib.format.read_array(io.BytesIO(archive.read("y.npy")), allow_pickle=False)
        stream = io.BytesIO(archive.read("x.npy"))
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    array = _ListsOfNumbers(stream).load() if dtype.hasobject else None
    if not isinstance(array, np.ndarray) or array.shape != shape or shape != labels.shape:
        raise ValueError("x is not an array of lists, one for each label")
    if not all(type(numbers) is list and all(type(number) is int for number in numbers) for numbers in array):
        raise ValueError("x holds something else than lists of word numbers")
    return list(array), labels


class _ListsOfNumbers(pickle.Unpickler):
    """Builds NumPy arrays and what needs no import, as lists and numbers; anything else is refused, not run."""

    _ARRAY_PARTS = frozenset({("numpy", "ndarray"), ("numpy", "dtype")}) | {
        (f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")
    }

    def find_class(self, module: str, name: str) -> Any:
        """The three globals of an array; a file written by NumPy 1 calls the module of one ``numpy.core``."""
        if (module, name) not in self._ARRAY_PARTS:
            raise ValueError(f"the pickle asks for {module}.{name}, which an array of lists does not need")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _split(samples: list[Sample], labels: Iterable[int], n_test: int) -> Arrays:
    train, test = stratified_split(np.array(labels), n_test)
    return Arrays(*_columns([samples[k] for k in train]), *_columns([samples[k] for k in test]))


def _shuffled(train: list[Sample], test: list[Sample]) -> Arrays:
    # RandomState, because NumPy promises its stream for ever; that of default_rng may change.
    random = np.random.RandomState(_SHUFFLE_SEED)
    train, test = ([part[k] for k in random.permutation(len(part))] for part in (train, test))
    return Arrays(*_columns(train), *_columns(test))


def _columns(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """The texts and the labels as two arrays."""
    if not samples:
        raise ValueError("no texts in it")
    texts, labels = zip(*samples, strict=True)
    return as_objects(texts), as_objects(labels) if isinstance(labels[0], str) else np.array(labels, np.int64)


def as_objects(texts: Iterable[str]) -> np.ndarray:
    """Texts as an array (N,) of objects of type ``str``."""
    texts = list(texts)
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
