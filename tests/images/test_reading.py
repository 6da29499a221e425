"""Every kind of file comes out as the picture that it holds."""

from __future__ import annotations

import io
import logging
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.errors import InvalidValueError
from toolkit.images import ImagePreprocessor, read_image

LOSSLESS = ("PNG", "BMP", "TIFF", "WEBP")
# Where a viewer finds row and column of the upright picture in the stored one, after the EXIF standard: what the
# stored picture's row 0 and column 0 are in the upright one.
STORED = {
    1: lambda x: x,  # top, left
    2: lambda x: x[:, ::-1],  # top, right
    3: lambda x: x[::-1, ::-1],  # bottom, right
    4: lambda x: x[::-1],  # bottom, left
    5: lambda x: x.swapaxes(0, 1),  # left, top
    6: lambda x: x.swapaxes(0, 1)[::-1],  # right, top
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],  # right, bottom
    8: lambda x: x.swapaxes(0, 1)[:, ::-1],  # left, bottom
}


def on_white(image: Image.Image) -> np.ndarray:
    """Pillow's own composition on a white background."""
    layer = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_files_keep_every_pixel(kind, picture, encode):
    np.testing.assert_array_equal(read_image(encode(picture, kind)), picture)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}], ids=["base", "progressive", "420"])
def test_jpeg_matches_pillow(options, picture, encode):
    data = encode(picture, "JPEG", quality=90, **options)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(read_image(data).astype(int) - expected).max() <= 1
    assert np.abs(read_image(data).astype(int) - picture).mean() < 5


def test_colour_orders(picture, encode):
    data = encode(picture, "PNG")
    grey = read_image(data, "grey")
    assert grey.shape == (48, 64, 1)
    expected = picture @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - expected).max() <= 0.51
    np.testing.assert_array_equal(read_image(data, "bgr"), picture[..., ::-1])
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), 1), read_image(data, "bgr"))


def test_grey_files_have_equal_channels(picture, encode):
    data = encode(picture[..., :1], "PNG")
    np.testing.assert_array_equal(read_image(data), np.repeat(picture[..., :1], 3, axis=-1))
    np.testing.assert_array_equal(read_image(data, "grey"), picture[..., :1])


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("kind", "alpha"),
    [("JPEG", False), *((kind, alpha) for kind in ("PNG", "TIFF", "WEBP") for alpha in (False, True))],
)
def test_exif_orientation_is_applied_once(orientation, kind, alpha, picture, encode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture)))
    expected = picture
    if alpha:
        image.putalpha(128)
        expected = (128 * picture.astype(int) + 127 * 255 + 127) // 255
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    upright = read_image(encode(image, kind, exif=exif.tobytes(), **options))
    assert upright.shape == (48, 64, 3)
    assert np.abs(upright.astype(int) - expected).max() <= (6 if kind == "JPEG" else 0)


