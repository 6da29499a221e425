"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from toolkit.scratch._activations import Activation, get_activation
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer
from toolkit.scratch._recurrent import Recurrent


class _Step(NamedTuple):
    """What a step remembers: ``z (N, 4M)``, all else ``(N, M)``; ``a`` is ``φ(c)``."""

    z: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c_before: np.ndarray
    c: np.ndarray
    a: np.ndarray


class LSTM(Recurrent):
    r"""Long short-term memory: a cell ``c`` that gates write to, erase and read.

    Shapes: ``x (N, T, D)``, ``W (D, 4M)``, ``U (M, 4M)``, ``b (4M,)``; the parts of the three belong to the gates
    i, f, g, o in this order. Gates, ``c`` and ``h`` are ``(N, M)`` at every step t:

    1. input gate ``i = σ(x_t W_i + h U_i + b_i)``: how much of the candidate is written;
    2. forget gate ``f = σ(x_t W_f + h U_f + b_f)``: how much of the cell is kept;
    3. candidate ``g = φ(x_t W_g + h U_g + b_g)``: what could be written (Keras counts it as gate c);
    4. output gate ``o = σ(x_t W_o + h U_o + b_o)``: how much of the cell is shown;
    5. cell ``c ← f ⊙ c + i ⊙ g``, output and state ``h = o ⊙ φ(c)``.

    Backward, for t = T … 1, from ``dh``, ``dc`` of step t:

    1. ``dz_o = dh ⊙ φ(c) ⊙ σ′(z_o)``, and ``h`` passes to the cell ``dc ← dc + dh ⊙ o ⊙ φ′(c)``;
    2. ``dz_g = dc ⊙ i ⊙ φ′(z_g)``, ``dz_f = dc ⊙ c_{t−1} ⊙ σ′(z_f)``, ``dz_i = dc ⊙ g ⊙ σ′(z_i)``;
    3. to step t−1 go ``dc ⊙ f``, without any matrix (why long memories can be learned), and ``dh = dz Uᵀ``, to
       which ``dy_{t−1}`` is added;
    4. over all steps ``dW = Σ x_tᵀ dz_t``, ``dU = Σ h_{t−1}ᵀ dz_t``, ``db = Σ dz_t``, ``dx_t = dz_t Wᵀ``.

    Masked steps, initial states and the options are those of ``Recurrent``. With ``return_state`` the outputs are
    ``[y, h, c]``; ``forward([x, h0, c0])`` begins with states of your own.

    Args:
        units: M, the size of ``h`` and ``c``.
        activation: φ, of the candidate and the cell.
        recurrent_activation: σ, of the three gates.
        unit_forget_bias: whether ``b_f`` is 1 at first, so that the cell is kept until the layer learns when not to
            (Jozefowicz et al. 2015); a ``bias_initializer`` that is an array stays as it is.
        options: those of ``Recurrent``: ``use_bias``, ``return_sequences``, ``return_state``, ``go_backwards``,
            ``zero_output_for_mask``, ``truncate``, ``kernel_initializer``, ``recurrent_initializer``,
            ``bias_initializer``, ``name``.

    Raises:
        InvalidValueError: ``units`` or ``truncate`` is not a positive integer, or an option is unknown.
    """

    equations = Equations(
        (
            r"i_t = \sigma(x_t W_i + h_{t-1} U_i + b_i)",
            r"f_t = \sigma(x_t W_f + h_{t-1} U_f + b_f)",
            r"g_t = \varphi(x_t W_g + h_{t-1} U_g + b_g)",
            r"o_t = \sigma(x_t W_o + h_{t-1} U_o + b_o)",
            r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
            r"h_t = o_t \odot \varphi(c_t)",
        ),
        (
            r"dh_t = dy_t + dz_{t+1}\, U^\top",
            r"dz_{o,t} = dh_t \odot \varphi(c_t) \odot \sigma'(z_{o,t})",
            r"dc_t = f_{t+1} \odot dc_{t+1} + dh_t \odot o_t \odot \varphi'(c_t)",
            r"dz_{g,t} = dc_t \odot i_t \odot \varphi'(z_{g,t})",
            r"dz_{f,t} = dc_t \odot c_{t-1} \odot \sigma'(z_{f,t})",
            r"dz_{i,t} = dc_t \odot g_t \odot \sigma'(z_{i,t})",
            r"dW = \sum_t x_t^\top dz_t",
            r"dU = \sum_t h_{t-1}^\top dz_t",
            r"db = \sum_t \sum_n dz_{t,n}",
            r"dx_t = dz_t\, W^\top",
        ),
        {
            "x_t": r"\mathbb{R}^{N \times D}",
            "i_t, f_t, g_t, o_t, c_t, h_t": r"\mathbb{R}^{N \times M}",
            "z_t": r"\mathbb{R}^{N \times 4M}",
            "W": r"\mathbb{R}^{D \times 4M}",
            "U": r"\mathbb{R}^{M \times 4M}",
            "b": r"\mathbb{R}^{4M}",
        },
        "Hochreiter and Schmidhuber (1997); forget gate: Gers, Schmidhuber and Cummins (2000)",
    )
    gate_names = ("i", "f", "g", "o")
    state_names = ("h", "c")

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = "tanh",
        recurrent_activation: str | Activation | None = "sigmoid",
        *,
        unit_forget_bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, **options)
        self.recurrent_activation = get_activation(recurrent_activation, self.where)
        self.unit_forget_bias = unit_forget_bias

    def initial_bias(self, rng: np.random.Generator) -> np.ndarray:
        """``b (4M,)``, with ``b_f = 1`` if ``unit_forget_bias``."""
        b, M = super().initial_bias(rng), self.units
        if self.unit_forget_bias and isinstance(self.bias_initializer, str | Initializer):
            b[M : 2 * M] = 1
        return b

    def step(self, xW: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[Sequence[np.ndarray], _Step]:
        """``(h, c)`` after the step; see the class for the equations."""
        sigma, phi = self.recurrent_activation.activate, self.activation.activate
        z = np.add(xW, h @ self.params["U"], out=xW)
        z_i, z_f, z_g, z_o = self.split(z)
        i = sigma(z_i)
        f = sigma(z_f)
        g = phi(z_g)
        o = sigma(z_o)
        c_before, c = c, f * c + i * g
        a = phi(c)
        h = o * a
        return (h, c), _Step(z, i, f, g, o, c_before, c, a)

    def step_back(self, step: _Step, dz: np.ndarray, dh: np.ndarray, dc: np.ndarray) -> Sequence[np.ndarray]:
        """``(dh, dc)`` before the step: each line of `step`, from the last to the first, has its gradient here."""
        sigma_back, phi_back = self.recurrent_activation.gradient, self.activation.gradient
        z, i, f, g, o, c_before, c, a = step
        z_i, z_f, z_g, z_o = self.split(z)
        dz_i, dz_f, dz_g, dz_o = self.split(dz)
        dz_o[...] = sigma_back(z_o, o, dh * a)  # h = o ⊙ φ(c)
        dc = dc + phi_back(c, a, dh * o)
        dz_g[...] = phi_back(z_g, g, dc * i)  # c = f ⊙ c_before + i ⊙ g
        dz_f[...] = sigma_back(z_f, f, dc * c_before)
        dz_i[...] = sigma_back(z_i, i, dc * g)
        return dz @ self.params["U"].T, dc * f
