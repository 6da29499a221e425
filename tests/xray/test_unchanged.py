"""A trace leaves the model as it was: variables, attributes, optimiser, Keras itself; also when the step fails."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray
from toolkit.errors import CallOrderError, ShapeError, ToolkitError

LOSS = "sparse_categorical_crossentropy"


def everything(model: keras.Model) -> tuple:
    """What a user could find changed: all variables, all attributes of all layers, the losses, the optimiser."""
    found = [model, *model._flatten_layers()]
    attributes = {
        (k, name): (value if not isinstance(value, list | dict | set) else (id(value), len(value)))
        for k, layer in enumerate(found)
        for name, value in vars(layer).items()
    }
    variables = [v.numpy().tobytes() for v in model.variables]
    optimizer = [v.numpy().tobytes() for v in model.optimizer.variables] if getattr(model, "optimizer", None) else []
    return attributes, variables, optimizer, model.metrics_names if model.compiled else None, len(model.losses)


def assert_same(before: tuple, after: tuple) -> None:
    assert before[0].keys() == after[0].keys()
    for key, value in before[0].items():
        assert value is after[0][key] or value == after[0][key], key
    assert before[1:] == after[1:]


@pytest.mark.parametrize("training", [False, True])
def test_nothing_changes(classifier, batch, training):
    classifier.compile("adam", LOSS, metrics=["accuracy"])
    classifier.fit(*batch, verbose=0)
    before = everything(classifier)
    t = xray.trace(classifier, *batch, training=training)
    assert len(t.steps) > 10
    t.verify()
    t.update()
    assert_same(before, everything(classifier))


def test_training_goes_on_as_if_nothing_had_been(batch):
    def train(with_trace: bool) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "relu"), layers.BatchNormalization()])
        model.add(layers.Dropout(0.5, seed=3))
        model.add(layers.Dense(3, "softmax"))
        model.compile("adam", LOSS)
        for _ in range(3):
            model.train_on_batch(*batch)
            if with_trace:
                xray.trace(model, *batch, training=True).verify()
        return model.get_weights()

    for own, traced in zip(train(False), train(True), strict=True):
        np.testing.assert_array_equal(own, traced)


def test_a_trace_keeps_its_numbers_while_the_model_trains_on(classifier, batch):
    classifier.compile("sgd", LOSS)
    t = xray.trace(classifier, *batch, training=True)
    kernel = t.calls[0].weights["kernel"].copy()
    classifier.fit(*batch, epochs=3, verbose=0)
    np.testing.assert_array_equal(t.calls[0].weights["kernel"], kernel)
    after = classifier.get_weights()
    t.verify()  # with the weights of the trace, which then go again
    for own, value in zip(classifier.get_weights(), after, strict=True):
        np.testing.assert_array_equal(own, value)


class Failing(keras.Model):
    """Changes whatever it can, then fails."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = layers.BatchNormalization(name="norm"), layers.Dropout(0.5, name="drop")
        self.narrow, self.out = layers.Dense(3, name="narrow"), layers.Dense(2, name="out")
        for layer, width in ((self.norm, 4), (self.drop, 4), (self.narrow, 4), (self.out, 7)):
            layer.build((None, width))
        self.counter, self.log, self.built = 0, [], True

    def call(self, x):
        self.counter += 1
        self.log.append(1)
        self.extra = x
        self.norm.gamma.assign_add([1.0, 1.0, 1.0, 1.0])
        self.add_loss(1.0 * x[0, 0])
        return self.out(self.narrow(self.drop(self.norm(x))))


def test_nothing_changes_when_the_step_fails_half_way(batch):
    model = Failing()
    before, call = everything(model), keras.Operation.__call__
    with pytest.raises(ShapeError, match=r"trace, model 'failing'.*axis -1 of input shape to have value 7"):
        xray.trace(model, batch[0], batch[0], loss="mse", training=True)
    assert_same(before, everything(model))
    assert not hasattr(model, "extra")
    assert keras.Operation.__call__ is call


def test_nothing_changes_when_labels_are_refused(classifier, batch):
    before = everything(classifier)
    with pytest.raises(ToolkitError):
        xray.trace(classifier, batch[0], batch[1] + 7, loss=LOSS, training=True)
    assert_same(before, everything(classifier))


def test_a_layer_that_was_never_built_is_not_built_now(batch):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, name="late")
            self.built = True

        def call(self, x):
            return self.dense(x)

    model = Late()
    with pytest.raises(CallOrderError, match=r"layer 'late'.*Call the model once"):
        xray.trace(model, batch[0], batch[0], loss="mse")
    assert not model.dense.built
    assert not model.weights


def test_other_threads_are_not_watched(classifier, batch):
    class Meeting(layers.Layer):
        """Waits inside its call until the other thread has used a layer of its own."""

        def call(self, x):
            threads = threading.Thread(target=lambda: other(np.ones((1, 2))))
            threads.start()
            threads.join()
            return 1.0 * x

    other = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="elsewhere")])
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="here"), Meeting(name="meeting")])
    t = xray.trace(model, batch[0], np.ones((6, 3)), loss="mse")
    assert [call.path for call in t.calls] == ["here", "meeting"]
    t.verify()


def test_traces_of_two_threads_do_not_mix(batch):
    models = [
        keras.Sequential([keras.Input((4,)), layers.Dense(5, name=f"a{k}"), layers.Dense(3, name=f"b{k}")])
        for k in range(2)
    ]
    found: dict[int, list[str]] = {}

    def run(k: int) -> None:
        for _ in range(5):
            found[k] = [call.path for call in xray.trace(models[k], batch[0], np.ones((6, 3)), loss="mse").calls]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: ["a0", "b0"], 1: ["a1", "b1"]}
