"""Models of exact likelihood by name: MADE, PixelCNN and PixelRNN."""

from tfvae.config import register
from tfvae.layers import (
    DiagonalBiLSTM,
    GatedPixelNetwork,
    MaskedAutoencoder,
    ResidualPixelNetwork,
    RowLSTM,
)
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
        num_classes: Number of classes if y is a label from 0 for each example; 0 if y
            is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> network = tfvae.layers.MaskedAutoencoder((8, 8, 1), [64])
        >>> model = tfvae.MADE(network)
        >>> model.log_prob(x[:5]).shape, model.sample(3).shape
        (TensorShape([5]), TensorShape([3, 8, 8, 1]))

    References:
        Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        https://arxiv.org/abs/1502.03509
    """

    kinds = (MaskedAutoencoder,)


@register
class PixelCNN(AutoregressiveModel):
    """PixelCNN: `log p(x) = sum_i log p(x_i | pixels before i)` by convolutions.

    The density of any image is one pass; a draw computes every feature of the network
    once. With labels or vectors as its context it is `p(x | y)`.

    Args:
        likelihood: Any `Likelihood` of elements over a `layers.GatedPixelNetwork` or a
            `layers.ResidualPixelNetwork`; or that network alone, for Bernoulli pixels.
        num_classes: As in `MADE`.
        **kwargs: As in `MADE`.

    Example:
        >>> network = tfvae.layers.GatedPixelNetwork((8, 8, 1), 16, 3, context_dim=10)
        >>> model = tfvae.PixelCNN(network, num_classes=10)
        >>> model.log_prob(x[:5], y=[0, 1, 2, 3, 4]).shape
        TensorShape([5])
        >>> model.sample(3, y=7).shape
        TensorShape([3, 8, 8, 1])

    References:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016,
        https://arxiv.org/abs/1606.05328; Pixel Recurrent Neural Networks, 2016,
        https://arxiv.org/abs/1601.06759
    """

    kinds = GatedPixelNetwork, ResidualPixelNetwork


@register
class PixelRNN(AutoregressiveModel):
    """PixelRNN: `log p(x) = sum_i log p(x_i | pixels before i)` by LSTMs over images.

    The density of any image is one pass, of a step for each row or diagonal; a draw
    computes every state once. With labels or vectors as its context it is `p(x | y)`.

    Args:
        likelihood: Any `Likelihood` of elements over a `layers.RowLSTM` or a
            `layers.DiagonalBiLSTM`; or that network alone, for Bernoulli pixels.
        num_classes: As in `MADE`.
        **kwargs: As in `MADE`.

    Example:
        >>> network = tfvae.layers.DiagonalBiLSTM((8, 8, 1), filters=8, num_blocks=2)
        >>> model = tfvae.PixelRNN(network)
        >>> model.log_prob(x[:5]).shape, model.sample(3).shape
        (TensorShape([5]), TensorShape([3, 8, 8, 1]))

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016,
        https://arxiv.org/abs/1601.06759
    """

    kinds = RowLSTM, DiagonalBiLSTM
