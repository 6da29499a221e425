"""HTML, entities, characters that nobody sees, Unicode's normal form; each in time linear in the text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.text import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("plain text, as it is", "plain text, as it is"),
        ("<b>bold</b>ly", "boldly"),
        ("one<br>two<BR />three", "one two three"),
        ("<p class='a'>one</p><p>two</p>", " one  two "),
        ("<a href='x>y' title=\"<b>\">link</a>", "link"),
        ('<a href="never closed>text</a>', "text"),
        ("<!DOCTYPE html><html><body>x</body></html>", "  x  "),
        ("<?xml version='1.0'?>x", "x"),
        ("a<!-- <b>note</b> -->b", "ab"),
        ("a<!-- never closed", "a<!-- never closed"),
        ("a<!-- <b>never</b> closed", "a<!-- never closed"),
        ("<script>if (a < b) { '</b>' }</script>x", " x"),
        ("<STYLE>p { margin: 0 }</STYLE >x", " x"),
        ("<script>never closed", " never closed"),
        ("a</script>b", "a b"),
    ],
)
def test_html_matches_hand_example(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "I <3 you",
        "a < b and b > c",
        "List<int>",
        "x<y>z",
        "a <b and c> d",
        "<",
        "<>",
        "< p>",
        "<pfoo>",
        "1<a&&b>2",
        "<p",
    ],
)
def test_what_only_looks_like_html_is_text(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("fish &amp; chips", "fish & chips"),
        ("&lt;b&gt;", "<b>"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),  # once
        ("caf&eacute; &#233; &#xE9;", "café é é"),
        ("&nbsp;", "\xa0"),
        ("&#x110000;", "\ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("&#" + "0" * 5000 + "65;", "A"),
        ("&#xD800;", "\ufffd"),
        ("&#0;", "\ufffd"),
        ("&#150;", "–"),
        ("AT&T & co; R&D;", "AT&T & co; R&D;"),
        ("&", "&"),
    ],
)
def test_entities_match_hand_example(text, cleaned):
    assert clean(text) == cleaned


def test_without_html_tags_and_entities_stay():
    assert clean("<b>x</b> &amp; y\x00", html=False) == "<b>x</b> &amp; y"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\ufeffBOM", "BOM"),
        ("a\x00b\x07c\x7f", "abc"),
        ("a\x1cb", "a b"),
        ("soft\xadhyphen", "softhyphen"),
        ("\u202eabc\u202c", "abc"),
        ("\u2067אב\u2069", "אב"),
        ("\ud83d", "\ufffd"),
        ("\ud83d\ude00", "\ufffd\ufffd"),  # two halves that were decoded apart
        ("\x93quoted\x94", "“quoted”"),
        ("don’t ‘so’", "don't ‘so’"),
        ("cafe\u0301", "café"),
        ("A\u030a Å", "Å Å"),
        ("ﬁ ²", "ﬁ ²"),  # form C, not KC: no character becomes another
        ("a\r\nb\rc\td", "a\r\nb\rc\td"),
        ("👩\u200d👩\u200d👧 👍🏽", "👩\u200d👩\u200d👧 👍🏽"),
        ("日本語", "日本語"),
    ],
)
def test_characters_match_hand_example(text, cleaned):
    assert clean(text) == cleaned


@given(st.text(st.characters(), max_size=200))
@example("\ud800")
@example("e" + "\u0301\u0316" * 40)
def test_what_comes_out_can_be_saved_and_is_in_normal_form(text):
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean(cleaned, html=False) == cleaned


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=50).filter(lambda text: "’" not in text))
def test_other_characters_only_change_to_their_normal_form(text):
    assert clean(text, html=False) == unicodedata.normalize("NFC", text)


def test_endless_marks_stay_in_order_and_are_broken_up():
    cleaned = clean("e" + "\u0316" * 100)
    assert cleaned.replace("\u034f", "") == "e" + "\u0316" * 100
    assert cleaned.count("\u034f") == 3


BOMBS = [
    "<", "<b ", "</", '<a href="', "<a '", "<a '\"", "<div>", "<!--", "<script>", "<style><!--", "<a<a", "<b =", "<p\n",
    "<!doctype ", "&", "&#", "&#0", "&#x110000;", "&amp;", "&#11111111111", "a’", "\u0301", "e\u0301\u0316", "\ud800",
    "\x00", "\u202e",
]  # fmt: skip


@pytest.mark.parametrize("unit", BOMBS, ids=ascii)
def test_repeated_it_takes_linear_time(unit):
    """300,000 characters take a fraction of a second; what is quadratic would take minutes."""
    started = time.perf_counter()
    clean(unit * (300_000 // len(unit)))
    assert time.perf_counter() - started < 10
