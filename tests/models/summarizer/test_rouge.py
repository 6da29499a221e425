from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.models.summarizer import lead, random_words, rouge


def test_rouge_matches_hand_example():
    # Summary: the cat sat (3 words); reference: the cat lay there (4). Two words are common: P = 2/3, R = 2/4,
    # F1 = 4/7. One of 2 and 3 pairs: P = 1/2, R = 1/3, F1 = 2/5. The longest common subsequence: the cat, as words.
    scores = rouge(["The cat sat."], ["the cat lay there"])
    assert scores == pytest.approx((4 / 7, 2 / 5, 4 / 7))
    # In another order the words are the same, and the subsequence is shorter: of 2 and 2 words 1.
    assert rouge(["cat the"], ["the cat"]) == pytest.approx((1, 0, 1 / 2))
    assert rouge(["the cat", ""], ["the cat", "a dog"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert rouge(["cats"], ["cat"]).rouge1 == 1  # stems
    assert str(scores) == "ROUGE-1 57.1  ROUGE-2 40.0  ROUGE-L 57.1"


@given(st.text(st.characters(max_codepoint=127)), st.text("Cats run_3!\n", min_size=1))
@example("The cats' 2 under_scores, RUNNING (well)", "a cat under 2 scores ran well")
def test_rouge_of_ascii_texts_matches_rouge_score(summary, reference):
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True).score(reference, summary)
    assert rouge([summary], [reference]) == tuple(score.fmeasure for score in theirs.values())


@pytest.mark.parametrize(
    ("summary", "reference", "rouge1"),
    [
        ("Кот сидит.", "кот сидит", 1),
        ("हिन्दी भाषा", "हिन्दी", 2 / 3),
        ("Ein Käfer", "ein Kafer", 1 / 2),
        ("caf\u00e9", "cafe\u0301", 1),
        ("STRASSE", "straße", 1),
    ],
)
def test_rouge_of_other_scripts_matches_hand_example(summary, reference, rouge1):
    assert rouge([summary], [reference]).rouge1 == pytest.approx(rouge1)


def test_baselines_match_hand_example():
    texts = ["one two three four", "five"]
    assert lead(texts, 2) == ["one two", "five"]
    drawn = random_words(texts, 2, seed=1)
    assert drawn == random_words(texts, 2, seed=1)
    assert drawn[1] == "five"
    places = [texts[0].split().index(word) for word in drawn[0].split()]
    assert len(set(places)) == 2
    assert places == sorted(places)
    assert len({random_words(texts, 2, seed=seed)[0] for seed in range(20)}) > 2


def test_errors():
    with pytest.raises(ShapeError, match="a reference for each summary, received 1 and 2"):
        rouge(["a"], ["a", "b"])
    with pytest.raises(ShapeError):
        rouge([], [])
    for one, other in (("a", ["a"]), (["a"], "a"), ([None], ["a"]), (["a"], None)):
        with pytest.raises(InvalidValueError, match=r"rouge, (summaries|references): expected a"):
            rouge(one, other)
    for baseline in (lead, random_words):
        with pytest.raises(InvalidValueError, match="expected a list of texts, received one str"):
            baseline("a b", 1)
        with pytest.raises(InvalidValueError, match="at index 1"):
            baseline(["a b", float("nan")], 1)
        with pytest.raises(InvalidValueError, match="words as a positive integer"):
            baseline(["a b"], 0)
