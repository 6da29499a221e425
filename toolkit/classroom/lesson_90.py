"""The exercises of page 90, how to read an xray: which numbers are shown, how they are proved, what they tell."""

from __future__ import annotations

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(90)


# ---------------------------------------------------------------------- 90.1

# As many samples as rows as columns as channels: no wrong index leaves the array.
_IMAGES = _rng.standard_normal((4, 4, 4, 4))

_HEAT_MAP = Exercise(
    id="90.1",
    title="The heat map of one sample and channel",
    reference=lambda a, sample, channel: a[sample, :, :, channel],
    cases=((_IMAGES, 1, 3), (_IMAGES, 2, 0), (_rng.standard_normal((3, 5, 5, 4)), 0, 2)),
    misconceptions=(
        Misconception(
            "channel first",
            lambda a, sample, channel: a[sample, channel],
            "a[sample, channel] picks a *row* of the image. In Keras the channels are the last axis: (N, H, W, C).",
        ),
        Misconception(
            "sample and channel exchanged",
            lambda a, sample, channel: a[channel, :, :, sample],
            "The two indices have changed places: the batch is the first axis, the channels are the last.",
        ),
        Misconception(
            "transposed",
            lambda a, sample, channel: a[sample, :, :, channel].T,
            "The right numbers, but rows and columns have changed places: the height H counts the rows.",
        ),
        Misconception(
            "all channels added",
            lambda a, sample, channel: a[sample].sum(axis=-1),
            "You add all channels up. Only the chosen one is shown.",
        ),
        Misconception(
            "mean of the batch",
            lambda a, sample, channel: a[..., channel].mean(axis=0),
            "You average over the samples. Only the chosen one is shown.",
        ),
    ),
)


# ---------------------------------------------------------------------- 90.2


def _relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


_THEIRS = _rng.standard_normal((3, 4)) * 5

_RELATIVE_ERROR = Exercise(
    id="90.2",
    title="The relative error",
    reference=_relative_error,
    cases=(
        (_THEIRS + 0.1 * _rng.standard_normal((3, 4)), _THEIRS),
        (np.array([-2.0, 0.5, 0.1]), np.array([-4.0, 0.5, 0.2])),
    ),
    misconceptions=(
        Misconception(
            "absolute",
            lambda ours, theirs: np.abs(ours - theirs).max(),
            "This is the largest difference itself. Is 0.1 much? It depends on how large the numbers are.",
        ),
        Misconception(
            "each by its own number",
            lambda ours, theirs: (np.abs(ours - theirs) / np.abs(theirs)).max(),
            "You divide each difference by its own number. Where a number is nearly 0, rounding alone then looks like "
            "a large error; divide by the largest number of the reference.",
        ),
        Misconception(
            "mean instead of the largest",
            lambda ours, theirs: np.abs(ours - theirs).mean() / np.abs(theirs).max(),
            "A mean hides a single wrong number among many right ones. Take the largest difference.",
        ),
        Misconception(
            "signs cancel",
            lambda ours, theirs: (ours - theirs).max() / np.abs(theirs).max(),
            "Where ours is too small the difference is negative, and your maximum overlooks it. Take its size.",
        ),
        Misconception(
            "the largest, not the largest size",
            lambda ours, theirs: np.abs(ours - theirs).max() / theirs.max(),
            "The largest number of the reference may be a negative one. Take sizes before the maximum.",
        ),
        Misconception(
            "by norms",
            lambda ours, theirs: np.linalg.norm(ours - theirs) / np.linalg.norm(theirs),
            "A relative error, too, of the norms. Asked for: largest difference over largest number.",
        ),
    ),
)


# ---------------------------------------------------------------------- 90.3


def _relu(*shape: int, dead: tuple[int, ...]) -> np.ndarray:
    a = np.maximum(_rng.standard_normal(shape), 0)
    a[:, list(dead)] = 0
    return a


_DEAD_UNITS = Exercise(
    id="90.3",
    title="Find the bug: how many units are dead?",
    reference=lambda a: int((a == 0).all(axis=0).sum()),
    cases=(
        (np.array([[0.0, 1.2, 0.0], [0.7, 0.0, 0.0]]),),
        (_relu(6, 6, dead=(1, 4)),),
        # Sample 2 has nothing but zeros: that makes no unit dead.
        (np.array([[0.0, 2.0, 0.3, 0.0], [1.0, 0.0, 0.2, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),),
        (_relu(3, 9, dead=()) + 0.5,),
    ),
    misconceptions=(
        Misconception(
            "still the share of zeros",
            lambda a: round(np.mean(a == 0) * a.shape[1]),
            "A zero is one silent unit for one sample. A unit that is silent for half of the samples is healthy: it "
            "chooses. Ask of each *column* whether all of it is 0.",
        ),
        Misconception(
            "silent once",
            lambda a: int((a == 0).any(axis=0).sum()),
            "You count units that are 0 for *some* sample. Dead is who is 0 for every one.",
        ),
        Misconception(
            "samples instead of units",
            lambda a: int((a == 0).all(axis=1).sum()),
            "You went along the rows: these are samples for which no unit fires. Units are columns.",
        ),
        Misconception(
            "the living",
            lambda a: int((a != 0).any(axis=0).sum()),
            "These are the units that fire at least once. Asked for are the others.",
        ),
        Misconception(
            "zeros counted",
            lambda a: int((a == 0).sum()),
            "You count all zeros of the table. A unit has one number for each sample.",
        ),
        Misconception(
            "a share",
            lambda a: float((a == 0).all(axis=0).mean()),
            "Right as a share of all units. Asked for is how many.",
        ),
    ),
)

EXERCISES = [_HEAT_MAP, _RELATIVE_ERROR, _DEAD_UNITS]
