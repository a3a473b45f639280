"""Named choices of the objective of a VAE."""

from tfvae.config import register
from tfvae.models.vae import VAE
from tfvae.objectives import ELBO, IWAEBound


@register
class BetaVAE(VAE):
    """VAE whose KL is weighed: maximises `log p(x | z) - beta * KL(q(z | x) || p(z))`.

    With a capacity it is `log p(x | z) - beta * |KL - capacity|`, the KL being the mean
    over the batch: a capacity that grows from 0 lets information in latent by latent.

    Reports `elbo` at beta = 1. See `VAE` for the other arguments.

    Args:
        posterior: As in `VAE`.
        likelihood: As in `VAE`.
        prior: As in `VAE`.
        beta: As in `objectives.ELBO`; Burgess et al. call it gamma.
        capacity: As in `objectives.ELBO`, C in Burgess et al.
        latent_dim: As in `VAE`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.BetaVAE(encoder, decoder, latent_dim=10, beta=4.0).objective.beta
        4.0

        From 0 to 25 nats in 100,000 steps:

        >>> capacity = tfvae.objectives.warm_up(100_000, 25.0)
        >>> model = tfvae.BetaVAE(
        ...     encoder, decoder, latent_dim=10, beta=1000.0, capacity=capacity
        ... )
        >>> float(model.capacity(20_000))
        5.0

    References:
        Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained
        Variational Framework, 2017, https://openreview.net/forum?id=Sy2fzU9gl; Burgess
        et al., Understanding disentangling in beta-VAE, 2018,
        https://arxiv.org/abs/1804.03599
    """

    def __init__(
        self,
        posterior,
        likelihood,
        *,
        prior=None,
        beta=4.0,
        capacity=None,
        latent_dim=None,
        **kwargs,
    ):
        super().__init__(
            posterior,
            likelihood,
            prior=prior,
            objective=ELBO(beta, capacity=capacity),
            latent_dim=latent_dim,
            **kwargs,
        )
        self.beta, self.capacity = beta, capacity


@register
class IWAE(VAE):
    """Importance-weighted autoencoder: a VAE trained on the bound of k draws.

    See `VAE` for the other arguments and `objectives.IWAEBound` for the bound.

    Args:
        posterior: As in `VAE`.
        likelihood: As in `VAE`.
        prior: As in `VAE`.
        num_samples: Draws of z for each example, k in the paper.
        beta: As in `objectives.IWAEBound`.
        latent_dim: As in `VAE`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.IWAE(encoder, decoder, latent_dim=10, num_samples=5).num_samples
        5

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """

    def __init__(
        self,
        posterior,
        likelihood,
        *,
        prior=None,
        num_samples=5,
        beta=1.0,
        latent_dim=None,
        **kwargs,
    ):
        super().__init__(
            posterior,
            likelihood,
            prior=prior,
            objective=IWAEBound(num_samples, beta=beta),
            latent_dim=latent_dim,
            **kwargs,
        )
        self.num_samples, self.beta = num_samples, beta
