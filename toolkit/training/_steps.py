"""A model's training step, compiled so that one call runs many of them.

A plain ``model.fit`` calls into TensorFlow once a step and pays for it each time: a batch is taken out of a
``tf.data`` pipeline, variables are handed over, measures are read, callbacks are asked. For a small model on a CPU
that is more time than the mathematics takes. Here the arrays lie in memory as tensors, and a loop that is compiled
itself gathers a batch and runs Keras's own ``train_step`` on it, as often as one call is told to. The arithmetic of
a step is Keras's, so the weights are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from toolkit.training._compilation import Compilation
from toolkit.training._data import ArrayEpoch, Arrays, Nested, Stream, StreamEpoch, gathered
from toolkit.training._recurrent import fused

Logs = dict[str, Any]


def has_own(model: keras.Model, step: str) -> bool:
    """Whether ``train_step`` or ``test_step`` is the model's own instead of Keras's."""
    return getattr(getattr(model, step), "__func__", None) is not getattr(keras.Model, step)


class Steps:
    """``model.train_step`` or ``model.test_step`` for batches of one kind.

    Args:
        step: a built model's ``train_step`` or ``test_step``.
        spec: shapes and dtypes of a batch.
        compilation: how to compile.

    Attributes:
        one: runs one step on the batch that it is given.
        compilation: how it was compiled in the end.
    """

    def __init__(self, step: Callable, spec: Nested, compilation: Compilation) -> None:
        self._compile(step, spec, compilation)
        self._again = lambda: self._compile(step, spec, compilation.without_xla("XLA cannot compile this model"))

    def _compile(self, step: Callable, spec: Nested, compilation: Compilation) -> None:
        self.compilation, self._ran = compilation, False
        self.one, self._many, self._rest = step, None, None
        if compilation.eager:
            return
        if not compilation.jit or not compilation.asked:
            with fused(compilation.fused):
                self.one = _traced(step, spec, False)
        if compilation.jit and not compilation.asked and _draws(self.one):
            self.compilation = compilation = compilation.without_xla("XLA would draw other random numbers")
        if compilation.jit:
            # XLA compiles for one size of batch, for seconds: the smaller last batch does without, unless asked.
            self._rest = None if compilation.asked else self.one
            self.one = _traced(step, spec, True)
        self._many = _loop(self.one, spec)

    def run(self, epoch: ArrayEpoch | StreamEpoch, first: int, count: int) -> tuple[int, Logs]:
        """Runs the steps ``first … first + count − 1`` of an epoch.

        Returns:
            How many there were (fewer at the end of a stream), and what the last one returned.
        """
        outside = isinstance(epoch, StreamEpoch) or epoch.arrays.on_disk or self._many is None
        run = self._one_by_one if outside else self._in_a_loop
        try:
            done = run(epoch, first, count)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            if not self.compilation.jit or self.compilation.asked or self._ran:
                raise  # an error of the model's own
            self._again()  # compiling failed, so nothing has run yet
            done = run(epoch, first, count)
        self._ran = True
        return done

    def _in_a_loop(self, epoch: ArrayEpoch, first: int, count: int) -> tuple[int, Logs]:
        arrays, last = epoch.arrays, first + count
        full = last if self._rest is None else min(last, arrays.samples // arrays.batch_size)
        logs: Logs = {}
        if full > first:
            logs = self._many(arrays.data, epoch.order, *(tf.constant(k) for k in (first, full, arrays.batch_size)))
        if full < last:
            logs = self._rest(epoch.batch(full))
        return count, logs

    def _one_by_one(self, epoch: ArrayEpoch | StreamEpoch, first: int, count: int) -> tuple[int, Logs]:
        logs: Logs = {}
        for done in range(count):
            batch = epoch.batch(first + done)
            if batch is None:
                return done, logs
            logs = self.one(batch)
        return count, logs


class _Cache:
    """The steps of a model that were compiled already, until it is compiled anew; it lives and dies with the model."""

    def __init__(self, compiled: object) -> None:
        self.compiled = compiled
        self.steps: dict[tuple, Steps] = {}


def steps_of(model: keras.Model, name: str, spec: Nested, compilation: Compilation) -> Steps:
    """The compiled ``train_step`` or ``test_step`` of a model; a second ``fit`` finds it ready, as in Keras."""
    cache = vars(model).get("_training_steps")
    if cache is None or cache.compiled is not model._compile_config:
        cache = vars(model)["_training_steps"] = _Cache(model._compile_config)
    key = (name, str(spec), compilation.eager, compilation.jit, compilation.asked, model.dtype_policy.name)
    if key not in cache.steps:
        cache.steps[key] = Steps(getattr(model, name), spec, compilation)
    return cache.steps[key]


def _traced(step: Callable, spec: Nested, jit: bool) -> Callable:
    def logged(data: Nested) -> Logs:
        return keras.tree.map_structure(tf.convert_to_tensor, step(data))  # a step may return Python numbers

    return tf.function(logged, jit_compile=jit, autograph=False).get_concrete_function(spec)


def _draws(step: tf.types.experimental.ConcreteFunction) -> bool:
    """Whether a step draws random numbers, as dropout does."""
    graph = step.graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    return any("Random" in node.op or "Multinomial" in node.op for node in [*graph.node, *nodes])


def _loop(step: Callable, spec: Nested) -> Callable:
    """A compiled loop over the steps ``first … last − 1`` of an epoch that returns what the last one returned."""

    @tf.function(autograph=False)
    def many(data: Nested, order: tf.Tensor, first: tf.Tensor, last: tf.Tensor, size: tf.Tensor) -> Logs:
        def body(k: tf.Tensor, _: Logs) -> tuple[tf.Tensor, Logs]:
            return k + 1, step(gathered(data, order[k * size : (k + 1) * size]))

        # The loop must know beforehand what a step returns; it runs at least once.
        shapes = keras.tree.map_structure(lambda log: log.shape, step.structured_outputs)
        before = keras.tree.map_structure(
            lambda log: tf.zeros([n or 0 for n in log.shape], log.dtype), step.structured_outputs
        )
        _, logs = tf.while_loop(
            lambda k, _: k < last,
            body,
            (first, before),
            shape_invariants=(first.shape, shapes),
            parallel_iterations=1,
        )
        return logs

    @cache
    def traced() -> tf.types.experimental.ConcreteFunction:
        # Once for arrays of any number of rows: tracing a deep network again takes seconds. And only if it is used.
        order, number = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)
        return many.get_concrete_function(spec, order, number, number, number)

    return lambda *arguments: traced()(*arguments)


class Pace:
    """How many steps one call runs.

    As many as take about a quarter of a second, so that the progress is seen and Ctrl-C is heard; or the number that
    was asked for. The number changes the speed and nothing else.
    """

    SECONDS = 0.25

    def __init__(self, asked: int | None) -> None:
        self.asked = asked
        self.steps = self.most = asked or 1

    def measure(self, steps: int, seconds: float) -> None:
        """Learns from a call of ``steps`` steps."""
        if self.asked is None and steps == self.steps:
            if seconds < self.SECONDS / 2:
                self.steps *= 2
            elif seconds > self.SECONDS * 2:
                self.steps = max(1, self.steps // 2)
        self.most = max(self.most, steps)


def evaluate(
    model: keras.Model, steps: Steps, source: Arrays | Stream, pace: Pace, called: keras.callbacks.CallbackList
) -> Logs:
    """The model's measures over all of ``source``, as ``model.evaluate`` returns them."""
    model.reset_metrics()
    called.on_test_begin()
    epoch, first, logs = source.epoch(0), 0, {}
    while source.steps is None or first < source.steps:
        count = pace.steps if source.steps is None else min(pace.steps, source.steps - first)
        called.on_test_batch_begin(first)
        started = time.perf_counter()
        done, last = steps.run(epoch, first, count)
        logs = last or logs
        pace.measure(done, time.perf_counter() - started)
        first += done
        if done:
            called.on_test_batch_end(first - 1, logs)
        epoch.forget(first)
        if done < count:
            break
    results = measures(model, logs)
    called.on_test_end(results)
    return results


def measures(model: keras.Model, logs: Logs) -> dict[str, float]:
    """What the metrics say now, as Python numbers; what the last step returned where that is something else."""
    results = model.get_metrics_result()
    chosen = results if not logs or set(results) == set(logs) else logs
    return {name: _number(value) for name, value in chosen.items()}


def _number(value: Any) -> float | list:
    array = keras.ops.convert_to_numpy(value)
    return float(array.item()) if array.size == 1 else array.tolist()
