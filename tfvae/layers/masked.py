"""Masked networks (MADE): each output sees chosen inputs only."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register
from tfvae.layers.dense import dense

ORDERS = ("natural", "reversed", "random")


@register
class MaskedDense(Configurable, keras.layers.Layer):
    """Dense layer without some connections: `y = x (W * mask) + b`.

    Output j sees input i where `in_degrees[i] <= out_degrees[j]`, or with `strict`
    where it is below. The mask multiplies the weights in each call, so that neither
    optimizer nor initializer can fill what it leaves out.

    Args:
        in_degrees: An integer for each input; or a list of such lists, among which
            `mask_index` chooses.
        out_degrees: The same for each output.
        strict: Whether equal degrees are kept apart.
        use_bias: Whether to add b.
        kernel_initializer: Of W.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[..., inputs]`.
        mask_index: Which of the lists of degrees to use, an integer or a tensor.

    Returns:
        A tensor `[..., outputs]`.

    Raises:
        TypeError: Where degrees are no integers.
        ValueError: Where the lists of degrees do not go together, or x has another
            width.

    Example:
        >>> layer = tfvae.layers.MaskedDense([1, 2, 3], [1, 2, 3], strict=True)
        >>> layer.masks[0]
        array([[0., 1., 1.],
               [0., 0., 1.],
               [0., 0., 0.]], dtype=float32)

    References:
        Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        https://arxiv.org/abs/1502.03509
    """

    def __init__(
        self,
        in_degrees,
        out_degrees,
        *,
        strict=False,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._inputs = _degrees(in_degrees=in_degrees)
        self._outputs = _degrees(out_degrees=out_degrees)
        self.in_degrees = np.asarray(in_degrees).tolist()
        self.out_degrees = np.asarray(out_degrees).tolist()
        self.strict, self.use_bias = bool(strict), bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        if len(self._inputs) != len(self._outputs):
            expected = f"degrees for {len(self._inputs)} masks, as `in_degrees`"
            checks.fail(expected, out_degrees=out_degrees)

    def build(self, x_shape=None):
        if self.built:
            return
        shape = self._inputs.shape[1], self._outputs.shape[1]
        if x_shape is not None and x_shape[-1] != shape[0]:
            checks.fail(f"of width {shape[0]}, as `in_degrees`", x=x_shape)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer=self.kernel_initializer
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=shape[1:], initializer="zeros"
            )
        self.built = True

    def call(self, x, mask_index=0):
        y = tf.tensordot(x, self.kernel * self._mask(mask_index), 1)
        return y if self.bias is None else y + self.bias

    @property
    def masks(self):
        """All masks, `[masks, inputs, outputs]`, of 0 and 1."""
        return self._compare(self._inputs, self._outputs).astype("float32")

    def compute_output_shape(self, x_shape):
        """The shape of the input, with one number for each of `out_degrees`."""
        return (*x_shape[:-1], self._outputs.shape[1])

    def _mask(self, index):
        if isinstance(index, int):
            checks.integer(minimum=0, maximum=len(self._inputs) - 1, mask_index=index)
        if len(self._inputs) == 1:
            mask = self._compare(self._inputs[0], self._outputs[0])
        else:
            mask = self._compare(
                tf.gather(self._inputs, index), tf.gather(self._outputs, index)
            )
        return tf.cast(mask, self.compute_dtype)

    def _compare(self, inputs, outputs):
        inputs, outputs = inputs[..., :, None], outputs[..., None, :]
        return inputs < outputs if self.strict else inputs <= outputs


@register
class MaskedMLP(Configurable, keras.layers.Layer):
    """MADE network: the parameters of x_i, from those x_j that come before it.

    In an order of the dimensions each input has its place 1..D as its degree, and each
    hidden unit a degree in 1..D-1. A unit sees what has at most its degree, and the
    parameters of x_i what is below the degree of i. Where there is a context, every
    unit sees it, so `f(x, context)[..., i, :]` depends on `context` and on the x_j
    before i.

    Args:
        dim: Number of dimensions D of x, 1 or more.
        params_size: Parameters for each dimension.
        hidden_units: Width of each hidden layer; `[]` for a linear map.
        order: `"natural"`, `"reversed"`, `"random"`, or a list of the dimensions, the
            first one first.
        activation: Of the hidden layers.
        context_dim: Size of the context; 0 for none.
        direct: Whether the inputs are connected with the outputs too.
        sampled: Whether the degrees of hidden units are drawn at random, as in the
            paper, or spread evenly.
        num_masks: Number of masks, and where the order is random of orders, among which
            `mask_index` chooses.
        seed: Of everything random in the masks.
        kernel_initializer: Of the weights to the outputs.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[..., dim]`.
        context: `[..., context_dim]`, which broadcasts with x; None where there is
            none.
        mask_index: Which mask to use, an integer or a tensor.

    Returns:
        A tensor `[..., dim, params_size]`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is too low or the order is no permutation.

    Example:
        >>> network = tfvae.layers.MaskedMLP(3, params_size=2, hidden_units=[16])
        >>> network(tf.zeros([5, 3])).shape
        TensorShape([5, 3, 2])

    References:
        Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        https://arxiv.org/abs/1502.03509
    """

    def __init__(
        self,
        dim,
        params_size=1,
        hidden_units=(320, 320),
        *,
        order="natural",
        activation="relu",
        context_dim=0,
        direct=False,
        sampled=False,
        num_masks=1,
        seed=0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.dim = checks.integer(dim=dim)
        self.params_size = checks.integer(params_size=params_size)
        self.hidden_units = checks.integers(empty=True, hidden_units=hidden_units)
        self.order = order
        self.activation = keras.activations.get(activation)
        self.context_dim = checks.integer(minimum=0, context_dim=context_dim)
        self.direct, self.sampled = bool(direct), bool(sampled)
        self.num_masks = checks.integer(num_masks=num_masks)
        self.seed = checks.integer(minimum=0, seed=seed)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self._make_layers()

    def build(self, x_shape=None, context_shape=None):
        for layer in (*self.masked, *self.shortcut):
            layer.build()
        for layer in self._conditioners:
            if not layer.built:
                layer.build((None, self.context_dim))
        self.built = True

    def call(self, x, context=None, mask_index=0):
        checks.width(self.dim, "dim", x=x)
        checks.width(self.context_dim, "context_dim", context=context)
        params, shifts = x, self.shifts(context)
        for i, layer in enumerate(self.masked):
            params = layer(self.activation(params) if i else x, mask_index=mask_index)
            if self.context_dim:
                params += shifts[i]
        for layer in self.shortcut:
            params += layer(x, mask_index=mask_index)
        outer = keras.ops.shape(params)[:-1]
        return keras.ops.reshape(params, (*outer, self.dim, self.params_size))

    def shifts(self, context):
        """What a context adds in each layer; 0 where there is none."""
        if not self.context_dim:
            return [0.0] * len(self.masked)
        return [dense(layer, context) for layer in self._conditioners]

    def compute_output_shape(self, x_shape, context_shape=None):
        """`[..., dim, params_size]`."""
        return (*x_shape[:-1], self.dim, self.params_size)

    def _make_layers(self):
        rng = np.random.default_rng(self.seed)
        places = [_places(self.order, self.dim, rng) for _ in range(self.num_masks)]
        self.places = np.stack(places)
        degrees = [self.places]
        for units in self.hidden_units:
            degrees.append(self._hidden_degrees(units, degrees[-1], rng))
        outputs = np.repeat(degrees[0], self.params_size, axis=-1)
        kept = {"dtype": self.dtype_policy}
        last = {"strict": True, "kernel_initializer": self.kernel_initializer, **kept}
        self.masked = [
            *(MaskedDense(*pair, **kept) for pair in itertools.pairwise(degrees)),
            MaskedDense(degrees[-1], outputs, **last),
        ]
        self.shortcut = (
            [MaskedDense(degrees[0], outputs, use_bias=False, **last)]
            if self.direct
            else []
        )
        widths = [*self.hidden_units, outputs.shape[-1]] if self.context_dim else []
        self._conditioners = [
            keras.layers.Dense(units, use_bias=False, **kept) for units in widths
        ]

    def _hidden_degrees(self, units, previous, rng):
        most = max(1, self.dim - 1)
        if self.sampled:  # a degree below all before it would see nothing
            least = previous.min(axis=-1, keepdims=True)
            return rng.integers(least, most + 1, (self.num_masks, units))
        even = 1 + np.arange(units) * most // units
        return np.tile(even, (self.num_masks, 1))


def _degrees(**argument):
    """Degrees as an array `[masks, units]`."""
    ((_, value),) = argument.items()
    try:
        degrees = np.atleast_2d(np.asarray(value))
    except ValueError:  # lists of different lengths
        degrees = np.zeros(0)
    if degrees.dtype.kind not in "iu" or degrees.ndim != 2 or not degrees.size:
        expected = "a list of integers, or a list of such lists"
        checks.fail(expected, error=TypeError, **argument)
    return degrees


def _places(order, dim, rng):
    """The place of each dimension in an order, 1 for the first."""
    if isinstance(order, str):
        checks.one_of(ORDERS, order=order)
        natural = np.arange(dim)
        orders = {"natural": natural, "reversed": natural[::-1]}
        order = orders[order] if order in orders else rng.permutation(dim)
    elif not isinstance(order, (list, tuple)) or sorted(map(str, order)) != sorted(
        map(str, range(dim))
    ):
        expected = f"one of {list(ORDERS)} or a permutation of range({dim})"
        checks.fail(expected, order=order)
    return np.argsort(order) + 1
