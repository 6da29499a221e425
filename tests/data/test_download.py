from __future__ import annotations

import pytest

from toolkit.data import _download
from toolkit.data._download import downloading, mirror_url
from toolkit.data._store import install
from toolkit.errors import DataError


@pytest.fixture
def fetch(served, tiny, cache):
    """Downloads the tiny data set from the local server, without pauses."""

    def run(**options):
        obtain = downloading(tiny, **{"base_url": served.url, "progress": False, "pause": 0.0, **options})
        return install(tiny, cache, obtain)

    return run


@pytest.fixture
def nothing_left(cache, left_over):
    def check():
        assert not (cache / "tiny" / "tiny.npz").exists()
        assert left_over(cache) == []

    return check


def test_downloads(served, fetch, payload):
    (path,) = fetch()
    assert path.read_bytes() == payload
    assert served.requests == ["/tiny/tiny.npz"]


def test_mirror_address_may_end_in_a_slash(served, fetch):
    fetch(base_url=served.url + "/")
    assert served.requests == ["/tiny/tiny.npz"]


def test_published_addresses_are_tried_in_order(server, make_info, cache, payload):
    info = make_info({"tiny.npz": payload})
    urls = (f"{server.url}/gone/tiny.npz", f"{server.url}/kept/tiny.npz")
    info = info.model_copy(update={"files": (info.files[0].model_copy(update={"urls": urls}),)})
    server.files["/kept/tiny.npz"] = payload
    server.answers = [server.status(404), server.whole]
    (path,) = install(info, cache, downloading(info, progress=False))
    assert path.read_bytes() == payload
    assert server.requests == ["/gone/tiny.npz", "/kept/tiny.npz"]


@pytest.mark.parametrize("code", [404, 500, 503])
def test_failing_server_that_recovers(served, fetch, payload, code):
    served.answers = [served.status(code), served.status(code), served.whole]
    (path,) = fetch()
    assert path.read_bytes() == payload
    assert len(served.requests) == 3


def test_truncating_server_that_recovers(served, fetch, payload):
    served.answers = [served.cut, served.whole]
    (path,) = fetch()
    assert path.read_bytes() == payload


@pytest.mark.parametrize("code", [404, 500])
def test_failing_server_errors(served, fetch, nothing_left, code):
    served.answers = [served.status(code)]
    with pytest.raises(DataError, match=rf"download tiny\.npz, received HTTP status {code} from http://127"):
        fetch()
    assert len(served.requests) == 3
    nothing_left()


def test_truncating_server_errors(served, fetch, cache, left_over):
    served.answers = [served.cut]
    with pytest.raises(DataError, match="the connection broke"):
        fetch()
    assert not (cache / "tiny" / "tiny.npz").exists()
    assert left_over(cache) == [".incoming/tiny/tiny.npz.part"]


def test_truncated_without_announced_length_errors(served, fetch, nothing_left, payload):
    served.answers = [served.body(payload[:100], length=False)]
    with pytest.raises(DataError, match=f"received 100 of {len(payload)} bytes"):
        fetch()
    nothing_left()


def test_wrong_checksum_errors(served, fetch, nothing_left, npz_bytes, payload):
    other = npz_bytes(seed=1)
    assert len(other) == len(payload)
    served.answers = [served.body(other)]
    with pytest.raises(DataError, match=r"another checksum .*login page"):
        fetch()
    nothing_left()


def test_login_page_in_its_place_errors(served, fetch, nothing_left):
    served.answers = [served.body(b"<html>Welcome to the campus network</html>")]
    with pytest.raises(DataError, match="login page of a network"):
        fetch()
    nothing_left()


def test_endless_server_errors(served, fetch, nothing_left, payload):
    """More than the published size is refused as it arrives, not after the disk is full."""
    sent = []

    def endless(handler, content):
        handler.send_response(200)
        handler.end_headers()
        try:
            while len(sent) < 10_000:
                handler.wfile.write(bytes(1 << 16))
                sent.append(1)
        except OSError:
            handler.close_connection = True

    served.answers = [endless]
    with pytest.raises(DataError, match="more bytes than the published file has"):
        fetch(attempts=1)
    nothing_left()
    assert len(sent) < 10_000


def test_stalled_server_errors(served, fetch, cache, left_over, monkeypatch):
    monkeypatch.setattr(_download, "_CONNECT_READ_SECONDS", (1, 0.2))
    served.answers = [served.stall]
    with pytest.raises(DataError, match="the connection broke"):
        fetch(attempts=2)
    assert len(served.requests) == 2
    assert not (cache / "tiny" / "tiny.npz").exists()
    assert left_over(cache) == [".incoming/tiny/tiny.npz.part"]


def test_no_network_names_the_stand_in_and_the_commands(tiny, fetch, nothing_left):
    """Nothing listens at the published address; it is asked once, because asking again would not help."""
    with pytest.raises(DataError) as caught:
        fetch(base_url=None, pause=60.0)
    message = str(caught.value)
    assert "no connection from http://127.0.0.1:9/tiny.npz" in message
    assert "data.load('mnist5k') needs no network" in message
    assert "`toolkit data fetch tiny`" in message
    assert "`toolkit data fetch tiny --from FOLDER`" in message
    nothing_left()


def test_next_run_recovers(served, fetch, payload):
    served.answers = [served.cut] * 3 + [served.whole]
    with pytest.raises(DataError):
        fetch()
    (path,) = fetch()
    assert path.read_bytes() == payload


