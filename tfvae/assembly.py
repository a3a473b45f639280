"""Models of presets, put together of networks and parts."""

import keras

from tfvae import checks, layers, likelihoods, networks, objectives, posteriors, priors
from tfvae.models import GAN, IVAE, IWAE, VAE, VAEGAN


def warmed(model, *networks, warm_up, **options):
    """A model whose KL is weighed from 0 to 1 over the first `warm_up` steps."""
    objective = objectives.ELBO(_beta(warm_up))
    return model(*networks, objective=objective, **options)


def warmed_iwae(*networks, warm_up, **options):
    """An IWAE of the same warm-up."""
    return IWAE(*networks, beta=_beta(warm_up), **options)


def _beta(num_steps):
    return objectives.warm_up(num_steps) if num_steps else 1.0


def mlp(make, event_shape, *, latent_dim, hidden_units, activation, **options):
    """A VAE of dense networks."""
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(event_shape, hidden_units[::-1], activation)
    return make(encoder, decoder, latent_dim=latent_dim, **options)


def conv(make, event_shape, *, latent_dim, filters, units, **options):
    """A VAE of convolutional networks."""
    encoder = networks.conv_encoder(event_shape, filters, units)
    decoder = networks.conv_decoder(event_shape, filters[::-1], units)
    return make(encoder, decoder, latent_dim=latent_dim, **options)


def over(model, network, event_shape, **options):
    """A model that is a network."""
    return model(network(event_shape, **options))


def gaussian_mlp(event_shape, *, latent_dim, hidden_units, activation, scale):
    """A VAE of dense networks with Gaussian pixels."""
    params_size = 2 if scale == "predicted" else 1
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(
        event_shape, hidden_units[::-1], activation, params_size
    )
    likelihood = likelihoods.Normal(
        decoder, scale, loc_activation="sigmoid", min_scale=0.01
    )
    return VAE(encoder, likelihood, latent_dim=latent_dim)


def ivae(event_shape, *, latent_dim, num_classes, hidden_units, activation, contrast):
    """An identifiable VAE of dense networks, u being a label, contrasted at first."""
    *first, last = checks.integers(hidden_units=hidden_units)
    if not first:
        checks.fail("two widths or more", hidden_units=hidden_units)
    encoder = networks.mlp_encoder(event_shape, first, activation)
    decoder = networks.mlp_decoder(event_shape, hidden_units[::-1], activation)
    joint = layers.JointEncoder(encoder, [last], activation=activation)
    if contrast:  # else 0
        contrast = keras.optimizers.schedules.PolynomialDecay(1.0, contrast, 0.0)
    return IVAE(
        posteriors.FullCovariance(joint, latent_dim),
        likelihoods.Normal(decoder, "learned", initial_scale=0.1),
        prior=priors.ConditionalNormal(
            latent_dim, num_classes=num_classes, has_loc=False
        ),
        objective=objectives.ELBO(contrast=contrast),
    )


def dcgan(event_shape, *, filters, adversarial_loss, gradient_penalty, **options):
    """A GAN of DCGAN's networks."""
    options["adversarial_loss"] = objectives.AdversarialLoss(
        adversarial_loss, gradient_penalty=gradient_penalty
    )
    generator = networks.dcgan_generator(event_shape, filters)
    discriminator = networks.dcgan_discriminator(event_shape, filters)
    return GAN(generator, discriminator, **options)


def vae_gan(event_shape, *, filters, gradient_penalty, **options):
    """A VAE-GAN of DCGAN's networks, with the features of the last convolution."""
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
