"""The abstract flow, and a flow turned round."""

import abc
import functools
from typing import Annotated, Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.config import Configurable, register
from tfvae.inputs import Context

tfb = tfp.bijectors

# `[..., latent]`, and `[...]`, the shapes to which the value and the context broadcast.
ValueAndLogDet = tuple[tf.Tensor, tf.Tensor]


class Flow(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract invertible map `z = f(noise; context)` with its log-determinant.

    Any flow fits `posteriors.FlowPosterior` and `priors.FlowPrior`.

    Args:
        latent_dim: Size of z.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        context: `[..., context_dim]`, which broadcasts with z; None if `context_dim` is
            0.

    Returns:
        A `tfp.bijectors.Bijector` of vectors `[..., latent]`, forward from noise to z.

    Example:
        >>> class Shift(tfvae.flows.Flow):
        ...     def forward(self, z, context=None):
        ...         z = z + context
        ...         return z, tf.zeros_like(z[..., 0])
        ...
        ...     def inverse(self, z, context=None):
        ...         z = z - context
        ...         return z, tf.zeros_like(z[..., 0])
        >>> flow = Shift(latent_dim=2, context_dim=2)
        >>> flow(tf.constant([[1.0, 2.0]])).forward(tf.zeros([1, 2])).numpy()
        array([[1., 2.]], dtype=float32)
    """

    def __init__(
        self, latent_dim: PositiveInt, *, context_dim: NonNegativeInt = 0, **kwargs: Any
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, context: Context = None) -> tfb.Bijector:
        return self.bijector(context)

    def bijector(self, context: Context = None) -> tfb.Bijector:
        """The flow as a TFP bijector, as a call gives it.

        TFP asks for value and log-determinant one after the other, and each runs the
        networks. `forward` and `inverse` run them once for both.
        """
        checks.width(self.context_dim, "context_dim", context=context)
        return _FlowBijector(self, context)

    @abc.abstractmethod
    def forward(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        """Maps noise `[..., latent]` to z, with `log |det dz / dnoise|`, `[...]`."""

    @abc.abstractmethod
    def inverse(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        """Maps z `[..., latent]` to noise, with `log |det dnoise / dz|`, `[...]`."""


AnyFlow = Annotated[Flow, functools.partial(checks.instance, Flow, "a tfvae flow")]


@register
class Inverse(Flow):
    """A flow turned round: `z = f^-1(noise; context)`.

    It swaps the cheap direction: `Autoregressive` turned round is a masked
    autoregressive flow (MAF), whose density of any z is one pass.

    Example:
        >>> flow = tfvae.flows.Inverse(tfvae.flows.Autoregressive(3))
        >>> flow().forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057
    """

    def __init__(self, flow: AnyFlow, **kwargs: Any):
        super().__init__(flow.latent_dim, context_dim=flow.context_dim, **kwargs)

    def forward(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        return self.flow.inverse(z, context)

    def inverse(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        return self.flow.forward(z, context)


class _FlowBijector(tfb.Bijector):
    """A flow with its context, as TFP's transformed distributions take it."""

    def __init__(self, flow: Flow, context: Context):
        super().__init__(
            forward_min_event_ndims=1,
            dtype=flow.compute_dtype,
            parameters={"flow": flow, "context": context},
        )
        self._flow, self._context = flow, context

    def _forward(self, z: tf.Tensor) -> tf.Tensor:
        return self._flow.forward(z, self._context)[0]

    def _forward_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
        return self._flow.forward(z, self._context)[1]

    def _inverse(self, z: tf.Tensor) -> tf.Tensor:
        return self._flow.inverse(z, self._context)[0]

    def _inverse_log_det_jacobian(self, z: tf.Tensor) -> tf.Tensor:
        return self._flow.inverse(z, self._context)[1]


def check_size(flow: Flow, latent_dim: int, dtype: str) -> None:
    """Checks that a flow fits a posterior or prior of this size and dtype."""
    if (flow.latent_dim, flow.compute_dtype) != (latent_dim, dtype):
        checks.fail(f"a flow of {latent_dim} latents in {dtype}", flow=flow)
