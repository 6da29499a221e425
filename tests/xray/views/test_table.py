"""A trace as a table of text."""

from __future__ import annotations

import pytest

from toolkit.xray.views._table import text


@pytest.mark.parametrize("width", [60, 100])
def test_table_has_every_step_and_fits(trace, width):
    lines = text(trace, width).splitlines()
    assert max(map(len, lines)) <= width
    for step in trace.steps:
        assert any(step.phase in line for line in lines)


def test_text_stays_text_in_a_notebook(trace, monkeypatch, capsys):
    """Rich would display HTML there and leave nothing to print."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert text(trace, 100).count("\n") > len(trace.steps)
    assert capsys.readouterr().out == ""
