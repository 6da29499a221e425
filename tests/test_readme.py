"""The README's example runs and prints what the README says, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_example_prints_what_the_readme_says(readme, root):
    code = re.search(r"```python\n(.*?)```", readme, re.S)[1]
    expected = re.search(r"```python.*?```text\n(.*?)```", readme, re.S)[1]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert result.stderr == ""
    assert len(code.strip().splitlines()) <= 12
    shown, said = result.stdout.splitlines(), expected.splitlines()
    assert len(shown) == len(said)
    for line, promise in zip(shown, said):
        # The last digits depend on the processor: rounding errors by size, the accuracy to a point.
        *words, value = line.removesuffix("  ✓").split()
        *promised_words, promised = promise.removesuffix("  ✓").split()
        assert words == promised_words
        if "accuracy" in line:
            assert abs(float(value) - float(promised)) < 0.02
        else:
            assert float(value) < 1e-6


def test_links_lead_somewhere(readme, root):
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (root / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("https://") or (root / target).exists(), target


def test_every_lesson_is_in_the_table(readme, root):
    for page in root.glob("notebooks/*.ipynb"):
        assert page.name in readme, f"{page.name} is not in the table of lessons"
