"""TensorFlow's log lines stay out of standard error; everything else stays in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

USE = "import keras, numpy; keras.layers.Dense(2)(numpy.ones((1, 3)))"


def standard_error_of(code, **variables):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment | variables, check=False
    )
    return ended.returncode, ended.stderr


SILENCE = "from toolkit.quiet import silence_tensorflow; silence_tensorflow(); silence_tensorflow(); "


def test_import_and_first_operation_print_nothing():
    assert standard_error_of(SILENCE + USE) == (0, "")


def test_level_of_the_caller_s_own_is_quiet_too():
    assert standard_error_of(SILENCE + "import tensorflow", TF_CPP_MIN_LOG_LEVEL="2") == (0, "")


def test_level_zero_shows_the_log():
    status, errors = standard_error_of(SILENCE + "import tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert status == 0
    assert "absl::InitializeLog" in errors


@pytest.fixture
def fake_tensorflow(tmp_path, root):
    """A module of that name which writes to descriptor 2 as the real one does."""

    def write(body):
        noise = "import os\nos.write(2, b'I0000 00:00 port.cc:153] oneDNN\\nkeep me\\nE0000 00:00 cuda\\n')\n"
        (tmp_path / "tensorflow.py").write_text(noise + body)
        return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)])}

    return write


def test_other_lines_are_kept(fake_tensorflow):
    variables = fake_tensorflow("")
    code = SILENCE + "import tensorflow, sys; print('after', file=sys.stderr)"
    assert standard_error_of(code, **variables) == (0, "keep me\nafter\n")


def test_failing_import_shows_everything(fake_tensorflow):
    status, errors = standard_error_of(SILENCE + "import tensorflow", **fake_tensorflow("1 / 0\n"))
    assert status == 1
    assert errors.startswith("I0000")
    assert "ZeroDivisionError" in errors


def test_silencing_imports_no_tensorflow():
    assert standard_error_of(SILENCE + "import sys; assert 'tensorflow' not in sys.modules") == (0, "")
