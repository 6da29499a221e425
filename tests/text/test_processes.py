"""Several processes give the same, in the same order, and the same errors."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from toolkit.errors import InvalidValueError
from toolkit.text import TextPreprocessor, _sequences
from toolkit.text._sequences import stem_blocks


@pytest.fixture
def texts(docstrings):
    return [f"{text} number{k % 7}" for k, text in enumerate((docstrings * 6)[:1100])]


def test_two_processes_give_the_same(texts):
    alone, together = TextPreprocessor(), TextPreprocessor(processes=2)
    np.testing.assert_array_equal(together.fit_transform(texts), alone.fit_transform(texts))
    assert together.vocabulary_ == alone.vocabulary_
    np.testing.assert_array_equal(together.transform(iter(texts)), alone.transform(texts))


def test_processes_can_be_changed_after_fit(texts):
    preprocessor = TextPreprocessor().fit(texts[:100])
    expected = preprocessor.transform(texts)
    np.testing.assert_array_equal(preprocessor.set_params(processes=2).transform(texts), expected)


@pytest.mark.parametrize("index", [0, 511, 512, 5000])
def test_a_bad_text_is_named_by_its_place(texts, index):
    texts = (texts * 5)[:5200]
    texts[index] = None
    preprocessor = TextPreprocessor(processes=2, stemmer=None).fit(["a cat"])
    with pytest.raises(InvalidValueError, match=f"None, at index {index}"):
        preprocessor.transform(iter(texts))
    assert preprocessor.transform(["a cat"]).shape == (1, 1)


def test_a_punkt_model_goes_to_the_other_process(texts, nltk_folder):
    options = {"tokenizer": "punkt", "resources": nltk_folder}
    alone, together = TextPreprocessor(**options), TextPreprocessor(**options, processes=2)
    np.testing.assert_array_equal(together.fit_transform(texts[:600]), alone.fit_transform(texts[:600]))


def test_blocks_are_bounded_in_texts_and_characters():
    recipe = TextPreprocessor()._current_recipe()
    lengths = [len(block.lengths) for block in stem_blocks(["cat"] * 1100, recipe, 1)]
    assert lengths == [512, 512, 76]
    long = "cat " * (_sequences._CHARACTERS_IN_BLOCK // 4)
    lengths = [len(block.lengths) for block in stem_blocks([long, "dog", long, "bird"], recipe, 1)]
    assert lengths == [2, 2]
    assert list(stem_blocks([], recipe, 2)) == []


def test_threads_may_share_one(docstrings):
    preprocessor = TextPreprocessor().fit(docstrings)
    expected = preprocessor.transform(docstrings)
    results = {}

    def work(k):
        results[k] = preprocessor.transform(docstrings)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        np.testing.assert_array_equal(results[k], expected)
