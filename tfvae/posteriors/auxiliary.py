"""A posterior with auxiliary latent variables."""

from typing import Any

import tensorflow as tf

from tfvae.checks import AnyWidths, PositiveInt
from tfvae.conditional import Draw, Encoder, LatentDistribution, NoiseDistribution
from tfvae.config import register
from tfvae.layers import ContextMLP
from tfvae.posteriors.gaussian import gaussian_from_noise, mean_field


@register
class Auxiliary(LatentDistribution):
    """Mixture over auxiliary a: `q(z | x) = integral of q(z | a, x) q(a | x) da`.

    `q(a | x)`, `q(z | a, x)` and the reverse model `r(a | x, z)` are Gaussians of
    diagonal covariance. The density of a draw is taken as
    `log q(a | x) + log q(z | a, x) - log r(a | x, z)`, whose mean over the a of a z is
    at least `log q(z | x)`: every bound stays one, the tighter the closer r comes to
    `q(a | x, z)`.

    Args:
        encoder: As in `LatentDistribution`, like `latent_dim`.
        auxiliary_dim: Size of a; `latent_dim` when left out.
        hidden_units: Widths of the hidden layers of `q(z | a, x)` and of r.
        context_dim: Size of the features of x that those two networks see.

    Example:
        >>> posterior = tfvae.posteriors.Auxiliary(encoder, latent_dim=4)
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Maaloe et al., Auxiliary Deep Generative Models, 2016,
        https://arxiv.org/abs/1602.05473; Ranganath et al., Hierarchical Variational
        Models, 2015, https://arxiv.org/abs/1511.02386
    """

    def __init__(
        self,
        encoder: Encoder,
        latent_dim: PositiveInt,
        auxiliary_dim: PositiveInt | None = None,
        *,
        hidden_units: AnyWidths = (128,),
        context_dim: PositiveInt = 128,
        **kwargs: Any,
    ):
        auxiliary_dim = auxiliary_dim or latent_dim
        noise_dim = auxiliary_dim + latent_dim
        super().__init__(encoder, latent_dim, noise_dim=noise_dim, **kwargs)
        self.auxiliary_dim = auxiliary_dim
        options = {"context_dim": context_dim, "dtype": "float32"}
        self.forward_network = ContextMLP(2 * latent_dim, hidden_units, **options)
        self.forward_network.build((None, auxiliary_dim))
        self.reverse_network = ContextMLP(2 * auxiliary_dim, hidden_units, **options)
        self.reverse_network.build((None, latent_dim))

    @property
    def params_size(self) -> int:
        return 2 * self.auxiliary_dim + self.context_dim

    def distribution(self, params: tf.Tensor) -> "AuxiliaryDistribution":
        return AuxiliaryDistribution(self, params)

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`; the density of a draw is that of the class."""
        for_a, for_z = tf.split(noise, [self.auxiliary_dim, self.latent_dim], axis=-1)
        start, context = tf.split(params, [2 * self.auxiliary_dim, -1], axis=-1)
        a, log_q_a = gaussian_from_noise(mean_field(start), for_a)
        given_a = mean_field(self.forward_network(a, context))
        z, log_q_z = gaussian_from_noise(given_a, for_z)
        reverse = mean_field(self.reverse_network(z, context))
        return z, log_q_a + log_q_z - reverse.log_prob(a)


class AuxiliaryDistribution(NoiseDistribution):
    """`q(z | x)` of an `Auxiliary` posterior, which can be drawn from."""

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError(
            "log_prob of `q(z | x)` is an integral over the auxiliary variables, "
            "without closed form. `from_noise` gives draws with what a bound needs."
        )
