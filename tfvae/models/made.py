"""MADE as a density model."""

from tfvae.config import register
from tfvae.layers import MaskedAutoencoder
from tfvae.models.autoregressive import AutoregressiveModel


@register
class MADE(AutoregressiveModel):
    """Masked autoencoder: `log p(x) = sum_i log p(x_i | x_j before i)` by dense layers.

    The density of any x is one pass; a draw computes every unit of the network once.
    With several masks it is order- or connectivity-agnostic: each batch trains the next
    mask, and the density is the mean of the probabilities under all of them.

    Args:
        likelihood: Any `Likelihood` of elements over a `layers.MaskedAutoencoder`; or
            that network alone, for Bernoulli elements.
        num_classes: Number of classes, where y is a label from 0 for each example; 0
            where y is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where the network is another.
        ValueError: Where it has not the parameters that the likelihood wants, or not
            the context.

    Example:
        >>> network = tfvae.layers.MaskedAutoencoder((8, 8, 1), [64])
        >>> model = tfvae.MADE(network)
        >>> model.log_prob(np.zeros([5, 8, 8, 1])).shape, model.sample(3).shape
        (TensorShape([5]), TensorShape([3, 8, 8, 1]))

    References:
        Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        https://arxiv.org/abs/1502.03509
    """

    kinds = (MaskedAutoencoder,)
