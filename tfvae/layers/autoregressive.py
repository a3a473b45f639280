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

    The output is `[batch, *event_shape[:-1], params_size * channels]`: the first
    parameter for all channels, then the second for all channels, and so on.

    Args:
        event_shape: Shape of one x, channels last.
        params_size: Number of parameters for each element, as the likelihood expects.
        num_masks: Number of masks (or orders) that `mask_index` selects from.
        context_dim: Size of the context; 0 for none.

    Call arguments:
        x: `[batch, *event_shape]`.
        context: `[batch, context_dim]`, an input to every element; None means zeros.
        mask_index: Index of the mask to use.
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

    def by_element(self, params: tf.Tensor, num_elements: int) -> tf.Tensor:
        """Parameters for `num_elements` elements, `[batch, elements, params_size]`."""
        channels = self.event_shape[-1]
        shape = [-1, num_elements // channels, self.params_size, channels]
        params = tf.transpose(tf.reshape(params, shape), [0, 1, 3, 2])
        shape = [-1, num_elements, self.params_size]
        return tf.reshape(tf.cast(params, tf.float32), shape)

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
        self, choose: Draw, num_rows: Int, context: Context = None, mask_index: Int = 0
    ) -> tf.Tensor:
        """Fills x `[rows, *event_shape]`, float32, element by element.

        The elements are `choose(number, params)`. One loop does it, which XLA and
        TFLite can compile. Context and mask index are as in a call.
        """


def by_full_passes(
    network: AutoregressiveNetwork,
    choose: Draw,
    num_rows: Int,
    context: Context = None,
    mask_index: Int = 0,
) -> tf.Tensor:
    """`AutoregressiveNetwork.generate` with a pass of the whole network each time."""
    sequence, shape = network.sequence(mask_index), [num_rows, *network.event_shape]

    def step(place: tf.Tensor, x: tf.Tensor) -> tuple:
        i = sequence[place]
        params = network(tf.reshape(x, shape), context, mask_index=mask_index)
        params = tf.gather(network.by_element(params, network.dim), i, axis=1)
        return place + 1, tf.where(
            tf.range(network.dim) == i, choose(i, params)[:, None], x
        )

    (x,) = for_each(network.dim, step, tf.zeros([num_rows, network.dim]))
    return tf.reshape(x, shape)


def for_each(number: int, step: Callable, *state: Any) -> Any:
    """The state after `step(i, *state) -> i + 1, *new_state` for i below `number`."""
    loop = tf.constant(0), *state
    return tf.while_loop(lambda i, *_: i < number, step, loop, parallel_iterations=1)[
        1:
    ]
