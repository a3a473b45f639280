"""Models with one level of latents: three parts, each a layer of its own."""

import abc
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.conditional import Draw, LatentDistribution
from tfvae.inputs import Context, Inputs
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.base import check_apart
from tfvae.models.latent import LatentVariableModel
from tfvae.objectives import LogDensities, exact_kl
from tfvae.posteriors import MeanField
from tfvae.priors import StandardNormal
from tfvae.signatures import Signature

tfd = tfp.distributions


class OneLevelModel(LatentVariableModel, abc.ABC):
    """Abstract model of a posterior, a likelihood and a prior that share no layer.

    Arguments as in `VAE`, with the `report_names` of `GenerativeModel`.
    """

    def __init__(
        self,
        posterior: Any,
        likelihood: Any,
        report_names: tuple[str, ...],
        prior: LatentDistribution | None,
        latent_dim: PositiveInt | None,
        **kwargs: Any,
    ):
        if not isinstance(posterior, LatentDistribution):
            posterior = MeanField(posterior, latent_dim)
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        if latent_dim not in (None, posterior.latent_dim):
            expected = f"{posterior.latent_dim}, as in `posterior`"
            checks.fail(expected, latent_dim=latent_dim)
        prior = StandardNormal(posterior.latent_dim) if prior is None else prior
        checks.instance(LatentDistribution, "a tfvae prior", prior=prior)
        if prior.latent_dim != posterior.latent_dim:
            expected = f"a prior of {posterior.latent_dim} latents, as in `posterior`"
            checks.fail(expected, prior=prior)
        if posterior.takes_context and prior.condition is None:
            expected = "of an encoder of x alone, or the prior one of z given u"
            checks.fail(expected, posterior=posterior)
        check_apart(posterior=posterior, likelihood=likelihood, prior=prior)
        super().__init__(report_names, **kwargs)
        self.posterior, self.likelihood, self.prior = posterior, likelihood, prior
        self.noise_dim = posterior.noise_dim

    def make_inputs(self) -> Inputs:
        """The table of x, z, seed, noise, and u if there is one."""
        u = self.prior.condition
        return Inputs(*self._latent_inputs(), condition=u, condition_name="u")

    def sample(self, num_samples: int, seed: Any = None, u: Any = None) -> tf.Tensor:
        """Means of `p(x | z)` for z of the prior, `[num_samples, *event_shape]`.

        For x with the noise of the likelihood on top, draw
        `model.likelihood(z).sample()` with z from `model.prior`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            u: As in `encode`.
        """
        self._check_built()
        return self._sample(num_samples, seed, u)

    def reconstruct(self, x: Any, u: Any = None) -> tf.Tensor:
        """`decode(encode(x))`, `[batch, *event_shape]`. Arguments as in `encode`."""
        return self.answers("serving_default", "x", x, u)

    def p_x(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """See `LatentVariableModel`."""
        return self.likelihood(z, training=training)

    def log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """See `LatentVariableModel`."""
        return self.likelihood.log_prob(x, z, training=training)

    def draw(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> Draw:
        """See `LatentVariableModel`."""
        inputs = self.posterior_inputs(x, context)
        params = self.posterior.params(inputs, training=training)
        return self.posterior.from_noise(params, noise)

    def center(
        self, x: tf.Tensor, context: Context, training: bool = False
    ) -> tf.Tensor:
        """See `LatentVariableModel`."""
        inputs = self.posterior_inputs(x, context)
        return self.posterior.center(inputs, training=training)

    def densities(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> LogDensities:
        """See `LatentVariableModel`."""
        densities = self._latent_densities(x, context, noise, training)
        log_likelihood = self.log_likelihood(x, densities.z, training)
        return densities._replace(log_likelihood=log_likelihood)

    def posterior_params(self, inputs: Any) -> tf.Tensor:
        """Parameters of q, `[batch, params]`, for x or a pair of x and u."""
        return self.posterior.params(self.posterior_inputs(*self.inputs.unpack(inputs)))

    def posterior_inputs(self, x: Any, context: Any) -> Any:
        """Input of the posterior: `x`, or `(x, context)`. Works on shapes too."""
        return (x, context) if self.posterior.takes_context else x

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `encode`, `decode`, `sample`, and `prior` given u."""
        whole = self._latent_signatures()
        lite = {n: whole[n] for n in ("encode", "decode", "prior") if n in whole}
        return lite | self._lite_sample_signatures(batch_size)

    def _build_latents(self, event_shape: tuple[int, ...]) -> None:
        u = self.prior.condition
        context = None if u is None else (None, *u.context_shape)
        self.prior.build(context)
        self.posterior.build(self.posterior_inputs((None, *event_shape), context))
        self.likelihood.build((None, self.latent_dim))
        self._check_shape(event_shape)

    def _latent_densities(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool
    ) -> LogDensities:
        """Draws of z with their densities, before the decoder has seen them."""
        inputs = self.posterior_inputs(x, context)
        params = self.posterior.params(inputs, training=training)
        z, log_q = self.posterior.from_noise(params, noise)
        q, p_z = self.posterior.distribution(params), self.prior(context)
        u = self.prior.condition
        labelled = u is not None and u.num_classes
        return LogDensities(
            log_likelihood=None,
            log_prior=p_z.log_prob(z),
            log_posterior=log_q,
            kl_by_group=exact_kl(q, p_z),
            latent_dim=self.latent_dim,
            z=z,
            posterior=q,
            log_label=self.prior.log_label(z, context) if labelled else None,
        )
