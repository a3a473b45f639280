"""Log-densities of draws, and the base class of objectives."""

import abc
import itertools
import math
import typing
import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import NonNegativeFloat, PositiveInt
from tfvae.config import Configurable

tfd = tfp.distributions

Schedule = keras.optimizers.schedules.LearningRateSchedule
# KL in nats below which a level of a ladder counts as dead.
DEAD = 0.01
# Number of optimizer steps so far.
Step = int | tf.Tensor
# Values by name, each `[batch]`, in nats.
Terms = dict[str, tf.Tensor]


class LogDensities(typing.NamedTuple):
    """Log-densities of draws z ~ q(z | x), in nats.

    Attributes:
        log_likelihood: `log p(x | z)`, `[samples, batch]`.
        log_prior: `log p(z)`, likewise.
        log_posterior: `log q(z | x)`, likewise.
        kl_by_group: `KL(q(z | x) || p(z))` by groups of latents, `[batch, groups]`: a
            closed form, or for levels of a ladder without one the mean over draws. None
            if there is neither.
        latent_dim: Size of z.
        z: The draws, `[samples, batch, latent]`, or None if nothing needs them.
        posterior: `q(z | x)` with batch shape `[batch]`, or None likewise.
        log_label: `log p(u | z)` of the right label, under equally likely labels,
            `[samples, batch]`, or None if u is no label.
        levels: Shape of the latents of each level, coarse first, whose channels are the
            groups; empty if there is one level.
    """

    log_likelihood: tf.Tensor
    log_prior: tf.Tensor
    log_posterior: tf.Tensor
    kl_by_group: tf.Tensor | None
    latent_dim: int
    z: tf.Tensor | None = None
    posterior: tfd.Distribution | None = None
    log_label: tf.Tensor | None = None
    levels: tuple[tuple[int, ...], ...] = ()

    @property
    def group_sizes(self) -> list[float]:
        """Number of latents of each group of `kl_by_group`."""
        if self.levels:
            sizes = ([math.prod(shape[:-1])] * shape[-1] for shape in self.levels)
            return list(itertools.chain(*sizes))
        count = self.kl_by_group.shape[-1]
        return [self.latent_dim / count] * count

    @property
    def kl_by_level(self) -> tf.Tensor:
        """`kl_by_group` summed over the channels of each level, `[batch, levels]`."""
        channels = [shape[-1] for shape in self.levels]
        parts = tf.split(self.kl_by_group, channels, axis=-1)
        return tf.stack([tf.reduce_sum(part, axis=-1) for part in parts], axis=-1)

    @property
    def log_weight(self) -> tf.Tensor:
        """`log p(x, z) - log q(z | x)`, `[samples, batch]`."""
        return self.log_likelihood + self.log_prior - self.log_posterior


def exact_kl(q: tfd.Distribution, p: tfd.Distribution) -> tf.Tensor | None:
    """Closed form of `KL(q || p)` in nats, by latent if both factorize.

    `[batch, latent]` for two diagonal Gaussians, `[batch, 1]` for other pairs that TFP
    knows, else None. The batch shape of p broadcasts to that of q, `[batch]`.

    Example:
        >>> p = tfvae.priors.StandardNormal(3)()
        >>> tfvae.objectives.exact_kl(p.copy(loc=tf.ones([5, 3])), p).shape
        TensorShape([5, 3])
    """
    if all(type(d) is tfd.MultivariateNormalDiag for d in (q, p)):
        q, p = (tfd.Normal(d.mean(), d.stddev()) for d in (q, p))
        return tfd.kl_divergence(q, p)
    gaussian = tfd.MultivariateNormalLinearOperator
    if isinstance(q, gaussian) and type(p) is tfd.MultivariateNormalDiag:
        return _kl_to_diagonal(q, p)[:, None]
    try:
        return tfd.kl_divergence(q, p)[:, None]
    except NotImplementedError:
        return None


def _kl_to_diagonal(q: tfd.Distribution, p: tfd.Distribution) -> tf.Tensor:
    """Closed form without the solves of TFP, which take longer than a small network."""
    scale = p.stddev()
    squares = (q.variance() + (q.mean() - p.mean()) ** 2) / scale**2
    log_scales = tf.reduce_sum(tf.math.log(scale), axis=-1)
    log_volume = log_scales - q.scale.log_abs_determinant()
    return log_volume + tf.reduce_sum(squares - 1, axis=-1) / 2


