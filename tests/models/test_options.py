from __future__ import annotations

import numpy as np
import pytest

from toolkit import models
from toolkit.models import transfer

BUILDERS = {
    "mlp": lambda n: models.mlp(n(3), (n(4),), n(2)),
    "image_classifier": lambda n: models.image_classifier((n(8), n(8), n(1)), n(2), filters=(n(3),), hidden=(n(4),)),
    "text_classifier": lambda n: models.text_classifier(n(9), n(2), embedding_dim=n(3), hidden=(n(4),)),
    "sequence_classifier": lambda n: models.sequence_classifier((n(5), n(3)), n(2), units=(n(4),)),
    "attention_classifier": lambda n: models.attention_classifier(n(9), n(2), embedding_dim=n(3), units=n(4)),
    "encoder_decoder": lambda n: models.encoder_decoder(n(9), embedding_dim=n(3), units=n(4), copied_words=n(2)),
    "resnet18": lambda n: transfer.resnet18((n(8), n(8), n(3)), n(2), width=n(2)),
    "transfer_model": lambda n: transfer.transfer_model(
        models.image_classifier((8, 8, 1), 2, filters=(3,)), n(3), image_size=(n(16), n(16))
    ),
}


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_sizes_may_be_numpy_integers(build):
    """Such as the number of classes as ``y.max() + 1``; Keras takes Python's integers only."""
    shapes = [[w.shape for w in build(integer).weights] for integer in (int, np.int64)]
    assert shapes[0] == shapes[1]
