"""What every flow shares, and a flow turned round."""

import abc
import contextlib
import contextvars

import keras
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import Configurable, register

tfb = tfp.bijectors

_PASS = contextvars.ContextVar("pass", default=None)


class Flow(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract invertible map `z = f(noise; context)`, whose call gives its bijector.

    A subclass gives `bijector`. Any stack of TFP's bijectors with parameters from Keras
    layers or from the context becomes a flow so, and fits `posteriors.FlowPosterior`
    and `priors.FlowPrior`.

    Args:
        latent_dim: Size of z.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        context: `[..., context_dim]`, which broadcasts with the batch of z; None where
            there is none.

    Returns:
        A `tfp.bijectors.Bijector` of vectors `[..., latent]`, forward from noise to z.

    Example:
        >>> class Shift(tfvae.flows.Flow):
        ...     def bijector(self, context):
        ...         return tfp.bijectors.Shift(context)
        >>> flow = Shift(latent_dim=2, context_dim=2)
        >>> flow(tf.constant([[1.0, 2.0]])).forward(tf.zeros([1, 2])).numpy()
        array([[1., 2.]], dtype=float32)
    """

    def __init__(self, latent_dim, *, context_dim=0, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.latent_dim = checks.integer(latent_dim=latent_dim)
        self.context_dim = checks.integer(minimum=0, context_dim=context_dim)

    def build(self, context_shape=None):
        self.built = True

    def call(self, context=None):
        checks.width(self.context_dim, "context_dim", context=context)
        if not self.built:
            self.build()
        return self.bijector(context)

    @abc.abstractmethod
    def bijector(self, context):
        """The `tfp.bijectors.Bijector` for a context `[..., context_dim]` or None."""


@register
class Inverse(Flow):
    """A flow turned round: `z = f^-1(noise; context)`.

    It swaps what is cheap: turned round, `Autoregressive` becomes a masked
    autoregressive flow (MAF), whose density of any z is one pass.

    Args:
        flow: A `Flow`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> flow = tfvae.flows.Inverse(tfvae.flows.Autoregressive(3))
        >>> flow().forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057
    """

    def __init__(self, flow, **kwargs):
        checks.instance(Flow, "a tfvae flow", flow=flow)
        super().__init__(flow.latent_dim, context_dim=flow.context_dim, **kwargs)
        self.flow = flow

    def build(self, context_shape=None):
        if not self.flow.built:
            self.flow.build(context_shape)
        self.built = True

    def bijector(self, context):
        """See `Flow`."""
        return tfb.Invert(self.flow(context))


def check(flow, latent_dim, dtype):
    """Checks a flow for a posterior or prior of this size and dtype."""
    checks.instance(Flow, "a tfvae flow", flow=flow)
    if (flow.latent_dim, flow.compute_dtype) != (latent_dim, dtype):
        checks.fail(f"a flow of {latent_dim} latents in {dtype}", flow=flow)


@contextlib.contextmanager
def one_pass():
    """Within it the networks of a flow run once for each z they are given.

    TFP asks for a bijector's value and log-determinant apart, and each runs the
    network, forwards and in the gradient. No gradient tape may start within it: it
    would not see what was computed before.

    Example:
        >>> flow, z = tfvae.flows.Autoregressive(3)(), tf.zeros([5, 3])
        >>> with tfvae.flows.one_pass():
        ...     y, log_det = flow.forward(z), flow.forward_log_det_jacobian(z, 1)
        >>> log_det.shape
        TensorShape([5])
    """
    token = _PASS.set({})
    try:
        yield
    finally:
        _PASS.reset(token)


def once(function):
    """A function of a tensor z, computed once for each z within `one_pass`."""

    def remembered(z, **kwargs):
        known = _PASS.get()
        if known is None:
            return function(z)
        key = id(function), id(z)
        if key not in known:
            # With what it is known by, so that their ids stay their own.
            known[key] = function(z), function, z
        return known[key][0]

    return remembered
