"""What all layers share: parameters, gradients, shapes, and the checks that name the layer at fault."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, ToolkitError
from toolkit.scratch._equations import Equations
from toolkit.scratch._graph import Node, connect, holds_nodes
from toolkit.scratch._shape import Shape, batch, fits, snake_case, to_shape

DTYPES = ("float32", "float64")


def keras_constant(value: float) -> float:
    """``value`` rounded to float32.

    Keras on TensorFlow rounds its constants (Adam's β in the bias correction, an L2 strength) so, even in a float64
    model; the learning rate too, unless ``keras.config.set_floatx`` says otherwise. Whoever wants to agree with it
    in every digit has to do the same: the rounding of β₂ = 0.999 alone changes ``1 − β₂`` by 1.3e-5.
    """
    return float(np.float32(value))


def check_dtype(dtype: str | np.dtype | type, where: str) -> np.dtype:
    """Returns ``dtype`` as a NumPy dtype; raises InvalidValueError unless it is float32 or float64."""
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        resolved = None
    if resolved is None or resolved.name not in DTYPES:
        raise InvalidValueError(where, "dtype 'float32' or 'float64'", repr(dtype))
    return resolved


def check_positive_integer(value: int, name: str, where: str) -> int:
    """Returns ``value`` as an int; raises InvalidValueError unless it is an integer of at least 1."""
    if not is_integer(value) or value < 1:
        raise InvalidValueError(where, f"{name} as a positive integer", repr(value))
    return int(value)


def check_finite(array: np.ndarray, name: str, where: str) -> None:
    """Raises InvalidValueError that names the first NaN or infinity in ``array``."""
    # One pass decides nearly always: a sum is finite only if every term is. (A sum of finite
    # numbers can overflow too, so a sum that is not finite is only a reason to look closer.)
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()
    if not np.isfinite(total):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            index = tuple(int(i) for i in bad[0])
            raise InvalidValueError(
                where,
                f"{name} without NaN or infinity",
                f"{array[index]} at index {index} ({len(bad)} such values of {array.size})",
                "Look at how this array was made: missing data, a division by zero, or a step that diverged.",
            )


class Layer(ABC):
    """A function of ``x`` with parameters: ``y = layer.forward(x)``, ``dx = layer.backward(dy)``.

    The batch is the first axis of every array. ``backward`` takes the upstream gradient
    ``dy = ∂L/∂y``, stores ``∂L/∂p`` for every parameter ``p`` in ``grads`` and returns ``dx = ∂L/∂x``.

    A layer with several inputs takes a list ``[x1, x2, …]`` and returns the list ``[dx1, dx2, …]``; one with
    several outputs likewise returns and takes lists. All that ``backward`` needs of a forward pass lies in
    ``_cache``, so that a network can use one layer in several places.

    A call with arrays, ``layer(x)``, is ``layer.forward(x)``. A call with nodes, which begin at ``scratch.Input``,
    computes nothing yet: it notes the layer's place in a graph and returns a node for ``y`` (see ``Model``).

    Attributes:
        params: the parameters by their name in the equations, e.g. ``{"W": (D, M), "b": (M,)}``.
        grads: the gradients from the last ``backward``; same keys and shapes as ``params``.
        non_trainable: arrays that the layer keeps but no gradient changes, such as moving averages.
        name: the layer's name in errors and tables; a network numbers the unnamed ones.
        dtype: float32 or float64; set by ``build``.
        input_shape: the shape of one sample, without the batch axis; of a layer with several inputs, a
            tuple of such shapes; None until built.
        equations: the layer's formulas as LaTeX.
        uses_mask: whether ``forward`` takes ``mask=``, ``(N, T)`` bool, False where a time step is padding.
    """

    equations: ClassVar[Equations]
    uses_mask: ClassVar[bool] = False

    def __init__(self, *, name: str | None = None) -> None:
        self._given_name = name
        self.name = name or snake_case(type(self).__name__)
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self.non_trainable: dict[str, np.ndarray] = {}
        self.dtype = np.dtype("float32")
        self.input_shape: Shape | tuple[Shape, ...] | None = None
        self._cache: Any = None

    # ------------------------------------------------------------------ structure

    @property
    def where(self) -> str:
        """The layer as errors call it, e.g. ``Dense 'hidden'``."""
        return f"{type(self).__name__} {self.name!r}"

    @property
    def built(self) -> bool:
        """Whether the layer knows its input's shape and has its parameters."""
        return self.input_shape is not None

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """All arrays that define the layer: ``params``, then ``non_trainable``, in Keras's order."""
        return self.params | self.non_trainable

    @property
    def output_shape(self) -> Shape:
        """The shape of one sample of ``y``, without the batch axis."""
        if self.input_shape is None:
            raise CallOrderError(
                self.where,
                "a built layer",
                "no input yet",
                "Call build or forward before reading its shapes.",
            )
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of one output sample for ``input_shape``; unchanged unless a layer says otherwise."""
        return input_shape

    def compute_mask(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray | None:
        """The mask of ``y``: which of its time steps count, ``(N, T)`` bool; None where all do.

        Args:
            x: the input of the last ``forward``.
            mask: the mask of ``x``; handed on as it is unless a layer says otherwise.
        """
        return mask

    def build(
        self,
        input_shape: Shape | tuple[Shape, ...],
        *,
        seed: int | np.random.SeedSequence = 0,
        dtype: str | np.dtype = "float32",
    ) -> None:
        """Creates the parameters for inputs whose samples have ``input_shape``.

        Args:
            input_shape: shape of one sample, without the batch axis; None along an axis of any length.
            seed: fixes the initial values; the same seed gives the same parameters.
            dtype: "float32" or "float64".

        Raises:
            ShapeError: the layer cannot take such inputs. It stays unbuilt and can be used again with a right shape.
        """
        self.dtype = check_dtype(dtype, self.where)
        self.input_shape = to_shape(input_shape)
        try:
            self.create_params(np.random.default_rng(seed))
        except ToolkitError:
            self.input_shape = None
            raise

    def create_params(self, rng: np.random.Generator) -> None:  # noqa: B027 - most layers have no parameters
        """Fills ``params`` from ``rng``; layers without parameters have nothing to do."""

    def count_params(self) -> int:
        """How many numbers define the layer: those it learns and, as in Keras, its moving averages."""
        return sum(w.size for w in self.weights.values())

    # ------------------------------------------------------------------ computation

    @abstractmethod
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``y`` from ``x`` and remembers what ``backward`` needs."""

    @abstractmethod
    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Computes ``grads`` and returns ``dx`` from the upstream gradient ``dy``.

        Args:
            dy: ``∂L/∂y``, of the shape of the last ``y``.
            needs_dx: False where nobody asks for ``dx``, as in a network's first layer; a layer
                may then skip that work and return None.

        Raises:
            CallOrderError: ``forward`` has not been called.
            ShapeError: ``dy`` does not have the shape of ``y``.
        """

    def regularization(self) -> float:
        """The layer's own term of the loss, such as an L2 penalty."""
        return 0.0

    def regularization_gradients(self) -> dict[str, np.ndarray]:
        """The gradients of ``regularization``, which ``backward`` adds to those of the data; none without penalty."""
        return {}

    def __call__(self, x: np.ndarray | Node | Sequence[np.ndarray | Node], *options: Any, **named_options: Any) -> Any:
        call = connect if holds_nodes(x) else type(self).forward
        return call(self, x, *options, **named_options)

    # ------------------------------------------------------------------ checks

    def check_input(self, x: np.ndarray) -> np.ndarray:
        """Returns ``x`` as an array of the layer's dtype; builds the layer at the first call.

        Raises:
            ShapeError: ``x`` has no batch axis, or samples of another shape than the layer was built for.
            InvalidValueError: ``x`` holds NaN, infinity, or something that is not a number.
        """
        return self._check_arrays([x], ["x"])[0]

    def check_inputs(self, x: Sequence[np.ndarray], names: Sequence[str] | None = None) -> list[np.ndarray]:
        """`check_input` for a layer with several inputs; also raises ShapeError if their batches differ.

        Args:
            x: the inputs; the layer is built for the tuple of their sample shapes.
            names: how errors call them; x1, x2, … by default.
        """
        if not isinstance(x, list | tuple):
            raise ShapeError(
                self.where, "a list of inputs", f"one {type(x).__name__}", "Put the inputs into a list: [x1, x2]."
            )
        names = names or [f"x{k}" for k in range(1, len(x) + 1)]
        arrays = self._check_arrays(x, names, several=True)
        if len({len(array) for array in arrays}) > 1:
            received = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays))
            raise ShapeError(self.where, "inputs with the same N", received)
        return arrays

    def _check_arrays(self, x: Sequence[np.ndarray], names: Sequence[str], several: bool = False) -> list[np.ndarray]:
        arrays = [to_array(values, self.dtype, name, self.where) for values, name in zip(x, names)]
        for array, name in zip(arrays, names):
            if array.ndim < 2:
                raise ShapeError(
                    self.where,
                    f"{name} with a batch axis, shape (N, …)",
                    f"shape {array.shape}",
                    f"One sample is a batch of one: {name}[np.newaxis].",
                )
        shapes = tuple(array.shape[1:] for array in arrays)
        if not self.built:
            self.build(shapes if several else shapes[0], dtype=self.dtype)
        expected = self.input_shape if several else (self.input_shape,)
        if len(expected) != len(shapes):
            raise ShapeError(self.where, f"{len(expected)} inputs", f"{len(shapes)}")
        for array, name, shape in zip(arrays, names, expected):
            if not fits(array.shape[1:], shape):
                raise ShapeError(self.where, f"{name} of shape {batch(shape)}", f"shape {array.shape}")
            check_finite(array, name, self.where)
        return arrays

    def check_axes(self, letters: str, remedy: str = "") -> None:
        """Called from `create_params`: the samples must have an axis for each of ``letters``, such as "HWC".

        Raises:
            ShapeError: they have more or fewer axes, or None along another axis than time, T.
        """
        known = all(n is not None or letter == "T" for n, letter in zip(self.input_shape, letters))
        if len(self.input_shape) != len(letters) or not known:
            received = batch(self.input_shape)
            raise ShapeError(self.where, f"x of shape (N, {', '.join(letters)})", f"shape {received}", remedy)

    def check_mask(self, mask: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray | None:
        """Returns ``mask`` as bool of shape ``(N, T)``; None stays None, which means that all time steps count."""
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.shape != shape or mask.dtype.kind not in "biuf":
            raise ShapeError(self.where, f"mask (N, T) of shape {shape}", f"{mask.dtype} of shape {mask.shape}")
        return mask.astype(bool, copy=False)

    def check_upstream(self, dy: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
        """Returns ``dy`` in the layer's dtype; ``shape`` is that of the last output (None: there was none)."""
        if shape is None:
            raise CallOrderError(
                self.where,
                "forward before backward",
                "backward alone",
                "The backward pass uses what the forward pass computed: call forward(x) first.",
            )
        dy = to_array(dy, self.dtype, "dy", self.where)
        if dy.shape != shape:
            raise ShapeError(self.where, f"dy of the shape of y, {shape}", f"shape {dy.shape}")
        return dy

    def __repr__(self) -> str:
        shapes = f"{batch(self.input_shape)} → {batch(self.output_shape)}" if self.built else "not built"
        return f"<{self.where}: {shapes}, {self.count_params():,} parameters>"


def to_array(values: Any, dtype: np.dtype | None, name: str, where: str) -> np.ndarray:
    """Returns ``values`` as a numeric array; raises InvalidValueError for text, objects, complex numbers."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"dtype {array.dtype}")
        return array if dtype is None else array.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(where, f"{name} as an array of real numbers", str(error)) from error
