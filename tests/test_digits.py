"""The 784-128-10 network on all of MNIST: the accuracy that everyone knows, from both engines."""

from __future__ import annotations

import keras
import pytest

from toolkit import bridge, data, scratch

EPOCHS, BATCH, FIRST_RATE, DECAY = 10, 64, 0.002, 0.7


@pytest.mark.slow
def test_mnist_reaches_its_known_accuracy_and_matches_keras(shared_data):
    """Adam with a learning rate that shrinks each epoch, which takes the chance out of the last steps."""
    digits = data.load("mnist", data_dir=shared_data, flatten=True)
    network = scratch.Sequential(
        [scratch.Dense(128, "relu", kernel_initializer="he_uniform"), scratch.Dense(10, "softmax")],
        input_shape=784,
        seed=0,
    )
    model = bridge.to_keras(network)

    network.compile(scratch.Adam(FIRST_RATE), "sparse_categorical_crossentropy")

    def decay(epoch, measures):
        network.optimizer.learning_rate = FIRST_RATE * DECAY ** (epoch + 1)

    network.fit(
        digits.x_train, digits.y_train, epochs=EPOCHS, batch_size=BATCH, verbose=False, seed=1, on_epoch_end=decay
    )
    accuracy = network.evaluate(digits.x_test, digits.y_test)["accuracy"]

    keras.utils.set_random_seed(1)
    model.compile(keras.optimizers.Adam(FIRST_RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: FIRST_RATE * DECAY**epoch)
    model.fit(digits.x_train, digits.y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0, callbacks=[schedule])
    keras_accuracy = model.evaluate(digits.x_test, digits.y_test, verbose=0)[1]

    print(f"MNIST test accuracy: scratch {accuracy:.4f}, Keras {keras_accuracy:.4f}")
    assert accuracy >= 0.978
    assert abs(accuracy - keras_accuracy) <= 0.003
