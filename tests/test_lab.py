"""JupyterLab's command line, and a real server under a poisoned home folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest

from toolkit import lab
from toolkit.errors import LessonError
from toolkit.lessons import headers, kernel

SOURCE = """\
# ---
# jupyter:
#   lesson: {{number: "{number}", title: T, goal: G, minutes: 1}}
# ---

# %%
1
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Lessons 00 to 02, the latter two with pages."""
    notebooks = tmp_path / "pro ject" / "notebooks"
    (notebooks / "src").mkdir(parents=True)
    for name in ("00_tour", "01_forward", "02_backward"):
        (notebooks / "src" / f"{name}.py").write_text(SOURCE.format(number=name[:2]))
        if name != "00_tour":
            nbformat.write(nbformat.v4.new_notebook(), notebooks / f"{name}.ipynb")
    monkeypatch.setattr(headers, "project_root", lambda: notebooks.parent)
    return notebooks.parent


def test_first_page_is_opened(project):
    assert lab.lesson_to_open().number == "01"
    assert lab.lesson_to_open("backward").number == "02"


def test_lesson_without_page_errors(project):
    with pytest.raises(LessonError, match="toolkit lessons build 00"):
        lab.lesson_to_open("0")


def test_no_pages_at_all_error(project):
    for page in (project / "notebooks").glob("*.ipynb"):
        page.unlink()
    with pytest.raises(LessonError, match="toolkit lessons build"):
        lab.lesson_to_open()


def test_command_stays_on_this_machine_and_calls_nobody(project):
    line = lab.command(lab.lesson_to_open(), browser=False, port=9999, extra=["--debug"])
    assert line[:3] == [sys.executable, "-m", "jupyterlab"]
    assert "--ServerApp.ip=127.0.0.1" in line
    assert "--LabApp.news_url=None" in line
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in line
    assert "--LabApp.default_url=/lab/tree/01_forward.ipynb" in line
    assert "--ServerApp.open_browser=False" in line
    assert "--ServerApp.port=9999" in line
    assert line[-1] == "--debug"
    assert not any("token" in argument for argument in line)


@pytest.fixture
def server(project, tmp_path, monkeypatch):
    """A running JupyterLab whose user has a broken kernel 'python3'; its address and token."""
    poison = {"argv": ["/bin/false", "{connection_file}"], "display_name": "poison", "language": "python"}
    for folder in (tmp_path / "home" / ".local" / "share" / "jupyter", tmp_path / "elsewhere"):
        (folder / "kernels" / "python3").mkdir(parents=True)
        (folder / "kernels" / "python3" / "kernel.json").write_text(json.dumps(poison))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    line = lab.command(lab.lesson_to_open(), browser=False, port=0)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(line, env=kernel.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield (*_address(tmp_path / "log", process), process)
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
        log.close()


def _address(log: Path, process: subprocess.Popen) -> tuple[str, str]:
    for _ in range(600):
        if match := re.search(r"(http://127\.0\.0\.1:\d+)/\S*\?token=(\w+)", log.read_text()):
            return match[1], match[2]
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise TimeoutError(log.read_text())


def _ask(url: str, token: str = "", data: dict | None = None) -> bytes:
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, data=body, headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


@pytest.mark.skipif(os.name != "posix", reason="looks at the kernel's process as POSIX shows it")
def test_server_needs_its_token_serves_the_lessons_and_runs_our_python(server):
    address, token, process = server
    with pytest.raises(urllib.error.HTTPError, match="403"):
        _ask(f"{address}/api/contents", "wrong")
    names = {item["name"] for item in json.loads(_ask(f"{address}/api/contents", token))["content"]}
    assert "01_forward.ipynb" in names
    page = _ask(f"{address}/lab/tree/01_forward.ipynb", token).decode()
    config = json.loads(re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert config["news"] == {"disabled": True}
    _ask(f"{address}/api/kernels", token, {"name": "python3"})
    kernels = [child.cmdline() for child in psutil.Process(process.pid).children(recursive=True)]
    assert [line[0] for line in kernels if "ipykernel_launcher" in line] == [sys.executable]