def test_pillow_images_are_turned_upright_too(picture, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(np.ascontiguousarray(STORED[6](picture)), "PNG", exif=exif.tobytes())
    pixels = ImagePreprocessor(size=(48, 64), normalize=None).transform([Image.open(io.BytesIO(data))])
    np.testing.assert_array_equal(pixels[0], picture)


def test_broken_exif_leaves_the_picture_as_it_is(picture, encode, caplog):
    data = encode(picture, "PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_image(data), picture)


TRANSPARENT = {
    "RGBA": lambda rgb, grey: (rgb, grey, {}),
    "grey and alpha": lambda rgb, grey: (grey, rgb.getchannel(0), {}),
    "palette, one colour": lambda rgb, grey: (rgb.quantize(64), None, {"transparency": 3}),
    "palette, alpha for each": lambda rgb, grey: (rgb.quantize(64), None, {"transparency": bytes(range(0, 256, 4))}),
    "one colour": lambda rgb, grey: (rgb, None, {"transparency": rgb.getpixel((7, 5))}),
    "one grey level": lambda rgb, grey: (grey, None, {"transparency": grey.getpixel((7, 5))}),
}


@pytest.mark.parametrize("case", TRANSPARENT)
def test_transparency_in_png_matches_pillow(case, picture, encode):
    rgb = Image.fromarray(picture)
    image, alpha, options = TRANSPARENT[case](rgb, rgb.convert("L"))
    if alpha is not None:
        image = image.copy()
        image.putalpha(alpha)
    data = encode(image, "PNG", **options)
    expected = on_white(Image.open(io.BytesIO(data)))
    assert np.abs(read_image(data).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP", "GIF"])
def test_transparency_in_other_files_matches_pillow(kind, picture, encode):
    image = Image.fromarray(picture)
    image.putalpha(Image.fromarray(picture[..., 0]))
    data = encode(image, kind)
    expected = on_white(Image.open(io.BytesIO(data)))
    assert np.abs(read_image(data).astype(int) - expected).max() <= 1


def test_background_matches_hand_example(encode):
    """α = 51 = 255/5 over red: a fifth of 200, four fifths of the background."""
    half = np.array([[[200, 200, 200, 51]]], np.uint8)
    np.testing.assert_array_equal(read_image(encode(half, "PNG"), background=(255, 0, 100)), [[[244, 40, 120]]])
    np.testing.assert_array_equal(read_image(encode(half, "PNG"), "bgr", background=(255, 0, 100)), [[[120, 40, 244]]])
    np.testing.assert_array_equal(read_image(encode(half, "PNG"), background=0), [[[40, 40, 40]]])


def test_padding_of_a_32_bit_bmp_is_no_alpha():
    """Its fourth byte is zero: as alpha, it would wipe the picture out."""
    pixels = bytes([10, 20, 30, 0] * 4)
    header = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 32, 0, len(pixels), 2835, 2835, 0, 0)
    np.testing.assert_array_equal(read_image(header + pixels), np.full((2, 2, 3), (30, 20, 10)))


def test_16_bits_are_scaled_to_8(picture, encode):
    wide = picture.astype(np.uint16) * 257
    grey, colour = encode(wide[..., 0], "PNG"), cv2.imencode(".png", wide[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(read_image(grey, "grey"), picture[..., :1])
    np.testing.assert_array_equal(read_image(colour), picture)
    tiff = cv2.imencode(".tif", wide[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(read_image(tiff), picture)
    rounded = encode(np.array([[0, 128, 129, 385, 386, 65535]], np.uint16), "PNG")
    np.testing.assert_array_equal(read_image(rounded, "grey")[..., 0], [[0, 0, 1, 1, 2, 255]])


def test_16_bits_with_alpha(picture):
    bgra = np.dstack([picture[..., ::-1], picture[..., 0]])
    data = cv2.imencode(".png", bgra.astype(np.uint16) * 257)[1].tobytes()
    expected = on_white(Image.fromarray(np.dstack([picture, picture[..., 0]])))
    assert np.abs(read_image(data).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind, picture, encode):
    data = encode(Image.fromarray(picture).convert("CMYK"), kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(read_image(data) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette_and_single_bit_become_rgb(kind, picture, encode):
    palette = Image.fromarray(picture).quantize(16)
    np.testing.assert_array_equal(read_image(encode(palette, kind)), np.asarray(palette.convert("RGB")))
    bits = Image.fromarray(picture).convert("1")
    np.testing.assert_array_equal(read_image(encode(bits, kind), "grey")[..., 0], np.asarray(bits.convert("L")))


def test_float_tiff(picture, encode):
    image = Image.fromarray(picture[..., 0].astype(np.float32) / 255)
    np.testing.assert_array_equal(read_image(encode(image, "TIFF"), "grey"), picture[..., :1])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_read_and_a_warning_logged(kind, picture, encode, tmp_path, caplog):
    first = Image.fromarray(picture).quantize(16)
    path = tmp_path / "moving.bin"
    path.write_bytes(encode(first.convert("RGB"), kind, save_all=True, append_images=[first.rotate(90).convert("RGB")]))
    with caplog.at_level(logging.WARNING):
        still = read_image(path)
    np.testing.assert_array_equal(still, np.asarray(first.convert("RGB")))
    assert "moving.bin has 2 frames" in caplog.text


def test_path_kinds(tmp_path, picture, encode, monkeypatch):
    data = encode(picture, "PNG")
    monkeypatch.chdir(tmp_path)
    for name in ("plain.png", "ein Bild mit Lücken.png", "画像.png", "no_suffix", "wrong.jpg"):
        (tmp_path / name).write_bytes(data)
        for source in (name, tmp_path / name, np.str_(name)):
            np.testing.assert_array_equal(read_image(source), picture)
    for source in (data, bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(read_image(source), picture)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"colour": "rgba"}, "colour as one of 'rgb', 'bgr', 'grey'"),
        ({"colour": ["rgb"]}, "colour as one of"),
        ({"background": 256}, "background"),
        ({"background": (1, 2)}, "background"),
        ({"background": 0.5}, "background"),
        ({"background": True}, "background"),
        ({"max_pixels": 0}, "max_pixels"),
        ({"max_pixels": 1.5}, "max_pixels"),
    ],
)
def test_argument_errors(arguments, message, picture, encode):
    with pytest.raises(InvalidValueError, match=message):
        read_image(encode(picture, "PNG"), **arguments)
