"""What a model is conditional on: labels, vectors, or nothing."""

import numpy as np
import tensorflow as tf

from tfvae import checks


class Condition:
    """The y of `p(x | y)`, which a network sees as a context.

    Args:
        context_dim: Size of the network's context; 0 for none.
        num_classes: Number of classes, where y is a label from 0 for each example; 0
            where y is a vector for each, or there is none.

    Raises:
        TypeError: Where `num_classes` is no integer.
        ValueError: Where it does not go with `context_dim`.
    """

    def __init__(self, context_dim, num_classes):
        checks.integer(minimum=0, num_classes=num_classes)
        if num_classes not in (0, context_dim):
            expected = f"0, or the network's context_dim of {context_dim}"
            checks.fail(expected, num_classes=num_classes)
        self.context_dim, self.num_classes = context_dim, num_classes

    def check(self, y, num_rows):
        """Labels, or vectors, as an array of so many rows."""
        if y is None:
            checks.fail("given: the model has a context", y=y)
        if self.num_classes:
            return checks.labels(self.num_classes, num_rows, y=y)
        y = checks.array((self.context_dim,), y=y)
        checks.rows(num_rows, y=y)
        return y

    def given(self, y, num_rows):
        """Further inputs of a signature: y by its name, or none.

        Args:
            y: Labels or vectors, or one for all rows.
            num_rows: Number of rows.
        """
        if not self.context_dim:
            if y is not None:
                checks.fail("left out: the model has no context", y=y)
            return {}
        size = () if self.num_classes else (self.context_dim,)
        if y is not None and np.shape(y) == size:
            y = np.broadcast_to(y, (num_rows, *size))
        return {"y": self.check(y, num_rows)}

    def specs(self):
        """What y is in a signature, in a list; empty where there is none."""
        if self.num_classes:
            return [tf.TensorSpec([None], tf.int32, name="y")]
        shape = [None, self.context_dim]
        return [tf.TensorSpec(shape, tf.float32, name="y")] if self.context_dim else []

    def context(self, y):
        """What the network sees of y."""
        if not self.num_classes or y is None:
            return y
        # Where served, one_hot would take an unknown label as none; gather refuses it.
        return tf.gather(tf.eye(self.num_classes), tf.cast(y, tf.int32))
