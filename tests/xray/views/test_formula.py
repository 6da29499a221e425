"""LaTeX to MathML, with the tensors marked."""

from __future__ import annotations

import re

import pytest

from toolkit.xray.views._formula import marked_formula, mathml, symbol


def marked(equation, symbols):
    """The equation with each marked tensor as its place in brackets."""
    math, found = marked_formula(equation, symbols)
    places = re.findall(r'class="tensor" data-tensor="(\d+)"', math)
    assert set(map(int, places)) == set(found)
    return [symbols[int(place)] for place in places]


@pytest.mark.parametrize(
    ("equation", "symbols", "expected"),
    [
        ("z = xW + b", ("x", "W", "b", "z"), ["z", "x", "W", "b"]),
        (r"dz = da \odot f'(z)", ("dz", "da", "z"), ["dz", "da", "z"]),
        (r"dW = x^\top dz", ("dW", "x", "dz"), ["dW", "x", "dz"]),
        (r"h_{3} = o_{3} \odot \tanh c_{3}", ("h_{3}", "o_{3}", "c_{3}"), ["h_{3}", "o_{3}", "c_{3}"]),
        (r"A = \operatorname{softmax}(S)", ("S", "A"), ["A", "S"]),
        # The a of "aligned" is none.
        (r"\begin{aligned} z = x W \\ a = f(z) \end{aligned}", ("x", "W", "a"), ["x", "W", "a"]),
        # dz is a name of its own, and dz_n is an entry, not the tensor.
        (r"db = \sum_n dz_n", ("z", "b", "db"), ["db"]),
    ],
)
def test_symbols_of_tensors_are_found(equation, symbols, expected):
    assert marked(equation, symbols) == expected


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("dW", "dW"),
        ("h_3", "h_{3}"),
        ("y_hat", r"\hat y"),
        ("dy_hat", r"d\hat y"),
        ("gamma", r"\gamma"),
        ("dgamma", r"d \gamma"),
        ("kernel", r"\text{kernel}"),
    ],
)
def test_symbol_of_a_name(name, latex):
    assert symbol(name) == latex


def test_lines_of_a_formula_stand_below_each_other():
    math = mathml(r"\begin{aligned} dW = x^\top dz \\ db = \sum_n dz_n \end{aligned}")
    assert math.count("<mtr>") == 2
    assert "linebreak" not in math


def test_each_line_has_a_row_and_its_tensors():
    equation = r"\begin{aligned} z = xW \\ a = f(z) \end{aligned}"
    math, found = marked_formula(equation, ("x", "W", "z", "a"))
    assert math.count("<mtr>") == 2
    assert sorted(found) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("latex", "word"),
    [
        (r"\operatorname*{arg\,max}_k X", "arg max"),
        (r"\operatorname{leaky\_relu}(z)", "leaky_relu"),
        (r"\text{my\_w}", "my_w"),
    ],
)
def test_words_are_drawn_in_one_piece(latex, word):
    assert f"<mtext>{word.replace(' ', '&#x000A0;')}</mtext>" in mathml(latex)


@pytest.mark.parametrize("latex", [r"\frac{1", "}{", r"\begin{nothing}", "", "a < b & c"])
def test_what_cannot_be_converted_is_still_one_element(latex):
    math = mathml(latex)
    assert math.startswith("<math")
    assert math.endswith("</math>")
    assert "<script" not in math
