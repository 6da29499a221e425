"""The house: modules import downwards only, and the lower floors stay light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "toolkit"

# The floors of DESIGN, with what has been added since: argument_checks, atomic_write, lazy_exports and quiet (how
# TensorFlow is imported) beside errors, lessons, lab and doctor above everything that lessons use. plots needs scratch
# alone, so everything above may draw; models holds classifiers that train themselves, so it stands beside training.
FLOORS = {
    "errors": 0,
    "argument_checks": 0,
    "atomic_write": 0,
    "lazy_exports": 0,
    "quiet": 0,
    "scratch": 1,
    "data": 1,
    "text": 1,
    "images": 1,
    "bridge": 2,
    "plots": 2,
    "models": 3,
    "training": 3,
    "xray": 3,
    "explain": 3,
    "compress": 3,
    "artifact": 4,
    "serving": 4,
    "classroom": 4,
    "lessons": 4,
    "doctor": 4,
    "lab": 4,
    "cli": 5,
    "__main__": 6,
    "__init__": 6,
}
# Modules of one floor that may know each other: the classifiers of models train by training.fit; the runner
# starts kernels as the lab does; text downloads NLTK's files as data does its own; what checks or writes raises errors.
NEIGHBOURS = {
    ("argument_checks", "errors"),
    ("atomic_write", "errors"),
    ("text", "data"),
    ("models", "training"),
    ("lab", "lessons"),
    ("lessons", "lab"),
    ("doctor", "lessons"),
    ("doctor", "lab"),
    ("lessons", "classroom"),
}
HEAVY = {"tensorflow", "keras", "sklearn", "matplotlib"}


def part_of(path: Path) -> str:
    """The part of the house that a file belongs to: ``scratch`` for ``toolkit/scratch/_dense.py``."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported_parts(tree: ast.AST) -> set[str]:
    """The parts of the toolkit that a module's source imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if node.module == "toolkit":
                names |= {f"toolkit.{alias.name}" for alias in node.names}
            else:
                names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("toolkit.")}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    part = part_of(path)
    assert part in FLOORS, f"{part} has no floor yet"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)), "a relative import"
    if part == "__init__":
        return  # the package's front: only lazy imports, held by the test of its weight below
    for other in imported_parts(tree) - {part, "__version__"}:
        allowed = FLOORS[other] < FLOORS[part] or (part, other) in NEIGHBOURS
        assert allowed, f"{part} (floor {FLOORS[part]}) imports {other} (floor {FLOORS[other]})"


@pytest.mark.parametrize("path", sorted((PACKAGE / "scratch").glob("*.py")), ids=lambda path: path.name)
def test_scratch_needs_numpy_only(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    roots = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.split(".")[0])
    assert roots - set(sys.stdlib_module_names) <= {"numpy", "toolkit"}


def imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after ``statement``."""
    code = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "80"}
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import toolkit, toolkit.scratch",
        "import toolkit.data",
        "import toolkit.cli",
        "from toolkit import data; data.load('digits')",
    ],
)
def test_light_imports_stay_light(statement):
    assert not HEAVY & imported_by(statement)


def test_the_engine_loads_nothing_but_numpy():
    """The figure itself (under 0.1 s beyond NumPy) is measured by benchmarks/import_time.py."""
    extra = imported_by("import toolkit, toolkit.scratch") - imported_by("import numpy") - set(sys.stdlib_module_names)
    assert {name for name in extra if not name.startswith("_")} <= {"toolkit"}


def test_lazy_attributes():
    import toolkit

    assert set(toolkit.__all__) <= set(dir(toolkit))
    with pytest.raises(AttributeError, match="it has bridge"):
        _ = toolkit.no_such_part


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_have_real_names_and_a_readable_size(path):
    assert path.stem not in {"utils", "helpers", "common", "misc", "manager"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
