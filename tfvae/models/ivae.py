"""The identifiable VAE."""

from tfvae import checks
from tfvae.config import register
from tfvae.layers import JointEncoder
from tfvae.models.vae import VAE
from tfvae.posteriors import FullCovariance, Posterior
from tfvae.priors import ConditionalNormal


@register
class IVAE(VAE):
    """Identifiable VAE: `p(x | u) = integral of p(x | z) p(z | u) dz`, `q(z | x, u)`.

    u is observed beside x: a label, a segment or the time, a vector, the frame before.
    Given u the latents are independent, and where their distribution changes enough
    with u, they are the true ones up to permutation, scale and shift. Trained on the
    exact conditional ELBO by `fit((x, u))` or on data sets of pairs. It has all that
    `VAE` has, with u beside x, and `metrics.mcc` measures what it recovers.

    The posterior is of full covariance unless you give another: a diagonal one favours
    decoders whose derivatives by the latents are orthogonal, which the true mixing is
    not. What recovers sources best of those tried: x whitened; a scale that is learned
    from a low one, `likelihoods.Normal(decoder, "learned", initial_scale=0.1)`; with
    labels `objectives.ELBO(contrast=...)` that falls to 0 over the first third of
    training; a few starts, of which the ELBO on the training data tells the best.

    Args:
        posterior: A `Posterior`, where of q(z | x, u) over a `layers.JointEncoder`; or
            an encoder network of x, taken as `posteriors.FullCovariance(
            layers.JointEncoder(encoder, hidden_units), latent_dim)`.
        likelihood: As in `VAE`.
        prior: A `priors.ConditionalPrior`, in which u may pass a network, for labels an
            embedding; when left out a `priors.ConditionalNormal` of `num_classes` or
            `context_shape`, linear in u.
        objective: As in `VAE`.
        latent_dim: As in `VAE`.
        num_classes: Number of classes, where u is a label from 0.
        context_shape: Shape of u, where it is an array.
        hidden_units: Widths of the layers that see features of x and u together; one
            of 128 when left out. With an encoder network only.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: A pair `(x, u)`.

    Raises:
        TypeError: Where a part is of the wrong kind.
        ValueError: Where parts do not fit each other.

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

    def __init__(
        self,
        posterior,
        likelihood,
        *,
        prior=None,
        objective=None,
        latent_dim=None,
        num_classes=0,
        context_shape=None,
        hidden_units=None,
        **kwargs,
    ):
        if not isinstance(posterior, Posterior):
            joint = JointEncoder(posterior, hidden_units or (128,))
            posterior = FullCovariance(joint, latent_dim)
        elif hidden_units is not None:
            checks.fail("left out with a tfvae posterior", hidden_units=hidden_units)
        of_u = {"num_classes": num_classes, "context_shape": context_shape}
        if prior is None:
            prior = ConditionalNormal(posterior.latent_dim, **of_u)
        _check_prior(prior, **of_u)
        super().__init__(
            posterior,
            likelihood,
            prior=prior,
            objective=objective,
            latent_dim=latent_dim,
            **kwargs,
        )
        self.num_classes, self.context_shape = prior.num_classes, prior.context_shape
        self.hidden_units = None  # they are in the posterior


def _check_prior(prior, num_classes, context_shape):
    if getattr(prior, "context_shape", None) is None:
        checks.fail("one of z given u", prior=prior)
    if num_classes not in (0, prior.num_classes):
        checks.fail(f"{prior.num_classes}, as in `prior`", num_classes=num_classes)
    if context_shape is not None and tuple(context_shape) != prior.context_shape:
        expected = f"{prior.context_shape}, as in `prior`"
        checks.fail(expected, context_shape=context_shape)
