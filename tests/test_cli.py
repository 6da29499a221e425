"""The command `toolkit`: what it prints and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import toolkit
from toolkit import cli, data, doctor, lab
from toolkit.errors import DataError
from toolkit.lessons import headers

SOURCE = """\
# ---
# jupyter:
#   lesson: {{number: "{number}", title: "Title {number}", goal: "Goal {number}", minutes: 20, prerequisites: [0]}}
# ---

# %%
{code}
"""


@pytest.fixture
def toolkit_command(monkeypatch):
    """Run `toolkit` in this process, on a wide screen without colours."""
    for console in (cli.out, cli.err):
        monkeypatch.setattr(console, "_width", 160)
    monkeypatch.delenv("TOOLKIT_DEBUG", raising=False)

    def call(*arguments):
        return CliRunner().invoke(cli.app, list(arguments))

    return call


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    monkeypatch.setattr(headers, "project_root", lambda: tmp_path)

    def write(**lessons):
        for slug, code in lessons.items():
            number = f"{len(list((tmp_path / 'notebooks' / 'src').iterdir())):02d}"
            path = tmp_path / "notebooks" / "src" / f"{number}_{slug}.py"
            path.write_text(SOURCE.format(number=number, code=code))
        return tmp_path / "notebooks"

    return write


@pytest.mark.parametrize(
    "command",
    ["", "lab", "lessons", "lessons run", "lessons build", "lessons check", "data", "data fetch", "doctor", "xray"],
)
def test_help_is_there(toolkit_command, command):
    result = toolkit_command(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.output
    assert "Example" in result.output or command in ("", "lessons check")


def test_version(toolkit_command):
    assert toolkit_command("--version").output == f"Layer by Layer {toolkit.__version__}\n"


def test_help_loads_nothing_heavy():
    heavy = ["tensorflow", "keras", "sklearn", "matplotlib", "nbclient", "jupytext"]
    code = f"import sys, toolkit.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_module_is_the_command():
    ended = subprocess.run([sys.executable, "-m", "toolkit", "--version"], capture_output=True, text=True)
    assert ended.stdout.startswith("Layer by Layer")


def test_lessons_are_listed(toolkit_command, project):
    project(tour="1", forward="1")
    result = toolkit_command("lessons")
    assert result.exit_code == 0
    for text in ("Title 00", "Goal 01", "20", "2 lessons, 40 minutes"):
        assert text in result.output


def test_expected_error_is_one_panel_without_traceback(toolkit_command, project):
    project(tour="1")
    result = toolkit_command("lessons", "run", "nope")
    assert result.exit_code == 1
    assert "expected one of 00_tour, received 'nope'" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["--debug"], []])
def test_debug_lets_the_error_through(toolkit_command, project, monkeypatch, arguments):
    project(tour="1")
    if not arguments:
        monkeypatch.setenv("TOOLKIT_DEBUG", "1")
    result = toolkit_command(*arguments, "lessons", "run", "nope")
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "LessonError"


def test_lessons_run_prints_a_table_and_succeeds(toolkit_command, project):
    project(tour="1", forward="2")
    result = toolkit_command("lessons", "run", "--jobs", "2")
    assert result.exit_code == 0
    assert "2 of 2 lessons passed" in result.stdout
    assert "✓ passed" in result.stdout
    assert "01_forward: passed" in result.stderr


def test_lessons_run_shows_the_failing_cell_and_fails(toolkit_command, project):
    project(tour="1", forward="x = 1\nraise ValueError('so')")
    result = toolkit_command("lessons", "run")
    assert result.exit_code == 1
    assert "1 of 2 lessons passed" in result.stdout
    assert "✗ failed: cell 0, ValueError: so" in result.stdout
    assert "raise ValueError('so')" in result.stderr
    assert "Traceback" in result.stderr


def test_lessons_run_fails_when_too_slow(toolkit_command, project):
    project(tour="import time; time.sleep(0.2)")
    result = toolkit_command("lessons", "run", "0", "--timeout", "0.3")
    assert result.exit_code == 1
    assert "✗ too slow" in result.stdout


def test_lessons_run_in_full_keeps_its_pages(toolkit_command, project, tmp_path):
    project(tour="import os; print('the', os.environ['TOOLKIT_PROFILE'], 'way')")
    for profile in ("short", "full"):
        pages = tmp_path / profile
        result = toolkit_command("lessons", "run", "0", "--profile", profile, "--pages", str(pages))
        assert result.exit_code == 0, result.output
        assert f"the {profile} way" in (pages / "00_tour.ipynb").read_text(encoding="utf-8")
    assert toolkit_command("lessons", "run", "0", "--profile", "long").exit_code == 2


def test_lessons_build_and_check(toolkit_command, project):
    notebooks = project(tour="1", forward="1 / 0")
    before = toolkit_command("lessons", "check", "0")
    assert before.exit_code == 1
    assert "00_tour.ipynb is missing" in before.stderr
    built = toolkit_command("lessons", "build")
    assert built.exit_code == 1
    assert "✓ 00_tour.ipynb, 1 KB" in built.stdout
    assert "ZeroDivisionError" in built.stderr
    assert sorted(page.name for page in notebooks.glob("*.ipynb")) == ["00_tour.ipynb"]
    after = toolkit_command("lessons", "check", "0")
    assert (after.exit_code, after.stdout) == (0, "✓ 00_tour\n")


def test_lab_passes_its_options_on(toolkit_command, monkeypatch):
    started = []
    monkeypatch.setattr(lab, "lesson_to_open", lambda name: f"lesson {name}")
    monkeypatch.setattr(lab, "start", lambda lesson, **options: started.append((lesson, options)) or 3)
    result = toolkit_command("lab", "--no-browser", "--port", "9000", "--lesson", "2", "--", "--debug", "--x=1")
    assert result.exit_code == 3
    assert started == [("lesson 2", {"browser": False, "port": 9000, "extra": ["--debug", "--x=1"]})]


def test_data_sets_are_listed_with_their_states(toolkit_command, monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    result = toolkit_command("data")
    assert result.exit_code == 0
    for name in data.catalogue():
        assert name in result.output
    assert "embedded" in result.output


def test_data_fetch_passes_its_options_on(toolkit_command, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "fetch", lambda name, **options: asked.append((name, options)) or [Path("a"), Path("b")])
    result = toolkit_command("data", "fetch", "mnist", "--from", "downloads", "--force")
    assert (result.exit_code, result.stdout) == (0, "✓ a\n✓ b\n")
    assert asked == [("mnist", {"source": Path("downloads"), "force": True})]


def test_data_fetch_says_what_is_wrong(toolkit_command, monkeypatch):
    def offline(name, **options):
        raise DataError("data", "a network", "none", "Use [mnist5k].")

    monkeypatch.setattr(data, "fetch", offline)
    result = toolkit_command("data", "fetch", "mnist")
    assert result.exit_code == 1
    assert "Use [mnist5k]." in result.stderr


@pytest.mark.parametrize(("state", "status"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_doctor_exits_by_its_worst_finding(toolkit_command, monkeypatch, state, status):
    findings = [doctor.Finding("Python", "ok", "3"), doctor.Finding("kernel", state, "what [is]", "do this")]
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    result = toolkit_command("doctor")
    assert result.exit_code == status
    assert "what [is]" in result.stdout
    assert "→ do this" in result.stdout
    as_json = toolkit_command("doctor", "--json")
    assert as_json.exit_code == status
    assert json.loads(as_json.stdout)[1] == {
        "subject": "kernel",
        "state": state,
        "detail": "what [is]",
        "remedy": "do this",
    }


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    import keras

    keras.utils.set_random_seed(0)
    stack = [keras.layers.Dense(16, "relu", name="[hidden]"), keras.layers.Dense(10, "softmax", name="out")]
    model = keras.Sequential([keras.Input((64,)), *stack])
    model.compile("adam", "sparse_categorical_crossentropy")
    path = tmp_path_factory.mktemp("models") / "model.keras"
    model.save(path)
    return path


def test_xray_prints_the_step_its_proof_and_the_diagnosis(toolkit_command, saved_model, tmp_path):
    page = tmp_path / "page.html"
    result = toolkit_command("xray", str(saved_model), "--sample", "digits:0-7", "--html", str(page))
    assert result.exit_code == 0, result.output
    for told in ("[hidden]", "backward", "update of kernel", "8 samples", "inference mode"):
        assert told in result.stdout
    assert "reshaped from (8, 8, 1) to (64,)" in result.stdout
    assert "nothing that looks wrong" in result.stdout
    assert "tensors agree with TensorFlow and Keras; the largest error is" in result.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_xray_passes_its_options_on(toolkit_command, saved_model):
    options = [
        "--samples",
        "3",
        "--training",
        "--no-verify",
        "--loss",
        "categorical_crossentropy",
        "--optimizer",
        "sgd",
    ]
    result = toolkit_command("xray", str(saved_model), "--sample", "digits:5", *options)
    assert result.exit_code == 0, result.output
    for told in ("3 samples", "training mode", "training samples 5 to 7", "categorical_crossentropy"):
        assert told in result.stdout
    assert "agree" not in result.stdout
    assert "not judged: dead ReLUs; 3 of the 8 samples that this takes" in result.stdout


def test_xray_of_a_model_with_a_fault_names_it(toolkit_command, saved_model, tmp_path):
    import numpy as np

    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(0, 255, (9, 64)))
    np.save(tmp_path / "y.npy", np.arange(9))
    files = ["--input", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    result = toolkit_command("xray", str(saved_model), *files)
    assert result.exit_code == 0, result.output
    assert "inputs not scaled" in result.stdout
    assert "→ Scale them" in result.stdout


def test_xray_says_what_is_wrong(toolkit_command, saved_model, tmp_path):
    for arguments, told in [
        ([str(tmp_path / "none.keras")], "no such file"),
        ([str(saved_model), "--sample", "digits:9999"], "indices from 0 to 1436"),
        (
            [str(saved_model), "--sample", "digits:0", "--html", str(tmp_path / "no" / "page.html")],
            "a place that can be written to",
        ),
        ([str(saved_model), "--sample", "digits:0", "--loss", "nothing"], "the name of a Keras loss"),
        ([str(saved_model), "--sample", "digits:0", "--optimizer", "nothing"], "optimizer"),
        ([str(saved_model)], "received neither"),
        ([str(saved_model), "--sample", "digits:0", "--input", "x.npy"], "received --sample and --input"),
        ([str(saved_model), "--sample", "digits:0", "--labels", "y.npy"], "received --sample and --labels"),
    ]:
        result = toolkit_command("xray", *arguments)
        assert result.exit_code == 1, arguments
        assert told in result.stderr, arguments
        assert "Traceback" not in result.output


def test_xray_fails_when_the_numbers_do_not_agree(toolkit_command, saved_model, monkeypatch):
    from toolkit import xray
    from toolkit.errors import GradientMismatchError

    def differ(self, **options):
        raise GradientMismatchError("verify", "equal numbers", "others")

    monkeypatch.setattr(xray.Trace, "verify", differ)
    result = toolkit_command("xray", str(saved_model), "--sample", "digits:0")
    assert result.exit_code == 1
    assert "expected equal numbers" in result.stderr
    assert "backward" in result.stdout
