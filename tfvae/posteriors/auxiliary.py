"""A posterior with auxiliary latent variables."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import register
from tfvae.layers import ContextMLP
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.gaussian import mean_field

tfd = tfp.distributions


@register
class Auxiliary(Posterior):
    """Mixture over auxiliary a: `q(z | x) = integral of q(z | a, x) q(a | x) da`.

    `q(a | x)`, `q(z | a, x)` and the reverse model `r(a | x, z)` are Gaussians of
    diagonal covariance. The density of a draw is taken as
    `log q(a | x) + log q(z | a, x) - log r(a | x, z)`, whose mean over the a of a z is
    at least `log q(z | x)`: every bound stays one, the tighter the closer r comes to
    `q(a | x, z)`.

    Args:
        encoder: As in `Posterior`.
        latent_dim: Size of z.
        auxiliary_dim: Size of a; `latent_dim` when left out.
        hidden_units: Widths of the hidden layers of q(z | a, x) and of r.
        context_dim: Size of what those two see of x.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((28, 28, 1), [64])
        >>> posterior = tfvae.posteriors.Auxiliary(encoder, latent_dim=4)
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).sample(3).shape
        TensorShape([3, 5, 4])

    References:
        Maaloe et al., Auxiliary Deep Generative Models, 2016,
        https://arxiv.org/abs/1602.05473; Ranganath et al., Hierarchical Variational
        Models, 2015, https://arxiv.org/abs/1511.02386
    """

    def __init__(
        self,
        encoder,
        latent_dim,
        auxiliary_dim=None,
        *,
        hidden_units=(128,),
        context_dim=128,
        **kwargs,
    ):
        super().__init__(encoder, latent_dim, **kwargs)
        auxiliary_dim = latent_dim if auxiliary_dim is None else auxiliary_dim
        self.auxiliary_dim = checks.integer(auxiliary_dim=auxiliary_dim)
        self.context_dim = checks.integer(context_dim=context_dim)
        kept = {"context_dim": context_dim, "dtype": "float32"}
        self.forward_network = ContextMLP(2 * latent_dim, hidden_units, **kept)
        self.hidden_units = self.forward_network.hidden_units
        self.reverse_network = ContextMLP(2 * auxiliary_dim, hidden_units, **kept)

    def build(self, input_shape):
        super().build(input_shape)
        self.forward_network.build((None, self.auxiliary_dim))
        self.reverse_network.build((None, self.latent_dim))

    @property
    def noise_dim(self):
        """Numbers for a, then for z."""
        return self.auxiliary_dim + self.latent_dim

    @property
    def params_size(self):
        """A location and a scale for each auxiliary variable, and the context."""
        return 2 * self.auxiliary_dim + self.context_dim

    def distribution(self, params):
        """`AuxiliaryDistribution` of `params`, `[..., 2 * auxiliary + context]`."""
        return AuxiliaryDistribution(self, params)

    def from_noise(self, q, noise):
        """See `Posterior`; in place of `log q(z | x)` comes what the class says."""
        noises = tf.split(noise, [self.auxiliary_dim, self.latent_dim], axis=-1)
        a, log_q_a = super().from_noise(q.auxiliary, noises[0])
        z, log_q_z = super().from_noise(q.given(a), noises[1])
        return z, log_q_a + log_q_z - q.reverse(z).log_prob(a)


class AuxiliaryDistribution(tfd.Distribution):
    """`q(z | x)` of an `Auxiliary` posterior: it can be drawn from, and no more.

    Its density is an integral over a that has no closed form.

    Args:
        posterior: The `Auxiliary` posterior.
        params: Its parameters, `[..., 2 * auxiliary + context]`.

    Attributes:
        auxiliary: `q(a | x)`.
    """

    def __init__(self, posterior, params):
        super().__init__(
            dtype=params.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"posterior": posterior, "params": params},
        )
        self._posterior, self._params = posterior, params
        start, self._context = tf.split(params, [2 * posterior.auxiliary_dim, -1], -1)
        self.auxiliary = mean_field(start)

    def given(self, a):
        """`q(z | a, x)` for a of shape `[..., auxiliary]`."""
        return mean_field(self._posterior.forward_network(a, self._context))

    def reverse(self, z):
        """`r(a | x, z)` for z of shape `[..., latent]`."""
        return mean_field(self._posterior.reverse_network(z, self._context))

    def _sample_n(self, n, seed=None):
        seed = tfp.random.sanitize_seed(seed)
        outer = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        noise_shape = tf.concat([outer, [self._posterior.noise_dim]], axis=0)
        noise = tf.random.stateless_normal(noise_shape, seed, dtype=self.dtype)
        return self._posterior.from_noise(self, noise)[0]

    def _log_prob(self, z):
        raise NotImplementedError(
            "log_prob of `q(z | x)` is an integral over the auxiliary variables, "
            "without closed form. `from_noise` gives draws with what a bound needs."
        )

    def _event_shape(self):
        return tf.TensorShape([self._posterior.latent_dim])

    def _event_shape_tensor(self):
        return tf.constant([self._posterior.latent_dim])

    def _batch_shape(self):
        return self._params.shape[:-1]

    def _batch_shape_tensor(self, **_):
        return tf.shape(self._params)[:-1]
