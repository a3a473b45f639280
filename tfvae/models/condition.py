"""What a model is conditional on: labels, arrays, or nothing."""

import numpy as np
import tensorflow as tf

from tfvae import checks


class Condition:
    """The y of `p(x | y)`, or the u of `p(x, z | u)`: networks see it as a context.

    Args:
        name: Name of the argument.
        shape: Shape of the networks' context; None or 0 for none.
        num_classes: Number of classes, where it is a label from 0 for each example; 0
            where it is an array for each, or there is none.

    Raises:
        TypeError: Where `num_classes` is no integer.
        ValueError: Where it does not go with the shape.
    """

    def __init__(self, name, shape, num_classes):
        checks.integer(minimum=0, num_classes=num_classes)
        if num_classes and tuple(shape or ()) != (num_classes,):
            expected = f"0, or the size of the network's context, {shape}"
            checks.fail(expected, num_classes=num_classes)
        self.name, self.shape, self.num_classes = name, shape, num_classes

    def __bool__(self):
        return bool(self.shape)

    def check(self, value, num_rows):
        """Labels, or arrays, as an array of so many rows."""
        argument = {self.name: value}
        if value is None:
            checks.fail("given: the model has a context", **argument)
        if self.num_classes:
            return checks.labels(self.num_classes, num_rows, **argument)
        value = checks.array(self.shape, **argument)
        checks.rows(num_rows, **{self.name: value})
        return value

    def given(self, value, num_rows):
        """Further inputs of a signature: the condition by its name, or none.

        Args:
            value: Labels or arrays, or one for all rows.
            num_rows: Number of rows.
        """
        if not self:
            if value is not None:
                checks.fail("left out: the model has no context", **{self.name: value})
            return {}
        size = () if self.num_classes else self.shape
        if value is not None and np.shape(value) == size:
            value = np.broadcast_to(value, (num_rows, *size))
        return {self.name: self.check(value, num_rows)}

    def specs(self):
        """What it is in a signature, in a list; empty where there is none."""
        if not self:
            return []
        if self.num_classes:
            return [tf.TensorSpec([None], tf.int32, name=self.name)]
        return [tf.TensorSpec([None, *self.shape], tf.float32, name=self.name)]

    def context(self, value):
        """What the networks see of it."""
        if value is None and self:
            checks.fail("given: the model has a context", **{self.name: value})
        if not self.num_classes:
            return value
        # Where served, one_hot would take an unknown label as none; gather refuses it.
        return tf.gather(tf.eye(self.num_classes), tf.cast(value, tf.int32))
