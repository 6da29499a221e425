"""Discriminative learning rates: every stage at its own pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from toolkit.argument_checks import is_number
from toolkit.errors import CallOrderError, InvalidValueError, UnsupportedError
from toolkit.models.transfer._stages import require_stage, stages

DECAY = 2.6
"""What Howard and Ruder divide the learning rate by from each stage to the one before it."""


def stage_rates(
    optimizer: keras.optimizers.Optimizer | str,
    model: keras.Model,
    factors: Mapping[str, float] | None = None,
    *,
    decay: float = DECAY,
) -> StageRates:
    r"""An optimiser that moves every stage of ``model`` with a learning rate of its own.

    The head learns with the optimiser's rate :math:`\eta`, each stage before it with a part of the next one's:
    :math:`\eta_{s} = \eta_{s+1} / \text{decay}`. What lies near the image (edges, colours) serves every task and should
    move little; what lies near the answer has to change.

    Args:
        optimizer: an optimiser or Keras's name of one; a copy of it is used.
        model: the model whose stages are meant, frozen as it shall be trained: first ``freeze_until``, then this.
        factors: instead of ``decay``, the factor of :math:`\eta` for each stage, e.g. ``{"stage4": 0.1}``; stages that
            are not named have 1.
        decay: at least 1; 1 teaches all stages at the same pace.

    Returns:
        The optimiser to compile ``model`` with; it is saved and loaded with the model.

    Raises:
        InvalidValueError: a factor is negative or not finite, a stage or the optimiser is unknown, or ``decay`` is
            below 1.
        UnsupportedError: an optimiser with weight decay, which Keras applies with one rate to all variables; or one
            around another, such as a ``LossScaleOptimizer``.

    Source: Howard, Ruder: *Universal language model fine-tuning for text classification*, ACL (2018), arXiv:1801.06146,
    section 3.2, with decay 2.6.
    """
    where = f"transfer.stage_rates of {getattr(model, 'name', model)!r}"
    found = stages(model)
    names = list(found)
    if factors is None:
        if not is_number(decay) or not 1 <= decay < float("inf"):
            raise InvalidValueError(where, "decay as a number from 1", repr(decay))
        factors = {name: decay ** -(len(names) - 1 - k) for k, name in enumerate(names)}
    if not isinstance(factors, Mapping):
        raise InvalidValueError(where, "factors by stage, such as {'stage4': 0.1}", repr(factors))
    for name, factor in factors.items():
        require_stage(name, names, where)
        if not is_number(factor) or not 0 <= factor < float("inf"):
            raise InvalidValueError(where, f"a factor from 0 for {name!r}", repr(factor))
    optimizer = known_optimizer(optimizer, where)
    if optimizer.weight_decay:
        remedy = "Give the layers an L2 kernel_regularizer instead."
        raise UnsupportedError(where, "an optimiser without weight_decay", repr(optimizer.weight_decay), remedy)
    stage_of = {id(weight): name for name, layers in found.items() for layer in layers for weight in layer.weights}
    learning = [float(factors.get(stage_of.get(id(weight)), 1.0)) for weight in model.trainable_variables]
    return StageRates(optimizer, learning)


def known_optimizer(optimizer: Any, where: str) -> keras.optimizers.Optimizer:
    """The optimiser itself, or the one that Keras knows by this name.

    Raises:
        InvalidValueError: it is neither.
        UnsupportedError: its updates are those of an optimiser inside.
    """
    try:
        found = keras.optimizers.get(optimizer)
    except ValueError:
        found = None
    if not isinstance(found, keras.optimizers.Optimizer):
        raise InvalidValueError(where, "a Keras optimiser or the name of one", repr(optimizer))
    if hasattr(found, "inner_optimizer"):
        remedy = "Give its inner_optimizer: Keras scales the loss by itself where float16 needs it."
        raise UnsupportedError(where, "an optimiser that makes its updates itself", type(found).__name__, remedy)
    return found


@keras.saving.register_keras_serializable("layer_by_layer")
class StageRates(keras.optimizers.Optimizer):
    r"""An optimiser whose learning rate is multiplied by a factor for each variable.

    It is the *rate* that is multiplied, in the update of the inner optimiser. Multiplying the gradient would be the
    same for SGD, and would do nothing at all for Adam, which divides each gradient by its own size.

    Args:
        inner_optimizer: does the updates; a copy of it is used.
        factors: one for each variable that learns, in the model's order.
        name: the optimiser's name.
    """

    def __init__(
        self, inner_optimizer: keras.optimizers.Optimizer, factors: Sequence[float], name: str | None = None
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)  # never used: learning_rate is the inner optimiser's
        self.factors = list(factors)
        # A copy of its own, since its step is replaced: wrapped twice, rates would be multiplied twice.
        inner = type(inner_optimizer).from_config(inner_optimizer.get_config())
        update_step = inner.update_step

        def scaled_step(gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
            # Keras hands over TensorFlow's variable, which has no path; the optimiser knows its place in the list.
            factor = self.factors[inner._get_variable_index(variable)]
            update_step(gradient, variable, learning_rate * factor)

        inner.update_step = scaled_step
        self.inner_optimizer = inner

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes the moments of the inner optimiser.

        Raises:
            CallOrderError: other variables learn than did when the factors were made.
        """
        if len(variables) != len(self.factors):
            raise CallOrderError(
                "transfer.stage_rates",
                f"the {len(self.factors)} variables that learned when it was called",
                f"{len(variables)}",
                "First freeze_until, then stage_rates, then compile.",
            )
        self.inner_optimizer.build(variables)
        super().build(variables)

    def apply(self, grads: list, trainable_variables: list[keras.Variable] | None = None) -> None:
        """One update."""
        if not self.built:
            self.build(trainable_variables)
        self.inner_optimizer.apply(grads, trainable_variables)

    def stateless_apply(self, optimizer_variables: list, grads: list, trainable_variables: list) -> tuple[list, list]:
        """One update without side effects, as JAX wants it."""
        own = len(self._variables)
        weights, inner = self.inner_optimizer.stateless_apply(optimizer_variables[own:], grads, trainable_variables)
        return weights, optimizer_variables[:own] + inner

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the inner optimiser, and a counter of this one that stays 0."""
        return self._variables + self.inner_optimizer.variables

    @property
    def iterations(self) -> keras.Variable:
        """How many updates there were."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The rate of a stage with factor 1."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def scale_loss(self, loss: Any) -> Any:
        """Multiplies the loss where the inner optimiser wants it (float16)."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        """Sets averaged weights where the inner optimiser keeps them."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` needs."""
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {"name": self.name, "inner_optimizer": inner, "factors": self.factors}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> StageRates:
        """The optimiser again, without its moments."""
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects=custom_objects)
        return cls(inner, config["factors"], config["name"])
