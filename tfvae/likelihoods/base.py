"""The abstract likelihood."""

import abc
import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.conditional import ConditionalDistribution
from tfvae.config import Network
from tfvae.inputs import Input

tfd = tfp.distributions


class Likelihood(ConditionalDistribution):
    """Abstract `p(x | z)`, independent over the elements of x given z.

    An element is a number, or with `element_ndims = 1` all channels of a pixel.

    A subclass gives `params_size`, `element_distribution` and `from_noise`.

    Args:
        decoder: Network from z `[batch, latent]` to the parameters
            `[batch, *event_shape[:-1], params_size * channels]`: all channels of the
            first parameter, then all of the second.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    support = (-math.inf, math.inf)  # least and greatest value of an element of x
    noise_dim = 1  # uniform random numbers that make one number of x
    element_ndims = 0  # 1 if the channels of a pixel depend on each other
    levels = 0  # evenly spaced values that an element may have; 0 for any number
    event_shape = None  # shape of one x, known once the likelihood is built

    def __init__(self, decoder: Network, **kwargs: Any):
        super().__init__(decoder, **kwargs)

    @property
    def decoder(self) -> keras.layers.Layer:
        """The network from z to the parameters."""
        return self.network

    def fit_to(self, output_shape: tuple[int | None, ...]) -> None:
        """Takes the shape of x from the decoder."""
        *outer, last = output_shape[1:]
        if last % self.params_size:
            raise ValueError(
                f"`decoder` must give {self.params_size} values for each channel of x. "
                f"Received: a decoder whose last axis has {last}. The networks of "
                f"tfvae.networks take params_size={self.params_size}."
            )
        self.event_shape = (*outer, last // self.params_size)

    def input(self) -> Input:
        """The `Input` x that this likelihood is defined for, once it is built."""
        because = f"the {type(self).__name__} likelihood"
        options = {"levels": self.levels, "because": because, "meaning": "data"}
        low, high = self.support
        return Input("x", self.event_shape, low=low, high=high, **options)

    @abc.abstractmethod
    def element_distribution(self, *params: tf.Tensor) -> tfd.Distribution:
        """Distribution of single elements of x, from `params_size` tensors."""

    @abc.abstractmethod
    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """Elements of x, `[...]`, as functions of noise.

        Args:
            noise: Uniform noise `[..., noise_dim]` below 1; 0 occurs in TFLite, whose
                generator draws zeros.
            params: `[..., params_size]`, the parameters of each element side by side.
        """

    def distribution(self, params: tf.Tensor) -> tfd.Independent:
        """`Independent` over the event: params `[..., params_size * channels]`."""
        params = tf.split(params, self.params_size, axis=-1)
        ndims = len(self.event_shape) - self.element_ndims
        return tfd.Independent(self.element_distribution(*params), ndims)

    def log_prob(self, x: tf.Tensor, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`log p(x | z)` in nats, `[samples, ..., batch]`.

        Equal to `log_prob` of the distribution that a call gives, but with x as a
        vector, which XLA and the CPU's vector units sum faster than an image.

        Args:
            x: Data `[batch, *event_shape]`.
            z: Latents `[samples, ..., batch, latent]`.
            training: Passed on to the decoder.
        """
        return self.log_density(x, self.params(z, training=training))

    def log_density(self, x: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """`log_prob` for `params`, `[..., batch, ..., params_size * channels]`."""
        params = tf.split(params, self.params_size, axis=-1)
        x, *params = map(self._flatten, [x, *params])
        elements = self.element_distribution(*params)
        return tf.reduce_sum(elements.log_prob(x), axis=-1)

    def _flatten(self, values: tf.Tensor) -> tf.Tensor:
        """Values of all elements in a row, `[..., elements]` or with channels last."""
        leading = keras.ops.shape(values)[: -len(self.event_shape)]
        *outer, last = self.event_shape
        if self.element_ndims:
            return tf.reshape(values, [*leading, math.prod(outer), last])
        return tf.reshape(values, [*leading, math.prod(outer) * last])
