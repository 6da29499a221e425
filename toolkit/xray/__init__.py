"""Steps through one training step of any Keras model: formulas, shapes and the actual numbers, and the proof of them."""
