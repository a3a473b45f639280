"""Models of exact likelihood, which see the elements of x before each element."""

import abc
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.config import register
from tfvae.inputs import SEED, Input, Inputs, condition, to_arrays
from tfvae.layers import (
    AutoregressiveNetwork,
    DiagonalBiLSTM,
    GatedPixelNetwork,
    MaskedAutoencoder,
    ResidualPixelNetwork,
    RowLSTM,
)
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.base import GenerativeModel
from tfvae.signatures import Signature
from tfvae.training.compile import configure
from tfvae.training.step import Player


class AutoregressiveModel(GenerativeModel, abc.ABC):
    """Abstract `p(x) = prod_i p(x_i | x_j before i)`: a likelihood of x given x.

    If the network has several masks, training takes one after the other, and the model
    is the mixture of all: `p(x) = mean_m p_m(x)`, a mean of probabilities.

    If the network has a context, the model is `p(x | y)` and takes y beside x: in
    `fit`, `evaluate` and data sets as the target of x, elsewhere by its name.

    Args:
        likelihood: A `likelihoods.Likelihood` over a network of `kinds`; or the network
            alone, for Bernoulli elements.
        num_classes: Number of classes if y is a label from 0 for each example; 0 if y
            is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    monitor = "log_prob"
    # The classes of network that a model is made of.
    kinds = (AutoregressiveNetwork,)

    def __init__(
        self,
        likelihood: Likelihood | AutoregressiveNetwork,
        num_classes: int = 0,
        **kwargs: Any,
    ):
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        if not isinstance(likelihood.network, self.kinds):
            names = " or ".join(f"tfvae.layers.{kind.__name__}" for kind in self.kinds)
            expected = f"a likelihood over a {names}"
            checks.fail(expected, error=TypeError, likelihood=likelihood)
        super().__init__(("loss", "log_prob"), **kwargs)
        self.likelihood, self.network = likelihood, likelihood.network
        shape = (self.network.context_dim,) if self.network.context_dim else None
        self._condition = condition("y", shape, num_classes)
        self.num_classes = num_classes
        self.build((None, *self.network.event_shape))

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        self.likelihood.build((None, *event_shape))

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        return self._log_prob(*self.inputs.unpack(inputs))

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, as `VAE.compile`.

        Args:
            optimizer: A Keras optimizer or its name.
            **kwargs: As in `VAE.compile`.
        """
        configure(self, [optimizer], **kwargs)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one x."""
        return self.network.event_shape

    @property
    def inputs(self) -> Inputs:
        """The table of x, observed, seed, noise, and y if there is a context."""
        shape = tuple(self.event_shape)
        # Numbers for each element, and one for the mask.
        noise_dim = self.network.dim * self.likelihood.noise_dim + 1
        return Inputs(
            self.likelihood.input("x"),
            Input(
                "observed",
                shape,
                tf.bool,
                masks="x",
                meaning="which elements of x are given",
            ),
            SEED,
            Input("noise", (noise_dim,), low=0.0, high=1.0, meaning="uniform noise"),
            condition=self._condition,
        )

    @property
    def players(self) -> tuple[Player, ...]:
        """The model itself, down the negative log-density."""
        return (Player("", (self,), "loss"),)

    def terms(
        self, inputs: Any, seed: tf.Tensor, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """See `Trainable.terms`; training takes one mask after the other."""
        x, context = self.inputs.unpack(inputs)
        if training and self.network.num_masks > 1:
            mask = tf.cast(self.optimizer.iterations, tf.int32) % self.network.num_masks
            log_prob = self._log_prob_by_mask(x, context, mask, training=True)
        else:
            log_prob = self._log_prob(x, context, training=training)
        return {"loss": -log_prob, "log_prob": log_prob}

    def log_prob(self, x: Any, y: Any = None) -> tf.Tensor:
        """`log p(x)` or `log p(x | y)` of each example, `[batch]`, in nats.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.
            y: If there is a context, labels `[batch]`, vectors `[batch, size]`, or one
                for all.
        """
        return self.call_signature("serving_default", **self.check_data(x, y))[
            "log_prob"
        ]

    def sample(self, num_samples: int, seed: Any = None, y: Any = None) -> tf.Tensor:
        """Draws of p(x) or `p(x | y)`, `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            y: As in `log_prob`.
        """
        return self._sample(num_samples, seed, y)

    def complete(
        self, x: Any, observed: Any, seed: Any = None, y: Any = None
    ) -> tf.Tensor:
        """Draws what is not observed, each element given those before it.

        Elements observed later in the order have no say: the result is a draw of
        `p(x | observed)` if all observed elements come first.

        Args:
            x: Data `[batch, *event_shape]`; it counts where it is observed.
            observed: Booleans that broadcast to the shape of x.
            seed: As in `sample`.
            y: As in `log_prob`.

        Returns:
            A tensor `[batch, *event_shape]`.
        """
        if y is None:
            x, y = to_arrays(x)
        x = checks.real(x=x)
        observed = checks.booleans(x.shape, observed=observed)
        inputs = self.check_data(np.where(observed, x, 0), y)
        inputs |= {"observed": observed, "seed": seeds.rows(seed, len(x))}
        return self.call_signature("complete", **inputs)["x"]

    def from_noise(
        self,
        noise: tf.Tensor,
        context: tf.Tensor | None,
        x: tf.Tensor | None = None,
        observed: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """See `GenerativeModel`; with what is observed of x in its place."""
        num_rows, dim = keras.ops.shape(noise)[0], self.network.dim
        shape = [num_rows, dim, self.likelihood.noise_dim]
        for_elements = tf.reshape(noise[:, 1:], shape)
        if observed is not None:
            x, observed = (tf.reshape(a, [num_rows, dim]) for a in (x, observed))

        def choose(i: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
            value = self.likelihood.from_noise(for_elements[:, i], params)
            return value if x is None else tf.where(observed[:, i], x[:, i], value)

        num_masks = self.network.num_masks
        mask = tf.cast(noise[:, 0] * num_masks, tf.int32)
        # As no constant it keeps TFLite's converter from storing the weights anew in
        # the order of each mask.
        zero = tf.reduce_sum(tf.cast(noise[:1, 0] > math.inf, tf.int32))
        # A loop of loops is more than that converter can do.
        drawn = [
            self.network.generate(choose, num_rows, context, zero + i)
            for i in range(num_masks)
        ]
        if num_masks == 1:
            return {"x": drawn[0]}
        return {"x": tf.gather(tf.stack(drawn, axis=1), mask, batch_dims=1)}

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` (log_prob), `sample`, `complete`, with y if it counts."""
        noise = self.inputs["noise"]

        def log_prob(x: tf.Tensor, context: tf.Tensor | None) -> dict[str, tf.Tensor]:
            return {"log_prob": self._log_prob(x, context)}

        def complete(
            x: tf.Tensor,
            observed: tf.Tensor,
            seed: tf.Tensor,
            context: tf.Tensor | None,
        ) -> dict[str, tf.Tensor]:
            uniform = seeds.uniform(seed, [tf.shape(seed)[0], *noise.shape])
            return self.from_noise(uniform, context, x, observed)

        return {
            "serving_default": self.entry(log_prob, "x"),
            "sample": self._sample_signature(),
            "complete": self.entry(complete, "x", "observed", "seed"),
        }

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `log_prob`, `complete` and `sample`, or none."""
        if not self.network.fits_tflite:
            return {}
        return {
            "log_prob": self.signatures()["serving_default"],
            "complete": self.entry(self.from_noise, "x", "observed", "noise"),
            **self._lite_sample_signatures(batch_size),
        }

    def _log_prob(
        self, x: tf.Tensor, context: tf.Tensor | None, training: bool = False
    ) -> tf.Tensor:
        num_masks = self.network.num_masks
        first = self._log_prob_by_mask(x, context, 0, training)
        if num_masks == 1:
            return first

        def add(i: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            log_prob = self._log_prob_by_mask(x, context, i, training)
            return i + 1, tfp.math.log_add_exp(total, log_prob)

        loop = (tf.constant(1), first)
        _, total = tf.while_loop(lambda i, _: i < num_masks, add, loop)
        return total - math.log(num_masks)

    def _log_prob_by_mask(
        self,
        x: tf.Tensor,
        context: tf.Tensor | None,
        mask_index: tf.Tensor | int,
        training: bool = False,
    ) -> tf.Tensor:
        params = self.network(x, context, mask_index=mask_index, training=training)
        return self.likelihood.log_density(x, tf.cast(params, tf.float32))


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
        num_classes: Number of classes if y is a label from 0 for each example; 0 if y
            is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

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
        num_classes: Number of classes if y is a label from 0 for each example; 0 if y
            is a vector for each, or there is none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

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
