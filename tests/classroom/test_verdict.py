"""How a verdict shows itself."""

from __future__ import annotations

import pytest

from toolkit.classroom import Verdict

CHECK = "application/vnd.layer-by-layer.check+json"


@pytest.mark.parametrize("state", ["right", "wrong", "not answered yet", "error"])
def test_state_can_be_told_without_colours(state):
    bundle = Verdict("02.1", "The gradient", state)._repr_mimebundle_(include=None, exclude=None)
    assert bundle[CHECK] == {"exercise": "02.1", "state": state}
    assert state in bundle["text/plain"]
    assert state in bundle["text/html"]


def test_each_state_has_a_sign_of_its_own():
    states = ["right", "wrong", "not answered yet", "error"]
    assert len({str(Verdict("02.1", "", state))[0] for state in states}) == 4


def test_html_is_escaped():
    page = Verdict("02.1", "<b>title</b>", "wrong", "a < b & <script>alert(1)</script>\nnext")._html()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "a &lt; b &amp;" in page
    assert "<br>next" in page


def test_plain_text_holds_the_hint():
    assert str(Verdict("02.1", "Gradient", "wrong", "Look.")) == "✗ 02.1 Gradient: wrong\n  Look."
