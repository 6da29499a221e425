"""The summariser: from raw texts to texts; settings, files, and what it refuses."""

from __future__ import annotations

import copy
import json
import zipfile
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from toolkit import training
from toolkit.errors import DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.models import Summarizer
from toolkit.models.summarizer import rouge

TEXTS = [f"the {animal}{k} sat on the mat" for k in range(15) for animal in ("cat", "dog")]
SUMMARIES = [f"{text.split()[1]} sat" for text in TEXTS]
QUICK = {"units": 24, "embedding_dim": 12, "bidirectional": False}
QUICK |= {"learning_rate": 0.03, "batch_size": 10, "verbose": False}


@pytest.fixture(scope="module")
def copying():
    """Has learned to copy a word that it does not know."""
    return Summarizer(copied_words=1, max_tokens=9, epochs=25, **QUICK).fit(TEXTS[:24], SUMMARIES[:24])


@pytest.fixture(scope="module")
def characters():
    options = QUICK | {"level": "characters", "bidirectional": True, "epochs": 1, "beam_width": 1}
    return Summarizer(**options).fit(["ab", "b"] * 5, ["b", "bb"] * 5)


def test_unknown_words_are_copied(copying):
    written = copying.summarize(TEXTS[24:])
    assert written.tolist() == SUMMARIES[24:]
    assert copying.predict(TEXTS[24]) == SUMMARIES[24]
    assert copying.score(TEXTS[24:], SUMMARIES[24:]) == rouge(written, SUMMARIES[24:]).rougeL == 1.0


def test_alignment_points_to_what_is_copied(copying):
    weights, summary_tokens, source_tokens = copying.alignment("the zebra sat on the mat")
    assert summary_tokens == ["zebra", "sat", "[END]"]
    assert source_tokens == ["the", "zebra", "sat", "on", "the", "mat"]
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    assert weights[0].argmax() == 1


def test_alignment_fits_the_plot(copying):
    from toolkit import plots

    plots.attention(*copying.alignment(TEXTS[0]))


def test_settings_are_scikit_learn_settings():
    summarizer = Summarizer("bahdanau", units=32, copied_words=2)
    again = clone(summarizer.set_params(epochs=3))
    assert again.get_params() == summarizer.get_params()
    assert repr(again) == "Summarizer(attention='bahdanau', copied_words=2, epochs=3, units=32)"


@pytest.mark.usefixtures("steps_run_by_python")
def test_same_seed_same_result_and_options_arrive():
    options = QUICK | {"level": "characters", "epochs": 2, "scheduled_sampling": 0.5, "dropout": 0.2}
    options |= {"validation_fraction": 0.2, "patience": 5, "attention": None}
    runs = [Summarizer(random_state=seed, **options).fit(["ab", "b"] * 10, ["b", "a"] * 10) for seed in (0, 0, 1)]
    first, again, other = (run.history_.history for run in runs)
    assert first == again
    assert first["loss"] != other["loss"]
    assert len(first["val_loss"]) == 2
    assert float(runs[0].model_.sampling_rate.numpy()) == 0.5
    assert (runs[0].source_length_, runs[0].summary_length_) == (2, 2)
    with pytest.raises(InvalidValueError, match="a Summarizer with attention"):
        runs[0].alignment("ab")


def test_file_gives_the_same(copying, characters, tmp_path):
    for name, summarizer, text in (("words", copying, TEXTS[3]), ("characters", characters, "ab")):
        summarizer.save(tmp_path / name)
        loaded = Summarizer.load(tmp_path / name)
        assert loaded.get_params() == summarizer.get_params()
        assert loaded.summarize(text) == summarizer.summarize(text)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("steps_run_by_python")
def test_scheduled_sampling_comes_back_from_a_file(tmp_path):
    options = QUICK | {"level": "characters", "epochs": 1, "scheduled_sampling": 0.5}
    summarizer = Summarizer(**options).fit(["ab", "b"] * 5, ["b", "bb"] * 5)
    assert float(summarizer.model_.sampling_rate.numpy()) == 0.5  # the first epoch is the last
    summarizer.save(tmp_path / "file")
    assert Summarizer.load(tmp_path / "file").summarize("ab") == summarizer.summarize("ab")


