"""Functions that build the models of presets from networks and parts."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfvae import checks, layers, likelihoods, networks, objectives, posteriors, priors
from tfvae.models import GAN, IVAE, IWAE, VAE, VAEGAN

Ints = Sequence[int]
# Functions, or classes, that give a model or a network.
Make = Callable[..., keras.Model]


def warmed(make: Make, *networks: Any, warm_up: int, **options: Any) -> keras.Model:
    """Builds a model whose KL weight rises from 0 to 1 in the first `warm_up` steps."""
    objective = objectives.ELBO(_beta(warm_up))
    return make(*networks, objective=objective, **options)


def warmed_iwae(*networks: Any, warm_up: int, **options: Any) -> VAE:
    """Builds an IWAE whose KL weight rises as in `warmed`."""
    return IWAE(*networks, beta=_beta(warm_up), **options)


def _beta(num_steps: int) -> Any:
    return objectives.warm_up(num_steps) if num_steps else 1.0


def mlp(
    make: Make,
    event_shape: Ints,
    *,
    hidden_units: Ints,
    activation: str,
    **options: Any,
) -> keras.Model:
    """Builds a VAE from dense networks; the options are those of `make`."""
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(event_shape, hidden_units[::-1], activation)
    return make(encoder, decoder, **options)


def conv(
    make: Make, event_shape: Ints, *, filters: Ints, units: int, **options: Any
) -> keras.Model:
    """Builds a VAE from convolutional networks; the options are those of `make`."""
    encoder = networks.conv_encoder(event_shape, filters, units)
    decoder = networks.conv_decoder(event_shape, filters[::-1], units)
    return make(encoder, decoder, **options)


def over(make: Make, network: Make, event_shape: Ints, **options: Any) -> keras.Model:
    """Builds a model that has one network; the options are those of `network`."""
    return make(network(event_shape, **options))


def gaussian_mlp(
    event_shape: Ints,
    *,
    latent_dim: int,
    hidden_units: Ints,
    activation: str,
    scale: str,
) -> VAE:
    """Builds a VAE from dense networks, with Gaussian pixels."""
    params_size = 2 if scale == "predicted" else 1
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(
        event_shape, hidden_units[::-1], activation, params_size
    )
    likelihood = likelihoods.Normal(
        decoder, scale, loc_activation="sigmoid", min_scale=0.01
    )
    return VAE(encoder, likelihood, latent_dim=latent_dim)


@checks.checked
def ivae(
    event_shape: Ints,
    *,
    latent_dim: int,
    num_classes: int,
    hidden_units: checks.Widths,
    activation: str,
    contrast: int,
) -> VAE:
    """Builds an identifiable VAE from dense networks, with a label as u.

    The objective contrasts labels in the first `contrast` steps, less and less.
    """
    *first, last = hidden_units
    if not first:
        checks.fail("two widths or more", hidden_units=hidden_units)
    encoder = networks.mlp_encoder(event_shape, first, activation)
    decoder = networks.mlp_decoder(event_shape, hidden_units[::-1], activation)
    joint = layers.JointEncoder(encoder, [last], activation=activation)
    decay = keras.optimizers.schedules.PolynomialDecay
    return IVAE(
        posteriors.FullCovariance(joint, latent_dim),
        likelihoods.Normal(decoder, "learned", initial_scale=0.1),
        prior=priors.ConditionalNormal(
            latent_dim, num_classes=num_classes, has_loc=False
        ),
        objective=objectives.ELBO(
            contrast=decay(1.0, contrast, 0.0) if contrast else 0
        ),
    )


def dcgan(
    event_shape: Ints,
    *,
    filters: int,
    adversarial_loss: str,
    gradient_penalty: float,
    **options: Any,
) -> GAN:
    """Builds a GAN from DCGAN's networks."""
    options["adversarial_loss"] = objectives.AdversarialLoss(
        adversarial_loss, gradient_penalty=gradient_penalty
    )
    generator = networks.dcgan_generator(event_shape, filters)
    discriminator = networks.dcgan_discriminator(event_shape, filters)
    return GAN(generator, discriminator, **options)


def vae_gan(
    event_shape: Ints, *, filters: int, gradient_penalty: float, **options: Any
) -> VAEGAN:
    """Builds a VAE-GAN from DCGAN's networks.

    Its features are those of the discriminator's last convolution.
    """
    options["adversarial_loss"] = objectives.AdversarialLoss(
        gradient_penalty=gradient_penalty
    )
    encoder, judge = (
        networks.dcgan_discriminator(event_shape, filters) for _ in range(2)
    )
    decoder = networks.dcgan_generator(event_shape, filters, None)
    *_, last = (layer.name for layer in judge.layers if layer.name[:5] == "conv_")
    discriminator = layers.Discriminator(judge, feature_layer=last)
    return VAEGAN(encoder, decoder, discriminator, **options)
