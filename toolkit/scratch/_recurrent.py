"""What recurrent layers share: the loop over time, forward and back, with masks and states."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toolkit.errors import CallOrderError, ShapeError
from toolkit.scratch._activations import Activation, get_activation
from toolkit.scratch._initializers import Initializer, initial_value
from toolkit.scratch._layer import Layer, check_finite, check_positive_integer, to_array
from toolkit.scratch._shape import Shape, are_several, batch, fits

Arrays = np.ndarray | Sequence[np.ndarray]


@dataclass
class Run:
    """One forward pass. Time comes first here, in the order in which the steps are taken.

    Attributes:
        x: the inputs, ``(T, N, D)``.
        states: for each state its values before and after every step, ``(T + 1, N, M)``.
        steps: what each step has to remember for its backward pass; None where all samples are padding.
        counts: where a step counts, ``(T, N, 1)`` bool; None where all do.
        every: whether all samples of a step count, ``(T,)`` bool.
        shown: where an output is shown and not 0, ``(T, N, 1)`` bool; None where all are.
        with_state: whether the initial state was given.
    """

    x: np.ndarray
    states: list[np.ndarray]
    steps: list[Any]
    counts: np.ndarray | None
    every: np.ndarray
    shown: np.ndarray | None
    with_state: bool


class Recurrent(Layer):
    """Base of the recurrent layers: one step, with the same parameters, for every ``x_t`` in turn.

    A layer is its `step` and, beside it, that step's backward pass `step_back`. All else is here: what the inputs
    add to every step, ``x_t W + b``, is one product for all steps; the loop hands the states on; and the loop
    backwards, *backpropagation through time*, hands their gradients back. It leaves ``dz_t`` for every step, from
    which ``dW = Σ_t x_tᵀ dz_t`` is one product again.

    Args:
        units: M, the size of a state.
        activation: φ, a name or an activation.
        use_bias: whether ``b`` is there.
        return_sequences: whether ``y`` is every output ``(N, T, M)``, or the last one ``(N, M)``.
        return_state: whether ``forward`` returns the list ``[y, h]`` (of an LSTM ``[y, h, c]``) with the last states
            ``(N, M)``; ``backward`` then takes ``[dy, dh]``, where None is a gradient of zero.
        go_backwards: whether the last time step comes first. The outputs stay in the order in which they are made.
        zero_output_for_mask: whether the output of a padded step is 0; else it repeats the output before it.
        truncate: k, truncates backpropagation: the gradient of the states stops at every k-th step. None: never.
        kernel_initializer: name or initialiser of ``W``, or an array of its shape.
        recurrent_initializer: the same for ``U``.
        bias_initializer: the same for ``b``.
        name: the layer's name.

    Raises:
        InvalidValueError: ``units`` or ``truncate`` is not a positive integer, or an option is unknown.
    """

    uses_mask = True
    gate_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = "tanh",
        *,
        use_bias: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        truncate: int | None = None,
        kernel_initializer: str | Initializer | np.ndarray = "glorot_uniform",
        recurrent_initializer: str | Initializer | np.ndarray = "orthogonal",
        bias_initializer: str | Initializer | np.ndarray = "zeros",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.units = check_positive_integer(units, "units", self.where)
        self.activation = get_activation(activation, self.where)
        self.use_bias = use_bias
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.zero_output_for_mask = zero_output_for_mask
        self.truncate = None if truncate is None else check_positive_integer(truncate, "truncate", self.where)
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer

    # ------------------------------------------------------------------ one time step

    @abstractmethod
    def step(self, xW: np.ndarray, *states: np.ndarray) -> tuple[Sequence[np.ndarray], Any]:
        """One time step.

        Args:
            xW: ``x_t W + b``, ``(N, G·M)`` for G gates; may be changed.
            states: those before the step, ``(N, M)``.

        Returns:
            The states after the step, and what `step_back` has to know; its attributes have the names of the gates.
        """

    @abstractmethod
    def step_back(self, step: Any, dz: np.ndarray, *dstates: np.ndarray) -> Sequence[np.ndarray]:
        """The backward pass of one time step.

        Args:
            step: what `step` has noted.
            dz: ``(N, G·M)``, to be filled with the gradient of ``x_t W + b``.
            dstates: the gradients of the states after the step.

        Returns:
            The gradients of the states before the step.
        """

    def recurrent_gradients(self, run: Run, dz: np.ndarray) -> None:
        """Fills ``grads["U"]`` with ``Σ_t h_{t-1}ᵀ dz_t``, and a bias of the recurrent part where there is one."""
        self.grads["U"] = rows(run.states[0][:-1]).T @ rows(dz)

    def split(self, z: np.ndarray) -> Iterator[np.ndarray]:
        """The parts ``(N, M)`` of a ``z (N, G·M)`` that belong to each gate; views, not copies."""
        return iter(z.reshape(len(z), -1, self.units).swapaxes(0, 1))

    # ------------------------------------------------------------------ structure

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``W (D, G·M)`` and ``U (M, G·M)`` and sets ``b (G·M,)`` for G gates."""
        sequence = self._sequence_shape
        if len(sequence) != 2 or sequence[1] is None:
            raise ShapeError(self.where, "x of shape (N, T, D)", f"shape {batch(sequence)}")
        D, M, GM = sequence[1], self.units, len(self.gate_names) * self.units
        self.params["W"] = initial_value(self.kernel_initializer, (D, GM), rng, self.dtype, self.where)
        self.params["U"] = initial_value(self.recurrent_initializer, (M, GM), rng, self.dtype, self.where)
        if self.use_bias:
            self.params["b"] = self.initial_bias(rng)

    def initial_bias(self, rng: np.random.Generator) -> np.ndarray:
        """The first ``b``."""
        shape = (len(self.gate_names) * self.units,)
        return initial_value(self.bias_initializer, shape, rng, self.dtype, self.where)

    @property
    def input_bias(self) -> np.ndarray:
        """The bias ``(G·M,)`` that is added to ``x_t W``."""
        return self.params["b"]

    @property
    def _sequence_shape(self) -> Shape:
        """The shape ``(T, D)`` of one sample of ``x``, which may come with an initial state."""
        return self.input_shape[0] if are_several(self.input_shape) else self.input_shape

    def compute_output_shape(self, input_shape: Shape | tuple[Shape, ...]) -> Shape | tuple[Shape, ...]:
        """``(T, M)`` or ``(M,)``; with ``return_state`` a tuple of this and ``(M,)`` for each state."""
        sequence = input_shape[0] if are_several(input_shape) else input_shape
        y = (sequence[0], self.units) if self.return_sequences else (self.units,)
        return (y, *((self.units,) for _ in self.state_names)) if self.return_state else y

    def compute_mask(self, x: Arrays, mask: Any = None) -> Any:
        """That of ``x`` where there is an output for every step, else None; with ``return_state`` a list."""
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.state_names)] if self.return_state else mask

    # ------------------------------------------------------------------ forward

    def forward(self, x: Arrays, training: bool = False, mask: Any = None) -> np.ndarray | list[np.ndarray]:
        """Computes ``y (N, T, M)``, or ``(N, M)`` without ``return_sequences``.

        Args:
            x: ``x (N, T, D)``, or the list ``[x, h0]`` (of an LSTM ``[x, h0, c0]``) with states ``(N, M)`` to begin
                with; else these are 0.
            training: makes no difference.
            mask: ``(N, T)`` bool, False at padding, of a list of inputs the list of their masks, of which the first
                counts. A padded step changes nothing: the states stay as they are.
        """
        x, initial = self._check_sequence(x)
        counts, every, shown = self._check_steps(mask, x.shape[:2])
        x = self._in_order(x)
        T, N, _ = x.shape
        xW = rows(x) @ self.params["W"]
        if self.use_bias:
            xW += self.input_bias
        xW = xW.reshape(T, N, -1)
        states = [np.zeros((T + 1, N, self.units), self.dtype) for _ in self.state_names]
        for state, value in zip(states, initial):
            state[0] = value
        steps: list[Any] = [None] * T
        for t in range(T):
            before = [state[t] for state in states]
            if not (every[t] or counts[t].any()):
                after = before
            else:
                after, steps[t] = self.step(xW[t], *before)
            for state, old, new in zip(states, before, after):
                state[t + 1] = new if every[t] else np.where(counts[t], new, old)
        self._cache = Run(x, states, steps, counts, every, shown, bool(initial))
        h = states[0][1:]
        y = h.swapaxes(0, 1) if self.return_sequences else h[-1]
        if shown is not None:
            y = np.where(shown.swapaxes(0, 1) if self.return_sequences else shown[-1], y, 0)
        return [y, *(state[-1] for state in states)] if self.return_state else y

    def _check_sequence(self, x: Arrays) -> tuple[np.ndarray, list[np.ndarray]]:
        """``x (N, T, D)`` and the initial states, if there are any, in the layer's dtype."""
        names = ["x", *(f"{name}0" for name in self.state_names)]
        with_state = isinstance(x, list | tuple) and len(x) > 0 and to_array(x[0], None, "x", self.where).ndim == 3
        arrays = [to_array(a, self.dtype, name, self.where) for a, name in zip(x if with_state else [x], names)]
        if with_state and len(x) != len(names):
            raise ShapeError(self.where, f"x, or the list [{', '.join(names)}]", f"a list of {len(x)}")
        x, *initial = arrays
        if not self.built and x.ndim == 3:
            self.build((None, x.shape[2]), dtype=self.dtype)
        expected = self._sequence_shape if self.built else ("T", "D")
        if x.ndim != 3 or x.shape[1] == 0 or not fits(x.shape[1:], expected):
            expected = ("T" if expected[0] is None else expected[0], expected[1])
            raise ShapeError(self.where, f"x of shape {batch(expected)}, T ≥ 1", f"shape {x.shape}")
        for array, name in zip(arrays, names):
            if name != "x" and array.shape != (len(x), self.units):
                raise ShapeError(self.where, f"{name} of shape {(len(x), self.units)}", f"shape {array.shape}")
            check_finite(array, name, self.where)
        return x, initial

    def _check_steps(self, mask: Any, shape: tuple[int, int]) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """``counts``, ``every`` and ``shown`` of `Run` for a mask."""
        mask = self.check_mask(mask[0] if isinstance(mask, list | tuple) else mask, shape)
        if mask is None or mask.all():
            return None, np.ones(shape[1], bool), None
        counts = self._in_order(mask)[:, :, np.newaxis]
        # A padded step repeats the output before it, which is the state, kept; before the first step there is none.
        shown = counts if self.zero_output_for_mask else np.logical_or.accumulate(counts)
        return counts, counts.all(axis=(1, 2)), shown

    def _in_order(self, x: np.ndarray) -> np.ndarray:
        """``(N, T, …)`` as ``(T, N, …)`` in the order of the steps."""
        x = x.swapaxes(0, 1)
        return np.ascontiguousarray(x[::-1] if self.go_backwards else x)

    # ------------------------------------------------------------------ backward

    def backward(self, dy: Any, needs_dx: bool = True) -> Any:
        """Backpropagation through time: computes ``dW``, ``dU``, ``db`` and returns ``dx (N, T, D)``.

        Args:
            dy: ``∂L/∂y``; with ``return_state`` the list ``[dy, dh]`` (of an LSTM ``[dy, dh, dc]``).
            needs_dx: False where nobody asks for ``dx``.

        Returns:
            ``dx``, or the list ``[dx, dh0]`` (of an LSTM ``[dx, dh0, dc0]``) if the initial state was given.
        """
        run: Run = self._cache
        dy, dstates = self._check_upstreams(dy, run)
        T, N, _ = run.x.shape
        dz = np.empty((T, N, self.params["W"].shape[1]), self.dtype)
        for t in reversed(range(T)):
            if dy is not None:
                dstates[0] = dstates[0] + dy[t]
            if run.steps[t] is None:
                dz[t] = 0
            elif run.every[t]:
                dstates = [*self.step_back(run.steps[t], dz[t], *dstates)]
            else:  # a sample that does not count kept its state: its gradient goes round the step
                through = [np.where(run.counts[t], d, 0) for d in dstates]
                around = [np.where(run.counts[t], 0, d) for d in dstates]
                dstates = [a + b for a, b in zip(around, self.step_back(run.steps[t], dz[t], *through))]
            if self.truncate is not None and t > 0 and t % self.truncate == 0:
                dstates = [np.zeros_like(d) for d in dstates]
        return self._collect(run, dz, dstates, needs_dx)

    def _collect(self, run: Run, dz: np.ndarray, dstates: list[np.ndarray], needs_dx: bool) -> Any:
        """The gradients of the parameters and the inputs from ``dz (T, N, G·M)``."""
        self.grads["W"] = rows(run.x).T @ rows(dz)
        if self.use_bias:
            self.grads["b"] = rows(dz).sum(axis=0)
        self.recurrent_gradients(run, dz)
        self.grads = {key: self.grads[key] for key in self.params}
        dx = None
        if needs_dx:
            dx = (rows(dz) @ self.params["W"].T).reshape(run.x.shape)
            dx = (dx[::-1] if self.go_backwards else dx).swapaxes(0, 1)
        return [dx, *dstates] if run.with_state else dx

    def _check_upstreams(self, dy: Any, run: Run | None) -> tuple[np.ndarray | None, list[np.ndarray]]:
        """The gradients of the outputs ``(T, N, M)``, None where only the last counts, and of the last states."""
        if run is None:
            self.check_upstream(dy, None)
        T, N, _ = run.x.shape
        M = self.units
        shapes = [(N, T, M) if self.return_sequences else (N, M), *((N, M) for _ in run.states)]
        given = dy if self.return_state else [dy, *(None for _ in run.states)]
        if not isinstance(given, list | tuple) or len(given) != len(shapes):
            names = ", ".join(f"d{name}" for name in self.state_names)
            received = f"a list of {len(given)}" if isinstance(given, list | tuple) else f"one {type(given).__name__}"
            raise ShapeError(self.where, f"the list [dy, {names}]", received)
        dy, *dstates = (
            np.zeros(shape, self.dtype) if d is None else self.check_upstream(d, shape)
            for d, shape in zip(given, shapes)
        )
        if self.return_sequences:
            dy = dy.swapaxes(0, 1)
            return (dy if run.shown is None else np.where(run.shown, dy, 0)), dstates
        last = dy if run.shown is None else np.where(run.shown[-1], dy, 0)
        return None, [dstates[0] + last, *dstates[1:]]

    # ------------------------------------------------------------------ what happened, step by step

    @property
    def gates(self) -> dict[str, np.ndarray]:
        """Gates and states of the last forward pass by their names in the equations, each ``(N, T, M)``.

        Time is in the order of the steps. In a padded step no gate acts, which is NaN; the states stay as they were.

        Raises:
            CallOrderError: there was no forward pass yet.
        """
        run: Run = self._cache
        if run is None:
            raise CallOrderError(self.where, "forward before gates", "no forward pass yet", "Call forward(x) first.")
        values = {}
        for name in self.gate_names:
            nothing = np.full_like(run.states[0][0], np.nan)
            over_time = np.stack([nothing if step is None else getattr(step, name) for step in run.steps], axis=1)
            counts = True if run.counts is None else run.counts.swapaxes(0, 1)
            values[name] = np.where(counts, over_time, np.nan)
        states = {name: state[1:].swapaxes(0, 1) for name, state in zip(self.state_names, run.states)}
        return values | states


def rows(x: np.ndarray) -> np.ndarray:
    """``(T, N, D)`` as a matrix of ``T·N`` rows."""
    return x.reshape(-1, x.shape[-1])
