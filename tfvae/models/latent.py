"""The methods and entry points that all latent-variable models have."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.conditional import LatentDistribution
from tfvae.inputs import SEED, Context, Input, Inputs, is_stream, to_arrays
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.metrics.marginal import log_marginal
from tfvae.models.base import GenerativeModel, check_apart
from tfvae.objectives import ELBO, LogDensities, exact_kl
from tfvae.posteriors import MeanField
from tfvae.priors import StandardNormal
from tfvae.signatures import Outputs, Signature


class LatentVariableModel(GenerativeModel, abc.ABC):
    """Abstract `p(x, z | u) = p(x | z) p(z | u)` with `q(z | x)`; u may be nothing.

    If the prior has a u, methods take u beside x: a label or an array for each example,
    or one for all. Arguments as in `VAE`, with the `report_names` of `Trainable`.
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
        self.latent_dim = posterior.latent_dim

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        z = self._center(*self.inputs.unpack(inputs), training=training)
        return self.likelihood(z, training=training).mean()

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """Shape of one x; None until the model is built."""
        return self.likelihood.event_shape

    def make_inputs(self) -> Inputs:
        """The table of x, z, seed, noise, and u if there is one."""
        return Inputs(
            self.likelihood.input(),
            Input("z", (self.latent_dim,), meaning="latents"),
            SEED,
            Input("noise", (self.prior.noise_dim,), meaning="standard normal noise"),
            condition=self.prior.condition,
            condition_name="u",
        )

    def encode(self, x: Any, u: Any = None) -> tf.Tensor:
        """Center of `q(z | x)`, for a Gaussian its mean, `[batch, latent]`.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it, with u if there is
                one.
            u: Labels `[batch]`, arrays `[batch, *context_shape]`, or one for all.
        """
        return self.answers("encode", "z", x, u)

    def decode(self, z: Any) -> tf.Tensor:
        """Mean of `p(x | z)`, `[batch, *event_shape]`, for z `[batch, latent]`."""
        self._check_built()
        return self.call_signature("decode", z=self.inputs["z"].check(z))["x"]

    def reconstruct(self, x: Any, u: Any = None) -> tf.Tensor:
        """`decode(encode(x))`, `[batch, *event_shape]`. Arguments as in `encode`."""
        return self.answers("serving_default", "x", x, u)

    def attribute_vector(self, x: Any, y: Any = None, u: Any = None) -> np.ndarray:
        """Direction of an attribute in latent space: `decode(z + vector)` adds it.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of pairs of x and y.
            y: Whether an example has the attribute: booleans, or 0 and 1, `[batch]`.
            u: As in `encode`.

        Returns:
            An array `[latent]`, the mean z of those with it less that of the others.

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

    def elbo(self, x: Any, u: Any = None, *, seed: Any = None) -> tf.Tensor:
        """One-sample estimate of the ELBO, `[batch]`, in nats.

        Args:
            x: Data, as in `encode`.
            u: As in `encode`.
            seed: As in `sample`.
        """
        parts, first = [], 0
        seed = seeds.number(seed)
        for data in self.pieces(x, u):
            rows = seeds.rows(seed, len(data["x"]), first)
            parts.append(self.call_signature("elbo", **data, seed=rows)["elbo"])
            first += len(rows)
        return tf.concat(parts, axis=0)

    def log_marginal(
        self, x: Any, num_samples: int = 1000, *, seed: Any = None, u: Any = None
    ) -> np.ndarray:
        """Importance-sampled `log p(x)` in nats, `[batch]`: `metrics.log_marginal`."""
        data = x if u is None else tuple(self.check_data(x, u).values())
        return log_marginal(self, data, num_samples, seed=seed)

    def posterior_params(self, inputs: Any) -> tf.Tensor:
        """Parameters of q, `[batch, params]`, for x or a pair of x and u."""
        return self.posterior.params(self.posterior_inputs(*self.inputs.unpack(inputs)))

    def posterior_inputs(self, x: Any, context: Any) -> Any:
        """Input of the posterior: `x`, or `(x, context)`. Works on shapes too."""
        return (x, context) if self.posterior.takes_context else x

    def log_densities(
        self, inputs: Any, seed: tf.Tensor, num_samples: int = 1, training: bool = False
    ) -> LogDensities:
        """Log-densities of draws of z in nats, from which every bound is reduced.

        Args:
            inputs: Data `[batch, *event_shape]`, or a pair of it and u.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            num_samples: Draws of z for each example; 1 with rows of seeds.
            training: Passed on to the networks.
        """
        x, context = self.inputs.unpack(inputs)
        return self._log_densities(x, context, seed, num_samples, training)

    def from_noise(self, noise: tf.Tensor, context: Context) -> Outputs:
        """See `GenerativeModel`: the mean of `p(x | z)` for z of the prior."""
        z, _ = self.prior.from_noise(self.prior.params(context), noise)
        return self._decode(z)

    def _build_latents(self, event_shape: tuple[int, ...]) -> None:
        u = self.prior.condition
        context = None if u is None else (None, *u.context_shape)
        self.prior.build(context)
        self.posterior.build(self.posterior_inputs((None, *event_shape), context))
        self.likelihood.build((None, self.latent_dim))
        if self.event_shape != event_shape:
            raise ValueError(
                f"`likelihood` must be of x of shape {list(event_shape)}. "
                f"Received: a decoder for shape {list(self.event_shape)}."
            )

    def _latent_signatures(self) -> dict[str, Signature]:
        """The `signatures` of a `VAE`."""
        self._check_built()
        signatures = {
            "serving_default": self.entry(self._reconstruct, "x"),
            "encode": self.entry(
                lambda x, context: {"z": self._center(x, context)}, "x"
            ),
            "decode": Signature(self._decode, (self.inputs["z"],)),
            "sample": self._sample_signature(),
            "elbo": self.entry(self._elbo, "x", "seed"),
        }
        if self.condition is not None:
            signatures["prior"] = self.entry(self._prior)
        return signatures

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `encode`, `decode`, `sample`, and `prior` given u."""
        whole = self._latent_signatures()
        lite = {n: whole[n] for n in ("encode", "decode", "prior") if n in whole}
        return lite | self._lite_sample_signatures(batch_size)

    def _log_densities(
        self,
        x: tf.Tensor,
        context: Context,
        seed: tf.Tensor,
        num_samples: int = 1,
        training: bool = False,
    ) -> LogDensities:
        densities = self._draw_latents(x, context, seed, num_samples, training)
        log_likelihood = self.likelihood.log_prob(x, densities.z, training=training)
        return densities._replace(log_likelihood=log_likelihood)

    def _draw_latents(
        self,
        x: tf.Tensor,
        context: Context,
        seed: tf.Tensor,
        num_samples: int,
        training: bool,
    ) -> LogDensities:
        """Draws of z with their densities, before the decoder has seen them."""
        inputs = self.posterior_inputs(x, context)
        params = self.posterior.params(inputs, training=training)
        noise_shape = [num_samples, keras.ops.shape(x)[0], self.posterior.noise_dim]
        z, log_q = self.posterior.from_noise(params, seeds.normal(seed, noise_shape))
        q, p_z = self.posterior.distribution(params), self.prior(context)
        u = self.prior.condition
        labelled = u is not None and u.num_classes
        return LogDensities(
            log_likelihood=None,
            log_prior=p_z.log_prob(z),
            log_posterior=log_q,
            exact_kl=exact_kl(q, p_z),
            latent_dim=self.latent_dim,
            z=z,
            posterior=q,
            log_label=self.prior.log_label(z, context) if labelled else None,
        )

    def _center(
        self, x: tf.Tensor, context: Context, training: bool = False
    ) -> tf.Tensor:
        inputs = self.posterior_inputs(x, context)
        return self.posterior.center(inputs, training=training)

    def _reconstruct(self, x: tf.Tensor, context: Context) -> Outputs:
        return self._decode(self._center(x, context))

    def _decode(self, z: tf.Tensor) -> Outputs:
        return {"x": self.likelihood(z).mean()}

    def _prior(self, context: tf.Tensor) -> Outputs:
        loc, scale = self.prior.loc_and_scale(self.prior.params(context))
        return {"loc": loc, "scale": scale}

    def _elbo(self, x: tf.Tensor, seed: tf.Tensor, context: Context) -> Outputs:
        return {"elbo": ELBO()(self._log_densities(x, context, seed))["elbo"]}
