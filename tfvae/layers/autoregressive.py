"""What networks have in common that see of each element of x only those before it."""

import abc
import math

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable


class AutoregressiveNetwork(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract: parameters of each element of x, from the elements before it.

    A subclass gives `call`, `sequence` and `generate`.

    Args:
        event_shape: Shape of one x, channels last.
        params_size: Parameters for each element.
        num_masks: Among how many orders or masks `mask_index` chooses.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[batch, *event_shape]`.
        context: `[batch, context_dim]`, which every element sees; None is as zeros.
        mask_index: Which mask to use, an integer or a tensor.

    Returns:
        A tensor `[batch, *event_shape[:-1], params_size * channels]`: all channels of
        the first parameter, then all of the second.
    """

    def __init__(
        self, event_shape, params_size=1, num_masks=1, *, context_dim=0, **kwargs
    ):
        super().__init__(**kwargs)
        self.event_shape = checks.event_shape(event_shape=event_shape)
        self.params_size = checks.integer(params_size=params_size)
        self.num_masks = checks.integer(num_masks=num_masks)
        self.context_dim = checks.integer(minimum=0, context_dim=context_dim)

    def compute_output_shape(self, x_shape, context_shape=None):
        """`[batch, *event_shape[:-1], params_size * channels]`."""
        *outer, channels = self.event_shape
        return (x_shape[0], *outer, self.params_size * channels)

    @property
    def dim(self):
        """Number of elements of x."""
        return math.prod(self.event_shape)

    def _context(self, context):
        """The context in the dtype of the layers, zeros where there is none given."""
        if not self.context_dim:
            return None
        if context is None:
            context = tf.zeros([1, self.context_dim])
        return tf.cast(context, self.compute_dtype)

    @abc.abstractmethod
    def sequence(self, mask_index=0):
        """The elements of x, numbered as in its flat form, by their place: `[dim]`."""

    @abc.abstractmethod
    def generate(self, choose, num_rows, context=None, mask_index=0):
        """Fills x element by element, in one loop that any compiler can have.

        Args:
            choose: Function of an element's number and its parameters `[rows,
                params_size]` to its values `[rows]`.
            num_rows: Number of x.
            context: As in a call.
            mask_index: As in a call.

        Returns:
            A float32 tensor `[rows, *event_shape]`.
        """


def by_full_passes(network, choose, num_rows, context=None, mask_index=0):
    """`AutoregressiveNetwork.generate` by a pass of the whole network an element."""
    sequence = network.sequence(mask_index)

    def step(place, x):
        i = sequence[place]
        x_so_far = tf.reshape(x, [num_rows, *network.event_shape])
        params = network(x_so_far, context, mask_index=mask_index)
        params = by_element(network, params, network.dim)
        value = choose(i, tf.gather(params, i, axis=1))
        now = tf.one_hot(i, network.dim, on_value=True, off_value=False, dtype=tf.bool)
        return place + 1, tf.where(now, value[:, None], x)

    loop = (tf.constant(0), tf.zeros([num_rows, network.dim]))
    _, x = tf.while_loop(
        lambda place, _: place < network.dim, step, loop, parallel_iterations=1
    )
    return tf.reshape(x, [num_rows, *network.event_shape])


def by_element(network, params, num_elements):
    """Parameters of so many elements as `[batch, num_elements, params_size]`."""
    channels, size = network.event_shape[-1], network.params_size
    params = tf.reshape(params, [-1, num_elements // channels, size, channels])
    params = tf.cast(tf.transpose(params, [0, 1, 3, 2]), tf.float32)
    return tf.reshape(params, [-1, num_elements, size])
