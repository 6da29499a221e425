"""The course's own lessons: their pages are clean, match their sources, and run offline within a minute."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from toolkit import lessons

ROOT = Path(__file__).resolve().parents[2]
LESSONS = lessons.catalogue(ROOT)
IDS = [lesson.number for lesson in LESSONS]

# Runs a command where the only network is this machine's own loopback.
OFFLINE = """
import fcntl, os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
request = struct.pack("16sh14s", b"lo", 0, b"")
flags = struct.unpack("16sh14s", fcntl.ioctl(s, 0x8913, request))[1]
fcntl.ioctl(s, 0x8914, struct.pack("16sh14s", b"lo", flags | 1, b""))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_the_first_five_lessons_are_there():
    assert IDS[:5] == ["00", "01", "02", "03", "04"]
    numbers = {lesson.number for lesson in LESSONS}
    for lesson in LESSONS:
        assert set(lesson.prerequisites) <= {n for n in numbers if n < lesson.number}


@pytest.fixture(params=LESSONS, ids=IDS)
def lesson(request):
    return request.param


@pytest.fixture
def page(lesson):
    return nbformat.read(lesson.notebook, as_version=4)


def test_page_matches_its_source(lesson):
    assert lessons.differences(lesson) == []


def test_tour_lists_every_lesson():
    tour = nbformat.read(next(lesson.notebook for lesson in LESSONS if lesson.number == "00"), as_version=4)
    written = "".join(
        "".join(o.get("data", {}).get("text/markdown", "")) for c in tour.cells for o in c.get("outputs", [])
    )
    assert [lesson.number for lesson in LESSONS if f"]({lesson.notebook.name})" not in written] == ["00"]


def test_page_has_the_form_of_a_lesson(lesson, page):
    assert 15 <= len(page.cells) <= 40
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    assert sum('check("' in cell.source for cell in code) >= 3
    assert lesson.notebook.stat().st_size < 500_000
    assert page.cells[0].source.startswith("# ")


def test_page_is_clean(page):
    """No absolute path, no warning, no log line; every output is a result."""
    for number, cell in enumerate(page.cells):
        for output in cell.get("outputs", []):
            assert output.output_type in ("stream", "display_data", "execute_result"), f"cell {number}"
            assert output.get("name") != "stderr", f"cell {number}"
            for mime, value in {"text/plain": output.get("text", ""), **output.get("data", {})}.items():
                if mime.startswith("text/"):
                    text = "".join(value)
                    assert not re.search(r"(^|[\s\"'(=])(/(home|root|tmp|work|usr|Users)/|[A-Z]:\\\\)", text), number
                    assert not re.search(r"Warning|WARNING|cuda|oneDNN|\bat 0x[0-9a-f]+", text), number


def test_exercises_of_the_page_are_known(lesson, page):
    asked = set(re.findall(r'check\("([^"]+)"', "\n".join(cell.source for cell in page.cells)))
    assert len({name for name in asked if name.startswith(f"{lesson.number}.")}) >= 3


def unshare_works() -> bool:
    command = shutil.which("unshare")
    return bool(command) and subprocess.run([command, "-rn", "true"], capture_output=True).returncode == 0


@pytest.mark.lessons
@pytest.mark.slow
@pytest.mark.xdist_group("lessons")
def test_all_lessons_run_offline(tmp_path):
    """`toolkit lessons run` on the solved sources, in a network of its own with nothing in it.

    Two lessons at a time, beside other tests on the same cores: so each may take longer than the minute that it takes
    alone (`make lessons`). The corpus of lessons 06 and 08 is made first; the first lesson that needs it would be
    charged for it.
    """
    if not unshare_works():
        pytest.skip("needs Linux's unshare to take the network away")
    variables = os.environ | {"TOOLKIT_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path), "COLUMNS": "160"}
    variables.pop("TOOLKIT_DATA", None)
    toolkit = [sys.executable, "-m", "toolkit"]
    subprocess.run([*toolkit, "data", "fetch", "docstrings"], cwd=ROOT, env=variables, check=True, capture_output=True)
    run = [*toolkit, "lessons", "run", "--timeout", "300"]
    result = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", OFFLINE, *run],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
    )
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    for number in IDS:
        assert re.search(rf"{number}_\w+ .*passed", result.stdout), result.stdout


def test_pages_hold_valid_json_with_text_alternatives_for_figures(page):
    json.dumps(page)
    for number, cell in enumerate(page.cells):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.data.get("text/plain"), f"the figure of cell {number} says nothing in words"
