"""What every latent-variable model can be asked, in Python and where it is served."""

import abc

import numpy as np
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.inputs import is_stream, to_arrays
from tfvae.metrics.marginal import log_marginal
from tfvae.models.base import GenerativeModel
from tfvae.objectives import ELBO
from tfvae.signatures import Signature


class LatentVariableModel(GenerativeModel, abc.ABC):
    """Abstract `p(x, z | u) = p(x | z) p(z | u)`, where u may be nothing.

    A subclass gives `likelihood`, `prior`, `latent_dim`, `event_shape`, `center` and
    `log_densities`. Where the prior has a u, methods take it beside x: a label or an
    array for each example, or one for all.
    """

    @abc.abstractmethod
    def center(self, x, u=None, training=False):
        """Center of the posterior, `[batch, latent]`, of tensors x and u."""

    @abc.abstractmethod
    def log_densities(self, inputs, seed, num_samples=1, training=False):
        """Log-densities of draws of z, from which every bound is reduced.

        Args:
            inputs: Data `[batch, *event_shape]`, or a pair of it and u.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            num_samples: Draws of z for each example; 1 with rows of seeds.
            training: Passed on to the networks.

        Returns:
            `LogDensities` in nats.
        """

    def encode(self, x, u=None):
        """Center of `q(z | x)`, of a Gaussian its mean, `[batch, latent]`.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it, with u where there is
                one.
            u: Labels `[batch]`, arrays `[batch, *context_shape]`, or one for all.

        Raises:
            TypeError: Where x holds no real numbers, or u no labels.
            ValueError: Where x or u does not fit the model.
        """
        return self.run("encode", **self.check_data(x, u))["z"]

    def decode(self, z):
        """Mean of `p(x | z)`, `[batch, *event_shape]`.

        Args:
            z: Latents `[batch, latent]`.

        Raises:
            TypeError: Where z holds no real numbers.
            ValueError: Where z does not fit the model.
        """
        self._check_built()
        return self.run("decode", z=checks.array((self.latent_dim,), z=z))["x"]

    def reconstruct(self, x, u=None):
        """`decode(encode(x))`, `[batch, *event_shape]`. Arguments as in `encode`."""
        return self.run("serving_default", **self.check_data(x, u))["x"]

    def attribute_vector(self, x, y=None, u=None):
        """Where an attribute lies in latent space: to add it, `decode(z + vector)`.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of pairs of x and y.
            y: Whether an example has the attribute: booleans, or 0 and 1, `[batch]`.
            u: As in `encode`.

        Returns:
            An array `[latent]`: the mean z of those with it, less that of the others.

        Raises:
            TypeError: Where x holds no real numbers or y no labels.
            ValueError: Where they do not fit, or all have it or none.

        References:
            Larsen et al., Autoencoding beyond pixels using a learned similarity metric,
            2016, https://arxiv.org/abs/1512.09300
        """
        if is_stream(x):  # in one pass: its order may change
            stream, (x, y) = x, to_arrays(x)
            if y is None:
                checks.fail("a data set of pairs", error=TypeError, x=stream)
        z, y = np.asarray(self.encode(x, u)), np.asarray(y)
        y = checks.labels(2, len(z), y=y.astype("int32") if y.dtype == bool else y)
        if y.min() == y.max():
            checks.fail("0 for some and 1 for others", y=f"{y[0]} for all")
        return z[y == 1].mean(axis=0) - z[y == 0].mean(axis=0)

    def sample(self, num_samples, seed=None, u=None):
        """Means of `p(x | z)` for z of the prior, `[num_samples, *event_shape]`.

        For x with the noise of the likelihood on top, draw
        `model.likelihood(z).sample()` with z from `model.prior`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            u: As in `encode`.

        Raises:
            TypeError: Where an argument is of the wrong kind.
            ValueError: Where `num_samples` is negative, or u does not fit the model.
        """
        self._check_built()
        return self._sample(num_samples, seed, u)

    def elbo(self, x, u=None, *, seed=None):
        """One-sample estimate of the ELBO, `[batch]`, in nats.

        Args:
            x: Data, as in `encode`.
            u: As in `encode`.
            seed: As in `sample`.

        Raises:
            TypeError: Where x holds no real numbers, or u no labels.
            ValueError: Where x or u does not fit the model.
        """
        data = self.check_data(x, u)
        return self.run("elbo", **data, seed=seeds.rows(seed, len(data["x"])))["elbo"]

    def log_marginal(self, x, num_samples=1000, *, seed=None, u=None):
        """Importance-sampled `log p(x)`, of u `log p(x | u)`, `[batch]`, in nats.

        See `metrics.log_marginal`.
        """
        data = tuple(self.check_data(x, u).values())
        return log_marginal(self, data, num_samples, seed=seed)

    def signatures(self):
        """`serving_default` (reconstruct), `encode`, `decode`, `sample`, `elbo`.

        Where there is a u, they take it too, and `prior(u)` gives `loc` and `scale`.
        """
        self._check_built()
        x = tf.TensorSpec([None, *self.event_shape], tf.float32, name="x")
        z = tf.TensorSpec([None, self.latent_dim], tf.float32, name="z")
        seed = tf.TensorSpec([None, 2], tf.int32, name="seed")
        u = self.condition.specs()
        prior = {"prior": Signature(self._prior_params, (*u,))} if u else {}
        return prior | {
            "serving_default": Signature(self._reconstruct, (x, *u)),
            "encode": Signature(lambda x, u=None: {"z": self.center(x, u)}, (x, *u)),
            "decode": Signature(lambda z: {"x": self.likelihood(z).mean()}, (z,)),
            "sample": Signature(self._sample_rows, (*u, seed)),
            "elbo": Signature(self._elbo_rows, (x, *u, seed)),
        }

    def lite_signatures(self, batch_size=1):
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        Args:
            batch_size: Images in one answer of `sample_random`, where there is no u.

        Returns:
            A dict of `Signature`: `encode`, `decode`, `sample(noise)` and
            `sample_random()`, with u where there is one, and then `prior(u)` too.
        """
        whole, u = self.signatures(), self.condition.specs()
        noise_dim = self.prior.noise_dim
        noise = tf.TensorSpec([None, noise_dim], tf.float32, name="noise")

        def sample_random(u=None):
            num_rows = batch_size if u is None else tf.shape(u)[0]
            return self._sample_from_noise(tf.random.normal([num_rows, noise_dim]), u)

        names = ["encode", "decode", *(["prior"] if u else [])]
        return {name: whole[name] for name in names} | {
            "sample": Signature(self._sample_from_noise, (noise, *u)),
            "sample_random": Signature(sample_random, (*u,), random=True),
        }

    def _reconstruct(self, x, u=None):
        return {"x": self.likelihood(self.center(x, u)).mean()}

    def _prior_params(self, u):
        loc, scale = self.prior.params(self.condition.context(u))
        return {"loc": loc, "scale": scale}

    def _sample_from_noise(self, noise, u=None):
        z = self.prior.from_noise(noise, self.condition.context(u))
        return {"x": self.likelihood(z).mean()}

    def _sample_rows(self, seed, u=None):
        noise = seeds.normal(seed, [tf.shape(seed)[0], self.prior.noise_dim])
        return self._sample_from_noise(noise, u)

    def _elbo_rows(self, x, seed, u=None):
        inputs = x if u is None else (x, u)
        return {"elbo": ELBO()(self.log_densities(inputs, seed))["elbo"]}
