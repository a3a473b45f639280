"""Ladders: levels of latents along a shared trunk, coarse to fine."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.conditional import Draw
from tfvae.config import Network, register
from tfvae.inputs import Context, Input, Inputs
from tfvae.layers import TopDown, TopDownBlock
from tfvae.layers.top_down import LevelDraw, as_map, by_channel, flat, sums
from tfvae.likelihoods import Bernoulli, Likelihood
from tfvae.models.base import check_apart
from tfvae.models.latent import LatentVariableModel
from tfvae.objectives import ELBO, LogDensities, Objective
from tfvae.priors import StandardNormal
from tfvae.signatures import Outputs, Signature
from tfvae.training.players import Player

tfd = tfp.distributions


@register
class LadderVAE(LatentVariableModel):
    """Hierarchical VAE: `p(x, z) = p(x | z) prod_l p(z_l | z_<l)`, coarse to fine.

    `q(z | x) = prod_l q(z_l | z_<l, x)`: the encoder goes up once, then prior and
    posterior of every level go down one shared trunk (bidirectional inference). z is
    the flat concatenation of all levels, each in units of its prior, so that z is
    standard normal under the prior; `split` gives the levels as maps.

    Args:
        encoder: Network from x to features, a list with one output
            `[batch, height, width, units]` or `[batch, units]` for each scale, coarse
            first.
        levels: A `layers.TopDownBlock` for each level, coarse first.
        likelihood: A `Likelihood` whose network takes the last state of the trunk,
            `[batch, height, width, units]`; or that network, for Bernoulli elements.
        objective: An `Objective`; `objectives.ELBO()` when left out.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: Data `[batch, *event_shape]`.

    Example:
        >>> model = tfvae.ResNetVAE((8, 8, 1), [(1, 1, 4), (4, 1, 2)], units=[16, 8])
        >>> model.compile("adam")
        >>> sorted(model.fit(x, verbose=0).history)
        ['elbo', 'kl', 'kl_0', 'kl_1', 'loss', 'reconstruction']
        >>> [level.shape[1:] for level in model.split(model.encode(x))]
        [TensorShape([1, 1, 4]), TensorShape([4, 4, 2])]

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
        2016, https://arxiv.org/abs/1606.04934; Sonderby et al., Ladder Variational
        Autoencoders, 2016, https://arxiv.org/abs/1602.02282
    """

    monitor = "elbo"

    def __init__(
        self,
        encoder: Network,
        levels: Sequence[TopDownBlock],
        likelihood: Likelihood | keras.layers.Layer,
        *,
        objective: Objective | None = None,
        **kwargs: Any,
    ):
        if not isinstance(likelihood, Likelihood):
            likelihood = Bernoulli(likelihood)
        objective = ELBO() if objective is None else objective
        checks.instance(Objective, "a tfvae objective", objective=objective)
        shapes = _features_shapes(encoder)
        trunk = TopDown(levels)
        check_apart(encoder=encoder, levels=trunk, likelihood=likelihood)
        trunk.build(shapes)
        kls = [f"kl_{i}" for i in range(len(levels))]
        names = ("loss", *objective.term_names, *kls, *objective.schedules)
        super().__init__(names, **kwargs)
        self.encoder, self.trunk, self.objective = encoder, trunk, objective
        self.likelihood, self.prior = likelihood, StandardNormal(trunk.latent_dim)
        self.noise_dim = trunk.latent_dim
        self._build_early(encoder)

    @property
    def levels(self) -> list[TopDownBlock]:
        """The levels, coarse first."""
        return self.trunk.levels

    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """See `GenerativeModel`."""
        if event_shape != self.encoder.input_shape[1:]:
            expected = f"of shape {list(self.encoder.input_shape[1:])}, as `encoder`"
            checks.fail(expected, x=f"x of shape {list(event_shape)}")
        self.prior.build()
        self.likelihood.build((None, *self.trunk.output_shape))
        self._check_shape(event_shape)

    @functools.cached_property
    def players(self) -> tuple[Player, ...]:
        """The model itself, down the negative objective."""
        return (Player("", (self,), "loss"),)

    def make_inputs(self) -> Inputs:
        """The table of all latent-variable models, and the temperature of levels."""
        about = "deviation of the noise of each level, 1 for the prior"
        shape = (len(self.levels),)
        temperature = Input("temperature", shape, low=0.0, high=2.0, meaning=about)
        return Inputs(*self._latent_inputs(), temperature, condition=None)

    def split(self, z: Any) -> list[Any]:
        """The levels of flat latents, each `[..., height, width, channels]`.

        Args:
            z: Latents `[..., latent]`, as `encode` gives them, or numbers by latent.
        """
        return self.trunk.split(z if tf.is_tensor(z) else np.asarray(z))

    def join(self, levels: Sequence[Any]) -> tf.Tensor:
        """The flat latents `[..., latent]` of levels as `split` gives them."""
        shapes = self.trunk.latent_shapes
        levels = [np.asarray(level, "float32") for level in levels]
        if [level.shape[-3:] for level in levels] != shapes:
            expected = f"maps of {list(map(list, shapes))}"
            checks.fail(expected, levels=[list(level.shape) for level in levels])
        rows = [level.reshape(*level.shape[:-3], -1) for level in levels]
        return tf.constant(np.concatenate(rows, axis=-1))

    def sample(
        self, num_samples: int, seed: Any = None, temperature: Any = 1.0
    ) -> tf.Tensor:
        """Means of `p(x | z)` for z of the prior, `[num_samples, *event_shape]`.

        Args:
            num_samples: Number of samples, 0 or more.
            seed: int, `keras.random.SeedGenerator` or None; row i depends on the seed
                and on i alone.
            temperature: Factor of the prior's noise: 1 draws from the model, less gives
                more typical x. One number, or one for each level.
        """
        num_samples = checks.integer(minimum=0, num_samples=num_samples)
        rows = seeds.rows(seed, num_samples)
        temperature = self._temperatures(num_samples, temperature)
        inputs = {"seed": rows, "temperature": temperature}
        return self.call_signature("sample", **inputs)["x"]

    def reconstruct(self, x: Any, levels: int | None = None, seed: Any = None) -> Any:
        """Mean of `p(x | z)` with the first levels of x, the rest from the prior.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it.
            levels: Number of levels, coarse first, whose z is that of `encode`; all
                when left out.
            seed: Seed of the draws of the other levels; at 0, their center, when left
                out.
        """
        count = len(self.levels)
        levels = count if levels is None else levels
        levels = checks.integer(minimum=0, maximum=count, levels=levels)
        z = np.array(self.encode(x))
        first = sum(np.prod(shape) for shape in self.trunk.latent_shapes[:levels])
        z[:, first:] = 0
        if seed is not None:
            noise = seeds.normal(seeds.rows(seed, len(z)), [len(z), self.latent_dim])
            z[:, first:] = noise[:, first:]
        return self.decode(z)

    def p_x(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """See `LatentVariableModel`."""
        return self.likelihood(self._features(z), training=training)

    def log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """See `LatentVariableModel`."""
        return self.likelihood.log_prob(x, self._features(z), training=training)

    def draw(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> Draw:
        """See `LatentVariableModel`."""
        levels, _ = self._walk(x, noise, training)
        z = flat([level.z for level in levels], noise)
        return z, sums([level.log_prob for level in levels], noise)

    def center(
        self, x: tf.Tensor, context: Context, training: bool = False
    ) -> tf.Tensor:
        """See `LatentVariableModel`: noise 0 at each level."""
        noise = tf.zeros([1, keras.ops.shape(x)[0], self.noise_dim])
        return self.draw(x, context, noise, training)[0][0]

    def densities(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> LogDensities:
        """See `LatentVariableModel`: one walk gives posterior, prior and likelihood."""
        levels, features = self._walk(x, noise, training)
        z = flat([level.z for level in levels], noise)
        features = tf.reshape(
            features, [*tf.unstack(tf.shape(noise)[:2]), *features.shape[1:]]
        )
        return LogDensities(
            log_likelihood=self.likelihood.log_prob(x, features, training=training),
            log_prior=self.prior().log_prob(z),
            log_posterior=sums([level.log_prob for level in levels], noise),
            kl_by_group=tf.concat(
                [by_channel(level.kl, noise) for level in levels], axis=-1
            ),
            latent_dim=self.latent_dim,
            z=z,
            levels=tuple(self.trunk.latent_shapes),
        )

    def kl_by_latent(self, x: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """KL of each latent given the levels above, `[samples, batch, latent]`, nats.

        Exact for mean-field levels, else `log q - log p` of the draw; arguments as in
        `draw`.
        """
        levels, _ = self._walk(x, noise, training=False)
        return flat([level.kl for level in levels], noise)

    def terms(self, inputs: Any, seed: tf.Tensor, training: bool = False) -> Outputs:
        """Terms of the objective, and the KL of each level, `[batch]`, in nats."""
        step = self.optimizer.iterations if self.optimizer else 0
        num_samples = self.objective.num_samples
        densities = self.log_densities(inputs, seed, num_samples, training=training)
        levels = tf.unstack(densities.kl_by_level, axis=-1)
        kls = {f"kl_{i}": kl for i, kl in enumerate(levels)}
        return self.objective.terms(densities, step) | kls

    def signatures(self) -> dict[str, Signature]:
        """Those of `VAE`; `sample` takes the temperature of each level too."""
        return self._latent_signatures() | {
            "sample": self.entry(self._sample_by_seed, "seed", "temperature")
        }

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """See `GenerativeModel`: `encode`, `decode`, and `sample`."""
        whole = self._latent_signatures()
        return {
            "encode": whole["encode"],
            "decode": whole["decode"],
            "sample": self.entry(self._sample_by_noise, "noise", "temperature"),
            "sample_random": self.entry(self._random, "temperature", random=True),
        }

    def _sample_by_noise(
        self, noise: tf.Tensor, temperature: tf.Tensor, context: None
    ) -> Outputs:
        sizes = list(map(math.prod, self.trunk.latent_shapes))
        level = np.repeat(np.arange(len(sizes)), sizes)  # of each latent
        return self._decode(noise * tf.gather(temperature, level, axis=-1))

    def _sample_by_seed(
        self, seed: tf.Tensor, temperature: tf.Tensor, context: None
    ) -> Outputs:
        noise = seeds.normal(seed, [tf.shape(seed)[0], self.latent_dim])
        return self._sample_by_noise(noise, temperature, context)

    def _random(self, temperature: tf.Tensor, context: None) -> Outputs:
        noise = tf.random.normal([tf.shape(temperature)[0], self.latent_dim])
        return self._sample_by_noise(noise, temperature, context)

    def _temperatures(self, num_samples: int, temperature: Any) -> np.ndarray:
        """One temperature for each row and level."""
        value, shape = checks.real(temperature=temperature), (len(self.levels),)
        if value.shape not in ((), shape):
            checks.fail(f"a number, or {shape[0]} of them", temperature=temperature)
        rows = np.broadcast_to(value, [num_samples, *shape])
        return self.inputs["temperature"].check(rows)

    def _walk(
        self, x: tf.Tensor, noise: tf.Tensor, training: bool
    ) -> tuple[list[LevelDraw], tf.Tensor]:
        features = tf.nest.flatten(self.encoder(x, training=training))
        return self.trunk.draw(list(map(as_map, features)), noise)

    def _features(self, z: tf.Tensor) -> tf.Tensor:
        """Last state of the trunk for z `[..., batch, latent]`."""
        features = self.trunk.decode(tf.reshape(z, [-1, self.latent_dim]))
        outer = keras.ops.shape(z)[:-1]
        return tf.reshape(features, [*outer, *features.shape[1:]])


def _features_shapes(encoder: keras.layers.Layer) -> list[tuple]:
    """Shape of the map of each output of an encoder."""
    outputs = getattr(encoder, "outputs", None)
    if not outputs:
        hint = "Start it with keras.Input(shape)."
        checks.fail("a Keras model of known shapes", hint=hint, encoder=encoder)
    return [as_map(output).shape for output in outputs]
