"""Presets: data, model and training settings that go together, by name."""

import dataclasses
import functools
import json
import pathlib
import typing

import keras

from tfvae import checks, data, likelihoods, networks, objectives
from tfvae.data import builders
from tfvae.models import IWAE, VAE, BetaVAE, FullCovarianceVAE

DEFAULT = "vae_digits"
# Parts of a configuration that hold settings.
PARTS = ("data", "model", "training")
_PATHS = ("source", "data_dir", "manual_dir")


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named choice of everything that a training run needs.

    Attributes:
        summary: What it is, in a line.
        data: Arguments of `tfvae.data.load`.
        build: Function from the shape of x and the model's settings to a model.
        model: Settings of the model; of them `warm_up` is the share of the epochs in
            which the weight of the KL rises from 0.
        training: `epochs`, `batch_size`, `learning_rate`, `decay` (the share of it that
            is left at the end), `weight_decay` (of AdamW), `patience` (epochs without a
            better `val_elbo` before training stops) and `seed`.
        labels: Whether the data set has labels, for the picture of the latent space.
        score: The test figures it reached, with the command that gave them.
    """

    summary: str
    data: dict
    build: typing.Callable
    model: dict
    training: dict
    labels: bool = True
    score: str = ""


def get(name):
    """The preset of this name.

    Raises:
        ValueError: Where there is none; the nearest is named.
    """
    return PRESETS[checks.one_of(PRESETS, preset=name)]


def configure(name, changes=(), source=None):
    """The configuration of a run: a preset with some settings changed.

    Args:
        name: Name of the preset.
        changes: Strings `key=value`, the value in JSON or a bare word; later ones win.
        source: Another source for `tfvae.data.load`, or None.

    Returns:
        A dict that JSON can hold, with `preset`, `labels`, `data`, `model` and
        `training`; paths in it are absolute.

    Raises:
        ValueError: Where a setting is unknown, or not of the form `key=value`.
    """
    preset = get(name)
    places = {"image_size": None, "data_dir": None, "manual_dir": None}
    config = {
        "preset": name,
        "data": places | preset.data | ({} if source is None else {"source": source}),
        "model": dict(preset.model),
        "training": dict(preset.training),
    }
    homes = {key: part for part in PARTS for key in config[part]}
    for change in changes:
        key, _, text = change.partition("=")
        if not text:
            checks.fail("of the form key=value", set=change)
        part = config[homes[checks.one_of(homes, set=key)]]
        part[key] = text if key in _PATHS else _value(text)
    same = config["data"]["source"] == preset.data["source"]
    config["data"] |= {key: _absolute(key, config["data"][key]) for key in _PATHS}
    return config | {"labels": preset.labels and same}


def read(path):
    """A configuration as `configure` gave it, back from the JSON file of a run.

    Raises:
        ValueError: Where it cannot be read, or a setting is missing or unknown.
    """
    try:
        config = json.loads(path.read_text())
        wanted = configure(config["preset"])
        _check_names("config", config, wanted)
        for part in PARTS:
            _check_names(part, config[part], wanted[part])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"`run` must be a folder with the config.json of a run. "
            f"Received: run={str(path.parent)!r} ({error})."
        ) from error
    return config


def datasets(config, labels=False):
    """The `data.Splits` of a configuration, as pairs with labels where asked."""
    settings = {key: config["training"][key] for key in ("batch_size", "seed")}
    return data.load(**config["data"], **settings, labels=labels)


def build(config, event_shape, steps_per_epoch):
    """The untrained model of a configuration, for x of a shape, compiled."""
    training, settings = config["training"], dict(config["model"])
    num_steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    if "warm_up" in settings:
        share = checks.number(minimum=0, maximum=1, warm_up=settings["warm_up"])
        settings["warm_up"] = round(share * num_steps)
    model = get(config["preset"]).build(tuple(event_shape), **settings)
    rate = learning_rate(training, steps_per_epoch)
    weight_decay = checks.number(minimum=0, weight_decay=training["weight_decay"])
    model.compile(keras.optimizers.AdamW(rate, weight_decay=weight_decay))
    return model


def learning_rate(training, steps_per_epoch):
    """A cosine from `learning_rate` to `decay` times it at the end of `epochs`."""
    rate, decay = (training[name] for name in ("learning_rate", "decay"))
    rate = checks.number(minimum=0, learning_rate=rate)
    decay = checks.number(minimum=0, maximum=1, decay=decay)
    steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(rate, steps, decay)


def _check_names(name, given, wanted):
    if sorted(given) != sorted(wanted):
        checks.fail(f"a dict with {sorted(wanted)}", **{name: given})


def _value(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _absolute(key, text):
    """A path that holds wherever the run is resumed; names of data sets stay."""
    if text is None or (key == "source" and _is_name(text)):
        return text
    return str(pathlib.Path(text).expanduser().resolve())


def _is_name(text):
    path = pathlib.Path(text).expanduser()
    return text == "digits" or not path.exists() or builders.is_registered(text)


def _warmed(model, *networks, warm_up, **options):
    objective = objectives.ELBO(_beta(warm_up))
    return model(*networks, objective=objective, **options)


def _warmed_iwae(*networks, warm_up, **options):
    return IWAE(*networks, beta=_beta(warm_up), **options)


def _beta(num_steps):
    return objectives.warm_up(num_steps) if num_steps else 1.0


def _mlp(make, event_shape, *, latent_dim, hidden_units, activation, **options):
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(event_shape, hidden_units[::-1], activation)
    return make(encoder, decoder, latent_dim=latent_dim, **options)


def _conv(make, event_shape, *, latent_dim, filters, units, **options):
    encoder = networks.conv_encoder(event_shape, filters, units)
    decoder = networks.conv_decoder(event_shape, filters[::-1], units)
    return make(encoder, decoder, latent_dim=latent_dim, **options)


def _gaussian_mlp(event_shape, *, latent_dim, hidden_units, activation, scale):
    params_size = 2 if scale == "predicted" else 1
    encoder = networks.mlp_encoder(event_shape, hidden_units, activation)
    decoder = networks.mlp_decoder(
        event_shape, hidden_units[::-1], activation, params_size
    )
    likelihood = likelihoods.Normal(
        decoder, scale, loc_activation="sigmoid", min_scale=0.01
    )
    return VAE(encoder, likelihood, latent_dim=latent_dim)


_DIGITS = {"source": "digits", "binarize": None}
_MNIST = {"source": "mnist", "binarize": "dynamic"}
_SMALL = {
    "latent_dim": 8,
    "hidden_units": [256, 128],
    "activation": "relu",
    "scale": "learned",
}
_LARGE = {"latent_dim": 50, "hidden_units": [300, 300], "activation": "glu"}
_WARM = {"warm_up": 0.25}
_QUICK = {
    "epochs": 150,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "decay": 1.0,
    "weight_decay": 0.0,
    "patience": 30,
    "seed": 0,
}
_LONG = {
    "epochs": 400,
    "batch_size": 100,
    "learning_rate": 1e-3,
    "decay": 0.01,
    "weight_decay": 0.1,
    "patience": 100,
    "seed": 0,
}

PRESETS = {
    "vae_digits": Preset(
        "VAE on scikit-learn's 8 x 8 digits, embedded: under a minute",
        data=_DIGITS,
        build=_gaussian_mlp,
        model=_SMALL,
        training=_QUICK,
    ),
    "vae_2d_digits": Preset(
        "VAE with two latents on the digits, for pictures of the whole latent space",
        data=_DIGITS,
        build=_gaussian_mlp,
        model=_SMALL | {"latent_dim": 2},
        training=_QUICK,
    ),
    "vae_mnist": Preset(
        "VAE of the VAE paper's kind on dynamically binarized MNIST",
        data=_MNIST,
        build=functools.partial(_mlp, functools.partial(_warmed, VAE)),
        model=_LARGE | _WARM,
        training=_LONG,
    ),
    "beta_vae_mnist": Preset(
        "beta-VAE: a heavier KL, fewer and cleaner latents",
        data=_MNIST,
        build=functools.partial(_mlp, BetaVAE),
        model=_LARGE | {"latent_dim": 10, "beta": 4.0},
        training=_LONG,
    ),
    "full_covariance_vae_mnist": Preset(
        "VAE whose posterior is a Gaussian of full covariance",
        data=_MNIST,
        build=functools.partial(_mlp, functools.partial(_warmed, FullCovarianceVAE)),
        model=_LARGE | _WARM,
        training=_LONG | {"epochs": 300},  # as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -85.59 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "iwae_mnist": Preset(
        "Importance-weighted autoencoder with five draws",
        data=_MNIST,
        build=functools.partial(_mlp, _warmed_iwae),
        model=_LARGE | _WARM | {"num_samples": 5},
        training=_LONG | {"epochs": 200},  # as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -86.60 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "vae_binarized_mnist": Preset(
        "VAE on MNIST as binarized once and for all by Larochelle",
        data={"source": "binarized_mnist", "binarize": None},
        build=functools.partial(_mlp, functools.partial(_warmed, VAE)),
        model=_LARGE | _WARM,
        training=_LONG,
        labels=False,
        score="test log p(x) -86.85 nats, by `tfvae evaluate --samples 1000`",
    ),
    "conv_vae_fashion_mnist": Preset(
        "Convolutional VAE on Fashion-MNIST",
        data={"source": "fashion_mnist", "binarize": "dynamic"},
        build=functools.partial(_conv, VAE),
        model={"latent_dim": 16, "filters": [32, 64], "units": 256},
        training=_LONG | {"epochs": 20},
    ),
    "vae_frey_face": Preset(
        "VAE with the paper's Gaussian decoder on the Frey Face video",
        data={"source": "frey_face", "binarize": None},
        build=_gaussian_mlp,
        model={
            "latent_dim": 10,
            "hidden_units": [200],
            "activation": "tanh",
            "scale": "predicted",
        },
        training=_LONG | {"epochs": 1000, "weight_decay": 0.0},
        labels=False,  # they are frame numbers
    ),
}
