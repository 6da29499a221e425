"""Pictures made here, so that every test knows what it reads; Pillow writes the files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A colourful one, RGB (48, 64, 3): smooth, so that JPEG keeps it, and without any symmetry."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    smooth = cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC)
    smooth.flags.writeable = False
    return smooth


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """An array or a Pillow image as the bytes of a file."""

    def encode(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        if kind == "WEBP":
            options.setdefault("lossless", True)
            options.setdefault("exact", True)  # keep the colours of transparent pixels
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def folder(tmp_path, picture) -> Path:
    """A folder of two classes: six bright pictures, four dark ones."""
    root = tmp_path / "pictures"
    for name, count, scale in (("bright", 6, 1.0), ("dark", 4, 0.4)):
        (root / name).mkdir(parents=True)
        for k in range(count):
            rolled = np.roll(picture, 5 * k, axis=1)
            cv2.imwrite(str(root / name / f"{k}.png"), np.rint(scale * rolled[..., ::-1]).astype(np.uint8))
    return root
