from __future__ import annotations

import inspect

import pytest

from toolkit import scratch

WITH_EQUATIONS = [
    cls
    for cls in (getattr(scratch, name) for name in scratch.__all__)
    if inspect.isclass(cls) and hasattr(cls, "equations") and not inspect.isabstract(cls)
]


def test_every_concrete_class_of_the_engine_has_equations():
    bases = (scratch.Layer, scratch.Loss, scratch.Optimizer, scratch.Initializer, scratch.L2, scratch.Network)
    concrete = {
        cls
        for cls in (getattr(scratch, name) for name in scratch.__all__)
        if inspect.isclass(cls) and issubclass(cls, bases) and not inspect.isabstract(cls)
    }
    assert concrete == set(WITH_EQUATIONS)
    assert len(concrete) > 20


@pytest.mark.parametrize("cls", WITH_EQUATIONS, ids=lambda cls: cls.__name__)
def test_equations_are_balanced_latex_and_name_their_spaces(cls):
    equations = cls.equations
    lines = [*equations.forward, *equations.backward]
    assert equations.forward
    assert equations.symbols
    if issubclass(cls, scratch.Layer | scratch.Loss):
        assert equations.backward
    for line in lines:
        assert line.count("{") == line.count("}"), line
        assert line.count(r"\Big(") == line.count(r"\Big)"), line
        assert "$" not in line
        assert line.strip() == line


def test_equations_render_as_markdown():
    markdown = scratch.Dense.equations._repr_markdown_()
    assert r"$$ z = xW + b $$" in markdown
    assert r"$W \in \mathbb{R}^{D \times M}$" in markdown
    assert "**Backward**" in markdown
    assert "**Backward**" not in scratch.SGD.equations._repr_markdown_()
