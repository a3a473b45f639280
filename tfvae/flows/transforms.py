"""Maps of one number with parameters from a network, of which flows are made."""

import typing

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.flows.spline import NUM_BINS, Spline

tfb = tfp.bijectors

# A gate of 0 would have no inverse, one far below this overflows it.
MIN_GATE = 1e-3
# Gates start at sigmoid(2) = 0.88, near the identity.
GATE_START = 2.0
# Of an affine map; what ten steps multiply stays within a float32.
MAX_LOG_SCALE = 5.0


class Transform(typing.NamedTuple):
    """A family of invertible maps of a number.

    Attributes:
        params_size: Number of parameters.
        bijector: Function from parameters `[..., latent, params_size]`, unbounded, at 0
            the identity or for gates 0.88 z, to a scalar `tfp.bijectors.Bijector`.
    """

    params_size: int
    bijector: typing.Callable


def gated(params):
    """`z <- g z + (1 - g) m`, g in [1e-3, 1]; Algorithm 1, Kingma et al. 2016."""
    m, s = tf.unstack(params, axis=-1)
    gate = MIN_GATE + (1 - MIN_GATE) * tf.sigmoid(s + GATE_START)
    return tfb.Shift((1 - gate) * m)(tfb.Scale(gate))


def affine(params):
    """`z <- exp(log_scale) z + shift`, with log_scale in (-5, 5)."""
    shift, raw = tf.unstack(params, axis=-1)
    log_scale = MAX_LOG_SCALE * tf.tanh(raw / MAX_LOG_SCALE)
    return tfb.Shift(shift)(tfb.Scale(log_scale=log_scale))


TRANSFORMS = {
    "gated": Transform(2, gated),
    "affine": Transform(2, affine),
    "spline": Transform(3 * NUM_BINS - 1, Spline),
}
