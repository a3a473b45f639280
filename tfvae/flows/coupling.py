"""Coupling flows: real NVP, and neural splines."""

import functools
from typing import Annotated, Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import AnyWidths, NonNegativeInt, PositiveInt
from tfvae.config import register
from tfvae.flows.base import Flow, ValueAndLogDet
from tfvae.inputs import Context
from tfvae.layers import ContextMLP
from tfvae.layers.dense import Activation
from tfvae.transforms import TRANSFORMS, TransformName

tfb = tfp.bijectors


@register
class Coupling(Flow):
    """Coupling flow: one half of z is kept and gives the map of the other half.

    `z_b <- t(z_b; params(z_a, context))`, and the halves change places at each step.
    The log-determinant is the sum of `log t'(z_b)`. Both directions are one pass. With
    `transform="affine"` this is real NVP, with `"spline"` a neural spline flow.

    Args:
        latent_dim: Size of z, 2 or more.
        num_flows: Number of steps.
        hidden_units: As in `Autoregressive`, like `transform` and `activation`.
        context_dim: Size of the context; 0 for none.

    Example:
        >>> flow = tfvae.flows.Coupling(latent_dim=3, transform="spline")
        >>> flow().forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])

    References:
        Dinh et al., Density estimation using Real NVP, 2016,
        https://arxiv.org/abs/1605.08803; Durkan et al., Neural Spline Flows, 2019,
        https://arxiv.org/abs/1906.04032
    """

    def __init__(
        self,
        latent_dim: Annotated[int, functools.partial(checks.integer, minimum=2)],
        num_flows: PositiveInt = 4,
        *,
        hidden_units: AnyWidths = (128, 128),
        transform: TransformName = "affine",
        activation: Activation = "relu",
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ):
        super().__init__(latent_dim, context_dim=context_dim, **kwargs)
        self.networks = [
            ContextMLP(
                (latent_dim - self._kept(i)) * TRANSFORMS[transform].params_size,
                hidden_units,
                context_dim=context_dim,
                activation=activation,
                # A start near the identity.
                kernel_initializer=keras.initializers.VarianceScaling(0.01),
                dtype=self.dtype_policy,
            )
            for i in range(num_flows)
        ]
        for i, network in enumerate(self.networks):
            network.build((None, self._kept(i)))

    def forward(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        z, log_det = _one_for_each(z, context), 0.0
        for i in range(self.num_flows):
            step = self._step(i, z, context)
            log_det += step.forward_log_det_jacobian(z, event_ndims=1)
            z = step.forward(z)
        return z, log_det

    def inverse(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        z, log_det = _one_for_each(z, context), 0.0
        for i in reversed(range(self.num_flows)):
            step = self._step(i, z, context)
            log_det += step.inverse_log_det_jacobian(z, event_ndims=1)
            z = step.inverse(z)
        return z, log_det

    def _step(self, i: int, z: tf.Tensor, context: Context) -> tfb.Bijector:
        """One step for a z before or after it: the kept half is the same in both."""
        kept = self._kept(i)
        params = self.networks[i](z[..., -kept:] if i % 2 else z[..., :kept], context)
        size, make = TRANSFORMS[self.transform]
        shape = (*keras.ops.shape(params)[:-1], self.latent_dim - kept, size)
        t = make(tf.reshape(params, shape))
        return tfb.RealNVP(-kept if i % 2 else kept, bijector_fn=lambda *_, **__: t)

    def _kept(self, i: int) -> int:
        return (self.latent_dim + i % 2) // 2


def _one_for_each(z: tf.Tensor, context: Context) -> tf.Tensor:
    """Repeats z for the rows of a larger context: RealNVP does not broadcast."""
    if context is None:
        return z
    rows = tf.broadcast_static_shape(z.shape[:-1], context.shape[:-1])
    if rows.as_list() == z.shape[:-1].as_list():
        return z
    return z + tf.zeros_like(context[..., :1])
