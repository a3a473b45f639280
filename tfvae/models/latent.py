"""The methods and entry points that all latent-variable models have."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.conditional import Draw, LatentDistribution
from tfvae.inputs import SEED, Context, Input, is_stream, to_arrays
from tfvae.likelihoods import Likelihood
from tfvae.metrics.marginal import log_marginal
from tfvae.models.base import GenerativeModel
from tfvae.objectives import ELBO, LogDensities
from tfvae.signatures import Outputs, Signature

tfd = tfp.distributions


class LatentVariableModel(GenerativeModel, abc.ABC):
    """Abstract `p(x, z | u) = p(x | z) p(z | u)` with `q(z | x)`; u may be nothing.

    A subclass gives `p_x`, `log_likelihood`, `draw` and `densities`, beside what every
    `GenerativeModel` gives. If the prior has a u, methods take u beside x: a label or
    an array for each example, or one for all. Arguments as in `GenerativeModel`.

    Attributes:
        likelihood: The `Likelihood`.
        prior: The distribution of z, a `LatentDistribution`.
        noise_dim: Size of the noise that makes one z of the posterior.
    """

    likelihood: Likelihood
    prior: LatentDistribution
    noise_dim: int
    # Layer of q(z | x); None for a ladder, each of whose levels has one.
    posterior = None

    @property
    def latent_dim(self) -> int:
        """Size of z."""
        return self.prior.latent_dim

    @abc.abstractmethod
    def p_x(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """The distribution `p(x | z)` for z `[samples, ..., batch, latent]`."""

    @abc.abstractmethod
    def log_likelihood(
        self, x: tf.Tensor, z: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """`log p(x | z)` in nats, `[samples, ..., batch]`; arguments as in `p_x`."""

    @abc.abstractmethod
    def draw(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> Draw:
        """Draws z of `q(z | x)`, and its log-density in nats.

        Args:
            x: Data `[batch, *event_shape]`.
            context: The u as networks take it, or None.
            noise: Standard normal noise `[samples, batch, noise_dim]`.
            training: Passed on to the networks.
        """

    @abc.abstractmethod
    def center(
        self, x: tf.Tensor, context: Context, training: bool = False
    ) -> tf.Tensor:
        """The z of noise 0, `[batch, latent]`; arguments as in `draw`."""

    @abc.abstractmethod
    def densities(
        self, x: tf.Tensor, context: Context, noise: tf.Tensor, training: bool = False
    ) -> LogDensities:
        """Log-densities of the draws of z that noise makes; arguments as in `draw`."""

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        z = self.center(*self.inputs.unpack(inputs), training=training)
        return self.p_x(z, training=training).mean()

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """Shape of one x; None until the model is built."""
        return self.likelihood.event_shape

    def _latent_inputs(self) -> tuple[Input, ...]:
        """The inputs x, z, seed and noise."""
        return (
            self.likelihood.input(),
            Input("z", (self.latent_dim,), meaning="latents"),
            SEED,
            Input("noise", (self.prior.noise_dim,), meaning="standard normal noise"),
        )

    def encode(self, x: Any, u: Any = None) -> tf.Tensor:
        """Center of `q(z | x)`, for a Gaussian its mean, `[batch, latent]`.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of it, with u if there is
                one.
            u: Labels `[batch]`, arrays `[batch, *context_shape]`, or one for all.
        """
        return self.answers("encode", "z", x, u)

    def decode(self, z: Any) -> tf.Tensor:
        """Mean of `p(x | z)`, `[batch, *event_shape]`, for z `[batch, latent]`."""
        self._check_built()
        return self.call_signature("decode", z=self.inputs["z"].check(z))["x"]

    def attribute_vector(self, x: Any, y: Any = None, u: Any = None) -> np.ndarray:
        """Direction of an attribute in latent space: `decode(z + vector)` adds it.

        Args:
            x: Data `[batch, *event_shape]`, or a data set of pairs of x and y.
            y: Whether an example has the attribute: booleans, or 0 and 1, `[batch]`.
            u: As in `encode`.

        Returns:
            An array `[latent]`, the mean z of those with it less that of the others.

        References:
            Larsen et al., Autoencoding beyond pixels using a learned similarity metric,
            2016, https://arxiv.org/abs/1512.09300
        """
        if is_stream(x):  # in one pass: its order may change
            stream, (x, y) = x, to_arrays(x)
            if y is None:
                checks.fail("a data set of pairs", error=TypeError, x=stream)
        z, y = np.asarray(self.encode(x, u)), np.asarray(y)
        y = checks.labels(2, len(z), y=y.astype("int32") if y.dtype == bool else y)
        if y.min() == y.max():
            checks.fail("0 for some and 1 for others", y=f"{y[0]} for all")
        return z[y == 1].mean(axis=0) - z[y == 0].mean(axis=0)

    def elbo(self, x: Any, u: Any = None, *, seed: Any = None) -> tf.Tensor:
        """One-sample estimate of the ELBO, `[batch]`, in nats.

        Args:
            x: Data, as in `encode`.
            u: As in `encode`.
            seed: As in `sample`.
        """
        parts, first = [], 0
        seed = seeds.number(seed)
        for data in self.pieces(x, u):
            rows = seeds.rows(seed, len(data["x"]), first)
            parts.append(self.call_signature("elbo", **data, seed=rows)["elbo"])
            first += len(rows)
        return tf.concat(parts, axis=0)

    def log_marginal(
        self, x: Any, num_samples: int = 1000, *, seed: Any = None, u: Any = None
    ) -> np.ndarray:
        """Importance-sampled `log p(x)` in nats, `[batch]`: `metrics.log_marginal`."""
        data = x if u is None else tuple(self.check_data(x, u).values())
        return log_marginal(self, data, num_samples, seed=seed)

    def log_densities(
        self, inputs: Any, seed: tf.Tensor, num_samples: int = 1, training: bool = False
    ) -> LogDensities:
        """Log-densities of draws of z in nats, from which every bound is reduced.

        Args:
            inputs: Data `[batch, *event_shape]`, or a pair of it and u.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            num_samples: Draws of z for each example; 1 with rows of seeds.
            training: Passed on to the networks.
        """
        x, context = self.inputs.unpack(inputs)
        noise = self._noise(x, seed, num_samples)
        return self.densities(x, context, noise, training)

    def from_noise(self, noise: tf.Tensor, context: Context) -> Outputs:
        """See `GenerativeModel`: the mean of `p(x | z)` for z of the prior."""
        z, _ = self.prior.from_noise(self.prior.params(context), noise)
        return self._decode(z)

    def _check_shape(self, event_shape: tuple[int, ...]) -> None:
        if self.event_shape != event_shape:
            raise ValueError(
                f"`likelihood` must be of x of shape {list(event_shape)}. "
                f"Received: a decoder for shape {list(self.event_shape)}."
            )

    def _latent_signatures(self) -> dict[str, Signature]:
        """The `signatures` of a `VAE`."""
        self._check_built()
        signatures = {
            "serving_default": self.entry(self._reconstruct, "x"),
            "encode": self.entry(
                lambda x, context: {"z": self.center(x, context)}, "x"
            ),
            "decode": Signature(self._decode, (self.inputs["z"],)),
            "sample": self._sample_signature(),
            "elbo": self.entry(self._elbo, "x", "seed"),
        }
        if self.condition is not None:
            signatures["prior"] = self.entry(self._prior)
        return signatures

    def _reconstruct(self, x: tf.Tensor, context: Context) -> Outputs:
        return self._decode(self.center(x, context))

    def _decode(self, z: tf.Tensor) -> Outputs:
        return {"x": self.p_x(z).mean()}

    def _prior(self, context: tf.Tensor) -> Outputs:
        loc, scale = self.prior.loc_and_scale(self.prior.params(context))
        return {"loc": loc, "scale": scale}

    def _elbo(self, x: tf.Tensor, seed: tf.Tensor, context: Context) -> Outputs:
        densities = self.densities(x, context, self._noise(x, seed))
        return {"elbo": ELBO()(densities)["elbo"]}

    def _noise(self, x: tf.Tensor, seed: tf.Tensor, num_samples: int = 1) -> tf.Tensor:
        shape = [num_samples, keras.ops.shape(x)[0], self.noise_dim]
        return seeds.normal(seed, shape)
