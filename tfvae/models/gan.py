"""The generative adversarial network."""

import functools
import math
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.conditional import output_shape
from tfvae.config import Network, register
from tfvae.inputs import SEED, Context, Input, Inputs, condition
from tfvae.layers import Discriminator
from tfvae.models.base import GenerativeModel, check_apart
from tfvae.objectives import AdversarialLoss
from tfvae.signatures import Outputs, Signature
from tfvae.training.players import Player


@register
class GAN(GenerativeModel):
    """Generative adversarial network: `x = G(z)`, `z ~ N(0, I)`, against D.

    Both sides move in each step, from the same state: the generator down
    `loss.generator(D(G(z)))`, the discriminator down `loss.discriminator(D(x),
    D(G(z)))`. `model(z)` gives x; `discriminator(x)` logits and features.

    Args:
        generator: Keras model from z `[batch, latent]` to x; with classes from z and y
            one-hot, `[batch, latent + num_classes]`. If it ends in a sigmoid or tanh, x
            has to be in the range of that activation.
        discriminator: A `layers.Discriminator`, or a network, taken as one.
        latent_dim: Size of z.
        adversarial_loss: An `objectives.AdversarialLoss`, or its kind.
        num_discriminator_steps: Moves of the discriminator for one of the generator,
            each on the same data and other z. Its optimizer counts all of them, so
            schedules of its learning rate run that many times as fast.
        num_classes: Number of classes if x is conditional on labels y from 0.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        z: `[batch, latent]`, or a pair of it and labels y.

    Example:
        >>> generator = tfvae.networks.dcgan_generator((8, 8, 1), 16)
        >>> network = tfvae.networks.mlp_encoder((8, 8, 1), [64], "leaky_relu")
        >>> model = tfvae.GAN(generator, network, latent_dim=8)
        >>> model.compile(generator_optimizer="adam", discriminator_optimizer="adam")
        >>> history = model.fit(x, verbose=0).history
        >>> sorted(history)
        ['discriminator_loss', 'generator_loss']
        >>> model.sample(5).shape
        TensorShape([5, 8, 8, 1])

    References:
        Goodfellow et al., Generative Adversarial Networks, 2014,
        https://arxiv.org/abs/1406.2661; Radford et al., Unsupervised Representation
        Learning with Deep Convolutional Generative Adversarial Networks, 2015,
        https://arxiv.org/abs/1511.06434
    """

    called_with = "z"
    # Shape of one x, known once the model is built.
    event_shape = None

    def __init__(
        self,
        generator: Network,
        discriminator: Discriminator | keras.layers.Layer,
        *,
        latent_dim: PositiveInt,
        adversarial_loss: AdversarialLoss | str = "non_saturating",
        num_discriminator_steps: PositiveInt = 1,
        num_classes: int = 0,
        **kwargs: Any,
    ):
        if not isinstance(discriminator, Discriminator):
            discriminator = Discriminator(discriminator, num_classes=num_classes)
        if discriminator.num_classes != num_classes:
            expected = f"{discriminator.num_classes}, as in `discriminator`"
            checks.fail(expected, num_classes=num_classes)
        check_apart(generator=generator, discriminator=discriminator)
        super().__init__(("generator_loss", "discriminator_loss"), **kwargs)
        self.adversarial_loss = AdversarialLoss.of(adversarial_loss)
        self.generator, self.discriminator = generator, discriminator
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self._build_early(discriminator)

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        shape = output_shape(self.generator, (None, self.latent_dim + self.num_classes))
        if shape[1:] != event_shape:
            expected = f"to x of shape {list(event_shape)}"
            checks.fail(expected, generator=f"to {list(shape[1:])}")
        self.event_shape = event_shape
        self.discriminator.build((None, *event_shape))

    def call(self, z: Any, training: bool = False) -> tf.Tensor:
        return self.generate(*self.inputs.unpack(z), training=training)

    def make_inputs(self) -> Inputs:
        """The table of x, z, seed, noise, and y if there are classes."""
        low, high = _range(self.generator)
        because = "the generator's last activation"
        size = (self.latent_dim,)
        shape = (self.num_classes,) if self.num_classes else None
        return Inputs(
            Input("x", self.event_shape, low=low, high=high, because=because),
            Input("z", size, meaning="latents"),
            SEED,
            Input("noise", size, meaning="standard normal noise"),
            condition=condition("y", shape, self.num_classes),
        )

    @functools.cached_property
    def players(self) -> tuple[Player, ...]:
        """Generator and discriminator; the latter may take several moves for one."""
        steps = self.num_discriminator_steps
        return (
            Player("generator", (self.generator,), "generator_loss"),
            Player("discriminator", (self.discriminator,), "discriminator_loss", steps),
        )

    def generate(
        self, z: tf.Tensor, context: Context = None, training: bool = False
    ) -> tf.Tensor:
        """`G(z)`, `[batch, *event_shape]`.

        Args:
            z: `[batch, latent]`.
            context: Labels one-hot, if there are some.
            training: Passed on to the generator.
        """
        inputs = z if context is None else tf.concat([z, context], axis=-1)
        return tf.cast(self.generator(inputs, training=training), tf.float32)

    def terms(self, inputs: Any, seed: tf.Tensor, training: bool = False) -> Outputs:
        """The losses of both players, `[batch]`."""
        x, context = self.inputs.unpack(inputs)
        z = seeds.normal(seed, [tf.shape(x)[0], self.latent_dim])
        generated = self.generate(z, context, training=training)
        real, fake = self._logits(x, generated, context, training)
        loss = self.adversarial_loss
        share = seeds.uniform(seeds.next_to(seed, 1), [tf.shape(x)[0], 1])[:, 0]

        def judge(x: tf.Tensor) -> tf.Tensor:
            return self.discriminator(x, context, training=training)[0]

        penalty = loss.penalty(judge, x, generated, share)
        return {
            "generator_loss": loss.generator(fake),
            "discriminator_loss": loss.discriminator(real, fake) + penalty,
        }

    def sample(self, num_samples: int, seed: Any = None, y: Any = None) -> tf.Tensor:
        """Draws of x, `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            y: Labels `[num_samples]`, or one for all, if the model is conditional.
        """
        self._check_built()
        return self._sample(num_samples, seed, y)

    def decode(self, z: Any, y: Any = None) -> tf.Tensor:
        """`G(z)`, `[batch, *event_shape]`.

        Args:
            z: `[batch, latent]`.
            y: As in `sample`.
        """
        self._check_built()
        inputs = self.check_data(z, y, name="z")
        return self.call_signature("serving_default", **inputs)["x"]

    def discriminate(self, x: Any, y: Any = None) -> tf.Tensor:
        """Logits of the discriminator, `[batch]`: high if x looks real.

        Args:
            x: Data `[batch, *event_shape]`.
            y: Labels `[batch]`, or one for all, if the model is conditional.
        """
        return self.answers("discriminate", "logits", x, y)

    def from_noise(self, noise: tf.Tensor, context: Context) -> Outputs:
        """See `GenerativeModel`."""
        return {"x": self.generate(noise, context)}

    def signatures(self) -> dict[str, Signature]:
        """`serving_default` (decode), `sample`, `discriminate`, with y if it counts."""
        self._check_built()

        def discriminate(x: tf.Tensor, context: Context) -> Outputs:
            return {"logits": self.discriminator(x, context)[0]}

        def decode(z: tf.Tensor, context: Context) -> Outputs:
            return {"x": self.generate(z, context)}

        return {
            "serving_default": self.entry(decode, "z"),
            "sample": self._sample_signature(),
            "discriminate": self.entry(discriminate, "x"),
        }

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `decode`, `discriminate` and `sample`."""
        whole = self.signatures()
        return {
            "decode": whole["serving_default"],
            "discriminate": whole["discriminate"],
            **self._lite_sample_signatures(batch_size),
        }

    def _logits(
        self, x: tf.Tensor, generated: tf.Tensor, context: Context, training: bool
    ) -> list[tf.Tensor]:
        """Logits of data and of generated x, in one pass if the rows stay apart."""
        judge = functools.partial(self.discriminator, training=training)
        if self.discriminator.mixes_rows:
            return [judge(x, context)[0], judge(generated, context)[0]]
        if context is not None:
            context = tf.concat([context, context], axis=0)
        logits = judge(tf.concat([x, generated], axis=0), context)[0]
        return tf.split(logits, 2)


def _range(network: keras.layers.Layer) -> tuple[float, float]:
    """Least and greatest value that a network can give, by its last activation."""
    layers = list(network._flatten_layers(include_self=False))
    last = [layer.activation for layer in layers if hasattr(layer, "activation")][-1:]
    if last == [keras.activations.sigmoid]:
        return 0.0, 1.0
    return (-1.0, 1.0) if last == [keras.activations.tanh] else (-math.inf, math.inf)
