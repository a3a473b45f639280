"""Invertible maps of one number, of which flows are made."""

import functools
import math
import typing
from typing import Annotated

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks

tfb = tfp.bijectors

# Pieces, and the interval [-6, 6] outside of which the spline is the identity.
NUM_BINS, LIMIT = 8, 6.0
LEAST = 0.01  # width and height as a share of the interval, and slope


class Spline(tfb.Bijector):
    """Monotone rational-quadratic spline through given knots, outside the identity.

    Between two knots, with t in [0, 1] the place between them and s the mean slope,
    `y = y_k + h (s t**2 + d_k t (1 - t)) / (s + (d_k + d_(k+1) - 2 s) t (1 - t))`.
    TFP's own finds the piece by an operator that TFLite lacks.

    Args:
        params: `[..., 3 * NUM_BINS - 1]`, unbounded, near the identity at 0: widths,
            heights, inner slopes.
    """

    def __init__(self, params: tf.Tensor):
        super().__init__(
            forward_min_event_ndims=0, dtype=params.dtype, parameters={"params": params}
        )
        widths, heights, slopes = tf.split(params, [NUM_BINS, NUM_BINS, -1], axis=-1)
        self._widths, self._x = _pieces(widths)
        self._heights, self._y = _pieces(heights)
        slopes = LEAST + tf.nn.softplus(slopes + math.log(math.expm1(1 - LEAST)))
        ones = tf.ones_like(slopes[..., :1])
        self._slopes = tf.concat([ones, slopes, ones], axis=-1)

    def _forward(self, x: tf.Tensor):
        t, y, height, s, d, curve = self._piece(x)
        share = (s * t**2 + d * t * (1 - t)) / (s + curve * t * (1 - t))
        return tf.where(_inside(x), y + height * share, x)

    def _forward_log_det_jacobian(self, x: tf.Tensor):
        t, _, _, s, d, curve = self._piece(x)
        top = (curve + 2 * s - d) * t**2 + 2 * s * t * (1 - t) + d * (1 - t) ** 2
        slope = s**2 * top / (s + curve * t * (1 - t)) ** 2
        return tf.where(_inside(x), tf.math.log(slope), tf.zeros_like(slope))

    def _inverse(self, y: tf.Tensor):
        share, x, width, s, d, curve = self._piece(y, inverse=True)
        a, b = s - d + share * curve, d - share * curve
        t = 2 * s * share / (b + tf.sqrt(b**2 + 4 * a * s * share))
        return tf.where(_inside(y), x + width * t, y)

    def _piece(self, at: tf.Tensor, inverse: bool = False):
        """Place of `at` in its piece, and start, length, s, d_k of the other axis."""
        knots, lengths, other, other_lengths = (
            (self._y, self._heights, self._x, self._widths)
            if inverse
            else (self._x, self._widths, self._y, self._heights)
        )
        at = tf.clip_by_value(at, -LIMIT, LIMIT)
        begun = tf.cast(at[..., None] >= knots[..., 1:-1], at.dtype)
        ends = tf.ones_like(begun[..., :1])
        # 1 for the last piece that has begun, 0 for the others.
        chosen = tf.concat([ends, begun], -1) - tf.concat([begun, 0 * ends], -1)

        def pick(numbers: tf.Tensor):
            return tf.reduce_sum(chosen * numbers, axis=-1)

        place = (at - pick(knots[..., :-1])) / pick(lengths)
        s, d = pick(self._heights / self._widths), pick(self._slopes[..., :-1])
        curve = d + pick(self._slopes[..., 1:]) - 2 * s
        return place, pick(other[..., :-1]), pick(other_lengths), s, d, curve


def _inside(z: tf.Tensor):
    return tf.abs(z) < LIMIT


def _pieces(raw: tf.Tensor):
    """Lengths that sum to the interval, and the knots between them."""
    shares = LEAST + (1 - LEAST * NUM_BINS) * tf.nn.softmax(raw, axis=-1)
    lengths = 2 * LIMIT * shares
    knots = tf.cumsum(lengths, axis=-1) - LIMIT
    return lengths, tf.concat([tf.zeros_like(knots[..., :1]) - LIMIT, knots], axis=-1)


MIN_GATE = 1e-3  # a gate of 0 has no inverse, one far below this overflows it
GATE_START = 2.0  # gates start at sigmoid(2) = 0.88, near the identity
MAX_LOG_SCALE = 5.0  # what ten affine steps multiply stays within a float32


class Transform(typing.NamedTuple):
    """A family of invertible maps of a number.

    `bijector` makes a scalar `tfp.bijectors.Bijector` of unbounded parameters
    `[..., latent, params_size]`: at 0 it is the identity, or for gates 0.88 z.
    """

    params_size: int
    bijector: typing.Callable


def gated(params: tf.Tensor) -> tfb.Bijector:
    """`z <- g z + (1 - g) m`, g in [1e-3, 1]; Algorithm 1, Kingma et al. 2016."""
    m, s = tf.unstack(params, axis=-1)
    gate = MIN_GATE + (1 - MIN_GATE) * tf.sigmoid(s + GATE_START)
    return tfb.Shift((1 - gate) * m)(tfb.Scale(gate))


def affine(params: tf.Tensor) -> tfb.Bijector:
    """`z <- exp(log_scale) z + shift`, with log_scale in (-5, 5)."""
    shift, raw = tf.unstack(params, axis=-1)
    log_scale = MAX_LOG_SCALE * tf.tanh(raw / MAX_LOG_SCALE)
    return tfb.Shift(shift)(tfb.Scale(log_scale=log_scale))


TRANSFORMS = {
    "gated": Transform(2, gated),
    "affine": Transform(2, affine),
    "spline": Transform(3 * NUM_BINS - 1, Spline),
}

TransformName = Annotated[str, functools.partial(checks.one_of, TRANSFORMS)]
