"""The exercises of lesson 90: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

import numpy as np

RIGHT = [
    ("90.1", lambda a, sample, channel: a[sample][..., channel]),
    ("90.1", lambda a, sample, channel: np.take(a, channel, axis=-1)[sample]),
    ("90.2", lambda ours, theirs: np.max(np.abs(theirs - ours)) / np.max(np.abs(theirs))),
    ("90.2", lambda ours, theirs: abs(ours / abs(theirs).max() - theirs / abs(theirs).max()).max()),
    ("90.3", lambda a: np.sum(a.max(axis=0) == 0)),
    ("90.3", lambda a: sum(not column.any() for column in a.T)),
]

WRONG = [
    ("90.1", lambda a, sample, channel: a[sample][channel], "channel first"),
    ("90.1", lambda a, sample, channel: a[channel][..., sample], "sample and channel exchanged"),
    ("90.1", lambda a, sample, channel: np.swapaxes(a, 1, 2)[sample, :, :, channel], "transposed"),
    ("90.1", lambda a, sample, channel: sum(np.moveaxis(a[sample], -1, 0)), "all channels added"),
    ("90.1", lambda a, sample, channel: a.mean(axis=0)[:, :, channel], "mean of the batch"),
    ("90.1", lambda a, sample, channel: a[:, :, sample, channel], None),
    ("90.2", lambda ours, theirs: abs(theirs - ours).max(), "absolute"),
    ("90.2", lambda ours, theirs: abs(ours / theirs - 1).max(), "each by its own number"),
    ("90.2", lambda ours, theirs: np.mean(abs(ours - theirs)) / abs(theirs).max(), "mean instead of the largest"),
    ("90.2", lambda ours, theirs: np.max(ours - theirs) / np.max(abs(theirs)), "signs cancel"),
    ("90.2", lambda ours, theirs: np.max(abs(ours - theirs)) / np.max(theirs), "the largest, not the largest size"),
    ("90.2", lambda ours, theirs: np.sqrt(((ours - theirs) ** 2).sum() / (theirs**2).sum()), "by norms"),
    ("90.3", lambda a: round((a == 0).sum() / len(a)), "still the share of zeros"),
    ("90.3", lambda a: np.sum(a.min(axis=0) == 0), "silent once"),
    ("90.3", lambda a: sum(not row.any() for row in a), "samples instead of units"),
    ("90.3", lambda a: np.count_nonzero(a.max(axis=0)), "the living"),
    ("90.3", lambda a: a.size - np.count_nonzero(a), "zeros counted"),
    ("90.3", lambda a: np.mean(a.max(axis=0) == 0), "a share"),
]
