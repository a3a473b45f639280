"""Named choices of the parts of a VAE."""

from tfvae.config import register
from tfvae.models.vae import VAE
from tfvae.objectives import ELBO, IWAEBound
from tfvae.posteriors import IAF, Auxiliary, FullCovariance, PlanarFlow


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


class _OfEncoder(VAE):
    """Abstract: a VAE that makes its posterior of an encoder.

    Args:
        posterior: The posterior.
        likelihood: As in `VAE`.
        prior: As in `VAE`.
        objective: As in `VAE`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    @property
    def encoder(self):
        """The network from x to features."""
        return self.posterior.encoder


@register
class FullCovarianceVAE(_OfEncoder):
    """VAE with `q(z | x) = N(z; loc(x), L(x) L(x)^T)`: see `posteriors.FullCovariance`.

    Args:
        encoder: Network from x to features.
        likelihood: As in `VAE`.
        prior: As in `VAE`.
        objective: As in `VAE`.
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.FullCovarianceVAE(encoder, decoder, latent_dim=10).latent_dim
        10

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, appendix A, https://arxiv.org/abs/1606.04934
    """

    def __init__(
        self, encoder, likelihood, *, prior=None, objective=None, latent_dim, **kwargs
    ):
        super().__init__(
            FullCovariance(encoder, latent_dim),
            likelihood,
            prior=prior,
            objective=objective,
            **kwargs,
        )


@register
class IAFVAE(_OfEncoder):
    """VAE with an inverse autoregressive flow as posterior: see `posteriors.IAF`.

    Args:
        encoder: Network from x to features.
        likelihood: As in `VAE`.
        latent_dim: Size of z.
        prior: As in `VAE`.
        objective: As in `VAE`.
        num_flows: Number of steps of the flow.
        hidden_units: As in `posteriors.IAF`.
        transform: As in `posteriors.IAF`.
        context_dim: As in `posteriors.IAF`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.IAFVAE(encoder, decoder, latent_dim=10, num_flows=4).num_flows
        4

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934
    """

    def __init__(
        self,
        encoder,
        likelihood,
        *,
        latent_dim,
        prior=None,
        objective=None,
        num_flows=2,
        hidden_units=(320, 320),
        transform="gated",
        context_dim=64,
        **kwargs,
    ):
        super().__init__(
            IAF(
                encoder,
                latent_dim,
                num_flows,
                hidden_units=hidden_units,
                transform=transform,
                context_dim=context_dim,
            ),
            likelihood,
            prior=prior,
            objective=objective,
            **kwargs,
        )
        self.num_flows, self.hidden_units = num_flows, self.posterior.hidden_units
        self.transform, self.context_dim = transform, context_dim


@register
class PlanarFlowVAE(_OfEncoder):
    """VAE with planar flows as posterior: see `posteriors.PlanarFlow`.

    Args:
        encoder: Network from x to features.
        likelihood: As in `VAE`.
        latent_dim: Size of z.
        prior: As in `VAE`.
        objective: As in `VAE`.
        num_flows: Number of steps of the flow.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.PlanarFlowVAE(encoder, decoder, latent_dim=10).num_flows
        10

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """

    def __init__(
        self,
        encoder,
        likelihood,
        *,
        latent_dim,
        prior=None,
        objective=None,
        num_flows=10,
        **kwargs,
    ):
        super().__init__(
            PlanarFlow(encoder, latent_dim, num_flows),
            likelihood,
            prior=prior,
            objective=objective,
            **kwargs,
        )
        self.num_flows = num_flows


@register
class AuxiliaryVAE(_OfEncoder):
    """VAE with auxiliary latent variables: see `posteriors.Auxiliary`.

    Args:
        encoder: Network from x to features.
        likelihood: As in `VAE`.
        latent_dim: Size of z.
        prior: As in `VAE`.
        objective: As in `VAE`.
        auxiliary_dim: As in `posteriors.Auxiliary`.
        hidden_units: As in `posteriors.Auxiliary`.
        context_dim: As in `posteriors.Auxiliary`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> tfvae.AuxiliaryVAE(encoder, decoder, latent_dim=10).auxiliary_dim
        10

    References:
        Maaloe et al., Auxiliary Deep Generative Models, 2016,
        https://arxiv.org/abs/1602.05473
    """

    def __init__(
        self,
        encoder,
        likelihood,
        *,
        latent_dim,
        prior=None,
        objective=None,
        auxiliary_dim=None,
        hidden_units=(128,),
        context_dim=128,
        **kwargs,
    ):
        super().__init__(
            Auxiliary(
                encoder,
                latent_dim,
                auxiliary_dim,
                hidden_units=hidden_units,
                context_dim=context_dim,
            ),
            likelihood,
            prior=prior,
            objective=objective,
            **kwargs,
        )
        self.auxiliary_dim = self.posterior.auxiliary_dim
        self.hidden_units = self.posterior.hidden_units
        self.context_dim = context_dim
