"""The discriminator of adversarial models."""

from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt
from tfvae.config import Configurable, Network, register
from tfvae.layers.dense import Pair, flat

_SpectralNorm = keras.layers.SpectralNormalization
_CONVOLUTIONS = keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D


@register
class Discriminator(Configurable, keras.layers.Layer):
    """Tells data from generated x: `logit(x) = w . h(x) + b`, and inner features.

    For given densities the best one has `logit(x) = log p_data(x) - log p_gen(x)`. With
    labels y, `v[y] . h(x)` is added to the logit (projection). A call with x, and with
    y one-hot if there are classes, returns logits `[batch]` and features `[batch,
    ...]`, both float32.

    Args:
        network: Keras model from x to h, `[batch, ...]`, which is flattened. It does
            not make the logit: `head` of this layer does. A layer that mixes the rows
            of a batch must be a BatchNormalization or have an attribute `mixes_rows`
            that is True: then data and generated x go through the network apart.
        feature_layer: Name of the inner layer whose output is the features; None for h.
        num_classes: Number of classes of labels y; 0 for none.
        spectral_normalization: If True, the kernels of dense and convolutional layers
            get spectral norm 1, by `keras.layers.SpectralNormalization`, from the first
            training step on. The network is copied then, with its weights.

    Raises:
        ValueError: If `feature_layer` or `spectral_normalization` is given and the
            network is no sequential or functional model.

    Example:
        >>> discriminator = tfvae.layers.Discriminator(encoder)
        >>> logits, features = discriminator(x)
        >>> logits.shape, features.shape
        (TensorShape([32]), TensorShape([32, 16]))

    References:
        Goodfellow et al., Generative Adversarial Networks, 2014,
        https://arxiv.org/abs/1406.2661; Miyato et al., Spectral Normalization for
        Generative Adversarial Networks, 2018, https://arxiv.org/abs/1802.05957; Miyato
        and Koyama, cGANs with Projection Discriminator, 2018,
        https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self,
        network: Network,
        *,
        feature_layer: str | None = None,
        num_classes: NonNegativeInt = 0,
        spectral_normalization: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(getattr(network, "outputs", "1")) != 1:
            checks.fail("a network with one output", network=network)
        if spectral_normalization:
            network = _copied(network)
        self.network = self._both = network
        if feature_layer is not None:
            self._both = _with_features(network, feature_layer)
        head = keras.layers.Dense(1 + num_classes, dtype="float32", name="head")
        self.head = _normalized(head) if spectral_normalization else head

    def build(self, input_shape: tuple) -> None:
        if self.built:
            return
        known, shape = self.input_shape, list(input_shape[1:])
        if known and list(known[1:]) != shape:
            checks.fail(f"of inputs {shape}", network=f"of inputs {list(known[1:])}")
        _, h = self._features(tf.zeros([1, *shape]), training=False)
        if h.shape[-1] == 1:
            expected = "to two features or more: `head` makes the logit"
            checks.fail(expected, network=f"to {list(h.shape)}")
        self.head.build((None, h.shape[-1]))

    def call(
        self, x: tf.Tensor, y: tf.Tensor | None = None, training: bool = False
    ) -> Pair:
        features, h = self._features(x, training)
        mode = {"training": training} if self.spectral_normalization else {}
        outputs = self.head(h, **mode)
        logits = outputs[:, 0]
        if self.num_classes:
            logits += tf.reduce_sum(outputs[:, 1:] * y, axis=-1)
        return logits, features

    @property
    def mixes_rows(self) -> bool:
        """True if the outputs for one x depend on the other x of the batch."""
        return any(
            isinstance(layer, keras.layers.BatchNormalization)
            or getattr(layer, "mixes_rows", False)
            for layer in self._flatten_layers(include_self=False)
        )

    @property
    def input_shape(self) -> tuple | None:
        """Shape of x, batch first, if the network has one; otherwise None."""
        return getattr(self.network, "input_shape", None)

    def _features(self, x: tf.Tensor, training: bool) -> Pair:
        both = self._both(x, training=training)
        features, h = both if self.feature_layer else (both, both)
        return tf.cast(features, tf.float32), tf.cast(flat(h), tf.float32)


def _with_features(network: keras.layers.Layer, name: str) -> keras.Model:
    """A model from the network's inputs to the outputs of one layer and to its own."""
    layers = {layer.name: layer for layer in getattr(network, "layers", [])}
    if not isinstance(network, keras.Model) or not hasattr(network, "inputs"):
        expected = "a functional or built sequential model with `feature_layer`"
        checks.fail(expected, network=network)
    checks.one_of(layers, feature_layer=name)
    return keras.Model(network.inputs, [layers[name].output, *network.outputs])


def _copied(network: keras.layers.Layer) -> keras.Model:
    """A copy with spectral norm 1 in each layer that has a kernel."""
    if not isinstance(network, keras.Model):
        expected = "a functional or sequential model with `spectral_normalization`"
        checks.fail(expected, network=network)
    copy = keras.models.clone_model(network, clone_function=_copied_layer)
    for old, new in zip(network.layers, copy.layers, strict=True):
        if new.built and old.built and not isinstance(old, keras.Model):
            _inner(new).set_weights(_inner(old).get_weights())
    return copy


def _copied_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.Model):
        return _copied(layer)
    copy = layer.__class__.from_config(layer.get_config())
    if isinstance(layer, (keras.layers.Dense, *_CONVOLUTIONS)):
        return _normalized(copy)
    has_kernel = any(len(weight.shape) > 1 for weight in layer.weights)
    if has_kernel and not isinstance(layer, _SpectralNorm):
        expected = "of dense and convolutional layers with `spectral_normalization`"
        checks.fail(expected, network=layer)
    return copy


def _inner(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.layer if isinstance(layer, _SpectralNorm) else layer


def _normalized(layer: keras.layers.Layer) -> keras.layers.Layer:
    return _SpectralNorm(layer, name=layer.name)
