"""The VAE whose decoder is the generator of a GAN."""

import functools
import math

import tensorflow as tf

from tfvae import checks, seeds
from tfvae.config import register
from tfvae.layers import Discriminator
from tfvae.models.adversarial import Adversarial
from tfvae.models.vae import VAE
from tfvae.objectives import AdversarialLoss, exact_kl


@register
class VAEGAN(Adversarial, VAE):
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
        margin: How far the mean cross-entropies of the logits of data and of generated
            x may stray from log 2, where the discriminator knows nothing, in nats:
            where one is lower it pauses, where one is higher the decoder does, and
            never both. None: no pauses, nor are there any with "wasserstein", whose
            logits have no zero.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: Data `[batch, *event_shape]`.

    Raises:
        TypeError: Where a part is of the wrong kind.
        ValueError: Where parts do not fit each other.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> network = tfvae.networks.mlp_encoder((8, 8, 1), [64], "leaky_relu")
        >>> model = tfvae.VAEGAN(encoder, decoder, network, latent_dim=8)
        >>> model.compile("adam", "adam", "adam")
        >>> history = model.fit(np.zeros([32, 8, 8, 1]), verbose=0).history
        >>> model.reconstruct(np.zeros([5, 8, 8, 1])).shape
        TensorShape([5, 8, 8, 1])

    References:
        Larsen et al., Autoencoding beyond pixels using a learned similarity metric,
        2016, https://arxiv.org/abs/1512.09300
    """

    players = ("encoder", "decoder", "discriminator")

    def __init__(
        self,
        posterior,
        likelihood,
        discriminator,
        *,
        prior=None,
        latent_dim=None,
        feature_scale=1.0,
        gamma=1.0,
        adversarial_loss="non_saturating",
        margin=0.35,
        **kwargs,
    ):
        if not isinstance(discriminator, Discriminator):
            discriminator = Discriminator(discriminator)
        if "objective" in kwargs:
            expected = "left out: each player has a loss of its own"
            checks.fail(expected, error=TypeError, objective=kwargs["objective"])
        if discriminator.num_classes:
            checks.fail("one without classes", discriminator=discriminator)
        super().__init__(
            posterior, likelihood, prior=prior, latent_dim=latent_dim, **kwargs
        )
        if self.condition:
            checks.fail("one of z alone, without u", prior=prior)
        parts = {"posterior": self.posterior, "likelihood": self.likelihood}
        checks.apart(**parts, discriminator=discriminator)
        self.discriminator = discriminator
        self.feature_scale = checks.number(minimum=1e-6, feature_scale=feature_scale)
        self.gamma = checks.number(minimum=0, gamma=gamma)
        self.adversarial_loss = AdversarialLoss.of(adversarial_loss)
        self.margin = margin
        if margin is not None:
            self.margin = checks.number(minimum=0, margin=margin)
        super()._build_early()

    def build(self, input_shape):
        super().build(input_shape)
        self.discriminator.build((None, *self.event_shape))

    def compile(
        self,
        encoder_optimizer="adam",
        decoder_optimizer="adam",
        discriminator_optimizer="adam",
        **kwargs,
    ):
        """Configures training, as `VAE.compile` does, with three optimizers.

        Args:
            encoder_optimizer: A Keras optimizer or its name.
            decoder_optimizer: The same; one given to several is used for each with a
                state of its own.
            discriminator_optimizer: The same.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`.

        Raises:
            TypeError: Where a loss or metrics are given.
            ValueError: Where a learning rate is negative or not finite.
        """
        optimizers = encoder_optimizer, decoder_optimizer, discriminator_optimizer
        self._compile(dict(zip(self.players, optimizers, strict=True)), **kwargs)

    @property
    def term_names(self):
        """Losses of the players, `kl` and `reconstruction`."""
        return (*(f"{player}_loss" for player in self.players), "kl", "reconstruction")

    @property
    def parts(self):
        """See `Adversarial`."""
        return {
            "encoder": [self.posterior, self.prior],
            "decoder": [self.likelihood],
            "discriminator": [self.discriminator],
        }

    def terms(self, inputs, seed, training=False):
        """The losses of the players and what they are made of, `[batch]`."""
        x, size = inputs, tf.shape(inputs)[0]
        q, p_z, z, log_q, log_p = self._draw(x, None, seed, 1, training)
        exact = exact_kl(q, p_z)
        kl = log_q[0] - log_p[0] if exact is None else tf.reduce_sum(exact, axis=-1)
        drawn = seeds.normal(seed + 1, [size, self.prior.noise_dim])
        z = tf.concat([z[0], self.prior.from_noise(drawn)], axis=0)
        generated = self.likelihood(z, training=training).mean()
        (real, copied, dreamt), features = self._discriminate_all(
            x, generated, training
        )
        loss, square = self.adversarial_loss, (features[0] - features[1]) ** 2
        axes = list(range(1, square.shape.rank))
        square = tf.reduce_sum(square, axis=axes)
        reconstruction = -square / (2 * self.feature_scale**2)
        fooled = (loss.generator(copied) + loss.generator(dreamt)) / 2
        against = [loss.discriminator(real, logits) for logits in (copied, dreamt)]
        share = seeds.uniform(seed + 2, [size, 1])[:, 0]
        penalty = loss.penalty(
            lambda x: self.discriminator(x, training=training)[0],
            x,
            generated[size:],
            share,
        )
        return {
            "encoder_loss": kl - reconstruction,
            "decoder_loss": fooled - self.gamma * reconstruction,
            "discriminator_loss": tf.add_n(against) / 2 + penalty,
            "kl": kl,
            "reconstruction": reconstruction,
            "loss_of_real": tf.nn.softplus(-real),
            "loss_of_generated": tf.nn.softplus(tf.concat([copied, dreamt], axis=0)),
        }

    def moves(self, terms):
        """See `Adversarial`."""
        everyone = super().moves(terms)
        if self.margin is None or self.adversarial_loss.kind == "wasserstein":
            return everyone
        names = ("loss_of_real", "loss_of_generated")
        away = tf.stack([tf.reduce_mean(terms[name]) for name in names]) - math.log(2)
        wins = tf.reduce_any(away < -self.margin)
        loses = tf.reduce_any(away > self.margin)
        return everyone | {
            "decoder": ~loses | wins,
            "discriminator": ~wins | loses,
        }

    def signatures(self):
        """Those of `VAE`, and `discriminate`."""
        return super().signatures() | self._discriminate_signature()

    def _build_early(self):
        """Later, with the discriminator."""

    def _discriminate_all(self, x, generated, training):
        """Logits of x, of copies and of dreams; features of x and of copies."""
        judge = functools.partial(self.discriminator, training=training)
        if not self.discriminator.mixes_rows:
            logits, features = judge(tf.concat([x, generated], axis=0))
            return tf.split(logits, 3), tf.split(features, 3)[:2]
        copies, dreams = tf.split(generated, 2)
        logits, features = zip(*map(judge, (x, copies, dreams)), strict=True)
        return logits, features[:2]
