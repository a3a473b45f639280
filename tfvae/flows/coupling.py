"""Coupling flows: real NVP, and neural splines."""

import keras
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import register
from tfvae.flows.base import Flow
from tfvae.flows.scalar import TRANSFORMS
from tfvae.layers import ContextMLP

tfb = tfp.bijectors


@register
class Coupling(Flow):
    """Coupling flow: one half of z is kept, and says how the other one is mapped.

    `z_b <- t(z_b; params(z_a, context))`, the halves changing places at each step; the
    log-determinant is the sum of `log t'(z_b)`. Both directions are one pass. With
    `transform="affine"` this is real NVP, with `"spline"` a neural spline flow.

    Args:
        latent_dim: Size of z, 2 or more.
        num_flows: Number of steps.
        hidden_units: Widths of the hidden layers of each network.
        transform: What t is, as in `Autoregressive`.
        activation: Of the hidden layers.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        context: See `Flow`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is too low, or the transform unknown.

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
        latent_dim,
        num_flows=4,
        *,
        hidden_units=(128, 128),
        transform="affine",
        activation="relu",
        context_dim=0,
        **kwargs,
    ):
        checks.integer(minimum=2, latent_dim=latent_dim)
        super().__init__(latent_dim, context_dim=context_dim, **kwargs)
        self.num_flows = checks.integer(num_flows=num_flows)
        self.hidden_units = checks.integers(empty=True, hidden_units=hidden_units)
        self.transform = checks.one_of(TRANSFORMS, transform=transform)
        self.activation = keras.activations.get(activation)
        self.networks = [self._network(i) for i in range(num_flows)]

    def build(self, context_shape=None):
        for i, network in enumerate(self.networks):
            network.build((None, self._kept(i)))
        self.built = True

    def bijector(self, context):
        """See `Flow`."""
        steps = [self._step(i, context) for i in range(self.num_flows)]
        return tfb.Chain(steps[::-1])

    def _step(self, i, context):
        t = TRANSFORMS[self.transform]

        def bijector_fn(kept, mapped, **_):
            params = self.networks[i](kept, context)
            shape = (*keras.ops.shape(params)[:-1], mapped, t.params_size)
            return t.bijector(keras.ops.reshape(params, shape))

        sign = -1 if i % 2 else 1  # TFP keeps the last ones where it is negative
        return tfb.RealNVP(sign * self._kept(i), bijector_fn=bijector_fn)

    def _network(self, i):
        mapped = self.latent_dim - self._kept(i)
        return ContextMLP(
            mapped * TRANSFORMS[self.transform].params_size,
            self.hidden_units,
            context_dim=self.context_dim,
            activation=self.activation,
            # A start near the identity.
            kernel_initializer=keras.initializers.VarianceScaling(0.01),
            dtype=self.dtype_policy,
        )

    def _kept(self, i):
        half = self.latent_dim // 2
        return self.latent_dim - half if i % 2 else half
