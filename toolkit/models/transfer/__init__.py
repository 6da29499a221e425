"""Transfer learning: a network that was trained for one task is the start of another.

    from toolkit.models import transfer

    model = transfer.transfer_model("ResNet50", classes=5, weights="imagenet")   # frozen, raw RGB goes in
    record = transfer.fine_tune(model, x, y, unfreeze=("head", "stage5"))        # thaws it from the top

``resnet18`` is built here; ``transfer_model`` puts a new head on any network; ``stages``, ``freeze_until`` and
``stage_rates`` say which part of it learns, and how fast; ``fine_tune`` thaws one part after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from toolkit.models.transfer._backbones import backbone
    from toolkit.models.transfer._efficientnet_lite import efficientnet_lite0
    from toolkit.models.transfer._features import features
    from toolkit.models.transfer._fine_tune import fine_tune
    from toolkit.models.transfer._preprocessing import preprocess
    from toolkit.models.transfer._rates import StageRates, stage_rates
    from toolkit.models.transfer._record import FineTuning
    from toolkit.models.transfer._resnet import resnet18
    from toolkit.models.transfer._stages import freeze_until, stages
    from toolkit.models.transfer._transfer_model import transfer_model

__all__ = [
    "FineTuning",
    "StageRates",
    "backbone",
    "efficientnet_lite0",
    "features",
    "fine_tune",
    "freeze_until",
    "preprocess",
    "resnet18",
    "stage_rates",
    "stages",
    "transfer_model",
]

_HOMES = {
    "FineTuning": "_record",
    "StageRates": "_rates",
    "backbone": "_backbones",
    "efficientnet_lite0": "_efficientnet_lite",
    "features": "_features",
    "fine_tune": "_fine_tune",
    "freeze_until": "_stages",
    "preprocess": "_preprocessing",
    "resnet18": "_resnet",
    "stage_rates": "_rates",
    "stages": "_stages",
    "transfer_model": "_transfer_model",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
