"""Training: Keras's `fit` with checks, guarded steps and loops compiled by XLA."""
