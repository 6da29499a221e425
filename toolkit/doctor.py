"""Examines the installation: what is there, what is wrong, and how to mend it.

`examine` returns typed findings; printing them is the command line's part.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from toolkit import data
from toolkit.errors import ToolkitError
from toolkit.lessons import kernel, project_root

DISTRIBUTION = "layer-by-layer"
PYTHONS = SpecifierSet(">=3.11,<3.14")
FREE_BYTES_WANTED = 1_000_000_000
"""Room for the full data sets and a few models."""

# Asked of a process of its own: a TensorFlow built for another processor ends the process that
# imports it, and the doctor is to survive that.
_ASK_TENSORFLOW = """
import json, time
from toolkit.quiet import silence_tensorflow
silence_tensorflow()
begin = time.perf_counter()
import tensorflow, keras
print(json.dumps({
    "tensorflow": tensorflow.__version__,
    "keras": keras.__version__,
    "backend": keras.config.backend(),
    "gpus": [device.name for device in tensorflow.config.list_physical_devices("GPU")],
    "seconds": time.perf_counter() - begin,
}))
"""


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        subject: what was looked at.
        state: ``"ok"``, ``"warn"`` (works, but not as well as it could) or ``"fail"``.
        detail: what was found.
        remedy: how to mend it; empty when there is nothing to mend.
    """

    subject: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding as plain strings."""
        return asdict(self)


def examine() -> list[Finding]:
    """Examine everything; takes as long as TensorFlow takes to import.

    A check that itself breaks is a finding, too, so that the others are still seen.
    """
    checks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _packages,
        _tensorflow,
        _bytecode,
        _kernel,
        _notebooks,
        _embedded_data,
        _cache,
    ]
    findings = []
    for check in checks:
        try:
            findings += check()
        except (ToolkitError, OSError, ValueError) as error:
            findings.append(Finding(check.__name__.strip("_").replace("_", " "), "fail", str(error)))
    return findings


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if PYTHONS.contains(version):
        yield Finding("Python", "ok", version)
    else:
        yield Finding(
            "Python",
            "fail",
            f"{version}; TensorFlow needs {PYTHONS}",
            "Install Python 3.11, 3.12 or 3.13, then `make clean` and `make venv PYTHON=python3.12`.",
        )


def _packages() -> Iterator[Finding]:
    remedy = "Run `make venv`, or `pip install -c requirements.lock -e .`"
    if _installed(DISTRIBUTION) is None:
        yield Finding("packages", "warn", f"{DISTRIBUTION} itself is not installed", remedy)
    project = tomllib.loads((project_root() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [Requirement(line) for line in project["dependencies"]]
    missing = [package.name for package in needed if _installed(package.name) is None]
    if missing:
        yield Finding("packages", "fail", f"missing: {', '.join(missing)}", remedy)
    unfit = [
        f"{package} (installed: {version})"
        for package in needed
        if (version := _installed(package.name)) and not package.specifier.contains(version, prereleases=True)
    ]
    if unfit:
        yield Finding("packages", "fail", f"needed: {', '.join(unfit)}", remedy)
    differing = [
        f"{name} {have} (tested: {pin})" for name, have, pin in _differing_from(project_root() / "requirements.lock")
    ]
    if differing:
        yield Finding("packages", "warn", ", ".join(differing), remedy)
    if not (missing or unfit or differing):
        yield Finding("packages", "ok", f"{len(needed)} needed, all there, in the versions tested")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _differing_from(lock: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, installed version and pin of each installed package that differs from its pin."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pin = Requirement(line)
        version = _installed(pin.name)
        applies = pin.marker is None or pin.marker.evaluate()
        if applies and version is not None and not pin.specifier.contains(version, prereleases=True):
            yield pin.name, version, str(pin.specifier).removeprefix("==")


def _tensorflow() -> Iterator[Finding]:
    remedy = "Run `make clean` and `make venv`."
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK_TENSORFLOW], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding("TensorFlow", "fail", "the import did not end within two minutes", remedy)
        return
    if asked.returncode != 0:
        yield Finding("TensorFlow", "fail", _why_it_ended(asked), remedy)
        return
    answer = json.loads(asked.stdout.splitlines()[-1])
    yield Finding("TensorFlow", "ok", f"{answer['tensorflow']}, imported in {answer['seconds']:.1f} s")
    yield _backend(answer)
    gpus = ", ".join(answer["gpus"])
    yield Finding("GPU", "ok", gpus or "none, which is fine: every lesson runs without")


def _why_it_ended(asked: subprocess.CompletedProcess[str]) -> str:
    if asked.returncode < 0:
        return (
            f"the import ended the process (signal {-asked.returncode}); TensorFlow's packages need a "
            "processor with AVX and a 64-bit system"
        )
    return (asked.stderr.strip().splitlines() or ["the import failed without a word"])[-1]


def _backend(answer: dict) -> Finding:
    detail = f"{answer['keras']}, backend {answer['backend']}"
    if answer["backend"] == "tensorflow":
        return Finding("Keras", "ok", detail)
    return Finding(
        "Keras",
        "fail",
        f"{detail}; the lessons need the backend tensorflow",
        "Unset KERAS_BACKEND, or set it to 'tensorflow'; it may also stand in ~/.keras/keras.json.",
    )


def _bytecode() -> Iterator[Finding]:
    """TensorFlow imports in 3 s where its modules are compiled, in 7 to 14 s where they are not."""
    sources = [source for name in ("keras", "tensorflow") for source in _sources(name)]
    missing = [source for source in sources if not Path(importlib.util.cache_from_source(str(source))).exists()]
    if missing:
        yield Finding(
            "bytecode",
            "warn",
            f"{len(missing)} of {len(sources)} modules looked at are not compiled: imports take twice as long",
            f"Run `{Path(sys.executable).name} -m compileall -q -j 0 {_shown(Path(sys.prefix) / 'lib')}`",
        )
    else:
        yield Finding("bytecode", "ok", "compiled")


def _sources(package: str) -> list[Path]:
    """The modules of a package that stand for all of it: those in the folders of its first two levels."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent
    return [*folder.glob("*.py"), *folder.glob("*/*.py"), *folder.glob("*/*/*.py")]


