from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError
from toolkit.models import transfer
from toolkit.models.transfer._features import split_head


@pytest.fixture
def model(plain):
    return transfer.transfer_model(plain, 3, pixels="unit", dropout=0.3, seed=0)


@pytest.fixture(autouse=True)
def eager():
    """Compiling would take more time than all the steps."""
    tf.config.run_functions_eagerly(True)
    tf.data.experimental.enable_debug_mode()
    yield
    tf.config.run_functions_eagerly(False)


def test_stage_after_stage(model, images):
    before = {w.path: w.numpy() for w in model.weights}
    record = transfer.fine_tune(model, *images, unfreeze=("head", "stage3"), epochs=(2, 1), decay=2, verbose=False)
    assert [step.stage for step in record.steps] == ["head", "stage3"]
    head, third = 5 * 3 + 3, 9 * 4 * 5 + 5
    assert [step.trainable_parameters for step in record.steps] == [head, head + third]
    assert record.steps[1].learning_rates == {"stage3": 0.0005, "head": 0.001}
    assert [len(values) for values in record.history.values()] == [3, 3]
    assert record.frame()["cached"].tolist() == [True, False]
    changed = {w.path.split("/")[0] for w in model.weights if (w.numpy() != before[w.path]).any()}
    assert changed == {"third", "probabilities"}


def test_all_stages_by_default(model, images):
    record = transfer.fine_tune(model, *images, epochs=1, verbose=False)
    assert [step.stage for step in record.steps] == ["head", "stage3", "stage2", "stage1"]
    assert record.steps[-1].trainable_parameters == model.count_params()


def test_cached_features_give_the_same_result(model, images):
    start, results = model.get_weights(), []
    for cached in (True, False):
        model.set_weights(start)
        model.get_layer("head_dropout").seed_generator.state.assign([7, 0])
        options = {"unfreeze": ("head",), "epochs": 3, "batch_size": 5, "validation_data": images, "verbose": False}
        record = transfer.fine_tune(model, *images, cache_features=cached, **options)
        assert record.steps[0].cached == cached
        results.append((model.get_weights(), record.history))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for name, values in results[0][1].items():
        np.testing.assert_allclose(values, results[1][1][name], rtol=1e-5)


def head_by(join):
    """A model whose head is what ``join`` makes of the last feature map (N, 14, 14, 4)."""
    image = keras.Input((16, 16, 3))
    return keras.Model(image, join(keras.layers.Conv2D(4, 3, name="kernels")(keras.layers.Rescaling(1 / 255)(image))))


def added(maps):
    row = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.layers.Dense(3, "softmax")(keras.layers.Dense(4, "relu")(row) + row)


def normalised(maps):
    return keras.layers.Dense(3, "softmax")(keras.ops.normalize(keras.layers.GlobalAveragePooling2D()(maps)) * 10)


def two_pools(maps):
    pools = keras.layers.GlobalAveragePooling2D()(maps), keras.layers.GlobalMaxPooling2D()(maps)
    return keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()(pools))


def two_ways(maps):
    one = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps))
    other = keras.layers.Dense(2)(keras.layers.GlobalMaxPooling2D()(maps))
    return keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()([one, other]))


@pytest.mark.parametrize(("join", "size"), [(added, 4), (normalised, 4), (two_pools, 8)])
def test_a_head_of_any_operations_is_split_off_whole(join, size, images):
    model = head_by(join)
    body, head = split_head(model)
    assert transfer.features(model, images[0], verbose=False).shape == (16, size)
    np.testing.assert_array_equal(head(body(images[0])), model(images[0]))
    assert transfer.fine_tune(model, *images, unfreeze=("head",), epochs=1, verbose=False).steps[0].cached
    assert head.trainable_weights == model.trainable_weights


def test_a_head_that_takes_more_than_one_row_is_trained_without_a_cache(images):
    model = head_by(two_ways)
    with pytest.raises(ShapeError, match="pools its feature maps into one row, then a head"):
        transfer.features(model, images[0])
    assert not transfer.fine_tune(model, *images, unfreeze=("head",), epochs=1, verbose=False).steps[0].cached


def test_a_network_inside_a_model_is_split_from_its_head(plain, images):
    inner, _ = transfer.backbone(plain)
    model = keras.Sequential([keras.Input((16, 16, 3)), inner, keras.layers.Dense(3, "softmax")])
    expected = inner(images[0].astype("float32"))
    np.testing.assert_allclose(transfer.features(model, images[0], verbose=False), expected, rtol=1e-5)


