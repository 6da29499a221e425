from __future__ import annotations

import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from toolkit.data._info import CorpusInfo, FileInfo, ImagesInfo

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shared_data():
    """The folder of real data that lies beside the project on development machines."""
    folder = Path(os.environ.get("TOOLKIT_SHARED_DATA") or PROJECT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no shared data: set TOOLKIT_SHARED_DATA to a folder that holds mnist.npz")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and none of the user's settings."""
    for variable in ("TOOLKIT_DATA", "TOOLKIT_DATA_URL"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


def _npz_bytes(n_train=6, n_test=4, seed=0):
    random = np.random.RandomState(seed)
    stream = io.BytesIO()
    np.savez(
        stream,
        x_train=random.randint(0, 256, (n_train, 5, 4)).astype(np.uint8),
        y_train=np.arange(n_train, dtype=np.uint8) % 2,
        x_test=random.randint(0, 256, (n_test, 5, 4)).astype(np.uint8),
        y_test=np.arange(n_test, dtype=np.uint8) % 2,
    )
    return stream.getvalue()


@pytest.fixture
def npz_bytes():
    """Makes an .npz of 5×4 greyscale images in two classes."""
    return _npz_bytes


def _file_info(name, content):
    return FileInfo(
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        urls=[f"http://127.0.0.1:9/{name}"],  # the port of 'discard': nothing answers
    )


@pytest.fixture
def make_info():
    """Makes a catalogue entry for files of known content."""

    def make(files, **changes):
        entry = {
            "name": "tiny",
            "title": "Tiny images",
            "reader": "npz",
            "image_shape": (5, 4, 1),
            "max_value": 255,
            "train": 6,
            "test": 4,
            "classes": ("left", "right"),
            "licence": "CC0",
            "citation": "none",
            "homepage": "https://example.org/",
            "files": [_file_info(name, content) for name, content in files.items()],
            "stand_in": "mnist5k",
        }
        return ImagesInfo(**{**entry, **changes})

    return make


@pytest.fixture
def payload():
    return _npz_bytes()


@pytest.fixture
def tiny(make_info, payload):
    """A data set of one file, tiny.npz, whose bytes are ``payload``."""
    return make_info({"tiny.npz": payload})


@pytest.fixture
def in_catalogue(monkeypatch):
    """Adds an entry to the catalogue that load, fetch and status see."""
    from toolkit.data import _catalogue

    def add(info):
        known = {**_catalogue.catalogue(), info.name: info}
        monkeypatch.setattr(_catalogue, "_installed_catalogue", lambda: known)
        return info

    return add


class Server:
    """A web server on 127.0.0.1 that answers as it is told.

    ``answers`` holds functions ``answer(handler, content)``; each request takes the next one, and the
    last one answers all that follow. ``files`` maps paths to contents; ``requests`` records the paths,
    and ``headers`` what was asked of them.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.answers = [self.whole]
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.release = threading.Event()  # lets the answers that hold a connection go on
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                server.headers.append(dict(self.headers))
                position = min(len(server.requests), len(server.answers)) - 1
                server.answers[position](self, server.files.get(self.path, b""))

            def log_message(self, *args):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self):
        self.release.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    @staticmethod
    def whole(handler, content):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    @staticmethod
    def status(code):
        return lambda handler, content: handler.send_error(code)

    @staticmethod
    def body(other, *, length=True):
        """Answers with other bytes than the file's."""

        def answer(handler, content):
            handler.send_response(200)
            if length:
                handler.send_header("Content-Length", str(len(other)))
            handler.end_headers()
            handler.wfile.write(other)

        return answer

    @staticmethod
    def cut(handler, content):
        """Promises all, sends half, hangs up."""
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    @staticmethod
    def ranged(handler, content, version='"1"'):
        """Sends the rest that is asked for, or all if the version that is asked for is another."""
        asked = handler.headers.get("Range")
        if not asked or handler.headers.get("If-Range", version) != version:
            handler.send_response(200)
            start = 0
        else:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("ETag", version)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:])

    def stall(self, handler, content, version=None):
        """Sends half and holds the connection until ``release`` is set."""
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        if version:
            handler.send_header("ETag", version)
        handler.end_headers()
        half = len(content) // 2
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        self.release.wait(30)
        try:
            handler.wfile.write(content[half:])
        except OSError:
            handler.close_connection = True  # the client was killed, as the test meant it to be


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def served(server, tiny, payload):
    """The server, with the tiny data set on it, laid out as a mirror."""
    server.files["/tiny/tiny.npz"] = payload
    return server


