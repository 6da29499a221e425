"""``ImagePreprocessor``: from files or arrays to what a network takes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.images import _model_input, _saved
from toolkit.images._augment import Augment
from toolkit.images._folder import ImageFolder
from toolkit.images._normalizing import Normalization
from toolkit.images._preparing import Preparation, as_sources
from toolkit.images._reading import MAX_PIXELS, ImageSource, name_of
from toolkit.images._resizing import Size, window
from toolkit.images._settings import checked
from toolkit.images._skipped import Skipped
from toolkit.images._stages import Stage, Stages

if TYPE_CHECKING:
    import tensorflow as tf
    from numpy.typing import ArrayLike
    from PIL import Image

_log = logging.getLogger(__name__)

_LARGEST_FILE = 100_000  # a saved preprocessor has about 1,000 bytes

Images = ImageFolder | Sequence["ImageSource | np.ndarray | Image.Image"] | np.ndarray


class ImagePreprocessor(TransformerMixin, BaseEstimator):
    r"""Reads images and brings them to one size, one order of channels and one range of values.

    .. math:: y = \frac{x/255 - m}{s}, \qquad x \in \{0, \dots, 255\}^{h \times w \times C}

    with :math:`m = 0, s = 1` for "unit", :math:`m = s = 1/2` for "signed", and for "standard" the mean and the standard
    deviation of each channel over the training images.

    A scikit-learn transformer of images, not of tables. Only "standard" has anything to learn; with the others
    ``transform`` works without ``fit``. Augmentation is for training: ``transform`` never applies it, ``dataset`` does
    so with ``training=True``.

    Args:
        size: height and width of the result.
        colour: "rgb" for three channels, "grey" for one, ``0.299 R + 0.587 G + 0.114 B``.
        resize: "stretch" each side by its own factor; "crop" the largest centred window of the right proportions;
            "letterbox", the whole image between bars of the background's colour; "random_crop", a window of 224/256 of
            the cropped image, anywhere in training and in the middle otherwise (Krizhevsky et al., 2012).
        normalize: "unit" for [0, 1], "signed" for [−1, 1], "standard" for mean 0 and standard deviation 1, or None
            for 0 to 255.
        mean: m for "standard", one number for each channel, where it is known and not to be learned.
        std: s for "standard", as ``mean``.
        source_colour: the order of the channels in *arrays* with three or four of them: "bgr" as ``cv2.imread``
            returns them, "rgb" as nearly everything else. It has to be said, since the array does not tell. Files
            and Pillow images know it themselves.
        background: what transparent parts show and what the bars are filled with: a grey level or R, G, B.
        augment: the random changes of training, or None.
        seed: of augmentation, random crops and the order of training. Image i of epoch e draws from (seed, e, i).
        on_error: "raise" the error of an image that cannot be used, which names it, or "skip" the image: a warning is
            logged, and ``skipped_`` and ``kept_`` tell which.
        max_pixels: refuse files whose header announces more.

    Attributes:
        mean_: m of each channel, float64 (C,), learned by ``fit``; None where nothing was to be learned.
        std_: s of each channel, float64 (C,), as ``mean_``.
        skipped_: with ``on_error="skip"``, the images that the last ``fit``, ``transform`` or ``dataset`` left out.
        kept_: with ``on_error="skip"``, the indices of the others, int64: ``labels[images.kept_]`` stay aligned.

    Example:
        >>> half = np.array([[0, 51], [102, 255]], np.uint8)
        >>> ImagePreprocessor(size=(2, 2), colour="grey").transform([half])[0, ..., 0]
        array([[0. , 0.2],
               [0.4, 1. ]], dtype=float32)
    """

    def __init__(
        self,
        size: Size = (28, 28),
        colour: Literal["rgb", "grey"] = "rgb",
        *,
        resize: Literal["stretch", "crop", "letterbox", "random_crop"] = "stretch",
        normalize: Literal["unit", "signed", "standard"] | None = "unit",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        source_colour: Literal["rgb", "bgr"] | None = None,
        background: int | Sequence[int] = 255,
        augment: Augment | None = None,
        seed: int = 0,
        on_error: Literal["raise", "skip"] = "raise",
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.size = size
        self.colour = colour
        self.resize = resize
        self.normalize = normalize
        self.mean = mean
        self.std = std
        self.source_colour = source_colour
        self.background = background
        self.augment = augment
        self.seed = seed
        self.on_error = on_error
        self.max_pixels = max_pixels

    # ------------------------------------------------------------------ fit and transform

    def fit(self, images: Images, y: ArrayLike | None = None) -> Self:
        """Learn the mean and the standard deviation of each channel, where they are needed and not given.

        Then every image is read once, in parallel; memory does not grow with their number.

        Args:
            images: paths, bytes of files, arrays (H, W) or (H, W, C), Pillow images; an array of all images; or an
                ``ImageFolder``.
            y: ignored.

        Raises:
            ToolkitError: as ``transform``, or there is no image to learn from.
        """
        preparation = checked(self)
        sources = as_sources(images, "ImagePreprocessor.fit")
        if len(sources) == 0:
            raise InvalidValueError("ImagePreprocessor.fit", "at least one image", "0 sample(s)")
        learned = Normalization(None, None)
        if self._learns:
            prepared = (self._middle(image) for image in self._kept(preparation, sources))
            learned = Normalization.learn(prepared, preparation.channels)
            if learned is None:
                first = self.skipped_[0].reason
                raise InvalidValueError("ImagePreprocessor.fit", "an image that can be used", f"none. {first}")
        self.mean_, self.std_ = learned.mean, learned.std
        return self

    def transform(self, images: Images) -> np.ndarray:
        """The images as a network takes them, float32 (N, h, w, C). Augmentation is not applied.

        Args:
            images: as in ``fit``.

        Raises:
            ToolkitError: an image cannot be used and is not to be skipped, or a setting is not one of those described.
            NotFittedError: "standard" has neither learned nor been given its statistics.
        """
        preparation = checked(self)
        normalization = self._normalization()
        sources = as_sources(images, "ImagePreprocessor.transform")
        x = np.empty((len(sources), *self.output_shape), np.float32)
        count = 0
        for image in self._kept(preparation, sources):
            x[count] = self._middle(image)
            count += 1
        return normalization.apply(x[:count])

    def inverse_transform(self, y: ArrayLike) -> np.ndarray:
        """The pixels that ``transform`` made ``y (…, C)`` of, uint8, to look at: ``x = 255·(s·y + m)``."""
        return self._normalization().invert(np.asarray(y))

    # ------------------------------------------------------------------ one image, and many

    def preprocess(self, source: object, *, training: bool = False, epoch: int = 0, index: int = 0) -> Stages:
        """Show what happens to one image, stage by stage; the last one is what ``transform`` returns for it.

        Args:
            source: a path, bytes, an array or a Pillow image.
            training: with augmentation and random crop.
            epoch: the epoch to draw them for.
            index: the image's place among the training images.
        """
        preparation, normalization, where = checked(self), self._normalization(), name_of(source)
        decoded = preparation.load(source, where)
        pixels = preparation.to_pixels(decoded.pixels, decoded.order, where)
        resized = preparation.to_size(pixels)
        seen = self._varied(resized, epoch, index) if training else self._middle(resized)
        how = f"{self.resize}, {' × '.join(map(str, pixels.shape[:2]))} → {' × '.join(map(str, resized.shape[:2]))}"
        stages = [
            Stage("decode", decoded.pixels, decoded.note),
            Stage("colour", pixels, f"8 bits, {self.colour}"),
            Stage("resize", resized, how),
        ]
        if training and (self.augment or self.resize == "random_crop"):
            stages.append(Stage("augment", seen, f"epoch {epoch}, image {index}"))
        elif self.resize == "random_crop":
            stages.append(Stage("crop", seen, "the middle"))
        y = normalization.apply(seen.astype(np.float32))
        return Stages(where, (*stages, Stage("normalise", y, str(normalization))))

    def dataset(
        self,
        images: Images | str | os.PathLike[str],
        labels: ArrayLike | None = None,
        *,
        training: bool,
        batch_size: int = 32,
        cache: bool | str | os.PathLike[str] = True,
        first_epoch: int = 0,
    ) -> tf.data.Dataset:
        """A ``tf.data.Dataset`` of batches ``(y float32 (N, h, w, C), label)`` for Keras's ``fit`` and ``evaluate``.

        In training every iteration is an epoch: a new order, new crops and new augmentation, all of which follow from
        ``seed`` and the epoch's number: tell Keras so by ``fit(…, shuffle=False)``, or it warns. Otherwise the order is
        that of the images and nothing is random.

        Args:
            images: a folder of classes (its labels are those of `find_images`), or what ``fit`` takes.
            labels: (N,) or (N, …) numbers; without them the batches are images alone.
            training: whether to shuffle and to augment.
            batch_size: N; the last batch may be smaller.
            cache: True reads every file once, now and in parallel, and keeps the resized pixels in memory, N·h·w·C
                bytes; a folder's name keeps them in a file there, which later runs use as long as no image changes;
                False reads the files anew in each epoch.
            first_epoch: number of the first iteration's epoch, for a training that goes on where another ended.

        Raises:
            ToolkitError: as ``transform``. With ``cache=False`` an error comes when its batch is due, wrapped by
                TensorFlow; ``on_error="skip"`` then reads all files once beforehand to know which to leave out.
        """
        from toolkit.images._dataset import image_dataset

        return image_dataset(
            self, images, labels, training=training, batch_size=batch_size, cache=cache, first_epoch=first_epoch
        )

    # ------------------------------------------------------------------ the model that the images are for

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(h, w, C) of one image that ``transform`` returns."""
        height, width = self.size
        return height, width, 1 if self.colour == "grey" else 3

    def check_channels(self, model: object) -> None:
        """Check that a model takes what ``transform`` returns: height, width and channels.

        Args:
            model: a Keras model, a scratch network, or the shape (H, W, C) with None for a side of any length.

        Raises:
            ShapeError: it does not; the message says which setting to change.
        """
        checked(self)
        _model_input.check(self.output_shape, model)

    @classmethod
    def for_model(cls, model: object, **settings: Any) -> Self:
        """A preprocessor whose ``size`` and ``colour`` are what the model takes; the other settings as given.

        Raises:
            ShapeError: the model does not take images, or not those that ``settings`` would make.
        """
        preprocessor = cls(**_model_input.settings(model) | settings)
        preprocessor.check_channels(model)
        return preprocessor

    # ------------------------------------------------------------------ save and load

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write settings and learned statistics to a JSON file, whole or not at all.

        Raises:
            DataError: the file cannot be written.
        """
        text = self.to_json()
        with atomic_write(path, f"file {name_of(path)}") as file:
            file.write(text.encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The preprocessor that ``save`` wrote. Raises DataError if the file is not one."""
        where = f"file {name_of(path)}"
        try:
            with Path(path).open("rb") as file:
                content = file.read(_LARGEST_FILE)
        except OSError as error:
            raise DataError(where, "what ImagePreprocessor.save wrote", error.strerror or str(error)) from error
        return cls.from_json(content, where)

    def to_json(self) -> str:
        """What ``save`` writes."""
        checked(self)
        return _saved.to_json(self.get_params(deep=False), getattr(self, "mean_", None), getattr(self, "std_", None))

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "ImagePreprocessor.from_json") -> Self:
        """The preprocessor that ``to_json`` described. Raises DataError if the text is something else."""
        settings, mean, std = _saved.from_json(text, where)
        preprocessor = cls(**settings)
        checked(preprocessor)
        if mean is not None:
            preprocessor.mean_, preprocessor.std_ = np.array(mean), np.array(std)
        return preprocessor

    # ------------------------------------------------------------------ the steps

    def _kept(self, preparation: Preparation, sources: Sequence[object] | np.ndarray) -> Iterator[np.ndarray]:
        """The prepared images that can be used; notes the others where they are to be skipped."""
        skipped = []
        for _, prepared in preparation.all(sources):
            if isinstance(prepared, Skipped):
                skipped.append(prepared)
            else:
                yield prepared
        self._note(skipped, len(sources))

    def _note(self, skipped: list[Skipped], count: int) -> np.ndarray:
        """Tell of the images that were left out, of ``count``; returns the indices of the others."""
        for one in skipped:
            _log.warning("Skipped image %d: %s", one.index, one.reason)
        kept = np.setdiff1d(np.arange(count), [one.index for one in skipped])
        if self.on_error == "skip":
            self.skipped_, self.kept_ = skipped, kept
        return kept

    def _middle(self, prepared: np.ndarray) -> np.ndarray:
        """An image as inference sees it: the middle of a random crop's margin, no augmentation."""
        return window(prepared, self.size, (0.5, 0.5))

    def _varied(self, prepared: np.ndarray, epoch: int, index: int) -> np.ndarray:
        """An image as training sees it in one epoch."""
        if self.augment is None and self.resize != "random_crop":
            return prepared
        rng = np.random.default_rng((self.seed, epoch, 1 + index))  # 0 draws the epoch's order
        image = window(prepared, self.size, rng.random(2))
        return image if self.augment is None else self.augment(image, rng)

    @property
    def _learns(self) -> bool:
        """Whether m and s come from the training images."""
        return self.normalize == "standard" and self.mean is None

    def _normalization(self) -> Normalization:
        check_is_fitted(self)
        channels = self.output_shape[2]
        if self.normalize is None:
            return Normalization(None, None)
        if self.normalize == "standard":
            learned = (self.mean_, self.std_) if self._learns else (self.mean, self.std)
            return Normalization(*(np.asarray(numbers, np.float64) for numbers in learned))
        mean, std = (0.0, 1.0) if self.normalize == "unit" else (0.5, 0.5)
        return Normalization(np.full(channels, mean), np.full(channels, std))

    # ------------------------------------------------------------------ scikit-learn

    def __sklearn_is_fitted__(self) -> bool:
        return not self._learns or getattr(self, "mean_", None) is not None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # images, not tables
        tags.input_tags.three_d_array = True  # grey ones; colour images have four axes, for which there is no tag
        tags.transformer_tags.preserves_dtype = []  # always float32
        tags.requires_fit = self._learns
        return tags
