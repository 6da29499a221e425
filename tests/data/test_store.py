from __future__ import annotations

import errno
import functools
import os
from types import SimpleNamespace

import pytest

from toolkit.data import _store
from toolkit.data._download import downloading
from toolkit.data._places import find_in_folder
from toolkit.data._store import copying_from, install
from toolkit.errors import DataError


@pytest.fixture
def write(payload):
    """An ``obtain`` that writes the payload and counts its calls."""

    def obtain(file, target):
        obtain.calls += 1
        target.write_bytes(payload)

    obtain.calls = 0
    return obtain


def _refuse(file, target):
    raise AssertionError("nothing should be obtained")


def test_installs_once(tiny, cache, write, payload, left_over):
    (path,) = install(tiny, cache, write)
    assert path == cache / "tiny" / "tiny.npz"
    assert path.read_bytes() == payload
    assert left_over(cache) == []
    assert install(tiny, cache, _refuse) == [path]


def test_force_obtains_again(tiny, cache, write):
    install(tiny, cache, write)
    install(tiny, cache, write, force=True)
    assert write.calls == 2


def test_force_that_fails_keeps_the_old_file(tiny, cache, write, payload, left_over):
    (path,) = install(tiny, cache, write)

    def fail(file, target):
        target.write_bytes(b"half")
        raise DataError("net", "a", "b")

    with pytest.raises(DataError, match="net"):
        install(tiny, cache, fail, force=True)
    assert path.read_bytes() == payload
    assert left_over(cache) == []


def test_only_what_is_missing_or_damaged_is_obtained(make_info, cache):
    contents = {"a": b"first", "b": b"second", "c": b"third"}
    info = make_info(contents)
    names = []

    def obtain(file, target):
        names.append(file.name)
        target.write_bytes(contents[file.name])

    paths = install(info, cache, obtain)
    assert names == ["a", "b", "c"]
    paths[0].write_bytes(b"FIRST")
    paths[2].unlink()
    install(info, cache, obtain)
    assert names == ["a", "b", "c", "a", "c"]
    assert [path.read_bytes() for path in paths] == list(contents.values())


def test_other_bytes_are_never_put_in_place(tiny, cache, left_over):
    with pytest.raises(DataError, match="other bytes"):
        install(tiny, cache, lambda file, target: target.write_bytes(b"x" * file.size))
    assert not (cache / "tiny" / "tiny.npz").exists()
    assert left_over(cache) == []


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b"x" + b[1:], lambda b: b + b"x", lambda b: b""])
def test_damaged_file_is_replaced(tiny, cache, write, payload, change):
    (path,) = install(tiny, cache, write)
    path.write_bytes(change(payload))
    install(tiny, cache, write)
    assert path.read_bytes() == payload


def test_damaged_file_is_removed_where_it_cannot_be_replaced(tiny, cache, write, payload):
    (path,) = install(tiny, cache, write)
    path.write_bytes(payload[:-1])
    with pytest.raises(DataError, match=r"damaged tiny\.npz .* has been removed.*data\.load\('mnist5k'\)"):
        install(tiny, cache, downloading(tiny, progress=False))
    assert not path.exists()


def test_interrupt_leaves_nothing(tiny, cache, write, left_over):
    def interrupt(file, target):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(tiny, cache, interrupt)
    assert left_over(cache) == []
    install(tiny, cache, write)
    assert write.calls == 1


@pytest.mark.parametrize("rest", ["ranged", "whole"])
def test_killed_half_way_then_the_next_run_goes_on(server, make_info, cache, run_install, wait_until, left_over, rest):
    """The next run asks for the rest; a server that knows no ranges sends all again."""
    content = os.urandom(300_000)  # several chunks, so that the first half reaches the disk
    info = make_info({"big.bin": content})
    server.files["/tiny/big.bin"] = content
    server.answers = [functools.partial(server.stall, version='"1"'), getattr(server, rest)]
    process = run_install(info, cache, server.url)
    part = cache / ".incoming" / "tiny" / "big.bin.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 0, "the first half to arrive")
    process.kill()  # SIGKILL: no chance to tidy up
    process.wait()
    server.release.set()
    assert not (cache / "tiny").exists()
    assert left_over(cache) == [".incoming/tiny/big.bin.part", ".incoming/tiny/big.bin.version"]

    arrived = part.stat().st_size
    (part.parent / "older").write_bytes(b"from a run before")
    (path,) = install(info, cache, downloading(info, base_url=server.url, progress=False))
    assert path.read_bytes() == content
    assert server.headers[1]["Range"] == f"bytes={arrived}-"
    assert server.headers[1]["If-Range"] == '"1"'
    assert not (cache / ".incoming" / "tiny").exists()