@pytest.fixture
def left_over():
    """Lists what a cache holds besides finished files and locks."""

    def names(cache):
        return sorted(path.relative_to(cache).as_posix() for path in (cache / ".incoming").rglob("*") if path.is_file())

    return names


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own: ``small_disk(kilobytes)`` mounts it and ``.read_only()`` seals it."""
    mounted = []

    class Disk(type(tmp_path)):
        def read_only(self):
            subprocess.run(["mount", "-o", "remount,ro", str(self)], check=True)

    def mount(kilobytes):
        folder = Disk(tmp_path / f"disk{len(mounted)}")
        folder.mkdir()
        if os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"):
            pytest.skip("mounting a small disk takes root on Linux")
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
        if tried.returncode:
            pytest.skip(f"this machine lets nobody mount a small disk: {tried.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def run_install():
    """Starts a Python process that downloads a data set into a cache from a mirror."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from toolkit.data._info import ImagesInfo\n"
        "from toolkit.data._download import downloading\n"
        "from toolkit.data._store import install\n"
        "info = ImagesInfo.model_validate_json(sys.argv[1])\n"
        "install(info, Path(sys.argv[2]), downloading(info, base_url=sys.argv[3], progress=False))\n"
    )
    processes = []

    def start(info, cache, url):
        process = subprocess.Popen(
            [sys.executable, "-c", script, info.model_dump_json(), str(cache), url],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def wait_until():
    """Waits for a condition, at most ``seconds``."""

    def wait(condition, what, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
            time.sleep(0.02)

    return wait


WORDS = [f"word{k}" for k in range(60)]


def _random_sentence(seed, n):
    return " ".join(np.random.RandomState(seed).choice(WORDS, n))


@pytest.fixture
def random_sentence():
    """Makes a sentence of ``n`` words, always the same for a seed."""
    return _random_sentence


@pytest.fixture
def packages(tmp_path, monkeypatch, random_sentence):
    """Two packages of twenty modules with two docstrings each, installed in a folder of the test's own."""
    site = tmp_path / "site"
    for number, name in enumerate(("alpha", "beta")):
        for module in range(20):
            path = site / name / f"part{module % 2}" / f"module{module}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            seeds = [1000 * number + 10 * module + k for k in range(2)]
            functions = [
                f'def f{k}():\n    """{random_sentence(seed, 8)}.\n\n    {random_sentence(5000 + seed, 30)}.\n    """\n'
                for k, seed in enumerate(seeds)
            ]
            path.write_text("\n".join(functions))
        (site / name / "__init__.py").write_text('raise SystemExit("the package was imported")')
        information = site / f"{name}-1.{number}.dist-info" / "METADATA"
        information.parent.mkdir()
        information.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}\n")
    monkeypatch.syspath_prepend(site)
    return site


@pytest.fixture
def tiny_corpus(packages):
    """A corpus of the two packages."""
    return CorpusInfo(
        name="tiny",
        title="Tiny corpus",
        reader="docstrings",
        targets=("library", "family", "summary"),
        train=48,
        test=32,
        classes=("alpha", "beta"),
        licence="CC0",
        citation="none",
        homepage="https://example.org/",
        packages=[
            {"name": "alpha", "distribution": "alpha", "family": "greek"},
            {"name": "beta", "distribution": "beta", "family": "letters"},
        ],
    )
