"""A layer call opened: its lines computed forward in NumPy, then backward, each as a step with its formula."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Template

import numpy as np
import tensorflow as tf

from toolkit.xray._calls import LayerCall
from toolkit.xray._records import Phase, Step, Tensor
from toolkit.xray.derivations._backward import Passage, Seed, Sum, Way, way_back
from toolkit.xray.derivations._graph import Graph, Line, Symbol
from toolkit.xray.derivations._names import space_of
from toolkit.xray.derivations.operations._linear import summed_over


@dataclass(frozen=True)
class Autodiff:
    """What TensorFlow makes of the same lines, by the names in the formulas.

    Attributes:
        values: the result of each line, from our inputs of that line.
        gradients: of every tensor, and of every use of a tensor that is used several times.
    """

    values: Mapping[str, np.ndarray]
    gradients: Mapping[str, np.ndarray]


class Derivation:
    """One layer call, sub-step by sub-step. Everything is recomputed in NumPy when it is first asked for.

    Args:
        graph: the lines of the forward pass.
        results: the symbols of the call's outputs.

    Attributes:
        call: the layer call.
        graph: its lines.
        results: the symbols of the outputs.
    """

    def __init__(self, graph: Graph, results: Sequence[Symbol]) -> None:
        self.call: LayerCall = graph.call
        self.graph = graph
        self.results = tuple(results)
        self._tensors: dict[Symbol, Tensor] = {}

    # ------------------------------------------------------------------ the numbers

    @cached_property
    def _values(self) -> dict[Symbol, np.ndarray]:
        """Every tensor of the forward pass."""
        values: dict[Symbol, np.ndarray] = {}
        for line in self.graph.lines:
            values |= {x: x.value for x in line.inputs if x.value is not None}
            y = line.operation.forward(*(values[x] for x in line.inputs))
            values |= zip(line.results, y if line.operation.is_list else [y], strict=True)
            if self.graph.kinked is not None and self.graph.kinked[0] in line.results:
                z, curve = self.graph.kinked
                values[z] = curve.beside_kinks(values[z], self.call.outputs[0])
        return values

    @cached_property
    def _seeds(self) -> dict[Seed, np.ndarray]:
        """The gradients that come from outside: of the outputs, and past them of the logits."""
        alone = len(self.results) == 1
        seeds = {}
        for y, dy in zip(self.results, self.call.dy):
            if dy is not None and y.has_gradient:
                seeds[Seed(y, "dy" if alone else f"d{y.name}", "dy" if alone else f"d{y.latex}")] = dy
        z = self.graph.logits
        if z is not None and self.call.dlogits is not None:
            seeds[Seed(z, f"d{z.name}", f"d{z.latex}")] = self.call.dlogits
        return {seed: value.astype(self.graph.dtype, copy=False) for seed, value in seeds.items()}

    @cached_property
    def _way(self) -> Way:
        return way_back(self.graph.lines, list(self._seeds))

    @cached_property
    def _gradients(self) -> dict[Symbol, np.ndarray]:
        """Every gradient of the backward pass, by its own symbol."""
        gradients = dict(zip(self._way.seeds, self._seeds.values()))
        for step in self._way.steps:
            if isinstance(step, Sum):
                first, *others = (gradients[part] for part in step.parts)
                gradients[step.total] = sum(others, start=first)
            else:
                gradients |= self._back(step, gradients)
        return gradients

    def _back(self, passage: Passage, gradients: Mapping[Symbol, np.ndarray]) -> Iterable[tuple[Symbol, np.ndarray]]:
        line = passage.line
        x = [self._values[symbol] for symbol in line.inputs]
        y = [self._values[symbol] for symbol in line.results]
        dy = [np.zeros_like(a) if d is None else gradients[d] for a, d in zip(y, passage.dresults)]
        dx = line.operation.backward(*((dy, y) if line.operation.is_list else (dy[0], y[0])), *x)
        return [(symbol, value) for symbol, value in zip(passage.dinputs, dx, strict=True) if symbol is not None]

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Every tensor of the forward pass by its name."""
        return {symbol.name: value for symbol, value in self._values.items()}

    @property
    def intermediate_gradients(self) -> dict[str, np.ndarray]:
        """Every gradient of the backward pass by its name."""
        return {symbol.name: value for symbol, value in self._gradients.items()}

    @property
    def outputs(self) -> tuple[np.ndarray, ...]:
        """The outputs, as ``call.outputs`` has them."""
        return tuple(self._values[symbol] for symbol in self.results)

    @property
    def dx(self) -> tuple[np.ndarray | None, ...]:
        """The gradient of each of ``call.inputs``; None for ids and other integers, and where the call has none."""
        inputs = self.graph.inputs
        return tuple(self._gradient_of(inputs.get(place)) for place in range(len(self.call.inputs)))

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of each weight through this call, by the names in ``call.weights``."""
        gradients = {key: self._gradient_of(symbol) for key, symbol in self.graph.parameters.items()}
        return {key: gradient for key, gradient in gradients.items() if gradient is not None}

    @property
    def updated(self) -> dict[str, np.ndarray]:
        """The running averages after the call, by the names in ``call.weights``."""
        return {key: self._values[symbol] for key, symbol in self.graph.updated.items()}

    def _gradient_of(self, symbol: Symbol | None) -> np.ndarray | None:
        differentiated = self.call.dlogits is not None or any(dy is not None for dy in self.call.dy)
        if symbol is None or not symbol.has_gradient or not differentiated:
            return None
        gradient = self._way.gradient_of.get(symbol)
        return np.zeros_like(symbol.value) if gradient is None else self._gradients[gradient]

    # ------------------------------------------------------------------ the steps

    @cached_property
    def forward(self) -> tuple[Step, ...]:
        """The sub-steps of the forward pass, in the order of the computation."""
        return tuple(self._forward_step(line) for line in self.graph.lines)

    @cached_property
    def backward(self) -> tuple[Step, ...]:
        """The sub-steps of the backward pass, in the order of the computation; none without a loss."""
        makers = {Passage: self._backward_step, Sum: self._sum_step}
        return tuple(makers[type(step)](step) for step in self._way.steps)

    def _forward_step(self, line: Line) -> Step:
        operation = line.operation
        names = dict(zip((*operation.inputs, *operation.results), (*line.inputs, *line.results), strict=True))
        words = operation.letters(*(x.axes for x in line.inputs))
        equation = _fill(operation.formula, names, words)
        return self._step("forward", line.title, equation, [*line.inputs, *line.results], line.note, line.time)

    def _backward_step(self, passage: Passage) -> Step:
        line, operation = passage.line, passage.line.operation
        names = dict(zip((*operation.inputs, *operation.results), (*line.inputs, *line.results), strict=True))
        dnames = dict(zip((f"d{name}" for name in names), (*passage.dinputs, *passage.dresults)))
        words = {name: "0" for name, symbol in dnames.items() if symbol is None}
        words |= operation.letters(*(x.axes for x in line.inputs))
        names |= {name: symbol for name, symbol in dnames.items() if symbol is not None}
        equations, used = [], set()
        for formula, x, dx in zip(operation.gradients, line.inputs, passage.dinputs):
            if dx is not None:
                repeated = {"sum": summed_over(x.axes, line.results[0].axes)}
                equations.append(_fill(formula, names, words | repeated))
                used |= set(Template(formula).get_identifiers())
        inputs = [symbol for name, symbol in names.items() if name in used and symbol not in passage.dinputs]
        results = [symbol for symbol in passage.dinputs if symbol is not None]
        equation = r",\quad ".join(equations)
        return self._step("backward", line.title, equation, [*inputs, *results], line.note, line.time)

    def _sum_step(self, step: Sum) -> Step:
        parts, total = [part.latex for part in step.parts], step.total
        short = rf"\sum_{{k=1}}^{{{len(parts)}}} {total.latex}^{{(k)}}"
        right = short if len(parts) > 4 else " + ".join(parts)
        note = "The tensor is used several times: what comes back from each use, in the order of the uses, adds up."
        title = f"{total.name} adds up"
        equation = f"{total.latex} = {right}"
        return self._step("backward", title, equation, [*step.parts, total], note, self._times[total])

    @cached_property
    def _times(self) -> dict[Symbol, int | None]:
        """Of each gradient, the time step that makes its tensor, or else the only one that uses it."""
        made = {result: line.time for line in self.graph.lines for result in line.results}
        used: dict[Symbol, set[int | None]] = {}
        for line in self.graph.lines:
            for symbol in line.inputs:
                used.setdefault(symbol, set()).add(line.time)
        times = {}
        for symbol, gradient in self._way.gradient_of.items():
            uses = used.get(symbol, set())
            times[gradient] = made.get(symbol) or (next(iter(uses)) if len(uses) == 1 else None)
        return times

    def _step(
        self, phase: Phase, title: str, equation: str, symbols: Sequence[Symbol], note: str, time: int | None
    ) -> Step:
        return Step(
            phase=phase,
            layer=self.call.path,
            kind=self.call.kind,
            call=self.call.index,
            title=title,
            equation=equation,
            spaces={symbol.name: space_of(symbol.axes, symbol.numbers) for symbol in symbols},
            tensors={symbol.name: self._tensor(symbol) for symbol in symbols},
            derived=True,
            note=note,
            time=time,
        )

    def _tensor(self, symbol: Symbol) -> Tensor:
        if symbol not in self._tensors:
            is_gradient = symbol.role in ("gradient", "upstream")
            value = (self._gradients if is_gradient else self._values)[symbol]
            value = np.asarray(value).view()
            value.flags.writeable = False
            role = "output" if symbol in self.results else symbol.role
            self._tensors[symbol] = Tensor(symbol.name, value, role, symbol.axes, symbol.latex)
        return self._tensors[symbol]

    # ------------------------------------------------------------------ the proof

    def autodiff(self) -> Autodiff:
        """The same lines in TensorFlow, with gradients from its own tape.

        After each line TensorFlow goes on with *our* result, so that both stand on the same side of every kink (a ReLU
        near 0, two equal pixels) and rounding does not add up from line to line.
        """
        tensors: dict[Symbol, tf.Tensor] = {}
        uses: dict[tuple[Line, int], tf.Tensor] = {}
        values: dict[str, np.ndarray] = {}
        with tf.GradientTape() as tape:
            for line in self.graph.lines:
                for place, x in enumerate(line.inputs):
                    if x not in tensors:
                        tensors[x] = tf.constant(x.value)
                        if x.has_gradient:
                            tape.watch(tensors[x])
                    uses[line, place] = tf.identity(tensors[x])
                y = line.operation.tensorflow(*(uses[line, place] for place in range(len(line.inputs))))
                for symbol, tensor in zip(line.results, y if line.operation.is_list else [y], strict=True):
                    values[symbol.name] = tensor.numpy()
                    tensors[symbol] = _pinned(tensor, self._values[symbol])
            target = [tf.reduce_sum(tensors[seed.of] * dy) for seed, dy in self._seeds.items()]
            target = tf.add_n(target) if target else None
        sources = {symbol: tensors[of] for of, symbol in self._way.gradient_of.items()}
        for step in self._way.steps:
            if isinstance(step, Passage):
                parts = {d: uses[step.line, place] for place, d in enumerate(step.dinputs) if d is not None}
                sources = parts | sources
        if not sources:
            return Autodiff(values, {})
        found = tape.gradient(target, list(sources.values()), unconnected_gradients="zero")
        gradients = {symbol.name: tf.convert_to_tensor(d).numpy() for symbol, d in zip(sources, found)}
        return Autodiff(values, gradients)


def _pinned(tensor: tf.Tensor, value: np.ndarray) -> tf.Tensor:
    """A tensor with the given numbers whose gradient passes on to ``tensor``."""
    return tf.custom_gradient(lambda _: (tf.constant(value), lambda d: d))(tensor)


def _fill(formula: str, symbols: Mapping[str, Symbol], words: Mapping[str, str]) -> str:
    """A formula with the names that its symbols have here."""
    latex = {name: symbol.latex for name, symbol in symbols.items()}
    return re.sub(" {2,}", " ", Template(formula).substitute(latex | words)).strip()
