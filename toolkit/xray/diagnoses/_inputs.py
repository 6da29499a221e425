"""What goes in: inputs that nobody scaled, embedding rows that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray.diagnoses._normalisation import normalised_after
from toolkit.xray.diagnoses._records import Diagnosis, Unjudged

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# Root mean square of the numbers that reach the first weights. Standardised data has 1, pixels in [0, 1] or [−1, 1]
# less; initialisations count on that. At 4, z has a standard deviation of about 4: sigmoids and softmax saturate.
LARGEST_RMS = 4.0
# Of the entries that are not 0 (pixels and word counts have many zeros); pixels divided by 255 twice are at 0.003.
SMALLEST_RMS = 0.01
# Columns of a table: the widest spread over the median one.
COLUMN_RATIO = 100.0
FEWEST_SAMPLES = 8
# Even of a large vocabulary the rarer half makes up 1 % of a text: 500 tokens without any have a chance of 1 in 150.
FEWEST_TOKENS = 500
# Enough tokens to have met most rows, rare words (Zipf's law) included.
TOKENS_PER_ROW = 10
UNUSED_SHARE = 0.5


def first_weighted(trace: Trace) -> list[LayerCall]:
    """The calls with weight matrices that no other weights come before: what they get has to be scaled.

    So a ``Rescaling``, a ``Normalization`` or a division in the model count as what they are.
    """
    seen = trace.capture
    weighted: dict[int, bool] = {}
    first, rescaled = [], normalised_after(trace)
    for number, (call, sources) in enumerate(zip(seen.calls, seen.sources)):
        if call.parts:
            continue
        before = any(weighted.get(source, False) for source in sources)
        weighted[number] = before or bool(call.weights)
        matrices = any(value.ndim > 1 for value in call.weights.values())
        if matrices and not before and call.path not in rescaled and call.kind != "Embedding" and call.inputs:
            first.append(call)
    return first


def unscaled(trace: Trace) -> Iterator[Diagnosis]:
    """Inputs far larger or smaller than about 1, or columns of a table on very different scales."""
    remedy = "Scale them: x / 255 for pixels, (x − mean) / std per column, or a keras.layers.Normalization."
    told: set[int] = set()
    for call in first_weighted(trace):
        for x in call.inputs:
            if id(x) in told or x.dtype.kind not in "fiu" or not x.size or not np.isfinite(x).all():
                continue
            told.add(id(x))
            values = x.astype("float64")
            rms = float(np.sqrt(np.square(values).mean()))
            nonzero = float(np.sqrt(np.square(values).sum() / max(np.count_nonzero(values), 1)))
            figures = {"rms": rms, "min": float(values.min()), "max": float(values.max())}
            seen = f"The inputs reach from {figures['min']:.4g} to {figures['max']:.4g}, root mean square {rms:.3g}"
            spread = values.std(axis=0) if values.ndim == 2 and len(values) >= FEWEST_SAMPLES else np.zeros(0)
            spread = spread[spread > 0]
            if not nonzero:
                look = "Look at x, and at what the layers before this one make of it."
                yield Diagnosis("inputs all zero", "fault", call.path, "All inputs are 0.", look, figures)
            elif rms > LARGEST_RMS:
                seen += f"; initialisation counts on about 1, and {LARGEST_RMS:g} is a lot."
                yield Diagnosis("inputs not scaled", "warning", call.path, seen, remedy, figures)
            elif nonzero < SMALLEST_RMS:
                seen += f"; without the zeros {nonzero:.2g}, where about 1 is meant."
                tiny = "Look at whether they were divided twice; otherwise (x − mean) / std per column."
                yield Diagnosis("inputs not scaled", "warning", call.path, seen, tiny, figures | {"nonzero": nonzero})
            elif spread.size > 1 and (ratio := float(spread.max() / np.median(spread))) > COLUMN_RATIO:
                seen = f"One column spreads {ratio:.3g} times as wide as the middle one; it alone decides what z is."
                yield Diagnosis("inputs not scaled", "warning", call.path, seen, remedy, {"ratio": ratio})


def unused_rows(trace: Trace) -> Iterator[Diagnosis | Unjudged]:
    """Embedding tables of which a batch that is large enough uses less than half.

    Numbered by frequency, as ``TextVectorization`` does it, words of the upper half come up in any 500 tokens; without
    an order it takes ten tokens for each row to tell.
    """
    calls: dict[str, list[LayerCall]] = {}
    for call in trace.calls:
        if call.kind == "Embedding":
            calls.setdefault(call.path, []).append(call)
    for path, group in calls.items():
        ids = np.concatenate([call.inputs[0].ravel() for call in group]).astype(np.int64)
        # Positions 0 … T − 1 are no words: a short batch has few of them.
        if all(_counts_up(call.inputs[0]) for call in group):
            continue
        rows = len(group[0].weights["embeddings"])
        used, highest = len(np.unique(ids)), int(ids.max())
        share = 1 - used / rows
        enough = ids.size >= TOKENS_PER_ROW * rows
        upper_half = ids.size >= FEWEST_TOKENS and highest < rows // 2
        if upper_half or (enough and share > UNUSED_SHARE):
            where = f"none above {highest}" if upper_half else f"{share:.0%} never"
            yield Diagnosis(
                "embedding rows never used",
                "warning",
                path,
                f"{ids.size:,} tokens use {used:,} of {rows:,} rows, {where}.",
                "Set input_dim to the size of the vocabulary, padding and unknown included; or look at the numbering.",
                {"used": used, "rows": rows, "tokens": ids.size, "highest": highest},
            )
        elif ids.size < FEWEST_TOKENS and not enough and share > UNUSED_SHARE:
            reason = f"{ids.size} tokens for {rows:,} rows; {min(FEWEST_TOKENS, TOKENS_PER_ROW * rows)} would tell"
            yield Unjudged(f"embedding rows never used, {path}", reason)


def _counts_up(ids: np.ndarray) -> bool:
    return ids.ndim > 0 and bool((ids == np.arange(ids.shape[-1])).all())
