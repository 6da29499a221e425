"""What self-supervised models share: the loss is made of the inputs alone."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
import tensorflow as tf

from toolkit.training.unlabelled._own_steps import apart_from_training, descend, with_penalties


class SelfSupervised(keras.Model):
    """A model that makes its own targets: ``compute_loss`` takes ``x`` and nothing else.

    It is compiled with an optimiser alone, ``model.compile("adam")``, and trained by ``training.fit(model, x)`` or
    ``model.fit(x)``; ``validation_data=(x_val, None)`` measures the same loss on other inputs, with the same random
    numbers each time and without touching those of training. Labels, where some come along, are not looked at. What
    the networks' regularisers ask for is added to the loss, as in Keras.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.loss_mean = keras.metrics.Mean("loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean of the loss over an epoch."""
        return [self.loss_mean]

    @abstractmethod
    def compute_loss(self, x: tf.Tensor, *_: Any, training: bool = True, **__: Any) -> tf.Tensor:
        """One number for a batch ``x (N, …)``, without penalties of regularisers."""

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> SelfSupervised:
        """The model again, with networks of their first weights."""
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of the optimiser on all weights together."""
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = with_penalties(self.compute_loss(x), self)
        descend(self.optimizer, self.trainable_variables, tape, loss)
        self.loss_mean.update_state(loss, sample_weight=tf.shape(x)[0])
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The loss of a batch that nothing is learned from."""
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        with apart_from_training(self, self.loss_mean.count):
            loss = with_penalties(self.compute_loss(x, training=False), self)
        self.loss_mean.update_state(loss, sample_weight=tf.shape(x)[0])
        return self.get_metrics_result()
