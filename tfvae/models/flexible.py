"""Named choices of the posterior of a VAE."""

from tfvae.config import register
from tfvae.models.vae import VAE
from tfvae.posteriors import IAF, Auxiliary, FullCovariance, PlanarFlow


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
