"""The comparison: same start for all, budgets, intervals by hand, runs that are kept, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import CallOrderError, DataError, InvalidValueError, ShapeError
from toolkit.training import layerwise
from toolkit.training.layerwise._compare import _Condition, _Settings, _task
from toolkit.training.layerwise._methods import METHODS


@pytest.fixture
def data(x, y):
    return (x[:36], y[:36]), (x[36:], y[36:])


def test_all_methods(build, data):
    found = layerwise.compare(lambda seed: build(seed, depth=2), data, seeds=1, epochs=2, batch_size=16)
    table = found.table()
    assert list(table.index) == list(METHODS)
    # An epoch has 3 steps, so every weight is changed 6 times: in 2 epochs, or in 1 and 1.
    assert table["gradient steps"].to_dict() == {
        "end-to-end": 6,
        "greedy": 12,
        "greedy + fine-tuning": 9,
        "stacked autoencoders": 12,
        "forward-forward": 6,
    }
    assert table["parameters at once"]["greedy"] < table["parameters at once"]["end-to-end"]
    assert table.accuracy.between(0, 1).all()
    layers = found.layers()
    assert layers.index.get_level_values("block").tolist() == [1, 2] * 5
    assert (layers["first gradient"] > 0).all()
    assert layers["linear probe"].between(0, 1).all()
    for ax in (found.plot(), found.plot_layers(), found.plot_layers("first gradient")):
        assert ax.has_data()


def test_a_run_is_what_training_by_hand_gives(build, data):
    """End to end and greedy, seed 1, though layers and compiled functions are used again from seed 0."""
    (x, y), (x_test, y_test) = data
    options = {"epochs": 2, "batch_size": 18}
    found = layerwise.compare(build, data, seeds=[0, 1], methods=["end-to-end", "greedy"], probes=False, **options)
    whole, blocks = build(1), build(1)
    training.fit(whole, x, y, seed=1, verbose=False, **options)
    layerwise.greedy(blocks, x, y, seed=1, **options)
    for method, model in (("end-to-end", whole), ("greedy", blocks)):
        (run,) = [run for run in found.runs if run["method"] == method and run["seed"] == 1]
        assert run["accuracy"] == pytest.approx((model(x_test).numpy().argmax(axis=1) == y_test).mean())
        assert run["training_accuracy"] == pytest.approx((model(x).numpy().argmax(axis=1) == y).mean())


def test_runs_do_not_depend_on_those_before(build, data):
    options = {"epochs": 1, "batch_size": 18, "methods": ["greedy", "forward-forward"], "probes": False}
    together = layerwise.compare(lambda seed: build(seed, depth=2), data, seeds=[0, 3], **options)
    alone = layerwise.compare(lambda seed: build(seed, depth=2), data, seeds=[3], **options)
    later = [run for run in together.runs if run["seed"] == 3]
    for run, twin in zip(later, alone.runs, strict=True):
        assert run["method"] == twin["method"]
        assert run["training_accuracy"] == twin["training_accuracy"]
        np.testing.assert_allclose(run["gradients"], twin["gradients"], rtol=1e-6)


def test_budget_of_steps(build, data):
    options = {"budget": "steps", "batch_size": 36, "methods": ["greedy", "greedy + fine-tuning"], "probes": False}
    found = layerwise.compare(build, data, seeds=1, epochs=8, **options)
    steps = found.table()["gradient steps"]
    assert steps["greedy"] == 9  # 3 blocks of 8/3 ≈ 3 epochs
    assert steps["greedy + fine-tuning"] == 3 * 1 + 4
    assert np.isnan(found.table()["±"]).all()
    assert (found.differences(baseline="greedy").conclusion == "one seed shows nothing").all()


def test_series(build, data, x, y):
    found = layerwise.compare(
        build, data, seeds=1, epochs=1, methods=["greedy"], labels=[2], depths=[2], noise=[0.5], probes=False
    )
    assert found.series("labels").index.tolist() == [("greedy", 2), ("greedy", np.inf)]
    assert found.series("noise").index.tolist() == [("greedy", 0.0), ("greedy", 0.5)]
    assert found.series("depth").index.tolist() == [("greedy", 2), ("greedy", 3)]
    assert found.plot_series("labels").get_xlabel() == "labels a class"
    assert [len(run["layers"]) for run in found.runs if run["series"] == "depth"] == [2]
    with pytest.raises(InvalidValueError, match="a series among labels, depth, noise, received 'width'"):
        found.series("width")


def test_few_and_wrong_labels_match_hand_example(x, y):
    settings = _Settings(10, 16, "updates", 1.0, 0.0, False)
    task = _task(_Condition("labels", 2), 0, x, y, settings)
    rows, first = np.unique(task.x, axis=0, return_index=True)
    assert len(rows) == 6
    assert np.bincount(task.y[first]).tolist() == [2, 2, 2]
    assert len(task.x) == len(task.unlabelled) == 48, "repeated, so that an epoch has as many steps"
    np.testing.assert_array_equal(_task(_Condition("labels", 2), 0, x, y, settings).x, task.x)
    task = _task(_Condition("noise", 0.25), 0, x, y, settings)
    assert (task.y != y).sum() == 12
    assert task.y.max() <= 2


def test_intervals_match_hand_example():
    """Accuracies 0.8, 0.9 and 0.5, 0.7: differences 0.3, 0.2; mean 0.25, s = 0.0707, t₁ = 12.706: ± 0.635."""
    runs = [
        {"method": m, "seed": s, "series": "", "value": 0.0, "accuracy": a}
        for m, accuracies in (("end-to-end", (0.5, 0.7)), ("greedy", (0.8, 0.9)))
        for s, a in enumerate(accuracies)
    ]
    row = layerwise.Comparison(runs, ["end-to-end", "greedy"], {}).differences().loc["greedy"]
    assert row.difference == pytest.approx(0.25)
    assert row.high - row.difference == pytest.approx(12.706 * 0.070711 / np.sqrt(2), rel=1e-4)
    assert row.conclusion == "no difference shown"
    runs[2]["accuracy"] = 0.70001  # differences 0.20001, 0.2
    assert layerwise.Comparison(runs, ["end-to-end", "greedy"], {}).differences().conclusion["greedy"] == "higher"


def test_a_method_looks_the_same_beside_others():
    """In a file with "greedy + fine-tuning", and in one without."""

    def looks(methods):
        runs = [
            {"method": m, "seed": 0, "series": s, "value": v, "accuracy": 0.9, "layers": ["a"], "probes": [0.8]}
            | {"gradients": [1.0]}
            for m in methods
            for s, v in (("", 0.0), ("noise", 0.4))
        ]
        found = layerwise.Comparison(runs, methods, {})
        pictures = found.plot(), found.plot_layers(), found.plot_series("noise")
        drawn = [[c.lines[0] for c in ax.containers] for ax in pictures]
        assert [len(lines) for lines in drawn] == [len(methods)] * 3
        return {
            method: {(line.get_color(), line.get_marker()) for line in lines}
            for method, lines in zip(methods, zip(*drawn, strict=True), strict=True)
        }

    everything = looks([*METHODS, "another"])
    assert all(len(look) == 1 for look in everything.values()), "one look in all pictures"
    assert len(set.union(*everything.values())) == len(everything)
    few = looks(["forward-forward", "end-to-end", "stacked autoencoders"])
    assert few == {method: everything[method] for method in few}


def test_finished_runs_are_kept(build, data, tmp_path, monkeypatch):
    options = {"epochs": 1, "methods": ["greedy"], "probes": False, "folder": tmp_path}
    first = layerwise.compare(build, data, seeds=1, **options)
    trained = []
    monkeypatch.setitem(
        METHODS, "greedy", lambda place, task, run=METHODS["greedy"]: trained.append(task.seed) or run(place, task)
    )
    second = layerwise.compare(build, data, seeds=2, **options)
    assert trained == [1]
    assert second.runs[0] == first.runs[0]
    with pytest.raises(InvalidValueError, match="settings, epochs is 2, was 1"):
        layerwise.compare(build, data, seeds=1, **options | {"epochs": 2})


def test_csv_holds_all_that_was_found(build, data, tmp_path):
    def deep(seed, depth=1):
        return build(seed, depth=depth)

    options = {"methods": ["end-to-end", "greedy"], "seeds": 2, "epochs": 1, "depths": [2], "labels": [3]}
    found = layerwise.compare(deep, data, **options)
    path = found.to_csv(tmp_path / "runs.csv")
    read = layerwise.Comparison.from_csv(path)
    assert (read.runs, read.methods, read.settings) == (found.runs, found.methods, found.settings)
    assert read.differences().equals(found.differences())
    for name, content in (("empty", ""), ("other", "a,b\n1,2\n"), ("cut", path.read_text()[:900])):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=r"runs that Comparison\.to_csv wrote"):
            layerwise.Comparison.from_csv(tmp_path / name)


def test_errors(build, data, x, y):
    with pytest.raises(InvalidValueError, match="methods among end-to-end, greedy"):
        layerwise.compare(build, data, methods=["backprop"])
    with pytest.raises(InvalidValueError, match='budget as "updates" or "steps"'):
        layerwise.compare(build, data, budget="time")
    with pytest.raises(InvalidValueError, match="labels up to the size of the smallest class"):
        layerwise.compare(build, data, labels=[500])
    with pytest.raises(InvalidValueError, match=r"noise as shares in \(0, 1\)"):
        layerwise.compare(build, data, noise=[1.5])
    with pytest.raises(ShapeError, match=r"inputs of shape \(N, 6\), received \(36, 5\)"):
        layerwise.compare(build, ((x[:36, :5], y[:36]), (x[36:, :5], y[36:])))
    with pytest.raises(InvalidValueError, match=r"data as a set of toolkit.data"):
        layerwise.compare(build, x)
    with pytest.raises(ShapeError, match="one output for each class"):
        layerwise.compare(build, ((x, y + 1), (x, y + 1)))

    def uncompiled(seed):
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(3)])

    with pytest.raises(CallOrderError, match="Call compile in build"):
        layerwise.compare(uncompiled, data)
