"""The generative adversarial network."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.conditional import output_shape
from tfvae.config import register
from tfvae.inputs import unzip
from tfvae.layers import Discriminator
from tfvae.models.adversarial import Adversarial
from tfvae.models.base import GenerativeModel
from tfvae.models.condition import Condition
from tfvae.objectives import AdversarialLoss
from tfvae.signatures import Signature


@register
class GAN(Adversarial, GenerativeModel):
    """Generative adversarial network: `x = G(z)`, `z ~ N(0, I)`, against D.

    Both sides move in each step, from the same state: the generator down
    `loss.generator(D(G(z)))`, the discriminator down `loss.discriminator(D(x),
    D(G(z)))`. `model(z)` gives x; `discriminator(x)` logits and features.

    Args:
        generator: Keras model from z `[batch, latent]` to x; with classes from z and y
            one-hot, `[batch, latent + num_classes]`. Where it ends in a sigmoid or tanh
            x has to be in its range.
        discriminator: A `layers.Discriminator`, or a network, taken as one.
        latent_dim: Size of z.
        adversarial_loss: An `objectives.AdversarialLoss`, or its kind.
        num_discriminator_steps: Moves of the discriminator for one of the generator,
            each on the same data and other z.
        num_classes: Number of classes, where x is conditional on labels y from 0.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        z: `[batch, latent]`, or a pair of it and labels y.

    Raises:
        TypeError: Where a part is of the wrong kind.
        ValueError: Where parts do not fit each other.

    Example:
        >>> generator = tfvae.networks.dcgan_generator((8, 8, 1), 16)
        >>> network = tfvae.networks.mlp_encoder((8, 8, 1), [64], "leaky_relu")
        >>> model = tfvae.GAN(generator, network, latent_dim=8)
        >>> model.compile(generator_optimizer="adam", discriminator_optimizer="adam")
        >>> history = model.fit(np.zeros([32, 8, 8, 1]), verbose=0).history
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

    players = ("generator", "discriminator")
    term_names = ("generator_loss", "discriminator_loss")

    def __init__(
        self,
        generator,
        discriminator,
        *,
        latent_dim,
        adversarial_loss="non_saturating",
        num_discriminator_steps=1,
        num_classes=0,
        **kwargs,
    ):
        layer = keras.layers.Layer
        checks.instance(layer, "a Keras model or layer", generator=generator)
        if not isinstance(discriminator, Discriminator):
            discriminator = Discriminator(discriminator, num_classes=num_classes)
        if discriminator.num_classes != num_classes:
            expected = f"{discriminator.num_classes}, as in `discriminator`"
            checks.fail(expected, num_classes=num_classes)
        checks.apart(generator=generator, discriminator=discriminator)
        super().__init__(**kwargs)
        self.adversarial_loss = AdversarialLoss.of(adversarial_loss)
        self.latent_dim = checks.integer(latent_dim=latent_dim)
        self.num_discriminator_steps = checks.integer(
            num_discriminator_steps=num_discriminator_steps
        )
        self.num_classes = num_classes
        shape = (num_classes,) if num_classes else None
        self.condition = Condition("y", shape, num_classes)
        self.generator, self.discriminator = generator, discriminator
        self._build_for(discriminator.input_shape)

    def build(self, input_shape):
        if self.built:
            return
        shape = output_shape(self.generator, (None, self.latent_dim + self.num_classes))
        if tuple(shape[1:]) != tuple(input_shape[1:]):
            expected = f"to x of shape {list(input_shape[1:])}"
            checks.fail(expected, generator=f"to {list(shape[1:])}")
        self.event_shape = tuple(input_shape[1:])
        self.discriminator.build((None, *self.event_shape))
        self.built = True

    def compile(
        self, generator_optimizer="adam", discriminator_optimizer="adam", **kwargs
    ):
        """Configures training, as `VAE.compile` does, with two optimizers.

        Args:
            generator_optimizer: A Keras optimizer or its name.
            discriminator_optimizer: The same; one given twice is used twice, each with
                a state of its own. It counts all moves of the discriminator, so its
                schedules run `num_discriminator_steps` times as fast.
            **kwargs: `jit_compile`, `steps_per_execution`, `run_eagerly`.

        Raises:
            TypeError: Where a loss or metrics are given.
            ValueError: Where a learning rate is negative or not finite.
        """
        optimizers = {
            "generator": generator_optimizer,
            "discriminator": discriminator_optimizer,
        }
        self._compile(optimizers, **kwargs)

    @property
    def parts(self):
        """See `Adversarial`."""
        return {player: [getattr(self, player)] for player in self.players}

    def call(self, z, training=False):
        z, y = unzip(z)
        return self.generate(z, self.condition.context(y), training=training)

    def generate(self, z, context=None, training=False):
        """`G(z)`, `[batch, *event_shape]`.

        Args:
            z: `[batch, latent]`.
            context: Labels one-hot, where there are some.
            training: Passed on to the generator.
        """
        inputs = z if context is None else tf.concat([z, context], axis=-1)
        return tf.cast(self.generator(inputs, training=training), tf.float32)

    def terms(self, inputs, seed, training=False):
        """The losses of both players, `[batch]`."""
        x, y = unzip(inputs)
        context = self.condition.context(y)
        z = seeds.normal(seed, [tf.shape(x)[0], self.latent_dim])
        generated = self.generate(z, context, training=training)
        real, fake = self._logits(x, generated, context, training)
        loss = self.adversarial_loss
        penalty = loss.penalty(
            lambda x: self.discriminator(x, context, training=training)[0],
            x,
            generated,
            seeds.uniform(seed + 1, [tf.shape(x)[0], 1])[:, 0],
        )
        return {
            "generator_loss": loss.generator(fake),
            "discriminator_loss": loss.discriminator(real, fake) + penalty,
        }

    @property
    def turns(self):
        """Turns of the discriminator alone, then one of both."""
        alone = [("discriminator",)] * (self.num_discriminator_steps - 1)
        return [*alone, self.players]

    def sample(self, num_samples, seed=None, y=None):
        """Draws of x, `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            y: Labels `[num_samples]`, or one for all, where the model is conditional.

        Raises:
            TypeError: Where an argument is of the wrong kind.
            ValueError: Where `num_samples` is negative, or y does not fit the model.
        """
        self._check_built()
        return self._sample(num_samples, seed, y)

    def decode(self, z, y=None):
        """`G(z)`, `[batch, *event_shape]`.

        Args:
            z: `[batch, latent]`.
            y: As in `sample`.

        Raises:
            TypeError: Where z holds no real numbers.
            ValueError: Where z or y does not fit the model.
        """
        self._check_built()
        z = checks.array((self.latent_dim,), z=z)
        return self.run("serving_default", z=z, **self.condition.given(y, len(z)))["x"]

    @property
    def support(self):
        """Least and greatest value that the generator gives, by its activation."""
        return _range(self.generator)

    def check_inputs(self, x):
        """See `GenerativeModel.check_inputs`; x is an array or a data set."""
        low, high = self.support
        because = "the generator's last activation"
        x = self._as_array(x)
        return checks.array(self.event_shape, low=low, high=high, because=because, x=x)

    def predict(self, z, batch_size=None, **kwargs):
        """`model(z)` as an array, as `keras.Model.predict`.

        Args:
            z: Latents `[batch, latent]`, or a pair of them and labels y.
            batch_size: Not used.
            **kwargs: Not used.
        """
        return np.asarray(self.decode(*unzip(z)))

    def signatures(self):
        """`serving_default` (decode), `sample`, `discriminate`, with y if it counts."""
        self._check_built()
        z = tf.TensorSpec([None, self.latent_dim], tf.float32, name="z")
        seed, y = (
            tf.TensorSpec([None, 2], tf.int32, name="seed"),
            self.condition.specs(),
        )
        return {
            "serving_default": Signature(self._decode, (z, *y)),
            "sample": Signature(self._sample_rows, (seed, *y)),
            **self._discriminate_signature(),
        }

    def lite_signatures(self, batch_size=1):
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        Args:
            batch_size: Images in one answer of `sample_random`, where there is no y.

        Returns:
            A dict of `Signature`: `decode`, `sample(noise)`, `sample_random()` and
            `discriminate`, with y where it counts.
        """
        whole, y = self.signatures(), self.condition.specs()
        noise = tf.TensorSpec([None, self.latent_dim], tf.float32, name="noise")

        def sample_random(y=None):
            rows = batch_size if y is None else tf.shape(y)[0]
            return self._decode(tf.random.normal([rows, self.latent_dim]), y)

        return {
            "decode": whole["serving_default"],
            "discriminate": whole["discriminate"],
            "sample": Signature(
                lambda noise, y=None: self._decode(noise, y), (noise, *y)
            ),
            "sample_random": Signature(sample_random, (*y,), random=True),
        }

    def _decode(self, z, y=None):
        return {"x": self.generate(z, self.condition.context(y))}

    def _sample_rows(self, seed, y=None):
        return self._decode(seeds.normal(seed, [tf.shape(seed)[0], self.latent_dim]), y)

    def _logits(self, x, generated, context, training):
        """Logits of data and of what was generated, in one pass where that is right."""
        judge = functools.partial(self.discriminator, training=training)
        if self.discriminator.mixes_rows:
            return judge(x, context)[0], judge(generated, context)[0]
        if context is not None:
            context = tf.concat([context, context], axis=0)
        logits = judge(tf.concat([x, generated], axis=0), context)[0]
        return tf.split(logits, 2)


def _range(network):
    """The values that a network can give, as its last activation says."""
    layers = list(network._flatten_layers(include_self=False))
    last = [layer.activation for layer in layers if hasattr(layer, "activation")][-1:]
    if last == [keras.activations.sigmoid]:
        return 0.0, 1.0
    return (-1.0, 1.0) if last == [keras.activations.tanh] else (-np.inf, np.inf)
