"""The variational autoencoder."""

import functools
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.conditional import LatentDistribution
from tfvae.config import register
from tfvae.likelihoods import Likelihood
from tfvae.models.one_level import OneLevelModel
from tfvae.objectives import ELBO, Objective
from tfvae.signatures import Outputs, Signature
from tfvae.training.players import Player


@register
class VAE(OneLevelModel):
    """Variational autoencoder: `p(x) = integral of p(x | z) p(z) dz`, and `q(z | x)`.

    Trained by maximising the objective, a bound on `log p(x)` in nats per example.
    `model(x)` and `predict` give the mean of `p(x | z)` at the center of `q(z | x)`.
    With a prior `p(z | u)` the model is `p(x | u)` and takes u beside x, see `IVAE`.

    Args:
        posterior: A `posteriors.LatentDistribution`, or an encoder network, taken as
            `posteriors.MeanField(encoder, latent_dim)`.
        likelihood: A `Likelihood`, or a decoder network, taken as
            `likelihoods.Bernoulli(decoder)`.
        prior: One of `priors`; `priors.StandardNormal` when left out.
        objective: An `Objective`; `objectives.ELBO()` when left out.
        latent_dim: Size of z; needed with an encoder network only.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: Data `[batch, *event_shape]`, or a pair of it and u.

    Example:
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> model.compile("adam")
        >>> sorted(model.fit(x, verbose=0).history)
        ['elbo', 'kl', 'loss', 'reconstruction']
        >>> model.sample(5).shape
        TensorShape([5, 8, 8, 1])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        https://arxiv.org/abs/1312.6114
    """

    monitor = "elbo"

    def __init__(
        self,
        posterior: LatentDistribution | keras.layers.Layer,
        likelihood: Likelihood | keras.layers.Layer,
        *,
        prior: LatentDistribution | None = None,
        objective: Objective | None = None,
        latent_dim: PositiveInt | None = None,
        **kwargs: Any,
    ):
        objective = ELBO() if objective is None else objective
        checks.instance(Objective, "a tfvae objective", objective=objective)
        report_names = ("loss", *objective.term_names, *objective.schedules)
        parts = posterior, likelihood, report_names, prior, latent_dim
        super().__init__(*parts, **kwargs)
        u = self.prior.condition
        if objective.needs_labels and (u is None or not u.num_classes):
            expected = "one that needs no labels u: the model has none"
            checks.fail(expected, objective=objective)
        self.objective = objective
        self._build_early(self.posterior.encoder)

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        self._build_latents(event_shape)

    @functools.cached_property
    def players(self) -> tuple[Player, ...]:
        """The model itself, down the negative objective."""
        return (Player("", (self,), "loss"),)

    def terms(self, inputs: Any, seed: tf.Tensor, training: bool = False) -> Outputs:
        """See `Trainable.terms`; `elbo` is at beta = 1 whatever the objective."""
        step = self.optimizer.iterations if self.optimizer else 0
        num_samples = self.objective.num_samples
        densities = self.log_densities(inputs, seed, num_samples, training=training)
        return self.objective.terms(densities, step)

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` (reconstruct), `encode`, `decode`, `sample`, `elbo`.

        If there is a u they take u too, and `prior(u)` gives `loc` and `scale`.
        """
        return self._latent_signatures()
