"""Base of networks in which each element of x depends on the elements before it."""

import abc
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfvae.checks import EventShape, NonNegativeInt, PositiveInt
from tfvae.config import Configurable
from tfvae.layers.dense import Context, Int

# From an element's number and its parameters `[rows, params_size]` to values `[rows]`.
Draw = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class AutoregressiveNetwork(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract: parameters for each element of x, from the elements before it.

    A subclass defines `call`, `sequence` and `generate`.

    Args:
        event_shape: Shape of one x, channels last.
        params_size: Number of parameters for each element.
        num_masks: Number of masks (or orders) that `mask_index` selects from.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[batch, *event_shape]`.
        context: `[batch, context_dim]`, an input to every element; None means zeros.
        mask_index: Index of the mask to use.

    Returns:
        A tensor `[batch, *event_shape[:-1], params_size * channels]`: the first
        parameter for all channels, then the second for all channels, and so on.
    """

    fits_tflite = True  # TFLite has the operators to draw from the network

    def __init__(
        self,
        event_shape: EventShape,
        params_size: PositiveInt = 1,
        num_masks: PositiveInt = 1,
        *,
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        *outer, channels = self.event_shape
        return (x_shape[0], *outer, self.params_size * channels)

    @property
    def dim(self) -> int:
        """Number of elements of x."""
        return math.prod(self.event_shape)

    def _context(self, context: Context) -> Context:
        """The context in the dtype of the layers; zeros if none is given."""
        if not self.context_dim:
            return None
        if context is None:
            context = tf.zeros([1, self.context_dim])
        return tf.cast(context, self.compute_dtype)

    @abc.abstractmethod
    def sequence(self, mask_index: Int = 0) -> tf.Tensor:
        """Numbers of the elements in flat x, in the order of generation: `[dim]`."""

    @abc.abstractmethod
    def generate(
        self,
        choose: Draw,
        num_rows: Int,
        context: Context = None,
        mask_index: Int = 0,
    ) -> tf.Tensor:
        """Fills x element by element, in one loop that XLA and TFLite can compile.

        Args:
            choose: Function of an element's number and its parameters `[rows,
                params_size]` that returns the element's values `[rows]`.
            num_rows: Number of examples.
            context: As in a call.
            mask_index: As in a call.

        Returns:
            A float32 tensor `[rows, *event_shape]`.
        """


def by_full_passes(
    network: AutoregressiveNetwork,
    choose: Draw,
    num_rows: Int,
    context: Context = None,
    mask_index: Int = 0,
) -> tf.Tensor:
    """`AutoregressiveNetwork.generate` with a pass of the whole network each time."""
    sequence = network.sequence(mask_index)

    def step(place: tf.Tensor, x: tf.Tensor) -> tuple:
        i = sequence[place]
        x_so_far = tf.reshape(x, [num_rows, *network.event_shape])
        params = network(x_so_far, context, mask_index=mask_index)
        params = by_element(network, params, network.dim)
        value = choose(i, tf.gather(params, i, axis=1))
        now = tf.one_hot(i, network.dim, on_value=True, off_value=False, dtype=tf.bool)
        return place + 1, tf.where(now, value[:, None], x)

    (x,) = for_each(network.dim, step, tf.zeros([num_rows, network.dim]))
    return tf.reshape(x, [num_rows, *network.event_shape])


def for_each(number: int, step: Callable, *state: Any, most: int | None = None) -> Any:
    """The state after `step(i, *state) -> i + 1, *new_state` for i below `number`.

    `most` is the greatest number of steps, for XLA to know.
    """
    options = {"maximum_iterations": most, "parallel_iterations": 1}
    loop = tf.constant(0), *state
    return tf.while_loop(lambda i, *_: i < number, step, loop, **options)[1:]


def by_element(
    network: AutoregressiveNetwork, params: tf.Tensor, num_elements: int
) -> tf.Tensor:
    """Parameters for `num_elements` elements: `[batch, num_elements, params_size]`."""
    channels, size = network.event_shape[-1], network.params_size
    params = tf.reshape(params, [-1, num_elements // channels, size, channels])
    params = tf.cast(tf.transpose(params, [0, 1, 3, 2]), tf.float32)
    return tf.reshape(params, [-1, num_elements, size])
