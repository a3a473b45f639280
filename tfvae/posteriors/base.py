"""What every approximate posterior shares: an encoder, a head, a latent size."""

import keras
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.conditional import ConditionalDistribution


class Posterior(ConditionalDistribution):
    """Abstract `q(z | x)`: the encoder's features, then one dense layer of parameters.

    Args:
        encoder: Network from x `[batch, *event_shape]` to features `[batch, units]`.
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `encoder` is no Keras layer or `latent_dim` no integer.
        ValueError: Where `latent_dim` is below 1 or the features are no vector.
    """

    def __init__(self, encoder, latent_dim, **kwargs):
        super().__init__(encoder, **kwargs)
        self.latent_dim = checks.integer(latent_dim=latent_dim)
        self.head = keras.layers.Dense(self.params_size, dtype="float32", name="head")

    @property
    def encoder(self):
        """The network from x to features."""
        return self.network

    def build(self, input_shape):
        if self.head.built:
            return
        super().build(input_shape)
        features = self._output_shape
        if len(features) != 2:
            raise ValueError(
                "`encoder` must give one vector an example, [batch, units]. Received: "
                f"an encoder with output {list(features)}. "
                "End it with keras.layers.Flatten()."
            )
        self.head.build(features)

    def from_noise(self, q, noise):
        """Draws z as a function of noise, and their density: `z = f(noise; x)`.

        For the Gaussians of TFP; override it for another `q`.

        Args:
            q: The distribution, as a call gives it, with batch shape `[batch]`.
            noise: Standard normal numbers `[samples, batch, latent]`.

        Returns:
            z, of the shape of the noise, and `log q(z | x)` in nats,
            `[samples, batch]`.

        Raises:
            NotImplementedError: Where `q` is another distribution.
        """
        if not isinstance(q, tfp.distributions.MultivariateNormalLinearOperator):
            raise NotImplementedError(
                f"`{type(self).__name__}.from_noise` must be overridden for a "
                f"distribution that is no Gaussian. Received: {type(q).__name__}."
            )
        stretch = q.bijector.forward_log_det_jacobian(noise, event_ndims=1)
        return q.bijector.forward(noise), q.distribution.log_prob(noise) - stretch

    def _network_params(self, inputs, training):
        return self.head(super()._network_params(inputs, training))
