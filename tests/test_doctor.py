"""Each finding of the doctor, well and ill."""

from __future__ import annotations

import errno
import subprocess
from types import SimpleNamespace

import pytest

from toolkit import doctor
from toolkit.errors import DataError

GIGABYTE = 10**9


def states(findings):
    return [(finding.subject, finding.state) for finding in findings]


@pytest.fixture
def no_tensorflow_started(monkeypatch):
    def answer(*arguments, **options):
        said = '{"tensorflow": "2", "keras": "3", "backend": "tensorflow", "gpus": [], "seconds": 3.0}\n'
        return subprocess.CompletedProcess(arguments, 0, said, "")

    monkeypatch.setattr(doctor.subprocess, "run", answer)


def test_examination_covers_everything(no_tensorflow_started):
    subjects = {finding.subject for finding in doctor.examine()}
    wanted = {
        "Python",
        "packages",
        "TensorFlow",
        "Keras",
        "GPU",
        "bytecode",
        "kernel",
        "notebooks",
        "data",
        "data cache",
    }
    assert wanted <= subjects


def test_check_that_breaks_is_a_finding_and_the_others_go_on(no_tensorflow_started, monkeypatch):
    def broken():
        raise DataError("catalogue", "a file", "none")

    monkeypatch.setattr(doctor.data, "catalogue", broken)
    findings = doctor.examine()
    assert ("embedded data", "fail") in states(findings)
    assert "data cache" in {finding.subject for finding in findings}


def test_everything_that_is_ill_says_how_to_mend_it(no_tensorflow_started):
    assert all(finding.remedy for finding in doctor.examine() if finding.state != "ok")


def test_old_python_fails(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 4))
    (finding,) = doctor._python()
    assert finding.state == "fail"
    assert finding.detail.startswith("3.10.4; TensorFlow needs ")


def test_versions_other_than_the_pins_are_named(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# pins\nnumpy==0.1\nnot-a-package==1\nrich==0.2 ; sys_platform == 'nowhere'\n")
    ((name, installed, pin),) = doctor._differing_from(lock)
    assert (name, pin) == ("numpy", "0.1")
    assert installed != pin


def test_missing_package_fails_by_name(monkeypatch):
    real = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "keras" else real(name))
    assert ("fail", "missing: keras") in [(finding.state, finding.detail) for finding in doctor._packages()]


def test_package_too_old_fails(monkeypatch):
    real = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda name: "0.1" if name == "numpy" else real(name))
    failures = [finding.detail for finding in doctor._packages() if finding.state == "fail"]
    assert failures[0].startswith("needed: numpy>=")
    assert failures[0].endswith("(installed: 0.1)")


def test_tensorflow_is_really_imported():
    findings = {finding.subject: finding for finding in doctor._tensorflow()}
    assert findings["TensorFlow"].state == "ok"
    assert findings["Keras"].detail.endswith("backend tensorflow")
    assert findings["GPU"].state == "ok"


@pytest.mark.parametrize(
    ("status", "errors", "says"),
    [(1, "noise\nImportError: no good\n", "ImportError: no good"), (-4, "", "signal 4"), (1, "", "without a word")],
)
def test_tensorflow_that_cannot_be_imported_fails(monkeypatch, status, errors, says):
    ended = subprocess.CompletedProcess((), status, "", errors)
    monkeypatch.setattr(doctor.subprocess, "run", lambda *arguments, **options: ended)
    (finding,) = doctor._tensorflow()
    assert finding.state == "fail"
    assert says in finding.detail


def test_tensorflow_that_hangs_fails(monkeypatch):
    def hang(*arguments, **options):
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(doctor.subprocess, "run", hang)
    assert states(doctor._tensorflow()) == [("TensorFlow", "fail")]


def test_other_backend_fails():
    finding = doctor._backend({"keras": "3", "backend": "jax"})
    assert finding.state == "fail"
    assert "KERAS_BACKEND" in finding.remedy


def test_modules_that_are_not_compiled_are_a_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.importlib.util, "cache_from_source", lambda source: str(tmp_path / "none.pyc"))
    (finding,) = doctor._bytecode()
    assert finding.state == "warn"
    assert "compileall" in finding.remedy


def test_foreign_kernel_fails(monkeypatch):
    monkeypatch.setattr(doctor.kernel, "python", lambda: "/usr/bin/other-python")
    (finding,) = doctor._kernel()
    assert finding.state == "fail"
    assert "/usr/bin/other-python" in finding.detail


def test_folder_that_cannot_be_written_fails(monkeypatch, tmp_path):
    def refuse(**options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    finding = doctor._writable(tmp_path, "notebooks", "Nothing is saved.")
    assert (finding.state, finding.detail) == ("fail", "cannot write: Read-only file system")
    assert finding.remedy.startswith("Nothing is saved.")


def test_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    assert doctor._writable(tmp_path, "notebooks", "").state == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "state"), [(GIGABYTE * 2, "ok"), (GIGABYTE // 10, "warn")])
def test_little_room_is_a_warning(monkeypatch, tmp_path, free, state):
    monkeypatch.setattr(doctor.data, "cache_dir", lambda: tmp_path / "not" / "yet")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert states(doctor._cache()) == [("data cache", state)]


def test_data_that_is_not_there_or_damaged_is_told_apart(monkeypatch):
    of = {"mnist5k": ("missing", True), "digits": ("embedded", True), "mnist": ("damaged", False)}
    catalogue = {name: SimpleNamespace(embedded=embedded) for name, (_, embedded) in of.items()}
    monkeypatch.setattr(doctor.data, "catalogue", lambda: catalogue)
    monkeypatch.setattr(doctor.data, "status", lambda name: SimpleNamespace(state=of[name][0], note="short"))
    findings = list(doctor._embedded_data())
    assert [(finding.state, finding.detail) for finding in findings] == [
        ("fail", "not readable: mnist5k"),
        ("warn", "mnist is damaged: short"),
    ]
    assert "toolkit data fetch mnist --force" in findings[1].remedy
