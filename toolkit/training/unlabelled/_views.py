"""Random views of images: what may change without the image becoming another thing."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training.unlabelled._checks import require_number


@keras.saving.register_keras_serializable("toolkit")
class RandomView(keras.layers.Layer):
    r"""Another view of each image: turned, moved, seen from nearer or farther, with a square missing and noise on top.

    The three movements are one matrix that says where in the image a pixel of the view comes from,

    .. math:: \begin{pmatrix} x \\ y \end{pmatrix} = \frac1f \begin{pmatrix} \cos\theta & -\sin\theta \\
              \sin\theta & \cos\theta \end{pmatrix} \begin{pmatrix} x' \\ y' \end{pmatrix}
              + \begin{pmatrix} t_x \\ t_y \end{pmatrix},

    with the image's centre at (0, 0); outside of the image it is black. All numbers are drawn anew for each image and
    each call, uniformly; the noise is normal. Same seed, same views. Images ``(N, H, W, C)`` in [0, 1] in and out.

    Args:
        shift: t, up to this share of the image's width and height.
        zoom: f is drawn from ``1 − zoom … 1 + zoom``; larger shows less of the image, larger.
        rotation: θ, up to so many degrees, in both directions.
        cutout: side of the square that is set to 0, as a share of the image's sides.
        noise: standard deviation of the noise that is added before the values are cut off at 0 and 1.
        seed: fixes the draws.

    Raises:
        InvalidValueError: a strength is negative, or ``zoom`` or ``cutout`` is not below 1.
        ShapeError: what comes are no images.
    """

    def __init__(
        self,
        *,
        shift: float = 0.15,
        zoom: float = 0.3,
        rotation: float = 15.0,
        cutout: float = 0.0,
        noise: float = 0.1,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.strengths = {"shift": shift, "zoom": zoom, "rotation": rotation, "cutout": cutout, "noise": noise}
        for name, strength in self.strengths.items():
            expected, below = (" to below 1", 1.0) if name in ("zoom", "cutout") else ("", float("inf"))
            require_number("RandomView", f"{name} from 0{expected}", strength, below=below)
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Refuses what are no images."""
        if len(input_shape) != 4:
            raise ShapeError("RandomView", "images (N, H, W, C)", f"shape {tuple(input_shape)}")

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """One view of each image."""
        if not images.dtype.is_floating:
            remedy = "Divide bytes by 255 first."
            raise InvalidValueError("RandomView", "images of floats in [0, 1]", images.dtype.name, remedy)
        views = self._moved(images)
        if self.strengths["cutout"]:
            views = views * self._square(images)
        if self.strengths["noise"]:
            views += self.strengths["noise"] * keras.random.normal(tf.shape(views), dtype=views.dtype, seed=self.seeds)
        return tf.clip_by_value(views, 0, 1)

    def _moved(self, images: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        shift, zoom = self.strengths["shift"], self.strengths["zoom"]
        theta = self._uniform(images, self.strengths["rotation"]) * (3.141592653589793 / 180)
        nearer = 1 + self._uniform(images, zoom)
        cos, sin = tf.cos(theta) / nearer, tf.sin(theta) / nearer
        # The operation counts pixels from the upper left corner: the centre c stays where it is, t apart.
        cx, cy = (width - 1) / 2, (height - 1) / 2
        tx = cx - cos * cx + sin * cy + width * self._uniform(images, shift)
        ty = cy - sin * cx - cos * cy + height * self._uniform(images, shift)
        zero = tf.zeros_like(theta)
        rows = tf.stack([cos, -sin, tx, sin, cos, ty, zero, zero], axis=1)
        moved = keras.ops.image.affine_transform(
            images, rows, interpolation="bilinear", fill_mode="constant", data_format="channels_last"
        )
        return tf.ensure_shape(moved, images.shape)

    def _square(self, images: tf.Tensor) -> tf.Tensor:
        """``(N, H, W, 1)``: 0 in a square somewhere in the image, 1 elsewhere."""
        sides = [self.strengths["cutout"] * n for n in images.shape[1:3]]
        inside = []
        for pixels, side in zip(images.shape[1:3], sides):
            start = (self._uniform(images, 0.5) + 0.5) * (pixels - side)
            place = tf.range(pixels, dtype=images.dtype) + 0.5
            inside.append((place > start[:, None]) & (place < start[:, None] + side))
        hidden = inside[0][:, :, None, None] & inside[1][:, None, :, None]
        return tf.cast(~hidden, images.dtype)

    def _uniform(self, images: tf.Tensor, most: float) -> tf.Tensor:
        """One number from ``−most … most`` for each image, ``(N,)``."""
        return keras.random.uniform((tf.shape(images)[0],), -most, most, dtype=images.dtype, seed=self.seeds)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As the images."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The options."""
        return super().get_config() | self.strengths | {"seed": self.seed}
