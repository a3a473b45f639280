"""Masked networks (MADE): each output depends on chosen inputs only."""

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks
from tfvae.checks import AnyWidths, NonNegativeInt, PositiveInt
from tfvae.config import Configurable, register
from tfvae.layers.dense import Activation, Context, Initializer, Int, dense

ORDERS = ("natural", "reversed", "random")
Order = str | Sequence[int]


def _degrees(**argument: Any) -> np.ndarray:
    """Degrees as an array `[masks, units]`."""
    try:
        degrees = np.atleast_2d(np.asarray(*argument.values()))
    except ValueError:  # lists of different lengths
        degrees = np.zeros(0)
    if degrees.dtype.kind not in "iu" or degrees.ndim != 2 or not degrees.size:
        expected = "a list of integers, or a list of such lists"
        checks.fail(expected, error=TypeError, **argument)
    return degrees


Degrees = Annotated[npt.ArrayLike, _degrees]


@register
class MaskedDense(Configurable, keras.layers.Layer):
    """Dense layer without some connections: `y = x (W * mask) + b`.

    It maps `[..., inputs]` to `[..., outputs]`. Output j depends on input i if
    `in_degrees[i] <= out_degrees[j]`, or with `strict` if `in_degrees[i] <
    out_degrees[j]`. The mask multiplies the weights in each call, so no optimizer and
    no initializer can restore a connection.

    Args:
        in_degrees: An integer for each input; or a list of such lists, from which the
            `mask_index` of a call selects, an integer or a tensor.
        out_degrees: The same for each output.
        strict: If True, equal degrees are not connected.
        use_bias: If True, b is added.
        kernel_initializer: Initializer of W.

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
        in_degrees: Degrees,
        out_degrees: Degrees,
        *,
        strict: bool = False,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(in_degrees) != len(out_degrees):
            expected = f"degrees for {len(in_degrees)} masks, as `in_degrees`"
            checks.fail(expected, out_degrees=out_degrees.tolist())

    def build(self, x_shape: tuple | None = None) -> None:
        if self.built:
            return
        shape = self.in_degrees.shape[1], self.out_degrees.shape[1]
        if x_shape is not None and x_shape[-1] != shape[0]:
            checks.fail(f"of width {shape[0]}, as `in_degrees`", x=x_shape)
        options = {"shape": shape, "initializer": self.kernel_initializer}
        self.kernel, self.bias = self.add_weight(name="kernel", **options), None
        if self.use_bias:
            options = {"shape": shape[1:], "initializer": "zeros"}
            self.bias = self.add_weight(name="bias", **options)

    def call(self, x: tf.Tensor, mask_index: Int = 0) -> tf.Tensor:
        y = tf.tensordot(x, self.kernel * self._mask(mask_index), 1)
        return y if self.bias is None else y + self.bias

    @property
    def masks(self) -> np.ndarray:
        """All masks, `[masks, inputs, outputs]`, of 0 and 1."""
        return self._compare(self.in_degrees, self.out_degrees).astype("float32")

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        return (*x_shape[:-1], self.out_degrees.shape[1])

    def _mask(self, index: Int) -> tf.Tensor:
        degrees, num_masks = (self.in_degrees, self.out_degrees), len(self.in_degrees)
        if isinstance(index, int):
            checks.integer(minimum=0, maximum=num_masks - 1, mask_index=index)
        chosen = (d[0] if num_masks == 1 else tf.gather(d, index) for d in degrees)
        return tf.cast(self._compare(*chosen), self.compute_dtype)

    def _compare(self, inputs: Any, outputs: Any) -> Any:
        inputs, outputs = inputs[..., :, None], outputs[..., None, :]
        return inputs < outputs if self.strict else inputs <= outputs


@register
class MaskedMLP(Configurable, keras.layers.Layer):
    """MADE network: parameters for x_i, from those x_j that come before x_i.

    The degree of an input is its place 1..D in an order of the dimensions. Each hidden
    unit has a degree in 1..D-1 and depends on units of at most its degree. The
    parameters of x_i depend on units below the degree of i. A context is an input to
    every unit, so `f(x, context)[..., i, :]` depends on `context` and on the x_j before
    x_i. The output is `[..., dim, params_size]`.

    Args:
        dim: Number of dimensions D of x.
        params_size: Number of parameters for each dimension.
        hidden_units: Width of each hidden layer; `[]` for a linear map.
        order: `"natural"`, `"reversed"`, `"random"`, or the dimensions in a list.
        activation: Activation of the hidden layers.
        context_dim: Size of the context; 0 for none.
        direct: If True, the inputs are also connected with the outputs.
        sampled: If True, the degrees of hidden units are drawn at random, as in the
            paper; otherwise they are spread evenly.
        num_masks: Number of masks, and of orders if the order is random.
        seed: Seed of random orders and degrees.
        kernel_initializer: Initializer of the weights to the outputs.

    Call arguments:
        x: `[..., dim]`.
        context: `[..., context_dim]`, which broadcasts with x; None if there is none.
        mask_index: Index of the mask to use, an integer or a tensor.

    Example:
        >>> tfvae.layers.MaskedMLP(3, params_size=2)(tf.zeros([5, 3])).shape
        TensorShape([5, 3, 2])

    References:
        As `MaskedDense`.
    """

    def __init__(
        self,
        dim: PositiveInt,
        params_size: PositiveInt = 1,
        hidden_units: AnyWidths = (320, 320),
        *,
        order: Order = "natural",
        activation: Activation = "relu",
        context_dim: NonNegativeInt = 0,
        direct: bool = False,
        sampled: bool = False,
        num_masks: PositiveInt = 1,
        seed: NonNegativeInt = 0,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rng, kept = np.random.default_rng(seed), {"dtype": self.dtype_policy}
        self.places = np.stack([_places(order, dim, rng) for _ in range(num_masks)])
        degrees = [self.places]
        for units in hidden_units:
            most, drawn_by = max(1, dim - 1), rng if sampled else None
            degrees.append(_hidden_degrees(units, most, degrees[-1], drawn_by))
        outputs = np.repeat(self.places, params_size, axis=-1)
        last = {"strict": True, "kernel_initializer": kernel_initializer, **kept}
        self.masked = [MaskedDense(*d, **kept) for d in itertools.pairwise(degrees)]
        self.masked.append(MaskedDense(degrees[-1], outputs, **last))
        kept["use_bias"] = last["use_bias"] = False
        shortcuts = [self.places] if direct else []
        self.shortcut = [MaskedDense(d, outputs, **last) for d in shortcuts]
        widths = [*hidden_units, outputs.shape[-1]] if context_dim else []
        self._conditioners = [keras.layers.Dense(n, **kept) for n in widths]

    def build(self, x_shape: tuple | None = None) -> None:
        if self.built:
            return
        for layer in (*self.masked, *self.shortcut):
            layer.build()
        for layer in self._conditioners:
            layer.build((None, self.context_dim))

    def call(self, x: tf.Tensor, context: Context = None, mask_index: Int = 0) -> Any:
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

    def shifts(self, context: Context) -> list[tf.Tensor | float]:
        """Contribution of the context to each layer; 0 if there is no context."""
        if not self.context_dim:
            return [0.0] * len(self.masked)
        return [dense(layer, context) for layer in self._conditioners]

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        return (*x_shape[:-1], self.dim, self.params_size)


def _hidden_degrees(
    units: int, most: int, previous: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
    """Degrees from 1 to `most`: drawn at random, or spread evenly without `rng`."""
    if rng is None:
        return np.tile(1 + np.arange(units) * most // units, (len(previous), 1))
    # A unit whose degree is below all degrees before it would have no inputs.
    least = previous.min(axis=-1, keepdims=True)
    return rng.integers(least, most + 1, (len(previous), units))


def _places(order: Order, dim: int, rng: np.random.Generator) -> np.ndarray:
    """The place of each dimension in an order, 1 for the first."""
    natural = np.arange(dim)
    if isinstance(order, str):
        checks.one_of(ORDERS, order=order)
        orders = {"natural": natural, "reversed": natural[::-1]}
        order = orders[order] if order in orders else rng.permutation(dim)
    elif not isinstance(order, (list, tuple)) or (
        sorted(map(str, order)) != sorted(map(str, natural))
    ):
        expected = f"one of {list(ORDERS)} or a permutation of range({dim})"
        checks.fail(expected, order=order)
    return np.argsort(order) + 1
