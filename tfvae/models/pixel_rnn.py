"""PixelRNN as a density model."""

from tfvae.config import register
from tfvae.layers import DiagonalBiLSTM, RowLSTM
from tfvae.models.autoregressive import AutoregressiveModel


@register
class PixelRNN(AutoregressiveModel):
    """PixelRNN: `log p(x) = sum_i log p(x_i | pixels before i)` by LSTMs over images.

    The density of any image is one pass, of a step for each row or diagonal; a draw
    computes every state once. With labels or vectors as its context it is `p(x | y)`.

    Args:
        likelihood: Any `Likelihood` of elements over a `layers.RowLSTM` or a
            `layers.DiagonalBiLSTM`; or that network alone, for Bernoulli pixels.
        num_classes: Number of classes, where y is a label from 0 for each example; 0
            where y is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where the network is another.
        ValueError: Where it has not the parameters that the likelihood wants, or not
            the context.

    Example:
        >>> network = tfvae.layers.DiagonalBiLSTM((8, 8, 1), filters=8, num_blocks=2)
        >>> model = tfvae.PixelRNN(network)
        >>> model.log_prob(np.zeros([5, 8, 8, 1])).shape, model.sample(3).shape
        (TensorShape([5]), TensorShape([3, 8, 8, 1]))

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016,
        https://arxiv.org/abs/1601.06759
    """

    kinds = RowLSTM, DiagonalBiLSTM

    def lite_signatures(self, batch_size=1):
        """None: TFLite has no operators for loops that collect what they compute."""
        return {}