def test_nothing_is_cached_where_the_frozen_part_draws_at_random(images):
    layers = [
        keras.Input((16, 16, 3)),
        keras.layers.RandomFlip("horizontal"),
        keras.layers.Conv2D(2, 3, name="kernels"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential(layers)
    record = transfer.fine_tune(model, *images, unfreeze=("head",), epochs=1, verbose=False)
    assert not record.steps[0].cached


def test_goes_on_from_a_checkpoint(model, plain, images, tmp_path):
    options = {"epochs": 2, "unfreeze": ("head", "stage3"), "verbose": False, "seed": 3}
    transfer.fine_tune(model, *images, checkpoint=tmp_path / "run", **options)
    again = transfer.transfer_model(plain, 3, pixels="unit", dropout=0.3, seed=0)
    record = transfer.fine_tune(again, *images, checkpoint=tmp_path / "run", **options)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"stages.json", "01 head", "02 stage3"}
    assert len(record.steps) == 2
    for w, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(w, b)


def test_more_epochs_in_the_last_step_only(model, images, tmp_path):
    """A later step has learned from what an earlier one left: with more epochs there it would start elsewhere."""
    start = model.get_weights()

    def run(epochs, folder):
        model.set_weights(start)
        options = {"unfreeze": ("head", "stage3"), "batch_size": 8, "verbose": False, "checkpoint": folder}
        model.get_layer("head_dropout").seed_generator.state.assign([7, 0])
        transfer.fine_tune(model, *images, epochs=epochs, **options)
        return model.get_weights()

    first = run((1, 1), tmp_path)
    with pytest.raises(InvalidValueError, match="stage 1 is head of 2 epochs, was head of 1 epochs"):
        run((2, 1), tmp_path)
    for epochs, expected in (((1, 1), first), ((1, 2), run((1, 2), None))):
        for w, e in zip(run(np.array(epochs), tmp_path), expected, strict=True):
            np.testing.assert_array_equal(w, e)


def test_learns(images):
    """Classes that differ in colour: a linear head on random frozen features is enough."""
    x = np.zeros((30, 16, 16, 3), np.uint8)
    y = np.arange(30) % 3
    x[np.arange(30), :, :, y] = 200
    keras.utils.set_random_seed(0)
    body = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(8, 3, activation="relu", name="kernels"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    model = transfer.transfer_model(body, 3, pixels="unit", seed=0)
    record = transfer.fine_tune(model, x, y, unfreeze=("head",), epochs=40, learning_rate=0.1, verbose=False)
    assert record.history["accuracy"][-1] == 1.0


def test_plot_marks_the_steps(model, images):
    record = transfer.fine_tune(
        model, *images, unfreeze=("head", "stage3"), epochs=1, validation_data=images, verbose=False
    )
    ax = record.plot(measure="accuracy")
    assert {text.get_text().strip() for text in ax.texts} >= {"head", "stage3"}
    with pytest.raises(InvalidValueError, match="loss"):
        record.plot(measure="recall")
    assert "head: <History" in repr(record)


def test_features_errors(model, images):
    with pytest.raises(ShapeError, match=r"images \(N, 16, 16, 3\), received \(16, 16, 16, 2\)"):
        transfer.features(model, images[0][..., :2])
    with pytest.raises(InvalidValueError, match="batch_size"):
        transfer.features(model, images[0], batch_size=0)
    with pytest.raises(InvalidValueError, match="images of numbers, received dtype object"):
        transfer.features(model, images[0].astype(object))
    with pytest.raises(UnsupportedError, match="a built functional or Sequential Keras model, received NoneType"):
        transfer.features(None, images[0])


def test_fine_tune_errors(model, images):
    for wrong in ((), "head"):
        with pytest.raises(InvalidValueError, match="a sequence of stages: stage1, stage2, stage3, head"):
            transfer.fine_tune(model, *images, unfreeze=wrong)
    with pytest.raises(InvalidValueError, match="'stage4'"):
        transfer.fine_tune(model, *images, unfreeze=("head", "stage4"))
    with pytest.raises(UnsupportedError, match="a built functional or Sequential Keras model, received NoneType"):
        transfer.fine_tune(None, *images)
    for options, message in (
        ({"learning_rate": -1}, "each learning_rate as a number above 0, received -1"),
        ({"learning_rate": "fast"}, "each learning_rate as a number above 0, received 'fast'"),
        ({"optimizer": "fast"}, "a Keras optimiser or the name of one, received 'fast'"),
        ({"batch_size": 0}, "batch_size as a positive integer"),
        ({"epochs": 1.5}, r"epochs of each step as a positive integer, received 1\.5"),
        ({"epochs": None}, "epochs of each step as a positive integer, received None"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            transfer.fine_tune(model, *images, **options)
    for x in (images[0][:0], images[0][:, :4]):
        with pytest.raises(ShapeError, match=r"images \(N, 16, 16, 3\), received"):
            transfer.fine_tune(model, x, images[1])
    with pytest.raises(ShapeError, match=r"images \(N, 16, 16, 3\), received \(16, 4, 16, 3\)"):
        transfer.fine_tune(model, *images, validation_data=(images[0][:, :4], images[1]))
    with pytest.raises(InvalidValueError, match="labels y beside the images"):
        transfer.fine_tune(model, images[0])
    for labels in (images[1] + 1, images[1] - 1):
        with pytest.raises(InvalidValueError, match="labels from 0 to 2, the classes of the head, received"):
            transfer.fine_tune(model, images[0], labels)
    with pytest.raises(InvalidValueError, match="one number, or 2 for epochs, received 3"):
        transfer.fine_tune(model, *images, unfreeze=("head", "stage3"), epochs=(1, 2, 3))
