"""Named choices of the parts of a VAE or of a ladder, as constructors."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from tfvae import checks, networks
from tfvae.checks import EventShape
from tfvae.conditional import LatentDistribution
from tfvae.layers import TopDownBlock
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.ladder import LadderVAE
from tfvae.models.vae import VAE
from tfvae.objectives import ELBO, IWAEBound
from tfvae.posteriors import IAF, Auxiliary, FullCovariance, PlanarFlow

Encoder = LatentDistribution | keras.layers.Layer
Decoder = Likelihood | keras.layers.Layer


def BetaVAE(
    posterior: Encoder,
    likelihood: Decoder,
    *,
    beta: Any = 4.0,
    capacity: Any = None,
    **kwargs: Any,
) -> VAE:
    """VAE with a weight on the KL: `log p(x | z) - beta * KL(q(z | x) || p(z))`.

    With a capacity the objective is `log p(x | z) - beta * |KL - capacity|`, the KL
    being the mean over the batch: a capacity that grows from 0 lets information in
    latent by latent. Training reports `elbo` at beta = 1.

    Args:
        posterior: As in `VAE`.
        likelihood: As in `VAE`.
        beta: As in `objectives.ELBO`; Burgess et al. call it gamma.
        capacity: As in `objectives.ELBO`, C in Burgess et al.
        **kwargs: As in `VAE`.

    Example:
        >>> tfvae.BetaVAE(encoder, decoder, latent_dim=2, beta=4.0).objective.beta
        4.0

        From 0 to 25 nats in 100,000 steps:

        >>> capacity = tfvae.objectives.warm_up(100_000, 25.0)
        >>> model = tfvae.BetaVAE(
        ...     encoder, decoder, latent_dim=2, beta=1000.0, capacity=capacity
        ... )
        >>> float(model.objective.capacity(20_000))
        5.0

    References:
        Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained
        Variational Framework, 2017, https://openreview.net/forum?id=Sy2fzU9gl; Burgess
        et al., Understanding disentangling in beta-VAE, 2018,
        https://arxiv.org/abs/1804.03599
    """
    objective = ELBO(beta, capacity=capacity)
    return VAE(posterior, likelihood, objective=objective, **kwargs)


def IWAE(
    posterior: Encoder,
    likelihood: Decoder,
    *,
    num_samples: int = 5,
    beta: Any = 1.0,
    **kwargs: Any,
) -> VAE:
    """Importance-weighted autoencoder: a VAE trained on the bound of k draws.

    Args:
        posterior: As in `VAE`.
        likelihood: As in `VAE`.
        num_samples: Draws of z for each example, k in the paper.
        beta: As in `objectives.IWAEBound`.
        **kwargs: As in `VAE`.

    Example:
        >>> model = tfvae.IWAE(encoder, decoder, latent_dim=2, num_samples=5)
        >>> model.objective.num_samples
        5

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    objective = IWAEBound(num_samples, beta=beta)
    return VAE(posterior, likelihood, objective=objective, **kwargs)


def FullCovarianceVAE(
    encoder: keras.layers.Layer, likelihood: Decoder, *, latent_dim: int, **kwargs: Any
) -> VAE:
    """VAE with `q(z | x) = N(z; loc(x), L(x) L(x)^T)`: see `posteriors.FullCovariance`.

    Arguments as in `posteriors.FullCovariance` and `VAE`.

    Example:
        >>> tfvae.FullCovarianceVAE(encoder, decoder, latent_dim=2).latent_dim
        2

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, appendix A, https://arxiv.org/abs/1606.04934
    """
    return VAE(FullCovariance(encoder, latent_dim), likelihood, **kwargs)


def IAFVAE(
    encoder: keras.layers.Layer,
    likelihood: Decoder,
    *,
    latent_dim: int,
    num_flows: int = 2,
    hidden_units: Any = (320, 320),
    transform: str = "gated",
    context_dim: int = 64,
    **kwargs: Any,
) -> VAE:
    """VAE with an inverse autoregressive flow as posterior: see `posteriors.IAF`.

    Arguments as in `posteriors.IAF` and `VAE`.

    Example:
        >>> model = tfvae.IAFVAE(encoder, decoder, latent_dim=2, num_flows=4)
        >>> model.posterior.flow.num_flows
        4

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934
    """
    flow = {"hidden_units": hidden_units, "transform": transform}
    flow["context_dim"] = context_dim
    posterior = IAF(encoder, latent_dim, num_flows, **flow)
    return VAE(posterior, likelihood, **kwargs)


