"""The discriminator of adversarial models."""

import math

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register

_WITH_KERNEL = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)


@register
class Discriminator(Configurable, keras.layers.Layer):
    """Tells data from generated x: `logit(x) = w . h(x) + b`, and features on the way.

    The best one for given densities has `logit(x) = log p_data(x) - log p_gen(x)`. With
    labels y the logit gains `v[y] . h(x)` (projection).

    Args:
        network: Keras model from x to h, `[batch, ...]`, which is flattened: without a
            last layer for the logit, which is `head` of this layer. A layer that mixes
            the rows of a batch should be a BatchNormalization, or `mixes_rows` True in
            a subclass: then data and what was generated go through it apart.
        feature_layer: Name of the inner layer of the network whose output the features
            are; h when left out.
        num_classes: Number of classes, where x is conditional on labels from 0.
        spectral_normalization: Whether the kernels of dense and convolutional layers
            have spectral norm 1, by `keras.layers.SpectralNormalization`, from the
            first training step on; the network is copied then, with its weights.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[batch, *event_shape]`.
        y: Labels one-hot `[batch, num_classes]`, where there are some.
        training: Passed on to the network.

    Returns:
        Logits `[batch]` and features `[batch, ...]`, both float32.

    Raises:
        TypeError: Where the network is no Keras layer.
        ValueError: Where it has no layer of that name, or is no `keras.Sequential` or
            functional model where one is needed.

    Example:
        >>> network = tfvae.networks.mlp_encoder((8, 8, 1), [64, 32], "leaky_relu")
        >>> discriminator = tfvae.layers.Discriminator(network)
        >>> logits, features = discriminator(tf.zeros([5, 8, 8, 1]))
        >>> logits.shape, features.shape
        (TensorShape([5]), TensorShape([5, 32]))

    References:
        Goodfellow et al., Generative Adversarial Networks, 2014,
        https://arxiv.org/abs/1406.2661; Miyato et al., Spectral Normalization for
        Generative Adversarial Networks, 2018, https://arxiv.org/abs/1802.05957; Miyato
        and Koyama, cGANs with Projection Discriminator, 2018,
        https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self,
        network,
        *,
        feature_layer=None,
        num_classes=0,
        spectral_normalization=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        layer = keras.layers.Layer
        checks.instance(layer, "a Keras model or layer", network=network)
        if len(getattr(network, "outputs", "1")) != 1:
            checks.fail("a network with one output", network=network)
        self.num_classes = checks.integer(minimum=0, num_classes=num_classes)
        self.spectral_normalization = bool(spectral_normalization)
        if spectral_normalization:
            network = _normalized(network)
        self.network, self.feature_layer = network, feature_layer
        self._both = network
        if feature_layer is not None:
            self._both = _with_features(network, feature_layer)
        head = keras.layers.Dense(1 + num_classes, dtype="float32", name="head")
        self.head = _wrapped(head) if spectral_normalization else head

    def build(self, input_shape):
        if self.built:
            return
        known, shape = self.input_shape, list(input_shape[1:])
        if known and list(known[1:]) != shape:
            checks.fail(f"of inputs {shape}", network=f"of inputs {list(known[1:])}")
        _, h = self._features(tf.zeros([1, *input_shape[1:]]), training=False)
        if h.shape[-1] == 1:
            expected = "to two features or more: `head` makes the logit"
            checks.fail(expected, network=f"to {list(h.shape)}")
        self.head.build((None, h.shape[-1]))
        self.built = True

    def call(self, x, y=None, training=False):
        features, h = self._features(x, training)
        outputs = self.head(h, **self._mode(training))
        logits = outputs[:, 0]
        if self.num_classes:
            logits += tf.reduce_sum(outputs[:, 1:] * y, axis=-1)
        return logits, features

    @property
    def mixes_rows(self):
        """Whether what it says of one x depends on the others of the batch."""
        return any(
            isinstance(layer, keras.layers.BatchNormalization)
            for layer in self._flatten_layers()
        )

    @property
    def input_shape(self):
        """Shape of x, batch first, where the network knows it, else None."""
        return getattr(self.network, "input_shape", None)

    def _features(self, x, training):
        both = self._both(x, training=training)
        features, h = both if self.feature_layer else (both, both)
        h = tf.reshape(h, [-1, math.prod(h.shape[1:])])
        return tf.cast(features, tf.float32), tf.cast(h, tf.float32)

    def _mode(self, training):
        return {"training": training} if self.spectral_normalization else {}


def _with_features(network, name):
    """A model of the network's inputs with the outputs of one layer and its own."""
    layers = {layer.name: layer for layer in getattr(network, "layers", [])}
    if not isinstance(network, keras.Model) or not hasattr(network, "inputs"):
        expected = "a functional or built sequential model with `feature_layer`"
        checks.fail(expected, network=network)
    checks.one_of(layers, feature_layer=name)
    return keras.Model(network.inputs, [layers[name].output, *network.outputs])


def _normalized(network):
    """A copy with a spectral norm of 1 in each layer that has a kernel."""
    if not isinstance(network, keras.Model):
        expected = "a functional or sequential model with `spectral_normalization`"
        checks.fail(expected, network=network)
    copy = keras.models.clone_model(network, clone_function=_clone)
    for old, new in zip(network.layers, copy.layers, strict=True):
        if new.built and old.built and not isinstance(old, keras.Model):
            _inner(new).set_weights(_inner(old).get_weights())
    return copy


def _clone(layer):
    if isinstance(layer, keras.Model):
        return _normalized(layer)
    copy = layer.__class__.from_config(layer.get_config())
    if isinstance(layer, _WITH_KERNEL):
        return _wrapped(copy)
    if isinstance(layer, keras.layers.SpectralNormalization):
        return copy
    if any(len(weight.shape) > 1 for weight in layer.weights):
        expected = "of dense and convolutional layers with `spectral_normalization`"
        checks.fail(expected, network=layer)
    return copy


def _inner(layer):
    wrapper = keras.layers.SpectralNormalization
    return layer.layer if isinstance(layer, wrapper) else layer


def _wrapped(layer):
    return keras.layers.SpectralNormalization(layer, name=layer.name)
