"""The front door agrees with itself: pyproject, pins and conda environment."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import MatchSpec

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = [line for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if line]
PINS = {canonicalize_name(Requirement(line).name): Requirement(line) for line in LOCK}
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
MATCH_SPECS = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
PIP_SECTION = next(entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict))


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    return [Requirement(line) for line in (*PROJECT["dependencies"], *(r for group in extras.values() for r in group))]


def test_lock_holds_exact_pins_only():
    for line in LOCK:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[0-9][0-9a-z.+]*( ; [^:/@]+)?", line), line
    assert len(PINS) == len(LOCK)


def test_lock_satisfies_the_project_and_its_extras():
    assert set(PROJECT["optional-dependencies"]) == {"serve", "explain", "imagenet", "distributed", "dev"}
    for requirement in requirements():
        pin = PINS[canonicalize_name(requirement.name)]
        version = next(iter(pin.specifier)).version
        assert requirement.specifier.contains(version), f"{requirement} against {pin}"


def test_everything_installed_has_its_pinned_version():
    """From the package down: all that its installation brought along."""
    todo, seen = [*PROJECT["dependencies"]], {}
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        environments = [default_environment() | {"extra": extra} for extra in ("", *requirement.extras)]
        if name in seen or (marker and not any(marker.evaluate(e) for e in environments)):
            continue
        distribution = importlib.metadata.distribution(name)
        seen[name] = distribution.version
        todo += [line for line in distribution.requires or [] if "extra ==" not in line]
    wrong = {name: version for name, version in seen.items() if str(PINS[name].specifier) != f"=={version}"}
    assert not wrong
    assert len(seen) > 80


def test_conda_match_specs_are_valid_and_take_the_supported_python():
    specs = {spec.name.normalized: spec for spec in map(MatchSpec, MATCH_SPECS)}
    assert set(specs) == {"python", "pip"}
    assert specs["python"].version == "3.11.*"
    assert CONDA["name"] == PROJECT["name"]
    assert CONDA["channels"] == ["conda-forge"]


def test_conda_pip_section_installs_the_package_with_the_same_pins():
    assert PIP_SECTION == ["--constraint requirements.lock", "--editable ."]
    assert PROJECT["name"] == "layer-by-layer"
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


@pytest.mark.install
@pytest.mark.slow
@pytest.mark.xdist_group("install")
def test_conda_pip_section_installs_in_a_fresh_environment(tmp_path):
    """As conda does it: the section becomes a requirements file beside environment.yml."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    section = ROOT / f"condaenv.{os.getpid()}.requirements.txt"
    section.write_text("\n".join(PIP_SECTION) + "\n", encoding="utf-8")
    try:
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check", "-r", section],
            cwd=ROOT,
            check=True,
        )
    finally:
        section.unlink()
    code = "import toolkit.scratch, importlib.metadata as m; print(m.version('layer-by-layer'), m.version('keras'))"
    result = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    keras_pin = next(iter(PINS["keras"].specifier)).version
    assert result.stdout.split() == [PROJECT["version"], keras_pin]
    help_text = subprocess.run([venv / python.parent / "toolkit", "--help"], capture_output=True, text=True, check=True)
    assert "doctor" in help_text.stdout
