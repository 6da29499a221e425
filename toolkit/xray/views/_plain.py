r"""Formulas for a terminal: LaTeX to one line of signs, ``\frac{1}{N} \sum_n \ell_n`` to ``1/N Σ_n ℓ_n``."""

from __future__ import annotations

import re

_SIGNS = {
    "odot": "⊙", "top": "ᵀ", "sum": "Σ", "cdot": "·", "cdots": "⋯", "dots": "…", "times": "×", "partial": "∂",
    "in": "∈", "sim": "~", "to": "→", "leftarrow": "←", "ne": "≠", "neq": "≠", "le": "≤", "leq": "≤", "ge": "≥",
    "geq": "≥", "infty": "∞", "lVert": "‖", "rVert": "‖", "ell": "ℓ", "alpha": "α", "beta": "β", "gamma": "γ",
    "epsilon": "ε", "varepsilon": "ε", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "varphi": "φ", "Delta": "Δ", "Omega": "Ω", "Phi": "Φ", "quad": "  ", "qquad": "    ", ",": " ", ";": " ", "!": "",
    "_": "_", "{": "{", "}": "}", "\\": "; ",
}  # fmt: skip
_FUNCTIONS = {"tanh", "exp", "log", "ln", "max", "min"}
_ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304"}
_BARE = {"left", "right", "Big", "begin", "end", "mathrel"}  # how large a bracket is, where lines begin
_WORDS = {"text", "operatorname", "operatorname*", "mathrm"}
_LETTERS = {"R": "ℝ", "N": "ℕ", "Z": "ℤ"}
_TOKEN = re.compile(r"\\(?:operatorname\*|[A-Za-z]+|.)|[{}^_]|[^\\{}^_]")


def plain(latex: str) -> str:
    r"""A formula as text: Greek letters, ``⊙``, ``ᵀ`` and ``√`` as signs, fractions with a slash, lines with ``;``."""
    tokens = _TOKEN.findall(re.sub(r"\\(begin|end)\{aligned\}", "", latex))
    text = _read(tokens)
    # Fewer spaces, none within brackets; a power of one sign needs no bracket.
    text = re.sub(r"([(\[]) +| +([)\]])", r"\1\2", re.sub(r" +", " ", text)).replace("^ᵀ", "ᵀ")
    return text.strip()


def _read(tokens: list[str]) -> str:
    """Everything up to the end, or to the brace that closes."""
    text = ""
    while tokens:
        token = tokens.pop(0)
        if token == "}":
            break
        text += _one(token, tokens)
    return text


def _one(token: str, tokens: list[str]) -> str:
    if token == "{":
        return _read(tokens)
    if token in "^_":
        inner = _argument(tokens)
        return token + (inner if re.fullmatch(r"[^\W_]*|.|\([^()]*\)", inner) else f"({inner})")
    if not token.startswith("\\"):
        return token
    command = token[1:]
    if command in ("frac", "tfrac"):
        above, below = _argument(tokens), _argument(tokens)
        return f"{_bracketed(above)}/{_bracketed(below)} "
    if command == "sqrt":
        return f"√({_argument(tokens)})"
    if command in _ACCENTS:
        letter = _argument(tokens).strip()
        return letter[:1] + _ACCENTS[command] + letter[1:]
    if command in _WORDS:
        return _argument(tokens)
    if command in ("mathbb", "mathcal"):
        letter = _argument(tokens)
        return _LETTERS.get(letter, letter) if command == "mathbb" else letter
    if command in _BARE:
        return ""
    if command in _FUNCTIONS:
        return f"{command} " if tokens[:1] not in (["_"], ["("], ["^"]) else command
    return _SIGNS.get(command, token)


def _argument(tokens: list[str]) -> str:
    while tokens and tokens[0] == " ":
        tokens.pop(0)
    return _one(tokens.pop(0), tokens) if tokens else ""


def _bracketed(text: str) -> str:
    return text if re.fullmatch(r"\w+'?|[^\w\s]?\w|√\([^()]*\)", text) else f"({text})"
