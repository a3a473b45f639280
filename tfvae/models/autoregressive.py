"""Models of exact likelihood, which see of x what comes before."""

import abc
import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.layers import AutoregressiveNetwork
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models import feeding
from tfvae.models.base import GenerativeModel
from tfvae.models.signatures import Signature


class AutoregressiveModel(GenerativeModel, abc.ABC):
    """Abstract `p(x) = prod_i p(x_i | x_j before i)`: a likelihood of x given x.

    Where the network has several masks, training takes one after the other, and the
    model is the mixture of all: `p(x) = mean_m p_m(x)`, a mean of probabilities.

    Args:
        likelihood: A `likelihoods.Likelihood` over a network of `kind`; or the network
            alone, for Bernoulli elements.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # The class of network that a model is made of.
    kind = AutoregressiveNetwork

    def __init__(self, likelihood, **kwargs):
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        expected = f"a likelihood over a tfvae.layers.{self.kind.__name__}"
        if not isinstance(likelihood.network, self.kind):
            checks.fail(expected, error=TypeError, likelihood=likelihood)
        super().__init__(**kwargs)
        self.likelihood, self.network = likelihood, likelihood.network
        self.build((None, *self.network.event_shape))

    def build(self, input_shape):
        if not self.built:
            self.likelihood.build(tuple(input_shape))
            self.built = True

    def call(self, x, training=False):
        return self._log_prob(x)

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
        if training and self.network.num_masks > 1:
            turn = tf.cast(self.optimizer.iterations, tf.int32) % self.network.num_masks
            log_prob = self._log_prob_of(inputs, turn, training=True)
        else:
            log_prob = self._log_prob(inputs, training=training)
        return {"objective": log_prob, "log_prob": log_prob}

    def log_prob(self, x):
        """`log p(x)` of each example, `[batch]`, in nats.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.

        Raises:
            TypeError: Where x holds no real numbers.
            ValueError: Where x does not fit the model.
        """
        return self.run("serving_default", x=self.check_inputs(x))["log_prob"]

    def sample(self, num_samples, seed=None):
        """Draws of p(x), `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.

        Raises:
            TypeError: Where an argument is of the wrong kind.
            ValueError: Where `num_samples` is negative.
        """
        num_samples = checks.integer(minimum=0, num_samples=num_samples)
        return self.run("sample", seed=seeds.rows(seed, num_samples))["x"]

    def complete(self, x, observed, seed=None):
        """Draws what is not observed, each element given those before it.

        What is observed later in the order has no say: a draw of `p(x | observed)`
        where all that is observed comes first.

        Args:
            x: Data `[batch, *event_shape]`; it counts where it is observed.
            observed: Booleans that broadcast to the shape of x.
            seed: As in `sample`.

        Returns:
            A tensor `[batch, *event_shape]`.

        Raises:
            TypeError: Where `observed` holds no booleans, or x no real numbers.
            ValueError: Where x or `observed` does not fit the model.
        """
        x = feeding.to_array(x)
        observed = checks.booleans(x.shape, observed=observed)
        x = self.check_inputs(np.where(observed, x, 0))
        inputs = {"x": x, "observed": observed, "seed": seeds.rows(seed, len(x))}
        return self.run("complete", **inputs)["x"]

    def signatures(self):
        """`serving_default` (log_prob), `sample`, `complete`."""
        shape = [None, *self.event_shape]
        x = tf.TensorSpec(shape, tf.float32, name="x")
        observed = tf.TensorSpec(shape, tf.bool, name="observed")
        seed = tf.TensorSpec([None, 2], tf.int32, name="seed")
        return {
            "serving_default": Signature(
                lambda x: {"log_prob": self._log_prob(x)}, (x,)
            ),
            "sample": Signature(
                lambda seed: {"x": self._generate(self._noise(seed))}, (seed,)
            ),
            "complete": Signature(
                lambda x, observed, seed: {
                    "x": self._generate(self._noise(seed), x, observed)
                },
                (x, observed, seed),
            ),
        }

    def lite_signatures(self, batch_size=1):
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        Args:
            batch_size: Rows in one answer of `sample_random`.

        Returns:
            A dict of `Signature`: `log_prob`, `sample(noise)` and
            `complete(x, observed, noise)` for uniform noise, and `sample_random()`.
        """
        both = self.signatures()
        noise = tf.TensorSpec([None, self._noise_dim], tf.float32, name="noise")
        x, observed, _ = both["complete"].inputs
        shape = [batch_size, self._noise_dim]
        return {
            "log_prob": both["serving_default"],
            "sample": Signature(lambda noise: {"x": self._generate(noise)}, (noise,)),
            "complete": Signature(
                lambda x, observed, noise: {"x": self._generate(noise, x, observed)},
                (x, observed, noise),
            ),
            "sample_random": Signature(
                lambda: {"x": self._generate(tf.random.uniform(shape))}, ()
            ),
        }

    def check_inputs(self, x):
        """See `GenerativeModel.check_inputs`; x is an array or a data set."""
        return self.likelihood.check(x=feeding.to_array(x))

    def _log_prob(self, x, training=False):
        num_masks = self.network.num_masks
        first = self._log_prob_of(x, 0, training)
        if num_masks == 1:
            return first

        def add(i, total):
            log_prob = self._log_prob_of(x, i, training)
            return i + 1, tfp.math.log_add_exp(total, log_prob)

        loop = (tf.constant(1), first)
        _, total = tf.while_loop(lambda i, _: i < num_masks, add, loop)
        return total - math.log(num_masks)

    def _log_prob_of(self, x, mask_index, training=False):
        params = self.network(x, mask_index=mask_index, training=training)
        return self.likelihood.log_density(x, tf.cast(params, tf.float32))

    @property
    def _noise_dim(self):
        """Numbers for each element, and one for the mask."""
        return self.network.dim * self.likelihood.noise_size + 1

    def _noise(self, seed):
        return seeds.uniform(seed, [tf.shape(seed)[0], self._noise_dim])

    def _generate(self, noise, x=None, observed=None):
        """Draws from noise, with what is observed in its place."""
        num_rows, dim = keras.ops.shape(noise)[0], self.network.dim
        shape = [num_rows, dim, self.likelihood.noise_size]
        for_elements = tf.reshape(noise[:, 1:], shape)
        if observed is not None:
            x, observed = (tf.reshape(a, [num_rows, dim]) for a in (x, observed))

        def choose(i, params):
            value = self.likelihood.from_noise(for_elements[:, i], params)
            return value if x is None else tf.where(observed[:, i], x[:, i], value)

        num_masks = self.network.num_masks
        mask = tf.cast(noise[:, 0] * num_masks, tf.int32)
        if num_masks == 1:
            return self.network.generate(choose, num_rows)
        # A loop of loops is more than TFLite's converter can do.
        drawn = [self.network.generate(choose, num_rows, i) for i in range(num_masks)]
        return tf.gather(tf.stack(drawn, axis=1), mask, batch_dims=1)
