"""The one idea of the package: a layer whose call gives a distribution."""

import abc

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable


class ConditionalDistribution(Configurable, keras.layers.Layer, abc.ABC):
    """A conditional density `p(y | inputs)`: a network gives the parameters.

    A subclass gives `params_size` and `distribution`; the base runs the network, folds
    leading sample dimensions into the batch once, and keeps everything after the
    network in float32, whatever the dtype policy of the network.

    Args:
        network: A Keras model or layer from the inputs to features (posteriors) or to
            parameters (likelihoods).
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `[batch, *shape]` or `[samples, ..., batch, *shape]`; a pair of tensors
            `[batch, ...]` where the network takes one.
        training: Passed on to the network.

    Returns:
        A `tfp.distributions.Distribution` with batch shape `[samples, ..., batch]`.
    """

    def __init__(self, network, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        layer = keras.layers.Layer
        self.network = checks.instance(layer, "a Keras model or layer", network=network)

    def build(self, input_shape):
        self._input_ndim = len(input_shape)
        self._output_shape = output_shape(self.network, input_shape)
        self.built = True

    def call(self, inputs, training=False):
        return self.distribution(self.params(inputs, training=training))

    def params(self, inputs, training=False):
        """The parameters of the distribution, a plain tensor function.

        Args:
            inputs: As in a call.
            training: As in a call.

        Returns:
            A float32 tensor `[samples, ..., batch, ..., params]`.
        """
        pair = isinstance(inputs, (tuple, list))
        leading = 0 if pair else inputs.shape.rank - self._input_ndim
        if not leading:
            return self._network_params(inputs, training)
        outer = tf.shape(inputs)[: leading + 1]
        flat = tf.reshape(inputs, [-1, *inputs.shape[leading + 1 :]])
        params = self._network_params(flat, training)
        unfolded = tf.reshape(params, tf.concat([outer, tf.shape(params)[1:]], 0))
        return tf.ensure_shape(unfolded, inputs.shape[: leading + 1] + params.shape[1:])

    @property
    @abc.abstractmethod
    def params_size(self):
        """Number of parameters: of one latent vector, or of one element of x."""

    @abc.abstractmethod
    def distribution(self, params):
        """The `tfp.distributions.Distribution` with these parameters."""

    def _network_params(self, inputs, training):
        return tf.cast(self.network(inputs, training=training), tf.float32)


def output_shape(network, input_shape):
    """Shape `[None, ...]` of what a network gives for one row of zeros; builds it.

    Args:
        network: A Keras model or layer.
        input_shape: Shape of its input, batch first, or a pair of them.

    Returns:
        A tuple, batch first.

    Raises:
        ValueError: Where the network takes no such input, or gives no single tensor.
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
