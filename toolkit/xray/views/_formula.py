"""Formulas for a page: LaTeX to MathML, which every browser draws without a library, with the tensors marked.

Each tensor's symbol becomes ``<mrow class="tensor" data-tensor="k">``, so that the page can put its numbers in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from xml.sax.saxutils import escape

from latex2mathml.converter import convert

_PRIVATE = 0xE000  # private-use characters stand for tensors while LaTeX is converted
_ACCENTED = re.compile(r"^(d?)([A-Za-z]+)(?:_(.+))?$")
_WHOLE = r"\\(?:text|operatorname|mathrm)\*?\{[^}]*\}|\\(?:begin|end)\{[^}]*\}|\\[A-Za-z]+"
_WORDS = {"gamma", "beta", "mu", "sigma", "alpha", "epsilon", "lambda"}


@lru_cache(maxsize=4096)
def mathml(latex: str) -> str:
    """``latex`` as one ``<math>`` element; what cannot be converted is shown as it is."""
    # Of "aligned" the converter would make one line, with line breaks that browsers do not know.
    lines = latex.replace(r"\begin{aligned}", r"\begin{array}{l}").replace(r"\end{aligned}", r"\end{array}")
    try:
        return convert(lines).replace("<mtable>", '<mtable displaystyle="true">')
    # The converter raises many types of its own; a formula that it does not know must not cost the page.
    except Exception:
        return f"<math><mtext>{escape(latex)}</mtext></math>"


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


def plain(symbols: Sequence[str], equation: str) -> str:
    """The equation for a screen reader or a terminal: LaTeX's commands as signs where there is one."""
    signs = {
        r"\odot": "⊙", r"\top": "ᵀ", r"\sum": "Σ", r"\sigma": "σ", r"\tanh": "tanh", r"\sqrt": "√", r"\cdot": "·",
        r"\partial": "∂", r"\times": "×", r"\in": "∈", r"\mathbb{R}": "ℝ", r"\gamma": "γ", r"\beta": "β", r"\mu": "μ",
        r"\alpha": "α", r"\epsilon": "ε", r"\varepsilon": "ε", r"\exp": "exp", r"\log": "log", r"\max": "max",
        r"\frac": "", r"\left": "", r"\right": "", r"\,": " ", r"\;": " ", r"\!": "", r"\quad": "  ", r"\qquad": "   ",
        r"\ne": "≠", r"\le": "≤", r"\ge": "≥", r"\leftarrow": "←", r"\lambda": "λ", r"\infty": "∞",
    }  # fmt: skip
    for command in sorted(signs, key=len, reverse=True):
        equation = equation.replace(command, signs[command])
    equation = re.sub(r"\\(?:text|operatorname|mathrm|textstyle|bar|hat|tilde)\s*", "", equation)
    return re.sub(r"\s+", " ", re.sub(r"[{}]|\^(?=ᵀ)", "", equation)).strip()
