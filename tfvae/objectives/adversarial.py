"""The losses of the game between a generator and a discriminator."""

import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register

_SIGMOID = ("minimax", "non_saturating")
_KINDS = (*_SIGMOID, "hinge", "wasserstein")


@register
class AdversarialLoss(Configurable):
    """Losses of both sides, from logits r of data and g of what was generated.

    | kind | discriminator | generator |
    | --- | --- | --- |
    | `"minimax"` | `-log s(r) - log(1 - s(g))` | `log(1 - s(g))` |
    | `"non_saturating"` | the same | `-log s(g)` |
    | `"hinge"` | `max(0, 1 - r) + max(0, 1 + g)` | `-g` |
    | `"wasserstein"` | `g - r` | `-g` |

    with the sigmoid s. At the best discriminator the first two have the value
    `2 log 2 - 2 JSD(p_data, p_gen)`.

    Args:
        kind: One of these.
        label_smoothing: Share e by which data count as generated, of the first two:
            `-(1 - e) log s(r) - e log(1 - s(r))`.
        gradient_penalty: Weight of `(|d logit / dx| - 1)**2` between data and what was
            generated; when left out 10 for "wasserstein", else 0.

    Raises:
        TypeError: Where a number is none.
        ValueError: Where the kind is another, or a number out of range.

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
        self, kind="non_saturating", *, label_smoothing=0.0, gradient_penalty=None
    ):
        self.kind = checks.one_of(_KINDS, kind=kind)
        smoothing = {"label_smoothing": label_smoothing}
        self.label_smoothing = checks.number(minimum=0, maximum=0.5, **smoothing)
        if label_smoothing and kind not in _SIGMOID:
            checks.fail(f"0 with kind={kind!r}", **smoothing)
        if gradient_penalty is None:
            gradient_penalty = 10.0 if kind == "wasserstein" else 0.0
        penalty = {"gradient_penalty": gradient_penalty}
        self.gradient_penalty = checks.number(minimum=0, **penalty)

    @classmethod
    def of(cls, kind):
        """The loss of a kind, or the loss itself."""
        if isinstance(kind, cls):
            return kind
        return cls(checks.one_of(_KINDS, adversarial_loss=kind))

    def discriminator(self, real, generated):
        """Loss of the discriminator, `[batch]`, without the penalty.

        Args:
            real: Logits of data, `[batch]`.
            generated: Logits of what was generated, `[batch]`.
        """
        if self.kind == "hinge":
            return tf.nn.relu(1 - real) + tf.nn.relu(1 + generated)
        if self.kind == "wasserstein":
            return generated - real
        taken_for_real = tf.nn.softplus(-real) + self.label_smoothing * real
        return taken_for_real + tf.nn.softplus(generated)

    def generator(self, generated):
        """Loss of the generator, `[batch]`. Argument as in `discriminator`."""
        if self.kind == "non_saturating":
            return tf.nn.softplus(-generated)
        if self.kind == "minimax":
            return -tf.nn.softplus(generated)
        return -generated

    def penalty(self, logit, real, generated, share):
        """What the gradient adds to the discriminator's loss, `[batch]`.

        Args:
            logit: Function from x to logits.
            real: Data, `[batch, ...]`.
            generated: What was generated, `[batch, ...]`.
            share: Where between them to look, `[batch]` in [0, 1].
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
