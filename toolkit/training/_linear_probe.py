"""How much a linear classifier can read out of features that stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from toolkit.argument_checks import is_integer, is_number
from toolkit.errors import InvalidValueError, ShapeError

if TYPE_CHECKING:
    import pandas

_WHERE = "training.linear_probe"


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """Test accuracy of a linear classifier for K numbers of labels and S draws of the labelled samples.

    Attributes:
        per_class: the labels of each class that were used, None for all of them; K entries.
        labels: how many labels that were in all, ``(K,)``.
        accuracy: on the test samples, from 0 to 1, ``(K, S)``.
        seeds: of the draws; S entries.
    """

    per_class: tuple[int | None, ...]
    labels: np.ndarray
    accuracy: np.ndarray
    seeds: tuple[int, ...]

    @property
    def mean(self) -> np.ndarray:
        """Mean accuracy over the draws, ``(K,)``."""
        return self.accuracy.mean(axis=1)

    @property
    def half_width(self) -> np.ndarray:
        """Half of the 95 % interval of that mean, ``(K,)``; NaN with a single draw, which tells nothing about others.

        ``t·s/√S`` with Student's t for S − 1 degrees of freedom and s the standard deviation over the draws. All labels
        are a single draw, whatever the seed.
        """
        return self._half_width(self.accuracy)

    def _half_width(self, values: np.ndarray) -> np.ndarray:
        """Of the mean of ``values (K, S)``."""
        one_draw = np.array([n is None for n in self.per_class]) & (np.ptp(values, axis=1) == 0)
        return np.where(one_draw, np.nan, interval_half_width(values))

    def difference(self, baseline: ProbeResult) -> tuple[np.ndarray, np.ndarray]:
        """Mean accuracy minus that of ``baseline``, and half of the 95 % interval of that difference, both ``(K,)``.

        Paired by draw: both had the same labelled samples, so what a lucky draw does to both cancels. Where 0 lies
        inside of the interval no difference is shown, which is not the same as "equal". The interval is that of the
        draws; what another training of the features would give is not in it.

        Args:
            baseline: what other features of the same samples gave, with the same labels, ``per_class`` and ``seeds``.

        Raises:
            InvalidValueError: ``baseline`` has another ``per_class``, other seeds, or other numbers of labels.
        """
        mine, other = ((r.per_class, r.seeds, r.labels.tolist()) for r in (self, baseline))
        if mine != other:
            names = "per_class", "seeds", "labels"
            name, expected, received = next(row for row in zip(names, mine, other) if row[1] != row[2])
            raise InvalidValueError("ProbeResult.difference", f"a baseline with {name} {expected}", f"{received}")
        paired = self.accuracy - baseline.accuracy
        return paired.mean(axis=1), self._half_width(paired)

    def frame(self) -> pandas.DataFrame:
        """One row for each number of labels: ``labels``, ``accuracy`` and ``±``, half of its 95 % interval."""
        import pandas as pd

        columns = {"labels": self.labels, "accuracy": self.mean, "±": self.half_width}
        return pd.DataFrame(columns, index=pd.Index([_named(n) for n in self.per_class], name="per class"))

    def __repr__(self) -> str:
        rows = (
            f"{n} labels {m:.1%}" + ("" if np.isnan(w) else f" ± {w:.1%}")
            for n, m, w in zip(self.labels, self.mean, self.half_width)
        )
        return f"<ProbeResult: {'; '.join(rows)}>"


def interval_half_width(values: ArrayLike, confidence: float = 0.95) -> np.ndarray:
    """Half of the interval of a mean over S runs, ``values (…, S)`` → ``(…)``: ``t·s/√S``; NaN where S is 1."""
    from scipy.stats import t

    values = np.asarray(values, dtype=float)
    runs = values.shape[-1]
    if runs < 2:
        return np.full(values.shape[:-1], np.nan)
    return t.ppf((1 + confidence) / 2, runs - 1) * values.std(axis=-1, ddof=1) / np.sqrt(runs)


def linear_probe(
    features: ArrayLike,
    labels: ArrayLike,
    test_features: ArrayLike,
    test_labels: ArrayLike,
    *,
    per_class: int | Sequence[int | None] | None = None,
    seeds: int | Sequence[int] = 1,
    C: float = 1.0,
) -> ProbeResult:
    r"""Trains logistic regression on frozen features and measures it on others (Alain and Bengio, 2016).

    What a representation is worth is measured by the simplest classifier on top of it: :math:`p(y|h) =
    \operatorname{softmax}(W\tilde h + b)` for features :math:`h \in \mathbb{R}^D`, standardised to
    :math:`\tilde h = (h - \mu)/\sigma`. Mean and deviation are those of all training features, since that takes no
    labels; :math:`W, b` are learned from the labelled samples alone, with scikit-learn's ``LogisticRegression``.

    Args:
        features: of the training samples, ``(N, D)`` or ``(N, …)``, which is flattened.
        labels: their classes, ``(N,)``.
        test_features: of samples that the features were not learned from, ``(M, …)``.
        test_labels: their classes, ``(M,)``.
        per_class: how many samples of each class may be used with their label; None for all; or several such
            numbers. A larger draw contains the smaller ones of its seed.
        seeds: how many times the labelled samples are drawn (seeds 0, 1, …), or the seeds themselves.
        C: inverse strength of the L2 penalty on W.

    Returns:
        The accuracies, with ``.mean``, ``.half_width`` (95 %), ``.difference(baseline)`` and ``.frame()``.

    Raises:
        ShapeError: features and labels do not fit each other.
        InvalidValueError: a feature is not finite, there are fewer than two classes, a class has fewer samples than
            ``per_class``, or an option is out of range.
    """
    h, y = _checked("features", features, "labels", labels)
    h_test, y_test = _checked("test_features", test_features, "test_labels", test_labels)
    if h.shape[1] != h_test.shape[1]:
        raise ShapeError(_WHERE, f"test_features (M, {h.shape[1]}), as features", f"{h_test.shape}")
    counts = tuple(per_class) if isinstance(per_class, Sequence) else (per_class,)
    _check_counts(counts, y)
    draws = different_seeds(seeds)
    if draws is None:
        expected = "seeds as a positive integer, or a list of different integers from 0"
        raise InvalidValueError(_WHERE, expected, repr(seeds))
    if not is_number(C) or not C > 0:
        raise InvalidValueError(_WHERE, "C above 0", repr(C))

    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(h)
    h, h_test = scaler.transform(h), scaler.transform(h_test)
    accuracy, used = np.empty((len(counts), len(draws))), np.empty(len(counts), dtype=int)
    for k, count in enumerate(counts):
        for s, seed in enumerate(draws):
            if count is None and s:
                accuracy[k, s] = accuracy[k, 0]  # all labels are all labels, whatever the seed
                continue
            chosen = draw_labelled(y, count, seed)
            used[k] = len(chosen)
            probe = LogisticRegression(C=C, max_iter=2000).fit(h[chosen], y[chosen])
            accuracy[k, s] = probe.score(h_test, y_test)
    return ProbeResult(counts, used, accuracy, draws)


def draw_labelled(y: np.ndarray, count: int | None, seed: int | Sequence[int]) -> np.ndarray:
    """The positions of the labelled samples: the first ``count`` of each class in an order that the seed fixes."""
    if count is None:
        return np.arange(len(y))
    order = np.random.default_rng(seed).permutation(len(y))
    return np.concatenate([order[y[order] == label][:count] for label in np.unique(y)])


def _checked(name: str, features: ArrayLike, labels_name: str, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    h, y = np.asarray(features), np.asarray(labels)
    if h.ndim < 2 or h.size == 0:
        raise ShapeError(_WHERE, f"{name} of shape (N, D), not empty", f"shape {h.shape}")
    if y.shape != (len(h),):
        remedy = "One-hot rows become class numbers by argmax(axis=1)." if y.ndim == 2 else ""
        raise ShapeError(
            _WHERE, f"{labels_name} of shape ({len(h)},), one for each row of {name}", f"{y.shape}", remedy
        )
    h = h.reshape(len(h), -1)
    if h.dtype.kind not in "fiub" or not np.isfinite(h).all():
        raise InvalidValueError(_WHERE, f"{name} that are finite numbers", "NaN, infinity or something else")
    return h.astype("float64"), y


def _check_counts(counts: tuple[int | None, ...], y: np.ndarray) -> None:
    classes, sizes = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise InvalidValueError(_WHERE, "labels of two classes or more", f"{len(classes)} class")
    if not counts:
        raise InvalidValueError(_WHERE, "at least one number of labels in per_class", "none")
    for count in counts:
        if count is None:
            continue
        if not is_integer(count) or count < 1:
            raise InvalidValueError(_WHERE, "per_class as positive integers, or None for all labels", repr(count))
        if count > sizes.min():
            received = f"{count}, and class {classes[sizes.argmin()]} has {sizes.min()} samples"
            raise InvalidValueError(_WHERE, "per_class up to the size of the smallest class", received)


def different_seeds(seeds: int | Sequence[int]) -> tuple[int, ...] | None:
    """0, 1, … or those given; None if there is none, one is no integer from 0, or one stands there twice."""
    draws = range(seeds) if is_integer(seeds) else seeds
    listed = isinstance(draws, Sequence) and len(draws) > 0
    if not listed or not all(is_integer(seed) and seed >= 0 for seed in draws) or len(set(draws)) < len(draws):
        return None
    return tuple(draws)


def _named(count: int | None) -> str:
    return "all" if count is None else str(count)
