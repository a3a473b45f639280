"""Layers: the map each is, its gradient, its shape, its way to a file and back."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.checks import LAYERS
from tfvae import layers
from tfvae.networks import mlp_decoder, mlp_encoder


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


def jacobian(function, x):
    """`[batch, *outputs, inputs]`, row by row."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
    return tape.batch_jacobian(y, x, experimental_use_pfor=False).numpy()


def random_weights(layer, seed=0):
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])


ORDERS = {
    "natural": lambda dim: "natural",
    "reversed": lambda dim: "reversed",
    "random": lambda dim: "random",
    "given": lambda dim: [*range(dim // 2, dim), *range(dim // 2)],
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("hidden_units", [[], [16], [16, 9], [12, 9, 10]])
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_parameters_depend_on_all_earlier_dimensions_and_no_others(
    dim, hidden_units, direct, order
):
    network = layers.MaskedMLP(
        dim,
        params_size=3,
        hidden_units=hidden_units,
        order=ORDERS[order](dim),
        activation="tanh",
        context_dim=2,
        direct=direct,
        seed=3,
        dtype="float64",
    )
    network.build()
    random_weights(network)
    x, context = (
        tf.random.stateless_normal([2, n], [n, 0], dtype=tf.float64) for n in (dim, 2)
    )
    seen = jacobian(lambda x: network(x, context), x) != 0  # [batch, dim, params, dim]
    place = {
        "natural": np.arange(dim),
        "reversed": np.arange(dim)[::-1],
        "random": np.random.default_rng(3).permutation(dim).argsort(),
        "given": np.argsort(ORDERS["given"](dim)),
    }[order]
    earlier = place[:, None] > place[None, :]
    np.testing.assert_array_equal(seen, np.broadcast_to(earlier[:, None], seen.shape))
    assert (jacobian(lambda context: network(x, context), context) != 0).all()


def test_degrees_of_hidden_units_lie_between_one_and_one_less_than_the_dimensions():
    for sampled in (False, True):
        network = layers.MaskedMLP(7, 1, [50, 40], sampled=sampled)
        *hidden, last = network.masked
        for layer in hidden:
            assert set(layer.out_degrees[0]) == set(range(1, 7))
        # The first output sees nothing, and each unit something.
        assert last.masks[0].any(0).tolist() == [False] + [True] * 6
        assert all(layer.masks[0].any(0).all() for layer in hidden)


def test_sampled_masks_differ_and_each_is_autoregressive():
    network = layers.MaskedMLP(
        4, 1, [30, 30], order="random", sampled=True, num_masks=3, activation="tanh"
    )
    network.build()
    random_weights(network)
    x = tf.random.stateless_normal([1, 4], [0, 0])
    seen = [
        jacobian(lambda x, i=i: network(x, mask_index=tf.constant(i)), x)[0, :, 0] != 0
        for i in range(3)
    ]
    orders = [tuple(s.sum(axis=-1)) for s in seen]  # how many each dimension sees
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(set(orders)) == 3


def test_masks_hold_in_training_whatever_the_weights_become():
    layer = layers.MaskedDense([1, 2], [1, 2], strict=True)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(np.ones([8, 2]), np.ones([8, 2]), epochs=3, verbose=0)
    random_weights(layer)
    kernel = layer.get_weights()[0]
    x = np.array([[2.0, 3.0]])
    np.testing.assert_allclose(
        layer(x)[0], [0, 2 * kernel[0, 1]] + layer.get_weights()[1], rtol=1e-6
    )


def test_one_context_serves_many_samples(x):
    context = np.random.default_rng(1).normal(size=[5, 2]).astype("float32")
    many = np.stack([x, 2 * x])
    for layer in (
        layers.ContextMLP(4, context_dim=2),
        layers.MaskedMLP(3, 2, [8], context_dim=2),
    ):
        both = layer(tf.constant(many), tf.constant(context))
        np.testing.assert_allclose(both[1], layer(2 * x, context), atol=1e-6)


def test_a_network_without_context_takes_none(x):
    layer = layers.ContextMLP(4, [8])
    without = layer(x)
    assert without.shape == (5, 4)
    assert len(layer.weights) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dim": 0}, ValueError, "Received: dim=0"),
        ({"dim": 2.5}, TypeError, "Received: dim=2.5"),
        ({"params_size": 0}, ValueError, "Received: params_size=0"),
        ({"hidden_units": [0]}, ValueError, "Received: hidden_units=0"),
        ({"hidden_units": 8}, TypeError, "Received: hidden_units=8"),
        ({"order": "natral"}, ValueError, "Did you mean 'natural'"),
        ({"order": [0, 0, 1]}, ValueError, r"permutation of range\(3\)"),
        ({"order": [1, 2, 3]}, ValueError, r"permutation of range\(3\)"),
        ({"order": 3}, ValueError, r"permutation of range\(3\)"),
        ({"order": [0, None, 1]}, ValueError, r"permutation of range\(3\)"),
        ({"num_masks": 0}, ValueError, "Received: num_masks=0"),
        ({"context_dim": -1}, ValueError, "Received: context_dim=-1"),
    ],
)
def test_masked_networks_check_their_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        layers.MaskedMLP(**{"dim": 3, **arguments})


def test_masked_layers_check_degrees_and_width(x):
    with pytest.raises(TypeError, match="`in_degrees` must be a list of integers"):
        layers.MaskedDense([1.5], [1])
    with pytest.raises(TypeError, match="`in_degrees` must be a list of integers"):
        layers.MaskedDense([[1], [1, 2]], [1])
    with pytest.raises(ValueError, match="`mask_index` must be .* at most 0"):
        layers.MaskedDense([1, 2, 3], [1])(x, mask_index=1)
    with pytest.raises(ValueError, match=r"`x` must be of shape \[..., 2\], as `dim`"):
        layers.MaskedMLP(2)(tf.zeros([5, 3]))
    with pytest.raises(ValueError, match="degrees for 1 masks"):
        layers.MaskedDense([1], [[1], [2]])
    with pytest.raises(ValueError, match="`x` must be of width 2"):
        layers.MaskedDense([1, 2], [1])(x)


@pytest.mark.parametrize("strict", [False, True])
def test_masked_convolution_sees_pixels_before_and_lower_channels(strict):
    layer = layers.MaskedConv2D(
        [0, 1, 2], [0, 1, 2], above=1, left=1, right=1, strict=strict
    )
    x = tf.random.stateless_normal([1, 4, 5, 3], [0, 0])
    assert layer(x).shape == layer.compute_output_shape((1, 4, 5, 3))
    seen = jacobian(lambda x: layer(x)[:, 2, 3], x)[0] != 0  # [outputs, 4, 5, inputs]
    expected = np.zeros([3, 4, 5, 3], bool)
    expected[:, 1, 2:5], expected[:, 2, 2] = True, True
    expected[:, 2, 3] = np.tri(3, k=-1 if strict else 0) > 0
    np.testing.assert_array_equal(seen, expected)
    expected = layer(x)
    twin = layers.MaskedConv2D.from_config(layer.get_config())
    twin.build()
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), expected)


