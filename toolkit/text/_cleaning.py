"""From what a file or a web page holds to plain text: HTML, Unicode, characters that nobody sees."""

from __future__ import annotations

import html as html_entities
import re
import unicodedata

# Only the tags of HTML's own elements go: "<3", "List<int>" and "a < b" are text. Inline elements stand within words.
_INLINE = (
    "a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span strike strong sub sup"
    " tt u var wbr"
)
_BLOCK = (
    "address area article aside audio base blockquote body br button canvas caption center col colgroup dd details"
    " dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header"
    " hgroup hr html iframe img input label legend li link main map menu meta nav noscript object ol optgroup option"
    " p param picture pre progress script search section select source style summary svg table tbody td template"
    " textarea tfoot th thead time title tr track ul video"
)
_BLOCK_NAMES = frozenset(_BLOCK.split())
_LONGER_NAMES = "|".join(name for name in f"{_INLINE} {_BLOCK}".split() if len(name) > 1)
# A quoted value may hold ">". The search is linear: "*+" never goes back, and of all the places where a tag might
# begin, at most three (one outside quotes, one in single, one in double ones) can still be open at a character.
# The elements of one letter have no attribute without a value: "a <b and c> d" is text.
_TAG = re.compile(
    rf"""<(?i: !doctype[^<>]*> | \?xml[^<>]*> | (?P<opens_comment>!--)
         | (?P<slash>/?)(?P<name>[abipqsu](?=\s*/?>|[^<>]*=)|{_LONGER_NAMES})(?=[\s/>])
           (?: (?:[^<>"']|"[^"]*"|'[^']*')*+> | [^<>]*> ))""",
    re.VERBOSE,
)
# Up to these, what follows the opening is no text.
_END_OF = {
    "comment": re.compile("-->"),
    "script": re.compile(r"</script[^<>]*>", re.IGNORECASE),
    "style": re.compile(r"</style[^<>]*>", re.IGNORECASE),
}

_OVERLONG_NUMBER = re.compile(r"(?<=&#)[0-9]{8,}")

_REPLACEMENTS = (
    {chr(code): "" for code in [*range(0x09), *range(0x0E, 0x1C), 0x7F]}  # control characters
    | {chr(code): " " for code in range(0x1C, 0x20)}  # separators of files, groups, records and units
    # Windows-1252 read as Latin-1 has left the second block of control characters; browsers read it so, too.
    | {chr(code): bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
    | {chr(code): "\ufffd" for code in range(0xD800, 0xE000)}  # lone surrogates: halves of a character
    | dict.fromkeys("\xad\ufeff\u200b\u2060", "")  # soft hyphens, byte order marks, places to break a line or not
    | dict.fromkeys("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", "")  # directions
)
_REPLACED = re.compile(f"[{re.escape(''.join(_REPLACEMENTS))}]")
_APOSTROPHE_IN_WORD = re.compile(r"(?<=\w)’(?=\w)")

_MOST_MARKS = 30
_MANY_MARKS = re.compile(rf"[^\x00-\x7f\w]{{{_MOST_MARKS + 1},}}")
_COMBINING_GRAPHEME_JOINER = "\u034f"


def clean(text: str, html: bool = True) -> str:
    """Plain text in Unicode's normal form C, in time linear in its length.

    1. HTML (where ``html``): tags of HTML's own elements, comments, scripts and styles are removed, a block element
       leaving a space; then entities are resolved, once: ``&amp;lt;`` becomes ``&lt;``.
    2. Control characters that are no white space, soft hyphens, byte order marks and marks of direction are removed;
       U+0080 to U+009F become the Windows-1252 characters that they were; a lone surrogate becomes U+FFFD, �.
    3. An apostrophe within a word is written ``'``, so that *don’t* and *don't* are one.
    4. Normal form C (UAX #15): *é* is one character, however it was typed. Before, runs of more than 30 combining
       marks are broken up by U+034F (its Stream-Safe Text Format), as sorting them takes time quadratic in the run.

    White space, letter case, joiners within emoji and all other characters stay as they are.
    """
    if html:
        if "<" in text:
            text = _without_tags(text)
        if "&" in text:
            # int() refuses numbers of thousands of digits; from 1,114,112 on they mean U+FFFD anyway.
            text = html_entities.unescape(_OVERLONG_NUMBER.sub(lambda digits: digits[0].lstrip("0")[:8] or "0", text))
    text = _REPLACED.sub(lambda character: _REPLACEMENTS[character[0]], text)
    if text.isascii():
        return text
    text = _APOSTROPHE_IN_WORD.sub("'", text)
    return unicodedata.normalize("NFC", _MANY_MARKS.sub(_break_up_marks, text))


def _without_tags(text: str) -> str:
    parts = []
    kept_to = position = 0
    never_ends: set[str] = set()  # looked for in vain once, so not again
    while tag := _TAG.search(text, position):
        name = "comment" if tag["opens_comment"] else (tag["name"] or "").lower()
        position = tag.end()
        ends = name in _END_OF and not tag["slash"] and name not in never_ends
        if ends and (end := _END_OF[name].search(text, position)):
            position = end.end()
        elif ends:
            never_ends.add(name)
        if name == "comment" and name in never_ends:
            continue
        parts += [text[kept_to : tag.start()], " " if name in _BLOCK_NAMES else ""]
        kept_to = position
    return "".join([*parts, text[kept_to:]])


def _break_up_marks(run: re.Match[str]) -> str:
    parts: list[str] = []
    marks = 0
    for character in run[0]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > _MOST_MARKS:
            parts.append(_COMBINING_GRAPHEME_JOINER)
            marks = 1
        parts.append(character)
    return "".join(parts)
