"""What every approximate posterior shares: an encoder, a head, a latent size."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.conditional import ConditionalDistribution
from tfvae.layers import JointEncoder

tfd = tfp.distributions


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
        network = not isinstance(encoder, ConditionalDistribution)
        if not (network and isinstance(encoder, keras.layers.Layer)):
            checks.fail("a Keras model or layer", error=TypeError, encoder=encoder)
        super().__init__(encoder, **kwargs)
        self.latent_dim = checks.integer(latent_dim=latent_dim)
        self.head = None  # its size is a subclass's matter, and known in `build`

    @property
    def encoder(self):
        """The network from x to features."""
        return self.network

    @property
    def is_joint(self):
        """Whether it is `q(z | x, u)`, of a `layers.JointEncoder`."""
        return isinstance(self.encoder, JointEncoder)

    @property
    def noise_dim(self):
        """Numbers that `from_noise` takes for one z."""
        return self.latent_dim

    def build(self, input_shape):
        if self.head is not None:
            return
        super().build(input_shape)
        features = self._output_shape
        if len(features) != 2:
            raise ValueError(
                "`encoder` must give one vector an example, [batch, units]. Received: "
                f"an encoder with output {list(features)}. "
                "End it with keras.layers.Flatten()."
            )
        self.head = keras.layers.Dense(self.params_size, dtype="float32", name="head")
        self.head.build(features)

    def from_noise(self, q, noise):
        """Draws z as a function of noise, and their density: `z = f(noise; x)`.

        For Gaussians of TFP, and Gaussians mapped by a bijector, whose
        `log q(z | x)` is the density of the Gaussian minus the log-determinant of the
        map; override it for another `q`.

        Args:
            q: The distribution, as a call gives it, with batch shape `[batch]`.
            noise: Standard normal numbers `[samples, batch, noise_dim]`.

        Returns:
            z, `[samples, batch, latent]`, and `log q(z | x)` in nats,
            `[samples, batch]`.

        Raises:
            NotImplementedError: Where `q` is another distribution.
        """
        if isinstance(q, tfd.MultivariateNormalLinearOperator):
            start, log_prob = noise, q.distribution.log_prob(noise)
        elif hasattr(q, "bijector"):  # TFP has two classes of them, one of them private
            start, log_prob = self.from_noise(q.distribution, noise)
        else:
            raise NotImplementedError(
                f"`{type(self).__name__}.from_noise` must be overridden for a "
                f"distribution that is no Gaussian. Received: {type(q).__name__}."
            )
        z = q.bijector.forward(start)
        return z, log_prob - q.bijector.forward_log_det_jacobian(start, event_ndims=1)

    def center(self, x, training=False):
        """The z that noise of 0 gives: of a Gaussian its mean.

        Args:
            x: Data `[batch, *event_shape]`, with u where the encoder takes it.
            training: Passed on to the encoder.

        Returns:
            A tensor `[batch, latent]`.
        """
        noise = tf.zeros(
            [1, keras.ops.shape(keras.tree.flatten(x)[0])[0], self.noise_dim]
        )
        return self.from_noise(self(x, training=training), noise)[0][0]

    def _network_params(self, inputs, training):
        return self.head(super()._network_params(inputs, training))
