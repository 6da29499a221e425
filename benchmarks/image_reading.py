"""A folder of JPEG or PNG files as batches: `ImagePreprocessor.dataset` beside a plain OpenCV loop and Keras's reader.

All of them read the same generated files, resize to 64 × 64 and scale to [0, 1]. They take turns; medians.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from toolkit.images import Augment, ImagePreprocessor, find_images

SIZE, BATCH, ROUNDS = (64, 64), 32, 5
# kind of file: how many, height and width
FOLDERS = {"photographs": (".jpg", 400, 480, 640), "small pictures": (".png", 3000, 32, 32)}


def make_folder(root: Path, suffix: str, count: int, height: int, width: int) -> Path:
    """Two classes of smooth random pictures."""
    rng = np.random.default_rng(0)
    for k in range(count):
        folder = root / f"class_{k % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        cv2.imwrite(str(folder / f"{k:05}{suffix}"), cv2.resize(coarse, (width, height)))
    return root


def opencv_loop(folder: Path) -> None:
    """What a tutorial writes, one file after the other."""
    images = []
    for path in find_images(folder).paths:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        images.append(image)
        if len(images) == BATCH:
            np.stack(images)
            images = []


def keras_dataset(folder: Path) -> Callable[[], None]:
    """Keras's reader, scaled; it has no cache of its own."""
    import keras

    dataset = keras.utils.image_dataset_from_directory(folder, image_size=SIZE, batch_size=BATCH, verbose=False)
    dataset = dataset.map(lambda x, y: (x / 255, y)).prefetch(2)
    return lambda: consume(dataset)


def consume(dataset) -> None:
    for _ in dataset:
        pass


def seconds(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def readers(folder: Path) -> dict[str, Callable[[], None]]:
    """Each way to read all files of a folder once."""
    plain = ImagePreprocessor(SIZE)
    augmented = ImagePreprocessor(SIZE, augment=Augment("horizontal", shift=0.1, rotate=10, brightness=0.1, cutout=0.2))
    cached = plain.dataset(folder, training=True, batch_size=BATCH)
    uncached = plain.dataset(folder, training=True, batch_size=BATCH, cache=False)
    varied = augmented.dataset(folder, training=True, batch_size=BATCH)
    return {
        "plain OpenCV loop": lambda: opencv_loop(folder),
        "keras.utils.image_dataset_from_directory": keras_dataset(folder),
        "dataset(cache=False)": lambda: consume(uncached),
        "dataset(cache=True), first epoch": lambda: consume(plain.dataset(folder, training=True, batch_size=BATCH)),
        "dataset(cache=True), later epochs": lambda: consume(cached),
        "dataset(cache=True), later epochs, augmented": lambda: consume(varied),
    }


def main() -> None:
    for name, (suffix, count, height, width) in FOLDERS.items():
        with tempfile.TemporaryDirectory() as root:
            ways = readers(make_folder(Path(root) / "pictures", suffix, count, height, width))
            measured = {way: [] for way in ways}
            for round_ in range(ROUNDS + 1):
                for way, function in ways.items():
                    value = seconds(function)
                    if round_:  # the first round traces the graphs and fills the file cache
                        measured[way].append(value)
        print(f"{count} {name}, {height} × {width} {suffix} → {SIZE[0]} × {SIZE[1]}")
        loop = median(measured["plain OpenCV loop"])
        for way, values in measured.items():
            print(f"  {way:<46} {count / median(values):9,.0f} images/s   {loop / median(values):6.2f} × the loop")


if __name__ == "__main__":
    main()
