"""Building pages, refusing bad ones, and comparing pages with their sources."""

from __future__ import annotations

import json

import nbformat
import pytest

from toolkit.errors import LessonError
from toolkit.lessons import build, build_all, building, differences, execution


def outputs(lesson, cell=0):
    return nbformat.read(lesson.notebook, as_version=4).cells[cell].outputs


def test_page_is_executed_with_the_placeholders(lesson, project):
    tiny = lesson("\n# BEGIN SOLUTION: answer = ...\nanswer = 3\n# END SOLUTION\nanswer", "\nprint('a')\nprint('b')")
    assert build(tiny) == tiny.notebook
    assert outputs(tiny)[0].data["text/plain"] == "Ellipsis"
    assert outputs(tiny, 1) == [{"output_type": "stream", "name": "stdout", "text": "a\nb\n"}]
    assert differences(tiny) == []
    assert [path.name for path in (project / "notebooks").iterdir() if path.is_file()] == ["01_tiny.ipynb"]


def test_build_is_reproducible(lesson):
    tiny = lesson(
        "\nobject()",
        "\nfor i in range(100):\n    print(i, flush=True)",
        "\n%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    )
    pages = [build(tiny).read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_addresses_are_taken_out(lesson):
    tiny = lesson("\nobject()", "\nprint(object())")
    build(tiny)
    assert outputs(tiny)[0].data["text/plain"] == "<object>"
    assert outputs(tiny, 1)[0].text == "<object object>\n"


def test_figure_has_its_text_alternative(lesson):
    tiny = lesson(' alt="A rising line"\n%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);')
    build(tiny)
    (figure,) = outputs(tiny)
    assert figure.metadata == {"image/png": {"alt": "A rising line"}}
    assert len(figure.data["image/png"]) > 1000


def test_slider_leaves_what_it_shows_at_its_start(lesson):
    tiny = lesson("\nimport ipywidgets\n\n@ipywidgets.interact(a=(0, 10))\ndef show(a=4):\n    print('a is', a)")
    build(tiny)
    assert outputs(tiny) == [{"output_type": "stream", "name": "stdout", "text": "a is 4\n"}]
    assert "widget" not in tiny.notebook.read_text().replace("ipywidgets", "")


def test_error_that_is_meant_keeps_its_last_line_only(lesson):
    tiny = lesson(' tags=["raises-exception"]\nraise ValueError("meant")')
    build(tiny)
    (error,) = outputs(tiny)
    assert (error.ename, error.evalue, error.traceback) == ("ValueError", "meant", ["ValueError: meant"])


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (
            "\nimport sys\nprint('noise', file=sys.stderr)",
            "cell 1: expected nothing on standard error, received 'noise'",
        ),
        ("\nimport warnings\nwarnings.warn('noise')", "nothing on standard error"),
        ("\nimport os\nos.system('echo noise >&2');", "nothing on standard error, received 'noise'"),
        ("\nimport os\nprint('in', os.getcwd())", "cell 1: expected no absolute path"),
        ("\nimport sys\nsys.prefix", "no absolute path"),
        ("\nprint('/home/somebody/lesson.py')", "no absolute path of this machine, received '/home/somebody'"),
        ("\nprint(r'C:\\Users\\somebody\\x')", "no absolute path"),
        (" [markdown]\n# See /Users/somebody/notes.", "no absolute path"),
        ("\nraise ValueError('broken')", "cell 1: expected to run with the placeholders, received ValueError: broken"),
        ("\nprint('x' * 600_000)", "a page of at most 500 KB, received 60. KB. Largest: cell 1"),
    ],
)
def test_page_that_must_not_be_is_refused_and_the_old_one_stays(lesson, cell, says):
    tiny = lesson("\n0")
    build(tiny)
    old = tiny.notebook.read_bytes()
    with pytest.raises(LessonError, match=says):
        build(lesson("\n0", cell))
    assert tiny.notebook.read_bytes() == old
    assert len(list(tiny.notebook.parent.iterdir())) == 2


