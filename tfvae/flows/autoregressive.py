"""Autoregressive flows on MADE networks."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.checks import AnyWidths, NonNegativeInt, PositiveInt
from tfvae.config import register
from tfvae.flows.base import Flow, ValueAndLogDet
from tfvae.inputs import Context
from tfvae.layers import MaskedMLP
from tfvae.layers.dense import Activation
from tfvae.transforms import TRANSFORMS, TransformName

tfb = tfp.bijectors


@register
class Autoregressive(Flow):
    """Inverse autoregressive flow: `z_i <- t(z_i; params_i(z_<i, context))`, T times.

    Each step has a MADE network of its own, and sees the latents in the order opposite
    to that of the step before. Its log-determinant is the sum of `log t'(z_i)`.
    `forward` is one pass of the networks. `inverse` takes `latent_dim` passes, one
    after the other. `Inverse` swaps them.

    Args:
        latent_dim: Size of z.
        num_flows: Number of steps T.
        hidden_units: Widths of the hidden layers of each network; `[]` for linear ones.
        transform: The map t: `"gated"`, `g z + (1 - g) m` with g in [1e-3, 1];
            `"affine"`, `exp(log_scale) z + shift`; or `"spline"`, a monotone
            rational-quadratic spline of 8 pieces on [-6, 6].
        activation: Activation of the hidden layers.
        context_dim: Size of the context that every unit sees; 0 for none.

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
        latent_dim: PositiveInt,
        num_flows: PositiveInt = 2,
        *,
        hidden_units: AnyWidths = (320, 320),
        transform: TransformName = "gated",
        activation: Activation = "relu",
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ):
        super().__init__(latent_dim, context_dim=context_dim, **kwargs)
        self.networks = [
            MaskedMLP(
                latent_dim,
                TRANSFORMS[transform].params_size,
                hidden_units,
                order=("natural", "reversed")[i % 2],
                activation=activation,
                context_dim=context_dim,
                # A start near the identity, or with gates from g = 0.88 for all.
                kernel_initializer=keras.initializers.VarianceScaling(0.01),
                dtype=self.dtype_policy,
            )
            for i in range(num_flows)
        ]
        for network in self.networks:
            network.build()

    def forward(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        """See `Flow`; each network runs once."""
        log_det = 0.0
        for network in self.networks:
            t = self._transform(network, z, context)
            log_det += t.forward_log_det_jacobian(z, event_ndims=1)
            z = t.forward(z)
        return z, log_det

    def inverse(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        """See `Flow`; each network runs once for each latent, then once for all."""
        log_det = 0.0
        for network in reversed(self.networks):
            # TFP's flow is one of the opposite direction: it takes the inverse of t.
            def back(z: tf.Tensor, network: MaskedMLP = network) -> tfb.Bijector:
                return tfb.Invert(self._transform(network, z, context))

            z = tfb.MaskedAutoregressiveFlow(bijector_fn=back).forward(z)
            log_det -= back(z).inverse_log_det_jacobian(z, event_ndims=1)
        return z, log_det

    def _transform(
        self, network: MaskedMLP, z: tf.Tensor, context: Context
    ) -> tfb.Bijector:
        return TRANSFORMS[self.transform].bijector(network(z, context))
