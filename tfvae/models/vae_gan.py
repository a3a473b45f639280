"""The VAE whose decoder is the generator of a GAN."""

import functools
import math
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.checks import NonNegativeFloat, PositiveFloat, PositiveInt
from tfvae.conditional import LatentDistribution
from tfvae.config import register
from tfvae.layers import Discriminator
from tfvae.likelihoods import Likelihood
from tfvae.models.base import check_apart
from tfvae.models.one_level import OneLevelModel
from tfvae.objectives import AdversarialLoss, LogDensities
from tfvae.signatures import Outputs, Signature
from tfvae.training.players import Player


@register
class VAEGAN(OneLevelModel):
    """VAE-GAN: a VAE that measures likeness by the features f of a discriminator.

    `reconstruction = -|f(x) - f(x~)|**2 / (2 s**2)` with `x~` decoded from z of
    q(z | x), the log-density of a Gaussian of scale s but for a constant. Three players
    move in each step, from the same state:

    - the encoder down `kl - reconstruction`,
    - the decoder down `-gamma * reconstruction + adversarial loss of x~ and x'`,
    - the discriminator down its loss of x against `x~` and against `x'`, halved,

    with `x'` decoded from z of the prior. None moves the others' weights. It has all
    that `VAE` has; `elbo` and `log_marginal` are of the likelihood over pixels, which
    is not what was trained.

    Args:
        posterior: As in `VAE`.
        likelihood: As in `VAE`; its mean is what is shown to the discriminator. A
            network, taken as Bernoulli, gives logits: no sigmoid at its end.
        discriminator: A `layers.Discriminator`, whose `feature_layer` says where f is;
            or a network, taken as one.
        prior: As in `VAE`.
        latent_dim: As in `VAE`.
        feature_scale: The scale s of the features: the smaller, the more z tells.
        gamma: Weight of the reconstruction for the decoder.
        adversarial_loss: An `objectives.AdversarialLoss`, or its kind.
        margin: Largest distance, in nats, of the mean cross-entropies of data and of
            generated x from log 2, the value of a discriminator that knows nothing. If
            one is lower the discriminator pauses, if one is higher the decoder does,
            and never both. None: no pauses, nor are there any with "wasserstein", whose
            logits have no zero.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: Data `[batch, *event_shape]`.

    Example:
        >>> network = tfvae.networks.mlp_encoder((8, 8, 1), [64], "leaky_relu")
        >>> model = tfvae.VAEGAN(encoder, decoder, network, latent_dim=2)
        >>> model.compile("adam", "adam", "adam")
        >>> history = model.fit(x, verbose=0).history
        >>> model.reconstruct(x[:5]).shape
        TensorShape([5, 8, 8, 1])

    References:
        Larsen et al., Autoencoding beyond pixels using a learned similarity metric,
        2016, https://arxiv.org/abs/1512.09300
    """

    def __init__(
        self,
        posterior: LatentDistribution | keras.layers.Layer,
        likelihood: Likelihood | keras.layers.Layer,
        discriminator: Discriminator | keras.layers.Layer,
        *,
        prior: LatentDistribution | None = None,
        latent_dim: PositiveInt | None = None,
        feature_scale: PositiveFloat = 1.0,
        gamma: NonNegativeFloat = 1.0,
        adversarial_loss: AdversarialLoss | str = "non_saturating",
        margin: NonNegativeFloat | None = 0.35,
        **kwargs: Any,
    ):
        if not isinstance(discriminator, Discriminator):
            discriminator = Discriminator(discriminator)
        if "objective" in kwargs:
            expected = "left out: each player has a loss of its own"
            checks.fail(expected, error=TypeError, objective=kwargs["objective"])
        if discriminator.num_classes:
            checks.fail("one without classes", discriminator=discriminator)
        losses = ("encoder_loss", "decoder_loss", "discriminator_loss")
        report_names = (*losses, "kl", "reconstruction")
        parts = posterior, likelihood, report_names, prior, latent_dim
        super().__init__(*parts, **kwargs)
        if self.prior.condition is not None:
            checks.fail("one of z alone, without u", prior=prior)
        parts = {"posterior": self.posterior, "likelihood": self.likelihood}
        check_apart(**parts, discriminator=discriminator)
        self.discriminator, self.margin = discriminator, margin
        self.adversarial_loss = AdversarialLoss.of(adversarial_loss)
        self._build_early(self.posterior.encoder)

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        self._build_latents(event_shape)
        self.discriminator.build((None, *event_shape))

    @functools.cached_property
    def players(self) -> tuple[Player, ...]:
        """Encoder, decoder and discriminator; the last two may pause."""
        pauses = self.margin is not None and self.adversarial_loss.kind != "wasserstein"
        moves = (
            (self._decoder_moves, self._discriminator_moves) if pauses else (None,) * 2
        )
        names = "encoder", "decoder", "discriminator"
        layers = (self.posterior, self.prior), (self.likelihood,), (self.discriminator,)
        return tuple(
            Player(name, parts, f"{name}_loss", active=active)
            for name, parts, active in zip(names, layers, (None, *moves), strict=True)
        )

    def terms(self, inputs: Any, seed: tf.Tensor, training: bool = False) -> Outputs:
        """The losses of the players and their parts, `[batch]`."""
        x, _ = self.inputs.unpack(inputs)
        size = tf.shape(x)[0]
        densities = self._latent_densities(x, None, self._noise(x, seed), training)
        drawn = seeds.normal(seeds.next_to(seed, 1), [size, self.prior.noise_dim])
        z = [densities.z[0], self.prior.from_noise(None, drawn)[0]]
        generated = self.likelihood(tf.concat(z, axis=0), training=training).mean()
        logits, features = self._discriminate_all(x, generated, training)
        real, copied, dreamt = logits
        loss, square = self.adversarial_loss, (features[0] - features[1]) ** 2
        square = tf.reduce_sum(square, axis=list(range(1, square.shape.rank)))
        reconstruction = -square / (2 * self.feature_scale**2)
        fooled = (loss.generator(copied) + loss.generator(dreamt)) / 2
        against = [loss.discriminator(real, logits) for logits in (copied, dreamt)]
        share = seeds.uniform(seeds.next_to(seed, 2), [size, 1])[:, 0]

        def judge(x: tf.Tensor) -> tf.Tensor:
            return self.discriminator(x, training=training)[0]

        penalty = loss.penalty(judge, x, generated[size:], share)
        kl = _kl(densities)
        return {
            "encoder_loss": kl - reconstruction,
            "decoder_loss": fooled - self.gamma * reconstruction,
            "discriminator_loss": tf.add_n(against) / 2 + penalty,
            "kl": kl,
            "reconstruction": reconstruction,
            "loss_of_real": tf.nn.softplus(-real),
            "loss_of_generated": (tf.nn.softplus(copied) + tf.nn.softplus(dreamt)) / 2,
        }

    def discriminate(self, x: Any) -> tf.Tensor:
        """Logits of the discriminator, `[batch]`: high if x looks real."""
        return self.answers("discriminate", "logits", x)

    def signatures(self) -> dict[str, Signature]:
        """Those of `VAE`, and `discriminate`."""
        discriminate = self.entry(
            lambda x, context: {"logits": self.discriminator(x)[0]}, "x"
        )
        return self._latent_signatures() | {"discriminate": discriminate}

    def _decoder_moves(self, terms: Outputs) -> tf.Tensor:
        wins, loses = self._discriminator_state(terms)
        return ~loses | wins

    def _discriminator_moves(self, terms: Outputs) -> tf.Tensor:
        wins, loses = self._discriminator_state(terms)
        return ~wins | loses

    def _discriminator_state(self, terms: Outputs) -> tuple[tf.Tensor, tf.Tensor]:
        """Two bools: a cross-entropy is too low for a fair game; one is too high."""
        names = ("loss_of_real", "loss_of_generated")
        away = tf.stack([terms[name] for name in names]) - math.log(2)
        wins = tf.reduce_any(away < -self.margin)
        return wins, tf.reduce_any(away > self.margin)

    def _discriminate_all(
        self, x: tf.Tensor, generated: tf.Tensor, training: bool
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Logits of x, of copies and of dreams; features of x and of copies."""
        judge = functools.partial(self.discriminator, training=training)
        if not self.discriminator.mixes_rows:
            logits, features = judge(tf.concat([x, generated], axis=0))
            return tf.split(logits, 3), tf.split(features, 3)[:2]
        copies, dreams = tf.split(generated, 2)
        logits, features = zip(*map(judge, (x, copies, dreams)), strict=True)
        return logits, features[:2]


def _kl(densities: LogDensities) -> tf.Tensor:
    if densities.kl_by_group is None:
        return densities.log_posterior[0] - densities.log_prior[0]
    return tf.reduce_sum(densities.kl_by_group, axis=-1)
