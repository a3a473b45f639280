import pytest
import tensorflow as tf

from tfvae import networks


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 20, 1), (7, 9, 3), (1, 1, 1)])
@pytest.mark.parametrize("kind", ["mlp", "conv", "resnet"])
def test_networks_take_any_image_shape(kind, shape):
    encoder = getattr(networks, f"{kind}_encoder")(shape, [4, 8])
    decoder = getattr(networks, f"{kind}_decoder")(shape, [8, 4], params_size=2)
    assert encoder(tf.zeros([2, *shape])).shape.rank == 2
    assert decoder(tf.zeros([2, 3])).shape == (2, *shape[:-1], 2 * shape[-1])


def test_mlps_take_flat_events():
    assert networks.mlp_encoder((10,), [4])(tf.zeros([2, 10])).shape == (2, 4)
    assert networks.mlp_decoder((10,), [4])(tf.zeros([2, 3])).shape == (2, 10)


def test_convolutions_want_the_channel():
    with pytest.raises(ValueError, match="Name the channels too"):
        networks.conv_encoder((28, 28))


@pytest.mark.parametrize("activation", ["gluu", 3, [], {}])
@pytest.mark.parametrize("kind", ["mlp", "conv", "resnet"])
def test_unknown_activations_are_refused(kind, activation):
    for part in ("encoder", "decoder"):
        network = getattr(networks, f"{kind}_{part}")
        with pytest.raises(ValueError, match="`activation` must be a function"):
            network((8, 8, 1), [4], activation=activation)


def test_convolutions_are_not_gated():
    with pytest.raises(ValueError, match="Received: activation='glu'"):
        networks.conv_encoder((8, 8, 1), [4], activation="glu")
