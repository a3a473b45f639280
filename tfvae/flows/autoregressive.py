"""Autoregressive flows on MADE networks."""

import keras
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import register
from tfvae.flows.base import Flow, once
from tfvae.flows.scalar import TRANSFORMS
from tfvae.layers import MaskedMLP

tfb = tfp.bijectors


@register
class Autoregressive(Flow):
    """Inverse autoregressive flow: `z_i <- t(z_i; params_i(z_<i, context))`, T times.

    Each step has a MADE network of its own, and sees the latents in the order opposite
    to that of the step before. The log-determinant of a step is the sum of
    `log t'(z_i)`. Forward is one pass of the networks with both value and
    log-determinant; inverse takes `latent_dim` passes, one after the other. `Inverse`
    swaps them.

    Args:
        latent_dim: Size of z.
        num_flows: Number of steps T.
        hidden_units: Widths of the hidden layers of each network; `[]` for linear ones.
        transform: What t is: `"gated"`, `g z + (1 - g) m` with g in [1e-3, 1];
            `"affine"`, `exp(log_scale) z + shift`; or `"spline"`, a monotone
            rational-quadratic spline of 8 pieces on [-6, 6].
        activation: Of the hidden layers.
        context_dim: Size of the context that every unit sees; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        context: See `Flow`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is too low, or the transform unknown.

    Example:
        >>> flow = tfvae.flows.Autoregressive(latent_dim=3, context_dim=8)
        >>> flow(tf.zeros([5, 8])).forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934; Durkan et al., Neural Spline
        Flows, 2019, https://arxiv.org/abs/1906.04032
    """

    def __init__(
        self,
        latent_dim,
        num_flows=2,
        *,
        hidden_units=(320, 320),
        transform="gated",
        activation="relu",
        context_dim=0,
        **kwargs,
    ):
        super().__init__(latent_dim, context_dim=context_dim, **kwargs)
        self.num_flows = checks.integer(num_flows=num_flows)
        self.hidden_units = checks.integers(empty=True, hidden_units=hidden_units)
        self.transform = checks.one_of(TRANSFORMS, transform=transform)
        self.activation = keras.activations.get(activation)
        self.networks = [self._network(i) for i in range(num_flows)]

    def build(self, context_shape=None):
        for network in self.networks:
            network.build()
        self.built = True

    def bijector(self, context):
        """See `Flow`."""
        steps = [self._step(network, context) for network in self.networks]
        return tfb.Chain(steps[::-1])

    def _step(self, network, context):
        t = TRANSFORMS[self.transform].bijector
        # TFP's flow is the way back: it is given the inverse of t.
        back = once(lambda z: tfb.Invert(t(network(z, context))))
        return tfb.Invert(tfb.MaskedAutoregressiveFlow(bijector_fn=back))

    def _network(self, i):
        return MaskedMLP(
            self.latent_dim,
            TRANSFORMS[self.transform].params_size,
            self.hidden_units,
            order=("natural", "reversed")[i % 2],
            activation=self.activation,
            context_dim=self.context_dim,
            # A start near the identity, or with gates from g = 0.88 for all.
            kernel_initializer=keras.initializers.VarianceScaling(0.01),
            dtype=self.dtype_policy,
        )
