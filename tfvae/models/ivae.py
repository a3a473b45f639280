"""The identifiable VAE."""

from collections.abc import Sequence
from typing import Any

import keras

from tfvae import checks
from tfvae.conditional import LatentDistribution
from tfvae.layers import JointEncoder
from tfvae.likelihoods import Likelihood
from tfvae.models.vae import VAE
from tfvae.posteriors import FullCovariance
from tfvae.priors import ConditionalNormal


def IVAE(
    posterior: LatentDistribution | keras.layers.Layer,
    likelihood: Likelihood | keras.layers.Layer,
    *,
    prior: LatentDistribution | None = None,
    latent_dim: int | None = None,
    num_classes: int = 0,
    context_shape: Sequence[int] | None = None,
    hidden_units: Sequence[int] | None = None,
    **kwargs: Any,
) -> VAE:
    """Identifiable VAE: `p(x | u) = integral of p(x | z) p(z | u) dz`, `q(z | x, u)`.

    u is observed beside x: a label, a segment or the time, a vector, the frame before.
    Given u the latents are independent. If their distribution changes enough with u,
    they are the true ones up to permutation, scale and shift. The model is a `VAE` that
    takes u beside x: `fit((x, u))` or data sets of pairs train it on the exact
    conditional ELBO, and `metrics.mcc` measures how well it recovers the sources.

    The posterior is of full covariance unless you give another: a diagonal one favours
    decoders whose derivatives by the latents are orthogonal, which those of the true
    mixing are not. The best recipe found: x whitened; a scale that is learned from a
    low one, `likelihoods.Normal(decoder, "learned", initial_scale=0.1)`; with labels
    `objectives.ELBO(contrast=...)` that falls to 0 over the first third of training; a
    few starts, of which the one with the best ELBO on the training data is kept.

    Args:
        posterior: A `posteriors.LatentDistribution`, for `q(z | x, u)` over a
            `layers.JointEncoder`; or an encoder network of x, taken as
            `posteriors.FullCovariance(layers.JointEncoder(encoder, hidden_units),
            latent_dim)`.
        likelihood: As in `VAE`.
        prior: A `priors.ConditionalPrior`, in which u may pass a network, for labels an
            embedding; when left out a `priors.ConditionalNormal` of `num_classes` or
            `context_shape`, linear in u.
        latent_dim: As in `VAE`.
        num_classes: Number of classes if u is a label from 0.
        context_shape: Shape of u if u is an array.
        hidden_units: Widths of the layers that see features of x and u together; one
            of 128 when left out. With an encoder network only.
        **kwargs: `objective` and others, as in `VAE`.

    Example:
        >>> x, u, sources = tfvae.data.nonlinear_ica(segment_length=100)
        >>> encoder = tfvae.networks.mlp_encoder((5,), [64])
        >>> decoder = tfvae.networks.mlp_decoder((5,), [64, 64])
        >>> likelihood = tfvae.likelihoods.Normal(decoder, "learned")
        >>> model = tfvae.IVAE(encoder, likelihood, latent_dim=5, num_classes=40)
        >>> model.compile("adam")
        >>> history = model.fit((x, u), batch_size=256, verbose=0)
        >>> 0 < tfvae.metrics.mcc(model.encode(x, u), sources) < 1
        True

    References:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA: A Unifying
        Framework, 2020, https://arxiv.org/abs/1907.04809
    """
    if not isinstance(posterior, LatentDistribution):
        joint = JointEncoder(posterior, hidden_units or (128,))
        posterior = FullCovariance(joint, latent_dim)
    elif hidden_units is not None:
        checks.fail("left out with a tfvae posterior", hidden_units=hidden_units)
    of_u = {"num_classes": num_classes, "context_shape": context_shape}
    if prior is None:
        prior = ConditionalNormal(posterior.latent_dim, **of_u)
    _check_prior(prior, **of_u)
    return VAE(posterior, likelihood, prior=prior, latent_dim=latent_dim, **kwargs)


def _check_prior(
    prior: LatentDistribution, num_classes: int, context_shape: Sequence[int] | None
) -> None:
    u = getattr(prior, "condition", None)
    if u is None:
        checks.fail("one of z given u", prior=prior)
    if num_classes not in (0, u.num_classes):
        checks.fail(f"{u.num_classes}, as in `prior`", num_classes=num_classes)
    if context_shape is not None and tuple(context_shape) != u.context_shape:
        expected = f"{u.context_shape}, as in `prior`"
        checks.fail(expected, context_shape=context_shape)
