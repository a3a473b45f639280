"""Weights that follow the optimizer's step."""

from typing import Annotated

import keras
import tensorflow as tf

from tfvae import checks

Schedule = keras.optimizers.schedules.LearningRateSchedule
# Number of optimizer steps so far.
Step = int | tf.Tensor


@checks.checked
def warm_up(
    num_steps: checks.PositiveInt, beta: checks.NonNegativeFloat = 1.0
) -> keras.optimizers.schedules.PolynomialDecay:
    """Schedule from 0 to `beta`, linear in steps: a KL warm-up, or a capacity.

    Args:
        num_steps: Optimizer steps until `beta` is reached.
        beta: Value from then on: a weight for `ELBO(beta=...)`, or nats for
            `ELBO(capacity=...)`.

    Example:
        >>> float(tfvae.objectives.warm_up(1000)(250))
        0.25

    References:
        Sonderby et al., Ladder Variational Autoencoders, 2016,
        https://arxiv.org/abs/1602.02282
    """
    return keras.optimizers.schedules.PolynomialDecay(0.0, num_steps, beta)


def number_or_schedule(**argument: float | Schedule) -> float | Schedule:
    """Returns the one named argument if it is a schedule or a number of at least 0."""
    ((_, value),) = argument.items()
    if isinstance(value, Schedule):
        return value
    return checks.number(minimum=0, **argument)


# Kind of an argument: a number, or a schedule read at the optimizer's step.
Weight = Annotated[float | Schedule, number_or_schedule]


def at(value: float | Schedule, step: Step) -> float | tf.Tensor:
    """Returns the value that a number or a schedule has at a step."""
    return tf.cast(value(step), tf.float32) if callable(value) else value
