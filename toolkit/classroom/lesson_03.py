"""The exercises of lesson 03: losses, optimisers, initialisation.

The wrong rules here all run without complaint, and most of them still learn something; that is why they are common.
"""

from __future__ import annotations

import math

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(3)


def _normal(*shape: int) -> np.ndarray:
    return _rng.standard_normal(shape)


# ---------------------------------------------------------------------- 03.1

_Pair = tuple[np.ndarray, np.ndarray]


def _momentum(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v - alpha * g
    return w + v, v


def _climbing(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v + alpha * g
    return w + v, v


def _velocity_up(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v + alpha * g
    return w - v, v


def _velocity_subtracted(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v - alpha * g
    return w - v, v


def _rate_outside(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v + g
    return w - alpha * v, v


def _averaged(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v - (1 - mu) * alpha * g
    return w + v, v


def _nesterov(w: np.ndarray, g: np.ndarray, v: np.ndarray, alpha: float, mu: float) -> _Pair:
    v = mu * v - alpha * g
    return w + mu * v - alpha * g, v


_MOMENTUM = Exercise(
    id="03.1",
    title="One step of momentum",
    reference=_momentum,
    cases=(
        (np.array([1.0]), np.array([2.0]), np.array([0.0]), 0.1, 0.9),
        (np.array([0.8]), np.array([1.6]), np.array([-0.2]), 0.1, 0.9),
        (_normal(3, 2), _normal(3, 2), _normal(3, 2), 0.05, 0.7),
    ),
    misconceptions=(
        Misconception(
            "velocity uphill",
            _climbing,
            "This walks uphill. Start at rest on a slope with g > 0: in which direction must the velocity point, and "
            "what does your w do?",
        ),
        Misconception(
            "velocity with the sign turned",
            _velocity_up,
            "Your w is right. Your v points against the motion: in this course v is the step itself, so w grows by v.",
        ),
        Misconception(
            "velocity subtracted",
            _velocity_subtracted,
            "The velocity already points downhill: the minus sign is inside it. A second one turns the walk round.",
        ),
        Misconception(
            "learning rate outside the velocity",
            _rate_outside,
            "Some libraries write momentum in this way, with v as a sum of gradients. Keras and this course multiply "
            "by α before the gradient goes into v. The two part as soon as α changes during training.",
        ),
        Misconception(
            "velocity as an average",
            _averaged,
            "The factor 1 − μ makes an average of the gradients, as in Adam. Momentum adds them up: pushed again and "
            "again in the same direction it gets up to 1/(1 − μ) times as fast.",
        ),
        Misconception(
            "Nesterov's step",
            _nesterov,
            "This is Nesterov's rule, which takes one more step of momentum ahead. Plain momentum moves by v and "
            "no more.",
        ),
        Misconception(
            "old velocity in the step",
            lambda w, g, v, alpha, mu: (w + v, mu * v - alpha * g),
            "Your v is right, but w moves by the velocity of the step before. What would the very first step do then?",
        ),
        Misconception(
            "no memory",
            lambda w, g, v, alpha, mu: (w - alpha * g, -alpha * g),
            "That is plain gradient descent: nothing is left of the old velocity. Where does friction, μ, come in?",
        ),
        Misconception(
            "gradient squared",
            lambda w, g, v, alpha, mu: (w + mu * v - alpha * g**2, mu * v - alpha * g**2),
            "A square has no sign, so the step forgets in which direction downhill lies.",
        ),
    ),
)

# ---------------------------------------------------------------------- 03.2

_Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


def _adam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    t: int,
    alpha: float,
    *,
    mean_corrected: bool = True,
    square_corrected: bool = True,
    root: bool = True,
    betas: tuple[float, float] = (0.9, 0.999),
    sign: int = -1,
) -> _Triple:
    """Adam as Keras has it; each option switched off makes one of the usual mistakes."""
    beta_1, beta_2 = betas
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    alpha_t = alpha
    if mean_corrected:
        alpha_t = alpha_t / (1 - beta_1**t)
    if square_corrected:
        alpha_t = alpha_t * (math.sqrt(1 - beta_2**t) if root else 1 - beta_2**t)
    size = np.sqrt(v) if root else v
    return w + sign * alpha_t * m / (size + 1e-7), m, v


def _adam_unaveraged(w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, alpha: float) -> _Triple:
    m, v = 0.9 * m + g, 0.999 * v + g**2
    return w - alpha * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7), m, v


def _adam_not_squared(w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, alpha: float) -> _Triple:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * np.abs(g)
    return w - alpha * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7), m, v


def _adam_corrected_kept(w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, alpha: float) -> _Triple:
    w, m, v = _adam(w, g, m, v, t, alpha)
    return w, m / (1 - 0.9**t), v / (1 - 0.999**t)


def _adam_gradient_for_m(w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, alpha: float) -> _Triple:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return w - alpha * math.sqrt(1 - 0.999**t) * g / (np.sqrt(v) + 1e-7), m, v


_ADAM = Exercise(
    id="03.2",
    title="One step of Adam",
    reference=_adam,
    cases=(
        (np.array([1.0]), np.array([2.0]), np.array([0.0]), np.array([0.0]), 1, 0.1),
        (np.array([0.9]), np.array([1.8]), np.array([0.2]), np.array([0.004]), 2, 0.1),
        (_normal(2, 3), 2 + _normal(2, 3) ** 2, _normal(2, 3), 1 + _normal(2, 3) ** 2, 7, 0.05),
    ),
    misconceptions=(
        Misconception(
            "no bias correction",
            lambda *step: _adam(*step, mean_corrected=False, square_corrected=False),
            "m and v are right, but both started at 0 and are still too small. Do the first step by hand: how long is "
            "it, and how long should it be? There is a factor that depends on t.",
        ),
        Misconception(
            "only m corrected",
            lambda *step: _adam(*step, square_corrected=False),
            "You make good that m started at 0. So did v, and it forgets more slowly still.",
        ),
        Misconception(
            "only v corrected",
            lambda *step: _adam(*step, mean_corrected=False),
            "You make good that v started at 0. So did m.",
        ),
        Misconception(
            "root missing",
            lambda *step: _adam(*step, root=False),
            "v holds squares. Measure g in metres: m is then in metres, v in square metres. In what is your step, and "
            "which function of v would bring metres below the line?",
        ),
        Misconception(
            "betas swapped",
            lambda *step: _adam(*step, betas=(0.999, 0.9)),
            "β₁ belongs to the mean of g, β₂ to the mean of g². Which of the two shall remember longer?",
        ),
        Misconception(
            "uphill",
            lambda *step: _adam(*step, sign=1),
            "m and v are right, but the step leads uphill: m points where the loss grows.",
        ),
        Misconception(
            "sums instead of averages",
            _adam_unaveraged,
            "m and v add gradients up instead of averaging them. In an average the weights of old and new add up to 1.",
        ),
        Misconception(
            "v not of squares",
            _adam_not_squared,
            "v is the mean of something other than |g|: look at its rule again, and at what the root is there to undo.",
        ),
        Misconception(
            "corrected averages returned",
            _adam_corrected_kept,
            "Your w is right. But the averages that go into the next step are the uncorrected ones: otherwise they are "
            "corrected again and again.",
        ),
        Misconception(
            "gradient instead of m",
            _adam_gradient_for_m,
            "m is computed and then not used: the step goes along g, which makes it RMSprop.",
        ),
    ),
    # The paper's form, with ε beside the corrected root, differs by at most ε / (√0.001·|g|).
    rtol=1e-4,
)

# ---------------------------------------------------------------------- 03.3

_HE = Exercise(
    id="03.3",
    title="He's standard deviation",
    reference=lambda shape: math.sqrt(2 / shape[0]),
    cases=(((256, 64),), ((64, 256),), ((784, 128),)),
    misconceptions=(
        Misconception(
            "fan-out",
            lambda shape: math.sqrt(2 / shape[1]),
            "You divide by the number of outputs. How many products does one unit add up in the forward pass?",
        ),
        Misconception(
            "variance",
            lambda shape: 2 / shape[0],
            "That is the variance, σ². The question is for the standard deviation.",
        ),
        Misconception(
            "Xavier's",
            lambda shape: math.sqrt(2 / (shape[0] + shape[1])),
            "That is Xavier's compromise between forward and backward. He looks at one direction only, and makes up "
            "for the half that ReLU cuts off.",
        ),
        Misconception(
            "ReLU's half forgotten",
            lambda shape: math.sqrt(1 / shape[0]),
            "That keeps the size of z where nothing is cut off. ReLU loses half of E[z²] in each layer.",
        ),
        Misconception(
            "half on the wrong side",
            lambda shape: math.sqrt(1 / (2 * shape[0])),
            "You halve once more what ReLU has halved already. Should the weights be larger or smaller to make up "
            "for it?",
        ),
        Misconception(
            "limit of the uniform distribution",
            lambda shape: math.sqrt(6 / shape[0]),
            "That is where He's uniform distribution ends. A uniform distribution on [−ℓ, ℓ] has the variance ℓ²/3.",
        ),
        Misconception(
            "number of weights",
            lambda shape: math.sqrt(2 / (shape[0] * shape[1])),
            "You divide by the number of all weights. One unit's z adds up only those of its own column.",
        ),
    ),
)

# ---------------------------------------------------------------------- 03.4


def _fit_slope(x: np.ndarray, y: np.ndarray, alpha: float, steps: int, step: object = lambda g: g) -> float:
    """Gradient descent on the mean squared error of ŷ = wx; ``step`` turns the gradient into what is subtracted."""
    w = 0.0
    for _ in range(steps):
        w = w - alpha * step(2 * np.mean((w * x - y) * x))
    return w


def _fit_slope_with_first_gradient(x: np.ndarray, y: np.ndarray, alpha: float, steps: int) -> float:
    return steps * alpha * 2 * np.mean(y * x)


_X = np.array([-1.0, 0.0, 1.0])

_SCATTERED = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.5, 2.5])

_BUG = Exercise(
    id="03.4",
    title="Find the bug in the update",
    reference=_fit_slope,
    # Few steps and a small α: answers that merely end in the same place differ on the way, and nothing overflows.
    cases=(
        (_X, 2 * _X, 0.1, 4),
        (_X, -2 * _X, 0.1, 4),
        (*_SCATTERED, 0.05, 3),
    ),
    misconceptions=(
        Misconception(
            "gradient squared",
            lambda *case: _fit_slope(*case, step=lambda g: g**2),
            "Still the broken one. Print w and g in each step, for slope 2: which sign has what is subtracted, and "
            "which sign has g?",
        ),
        Misconception(
            "absolute value",
            lambda *case: _fit_slope(*case, step=abs),
            "The size of the step is right now. Its direction is not: whatever g is, w goes down.",
        ),
        Misconception(
            "sign turned",
            lambda *case: _fit_slope(*case, step=lambda g: -g),
            "The step has a sign again, but the wrong one: the gradient points to where the error grows.",
        ),
        Misconception(
            "only the sign",
            lambda *case: _fit_slope(*case, step=np.sign),
            "All steps have the same length now, so it can never settle. Let the step become small where "
            "the slope does.",
        ),
        Misconception(
            "squared with its sign",
            lambda *case: _fit_slope(*case, step=lambda g: np.sign(g) * g**2),
            "The direction is right, the length still comes from the square: far away it leaps, close by it creeps.",
        ),
        Misconception(
            "gradient taken once",
            _fit_slope_with_first_gradient,
            "Every step uses the gradient of the starting point. It changes with w: where must it be computed?",
        ),
    ),
)

EXERCISES = [_MOMENTUM, _ADAM, _HE, _BUG]
