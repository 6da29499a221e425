"""The gated recurrent unit, in its two variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from toolkit.scratch._activations import Activation, get_activation
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import initial_value
from toolkit.scratch._recurrent import Recurrent, Run, rows


class _Step(NamedTuple):
    """What a step remembers, each ``(N, M)``: what the gates' activations took, the gates, ``h`` before the step.

    ``s`` is ``h U_g + b′_g`` if ``reset_after``, else None.
    """

    z_z: np.ndarray
    z_r: np.ndarray
    z_g: np.ndarray
    z: np.ndarray
    r: np.ndarray
    g: np.ndarray
    h_before: np.ndarray
    s: np.ndarray | None


class GRU(Recurrent):
    r"""Gated recurrent unit: a state that gates overwrite, with fewer parameters than an LSTM.

    Shapes: ``x (N, T, D)``, ``W (D, 3M)``, ``U (M, 3M)``, ``b (2, 3M)``; the parts of each belong to the gates
    z, r, g in this order. ``b[0]`` is added to ``x_t W``, ``b[1] = b′`` to ``h U``. Gates and ``h`` are ``(N, M)``:

    1. update gate ``z = σ(x_t W_z + b_z + h U_z + b′_z)``: how much of the state is kept;
    2. reset gate ``r = σ(x_t W_r + b_r + h U_r + b′_r)``: how much of it the candidate sees;
    3. candidate ``g = φ(x_t W_g + b_g + r ⊙ (h U_g + b′_g))``: what could replace it (h̃ in the paper);
    4. state ``h ← z ⊙ h + (1 − z) ⊙ g``.

    Without ``reset_after`` the gate comes before the product, ``g = φ(x_t W_g + b_g + (r ⊙ h) U_g)``, as in the
    paper; then ``b`` has shape ``(3M,)`` and there is no ``b′``.

    Backward, for t = T … 1, from ``dh`` of step t, where ``z_z``, ``z_r``, ``z_g`` are what the activations take:

    1. ``dz_z = dh ⊙ (h_{t−1} − g) ⊙ σ′(z_z)``, ``dz_g = dh ⊙ (1 − z) ⊙ φ′(z_g)``;
    2. ``dz_r = dz_g ⊙ (h_{t−1} U_g + b′_g) ⊙ σ′(z_r)``, and ``dz′ = (dz_z, dz_r, dz_g ⊙ r)`` is the gradient of
       ``h U + b′``; without ``reset_after``, ``dz_r = dz_g U_gᵀ ⊙ h_{t−1} ⊙ σ′(z_r)``;
    3. to step t−1 goes ``dh = dh ⊙ z + dz′ Uᵀ``, to which ``dy_{t−1}`` is added;
    4. over all steps ``dW = Σ x_tᵀ dz_t``, ``dU = Σ h_{t−1}ᵀ dz′_t``, ``db = Σ dz_t``, ``db′ = Σ dz′_t``,
       ``dx_t = dz_t Wᵀ``.

    Masked steps, initial states and the options are those of ``Recurrent``.

    Args:
        units: M, the size of ``h``.
        activation: φ, of the candidate.
        recurrent_activation: σ, of the two gates.
        reset_after: whether ``r`` comes after the product with ``U_g``, as in cuDNN and by default in Keras.
        options: those of ``Recurrent``: ``use_bias``, ``return_sequences``, ``return_state``, ``go_backwards``,
            ``zero_output_for_mask``, ``truncate``, ``kernel_initializer``, ``recurrent_initializer``,
            ``bias_initializer``, ``name``.

    Raises:
        InvalidValueError: ``units`` or ``truncate`` is not a positive integer, or an option is unknown.
    """

    equations = Equations(
        (
            r"z_t = \sigma(x_t W_z + b_z + h_{t-1} U_z + b'_z)",
            r"r_t = \sigma(x_t W_r + b_r + h_{t-1} U_r + b'_r)",
            r"g_t = \varphi(x_t W_g + b_g + r_t \odot (h_{t-1} U_g + b'_g))",
            r"h_t = z_t \odot h_{t-1} + (1 - z_t) \odot g_t",
        ),
        (
            r"dh_t = dy_t + z_{t+1} \odot dh_{t+1} + dz'_{t+1}\, U^\top",
            r"dz_{z,t} = dh_t \odot (h_{t-1} - g_t) \odot \sigma'(z_{z,t})",
            r"dz_{g,t} = dh_t \odot (1 - z_t) \odot \varphi'(z_{g,t})",
            r"dz_{r,t} = dz_{g,t} \odot (h_{t-1} U_g + b'_g) \odot \sigma'(z_{r,t})",
            r"dz'_t = (dz_{z,t},\; dz_{r,t},\; dz_{g,t} \odot r_t)",
            r"dW = \sum_t x_t^\top dz_t",
            r"dU = \sum_t h_{t-1}^\top dz'_t",
            r"db = \sum_t \sum_n dz_{t,n}",
            r"db' = \sum_t \sum_n dz'_{t,n}",
            r"dx_t = dz_t\, W^\top",
        ),
        {
            "x_t": r"\mathbb{R}^{N \times D}",
            "z_t, r_t, g_t, h_t": r"\mathbb{R}^{N \times M}",
            r"z_{z,t}, z_{r,t}, z_{g,t}": r"\mathbb{R}^{N \times M}",
            "W": r"\mathbb{R}^{D \times 3M}",
            "U": r"\mathbb{R}^{M \times 3M}",
            "b, b'": r"\mathbb{R}^{3M}",
        },
        "Cho et al. (2014), arXiv:1406.1078; reset after the product: arXiv:1406.1078v1",
    )
    gate_names = ("z", "r", "g")

    def __init__(
        self,
        units: int,
        activation: str | Activation | None = "tanh",
        recurrent_activation: str | Activation | None = "sigmoid",
        *,
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(units, activation, **options)
        self.recurrent_activation = get_activation(recurrent_activation, self.where)
        self.reset_after = reset_after

    def initial_bias(self, rng: np.random.Generator) -> np.ndarray:
        """``b (2, 3M)``; without ``reset_after`` ``(3M,)``."""
        shape = (2, 3 * self.units) if self.reset_after else (3 * self.units,)
        return initial_value(self.bias_initializer, shape, rng, self.dtype, self.where)

    @property
    def input_bias(self) -> np.ndarray:
        """The bias ``(3M,)`` that is added to ``x_t W``."""
        return self.params["b"][0] if self.reset_after else self.params["b"]

    @property
    def _U_zr(self) -> np.ndarray:
        return self.params["U"][:, : 2 * self.units]

    @property
    def _U_g(self) -> np.ndarray:
        return self.params["U"][:, 2 * self.units :]

    def step(self, xW: np.ndarray, h: np.ndarray) -> tuple[Sequence[np.ndarray], _Step]:
        """``h`` after the step; see the class for the equations."""
        sigma, phi = self.recurrent_activation.activate, self.activation.activate
        z_z, z_r, z_g = self.split(xW)
        if self.reset_after:
            hU = h @ self.params["U"]
            if self.use_bias:
                hU += self.params["b"][1]
            s_z, s_r, s = self.split(hU)
        else:
            s_z, s_r = self.split(h @ self._U_zr)
            s = None
        z_z += s_z
        z = sigma(z_z)
        z_r += s_r
        r = sigma(z_r)
        z_g += r * s if self.reset_after else (r * h) @ self._U_g
        g = phi(z_g)
        return (z * h + (1 - z) * g,), _Step(z_z, z_r, z_g, z, r, g, h, s)

    def step_back(self, step: _Step, dz: np.ndarray, dh: np.ndarray) -> Sequence[np.ndarray]:
        """``dh`` before the step: each line of `step`, from the last to the first, has its gradient here."""
        sigma_back, phi_back = self.recurrent_activation.gradient, self.activation.gradient
        z_z, z_r, z_g, z, r, g, h, s = step
        dz_z, dz_r, dz_g = self.split(dz)
        dz_g[...] = phi_back(z_g, g, dh * (1 - z))  # h = z ⊙ h_before + (1 − z) ⊙ g
        dz_z[...] = sigma_back(z_z, z, dh * (h - g))
        dh = dh * z
        if self.reset_after:  # z_g = x W_g + r ⊙ s
            dz_r[...] = sigma_back(z_r, r, dz_g * s)
            dh += self._dz_of_state(dz, r) @ self.params["U"].T
        else:  # z_g = x W_g + (r ⊙ h_before) U_g
            d_rh = dz_g @ self._U_g.T
            dz_r[...] = sigma_back(z_r, r, d_rh * h)
            dh += d_rh * r
            dh += dz[:, : 2 * self.units] @ self._U_zr.T
        return (dh,)

    def _dz_of_state(self, dz: np.ndarray, r: np.ndarray) -> np.ndarray:
        """The gradient ``dz′`` of ``h U + b′``: that of ``x W + b``, but what reaches the candidate went through r."""
        dz = dz.copy()
        dz[..., 2 * self.units :] *= r
        return dz

    def recurrent_gradients(self, run: Run, dz: np.ndarray) -> None:
        """``dU`` and, if ``reset_after``, both rows of ``db``."""
        h, nothing = run.states[0][:-1], np.zeros_like(run.states[0][0])
        r = np.stack([nothing if step is None else step.r for step in run.steps])
        if self.reset_after:
            dz_state = self._dz_of_state(dz, r)
            self.grads["U"] = rows(h).T @ rows(dz_state)
            if self.use_bias:
                self.grads["b"] = np.stack([self.grads["b"], rows(dz_state).sum(axis=0)])
        else:
            zr, g = slice(2 * self.units), slice(2 * self.units, None)
            dU_zr, dU_g = rows(h).T @ rows(dz[..., zr]), rows(r * h).T @ rows(dz[..., g])
            self.grads["U"] = np.concatenate([dU_zr, dU_g], axis=1)
