"""Layers: the map each is, its gradient, its shape, its way to a file and back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import layers
from tfvae.networks import mlp_decoder, mlp_encoder

LAYERS = {"GatedDense": lambda **kwargs: layers.GatedDense(4, **kwargs)}


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=[5, 3]).astype("float32")


@pytest.mark.parametrize("name", LAYERS)
def test_layer_survives_its_file(name, x, tmp_path):
    model = keras.Sequential([keras.Input((3,)), LAYERS[name]()])
    expected = model(x)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "model.keras")(x), expected
    )


@pytest.mark.parametrize("name", LAYERS)
def test_layer_is_the_same_compiled_and_says_its_shape(name, x):
    layer = LAYERS[name]()
    expected = layer(x)
    assert tuple(expected.shape) == layer.compute_output_shape((5, 3))
    for jit_compile in (False, True):
        compiled = tf.function(layer, jit_compile=jit_compile)(x)
        np.testing.assert_allclose(compiled, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_takes_its_policy_down_to_its_parts(name, x):
    layer = LAYERS[name](dtype="mixed_bfloat16")
    assert layer(x).dtype == tf.bfloat16
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_gated_dense_is_a_map_weighed_by_another(x):
    layer = layers.GatedDense(4)
    layer.build((None, 3))
    w, v = np.split(np.random.default_rng(1).normal(size=[3, 8]), 2, axis=-1)
    b, c = np.split(np.random.default_rng(2).normal(size=[8]), 2)
    layer.set_weights([np.concatenate([w, v], -1), np.concatenate([b, c])])
    expected = (x @ w + b) / (1 + np.exp(-(x @ v + c)))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)


def test_mlps_are_gated_on_request():
    encoder = mlp_encoder((8, 8, 1), [6, 5], "glu")
    decoder = mlp_decoder((8, 8, 1), [6], "glu")
    assert encoder.output_shape == (None, 5)
    assert decoder(tf.zeros([2, 3])).shape == (2, 8, 8, 1)
    kinds = [type(layer) for layer in [*encoder.layers, *decoder.layers]]
    assert kinds.count(layers.GatedDense) == 3


@pytest.mark.parametrize("units", [0, -1])
def test_widths_are_checked(units):
    with pytest.raises(ValueError, match=f"Received: units={units}"):
        layers.GatedDense(units)
