"""TFDS builders; importing a builder registers it with TFDS."""
