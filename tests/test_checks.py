import math

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import decoder, encoder, images
from tfvae import checks, likelihoods, networks, objectives, posteriors, priors

NAN = float("nan")

CONSTRUCTORS = {
    "latent_dim": lambda v: posteriors.MeanField(encoder(), v),
    "event_shape": lambda v: networks.mlp_encoder(v, [8]),
    "hidden_units": lambda v: networks.mlp_encoder((8, 8, 1), v),
    "filters": lambda v: networks.conv_encoder((8, 8, 1), v),
    "params_size": lambda v: networks.mlp_decoder((8, 8, 1), [8], params_size=v),
    "beta": lambda v: objectives.ELBO(beta=v),
    "capacity": lambda v: objectives.ELBO(capacity=v),
    "free_bits": lambda v: objectives.ELBO(free_bits=v),
    "num_samples": lambda v: objectives.IWAEBound(v),
    "num_steps": lambda v: objectives.warm_up(v),
    "scale": lambda v: likelihoods.Normal(decoder(), v),
    "initial_scale": lambda v: likelihoods.Normal(
        decoder(), "learned", initial_scale=v
    ),
    "decoder": lambda v: likelihoods.Bernoulli(v),
    "prior": lambda v: tfvae.VAE(encoder(), decoder(), prior=v, latent_dim=3),
    "objective": lambda v: tfvae.VAE(encoder(), decoder(), objective=v, latent_dim=3),
}

BAD_ARGUMENTS = [
    *[("latent_dim", value) for value in (0, -1, 2.5, "8", True, None)],
    *[("event_shape", value) for value in ((28, None, 1), (0, 8, 1), (), 28, "28")],
    *[("hidden_units", value) for value in ([], [0], [2.5], 500)],
    *[("filters", value) for value in ([], [-1], 32)],
    ("params_size", 0),
    *[("beta", value) for value in (-1, NAN, math.inf, "1", True)],
    *[("capacity", value) for value in (-1, NAN)],
    ("free_bits", -0.1),
    *[("num_samples", value) for value in (0, 1.5, "5")],
    ("num_steps", 0),
    *[("scale", value) for value in (0, -1, NAN, "learnt", None)],
    *[("initial_scale", value) for value in (0, -1, 1e-3, NAN, "0.1", None)],
    *[("decoder", value) for value in ("mlp", None, lambda x: x)],
    *[("prior", value) for value in ("normal", priors.StandardNormal(4))],
    ("objective", "elbo"),
]


@pytest.mark.parametrize(("name", "value"), BAD_ARGUMENTS)
def test_bad_argument_is_named_with_what_came(name, value):
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be .*Received"):
        CONSTRUCTORS[name](value)


def test_unknown_word_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'learned'"):
        likelihoods.Normal(decoder(), "learnt")


BAD_DATA = {
    "0..255": (images() * 255, r"must lie in \[0, 1\] for the Bernoulli.*x / 255"),
    "uint8": ((images() * 255).astype("uint8"), r"to 255\.0\. Scale it"),
    "negative": (images() - 1, r"must lie in \[0, 1\].*from -1\.0"),
    "NaN": (np.full((3, 8, 8, 1), NAN), "must be finite.*NaN"),
    "Inf": (np.full((3, 8, 8, 1), math.inf), "must be finite.*Inf"),
    "no channel": (images()[..., 0], r"Add the channel: x\[\.\.\., None\]"),
    "no batch": (images()[0], r"Add the batch dimension: x\[None\]"),
    "channels first": (np.zeros((3, 1, 8, 8)), "Put channels last"),
    "flat": (np.zeros((3, 64)), r"Reshape it: x\.reshape\(-1, 8, 8, 1\)"),
    "other size": (np.zeros((3, 9, 9, 1)), r"shape \[batch, 8, 8, 1\].*\[3, 9, 9, 1\]"),
    "empty": (np.zeros((0, 8, 8, 1)), "at least one example"),
    "strings": (np.full((3, 8, 8, 1), "a"), "real numbers.*dtype"),
    "complex": (np.zeros((3, 8, 8, 1), complex), "real numbers.*complex128"),
    "ragged": ([[1.0], [1.0, 2.0]], "real numbers.*not rectangular"),
    "ragged tensor": (tf.ragged.constant([[1.0], [1.0, 2.0]]), "real numbers"),
    "nothing": (None, "real numbers"),
}


@pytest.fixture(scope="module")
def model():
    model = tfvae.VAE(encoder(), decoder(), latent_dim=3)
    model.compile("adam")
    return model


