"""What is no image, or not a whole one, is refused by name, at once and in little memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toolkit.errors import DataError, InvalidValueError, ToolkitError
from toolkit.images import ImagePreprocessor, read_image


def png(width: int, height: int, data: bytes = b"", depth: int = 8) -> bytes:
    """A PNG whose header announces a size, whatever its data hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


NO_IMAGES = {
    "empty": (b"", "an empty file"),
    "one byte": (b"\x89", "starts with"),
    "text": (b"This is a text.\n", "starts with b'This is a te"),
    "utf-16": ("Bild".encode("utf-16"), "starts with"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 'starts with b"<svg'),
    "pdf": (b"%PDF-1.7\n", "starts with b'%PDF"),
    "html of a failed download": (b"<!DOCTYPE html><title>404</title>", "starts with b'<!DOCTYPE"),
    "zip": (b"PK\x03\x04" + bytes(60), "starts with"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(60), "starts with"),
    "pickle": (b"\x80\x04\x95" + bytes(60), "starts with"),
    "zeros": (bytes(10_000), "starts with"),
    "signature alone": (b"\x89PNG\r\n\x1a\n", "sound header"),
    "jpeg markers alone": (b"\xff\xd8\xff\xd9", "sound header"),
    "png without pixels": (png(5, 5), "a whole image"),
    "png of size zero": (png(0, 5), "sound header"),
    "png of impossible depth": (png(5, 5, depth=3), "sound header"),
    "png of garbage": (png(50, 50, zlib.compress(b"garbage")), "a whole image"),
}


@pytest.mark.parametrize("case", NO_IMAGES)
def test_what_is_no_image_is_refused_by_name(case, tmp_path):
    data, message = NO_IMAGES[case]
    path = tmp_path / "not an image.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"not an image\.png") as caught:
        read_image(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.98])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("GIF", {})],
    ids=["jpeg", "progressive jpeg", "png", "bmp", "webp", "tiff", "gif"],
)
def test_a_truncated_file_is_never_read_in_part(kind, options, share, picture, encode, tmp_path):
    data = encode(picture, kind, **options)
    path = tmp_path / "half.img"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"half\.img: expected"):
        read_image(path)


def test_a_jpeg_that_lacks_its_last_byte_is_whole_or_refused(picture, encode):
    data = encode(picture, "JPEG")
    for missing in (1, 2, 3, 10, 50):
        with pytest.raises(DataError, match="truncated"):
            read_image(data[:-missing])


BOMBS = {
    "png": lambda image: png(20_000, 20_000),
    "png of 2³¹": lambda image: png(2**31 - 1, 2**31 - 1),
    "png just too large": lambda image: png(8_193, 8_193),
    "jpeg": lambda image: _patched(image("JPEG"), b"\xff\xc0", 5, ">HH"),
    "gif": lambda image: _patched(image("GIF"), b"GIF8", 6, "<HH"),
    "bmp": lambda image: _patched(image("BMP"), b"BM", 18, "<ii"),
    "webp": lambda image: _patched(image("WEBP"), b"VP8L", 9, "<I", 2**28 - 1),  # twice 14 bits: the most it can say
    "tiff": lambda image: _patched(_patched(image("TIFF"), _WIDTH, 8, "<H"), _HEIGHT, 8, "<H"),
}
_WIDTH, _HEIGHT = (struct.pack("<HHI", tag, 4, 1) for tag in (256, 257))  # entries of a TIFF's directory


def _patched(data: bytes, mark: bytes, offset: int, form: str, side: int = 20_000) -> bytes:
    """The file with a size of its own in the header: 20,000 × 20,000 if not said otherwise."""
    at = data.index(mark) + offset
    size = struct.pack(form, *[side] * (len(form) - 1))
    return data[:at] + size + data[at + len(size) :]


