"""The variational autoencoder."""

import warnings

import keras
import tensorflow as tf

from tfvae import checks, flows, seeds
from tfvae.config import register
from tfvae.inputs import unzip
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.condition import Condition
from tfvae.models.latent import LatentVariableModel
from tfvae.objectives import ELBO, LogDensities, Objective, exact_kl
from tfvae.posteriors import MeanField, Posterior
from tfvae.priors import Prior, StandardNormal


@register
class VAE(LatentVariableModel):
    """Variational autoencoder: `p(x) = integral of p(x | z) p(z) dz`, and `q(z | x)`.

    With a `priors.ConditionalPrior` it is `p(x | u) = integral of p(x | z) p(z | u) dz`
    and takes u beside x, see `IVAE`.

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
        x: Data `[batch, *event_shape]`, or a pair of it and u.

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
        if posterior.is_joint and prior.context_shape is None:
            expected = "of an encoder of x alone, or the prior one of z given u"
            checks.fail(expected, posterior=posterior)
        if objective.needs_labels and not prior.num_classes:
            checks.fail(
                "one that needs no labels u: the model has none", objective=objective
            )
        checks.apart(posterior=posterior, likelihood=likelihood, prior=prior)
        self._terms = (*objective.term_names, *objective.schedules)
        super().__init__(**kwargs)
        self.condition = Condition("u", prior.context_shape, prior.num_classes)
        self.posterior, self.likelihood = posterior, likelihood
        self.prior, self.objective = prior, objective
        self.latent_dim = posterior.latent_dim
        self._build_early()

    def build(self, input_shape):
        if isinstance(input_shape[0], (tuple, list)):  # of x and u
            input_shape = input_shape[0]
        self.posterior.build(
            self.posterior_inputs(input_shape, (None, *(self.condition.shape or ())))
        )
        self.likelihood.build((None, self.latent_dim))
        self.prior.build((None, self.latent_dim))
        if self.event_shape != tuple(input_shape[1:]):
            raise ValueError(
                f"`likelihood` must be of x of shape {list(input_shape[1:])}. "
                f"Received: a decoder for shape {list(self.event_shape)}."
            )
        self.built = True

    def call(self, x, training=False):
        z = self.center(*unzip(x), training=training)
        return self.likelihood(z, training=training).mean()

    def center(self, x, u=None, training=False):
        """See `LatentVariableModel`."""
        inputs = self.posterior_inputs(x, self.condition.context(u))
        return self.posterior.center(inputs, training=training)

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
            name: tf.fill(
                tf.shape(densities.log_prior)[1:], tf.cast(schedule(step), tf.float32)
            )
            for name, schedule in self.objective.schedules.items()
        }
        return terms | scheduled

    def posterior_params(self, x, u=None):
        """Parameters of q, `[batch, params]`, for `posterior.distribution`."""
        x = tf.convert_to_tensor(x)
        return self.posterior.params(
            self.posterior_inputs(x, self.condition.context(u))
        )

    def log_densities(self, inputs, seed, num_samples=1, training=False):
        """See `LatentVariableModel`."""
        x, u = unzip(inputs)
        context = self.condition.context(u)
        q, p_z, z, log_q, log_p = self._draw(x, context, seed, num_samples, training)
        log_likelihood = self.likelihood.log_prob(x, z, training=training)
        is_labelled = self.condition.num_classes > 0
        return LogDensities(
            log_likelihood,
            log_p,
            log_q,
            exact_kl(q, p_z),
            self.latent_dim,
            z,
            q,
            self.prior.log_label(z, context) if is_labelled else None,
        )

    def check_inputs(self, x):
        """See `GenerativeModel.check_inputs`; x is an array or a data set."""
        return self.likelihood.check(x=self._as_array(x))

    def finish_fit(self):
        """Warns where training ended in the middle of a KL warm-up."""
        for name, schedule in self.objective.schedules.items():
            last, limit = (float(schedule(i)) for i in (self.optimizer.iterations, 1e9))
            if last != limit:
                warnings.warn(
                    f"Training ended with {name}={last:.3g}, before its schedule "
                    f"reached {limit:.3g}: the objective was not the one asked for.",
                    stacklevel=3,
                )

    def _build_early(self):
        self._build_for(getattr(self.posterior.encoder, "input_shape", None))

    def _draw(self, x, context, seed, num_samples, training):
        """The distributions q and p of z, z of q, and its log-densities by both."""
        q = self.posterior(self.posterior_inputs(x, context), training=training)
        p_z = self.prior(context)
        batch_size, noise_dim = keras.ops.shape(x)[0], self.posterior.noise_dim
        noise = seeds.normal(seed, [num_samples, batch_size, noise_dim])
        with flows.one_pass():
            z, log_q = self.posterior.from_noise(q, noise)
            return q, p_z, z, log_q, p_z.log_prob(z)

    def posterior_inputs(self, x, context):
        """What the posterior sees of them; of shapes likewise."""
        return (x, context) if self.posterior.is_joint else x
