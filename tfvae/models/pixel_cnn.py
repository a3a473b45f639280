"""PixelCNN as a density model."""

from tfvae.config import register
from tfvae.layers import GatedPixelNetwork, ResidualPixelNetwork
from tfvae.models.autoregressive import AutoregressiveModel


@register
class PixelCNN(AutoregressiveModel):
    """PixelCNN: `log p(x) = sum_i log p(x_i | pixels before i)` by convolutions.

    The density of any image is one pass; a draw computes every feature of the network
    once. With labels or vectors as its context it is `p(x | y)`.

    Args:
        likelihood: Any `Likelihood` of elements over a `layers.GatedPixelNetwork` or a
            `layers.ResidualPixelNetwork`; or that network alone, for Bernoulli pixels.
        num_classes: Number of classes, where y is a label from 0 for each example; 0
            where y is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where the network is another.
        ValueError: Where it has not the parameters that the likelihood wants, or not
            the context.

    Example:
        >>> network = tfvae.layers.GatedPixelNetwork((8, 8, 1), 16, 3, context_dim=10)
        >>> model = tfvae.PixelCNN(network, num_classes=10)
        >>> model.log_prob(np.zeros([5, 8, 8, 1]), y=[0, 1, 2, 3, 4]).shape
        TensorShape([5])
        >>> model.sample(3, y=7).shape
        TensorShape([3, 8, 8, 1])

    References:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016,
        https://arxiv.org/abs/1606.05328; Pixel Recurrent Neural Networks, 2016,
        https://arxiv.org/abs/1601.06759
    """

    kinds = GatedPixelNetwork, ResidualPixelNetwork
