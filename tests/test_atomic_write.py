"""What a reader finds at the path, and what lies beside it, whatever happens while a file is written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolkit.atomic_write import atomic_write, remove_partial_files
from toolkit.errors import DataError

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"old")
    return path


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def write(path, where=None, *, then=None):
    """Writes ``new``; raises ``then`` half way."""
    with atomic_write(path, where) as file:
        file.write(b"ne")
        if then is not None:
            raise then
        file.write(b"w")


def test_the_new_content_is_there_after_the_block_and_not_before(path):
    with atomic_write(path) as file:
        file.write(b"n")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"ew")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["runs.csv"]


@pytest.mark.parametrize("exception", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_any_exception_half_way_leaves_the_old_file_and_nothing_beside_it(exception, path):
    with pytest.raises(exception):
        write(path, then=exception)
    assert path.read_bytes() == b"old"
    assert names(path.parent) == ["runs.csv"]


def test_an_exception_half_way_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "new", then=KeyboardInterrupt)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_disk_that_is_full_at_the_end_errors(step, path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step, full)
    with pytest.raises(DataError, match=r"Comparison\.to_csv: .*received No space left .*runs\.csv.*Free some room"):
        write(path, "Comparison.to_csv")
    assert path.read_bytes() == b"old"
    assert names(path.parent) == ["runs.csv"]


def test_a_killed_process_leaves_the_old_file_and_a_partial_one_that_can_be_removed(path):
    code = (
        "import os, signal, sys; from toolkit.atomic_write import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode != 0
    assert path.read_bytes() == b"old"
    other = path.with_name(".other.csv.1.part")
    other.write_bytes(b"of another file")
    assert len(names(path.parent)) == 3
    remove_partial_files(path)
    assert names(path.parent) == [".other.csv.1.part", "runs.csv"]


def test_two_writers_do_not_mix(path):
    def write_twice(content):
        with atomic_write(path) as file:
            file.write(content)
            both_are_open.wait(timeout=30)
            file.write(content)

    both_are_open = threading.Barrier(2)
    threads = [threading.Thread(target=write_twice, args=(content,)) for content in (b"a" * 100, b"b" * 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in (b"a" * 200, b"b" * 200)
    assert names(path.parent) == ["runs.csv"]


def test_a_name_as_long_as_can_be(tmp_path):
    path = tmp_path / ("é" * 127)  # 254 bytes
    write(path)
    assert path.read_bytes() == b"new"


# ---------------------------------------------------------------------- permissions and links


@posix
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@posix
def test_an_old_file_keeps_its_permissions_and_the_partial_one_has_them(path):
    path.chmod(0o600)
    with atomic_write(path) as file:
        file.write(b"secret")
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_a_link_stays_and_the_file_it_names_is_replaced(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.csv"
    link.symlink_to(path)
    write(link)
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert names(link.parent) == ["link.csv"]


@posix
def test_a_device_is_written_to_and_stays_one():
    write(os.devnull)
    assert Path(os.devnull).is_char_device()


# ---------------------------------------------------------------------- places that cannot be written to


def test_a_missing_folder_errors(tmp_path):
    with pytest.raises(DataError, match=r"Trace: expected a place that can be written to, received No such file.*Make"):
        write(tmp_path / "nowhere" / "page.html", "Trace")
    assert names(tmp_path) == []


def test_a_folder_in_the_files_place_errors(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"received Is a directory.*Name a file inside"):
        write(tmp_path / "folder", "Trace", then=AssertionError("the block was entered"))
    assert names(tmp_path) == ["folder"]


def test_a_file_in_the_folders_place_errors(path):
    with pytest.raises(DataError, match="is a file"):
        write(path / "page.html", "Trace")


@posix
def test_what_may_not_be_written_errors(path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # as for any user but root
    with pytest.raises(DataError, match=r"received Permission denied.*mend the permissions"):
        write(path, "Trace", then=AssertionError("the block was entered"))
    assert path.read_bytes() == b"old"


def test_without_a_name_the_systems_error_is_raised(tmp_path):
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "nowhere" / "page.html")
