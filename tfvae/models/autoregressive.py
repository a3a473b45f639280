"""Models of exact likelihood, which see the elements of x before each element."""

import abc
import functools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.inputs import SEED, Context, Input, Inputs, condition, to_arrays
from tfvae.layers import AutoregressiveNetwork
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.base import GenerativeModel
from tfvae.signatures import Outputs, Signature
from tfvae.training.players import Player


class AutoregressiveModel(GenerativeModel, abc.ABC):
    """Abstract `p(x) = prod_i p(x_i | x_j before i)`: a likelihood of x given x.

    If the network has several masks, training takes one after the other, and the model
    is the mixture of all: `p(x) = mean_m p_m(x)`, a mean of probabilities.

    If the network has a context, the model is `p(x | y)` and takes y beside x: in
    `fit`, `evaluate` and data sets as the target of x, elsewhere by its name.

    Arguments as in `MADE`.
    """

    monitor = "log_prob"

    @property
    @abc.abstractmethod
    def kinds(self) -> tuple[type[AutoregressiveNetwork], ...]:
        """Classes of network that a model is made of."""

    def __init__(
        self,
        likelihood: Likelihood | AutoregressiveNetwork,
        num_classes: int = 0,
        **kwargs: Any,
    ):
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        if not isinstance(likelihood.network, self.kinds):
            names = " or ".join(f"tfvae.layers.{kind.__name__}" for kind in self.kinds)
            expected = f"a likelihood over a {names}"
            checks.fail(expected, error=TypeError, likelihood=likelihood)
        if likelihood.element_ndims:
            expected = "one of single elements: the network orders the channels itself"
            checks.fail(expected, likelihood=likelihood)
        super().__init__(("loss", "log_prob"), **kwargs)
        self.likelihood, self.network = likelihood, likelihood.network
        shape = (self.network.context_dim,) if self.network.context_dim else None
        self._condition = condition("y", shape, num_classes)
        self.num_classes = num_classes
        self.build((None, *self.network.event_shape))

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        self.likelihood.build((None, *event_shape))

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        return self._log_prob(*self.inputs.unpack(inputs))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one x."""
        return self.network.event_shape

    def make_inputs(self) -> Inputs:
        """The table of x, observed, seed, noise, and y if there is a context."""
        shape = tuple(self.event_shape)
        # Numbers for each element, and one for the mask.
        noise_dim = self.network.dim * self.likelihood.noise_dim + 1
        meaning = "which elements of x are given"
        return Inputs(
            self.likelihood.input(),
            Input("observed", shape, tf.bool, masks="x", meaning=meaning),
            SEED,
            Input("noise", (noise_dim,), low=0.0, high=1.0, meaning="uniform noise"),
            condition=self._condition,
        )

    @functools.cached_property
    def players(self) -> tuple[Player, ...]:
        """The model itself, down the negative log-density."""
        return (Player("", (self,), "loss"),)

    def terms(self, inputs: Any, seed: tf.Tensor, training: bool = False) -> Outputs:
        """See `Trainable.terms`; training takes one mask after the other."""
        x, context = self.inputs.unpack(inputs)
        if training and self.network.num_masks > 1:
            mask = tf.cast(self.optimizer.iterations, tf.int32) % self.network.num_masks
            log_prob = self._log_prob_by_mask(x, context, mask, training=True)
        else:
            log_prob = self._log_prob(x, context, training=training)
        return {"loss": -log_prob, "log_prob": log_prob}

    def log_prob(self, x: Any, y: Any = None) -> tf.Tensor:
        """`log p(x)` or `log p(x | y)` of each example, `[batch]`, in nats.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.
            y: If there is a context, labels `[batch]`, vectors `[batch, size]`, or one
                for all.
        """
        return self.answers("serving_default", "log_prob", x, y)

    def sample(self, num_samples: int, seed: Any = None, y: Any = None) -> tf.Tensor:
        """Draws of p(x) or `p(x | y)`, `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            y: As in `log_prob`.
        """
        return self._sample(num_samples, seed, y)

    def complete(
        self, x: Any, observed: Any, seed: Any = None, y: Any = None
    ) -> tf.Tensor:
        """Draws what is not observed, each element given those before it.

        Elements observed later in the order have no say: the result is a draw of
        `p(x | observed)` if all observed elements come first.

        Args:
            x: Data `[batch, *event_shape]`; it counts where it is observed.
            observed: Booleans that broadcast to the shape of x.
            seed: As in `sample`.
            y: As in `log_prob`.

        Returns:
            A tensor `[batch, *event_shape]`.
        """
        if y is None:
            x, y = to_arrays(x)
        x = checks.real(x=x)
        observed = checks.booleans(x.shape, observed=observed)
        inputs = self.check_data(np.where(observed, x, 0), y)
        inputs |= {"observed": observed, "seed": seeds.rows(seed, len(x))}
        return self.call_signature("complete", **inputs)["x"]

    def from_noise(
        self, noise: tf.Tensor, context: Context, x: Any = None, observed: Any = None
    ) -> Outputs:
        """See `GenerativeModel`; with what is observed of x in its place."""
        num_rows, dim = keras.ops.shape(noise)[0], self.network.dim
        shape = [num_rows, dim, self.likelihood.noise_dim]
        for_elements = tf.reshape(noise[:, 1:], shape)
        if observed is not None:
            x, observed = (tf.reshape(a, [num_rows, dim]) for a in (x, observed))

        def choose(i: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
            value = self.likelihood.from_noise(for_elements[:, i], params)
            return value if x is None else tf.where(observed[:, i], x[:, i], value)

        num_masks = self.network.num_masks
        mask = tf.cast(noise[:, 0] * num_masks, tf.int32)
        # As no constant it keeps TFLite's converter from storing the weights anew in
        # the order of each mask.
        zero = tf.reduce_sum(tf.cast(noise[:1, 0] > math.inf, tf.int32))
        # A loop of loops is more than that converter can do.
        drawn = [
            self.network.generate(choose, num_rows, context, zero + i)
            for i in range(num_masks)
        ]
        if num_masks == 1:
            return {"x": drawn[0]}
        return {"x": tf.gather(tf.stack(drawn, axis=1), mask, batch_dims=1)}

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` (log_prob), `sample`, `complete`, with y if it counts."""
        noise = self.inputs["noise"]

        def log_prob(x: tf.Tensor, context: Context) -> Outputs:
            return {"log_prob": self._log_prob(x, context)}

        def complete(
            x: tf.Tensor, observed: tf.Tensor, seed: tf.Tensor, context: Context
        ) -> Outputs:
            uniform = seeds.uniform(seed, [tf.shape(seed)[0], *noise.shape])
            return self.from_noise(uniform, context, x, observed)

        return {
            "serving_default": self.entry(log_prob, "x"),
            "sample": self._sample_signature(),
            "complete": self.entry(complete, "x", "observed", "seed"),
        }

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `log_prob`, `complete` and `sample`, or none."""
        if not self.network.fits_tflite:
            return {}
        return {
            "log_prob": self.signatures()["serving_default"],
            "complete": self.entry(self.from_noise, "x", "observed", "noise"),
            **self._lite_sample_signatures(batch_size),
        }

    def _log_prob(
        self, x: tf.Tensor, context: Context, training: bool = False
    ) -> tf.Tensor:
        num_masks = self.network.num_masks
        first = self._log_prob_by_mask(x, context, 0, training)
        if num_masks == 1:
            return first

        def add(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            log_prob = self._log_prob_by_mask(x, context, i, training)
            return i + 1, tfp.math.log_add_exp(total, log_prob)

        loop = (tf.constant(1), first)
        _, total = tf.while_loop(lambda i, _: i < num_masks, add, loop)
        return total - math.log(num_masks)

    def _log_prob_by_mask(
        self, x: tf.Tensor, context: Context, mask_index: Any, training: bool = False
    ) -> tf.Tensor:
        params = self.network(x, context, mask_index=mask_index, training=training)
        return self.likelihood.log_density(x, tf.cast(params, tf.float32))