def rewritten(path, tmp_path, name, change):
    """A copy of an archive with one member changed."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = change(members[name])
    copy = tmp_path / "changed"
    with zipfile.ZipFile(copy, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return copy


def edited(**changes):
    return lambda content: json.dumps(json.loads(content) | changes).encode()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("summarizer.json", lambda content: content[:-20]),
        ("summarizer.json", edited(format="layer-by-layer classifier")),
        ("summarizer.json", edited(more=1)),
        ("summarizer.json", edited(settings={"unknown": 1})),
        ("summarizer.json", edited(settings={"level": "characters", "units": 10**9})),
        ("summarizer.json", edited(settings={"level": "words"})),
        ("summarizer.json", edited(settings={"level": "characters", "epochs": "ten"})),
        ("summarizer.json", edited(vocabulary={"level": "characters", "characters": ["a", "b", "c"]})),
        ("summarizer.json", edited(source_length=0)),
        ("weights/0.npy", lambda content: content[:-4]),
        ("weights/0.npy", lambda content: content[:-4] + b"\x00\x00\xc0\x7f"),
        ("weights/1.npy", lambda content: b"\x80\x04."),
    ],
)
def test_hostile_files_errors(characters, tmp_path, name, change):
    characters.save(tmp_path / "file")
    with pytest.raises(DataError, match=r"Summarizer\.load"):
        Summarizer.load(rewritten(tmp_path / "file", tmp_path, name, change))


def test_compressed_missing_and_foreign_files_errors(characters, tmp_path):
    characters.save(tmp_path / "file")
    with zipfile.ZipFile(tmp_path / "file") as archive, zipfile.ZipFile(tmp_path / "bomb", "w", 8) as bomb:
        for member in archive.namelist():
            bomb.writestr(member, archive.read(member))
    (tmp_path / "text").write_text("no archive")
    for name in ("bomb", "text", "missing"):
        with pytest.raises(DataError, match=r"Summarizer\.load"):
            Summarizer.load(tmp_path / name)


def test_save_errors(characters, tmp_path):
    with pytest.raises(NotFittedError):
        Summarizer().save(tmp_path / "file")
    with pytest.raises(DataError, match="a place that can be written to"):
        characters.save(tmp_path / "no folder" / "file")
    random_state, characters.random_state = characters.random_state, np.random.RandomState(0)
    try:
        with pytest.raises(UnsupportedError, match="settings that JSON can hold"):
            characters.save(tmp_path / "file")
    finally:
        characters.random_state = random_state
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "both"}, "'luong', 'bahdanau' or None"),
        ({"level": "letters"}, "level 'words' or 'characters'"),
        ({"max_tokens": 4}, "max_tokens as an integer from 5"),
        ({"summary_length": 1}, "summary_length as an integer from 2"),
        ({"epochs": 0}, "epochs as an integer from 1"),
        ({"beam_width": 1.5}, "beam_width as an integer"),
        ({"validation_fraction": 1}, r"validation_fraction in \[0, 1\)"),
        ({"validation_fraction": 0.5}, r"learn from others, received validation_fraction=0\.5 of 1"),
        ({"scheduled_sampling": -0.1}, r"scheduled_sampling in \[0, 1\)"),
        ({"dropout": None}, r"dropout in \[0, 1\), received None"),
        ({"copied_words": None}, "copied_words as an integer from 0"),
        ({"learning_rate": "fast"}, "learning_rate as a number above 0"),
        ({"learning_rate": -1}, "learning_rate as a number above 0"),
        ({"length_penalty": None}, "length_penalty from 0 to 10"),
    ],
)
def test_options_errors(options, message):
    with pytest.raises(InvalidValueError, match=message):
        Summarizer(**options).fit(["a b"], ["a"])


@pytest.mark.usefixtures("steps_run_by_python")
@pytest.mark.parametrize("stopped", [InvalidValueError("training", "finite numbers", "NaN"), KeyboardInterrupt()])
def test_a_fit_that_stops_leaves_what_was_learned_before(characters, monkeypatch, stopped):
    def stop(*_, **__):
        raise stopped

    monkeypatch.setattr(training, "fit", stop)
    new, learned = Summarizer(), copy.copy(characters)
    for summarizer in (new, learned):
        before = dict(vars(summarizer))
        with pytest.raises(type(stopped)):
            summarizer.fit(["c d", "d"], ["d", "d d"])
        assert vars(summarizer) == before
    with pytest.raises(NotFittedError):
        new.summarize("c")
    assert learned.summarize("ab") == characters.summarize("ab")


def test_texts_errors(characters):
    with pytest.raises(NotFittedError):
        Summarizer().summarize("text")
    with pytest.raises(ShapeError, match="2 texts, 1 summaries"):
        Summarizer().fit(["a", "b"], ["a"])
    with pytest.raises(InvalidValueError, match="texts: expected a list of texts, received one str"):
        Summarizer().fit("a", ["a"])
    with pytest.raises(
        InvalidValueError, match="summaries: expected a text in every place, received a missing value, None, at index 1"
    ):
        Summarizer().fit(["a", "b"], ["a", None])
    with pytest.raises(InvalidValueError, match="not empty, received ' ' at index 0"):
        characters.summarize([" "])
    with pytest.raises(ShapeError, match="at least one of texts"):
        characters.summarize([])
    with pytest.raises(InvalidValueError, match="a list of texts, received NoneType"):
        characters.summarize(None)


def test_a_text_without_a_token_is_named_among_many(copying):
    known = " ".join(copying.vocabulary_.tokens[4:6])
    with pytest.raises(InvalidValueError, match=r"at least one token, received '\\u200b' at index 70"):
        copying.summarize([known] * 70 + ["\u200b"])


def test_settings_changed_since_fit_errors(characters, tmp_path):
    """A file that could not be read again is not written; a search is not begun with nonsense."""
    with pytest.raises(InvalidValueError, match="the settings that the network was trained with, received others"):
        copy.copy(characters).set_params(units=characters.units + 2).save(tmp_path / "file")
    for changed, message in (
        ({"level": "words"}, "level='characters', as in fit, received level='words'"),
        ({"copied_words": 3}, "copied_words=0, as in fit, received copied_words=3"),
    ):
        other = copy.copy(characters).set_params(**changed)
        for use in (
            partial(other.save, tmp_path / "file"),
            partial(other.summarize, "xyz"),
            partial(other.alignment, "x"),
        ):
            with pytest.raises(InvalidValueError, match=message):
                use()
    with pytest.raises(InvalidValueError, match="beam_width as an integer from 1, received 0"):
        copy.copy(characters).set_params(beam_width=0).summarize("12")
    assert list(tmp_path.iterdir()) == []


def test_numpy_numbers_are_settings_too(characters):
    other = copy.copy(characters).set_params(beam_width=np.int64(characters.beam_width))
    assert other.summarize("12") == characters.summarize("12")
