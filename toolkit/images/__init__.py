"""Images for a network: read, resize, crop, augment, normalise; OpenCV does the work.

    from toolkit.images import Augment, ImagePreprocessor, read_image

    read_image("cat.jpg").shape                            # (480, 640, 3), RGB, uint8
    images = ImagePreprocessor(size=(64, 64), augment=Augment(flip="horizontal", rotate=10))
    images.preprocess("cat.jpg")                           # shows each stage
    model.fit(images.dataset("pictures", training=True), shuffle=False)   # a folder of classes

An image is a uint8 array ``(H, W, C)``: ``C = 3`` in the order R, G, B, or ``C = 1`` for grey. Whatever
comes in another form is brought to this one, or is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from toolkit.images._augment import Augment, flip_matrix, rotation_matrix, shift_matrix, zoom_matrix
    from toolkit.images._folder import ImageFolder, find_images
    from toolkit.images._preprocessor import ImagePreprocessor
    from toolkit.images._reading import read_image
    from toolkit.images._resizing import crop, letterbox, resize
    from toolkit.images._skipped import Skipped
    from toolkit.images._stages import Stage, Stages

# Loaded at first use (PEP 562): the preprocessor is a scikit-learn transformer, which takes a second to import.
_HOMES = {
    "Augment": "_augment",
    "ImageFolder": "_folder",
    "ImagePreprocessor": "_preprocessor",
    "Skipped": "_skipped",
    "Stage": "_stages",
    "Stages": "_stages",
    "crop": "_resizing",
    "find_images": "_folder",
    "flip_matrix": "_augment",
    "letterbox": "_resizing",
    "read_image": "_reading",
    "resize": "_resizing",
    "rotation_matrix": "_augment",
    "shift_matrix": "_augment",
    "zoom_matrix": "_augment",
}

__all__ = [
    "Augment",
    "ImageFolder",
    "ImagePreprocessor",
    "Skipped",
    "Stage",
    "Stages",
    "crop",
    "find_images",
    "flip_matrix",
    "letterbox",
    "read_image",
    "resize",
    "rotation_matrix",
    "shift_matrix",
    "zoom_matrix",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
