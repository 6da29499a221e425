"""Steps through one training step of any Keras model: formulas, shapes, the actual numbers, and the proof of them."""