def PlanarFlowVAE(
    encoder: keras.layers.Layer,
    likelihood: Decoder,
    *,
    latent_dim: int,
    num_flows: int = 10,
    **kwargs: Any,
) -> VAE:
    """VAE with planar flows as posterior: see `posteriors.PlanarFlow`.

    Arguments as in `posteriors.PlanarFlow` and `VAE`.

    Example:
        >>> model = tfvae.PlanarFlowVAE(encoder, decoder, latent_dim=2)
        >>> model.posterior.flow.num_flows
        10

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """
    return VAE(PlanarFlow(encoder, latent_dim, num_flows), likelihood, **kwargs)


def AuxiliaryVAE(
    encoder: keras.layers.Layer,
    likelihood: Decoder,
    *,
    latent_dim: int,
    auxiliary_dim: int | None = None,
    hidden_units: Any = (128,),
    context_dim: int = 128,
    **kwargs: Any,
) -> VAE:
    """VAE with auxiliary latent variables: see `posteriors.Auxiliary`.

    Arguments as in `posteriors.Auxiliary` and `VAE`.

    Example:
        >>> model = tfvae.AuxiliaryVAE(encoder, decoder, latent_dim=2)
        >>> model.posterior.auxiliary_dim
        2

    References:
        Maaloe et al., Auxiliary Deep Generative Models, 2016,
        https://arxiv.org/abs/1602.05473
    """
    sizes = {"hidden_units": hidden_units, "context_dim": context_dim}
    posterior = Auxiliary(encoder, latent_dim, auxiliary_dim, **sizes)
    return VAE(posterior, likelihood, **kwargs)


def ResNetVAE(
    event_shape: EventShape,
    levels: Sequence[tuple[int, int, int]],
    *,
    units: Sequence[int],
    posterior: str = "iaf",
    likelihood: Callable[[keras.layers.Layer], Likelihood] = Bernoulli,
    params_size: int = 1,
    filters: int = 16,
    flow_units: int = 32,
    **kwargs: Any,
) -> LadderVAE:
    """Ladder of residual convolutional networks: a `LadderVAE` for images.

    Args:
        event_shape: Shape of x, `(height, width, channels)`.
        levels: For each scale, coarse first, its height, number of levels and latent
            channels. A height is that of x halved some times, or 1 for dense levels.
        units: Channels of each scale.
        posterior: `"iaf"` or `"mean_field"`, as in `layers.TopDownBlock`.
        likelihood: Makes the likelihood of the network from the trunk to x.
        params_size: Values for each element of x, as the likelihood expects.
        filters: Channels at the resolution of x.
        flow_units: As in `layers.TopDownBlock`.
        **kwargs: As in `LadderVAE`.

    Example:
        >>> model = tfvae.ResNetVAE((28, 28, 1), [(1, 1, 8), (7, 2, 4)], units=[32, 16])
        >>> model.latent_dim
        400

    References:
        As `LadderVAE`.
    """
    _check_levels(levels, units)
    sizes, counts, channels = (list(column) for column in zip(*levels, strict=True))
    encoder = networks.ladder_encoder(event_shape, sizes, units, counts)
    blocks = [
        TopDownBlock(
            channels[scale],
            max(1, units[scale] // 2),
            scale=scale,
            posterior=posterior,
            flow_units=flow_units,
        )
        for scale, count in enumerate(counts)
        for _ in range(count)
    ]
    options = {"filters": filters, "params_size": params_size}
    decoder = networks.ladder_decoder(event_shape, sizes[-1], **options)
    return LadderVAE(encoder, blocks, likelihood(decoder), **kwargs)


def _check_levels(levels: Any, units: Any) -> None:
    """Checks the levels of a `ResNetVAE`, and that each scale has its units."""
    triples = isinstance(levels, (list, tuple)) and all(
        isinstance(level, (list, tuple)) and len(level) == 3 for level in levels
    )
    if not triples or not levels:
        checks.fail("a list of (height, levels, latent channels)", levels=levels)
    for level in levels:
        checks.integers(levels=list(level), minimum=1)
    heights = [height for height, _, _ in levels]
    if heights != sorted(set(heights)):
        checks.fail("of growing heights, coarse first", levels=levels)
    if not isinstance(units, (list, tuple)) or len(units) != len(levels):
        checks.fail(f"{len(levels)} numbers, one for each scale", units=units)