@pytest.mark.parametrize("kind", BAD_DATA)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_bad_data_are_refused_before_any_weight_changes(model, method, kind):
    x, message = BAD_DATA[kind]
    before = model.get_weights()
    with pytest.raises((ValueError, TypeError), match=f"`x`.*{message}"):
        getattr(model, method)(x)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", ["0..255", "NaN", "no channel", "strings"])
@pytest.mark.parametrize("method", ["fit", "encode", "elbo", "log_marginal"])
def test_bad_data_in_a_dataset_are_refused(model, method, kind):
    x, message = BAD_DATA[kind]
    with pytest.raises((ValueError, TypeError), match=f"`x`.*{message}"):
        getattr(model, method)(tf.data.Dataset.from_tensor_slices(x).batch(2))


BAD_CALLS = {
    "labels": (lambda m: m.fit(images(), np.zeros(64)), "`y` must be left out"),
    "label pairs": (
        lambda m: m.fit(
            tf.data.Dataset.from_tensor_slices((images(), np.zeros(64))).batch(8)
        ),
        "`y` must be left out",
    ),
    "empty dataset": (
        lambda m: m.fit(tf.data.Dataset.from_tensor_slices(images()).batch(8).take(0)),
        "empty stream",
    ),
    "validation": (
        lambda m: m.fit(images(), validation_data=images() * 255),
        r"must lie in \[0, 1\]",
    ),
    "weights": (
        lambda m: m.fit(images(), sample_weight=np.ones(64)),
        "`sample_weight` must be left out",
    ),
    "batch_size": (lambda m: m.fit(images(), batch_size=0), "`batch_size` must be"),
    "epochs": (lambda m: m.fit(images(), epochs=-1), "`epochs` must be"),
    "split": (lambda m: m.fit(images(), validation_split=1.5), "`validation_split`"),
    "loss": (lambda m: m.compile("adam", loss="mse"), "`loss` must be left out"),
    "z width": (lambda m: m.decode(np.zeros((3, 4))), r"`z`.*\[batch, 3\]"),
    "z NaN": (lambda m: m.decode(np.full((3, 3), NAN)), "`z` must be finite"),
    "negative samples": (lambda m: m.sample(-1), "`num_samples` must be"),
    "half samples": (lambda m: m.sample(1.5), "`num_samples` must be"),
    "worded samples": (lambda m: m.log_marginal(images(), "3"), "`num_samples` must"),
    "seed": (lambda m: m.sample(1, seed=0.5), "`seed` must be"),
}


@pytest.mark.parametrize("kind", BAD_CALLS)
def test_bad_call_is_refused(model, kind):
    call, message = BAD_CALLS[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)


@pytest.mark.parametrize("rate", [-1.0, NAN])
def test_bad_learning_rate_is_refused(rate):
    import keras

    model = tfvae.VAE(encoder(), decoder(), latent_dim=3)
    with pytest.raises(ValueError, match="`learning_rate` must be"):
        model.compile(keras.optimizers.Adam(rate))


@pytest.mark.parametrize("option", [{"jit_compile": "yes"}, {"steps_per_execution": 0}])
def test_bad_compile_options_are_refused(model, option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` must be"):
        model.compile(**option)


def test_parts_that_do_not_fit_are_refused():
    import keras

    wide = networks.conv_encoder((8, 8, 1)).layers[0]
    with pytest.raises(ValueError, match="one vector an example"):
        tfvae.VAE(
            keras.Sequential([keras.Input((8, 8, 1)), wide]), decoder(), latent_dim=3
        )
    with pytest.raises(
        ValueError, match=r"`likelihood` must be of x of shape \[8, 8, 1\]"
    ):
        tfvae.VAE(encoder(), decoder((9, 9, 1)), latent_dim=3)
    with pytest.raises(ValueError, match="2 values for each channel"):
        tfvae.VAE(encoder(), likelihoods.Normal(decoder(), "predicted"), latent_dim=3)
    with pytest.raises(ValueError, match="logits, not probabilities"):
        tfvae.VAE(encoder(), keras.layers.Dense(64, "sigmoid"), latent_dim=3)
    with pytest.raises(ValueError, match="encode"):
        tfvae.VAE(encoder(), decoder(), latent_dim=3, encode=1)


def test_shapes_of_tensors_are_shapes():
    assert checks.image_shape(shape=tf.TensorShape([8, 8, 1])) == (8, 8, 1)


def test_numbers_of_numpy_are_numbers():
    assert checks.integer(n=np.int64(3)) == 3
    assert checks.number(n=np.float32(0.5)) == 0.5