def test_masked_convolution_checks_degrees():
    with pytest.raises(ValueError, match="Received: in_degrees=-2"):
        layers.MaskedConv2D([-2], [0])
    with pytest.raises(TypeError, match="Received: above=0.5"):
        layers.MaskedConv2D([0], [0], above=0.5)


def test_networks_say_if_tflite_can_draw_from_them_and_if_they_take_a_context():
    assert layers.JointEncoder.takes_context
    assert layers.GatedPixelNetwork.fits_tflite
    assert layers.MaskedAutoencoder.fits_tflite
    assert not layers.RowLSTM.fits_tflite
    assert not layers.DiagonalBiLSTM.fits_tflite


@pytest.mark.parametrize("units", [0, -1])
def test_widths_are_checked(units):
    with pytest.raises(ValueError, match=f"Received: units={units}"):
        layers.GatedDense(units)


@pytest.mark.parametrize("resize", [None, "down", "up"])
@pytest.mark.parametrize("filters", [3, 4])
def test_a_residual_block_adds_a_branch_to_its_shortcut(resize, filters):
    block = layers.ResidualBlock(filters, resize=resize)
    x = np.random.default_rng(0).normal(size=[2, 5, 7, 3]).astype("float32")
    whole = block(x)
    assert whole.shape == block.compute_output_shape(x.shape)
    branch = block.second(tf.nn.elu(block.first(tf.nn.elu(x))))
    shortcut = x[:, ::2, ::2] if resize == "down" else x
    if resize == "down" or filters == 4:
        kernel, bias = block.shortcut.weights
        shortcut = shortcut @ kernel.numpy()[0, 0] + bias.numpy()
    if resize == "up":
        shortcut = shortcut.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(whole, branch + shortcut, atol=1e-5)


def test_residual_blocks_know_how_to_resize():
    with pytest.raises(ValueError, match=r"`resize` must be one of .*'up'"):
        layers.ResidualBlock(4, resize="left")
