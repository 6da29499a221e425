"""Formulas in a terminal: every command that a step can hold has its sign."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest

import toolkit.xray
from toolkit import scratch
from toolkit.scratch._equations import Equations
from toolkit.xray.derivations.operations import CURVES, Activation
from toolkit.xray.views._formula import mathml
from toolkit.xray.views._plain import plain

XRAY = Path(toolkit.xray.__file__).parent
# Where steps get their formulas from; views only draw them.
SOURCES = [*XRAY.glob("*.py"), *(XRAY / "derivations").rglob("*.py")]
LESSONS = {
    name: equations
    for name in dir(scratch)
    if isinstance(equations := getattr(getattr(scratch, name), "equations", None), Equations)
}


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("z = x\\, W + b", "z = x W + b"),
        (r"dW = x^\top\, dz", "dW = xᵀ dz"),
        (r"L = \frac1N \sum_n \ell_n", "L = 1/N Σ_n ℓ_n"),
        (r"\frac{x - \mu}{\sqrt{v + 0.001}}", "(x - μ)/√(v + 0.001)"),
        (r"w' = w - \alpha_t \frac{m'}{\sqrt{v'} + \epsilon}", "w' = w - α_t m'/(√(v') + ε)"),
        (r"y = \max_{k_h, k_w} X", "y = max_(k_h, k_w) X"),
        (r"a = \max(z, 0)", "a = max(z, 0)"),
        (r"(x_1,\, x_2,\, \dots,\, x_{28}) = x", "(x_1, x_2, …, x_28) = x"),
        (r"dW^{(1)} + dW^{(2)}", "dW^(1) + dW^(2)"),
        (r"d\hat y = -y \odot \ln \hat y", "dŷ = -y ⊙ ln ŷ"),
        (r"\ell_n = -\ln \operatorname{softmax}(z_n)_{y_n}", "ℓ_n = -ln softmax(z_n)_(y_n)"),
        (r"\mathbb{R}^{N \times D}", "ℝ^(N × D)"),
        (r"\{0, 1\}", "{0, 1}"),
        (r"\begin{aligned} a = b \\ c = d \end{aligned}", "a = b ; c = d"),
    ],
)
def test_plain_matches_hand_example(latex, expected):
    assert unicodedata.normalize("NFC", plain(latex)) == expected


def commands_in(path: Path) -> set[str]:
    """The LaTeX commands in the strings of a module; docstrings and patterns of ``re`` are none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.add(id(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            left_out |= {id(part) for argument in node.args for part in ast.walk(argument)}
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out
    ]
    return {command for text in strings for command in re.findall(r"\\(?:[A-Za-z]+\*?|[^\sA-Za-z])", text)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(XRAY)))
def test_every_command_that_a_step_can_hold_has_a_sign(path):
    unknown = {command for command in commands_in(path) if "\\" in plain(rf"{command} a b")}
    assert not unknown


def test_commands_are_found():
    assert {r"\odot", r"\top", r"\frac"} <= commands_in(XRAY / "derivations" / "operations" / "_linear.py")
    assert "\\" in plain(r"\unknown x")


@pytest.mark.parametrize("name", LESSONS)
def test_equations_of_the_lessons_are_drawn_and_written(name):
    equations = LESSONS[name]
    for latex in (*equations.forward, *equations.backward, *equations.symbols, *equations.symbols.values()):
        assert "\\" not in plain(latex)
        assert "<mtext>\\" not in mathml(latex)


@pytest.mark.parametrize("name", CURVES)
def test_activations_are_drawn_and_written(name):
    operation = Activation(CURVES[name])
    for formula in (operation.formula, *operation.gradients):
        latex = re.sub(r"\$(\w+)", r"\1", formula)
        assert "\\" not in plain(latex)
        assert "<mtext>\\" not in mathml(latex)
