"""The one idea of the package: a layer whose call gives a distribution."""

import abc
import contextlib
from typing import Annotated, Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.config import Configurable, Network

tfd = tfp.distributions

# z, `[..., batch, latent]`, and its log-density in nats, `[..., batch]`.
Draw = tuple[tf.Tensor, tf.Tensor]


def forget_graphs() -> None:
    """Empties TFP's cache of bijectors, which keeps every graph they were traced in.

    It holds the inputs of a map as long as the outputs live; a graph holds both.
    """
    with contextlib.suppress(AttributeError, KeyError):  # a later TFP
        cache = vars(tfp.bijectors.Bijector)["_cache"].storage
        for reference in list(cache):
            reference.cancel()
        cache.clear()


class ConditionalDistribution(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract conditional density `p(y | inputs)`: a network gives the parameters.

    The base runs the network, folds leading sample dimensions into the batch once, and
    keeps everything after the network in float32, whatever the network's dtype policy.

    Args:
        network: A Keras model or layer from the inputs to features (of a
            `LatentDistribution`) or to parameters (of a likelihood); None if the
            distribution depends on nothing.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `[samples, ..., batch, *shape]`; a pair of tensors `[batch, ...]` if the
            network takes one; None without a network.
        training: Passed on to the network.

    Returns:
        A `tfp.distributions.Distribution` with batch shape `[samples, ..., batch]`.
    """

    # The layer behind the network, made by `fit_to` if there is one.
    head = None

    def __init__(self, network: Network | None, **kwargs: Any):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        if self.network is not None:
            self._input_ndim = len(input_shape)
            self.fit_to(output_shape(self.network, input_shape))
        self.built = True

    def call(self, inputs: Any = None, training: bool = False) -> tfd.Distribution:
        return self.distribution(self.params(inputs, training=training))

    def params(self, inputs: Any = None, training: bool = False) -> tf.Tensor | None:
        """Parameters of the distribution for the inputs of a call, in float32.

        `[samples, ..., batch, ..., params]`; None without a network.
        """
        if self.network is None:
            return None
        inputs = keras.tree.map_structure(tf.convert_to_tensor, inputs)
        pair = isinstance(inputs, (tuple, list))
        leading = 0 if pair else inputs.shape.rank - self._input_ndim
        if not leading:
            return self._network_params(inputs, training)
        outer = keras.ops.shape(inputs)[: leading + 1]
        flat = tf.reshape(inputs, [-1, *inputs.shape[leading + 1 :]])
        params = self._network_params(flat, training)
        return tf.reshape(params, [*outer, *params.shape[1:]])

    @property
    @abc.abstractmethod
    def params_size(self) -> int:
        """Number of parameters: of one latent vector, or of one element of x."""

    @abc.abstractmethod
    def distribution(self, params: tf.Tensor | None) -> tfd.Distribution:
        """Distribution with these parameters."""

    @abc.abstractmethod
    def fit_to(self, output_shape: tuple[int | None, ...]) -> None:
        """Builds what comes after the network, whose output shape is known now."""

    def _network_params(self, inputs: Any, training: bool) -> tf.Tensor:
        outputs = tf.cast(self.network(inputs, training=training), tf.float32)
        return outputs if self.head is None else self.head(outputs)


def _encoder(encoder: Any) -> keras.layers.Layer:
    is_network = isinstance(encoder, keras.layers.Layer)
    if not is_network or isinstance(encoder, ConditionalDistribution):
        checks.fail("a Keras model or layer", error=TypeError, encoder=encoder)
    return encoder


Encoder = Annotated[keras.layers.Layer, _encoder]


class LatentDistribution(ConditionalDistribution):
    """Abstract reparameterised distribution of z: a posterior or a prior.

    A subclass gives `params_size`, `distribution` and `from_noise`. A dense layer, the
    head, makes the parameters from the features of the network. A posterior is
    `q(z | x)`, or `q(z | x, u)` if the network takes a pair, as `layers.JointEncoder`
    does. A prior is p(z) without a network, or `p(z | u)` with a network of u.

    Args:
        encoder: Network from x or u to features `[batch, units]`; None for p(z).
        latent_dim: Size of z.
        noise_dim: Size of the noise that makes one z; `latent_dim` when left out.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> class Cauchy(tfvae.posteriors.LatentDistribution):
        ...     @property
        ...     def params_size(self):
        ...         return self.latent_dim
        ...
        ...     def distribution(self, loc):
        ...         return tfp.distributions.Independent(
        ...             tfp.distributions.Cauchy(loc, 1.0), 1
        ...         )
        ...
        ...     def from_noise(self, loc, noise):
        ...         uniform = tfp.distributions.Normal(0.0, 1.0).cdf(noise)
        ...         z = loc + tf.tan(math.pi * (uniform - 0.5))
        ...         return z, self.distribution(loc).log_prob(z)
        >>> posterior = Cauchy(encoder, 2)
        >>> tfvae.VAE(posterior, decoder).encode(x).shape
        TensorShape([32, 2])
    """

    # The u that z depends on, an `Input`; None for posteriors and for p(z).
    condition = None

    def __init__(
        self,
        encoder: Encoder | None,
        latent_dim: PositiveInt,
        *,
        noise_dim: PositiveInt | None = None,
        **kwargs: Any,
    ):
        super().__init__(encoder, **kwargs)
        self.noise_dim = noise_dim or latent_dim

    @property
    def encoder(self) -> keras.layers.Layer | None:
        """Network from x or u to features."""
        return self.network

    @property
    def takes_context(self) -> bool:
        """True if the network takes a pair of x and u."""
        return getattr(self.network, "takes_context", False)

    @abc.abstractmethod
    def from_noise(self, params: tf.Tensor | None, noise: tf.Tensor) -> Draw:
        """Draws z, `[..., batch, latent]`, and its log-density in nats, `[..., batch]`.

        A function of tensors alone, so that it is exported with the noise as an input.

        Args:
            params: As `params` returns them, `[batch, params]`, or None.
            noise: Standard normal noise `[..., batch, noise_dim]`.
        """

    def fit_to(self, output_shape: tuple[int | None, ...]) -> None:
        """Builds the head, a dense layer."""
        if len(output_shape) != 2:
            raise ValueError(
                "`encoder` must give one vector an example, [batch, units]. Received: "
                f"an encoder with output {list(output_shape)}. "
                "End it with keras.layers.Flatten()."
            )
        self.head = keras.layers.Dense(self.params_size, dtype="float32", name="head")
        self.head.build(output_shape)

    def center(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """The z of noise 0, `[batch, latent]`: for a Gaussian its mean."""
        params = self.params(inputs, training=training)
        noise = tf.zeros([keras.ops.shape(params)[0], self.noise_dim])
        return self.from_noise(params, noise)[0]


class NoiseDistribution(tfd.Distribution):
    """Abstract distribution of `z = f(noise)`, which draws by `from_noise`.

    Args:
        latent: The `LatentDistribution`.
        params: Its parameters `[batch, params]`, or None.
    """

    def __init__(self, latent: LatentDistribution, params: tf.Tensor | None):
        super().__init__(
            dtype=tf.as_dtype(latent.compute_dtype),
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"latent": latent, "params": params},
        )
        self._latent, self._params = latent, params

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        return {"params": tfp.util.ParameterProperties(event_ndims=1)}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([self._latent.latent_dim])

    @abc.abstractmethod
    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Log-density of z from elsewhere."""

    def _sample_n(self, n: int, seed: Any = None) -> tf.Tensor:
        return self.draw([n], seed)[0]

    def draw(self, sample_shape: Any, seed: Any) -> Draw:
        """Draws of z and their log-density, as `from_noise` returns them."""
        shape = [sample_shape, self.batch_shape_tensor(), [self._latent.noise_dim]]
        seed = tfp.random.sanitize_seed(seed)
        noise = tf.random.stateless_normal(tf.concat(shape, 0), seed, dtype=self.dtype)
        return self._latent.from_noise(self._params, noise)


def output_shape(network: Network, input_shape: Any) -> tuple[int | None, ...]:
    """Output shape `[None, ...]` of a network, which one row of zeros builds.

    `input_shape` has the batch first; it is a pair of shapes for a network of a pair.
    """
    over = keras.tree.map_shape_structure
    try:
        inputs = over(lambda shape: tf.zeros([1, *shape[1:]]), input_shape)
        output = network(inputs, training=False)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"`{network.name}` must take inputs of shape "
            f"{over(lambda shape: [None, *shape[1:]], input_shape)}. "
            f"Received: a network that does not, or one built for others. {error}"
        ) from error
    if not tf.is_tensor(output):
        checks.fail("a network with one output tensor", network=network)
    return (None, *output.shape[1:])