@pytest.mark.parametrize("case", BOMBS)
def test_a_decompression_bomb_is_refused_from_its_header(case, picture, encode):
    resource = pytest.importorskip("resource", reason="this system does not tell a process's peak of memory")
    data = BOMBS[case](lambda kind: encode(picture, kind))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match="at most 67,108,864 pixels") as caught:
        read_image(data)
    assert "max_pixels" in caught.value.remedy
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes; decoded, 1.2 GB


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_beside_the_pixels_is_refused(kind, picture, encode):
    """300 kB of text or colour profile that would unpack to 300 MB."""
    body = kind + b"k\0\0" + zlib.compress(bytes(300_000_000), 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    data = encode(picture, "PNG")
    with pytest.raises(DataError, match="too large"):
        read_image(data[:33] + chunk + data[33:])  # behind the header


def test_max_pixels_is_the_users(picture, encode):
    data = encode(picture, "PNG")
    assert read_image(data, max_pixels=48 * 64).shape == (48, 64, 3)
    with pytest.raises(DataError, match="at most 3,071 pixels, received 64 × 48"):
        read_image(data, max_pixels=48 * 64 - 1)


def test_a_file_larger_than_any_such_image_is_not_loaded(tmp_path):
    path = tmp_path / "endless.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no room on the disk
    with pytest.raises(DataError, match=r"endless\.png: expected a file of at most"):
        read_image(path)


def test_a_real_bomb_of_zeros_is_refused(tmp_path):
    """Compressed to a thousandth: 200 kB on disk, 200 MB decoded. It is not even begun."""
    row = zlib.compressobj(9)
    data = b"".join(row.compress(bytes(3 * 8_200 + 1)) for _ in range(8_200)) + row.flush()
    path = tmp_path / "bomb.png"
    path.write_bytes(png(8_200, 8_200, data))
    assert path.stat().st_size < 1e6
    with pytest.raises(DataError, match=r"bomb\.png: expected at most"):
        read_image(path)


class TestPaths:
    def test_missing(self):
        with pytest.raises(DataError, match=r"nowhere/cat.png: expected an image file, received no such file"):
            read_image("nowhere/cat.png")

    def test_folder(self, tmp_path):
        with pytest.raises(DataError, match="received a folder"):
            read_image(tmp_path)

    def test_a_text_that_is_no_path(self):
        with pytest.raises(DataError, match="a fluffy cat: expected an image file"):
            read_image("a fluffy cat")

    def test_empty_text(self):
        with pytest.raises(DataError, match="received a folder"):
            read_image("")

    def test_url(self):
        with pytest.raises(DataError, match="download it first"):
            read_image("https://example.org/cat.png")

    def test_broken_link(self, tmp_path):
        (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
        with pytest.raises(DataError, match="a link to a file that does not exist"):
            read_image(tmp_path / "link.png")

    def test_link_in_a_circle(self, tmp_path):
        (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
        (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
        with pytest.raises(DataError, match=r"a\.png: expected a file that can be read"):
            read_image(tmp_path / "a.png")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(DataError, match="a pipe or a device"):
            read_image(tmp_path / "pipe.png")

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
    def test_an_endless_device(self):
        with pytest.raises(DataError, match="a pipe or a device"):
            read_image("/dev/zero")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path, picture, encode):
        path = tmp_path / "secret.png"
        path.write_bytes(encode(picture, "PNG"))
        path.chmod(0)
        with pytest.raises(DataError, match=r"secret.png: expected a file that can be read, received Permission"):
            read_image(path)

    @pytest.mark.parametrize("name", ["nul\0.png", "x" * 5000, "lone \udcff surrogate.png", "two\nlines.png"])
    def test_names_that_no_file_has(self, name):
        with pytest.raises(DataError) as caught:
            read_image(name)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 400
        message.encode()

    @pytest.mark.parametrize("source", [None, 3, 2.5, ["a.png"], {"path": "a.png"}, object(), np.zeros((3, 3))])
    def test_what_is_neither_path_nor_bytes(self, source):
        with pytest.raises(InvalidValueError, match=f"received {type(source).__name__}"):
            read_image(source)


KINDS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about broken metadata
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_damaged_bytes_give_an_image_or_a_toolkit_error(data, kind, picture, encode):
    damaged = bytearray(encode(picture, kind))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, min(300, len(damaged) - 1)) | st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        image = read_image(bytes(damaged))
    except ToolkitError:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


@given(st.binary(max_size=200))
def test_any_bytes_give_a_toolkit_error(data):
    with pytest.raises(DataError):
        read_image(data)


def test_errors_of_arrays_and_pillow_images_that_cannot_be_loaded(picture, encode, tmp_path):
    path = tmp_path / "half.png"
    path.write_bytes(encode(picture, "PNG")[:1000])
    with Image.open(path) as half, pytest.raises(DataError, match=r"image 0: expected a whole image, received .*trunc"):
        ImagePreprocessor().transform([half])


def test_opencv_prints_no_log_lines(picture, encode, tmp_path):
    (tmp_path / "half.bmp").write_bytes(encode(picture, "BMP")[:1000])
    code = "from toolkit.images import read_image; read_image('half.bmp')"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=_with_toolkit()
    )
    assert "DataError: half.bmp" in result.stderr
    assert "loadsave.cpp" not in result.stderr


def _with_toolkit() -> dict[str, str]:
    root = Path(__file__).resolve().parents[2]
    return {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"} | {"PYTHONPATH": str(root)}
