"""The xray widget in JupyterLab: step, scrub, open a layer, change the sample; the numbers are the trace's."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

CODE = """
import numpy as np
from toolkit import models, xray

model = models.mlp(6, (5,), 3, seed=0)
x = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
t = xray.trace(model, x, np.array([0, 1, 2, 0]), loss="sparse_categorical_crossentropy", optimizer="sgd")
"""


@pytest.fixture
def notebook(tmp_path) -> Path:
    page = nbformat.v4.new_notebook()
    page.cells = [nbformat.v4.new_code_cell(CODE), nbformat.v4.new_code_cell("t.widget()")]
    page.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "notebooks" / "xray.ipynb"
    path.parent.mkdir()
    nbformat.write(page, path)
    return path


@pytest.fixture
def trace():
    names: dict = {}
    exec(CODE, names)
    return names["t"]


def test_step_scrub_open_and_change_the_sample(open_in_jupyterlab, notebook, run_all, stepper, trace):
    page = open_in_jupyterlab(notebook)
    run_all(page)
    xray = stepper(page)
    widget = xray.widget
    expect(widget.locator(".count")).to_have_text(f"1 / {len(trace.steps)}")

    xray.step()
    xray.shows_step(1)
    step = trace.steps[1]
    expect(widget.locator(".layer")).to_have_text(step.layer)
    for sample in (0, 3):
        xray.choose_sample(sample)
        for name, tensor in step.tensors.items():
            shown = tensor.value if tensor.role == "parameter" else tensor.value[sample]
            expect(widget.locator(f'figure[data-name="{name}"]')).to_be_visible()
            xray.shows_number(name, float(shown.ravel()[0]))
            np.testing.assert_allclose(xray.numbers(name), shown.ravel(), rtol=6e-4)

    backward = next(k for k, step in enumerate(trace.steps) if step.phase == "backward")
    xray.scrub(backward)
    expect(widget.locator(".phase")).to_have_text("backward")
    np.testing.assert_allclose(xray.numbers("dW"), trace.steps[backward].tensors["dW"].value.ravel(), rtol=6e-4)

    widget.locator(".open").check()
    opened = len(trace.steps) + sum(len(step.substeps) for step in trace.steps)
    expect(widget.locator(".count")).to_contain_text(f"/ {opened}")
    xray.step()
    expect(widget.locator(".title")).to_have_text(trace.steps[backward].substeps[0].title)
