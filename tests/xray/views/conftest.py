"""A small trace made by hand, so that the views are tested alone: every number on screen is known here."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from toolkit.xray._records import Step, Tensor

N, D, M = 4, 6, 5


def space(axes: str) -> str:
    return rf"\mathbb{{R}}^{{{axes}}}"


@pytest.fixture
def trace():
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(N, D)).astype("float32"), rng.normal(size=(D, M)).astype("float32")
    image = rng.normal(size=(N, 12, 12, 3)).astype("float32")
    b, dz = np.zeros(M, "float32"), rng.normal(size=(N, M)).astype("float32")
    p = x @ W
    z = p + b
    tensor = {
        "image": Tensor("x", image, "input", ("N", "H", "W", "C")),
        "x": Tensor("x", x, "input", ("N", "D")),
        "W": Tensor("W", W, "parameter", ("D", "M")),
        "b": Tensor("b", b, "parameter", ("M",)),
        "p": Tensor("p", p, "intermediate", ("N", "M")),
        "z": Tensor("z", z, "output", ("N", "M")),
        "dz": Tensor("dz", dz, "upstream", ("N", "M")),
        "dW": Tensor("dW", x.T @ dz, "gradient", ("D", "M")),
        "L": Tensor("L", np.float32(1.234), "output"),
    }

    def named(*names):
        return {tensor[name].name: tensor[name] for name in names}

    spaces = {"x": space(r"N \times D"), "W": space(r"D \times M")}

    def substeps():
        return (
            Step("forward", "dense", "Dense", 0, "product", "p = xW", spaces, named("x", "W", "p"), True),
            Step("forward", "dense", "Dense", 0, "bias", "z = p + b", {}, named("p", "b", "z"), True),
        )

    steps = (
        Step("forward", "<conv>", "Conv2D", 0, "conv & co", "", {}, named("image"), False, "Nothing is derived here."),
        Step(
            "forward", "dense", "Dense", 0, "Dense", "z = xW + b", spaces, named("x", "W", "b", "z"), True, "", substeps
        ),
        Step("loss", "loss", "Loss", 0, "cross-entropy", r"L = -\frac{1}{N}\sum_n \log \hat y_n", {}, named("L")),
        Step("backward", "dense", "Dense", 0, "weights", r"dW = x^\top dz", {}, named("x", "dz", "dW"), True),
        Step("update", "dense", "Dense", 0, "SGD", r"W \leftarrow W - \alpha\, dW", {}, named("W", "dW"), True),
    )
    nodes = [
        {"id": "<conv>#0", "name": "<conv>", "kind": "Conv2D", "shape": "(4, 12, 12, 3)"},
        {"id": "dense#0", "name": "dense", "kind": "Dense", "shape": "(4, 5)"},
        {"id": "add#0", "name": "add", "kind": "Add", "shape": "(4, 5)"},
    ]
    return SimpleNamespace(
        name="toy <network>",
        summary="4 samples, loss 1.234",
        samples=N,
        sample_names=[f"sample {n}" for n in range(N)],
        steps=steps,
        network={"nodes": nodes, "edges": [("<conv>#0", "dense#0"), ("<conv>#0", "add#0"), ("dense#0", "add#0")]},
    )
