"""The comparison: same start for all, budgets, intervals by hand, runs that are kept, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import training
from toolkit.errors import CallOrderError, DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training import layerwise
from toolkit.training.layerwise import _compare
from toolkit.training.layerwise._compare import _Settings, _task
from toolkit.training.layerwise._given import Condition
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


def test_other_dtypes_give_what_floats_give(build, data):
    (x, y), (x_test, y_test) = data
    whole = [(10 * a).astype(int) for a in (x, x_test)]
    options = {"seeds": 1, "epochs": 1, "batch_size": 36, "methods": ["end-to-end", "stacked autoencoders"]}

    def runs(kind):
        found = layerwise.compare(
            lambda seed: build(seed, depth=1), tuple(zip([a.astype(kind) for a in whole], (y, y_test))), **options
        )
        return [(run["accuracy"], run["gradients"], run["probes"]) for run in found.runs]

    assert runs("int64") == runs("float64") == runs("float32")


def test_one_linear_output_tells_classes_apart_at_0():
    """h = 1 + x and 0.3 h − 0.3: the output is above 0 where x is, and never above 0.5."""
    x = np.linspace(-1, 1, 40, dtype="float32")[:, None]
    y = (x[:, 0] > 0).astype(int)

    def build(seed):
        layers = [keras.layers.Dense(1, name="h"), keras.layers.Dense(1, name="o")]
        model = keras.Sequential([keras.Input((1,)), *layers])
        model.set_weights([np.ones((1, 1)), np.ones(1), np.full((1, 1), 0.3), np.full(1, -0.3)])
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(1e-6), loss, run_eagerly=True)
        return model

    options = {"seeds": 1, "epochs": 1, "methods": ["end-to-end"], "probes": False}
    found = layerwise.compare(build, ((x, y), (x, y)), **options)
    assert found.runs[0]["accuracy"] == 1
    with pytest.raises(
        ShapeError, match=r"one output for each class, received outputs of shape \(None, 1\), classes up"
    ):
        layerwise.compare(build, ((x, y), (x, 2 * y)), **options)


def test_probes_see_all_classes_of_sorted_data(build, monkeypatch):
    """The first 500 of 1200 samples hold two of three classes."""
    y, seen = np.repeat([0, 1, 2], 400), []
    x = np.eye(6, dtype="float32")[y]

    def probe(h, labels, *test):
        seen.append(np.bincount(labels).tolist())
        return training.linear_probe(h, labels, *test)

    monkeypatch.setattr(_compare, "linear_probe", probe)
    options = {"seeds": 2, "epochs": 1, "batch_size": 400, "methods": ["end-to-end", "greedy"]}
    layerwise.compare(lambda seed: build(seed, depth=1), ((x, y), (x[::40], y[::40])), **options)
    assert seen == [[166, 166, 166]] * 4


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
    task = _task(Condition("labels", 2), 0, x, y, settings)
    rows, first = np.unique(task.x, axis=0, return_index=True)
    assert len(rows) == 6
    assert np.bincount(task.y[first]).tolist() == [2, 2, 2]
    assert len(task.x) == len(task.unlabelled) == 48, "repeated, so that an epoch has as many steps"
    np.testing.assert_array_equal(_task(Condition("labels", 2), 0, x, y, settings).x, task.x)
    task = _task(Condition("noise", 0.25), 0, x, y, settings)
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


def test_a_damaged_run_errors(build, data, tmp_path):
    options = {"seeds": 1, "epochs": 1, "methods": ["end-to-end"], "probes": False, "folder": tmp_path}
    layerwise.compare(build, data, **options)
    for content in ("{}", "[1]", "{"):
        (tmp_path / "end-to-end-0.json").write_text(content)
        with pytest.raises(DataError, match=r"a file that this toolkit wrote, received .*end-to-end-0\.json"):
            layerwise.compare(build, data, **options)


def test_shares_that_differ_by_little_have_files_of_their_own(build, data, tmp_path):
    options = {"seeds": 1, "epochs": 1, "methods": ["end-to-end"], "probes": False, "noise": [1 / 3, 0.3333333]}
    layerwise.compare(build, data, folder=tmp_path, **options)
    assert len(list(tmp_path.glob("noise-*.json"))) == 2


def test_what_a_method_cannot_train_errors_before_any_does(build, y, monkeypatch):
    def trained(place, task):
        raise AssertionError("it has begun")

    for name in METHODS:
        monkeypatch.setitem(METHODS, name, trained)
    images = np.zeros((48, 6, 6, 1), "float32")

    def convolution(seed):
        body = [keras.layers.Conv2D(2, 3, name="conv"), keras.layers.Flatten()]
        model = keras.Sequential([keras.Input((6, 6, 1)), *body, keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    def tokens(seed):
        body = [keras.layers.Embedding(9, 4, name="embedding"), keras.layers.GlobalAveragePooling1D()]
        model = keras.Sequential([keras.Input((6,)), *body, keras.layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(
        UnsupportedError, match=r"for forward-forward .* 'conv' \(Conv2D\)\. Leave 'forward-forward' out"
    ):
        layerwise.compare(convolution, ((images, y), (images, y)))
    with pytest.raises(UnsupportedError, match=r"for stacked autoencoders .* 'embedding' .* Leave 'stacked auto"):
        layerwise.compare(tokens, ((images[..., 0, 0].astype(int), y), (images[..., 0, 0].astype(int), y)))
    x = images[..., 0, 0]
    for option in ({"corruption": 2}, {"threshold": "a"}):
        with pytest.raises(InvalidValueError, match=next(iter(option))):
            layerwise.compare(build, ((x, y), (x, y)), **option)
    with pytest.raises(ShapeError, match=r"inputs of shape \(N, 6\), received \(48, 5\)"):
        layerwise.compare(build, ((x, y), (x[:, :5], y)))


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"seeds": [3, 3]}, r"seeds as a positive integer, or a list of integers from 0, each once, received \[3, 3\]"),
        ({"seeds": [-1]}, "integers from 0"),
        ({"seeds": 0}, "seeds as a positive integer"),
        ({"labels": (1, 1)}, r"labels as positive integers, a list with each once, received \(1, 1\)"),
        ({"labels": 5}, "labels as positive integers, a list"),
        ({"labels": ("a",)}, "labels as positive integers, a list"),
        ({"depths": [2, 2]}, "depths as positive integers, a list"),
        ({"noise": [0.5, 0.5]}, r"noise as shares in \(0, 1\), a list with each once"),
    ],
)
def test_options_that_repeat_or_mean_nothing_error(option, told, build, data):
    with pytest.raises(InvalidValueError, match=told):
        layerwise.compare(build, data, **option)


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

    with pytest.raises(InvalidValueError, match="two classes or more, received class 1 alone"):
        layerwise.compare(build, ((x, 0 * y + 1), (x, y)), noise=[0.5])
    with pytest.raises(InvalidValueError, match="training inputs as numbers"):
        layerwise.compare(build, ((x.astype(str), y), (x, y)))

    def uncompiled(seed):
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(3)])

    with pytest.raises(CallOrderError, match="Call compile in build"):
        layerwise.compare(uncompiled, data)
