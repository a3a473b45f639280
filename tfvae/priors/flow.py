"""A prior that is learned: a flow of standard normal noise."""

import tensorflow_probability as tfp

from tfvae import flows
from tfvae.config import register
from tfvae.flows.base import check
from tfvae.priors.base import Prior, StandardNormal

tfd = tfp.distributions


@register
class FlowPrior(Prior):
    """Learned prior: `z = f(noise)`, `noise ~ N(0, I)`, with a flow f.

    `log p(z) = log N(f^-1(z); 0, I) - log |det df / dnoise|`. By default f is a masked
    autoregressive flow (MAF): its density, which training asks for, is one pass, and
    sampling takes `latent_dim` passes of each network. `flows.Autoregressive`, an IAF,
    samples in one pass and is slow to train; `flows.Coupling` is fast in both.

    Args:
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size; where it wants a context, a constant one
            is learned.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `flow` is no flow.
        ValueError: Where it is of another size.

    Example:
        >>> prior = tfvae.priors.FlowPrior(2)
        >>> prior().log_prob(tf.zeros([5, 2])).shape
        TensorShape([5])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057; Chen et al., Variational Lossy Autoencoder,
        2016, https://arxiv.org/abs/1611.02731
    """

    def __init__(self, latent_dim, flow=None, **kwargs):
        super().__init__(latent_dim, **kwargs)
        if flow is None:
            kept = {"dtype": self.dtype_policy}
            steps = flows.Autoregressive(latent_dim, transform="affine", **kept)
            flow = flows.Inverse(steps, **kept)
        check(flow, latent_dim, self.compute_dtype)
        self.flow = flow

    def build(self, input_shape=None):
        if self.built:
            return
        self.context = None
        if self.flow.context_dim:
            self.context = self.add_weight(
                name="context",
                shape=[self.flow.context_dim],
                initializer="random_normal",
            )
        if not self.flow.built:
            self.flow.build((None, self.flow.context_dim))
        self.built = True

    def call(self, context=None):
        noise = StandardNormal.call(self)
        return tfd.TransformedDistribution(noise, self.bijector())

    def from_noise(self, noise, context=None):
        """See `Prior`."""
        return self.bijector().forward(noise)

    def bijector(self):
        """The map from noise to z, a `tfp.bijectors.Bijector`."""
        if not self.built:
            self.build()
        return self.flow(self.context)