def test_part_is_left_alone_by_a_copy_and_gone_after_it(tiny, cache, tmp_path, payload, left_over):
    part = cache / ".incoming" / "tiny" / "tiny.npz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(payload[:10])
    (tmp_path / "tiny.npz").write_bytes(payload)
    install(tiny, cache, copying_from(tiny, tmp_path))
    assert left_over(cache) == []


def test_part_counts_as_room(tiny, cache, payload, write, monkeypatch):
    """A disk on which only the rest has room is large enough."""
    part = cache / ".incoming" / "tiny" / "tiny.npz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(payload[:-10])
    free = [10]
    monkeypatch.setattr(_store.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free[0]))
    install(tiny, cache, write)
    free[0] = 9
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(payload[:-10])
    with pytest.raises(DataError, match="of room in the cache"):
        install(tiny, cache, write, force=True)


def test_two_processes_fetch_it_once(served, tiny, cache, payload, run_install, wait_until):
    served.answers = [served.stall, served.status(500)]
    first = run_install(tiny, cache, served.url)
    wait_until(lambda: served.requests, "the first process to ask")
    second = run_install(tiny, cache, served.url)
    line = second.stderr.readline()
    assert "Another process is fetching tiny; waiting" in line
    served.release.set()
    for process in (first, second):
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 0, stderr
    assert served.requests == ["/tiny/tiny.npz"]
    assert (cache / "tiny" / "tiny.npz").read_bytes() == payload


def test_lock_held_too_long_errors(tiny, cache, write, caplog):
    import filelock

    (cache / ".locks").mkdir(parents=True)
    with (
        filelock.FileLock(cache / ".locks" / "tiny.lock"),
        pytest.raises(DataError, match="another process that is still fetching it"),
    ):
        install(tiny, cache, write, lock_seconds=0.1)
    assert "waiting" in caplog.text
    assert write.calls == 0
    install(tiny, cache, write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_disk_that_fills_up_errors(tiny, cache, write, payload, left_over):
    def fill(file, target):
        target.write_bytes(payload[:10])
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            full.write(payload)

    with pytest.raises(DataError, match=r"MB of room in the cache .* received a full disk.*TOOLKIT_CACHE"):
        install(tiny, cache, fill)
    assert not (cache / "tiny" / "tiny.npz").exists()
    assert left_over(cache) == []
    install(tiny, cache, write)


def test_full_disk_errors_before_download_and_recovers(tiny, small_disk, write, payload, left_over):
    disk = small_disk(64)
    filler = disk / "filler"
    filler.write_bytes(bytes(64 * 1024))
    cache = disk / "data"
    with pytest.raises(DataError, match=r"room in the cache .*received 0\.0 MB.*TOOLKIT_CACHE"):
        install(tiny, cache, write)
    assert write.calls == 0
    assert left_over(cache) == []
    filler.unlink()
    (path,) = install(tiny, cache, write)
    assert path.read_bytes() == payload


def test_disk_fills_up_while_downloading(make_info, server, small_disk, left_over, monkeypatch):
    """Another program takes the room after it was measured: 60 kB arrive where 40 kB fit."""
    content = os.urandom(60_000)
    info = make_info({"big.bin": content})
    server.files["/tiny/big.bin"] = content
    disk = small_disk(80)
    (disk / "filler").write_bytes(bytes(40 * 1024))
    monkeypatch.setattr(_store, "_require_room", lambda *args: None)
    obtain = downloading(info, base_url=server.url, progress=False, pause=0)
    with pytest.raises(DataError, match="received a full disk"):
        install(info, disk / "data", obtain)
    assert server.requests == ["/tiny/big.bin"]  # trying again would not help
    assert left_over(disk / "data") == []
    assert not (disk / "data" / "tiny" / "big.bin").exists()
    (disk / "filler").unlink()
    (path,) = install(info, disk / "data", obtain)
    assert path.read_bytes() == content


def test_read_only_cache_errors_but_intact_files_are_used(tiny, make_info, small_disk, write, payload):
    disk = small_disk(256)
    (path,) = install(tiny, disk / "data", write)
    disk.read_only()
    assert install(tiny, disk / "data", _refuse) == [path]
    other = make_info({"other.npz": payload}, name="other")
    with pytest.raises(DataError, match=r"a cache folder that can be written to .*Read-only.*TOOLKIT_CACHE"):
        install(other, disk / "data", write)
    with pytest.raises(DataError, match="can be written to"):
        install(tiny, disk / "data", write, force=True)
    assert path.read_bytes() == payload


def test_forbidden_cache_errors(tiny, tmp_path, write):
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(DataError, match=r"can be written to .*TOOLKIT_CACHE"):
        install(tiny, folder / "data", write)


def test_cache_below_a_file_errors(tiny, tmp_path, write):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match=r"can be written to .*TOOLKIT_CACHE"):
        install(tiny, tmp_path / "file" / "data", write)


