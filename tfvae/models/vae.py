"""The variational autoencoder."""

import warnings

import keras
import tensorflow as tf

from tfvae import checks, flows, seeds
from tfvae.config import register
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.metrics.marginal import log_marginal
from tfvae.models import feeding
from tfvae.models.base import GenerativeModel
from tfvae.models.signatures import Signature
from tfvae.objectives import ELBO, LogDensities, Objective, exact_kl
from tfvae.posteriors import MeanField, Posterior
from tfvae.priors import Prior, StandardNormal


@register
class VAE(GenerativeModel):
    """Variational autoencoder: `p(x) = integral of p(x | z) p(z) dz`, and `q(z | x)`.

    Trained by maximising the objective, a bound on `log p(x)` in nats per example.
    `model(x)` and `predict` give the mean of `p(x | z)` at the center of `q(z | x)`.

    Args:
        posterior: A `Posterior`, or an encoder network, taken as
            `posteriors.MeanField(encoder, latent_dim)`.
        likelihood: A `Likelihood`, or a decoder network, taken as
            `likelihoods.Bernoulli(decoder)`.
        prior: A `Prior`; `priors.StandardNormal` when left out.
        objective: An `Objective`; `objectives.ELBO()` when left out.
        latent_dim: Size of z; needed with an encoder network only.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: Data `[batch, *event_shape]`.

    Raises:
        TypeError: Where a part is of the wrong kind.
        ValueError: Where parts do not fit each other.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> model.compile("adam")
        >>> x = np.zeros([32, 8, 8, 1])
        >>> sorted(model.fit(x, verbose=0).history)
        ['elbo', 'kl', 'loss', 'reconstruction']
        >>> model.sample(5).shape
        TensorShape([5, 8, 8, 1])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        https://arxiv.org/abs/1312.6114
    """

    def __init__(
        self,
        posterior,
        likelihood,
        *,
        prior=None,
        objective=None,
        latent_dim=None,
        **kwargs,
    ):
        if not isinstance(posterior, Posterior):
            posterior = MeanField(posterior, latent_dim)
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        if latent_dim not in (None, posterior.latent_dim):
            expected = f"{posterior.latent_dim}, as in `posterior`"
            checks.fail(expected, latent_dim=latent_dim)
        prior = StandardNormal(posterior.latent_dim) if prior is None else prior
        objective = ELBO() if objective is None else objective
        checks.instance(Prior, "a tfvae prior", prior=prior)
        checks.instance(Objective, "a tfvae objective", objective=objective)
        if prior.latent_dim != posterior.latent_dim:
            expected = f"a prior of {posterior.latent_dim} latents, as in `posterior`"
            checks.fail(expected, prior=prior)
        checks.apart(posterior=posterior, likelihood=likelihood, prior=prior)
        self._terms = ("elbo", "reconstruction", "kl", *objective.schedules)
        super().__init__(**kwargs)
        self.posterior, self.likelihood = posterior, likelihood
        self.prior, self.objective = prior, objective
        self.latent_dim = posterior.latent_dim
        self._build_early()

    def build(self, input_shape):
        self.posterior.build(input_shape)
        self.likelihood.build((None, self.latent_dim))
        self.prior.build((None, self.latent_dim))
        if self.event_shape != tuple(input_shape[1:]):
            raise ValueError(
                f"`likelihood` must be of x of shape {list(input_shape[1:])}. "
                f"Received: a decoder for shape {list(self.event_shape)}."
            )
        self.built = True

    def call(self, x, training=False):
        z = self.posterior.center(x, training=training)
        return self.likelihood(z, training=training).mean()

    @property
    def event_shape(self):
        """Shape of one x; None until the model is built."""
        return self.likelihood.event_shape

    @property
    def term_names(self):
        """`elbo`, `reconstruction`, `kl`, and the objective's schedules."""
        return self._terms

    def terms(self, inputs, seed, training=False):
        """See `GenerativeModel.terms`; `elbo` is at beta = 1 whatever the objective."""
        step = self.optimizer.iterations if self.optimizer else 0
        num_samples = self.objective.num_samples
        densities = self.log_densities(inputs, seed, num_samples, training=training)
        terms = self.objective(densities, step)
        scheduled = {
            name: tf.fill(tf.shape(inputs)[:1], tf.cast(schedule(step), tf.float32))
            for name, schedule in self.objective.schedules.items()
        }
        return terms | scheduled

    def log_densities(self, x, seed, num_samples=1, training=False):
        """Log-densities of draws of z, from which every bound is reduced.

        Args:
            x: Data `[batch, *event_shape]`.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            num_samples: Draws of z for each example; 1 with rows of seeds.
            training: Passed on to the networks.

        Returns:
            `LogDensities` in nats.
        """
        q, p_z = self.posterior(x, training=training), self.prior()
        batch_size, noise_dim = keras.ops.shape(x)[0], self.posterior.noise_dim
        noise = seeds.normal(seed, [num_samples, batch_size, noise_dim])
        with flows.one_pass():
            z, log_q = self.posterior.from_noise(q, noise)
            log_p = p_z.log_prob(z)
        log_likelihood = self.likelihood.log_prob(x, z, training=training)
        kl = exact_kl(q, p_z)
        return LogDensities(log_likelihood, log_p, log_q, kl, self.latent_dim)

    def encode(self, x):
        """Center of `q(z | x)`, of a Gaussian its mean, `[batch, latent]`.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.

        Raises:
            TypeError: Where x holds no real numbers.
            ValueError: Where x does not fit the model.
        """
        return self.run("encode", x=self.check_inputs(x))["z"]

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

    def reconstruct(self, x):
        """`decode(encode(x))`, `[batch, *event_shape]`. Arguments as in `encode`."""
        return self.run("serving_default", x=self.check_inputs(x))["x"]

    def sample(self, num_samples, seed=None):
        """Means of `p(x | z)` for z of the prior, `[num_samples, *event_shape]`.

        For x with the noise of the likelihood on top, draw
        `model.likelihood(z).sample()` with z from `model.prior()`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.

        Raises:
            TypeError: Where an argument is of the wrong kind.
            ValueError: Where `num_samples` is negative.
        """
        self._check_built()
        num_samples = checks.integer(minimum=0, num_samples=num_samples)
        return self.run("sample", seed=seeds.rows(seed, num_samples))["x"]

    def elbo(self, x, seed=None):
        """One-sample estimate of the ELBO, `[batch]`, in nats.

        Args:
            x: Data, as in `encode`.
            seed: As in `sample`.

        Raises:
            TypeError: Where x holds no real numbers.
            ValueError: Where x does not fit the model.
        """
        x = self.check_inputs(x)
        return self.run("elbo", x=x, seed=seeds.rows(seed, len(x)))["elbo"]

    def log_marginal(self, x, num_samples=1000, seed=None):
        """Importance-sampled `log p(x)`, `[batch]`: see `metrics.log_marginal`."""
        return log_marginal(self, x, num_samples, seed=seed)

    def signatures(self):
        """`serving_default` (reconstruct), `encode`, `decode`, `sample`, `elbo`."""
        self._check_built()
        x = tf.TensorSpec([None, *self.event_shape], tf.float32, name="x")
        z = tf.TensorSpec([None, self.latent_dim], tf.float32, name="z")
        seed = tf.TensorSpec([None, 2], tf.int32, name="seed")
        return {
            "serving_default": Signature(lambda x: {"x": self.call(x)}, (x,)),
            "encode": Signature(lambda x: {"z": self.posterior.center(x)}, (x,)),
            "decode": Signature(lambda z: {"x": self.likelihood(z).mean()}, (z,)),
            "sample": Signature(self._sample_rows, (seed,)),
            "elbo": Signature(self._elbo_rows, (x, seed)),
        }

    def lite_signatures(self, batch_size=1):
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        Args:
            batch_size: Images in one answer of `sample_random`.

        Returns:
            A dict of `Signature`: `encode`, `decode`, `sample(noise)` and
            `sample_random()`.
        """
        both = self.signatures()
        shape = [batch_size, self.latent_dim]
        noise = tf.TensorSpec([None, self.latent_dim], tf.float32, name="noise")
        return {
            "encode": both["encode"],
            "decode": both["decode"],
            "sample": Signature(self._sample_from_noise, (noise,)),
            "sample_random": Signature(
                lambda: self._sample_from_noise(tf.random.normal(shape)),
                (),
                random=True,
            ),
        }

    def check_inputs(self, x):
        """See `GenerativeModel.check_inputs`; x is an array or a data set."""
        x = feeding.to_array(x)
        if not self.built:
            checks.array(x.shape[1:], x=x)
            self.build((None, *x.shape[1:]))
        return self.likelihood.check(x=x)

    def finish_fit(self):
        """Warns where training ended in the middle of a KL warm-up."""
        for name, schedule in self.objective.schedules.items():
            last, limit = (float(schedule(i)) for i in (self.optimizer.iterations, 1e9))
            if last < limit:
                warnings.warn(
                    f"Training ended with {name}={last:.3g}, before its schedule "
                    f"reached {limit:.3g}: the objective was not the one asked for.",
                    stacklevel=3,
                )

    def _build_early(self):
        shape = getattr(self.posterior.encoder, "input_shape", None)
        if isinstance(shape, tuple) and None not in shape[1:]:
            self.build((None, *shape[1:]))

    def _check_built(self):
        if not self.built:
            raise ValueError(
                "The model must be built first. Received: an encoder of unknown input "
                "shape. Call the model on data, or model.build((None, *event_shape))."
            )

    def _sample_from_noise(self, noise):
        return {"x": self.likelihood(self.prior.from_noise(noise)).mean()}

    def _sample_rows(self, seed):
        noise = seeds.normal(seed, [tf.shape(seed)[0], self.latent_dim])
        return self._sample_from_noise(noise)

    def _elbo_rows(self, x, seed):
        terms = ELBO()(self.log_densities(x, seed))
        return {"elbo": terms["elbo"]}
