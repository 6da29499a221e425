"""Staged pipelines: each stage by its own task, on the outputs of those before it; joined they are one model."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA

from toolkit import xray
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training.layerwise import Stage, StagedPipeline

layers = keras.layers


def network(inputs: int, *chain) -> keras.Sequential:
    return keras.Sequential([keras.Input((inputs,)), *chain])


@pytest.fixture
def stages():
    """An encoder that learns to reconstruct, a regressor of the squared norm, a classifier of what that gives."""

    def stages(**changes):
        keras.utils.set_random_seed(0)
        options = {"batch_size": 16}
        return [
            Stage(
                "encoder",
                network(6, layers.Dense(4, "tanh")),
                "mse",
                "input",
                network(4, layers.Dense(6)),
                epochs=2,
                options=options,
            ),
            Stage("size", network(4, layers.Dense(2)), "mse", lambda h, y: np.stack([(h**2).sum(axis=1), y], axis=1)),
            Stage(
                "classifier",
                network(2, layers.Dense(3, "softmax")),
                "sparse_categorical_crossentropy",
                metrics=["accuracy"],
            ),
        ]

    return stages


def test_trained_in_turn_then_joined(stages, x, y):
    pipeline = StagedPipeline(stages())
    assert repr(pipeline) == "<StagedPipeline: encoder (untrained) → size (untrained) → classifier (untrained)>"
    record = pipeline.fit(x, y)
    assert [stage.name for stage in record] == ["encoder", "size", "classifier"]
    assert record[0].trainable_parameters == 6 * 4 + 4 + 4 * 6 + 6, "with its decoder"
    outputs = dict(pipeline.outputs(x))
    assert [h.shape for h in outputs.values()] == [(48, 4), (48, 2), (48, 3)]
    joined = pipeline.join()
    np.testing.assert_allclose(joined.predict(x, verbose=0), pipeline.predict(x), rtol=1e-5, atol=1e-6)
    assert xray.trace(joined, x[:4], y[:4], loss="sparse_categorical_crossentropy").verify().worst.error <= 1e-5
    assert joined.count_params() == (6 * 4 + 4) + (4 * 2 + 2) + (2 * 3 + 3), "without the decoder"
    scores = pipeline.evaluate(x, y)
    assert list(scores.index) == ["encoder", "size", "classifier"]
    predicted = pipeline.predict(x).argmax(axis=1)
    assert scores.accuracy["classifier"] == pytest.approx((predicted == y).mean())


def test_a_later_stage_leaves_the_earlier_ones_alone(stages, x, y):
    pipeline = StagedPipeline(stages())
    pipeline.fit(x, y, only="encoder")
    kept = pipeline["encoder"].model.get_weights()
    pipeline.fit(x, y)
    np.testing.assert_array_equal(pipeline["encoder"].model.get_weights()[0], kept[0])
    assert [stage.name for stage in pipeline.history] == ["size", "classifier"], "the encoder was trained already"


def test_replacing_one(stages, x, y):
    pipeline = StagedPipeline(stages())
    pipeline.fit(x, y)
    pipeline.replace(
        "size", Stage("norm", network(4, layers.Dense(5, "relu"), layers.Dense(2)), "mse", lambda h, _: h[:, :2])
    )
    assert repr(pipeline) == "<StagedPipeline: encoder → norm (untrained) → classifier (untrained)>"
    with pytest.raises(CallOrderError, match=r"'norm', which is not. Call fit"):
        pipeline.predict(x)
    pipeline.fit(x, y)
    assert [stage.name for stage in pipeline.history] == ["norm", "classifier"]
    with pytest.raises(ShapeError, match=r"stage 'classifier': expected inputs of shape \(N, 2\), received \(N, 7\)"):
        pipeline.replace("norm", Stage("wide", network(4, layers.Dense(7)), "mse"))


def test_a_transformer_is_a_stage_but_cannot_be_joined(x, y):
    keras.utils.set_random_seed(0)
    classifier = Stage("classifier", network(2, layers.Dense(3, "softmax")), "sparse_categorical_crossentropy")
    pipeline = StagedPipeline([Stage("pca", PCA(2)), classifier])
    record = pipeline.fit(x, y)
    assert record[0].history.epochs == 0
    assert len(record.frame()) == 2
    np.testing.assert_allclose(next(pipeline.outputs(x))[1], PCA(2).fit_transform(x), rtol=1e-4, atol=1e-4)
    assert list(pipeline.evaluate(x, y).index) == ["classifier"]
    with pytest.raises(UnsupportedError, match="stages that are Keras models, received 'pca', a PCA"):
        pipeline.join()


def test_resumes(stages, x, y, tmp_path, assert_same_variables):
    def fit(folder, stop=False):
        pipeline = StagedPipeline(stages())
        if stop:
            pipeline["size"].options = {"callbacks": [Stop()], "jit_compile": False}
        pipeline.fit(x, y, checkpoint=tmp_path / folder)
        return pipeline

    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("cut", stop=True)
    assert_same_variables(fit("cut").join(), fit("whole").join())


def test_resumes_on_the_same_object(stages, x, y, tmp_path, assert_same_variables):
    """A cell that was interrupted in the second stage and is run again."""

    epochs = []

    def interrupt_once(epoch, logs):
        epochs.append(epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    def pipeline(callbacks=()):
        made = StagedPipeline(stages())
        made["size"].epochs, made["size"].options = 4, {"callbacks": callbacks, "jit_compile": False}
        return made

    whole, cut = pipeline(), pipeline([keras.callbacks.LambdaCallback(on_epoch_end=interrupt_once)])
    whole.fit(x, y)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(x, y, checkpoint=tmp_path)
    cut.fit(x, y, checkpoint=tmp_path)
    assert epochs == [0, 1, 1, 2, 3], "the second epoch was not finished"
    assert_same_variables(cut.join(), whole.join())
    assert [stage.name for stage in cut.history] == ["size", "classifier"]


def test_a_transformer_first_in_a_new_folder(x, y, tmp_path):
    pipeline = StagedPipeline([Stage("pca", PCA(2)), Stage("size", network(2, layers.Dense(1)), "mse")])
    pipeline.fit(x, y, checkpoint=tmp_path / "runs" / "new")
    assert (tmp_path / "runs" / "new" / "02 size").is_dir()


def test_training_one_again_outdates_those_behind_it(stages, x, y):
    pipeline = StagedPipeline(stages())
    pipeline.fit(x, y)
    pipeline.fit(x, y, only="size")
    assert repr(pipeline) == "<StagedPipeline: encoder → size → classifier (untrained)>"
    pipeline.fit(x, y)
    assert [stage.name for stage in pipeline.history] == ["classifier"]


def test_errors(stages, x, y):
    with pytest.raises(InvalidValueError, match="a name of its own"):
        StagedPipeline([stages()[0], stages()[0]])
    with pytest.raises(ShapeError, match="stage 'classifier'"):
        StagedPipeline([stages()[0], stages()[2]])
    with pytest.raises(InvalidValueError, match=r"Stage 'a': expected a loss, received none"):
        Stage("a", network(2, layers.Dense(2)))
    with pytest.raises(UnsupportedError, match="a Keras model, or a transformer with fit and transform, received int"):
        Stage("a", 3)
    with pytest.raises(InvalidValueError, match='target as "y", "input" or a function'):
        Stage("a", network(2, layers.Dense(2)), "mse", "x")
    with pytest.raises(InvalidValueError, match="epochs as a positive integer, received 0"):
        Stage("a", network(2, layers.Dense(2)), "mse", epochs=0)
    pipeline = StagedPipeline(stages())
    with pytest.raises(CallOrderError, match="'encoder', which is not"):
        pipeline.fit(x, y, only="size")
    with pytest.raises(InvalidValueError, match="a stage among encoder, size, classifier, received 'none'"):
        pipeline.fit(x, y, only="none")
    with pytest.raises(ShapeError, match=r"stage 'encoder': expected inputs of shape \(N, 6\), received \(48, 5\)"):
        pipeline.fit(x[:, :5], y)
    with pytest.raises(InvalidValueError, match="targets y, received None"):
        StagedPipeline(stages()[2:]).fit(x[:, :2])
    pipeline = StagedPipeline(stages()[:1])
    pipeline.fit(x)
    pipeline["encoder"].target = "y"
    with pytest.raises(InvalidValueError, match="stage 'encoder': expected targets y, received None"):
        pipeline.evaluate(x)