def _kernel() -> Iterator[Finding]:
    runs = kernel.python()
    if Path(runs).absolute() == Path(sys.executable).absolute():
        yield Finding("kernel", "ok", f"notebooks run {_shown(Path(runs))}")
    else:
        yield Finding(
            "kernel",
            "fail",
            f"notebooks would run {runs}, this is {sys.executable}",
            "Run `python -m ipykernel install --sys-prefix` in this environment.",
        )


def _notebooks() -> Iterator[Finding]:
    yield _writable(project_root() / "notebooks", "notebooks", "Changed notebooks cannot be saved.")


def _embedded_data() -> Iterator[Finding]:
    states = {name: data.status(name) for name in data.catalogue()}
    embedded = [name for name, info in data.catalogue().items() if info.embedded]
    broken = [name for name in embedded if states[name].state != "embedded"]
    if broken:
        yield Finding("data", "fail", f"not readable: {', '.join(broken)}", "Run `make clean` and `make venv`.")
    else:
        yield Finding("data", "ok", f"without a network: {', '.join(embedded)}")
    for name, status in states.items():
        if status.state == "damaged":
            yield Finding(
                "data", "warn", f"{name} is damaged: {status.note}", f"Run `toolkit data fetch {name} --force`."
            )


def _cache() -> Iterator[Finding]:
    folder = data.cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    writable = _writable(existing, "data cache", "Set TOOLKIT_DATA to a folder that holds the data sets.")
    free = shutil.disk_usage(existing).free
    if writable.state == "ok" and free < FREE_BYTES_WANTED:
        yield Finding(
            "data cache",
            "warn",
            f"{free / 1e9:.1f} GB free in {_shown(folder)}",
            "Free a gigabyte before you fetch data sets.",
        )
    else:
        yield writable


def _writable(folder: Path, subject: str, consequence: str) -> Finding:
    # Tried rather than asked for: permission bits say nothing about a read-only file system.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = f"{consequence} Mend the permissions of {_shown(folder)}."
        return Finding(subject, "fail", f"cannot write: {reason}", remedy)
    return Finding(subject, "ok", f"{_shown(folder)} can be written")


def _shown(path: Path) -> str:
    """The path as a person would type it: from the working folder, or from the home folder."""
    for base, sign in ((Path.cwd(), ""), (Path.home(), "~" + os.sep)):
        if path.is_relative_to(base):
            return sign + str(path.relative_to(base))
    return str(path)