@pytest.fixture
def small_chunks(monkeypatch):
    """What arrives is written down every 50 bytes, not every 64 kB."""
    monkeypatch.setattr(_download, "_CHUNK_BYTES", 50)


def _cut_at(server, size, version='"1"'):
    """Promises all, sends ``size`` bytes, hangs up."""

    def answer(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        if version:
            handler.send_header("ETag", version)
        handler.end_headers()
        handler.wfile.write(content[:size])

    return answer


@pytest.mark.parametrize("version", ['"1"', None])
def test_next_attempt_asks_for_the_rest(served, fetch, payload, version, small_chunks):
    served.answers = [_cut_at(served, 100, version), served.ranged]
    (path,) = fetch()
    assert path.read_bytes() == payload
    assert [headers.get("Range") for headers in served.headers] == [None, "bytes=100-"]
    assert [headers.get("If-Range") for headers in served.headers] == [None, version]


def test_file_that_changed_on_the_server_is_sent_whole(served, fetch, payload, npz_bytes, small_chunks):
    """The first half is of an older file; the server answers the condition with all of the new one."""
    served.files["/tiny/tiny.npz"] = npz_bytes(seed=1)
    served.answers = [_cut_at(served, 100, '"0"')]
    with pytest.raises(DataError):
        fetch(attempts=1)
    served.files["/tiny/tiny.npz"] = payload
    served.answers = [served.ranged]
    (path,) = fetch(attempts=1)
    assert path.read_bytes() == payload
    assert served.headers[-1]["If-Range"] == '"0"'
    assert len(served.requests) == 2


def test_part_of_another_file_is_thrown_away(served, fetch, payload, npz_bytes, left_over, cache, small_chunks):
    """No version was told, so the rest of one file is put behind the start of another; the checksum notices."""
    served.files["/tiny/tiny.npz"] = npz_bytes(seed=1)
    served.answers = [_cut_at(served, 800, None)]
    with pytest.raises(DataError):
        fetch(attempts=1)
    served.files["/tiny/tiny.npz"] = payload
    served.answers = [served.ranged]
    (path,) = fetch(attempts=1)
    assert path.read_bytes() == payload
    assert [headers.get("Range") for headers in served.headers] == [None, f"bytes={800}-", None]
    assert left_over(cache) == []


@pytest.mark.parametrize("size", [0, 1, 100, "all", "more"])
def test_part_of_any_size(served, fetch, payload, cache, size):
    """A part may be empty, whole (killed before the last step), or longer than the file ever was."""
    part = cache / ".incoming" / "tiny" / "tiny.npz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes({"all": payload, "more": payload + b"more"}.get(size) or payload[:size])
    served.answers = [served.ranged]
    (path,) = fetch(attempts=1)
    assert path.read_bytes() == payload
    asked = {1: "bytes=1-", 100: "bytes=100-"}.get(size)
    assert [headers.get("Range") for headers in served.headers] == ([] if size == "all" else [asked])


def test_damaged_part_of_full_length(served, fetch, payload, cache):
    part = cache / ".incoming" / "tiny" / "tiny.npz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(payload[:-1] + b"?")
    served.answers = [served.ranged]  # 416: there is nothing after the last byte
    (path,) = fetch(attempts=1)
    assert path.read_bytes() == payload
    assert len(served.requests) == 2


@pytest.mark.parametrize("announced", ["bytes 7-99/100", "bytes", None])
def test_part_that_was_not_asked_for(served, fetch, payload, announced, small_chunks):
    def wrong(handler, content):
        handler.send_response(206)
        if announced:
            handler.send_header("Content-Range", announced)
        handler.send_header("Content-Length", "93")
        handler.end_headers()
        handler.wfile.write(content[7:100])

    served.answers = [_cut_at(served, 100), wrong, served.whole]
    (path,) = fetch(attempts=2)
    assert path.read_bytes() == payload


def test_part_and_an_error_page(served, fetch, payload, small_chunks):
    """A server that is down for a moment costs nothing of what has arrived."""
    served.answers = [_cut_at(served, 100), served.status(503), served.ranged]
    (path,) = fetch()
    assert path.read_bytes() == payload
    assert [headers.get("Range") for headers in served.headers] == [None, "bytes=100-", "bytes=100-"]


def test_version_note_that_was_cut_off(served, fetch, payload, cache):
    folder = cache / ".incoming" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.npz.part").write_bytes(payload[:100])
    (folder / "tiny.npz.version").write_text(served.url)
    served.answers = [served.ranged]
    (path,) = fetch(attempts=1)
    assert path.read_bytes() == payload
    assert "If-Range" not in served.headers[0]


def test_progress_bar_goes_to_stderr_and_ends_full(served, fetch, tiny, capsys, monkeypatch):
    import rich.progress

    bars = []

    class Recorded(rich.progress.Progress):
        def __enter__(self):
            bars.append(self)
            return super().__enter__()

    monkeypatch.setattr(rich.progress, "Progress", Recorded)
    fetch(progress=True)
    (task,) = bars[0].tasks
    assert (task.completed, task.total) == (tiny.size_bytes, tiny.size_bytes)
    assert capsys.readouterr().out == ""


def test_no_progress_prints_nothing(fetch, capsys):
    fetch(progress=False)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_mirror_that_is_no_web_address_errors(monkeypatch):
    assert mirror_url() is None
    monkeypatch.setenv("TOOLKIT_DATA_URL", "http://school.example/data")
    assert mirror_url() == "http://school.example/data"
    monkeypatch.setenv("TOOLKIT_DATA_URL", "school.example/data")
    with pytest.raises(DataError, match="begins with http"):
        mirror_url()
