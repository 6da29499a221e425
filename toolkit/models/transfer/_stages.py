"""The stages of a network: the parts that are frozen, thawed and taught at their own pace."""

from __future__ import annotations

import re
from collections.abc import Iterator

import keras

from toolkit.errors import InvalidValueError, UnsupportedError

HEAD = "head"
_NAMED = re.compile(r"^(stem|stage[1-9]\d*)_")


def stages(model: keras.Model) -> dict[str, list[keras.Layer]]:
    """The layers with weights of ``model``, by stage, from the image to the answer.

    Where layers are named after their stage (``stem_…``, ``stage2_…``: ``resnet18`` and ``efficientnet_lite0``), the
    names count. Elsewhere a stage is what works at one resolution: ``stage1``, ``stage2``, … in the order in which the
    image gets smaller; for ResNet50 these are the paper's conv1 to conv5, for VGG16 its five blocks. A layer that
    stands before the halving belongs to the stage before. What follows the last feature map is the ``"head"``.

    Args:
        model: a built functional or Sequential model of images.

    Returns:
        Stage → its layers, each layer in one stage.

    Raises:
        UnsupportedError: the model is not built, is not a graph of layers, or has no feature maps (N, H, W, C) of a
            known size.
    """
    where = f"transfer.stages of {getattr(model, 'name', model)!r}"
    layers = list(graph_layers(model, where))
    maps = [k for k, layer in enumerate(layers) if _height(layer.output) is not None]
    if not maps:
        has_maps = any(len(getattr(layer.output, "shape", ())) == 4 for layer in layers)
        received, remedy = "one without", ""
        if has_maps:
            received, remedy = "one whose images have no fixed size", "Build it with keras.Input((H, W, C))."
        raise UnsupportedError(where, "a model with feature maps (N, H, W, C)", received, remedy)
    body, head = layers[: maps[-1] + 1], layers[maps[-1] + 1 :]
    named = any(layer.name.startswith("stage1_") for layer in body)
    found = _by_name(body) if named else _by_resolution(body)
    found[HEAD] = head
    weighted = {name: [layer for layer in members if layer.weights] for name, members in found.items()}
    return {name: members for name, members in weighted.items() if members or name == HEAD}


def freeze_until(model: keras.Model, stage: str, *, train_batch_norm: bool = True) -> keras.Model:
    """Freezes all stages before ``stage``; ``stage`` and those behind it learn.

    A frozen layer's weights stay. A frozen batch normalisation moreover works as in inference, with the mean and
    variance that it has: it neither uses those of the batch nor updates its own. (Else the features would change though
    no weight does.)

    Args:
        model: any model that ``stages`` understands.
        stage: the first one that learns: ``"head"`` freezes the whole backbone, the first stage freezes nothing.
        train_batch_norm: False keeps every batch normalisation frozen, those of learning stages too; for batches or
            data sets too small to estimate a variance from.

    Returns:
        The model. If it was compiled, it no longer is: what is frozen is decided when Keras compiles, and a change
        afterwards would be ignored. ``compile`` it, then ``fit``.

    Raises:
        InvalidValueError: the model has no such stage.
        UnsupportedError: as for ``stages``.
    """
    found = stages(model)
    names = list(found)
    require_stage(stage, names, f"transfer.freeze_until of {model.name!r}")
    model.trainable = True  # a frozen model would keep its layers frozen whatever they say
    for name, layers in found.items():
        learns = names.index(name) >= names.index(stage)
        for layer in layers:
            for part in layer._flatten_layers():  # the layer itself, and those that it may be made of
                is_norm = isinstance(part, keras.layers.BatchNormalization)
                part.trainable = learns and (train_batch_norm or not is_norm)
    model.compiled = False
    return model


def require_stage(stage: str, names: list[str], where: str) -> None:
    """Raises InvalidValueError unless ``stage`` is one of ``names``."""
    if stage not in names:
        raise InvalidValueError(where, f"a stage of the model: {', '.join(names)}", repr(stage))


def graph_layers(model: keras.Model, where: str) -> Iterator[keras.Layer]:
    """The layers of a model, in the order of computation, inner models taken apart."""
    is_graph = isinstance(model, keras.Sequential) or hasattr(model, "operations")
    if not (isinstance(model, keras.Model) and model.built and is_graph):
        kind = "a subclassed one" if not is_graph else "one that is not built"
        kind = kind if isinstance(model, keras.Model) else type(model).__name__
        remedy = "Build it from layers with keras.Model(inputs, outputs) or keras.Sequential."
        raise UnsupportedError(where, "a built functional or Sequential Keras model", kind, remedy)
    for operation in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if isinstance(operation, keras.Model):
            yield from graph_layers(operation, where)
        elif isinstance(operation, keras.Layer):
            yield operation


def _by_name(layers: list[keras.Layer]) -> dict[str, list[keras.Layer]]:
    found: dict[str, list[keras.Layer]] = {}
    stage = "stem"
    for layer in layers:
        match = _NAMED.match(layer.name)
        stage = match[1] if match else stage  # one without a stage's name goes with what is before it
        found.setdefault(stage, []).append(layer)
    return found


def _by_resolution(layers: list[keras.Layer]) -> dict[str, list[keras.Layer]]:
    """A new stage begins with the first *weights* that see a smaller map than all before."""
    found: dict[str, list[keras.Layer]] = {}
    smallest, stage = None, 0
    for layer in layers:
        height = _height(layer.output)
        if layer.weights and height is not None and height > 1 and (smallest is None or height <= smallest / 1.5):
            smallest, stage = height, stage + 1
        found.setdefault(f"stage{max(stage, 1)}", []).append(layer)
    return found


def _height(output: object) -> int | None:
    """H of one feature map (N, H, W, C); None if it is something else."""
    shape = getattr(output, "shape", ())
    return shape[1] if len(shape) == 4 and shape[1] is not None else None
