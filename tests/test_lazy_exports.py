"""Packages that load their names at first use: all of them are there, and a wrong one gets the right ones told."""

from __future__ import annotations

import importlib
import sys

import pytest

from toolkit.lazy_exports import lazy_exports


@pytest.mark.parametrize("package", ["toolkit", "toolkit.data", "toolkit.images", "toolkit.text"])
def test_every_exported_name_is_there_and_listed(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert name in dir(module)
        assert getattr(module, name).__doc__


def test_a_name_is_taken_from_its_home_when_it_is_asked_for(tmp_path, monkeypatch):
    package = tmp_path / "lazy_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "_home.py").write_text("answer = 42")
    (package / "part.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("lazy_package")
    get, listed = lazy_exports("lazy_package", {"answer": "_home", "part": None}, ["answer", "here", "part"])
    assert {"answer", "here", "part", "__name__"} <= set(listed())
    assert "lazy_package._home" not in sys.modules
    assert get("answer") == 42
    assert get("part") is sys.modules["lazy_package.part"]
    with pytest.raises(
        AttributeError, match="module 'lazy_package' has no attribute 'other'; it has answer, here, part"
    ):
        get("other")
