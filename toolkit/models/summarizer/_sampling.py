"""Scheduled sampling: in training the decoder sometimes reads what it would have written itself."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

_PADDING = 0


@keras.saving.register_keras_serializable("toolkit")
class ScheduledSampling(keras.Model):
    """An encoder-decoder whose teacher sometimes lets it go on from its own mistakes.

    With teacher forcing the decoder never reads a wrong token, but when it writes alone it will (*exposure bias*). In
    each training step every token of the shifted target is replaced, with probability ``sampling_rate``, by one that is
    drawn from the model's own distribution for its place. The rate is meant to grow: at first those are nonsense.

    The distributions come from one pass with the true tokens, all places at once, and the loss from a second pass. In
    Bengio's paper each draw already sees the draws before it, which takes a pass for each token.

    Attributes:
        sampling_rate: a scalar weight that is not trained, 0 at first.

    Source: Bengio et al. (2015), arXiv:1506.03099; in two passes: Mihaylova, Martins (2019), arXiv:1906.07651.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # by these names Keras knows a functional model
        super().__init__(*args, **kwargs)
        self.sampling_rate = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, name="sampling_rate"
        )
        self._draws = keras.random.SeedGenerator(0)

    def train_step(self, data: Any) -> Any:
        """Keras's own, on targets of which some tokens are the model's."""
        (source, target), y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        source = ops.convert_to_tensor(source)
        return super().train_step(((source, self.mixed(source, target)), y, sample_weight))

    def mixed(self, source: Any, target: Any) -> Any:
        """The shifted targets ``(N, T)`` with some tokens drawn by the model; start and padding stay, none is added."""
        source, target = ops.convert_to_tensor(source), ops.convert_to_tensor(target)
        p = self([source, target], training=False)
        N, T, V = ops.shape(p)
        # Padding is masked: drawn within a target, it would be passed over by the decoder and left out of the loss.
        log_p = ops.where(ops.arange(V) == _PADDING, -float("inf"), ops.log(p + 1e-9))
        drawn = keras.random.categorical(ops.reshape(log_p, (-1, V)), 1, dtype="int32", seed=self._draws)
        own = ops.concatenate([target[:, :1], ops.reshape(drawn, (N, T))[:, :-1]], axis=1)
        replaced = keras.random.uniform((N, T), seed=self._draws) < self.sampling_rate
        first = ops.arange(T)[None] == 0
        return ops.where(replaced & ~first & (target != _PADDING), own, target)
