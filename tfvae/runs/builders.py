"""Data sets and models of a configuration."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tfvae import (
    checks,
    data,
    layers,
    likelihoods,
    models,
    networks,
    objectives,
    posteriors,
    priors,
)
from tfvae.models import GAN, IVAE, IWAE, VAE, VAEGAN, LadderVAE, ResNetVAE
from tfvae.runs.config import Config
from tfvae.runs.presets import get

Ints = Sequence[int]
# Functions, or classes, that give a model or a network.
Make = Callable[..., keras.Model]


def datasets(config: Config, labels: bool = False) -> data.Splits:
    """Returns the data sets of a configuration.

    Args:
        config: As `configure` gives it.
        labels: If True, elements are pairs of x and labels. For a model that takes
            labels they always are.
    """
    labels = labels or get(config["preset"]).conditional
    settings = {key: config["training"][key] for key in ("batch_size", "seed")}
    return data.load(**config["data"], **settings, labels=labels)


def build(
    config: Config, event_shape: Sequence[int], steps_per_epoch: int
) -> keras.Model:
    """Returns the untrained, compiled model of a configuration for x of one shape."""
    training, settings = config["training"], dict(config["model"])
    num_steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    for name in {"warm_up", "contrast"} & settings.keys():  # shares of the training
        share = checks.number(minimum=0, maximum=1, **{name: settings[name]})
        settings[name] = round(share * num_steps)
    name, *classes = get(config["preset"]).build
    classes = [getattr(models, c, None) or getattr(layers, c) for c in classes]
    model = BUILDERS[name](*classes, tuple(event_shape), **settings)
    rate = learning_rate(training, steps_per_epoch)
    weight_decay = checks.number(minimum=0, weight_decay=training["weight_decay"])
    beta_1 = checks.number(minimum=0, maximum=1, beta_1=training.get("beta_1", 0.9))
    clip = training.get("clip")
    if clip is not None:
        clip = checks.number(minimum=0, clip=clip)
    options = {"weight_decay": weight_decay, "beta_1": beta_1, "global_clipnorm": clip}
    optimizer = keras.optimizers.AdamW(rate, **options)
    model.compile(*[optimizer] * len(model.players))
    return model


def learning_rate(
    training: Mapping[str, Any], steps_per_epoch: int
) -> keras.optimizers.schedules.CosineDecay:
    """Returns a cosine from `learning_rate` to `decay` times it after `epochs`."""
    rate, decay = (training[name] for name in ("learning_rate", "decay"))
    rate = checks.number(minimum=0, learning_rate=rate)
    decay = checks.number(minimum=0, maximum=1, decay=decay)
    steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(rate, steps, decay)


def mlp(
    make: Make,
    event_shape: Ints,
    *,
    hidden_units: Ints,
    activation: str,
    warm_up: int | None = None,
    **options: Any,
) -> keras.Model:
    """Builds a VAE from dense networks; the options are those of `make`.

    With `warm_up` the weight of the KL rises from 0 to 1 in so many steps.
    """
    if warm_up is not None:
        beta = objectives.warm_up(warm_up) if warm_up else 1.0
        by_elbo = {"objective": objectives.ELBO(beta)}
        options |= {"beta": beta} if make is IWAE else by_elbo
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


def resnet(
    make: Make,
    event_shape: Ints,
    *,
    filters: Ints,
    units: int,
    activation: str,
    warm_up: int | None = None,
    **options: Any,
) -> keras.Model:
    """Builds a VAE from residual networks; `warm_up` and options are as in `mlp`."""
    if warm_up:
        options["objective"] = objectives.ELBO(objectives.warm_up(warm_up))
    encoder = networks.resnet_encoder(event_shape, filters, units, activation)
    decoder = networks.resnet_decoder(event_shape, filters[::-1], units, activation)
    return make(encoder, decoder, **options)


@checks.checked
def ladder(
    event_shape: Ints,
    *,
    levels: Sequence[Ints],
    units: Ints,
    warm_up: int,
    free_bits: float,
    num_components: checks.NonNegativeInt = 0,
    **options: Any,
) -> LadderVAE:
    """Builds a ladder of residual networks for images; the options are `ResNetVAE`'s.

    The objective is an ELBO with free bits for each channel of a level; `warm_up` is as
    in `mlp`. With `num_components` images are colours, else binary.
    """
    beta = objectives.warm_up(warm_up) if warm_up else 1.0
    objective = objectives.ELBO(beta, free_bits=free_bits, free_bits_per="group")
    if num_components:
        options["params_size"] = 4 * num_components
        options["likelihood"] = functools.partial(
            likelihoods.ColorLogistic, num_components=num_components
        )
    options |= {"units": units, "objective": objective}
    return ResNetVAE(event_shape, [tuple(level) for level in levels], **options)


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
    widths = hidden_units[::-1]
    decoder = networks.mlp_decoder(event_shape, widths, activation, params_size)
    options = {"loc_activation": "sigmoid", "min_scale": 0.01}
    likelihood = likelihoods.Normal(decoder, scale, **options)
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
    weight = decay(1.0, contrast, 0.0) if contrast else 0
    posterior = posteriors.FullCovariance(joint, latent_dim)
    likelihood = likelihoods.Normal(decoder, "learned", initial_scale=0.1)
    prior = priors.ConditionalNormal(latent_dim, num_classes=num_classes, has_loc=False)
    objective = objectives.ELBO(contrast=weight)
    return IVAE(posterior, likelihood, prior=prior, objective=objective)


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


# Functions by the names that presets give them.
BUILDERS = {
    make.__name__: make
    for make in (mlp, conv, resnet, ladder, over, gaussian_mlp, ivae, dcgan, vae_gan)
}
