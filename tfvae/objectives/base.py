"""Log-densities of draws, and what an objective is."""

import abc
import typing

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import Configurable

tfd = tfp.distributions


class LogDensities(typing.NamedTuple):
    """Log-densities of draws z ~ q(z | x), in nats.

    Attributes:
        log_likelihood: `log p(x | z)`, `[samples, batch]`.
        log_prior: `log p(z)`, `[samples, batch]`.
        log_posterior: `log q(z | x)`, `[samples, batch]`.
        exact_kl: `KL(q(z | x) || p(z))`, `[batch, groups]`, or None where TFP knows no
            closed form.
        latent_dim: Size of z.
        z: The draws, `[samples, batch, latent]`, or None where nothing needs them.
        posterior: `q(z | x)` with batch shape `[batch]`, or None likewise.
        log_label: `log p(u | z)` of the right label among even ones, `[samples,
            batch]`, or None where u is no label.
    """

    log_likelihood: tf.Tensor
    log_prior: tf.Tensor
    log_posterior: tf.Tensor
    exact_kl: tf.Tensor | None
    latent_dim: int
    z: tf.Tensor | None = None
    posterior: tfd.Distribution | None = None
    log_label: tf.Tensor | None = None

    @property
    def log_weight(self):
        """`log p(x, z) - log q(z | x)`, `[samples, batch]`."""
        return self.log_likelihood + self.log_prior - self.log_posterior


def exact_kl(q, p):
    """The closed form of `KL(q || p)` in nats, by latent where both factorize.

    Args:
        q: Distribution with batch shape `[batch]`.
        p: Distribution with a batch shape that broadcasts to it.

    Returns:
        A tensor `[batch, latent]` for two diagonal Gaussians, `[batch, 1]` for other
        pairs that TFP knows, else None.

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


def _kl_to_diagonal(q, p):
    """Closed form without the solves of TFP, which take longer than a small network."""
    scale = p.stddev()
    squares = (q.variance() + (q.mean() - p.mean()) ** 2) / scale**2
    log_scales = tf.reduce_sum(tf.math.log(scale), axis=-1)
    log_volume = log_scales - q.scale.log_abs_determinant()
    return log_volume + tf.reduce_sum(squares - 1, axis=-1) / 2


class Objective(Configurable, abc.ABC):
    """Abstract: what training maximises, from the log-densities of `num_samples` draws.

    Args:
        num_samples: Draws of z for each example.
    """

    # Whether it is one of models with labels u only.
    needs_labels = False

    def __init__(self, num_samples=1):
        self.num_samples = checks.integer(num_samples=num_samples)

    @abc.abstractmethod
    def __call__(self, densities, step=0):
        """Reduces log-densities to what is maximised and what is reported.

        Args:
            densities: `LogDensities`.
            step: Number of optimizer steps so far, for schedules.

        Returns:
            A dict of tensors `[batch]` in nats: `"objective"` and the `term_names`,
            among them, at beta = 1, `"elbo"` = `"reconstruction"` - `"kl"`.
        """

    @property
    def term_names(self):
        """Names of what is reported beside `"objective"`, schedules apart."""
        return ("elbo", "reconstruction", "kl")

    @property
    def schedules(self):
        """The arguments that are schedules, by name."""
        schedule = keras.optimizers.schedules.LearningRateSchedule
        config = {name: getattr(self, name) for name in self._arguments()}
        return {k: v for k, v in config.items() if isinstance(v, schedule)}
