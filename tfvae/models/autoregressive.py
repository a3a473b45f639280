"""Models of exact likelihood, which see of x what comes before."""

import abc
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.inputs import to_array, unzip
from tfvae.layers import AutoregressiveNetwork
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.base import GenerativeModel
from tfvae.models.condition import Condition
from tfvae.signatures import Signature


class AutoregressiveModel(GenerativeModel, abc.ABC):
    """Abstract `p(x) = prod_i p(x_i | x_j before i)`: a likelihood of x given x.

    Where the network has several masks, training takes one after the other, and the
    model is the mixture of all: `p(x) = mean_m p_m(x)`, a mean of probabilities.

    Where the network has a context, the model is `p(x | y)` and takes y beside x: in
    `fit`, `evaluate` and data sets as their target, elsewhere by its name.

    Args:
        likelihood: A `likelihoods.Likelihood` over a network of `kinds`; or the network
            alone, for Bernoulli elements.
        num_classes: Number of classes, where y is a label from 0 for each example; 0
            where y is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    noise = "uniform"
    # The classes of network that a model is made of.
    kinds = (AutoregressiveNetwork,)

    def __init__(self, likelihood, num_classes=0, **kwargs):
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        if not isinstance(likelihood.network, self.kinds):
            names = " or ".join(f"tfvae.layers.{kind.__name__}" for kind in self.kinds)
            expected = f"a likelihood over a {names}"
            checks.fail(expected, error=TypeError, likelihood=likelihood)
        super().__init__(**kwargs)
        self.likelihood, self.network = likelihood, likelihood.network
        context_dim = self.network.context_dim
        shape = (context_dim,) if context_dim else None
        self.condition = Condition("y", shape, num_classes)
        self.num_classes = num_classes
        self.build((None, *self.network.event_shape))

    def build(self, input_shape):
        if not self.built:
            self.likelihood.build(tuple(input_shape))
            self.built = True

    def call(self, inputs, training=False):
        return self._log_prob(*unzip(inputs))

    @property
    def event_shape(self):
        """Shape of one x."""
        return self.network.event_shape

    @property
    def term_names(self):
        """`log_prob`."""
        return ("log_prob",)

    def terms(self, inputs, seed, training=False):
        """See `GenerativeModel.terms`; in training of one mask, in turn."""
        x, y = unzip(inputs)
        if training and self.network.num_masks > 1:
            turn = tf.cast(self.optimizer.iterations, tf.int32) % self.network.num_masks
            log_prob = self._log_prob_of(
                x, self.condition.context(y), turn, training=True
            )
        else:
            log_prob = self._log_prob(x, y, training=training)
        return {"objective": log_prob, "log_prob": log_prob}

    def log_prob(self, x, y=None):
        """`log p(x)` or `log p(x | y)` of each example, `[batch]`, in nats.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.
            y: Where there is a context, labels `[batch]`, vectors `[batch, size]`, or
                one for all.

        Raises:
            TypeError: Where x holds no real numbers, or y no labels.
            ValueError: Where x or y does not fit the model.
        """
        x = self.check_inputs(x)
        return self.run("serving_default", x=x, **self.condition.given(y, len(x)))[
            "log_prob"
        ]

    def sample(self, num_samples, seed=None, y=None):
        """Draws of p(x) or p(x | y), `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            y: As in `log_prob`.

        Raises:
            TypeError: Where an argument is of the wrong kind.
            ValueError: Where `num_samples` is negative, or y does not fit the model.
        """
        return self._sample(num_samples, seed, y)

    def complete(self, x, observed, seed=None, y=None):
        """Draws what is not observed, each element given those before it.

        What is observed later in the order has no say: a draw of `p(x | observed)`
        where all that is observed comes first.

        Args:
            x: Data `[batch, *event_shape]`; it counts where it is observed.
            observed: Booleans that broadcast to the shape of x.
            seed: As in `sample`.
            y: As in `log_prob`.

        Returns:
            A tensor `[batch, *event_shape]`.

        Raises:
            TypeError: Where `observed` holds no booleans, or x no real numbers.
            ValueError: Where x, `observed` or y does not fit the model.
        """
        x = to_array(x)
        observed = checks.booleans(x.shape, observed=observed)
        x = self.check_inputs(np.where(observed, x, 0))
        asked = {"x": x, "observed": observed, "seed": seeds.rows(seed, len(x))}
        return self.run("complete", **asked, **self.condition.given(y, len(x)))["x"]

    def signatures(self):
        """`serving_default` (log_prob), `sample`, `complete`, with y if it counts."""
        x, observed, *y = self._specs()
        seed = tf.TensorSpec([None, 2], tf.int32, name="seed")
        return {
            "serving_default": Signature(
                lambda x, y=None: {"log_prob": self._log_prob(x, y)}, (x, *y)
            ),
            "sample": Signature(
                lambda seed, y=None: {"x": self._generate(self._noise(seed), y)},
                (seed, *y),
            ),
            "complete": Signature(
                lambda x, observed, seed, y=None: {
                    "x": self._generate(self._noise(seed), y, x, observed)
                },
                (x, observed, seed, *y),
            ),
        }

    def lite_signatures(self, batch_size=1):
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        Args:
            batch_size: Rows in one answer of `sample_random`, where there is no y.

        Returns:
            A dict of `Signature`: `log_prob`, `sample(noise)` and
            `complete(x, observed, noise)` for uniform noise, and `sample_random()`;
            each with y where it counts.
        """
        x, observed, *y = self._specs()
        noise = tf.TensorSpec([None, self._noise_dim], tf.float32, name="noise")

        def sample_random(y=None):
            num_rows = batch_size if y is None else keras.ops.shape(y)[0]
            return {
                "x": self._generate(tf.random.uniform([num_rows, self._noise_dim]), y)
            }

        return {
            "log_prob": self.signatures()["serving_default"],
            "sample": Signature(
                lambda noise, y=None: {"x": self._generate(noise, y)}, (noise, *y)
            ),
            "complete": Signature(
                lambda x, observed, noise, y=None: {
                    "x": self._generate(noise, y, x, observed)
                },
                (x, observed, noise, *y),
            ),
            "sample_random": Signature(sample_random, tuple(y), random=True),
        }

    def check_inputs(self, x):
        """See `GenerativeModel.check_inputs`; x is an array or a data set."""
        return self.likelihood.check(x=to_array(x))

    def _specs(self):
        """What x, observed and, if it counts, y are in a signature."""
        shape = [None, *self.event_shape]
        x = tf.TensorSpec(shape, tf.float32, name="x")
        observed = tf.TensorSpec(shape, tf.bool, name="observed")
        return x, observed, *self.condition.specs()

    def _log_prob(self, x, y=None, training=False):
        num_masks, context = self.network.num_masks, self.condition.context(y)
        first = self._log_prob_of(x, context, 0, training)
        if num_masks == 1:
            return first

        def add(i, total):
            log_prob = self._log_prob_of(x, context, i, training)
            return i + 1, tfp.math.log_add_exp(total, log_prob)

        loop = (tf.constant(1), first)
        _, total = tf.while_loop(lambda i, _: i < num_masks, add, loop)
        return total - math.log(num_masks)

    def _log_prob_of(self, x, context, mask_index, training=False):
        params = self.network(x, context, mask_index=mask_index, training=training)
        return self.likelihood.log_density(x, tf.cast(params, tf.float32))

    @property
    def _noise_dim(self):
        """Numbers for each element, and one for the mask."""
        return self.network.dim * self.likelihood.noise_dim + 1

    def _noise(self, seed):
        return seeds.uniform(seed, [tf.shape(seed)[0], self._noise_dim])

    def _generate(self, noise, y=None, x=None, observed=None):
        """Draws from noise, with what is observed in its place."""
        context = self.condition.context(y)
        num_rows, dim = keras.ops.shape(noise)[0], self.network.dim
        shape = [num_rows, dim, self.likelihood.noise_dim]
        for_elements = tf.reshape(noise[:, 1:], shape)
        if observed is not None:
            x, observed = (tf.reshape(a, [num_rows, dim]) for a in (x, observed))

        def choose(i, params):
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
            return drawn[0]
        return tf.gather(tf.stack(drawn, axis=1), mask, batch_dims=1)
