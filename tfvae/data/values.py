"""From raw values to the values a model sees: scale, binarization, dequantization."""

import dataclasses

import tensorflow as tf

from tfvae import checks

_BINARIZE = (None, "threshold", "static", "dynamic")


@dataclasses.dataclass(frozen=True)
class Values:
    """Map from raw values, integers from 0 to `peak`, to float32 in [0, 1].

    Attributes:
        peak: Raw value that stands for 1, or `None` to leave floats as they are.
        binarize: `None`, "threshold", "static" or "dynamic".
        dequantize: Whether to add uniform noise.

    Raises:
        ValueError: For two kinds of noise at once, or floats to dequantize.
    """

    peak: int | None
    binarize: str | None
    dequantize: bool

    def __post_init__(self):
        checks.one_of(_BINARIZE, binarize=self.binarize)
        if self.dequantize and self.binarize:
            expected = f"False with binarize={self.binarize!r}"
            checks.fail(expected, dequantize=self.dequantize)
        if self.dequantize and self.peak is None:
            expected = "False for floats, whose grey levels are not known"
            checks.fail(expected, dequantize=self.dequantize)

    def __call__(self, x, seed):
        """Returns float32 of the shape of `x`; the noise is a function of `seed`."""
        x = tf.cast(x, tf.float32)
        if self.dequantize:
            return (x + tf.random.stateless_uniform(tf.shape(x), seed)) / (
                self.peak + 1
            )
        x = x / (self.peak or 1)
        if self.binarize is None:
            return x
        fair = self.binarize == "threshold"
        u = 0.5 if fair else tf.random.stateless_uniform(tf.shape(x), seed)
        return tf.cast(x > u, tf.float32)

    @property
    def noisy(self):
        """Whether values are drawn."""
        return self.dequantize or self.binarize in ("static", "dynamic")