def test_other_os_errors_keep_their_words(tiny, cache):
    def fail(file, target):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(DataError, match=os.strerror(errno.EIO)):
        install(tiny, cache, fail)


@pytest.mark.parametrize("sub_folder", ["", "tiny"])
def test_copies_published_files(tiny, cache, tmp_path, payload, sub_folder):
    source = tmp_path / "usb" / sub_folder
    source.mkdir(parents=True)
    (source / "tiny.npz").write_bytes(payload)
    (path,) = install(tiny, cache, copying_from(tiny, tmp_path / "usb"))
    assert path.read_bytes() == payload
    assert (source / "tiny.npz").read_bytes() == payload


def test_copy_of_other_bytes_errors(tiny, cache, tmp_path, npz_bytes, left_over):
    content = npz_bytes(seed=1)
    (tmp_path / "tiny.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"published tiny\.npz .*another checksum.*data_dir="):
        install(tiny, cache, copying_from(tiny, tmp_path))
    assert (tmp_path / "tiny.npz").read_bytes() == content
    assert not (cache / "tiny").exists()
    assert left_over(cache) == []


def test_copy_from_nowhere_errors(tiny, tmp_path):
    with pytest.raises(DataError, match="--from: expected an existing folder"):
        copying_from(tiny, tmp_path / "absent")
    with pytest.raises(DataError, match=r"expected tiny\.npz in the folder .* received none of it"):
        copying_from(tiny, tmp_path)


def test_copy_from_npz_that_is_not_the_published_file_errors(make_info, tmp_path, payload):
    info = make_info({"images.gz": b"i", "labels.gz": b"l"}, reader="idx")
    (tmp_path / "tiny.npz").write_bytes(payload)
    with pytest.raises(DataError, match=r"received tiny\.npz alone\. To use it where it is, pass data_dir="):
        copying_from(info, tmp_path)


def test_folder_layouts(make_info, tmp_path, payload):
    info = make_info({"images.gz": b"i", "labels.gz": b"l"}, name="tiny_set", reader="idx")
    assert find_in_folder(info, tmp_path) is None
    hyphenated = tmp_path / "tiny-set"
    hyphenated.mkdir()
    (hyphenated / "images.gz").write_bytes(b"i")
    with pytest.raises(DataError, match=r"all of its 2 files .*a folder without labels\.gz"):
        find_in_folder(info, tmp_path)
    (tmp_path / "tiny_set.npz").write_bytes(payload)
    assert find_in_folder(info, tmp_path) == ([tmp_path / "tiny_set.npz"], True)
    (hyphenated / "labels.gz").write_bytes(b"l")
    assert find_in_folder(info, tmp_path) == ([hyphenated / "images.gz", hyphenated / "labels.gz"], False)