class Objective(Configurable, abc.ABC):
    """Abstract: value that training maximises, from log-densities of draws of z.

    Args:
        num_samples: Draws of z for each example.

    Attributes:
        term_names: Names of the reported terms beside `"objective"`, schedules apart.
        needs_labels: If True, the model must have labels u.
        needs_batch: True if the objective of an example depends on the batch.
    """

    term_names: tuple[str, ...] = ("elbo", "reconstruction", "kl")
    needs_labels: bool = False
    needs_batch: bool = False

    def __init__(self, num_samples: PositiveInt = 1):
        super().__init__()

    @abc.abstractmethod
    def __call__(self, densities: LogDensities, step: Step = 0) -> Terms:
        """The `"objective"` to maximise and the `term_names`, in nats, each `[batch]`.

        The ELBO is the one at beta = 1: `"elbo"` = `"reconstruction"` - `"kl"`.

        Args:
            densities: Log-densities of `num_samples` draws.
            step: Number of optimizer steps so far, for schedules.
        """

    def terms(self, densities: LogDensities, step: Step = 0) -> Terms:
        """The `"loss"`, what a call gives, and the values of the `schedules`."""
        terms = self(densities, step)
        rows = tf.shape(densities.log_prior)[1:]
        for name, schedule in self.schedules.items():
            terms[name] = tf.fill(rows, tf.cast(schedule(step), tf.float32))
        return {"loss": -terms["objective"], **terms}

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The arguments that are schedules, by name."""
        return {k: v for k, v in vars(self).items() if isinstance(v, Schedule)}

    def warn_of_open_schedules(self, step: Step) -> None:
        """Warns if training ends at this step, before a schedule has."""
        for name, schedule in self.schedules.items():
            last, limit = (float(schedule(i)) for i in (step, 1e9))
            if last != limit:
                warnings.warn(
                    f"Training ended with {name}={last:.3g}, before its schedule "
                    f"reached {limit:.3g}: the objective was not the one asked for.",
                    stacklevel=3,
                )


def warn_of_dead_levels(history: Mapping[str, Sequence[float]]) -> None:
    """Warns of the levels of a ladder whose KL was all but 0 in the last epoch.

    Args:
        history: Values by epoch of the terms of a training, `kl_0`, `kl_1`, ... among
            them if the model is a ladder.
    """
    levels = {name[3:]: kl[-1] for name, kl in history.items() if name[:3] == "kl_"}
    dead = [f"{level} ({kl:.3f} nats)" for level, kl in levels.items() if kl < DEAD]
    if dead:
        warnings.warn(
            f"Levels that tell nothing about x, counted from the coarsest, 0: "
            f"{', '.join(dead)}. Try `ELBO(free_bits=..., free_bits_per='group')`, or "
            "a warm-up with `balance=True`.",
            stacklevel=3,
        )


@checks.checked
def warm_up(
    num_steps: PositiveInt, beta: NonNegativeFloat = 1.0
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
    (value,) = argument.values()
    if isinstance(value, Schedule):
        return value
    return checks.number(minimum=0, **argument)


def batch_mean(x: tf.Tensor) -> tf.Tensor:
    """Mean of `[batch, ...]` over the batch: that of all replicas, if several train."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return tf.reduce_mean(x, axis=0)
    sums = [tf.reduce_sum(x, axis=0), tf.cast(tf.shape(x)[0], x.dtype)]
    total, count = replica.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    return total / count


def whole_batch(*rows: tf.Tensor) -> tuple[list[tf.Tensor], int | tf.Tensor]:
    """Matrices with the rows of all replicas, and the number of the first own row."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return list(rows), 0
    size, add = tf.shape(rows[0])[0], tf.distribute.ReduceOp.SUM
    index = tf.cast(replica.replica_id_in_sync_group, tf.int32)
    own = tf.one_hot(index, replica.num_replicas_in_sync, size, 0, dtype=tf.int32)
    sizes = replica.all_reduce(add, own)
    first = tf.reduce_sum(sizes[:index])
    around = [[first, tf.reduce_sum(sizes) - first - size], [0, 0]]
    return replica.all_reduce(add, [tf.pad(x, around) for x in rows]), first


# Kind of an argument: a number, or a schedule read at the optimizer's step.
Weight = Annotated[float | Schedule, number_or_schedule]


def at(value: float | Schedule, step: Step) -> float | tf.Tensor:
    """Returns the value that a number or a schedule has at a step."""
    return tf.cast(value(step), tf.float32) if callable(value) else value
