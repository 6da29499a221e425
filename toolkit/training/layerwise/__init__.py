"""Layered learning: a chain of stages y₁ = M₁(x), y₂ = M₂(y₁) …, each trained on its own, then joined.

Three forms for a Sequential Keras model, and one that no gradient connects:

- ``greedy``: block by block with temporary heads, on outputs of the frozen blocks that are computed once;
- ``stacked_autoencoders``: block by block without labels, then with them;
- ``StagedPipeline``: stages of different kinds and losses, trained, tested and replaced one by one;
- ``forward_forward``: each layer by a loss of its own, all at once.

``compare`` sets them beside end-to-end learning: same network, same seeds, same budget, with intervals.
"""

from toolkit.training.layerwise._autoencoders import stacked_autoencoders
from toolkit.training.layerwise._compare import compare
from toolkit.training.layerwise._comparison import Comparison
from toolkit.training.layerwise._forward_forward import ForwardForward, forward_forward
from toolkit.training.layerwise._greedy import greedy
from toolkit.training.layerwise._memory import Peak, count_memory
from toolkit.training.layerwise._pipeline import Stage, StagedPipeline
from toolkit.training.layerwise._record import LayerwiseHistory, StageRecord

__all__ = [
    "Comparison",
    "ForwardForward",
    "LayerwiseHistory",
    "Peak",
    "Stage",
    "StageRecord",
    "StagedPipeline",
    "compare",
    "count_memory",
    "forward_forward",
    "greedy",
    "stacked_autoencoders",
]
