"""Formulas for a page: LaTeX to MathML, which every browser draws without a library, with the tensors marked.

Each tensor's symbol becomes ``<mrow class="tensor" data-tensor="k">``, so that the page can put its numbers in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from xml.sax.saxutils import escape

from latex2mathml.converter import convert

_PRIVATE = 0xE000  # private-use characters stand for tensors while LaTeX is converted
_ACCENTED = re.compile(r"^(d?)([A-Za-z]+)(?:_(.+))?$")
_WHOLE = r"\\(?:text|operatorname|mathrm)\*?\{[^}]*\}|\\(?:begin|end)\{[^}]*\}|\\[A-Za-z]+"
_PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>&#x02032;</mi></msup>")
_WORD = re.compile(r"\\(text|operatorname\*?|mathrm)\{([^{}]*)\}")
_WORDS = {"gamma", "beta", "mu", "sigma", "alpha", "epsilon", "lambda"}


@lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    """``latex`` as one ``<math>`` element; what cannot be converted is shown as it is."""
    if lines := _lines(latex):  # no browser breaks lines where the converter would have it
        rows = "".join(f"<mtr><mtd>{_inside(mathml(line))}</mtd></mtr>" for line in lines)
        return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mtable>{rows}</mtable></math>'
    try:
        # The sign ′ stands high by itself; raised once more it would fly away.
        return _PRIME.sub(r"<mrow>\1<mo lspace='0' rspace='0'>′</mo></mrow>", convert(_WORD.sub(_as_text, latex)))
    # The converter raises many types of its own; a formula that it does not know must not cost the page.
    except Exception:
        return f"<math><mtext>{escape(latex)}</mtext></math>"


def _lines(latex: str) -> list[str]:
    match = re.fullmatch(r"\\begin\{aligned\} ?(.*?) ?\\end\{aligned\}", latex, re.DOTALL)
    return [line.strip() for line in match[1].split(r"\\")] if match else []


def _as_text(word: re.Match) -> str:
    r"""``\operatorname*{arg\,max}`` and ``\text{my\_weight}`` as text that the converter draws in one piece."""
    plain_word = word[2].replace(r"\_", "_").replace(r"\,", " ")
    return word[0] if plain_word == word[2] and not word[1].endswith("*") else rf"\text{{{plain_word}}}"


def symbol(name: str) -> str:
    r"""The LaTeX of a tensor's plain name: ``dz_3`` → ``dz_{3}``, ``gamma`` → ``\gamma``, ``y_hat`` → ``\hat y``."""
    match = _ACCENTED.match(name)
    if match is None:
        return rf"\text{{{name}}}"
    prefix, letters, index = match.groups()
    if prefix and not letters:
        prefix, letters = "", prefix
    if index == "hat":
        return rf"{prefix}\hat {letters}"
    if index == "bar":
        return rf"{prefix}\bar {letters}"
    base = f"\\{letters}" if letters in _WORDS else letters
    if len(letters) > 2 and letters not in _WORDS:
        base = rf"\text{{{letters}}}"
    return f"{prefix}{' ' if prefix and base.startswith(chr(92)) else ''}{base}" + (f"_{{{index}}}" if index else "")


@lru_cache(maxsize=4096)
def marked_formula(equation: str, symbols: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """The equation as MathML with its tensors marked.

    Args:
        equation: LaTeX.
        symbols: the LaTeX of each tensor's name.

    Returns:
        The ``<math>`` element, and which of ``symbols`` stand in it.
    """
    found: list[int] = []

    def stand_in(match: re.Match) -> str:
        if match[1] is None:  # a command or a word
            return match[0]
        k = symbols.index(match[1])
        if k not in found:
            found.append(k)
        return f" {chr(_PRIVATE + k)} "

    by_length = "|".join(re.escape(s) for s in sorted({s for s in symbols if s}, key=len, reverse=True))
    if by_length:
        # Words stay whole; a symbol is not the end of another (dz is not d times z), nor the beginning of one with an
        # index or a prime of its own.
        equation = re.sub(rf"(?<!d)({by_length})(?![_'])|{_WHOLE}", stand_in, equation)
    math = mathml(equation)
    for k in found:
        inner = _inside(mathml(symbols[k]))
        marked = f'<mrow class="tensor" data-tensor="{k}">{inner}</mrow>'
        character = chr(_PRIVATE + k)
        math = re.sub(rf"<m[io][^>]*>(?:{character}|&#x0*{ord(character):X};)</m[io]>", lambda _, m=marked: m, math)
    return math, tuple(found)


def _inside(math: str) -> str:
    return re.sub(r"^<math[^>]*>|</math>$", "", math)
