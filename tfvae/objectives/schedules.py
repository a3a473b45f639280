"""Weights that follow the optimizer's step."""

import keras
import tensorflow as tf

from tfvae import checks


def warm_up(num_steps, beta=1.0):
    """A schedule from 0 to `beta`, linear in steps: a KL warm-up, or a capacity.

    Args:
        num_steps: Optimizer steps until `beta` is reached.
        beta: The value from then on: a weight for `ELBO(beta=...)`, or nats for
            `ELBO(capacity=...)`.

    Returns:
        A `keras.optimizers.schedules.PolynomialDecay`.

    Raises:
        TypeError: Where an argument is no number.
        ValueError: Where `num_steps` is below 1 or `beta` negative.

    Example:
        >>> float(tfvae.objectives.warm_up(1000)(250))
        0.25

    References:
        Sonderby et al., Ladder Variational Autoencoders, 2016,
        https://arxiv.org/abs/1602.02282
    """
    num_steps = checks.integer(num_steps=num_steps)
    beta = checks.number(minimum=0, beta=beta)
    return keras.optimizers.schedules.PolynomialDecay(0.0, num_steps, beta)


def number_or_schedule(**argument):
    """Returns the one named argument if it is a schedule or a number of at least 0."""
    ((name, value),) = argument.items()
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return checks.number(minimum=0, **argument)


def at(value, step):
    """Returns the value at a step, of a number or of a schedule."""
    return tf.cast(value(step), tf.float32) if callable(value) else value
