from __future__ import annotations

import numpy as np

from toolkit.data._docstrings import Docstring
from toolkit.data._near_duplicates import without_near_duplicates


def _docstring(text, package="alpha", name="f"):
    return Docstring(package, "m.py", name, text, "")


def test_near_duplicates_match_hand_example():
    text = "one two three four five six seven eight nine ten eleven twelve"  # ten shingles of three words
    same = text.replace("twelve", "thirteen")  # nine shared of eleven
    half = text.replace("six", "other")  # seven shared of thirteen
    other = text.replace("four", "other").replace("nine", "other")  # four shared of sixteen
    texts = [_docstring(words) for words in (text, same, half, other, "one two")]
    assert without_near_duplicates(texts) == [texts[0], texts[3], texts[4]]
    assert without_near_duplicates([]) == []


def test_text_of_two_packages_belongs_to_neither(random_sentence):
    text = "one two three four five six seven eight nine ten eleven twelve"
    texts = [_docstring(text), _docstring(f"{text} more", "beta"), _docstring(random_sentence(0, 20)), _docstring(text)]
    assert without_near_duplicates(texts) == [texts[2]]


def test_near_duplicates_match_brute_force(random_sentence):
    """All pairs compared: what is as similar as 0.8 is found, and nothing below one half is taken for the same."""
    random = np.random.RandomState(0)
    texts = []
    for k in range(60):
        words = random_sentence(k, 40).split()
        for changes in (0, 1, 3, 8):
            for place in random.randint(0, 40, changes):
                words[place] = f"new{random.randint(10**6)}"
            texts.append(_docstring(" ".join(words), name=f"{k} {changes}"))

    def shingles(text):
        words = text.text.lower().split()
        return {tuple(words[k : k + 3]) for k in range(len(words) - 2)}

    def similarity(a, b):
        return len(shingles(a) & shingles(b)) / len(shingles(a) | shingles(b))

    kept = without_near_duplicates(texts)
    assert max(similarity(a, b) for k, a in enumerate(kept) for b in kept[:k]) < 0.8
    for text in set(texts) - set(kept):
        assert max(similarity(text, other) for other in kept) >= 0.5
