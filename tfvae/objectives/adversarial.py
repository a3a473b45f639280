"""The losses of the game between a generator and a discriminator."""

import functools
from collections.abc import Callable
from typing import Annotated, Self

import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register

_SIGMOID = ("minimax", "non_saturating")
_KINDS = (*_SIGMOID, "hinge", "wasserstein")
Kind = Annotated[str, functools.partial(checks.one_of, _KINDS)]
Smoothing = Annotated[float, functools.partial(checks.number, minimum=0, maximum=0.5)]


@register
class AdversarialLoss(Configurable):
    """Losses of both sides, from logits r of real data and g of generated data.

    | kind | discriminator | generator |
    | --- | --- | --- |
    | `"minimax"` | `-log s(r) - log(1 - s(g))` | `log(1 - s(g))` |
    | `"non_saturating"` | the same | `-log s(g)` |
    | `"hinge"` | `max(0, 1 - r) + max(0, 1 + g)` | `-g` |
    | `"wasserstein"` | `g - r` | `-g` |

    with the sigmoid s. For the best discriminator the loss of the first two is
    `2 log 2 - 2 JSD(p_data, p_gen)`.

    Args:
        kind: One of these.
        label_smoothing: Share e, at most 0.5, by which real data are labelled as
            generated, for the first two kinds: `-(1 - e) log s(r) - e log(1 - s(r))`.
        gradient_penalty: Weight of `(|d logit / dx| - 1)**2` between real and generated
            data. By default 10 for "wasserstein", else 0.

    Example:
        >>> loss = tfvae.objectives.AdversarialLoss("hinge")
        >>> loss.discriminator(tf.constant([0.5]), tf.constant([-2.0])).numpy()
        array([0.5], dtype=float32)

    References:
        Goodfellow et al., Generative Adversarial Networks, 2014,
        https://arxiv.org/abs/1406.2661; Gulrajani et al., Improved Training of
        Wasserstein GANs, 2017, https://arxiv.org/abs/1704.00028; Lim and Ye, Geometric
        GAN, 2017, https://arxiv.org/abs/1705.02894
    """

    def __init__(
        self,
        kind: Kind = "non_saturating",
        *,
        label_smoothing: Smoothing = 0.0,
        gradient_penalty: checks.NonNegativeFloat | None = None,
    ):
        if label_smoothing and kind not in _SIGMOID:
            checks.fail(f"0 with kind={kind!r}", label_smoothing=label_smoothing)
        if gradient_penalty is None:
            self.gradient_penalty = 10.0 if kind == "wasserstein" else 0.0

    @classmethod
    def of(cls, kind: str | Self) -> Self:
        """Returns the loss for a kind; a loss itself comes back as it is."""
        if isinstance(kind, cls):
            return kind
        return cls(checks.one_of(_KINDS, adversarial_loss=kind))

    def discriminator(self, real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
        """Loss of the discriminator, `[batch]`, from logits, without the penalty."""
        if self.kind == "hinge":
            return tf.nn.relu(1 - real) + tf.nn.relu(1 + generated)
        if self.kind == "wasserstein":
            return generated - real
        taken_for_real = tf.nn.softplus(-real) + self.label_smoothing * real
        return taken_for_real + tf.nn.softplus(generated)

    def generator(self, generated: tf.Tensor) -> tf.Tensor:
        """Loss of the generator, `[batch]`, from the logits of generated data."""
        if self.kind == "non_saturating":
            return tf.nn.softplus(-generated)
        if self.kind == "minimax":
            return -tf.nn.softplus(generated)
        return -generated

    def penalty(
        self,
        logit: Callable[[tf.Tensor], tf.Tensor],
        real: tf.Tensor,
        generated: tf.Tensor,
        share: tf.Tensor,
    ) -> tf.Tensor:
        """Gradient penalty on the discriminator's loss, `[batch]`.

        Args:
            logit: Function from x to logits.
            real: Real data, `[batch, ...]`.
            generated: Generated data, likewise.
            share: Share of the real data in the mix of both at which the gradient is
                taken, `[batch]` in [0, 1].
        """
        if not self.gradient_penalty:
            return tf.zeros_like(share)
        share = tf.reshape(share, [-1] + [1] * (real.shape.rank - 1))
        x = generated + share * (real - generated)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = logit(x)
        gradient = tape.gradient(logits, x)
        square = tf.reduce_sum(gradient**2, axis=list(range(1, x.shape.rank)))
        return self.gradient_penalty * (tf.sqrt(square + 1e-12) - 1) ** 2
