"""``toolkit compare``: one command, tables, files; and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit import data
from toolkit.cli import app
from toolkit.data import Dataset
from toolkit.training import layerwise


@pytest.fixture
def toolkit(monkeypatch):
    """Runs a command with small images in the place of digits, without counting memory: TensorFlow runs already."""
    rng = np.random.default_rng(0)
    x = rng.random((60, 6)).astype("float32")
    y = x[:, :3].argmax(axis=1)
    images = Dataset("digits", x[:40], y[:40], x[40:], y[40:], ("a", "b", "c"), "", "", "")
    monkeypatch.setattr(data, "load", lambda name, flatten: images)
    monkeypatch.setattr(layerwise, "count_memory", lambda: None)

    def toolkit(*arguments):
        return CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "160", "NO_COLOR": "1"})

    return toolkit


def test_tables_and_files(toolkit, tmp_path):
    runs, figure = tmp_path / "runs.csv", tmp_path / "figure.png"
    options = ["--seeds", "2", "--epochs", "1", "--depth", "2", "--methods", "end-to-end, greedy", "--noise", "0.5"]
    result = toolkit("digits", *options, "--csv", str(runs), "--plot", str(figure), "--folder", str(tmp_path / "runs"))
    assert result.exit_code == 0, result.output
    for words in ("mean ± 95 % over 2 seeds", "Accuracy minus that of end-to-end", "Each block", "Accuracy over noise"):
        assert words in result.output
    assert len(runs.read_text().splitlines()) == 1 + 2 * 2 * 2
    assert figure.stat().st_size > 10_000
    assert len(list((tmp_path / "runs").glob("*-0.json"))) == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["docstrings"], "expected a set of images"),
        (["digits", "--noise", "much"], "such as 0.2,0.4"),
        (["digits", "--methods", "magic"], "methods among end-to-end"),
        (["digits", "--labels", "900"], "up to the size of the smallest class"),
        (["digits", "--labels", "5,5"], "a list with each once"),
        (["digits", "--activation", "nope"], "a Keras activation such as relu"),
        (["digits", "--learning-rate", "-1"], "a number above 0"),
        (["digits", "--csv", "nowhere/runs.csv"], "expected a file in a folder that exists"),
        (["digits", "--plot", "."], "expected a file in a folder that exists"),
        (["digits", "--plot", "figure.docx"], "expected a suffix among"),
    ],
)
def test_errors(arguments, told, toolkit):
    result = toolkit(*arguments)
    assert result.exit_code == 1
    assert told in " ".join(result.output.split()).replace(" │ │ ", " ")


def test_help():
    result = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"})
    for option in ("--seeds", "--budget", "--labels", "--noise", "--depths", "--csv", "--plot", "--folder"):
        assert option in result.output