@pytest.mark.parametrize(("descriptor", "stream"), [(1, "stdout"), (2, "stderr")])
def test_output_on_descriptors_counts_for_its_own_cell_however_late_it_is_read(lesson, descriptor, stream):
    slow = f"""
import os, time
read = os.read

def read_late(*arguments):  # as on a machine with much to do
    received = read(*arguments)
    time.sleep(0.5)
    return received

os.read = read_late
_ = os.write({descriptor}, b'zero')"""
    tiny = lesson(slow, *(f"\n_ = os.write({descriptor}, b'{text}')" for text in ("one", "two")))
    page = building.source.notebook(tiny, "learner")
    execution.execute(page, tiny.notebook.parent, stop_after=60)
    written = [[(output.name, output.text) for output in cell.outputs] for cell in page.cells]
    assert written == [[(stream, "zero")], [(stream, "one")], [(stream, "two")]]


def test_start_up_leaves_no_name_behind(lesson):
    tiny = lesson("\nprint([name for name in dir() if 'wait' in name or 'drain' in name])")
    build(tiny)
    assert outputs(tiny)[0].text == "[]\n"


@pytest.mark.parametrize(
    "harmless",
    [
        "https://example.org/home/page.html",
        "https://example.org:80/tmp/x",
        "~/.cache/x",
        "notebooks/src/tmp/x",
        "W/root/x",
        "</tmp/x>",
        "a C: and a D:",
    ],
)
def test_what_only_looks_like_a_path_is_no_fault(lesson, harmless):
    tiny = lesson("\n0")
    page = building.source.notebook(tiny, "learner")
    page.cells[0].outputs = [nbformat.v4.new_output("stream", text=harmless)]
    assert list(building.faults(page, tiny)) == []


def test_lesson_that_takes_too_long_is_refused(lesson):
    with pytest.raises(LessonError, match="to run within 2 s"):
        build(lesson("\nimport time\ntime.sleep(60)"), time_limit=2)


def test_folder_that_cannot_be_written_errors(lesson, monkeypatch):
    tiny = lesson("\n0")

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LessonError, match="No space left on device"):
        build(tiny)
    assert not tiny.notebook.exists()


def test_one_bad_lesson_does_not_keep_the_others(lesson):
    pages = build_all([lesson("\n1 / 0", name="01_bad"), lesson("\n1", name="02_good")], jobs=2)
    assert [page.error is None for page in pages] == [False, True]
    assert "ZeroDivisionError" in str(pages[0].error)
    assert not pages[0].lesson.notebook.exists()
    assert pages[1].lesson.notebook.exists()


@pytest.fixture
def built(lesson):
    tiny = lesson(" [markdown]\n# Text", "\n1 + 1")
    build(tiny)
    return tiny


def changed(lesson, change):
    page = json.loads(lesson.notebook.read_text())
    change(page["cells"])
    lesson.notebook.write_text(json.dumps(page))
    return " | ".join(differences(lesson))


def test_missing_page_is_a_difference(built):
    built.notebook.unlink()
    assert differences(built) == ["01_tiny.ipynb is missing: `toolkit lessons build 01`"]


def test_unreadable_page_is_a_difference(built):
    built.notebook.write_text("{ not a notebook")
    assert "cannot be read" in differences(built)[0]


def test_changed_text_is_a_difference(built):
    assert "cell 0: its source differs" in changed(built, lambda cells: cells[0].update(source="Other"))


def test_changed_source_is_a_difference(built, lesson):
    assert "cell 1: its source differs" in differences(lesson(" [markdown]\n# Text", "\n1 + 2"))[0]


def test_cell_too_many_is_a_difference(built):
    assert "3 cells in the page, 2 in the source" in changed(built, lambda cells: cells.append(dict(cells[0], id="x")))


def test_cell_not_executed_is_a_difference(built):
    assert "cell 1: not executed" in changed(built, lambda cells: cells[1].update(execution_count=None))


def test_standard_error_in_a_page_is_a_difference(built):
    noise = {"output_type": "stream", "name": "stderr", "text": "noise"}
    assert "nothing on standard error" in changed(built, lambda cells: cells[1]["outputs"].append(noise))


def test_last_words_of_a_kernel_that_dies_are_kept(lesson):
    tiny = lesson("\nimport os, time\n_ = os.write(2, b'last words')\ntime.sleep(0.2)\nos.abort()")
    page = building.source.notebook(tiny, "learner")
    failure = execution.execute(page, tiny.notebook.parent, stop_after=60).failure
    assert failure.message == "the kernel died (out of memory?)"
    assert "last words" in failure.traceback
    assert "\0" not in failure.traceback
