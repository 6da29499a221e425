"""SimCLR: two views of one image belong together, everything else in the batch does not."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from toolkit.errors import ShapeError, UnsupportedError
from toolkit.training.unlabelled._checks import require_batch, require_built, require_number, require_shape
from toolkit.training.unlabelled._own_steps import in_float32
from toolkit.training.unlabelled._self_supervised import SelfSupervised
from toolkit.training.unlabelled._views import RandomView

_LEAST = 1e-12  # of a temperature: above 0


def nt_xent(z: tf.Tensor, temperature: float = 0.5) -> tf.Tensor:
    r"""The loss of SimCLR: every view has to pick out its partner among all other views of the batch.

    .. math:: L = -\frac{1}{2N} \sum_{i=1}^{2N} \ln \frac{\exp(u_i^\top u_{j(i)} / \tau)}
              {\sum_{k \neq i} \exp(u_i^\top u_k / \tau)}, \qquad u_i = z_i / \lVert z_i \rVert

    It is the cross-entropy of a classifier with 2N − 1 classes. Its value at random is about ``ln(2N − 1)``; the same
    in NumPy, with its gradient, is ``scratch.NTXent``.

    Args:
        z: ``(2N, D)``: the first views of N images, then their second views in the same order.
        temperature: τ > 0.

    Returns:
        A number, float32 where z is of half precision. For a single image it is 0: nothing is there to tell its views
        from.

    Raises:
        ShapeError: z has not two axes, or an odd number of rows.
        InvalidValueError: z holds no floats, or ``temperature`` is not above 0.
    """
    z = tf.convert_to_tensor(z)
    if z.shape.rank != 2 or (z.shape[0] is not None and (z.shape[0] % 2 or not z.shape[0])):
        raise ShapeError("nt_xent", "z (2N, D)", f"shape {tuple(z.shape)}")
    require_batch("nt_xent", z, z.shape[1:])
    require_number("nt_xent", "a temperature above 0", temperature, least=_LEAST)
    z = in_float32(z)
    u = tf.math.l2_normalize(z, axis=1)
    similarity = tf.matmul(u, u, transpose_b=True) / temperature
    n = tf.shape(z)[0]
    similarity = tf.linalg.set_diag(similarity, tf.fill([n], z.dtype.min))  # nobody is asked about itself
    partner = (tf.range(n) + n // 2) % n
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(partner, similarity))


@keras.saving.register_keras_serializable("toolkit")
class SimCLR(SelfSupervised):
    r"""Learns an encoder from images alone, by contrast (Chen et al., 2020).

    Two random views of each image go through the same encoder f and head g; ``nt_xent`` pulls the two together and
    pushes all others apart:

    .. math:: x\;(N, H, W, C) \to \tilde x\;(2N, H, W, C) \to h = f(\tilde x)\;(2N, D) \to z = g(h)\;(2N, P) \to L

    What the views have in common is what h keeps: which views are drawn decides what is learned. The head is thrown
    away afterwards; the features are ``encoder(x)``, without random views, and that is also what ``model(x)`` returns.

        simclr = SimCLR(encoder, projection_head(64))
        simclr.compile("adam")
        training.fit(simclr, x, epochs=20, batch_size=256)
        h = encoder.predict(x)

    The other images of a batch are what a view is told from, so ``batch_size`` is a part of the task.

    Args:
        encoder: f, images → ``(N, D)``.
        head: g, ``(N, D)`` → ``(N, P)``.
        view: draws one view of each image.
        temperature: τ; the smaller, the more the views that are most easily confused count.

    Raises:
        UnsupportedError: encoder or head is no built Keras model, or ``view`` is no layer.
        ShapeError: the encoder does not give one row of features for each image, or the head does not take it; in
            training, the images are of another shape.
        InvalidValueError: ``temperature`` is not above 0; in training, the images are no floats.
    """

    def __init__(
        self,
        encoder: keras.Model,
        head: keras.Model,
        view: keras.layers.Layer | None = None,
        *,
        temperature: float = 0.5,
        name: str = "simclr",
    ) -> None:
        super().__init__(name=name)
        require_built("SimCLR", encoder=encoder, head=head)
        if len(encoder.output_shape) != 2:
            remedy = "End it with Flatten, pooling or a dense layer."
            raise ShapeError("SimCLR", "an encoder with outputs (N, D)", f"{encoder.output_shape}", remedy)
        require_shape("SimCLR", "a head of features", encoder.output_shape[1:], head.input_shape[1:])
        if len(head.output_shape) != 2:
            raise ShapeError("SimCLR", "a head with outputs (N, P)", f"{head.output_shape}")
        if view is not None and not isinstance(view, keras.layers.Layer):
            raise UnsupportedError("SimCLR", "view as a Keras layer", type(view).__name__)
        require_number("SimCLR", "a temperature above 0", temperature, least=_LEAST)
        self.encoder, self.head, self.temperature = encoder, head, temperature
        self.view = RandomView(seed=0) if view is None else view
        self.build(encoder.input_shape)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds what draws the views; encoder and head are built already."""
        if not self.view.built:
            self.view.build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The features ``h (N, D)`` of the images themselves."""
        return self.encoder(x, training=training)

    def compute_loss(self, x: tf.Tensor, *_: Any, training: bool = True, **__: Any) -> tf.Tensor:
        """NT-Xent of two views of each image."""
        x = require_batch("SimCLR", x, self.encoder.input_shape[1:])
        views = tf.concat([self.view(x), self.view(x)], axis=0)
        z = self.head(self.encoder(views, training=training), training=training)
        return nt_xent(z, self.temperature)

    def get_config(self) -> dict[str, Any]:
        """The networks, the view and the temperature."""
        parts = {"encoder": self.encoder, "head": self.head, "view": self.view, "temperature": self.temperature}
        return keras.saving.serialize_keras_object(parts | {"name": self.name})
