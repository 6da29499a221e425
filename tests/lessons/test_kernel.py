"""The kernel is this environment's own, whatever kernels the user has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from toolkit.lessons import kernel, run


def poison(folder: Path) -> None:
    """A kernel 'python3' that ends at once."""
    spec = folder / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false", "{connection_file}"], "display_name": "poison", "language": "python"})
    )


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    poison(home / ".local" / "share" / "jupyter")
    poison(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.delenv("JUPYTER_DATA_DIR", raising=False)


def test_own_folder_comes_first(poisoned):
    first, second = kernel.environment()["JUPYTER_PATH"].split(os.pathsep)
    assert first == str(Path(sys.prefix) / "share" / "jupyter")
    assert second.endswith("elsewhere")


def test_kernel_s_python_is_this_one():
    assert kernel.python() == sys.executable


def test_backend_of_the_shell_does_not_reach_the_kernel(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert "MPLBACKEND" not in kernel.environment()


def test_width_of_the_terminal_does_not_reach_the_kernel(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert kernel.environment()["COLUMNS"] == "100"


def test_lesson_runs_in_this_python_under_poison(poisoned, lesson):
    result = run(lesson(f"\nimport sys\nassert sys.executable == {sys.executable!r}, sys.executable"))
    assert result.verdict == "passed"
