"""Planar and radial flows, which change z along one vector a step."""

import abc
import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.config import register
from tfvae.flows.base import Flow, ValueAndLogDet
from tfvae.inputs import Context

# How far from singular each step stays.
MARGIN = 1e-3


class _RankOne(Flow):
    """Abstract flow of several steps, whose parameters are the context itself."""

    def __init__(
        self, latent_dim: PositiveInt, num_flows: PositiveInt = 10, **kwargs: Any
    ):
        context_dim = num_flows * self.step_size(latent_dim)
        super().__init__(latent_dim, context_dim=context_dim, **kwargs)

    def forward(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        checks.width(self.latent_dim, "latent_dim", z=z)
        log_det = 0.0
        for params in self._params_of_steps(context):
            z, change = self.step(z, *params)
            log_det += change
        return z, log_det

    def inverse(self, z: tf.Tensor, context: Context = None) -> ValueAndLogDet:
        checks.width(self.latent_dim, "latent_dim", z=z)
        log_det = 0.0
        for params in reversed(self._params_of_steps(context)):
            z = self.step_back(z, *params)
            log_det -= self.step(z, *params)[1]
        return z, log_det

    def _params_of_steps(self, context: tf.Tensor) -> list[tuple[tf.Tensor, ...]]:
        outer, size = keras.ops.shape(context)[:-1], self.step_size(self.latent_dim)
        params = self.params(tf.reshape(context, [*outer, self.num_flows, size]))
        return list(zip(*(tf.unstack(p, axis=-2) for p in params), strict=True))

    @staticmethod
    @abc.abstractmethod
    def step_size(latent_dim: int) -> int:
        """Number of parameters of a step."""

    @abc.abstractmethod
    def params(self, raw: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Parameters of a step from unbounded numbers `[..., step_size]`."""

    @abc.abstractmethod
    def step(self, z: tf.Tensor, *params: tf.Tensor) -> ValueAndLogDet:
        """Value and log-determinant of a step."""

    @abc.abstractmethod
    def step_back(self, z: tf.Tensor, *params: tf.Tensor) -> tf.Tensor:
        """Start of the step that ends in z."""


@register
class Planar(_RankOne):
    """Planar flow: `z <- z + u tanh(w . z + b)`, T times.

    The context holds w, u and b of each step, so an encoder that gives the context
    amortises them. The part of u along w is changed so that `w . u > -1`, which makes
    the step invertible; `log det = log(1 + (1 - tanh(w . z + b)**2) w . u)`. The
    inverse solves one equation in one unknown for each step.

    Args:
        latent_dim: Size of z.
        num_flows: Number of steps T.

    Call arguments:
        context: `[..., num_flows * (2 * latent + 1)]`.

    Example:
        >>> flow = tfvae.flows.Planar(latent_dim=3, num_flows=2)
        >>> flow(tf.zeros([5, flow.context_dim])).forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """

    @staticmethod
    def step_size(latent_dim: int) -> int:
        return 2 * latent_dim + 1

    def params(self, raw: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """`w, u, b, w . u`."""
        w, u, b = tf.split(raw, [self.latent_dim, self.latent_dim, 1], axis=-1)
        along = _dot(w, u)
        # m(w . u) of appendix A.1, moved so that u = 0 is the identity.
        allowed = _above_minus_one(along)
        return w, u + (allowed - along) * w / (_dot(w, w) + 1e-12), b, allowed

    def step(self, z: tf.Tensor, *params: tf.Tensor) -> ValueAndLogDet:
        w, u, b, along = params
        h = tf.tanh(_dot(w, z) + b)
        return z + u * h, tf.math.log1p((1 - h**2) * along)[..., 0]

    def step_back(self, z: tf.Tensor, *params: tf.Tensor) -> tf.Tensor:
        """From `w . z' = t + (w . u) tanh(t + b)`, which rises in t = w . z."""
        w, u, b, along = params
        target, reach = _dot(w, z), tf.abs(along) + 1
        root = tfp.math.find_root_chandrupatla(
            lambda t: t + along * tf.tanh(t + b) - target,
            target - reach,
            target + reach,
            position_tolerance=0.0,
            value_tolerance=0.0,
            max_iterations=100,
        ).estimated_root
        # A step of Newton polishes the root, and its gradient is that of the root.
        root = tf.stop_gradient(root)
        h = tf.tanh(root + b)
        slope = tf.stop_gradient(1 + along * (1 - h**2))
        t = root - (root + along * h - target) / slope
        return z - u * tf.tanh(t + b)


@register
class Radial(_RankOne):
    """Radial flow: `z <- z + beta (z - c) / (alpha + |z - c|)`, T times.

    The context holds the center c, alpha and beta of each step; `alpha > 0` and
    `beta > -alpha` make it invertible. With `h = 1 / (alpha + r)` and `r = |z - c|`,
    `log det = (d - 1) log(1 + beta h) + log(1 + beta h - beta h**2 r)`. The inverse
    solves a quadratic equation a step. See `Planar` for the arguments and the paper.

    Call arguments:
        context: `[..., num_flows * (latent + 2)]`.

    Example:
        >>> flow = tfvae.flows.Radial(latent_dim=3, num_flows=2)
        >>> flow(tf.zeros([5, flow.context_dim])).forward(tf.zeros([5, 3])).shape
        TensorShape([5, 3])
    """

    @staticmethod
    def step_size(latent_dim: int) -> int:
        return latent_dim + 2

    def params(self, raw: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """`c, alpha, beta`."""
        center, alpha, beta = tf.split(raw, [self.latent_dim, 1, 1], axis=-1)
        alpha = tf.nn.softplus(alpha) + MARGIN
        return center, alpha, alpha * _above_minus_one(beta)

    def step(self, z: tf.Tensor, *params: tf.Tensor) -> ValueAndLogDet:
        center, alpha, beta = params
        offset = z - center
        r = _norm(offset)
        stretch = beta / (alpha + r)
        along = tf.math.log1p(stretch * alpha / (alpha + r))
        log_det = (self.latent_dim - 1) * tf.math.log1p(stretch) + along
        return z + stretch * offset, log_det[..., 0]

    def step_back(self, z: tf.Tensor, *params: tf.Tensor) -> tf.Tensor:
        """From `|z' - c| = r (1 + beta / (alpha + r))`, quadratic in r = |z - c|."""
        center, alpha, beta = params
        offset = z - center
        target = _norm(offset)
        half = (target - alpha - beta) / 2
        r = half + tf.sqrt(half**2 + alpha * target)
        return center + offset / (1 + beta / (alpha + r))


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, axis=-1, keepdims=True)


def _norm(a: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(_dot(a, a) + 1e-30)  # the root of 0 has no finite gradient


def _above_minus_one(raw: tf.Tensor) -> tf.Tensor:
    """A softplus moved to rise from -1, and through the origin."""
    return MARGIN - 1 + tf.nn.softplus(raw + math.log(math.expm1(1 - MARGIN)))
