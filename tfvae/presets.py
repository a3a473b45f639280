"""Presets by name: looked up, changed, read back, and built."""

import json
import pathlib
import shlex

import keras

from tfvae import checks, data
from tfvae.data import arrays, builders
from tfvae.models.adversarial import Adversarial
from tfvae.recipes import PRESETS

DEFAULT = "vae_digits"
# Parts of a configuration that hold settings.
PARTS = ("data", "model", "training")
_PATHS = ("source", "data_dir", "manual_dir")


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


def command(config):
    """The command line that trains a configuration, but for paths of this machine."""
    preset = get(config["preset"])
    words = [f"tfvae train {config['preset']}"]
    if config["data"]["source"] != preset.data["source"]:
        words.append(f"--data {config['data']['source']}")
    for part in PARTS:
        for key, own in getattr(preset, part).items():
            if key not in _PATHS and config[part][key] != own:
                value = config[part][key]
                if not isinstance(value, str):
                    value = json.dumps(value, separators=(",", ":"))
                words.append(f"--set {shlex.quote(f'{key}={value}')}")
    return " ".join(words)


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
    """The `data.Splits` of a configuration, as pairs with labels where they count."""
    labels = labels or get(config["preset"]).conditional
    settings = {key: config["training"][key] for key in ("batch_size", "seed")}
    return data.load(**config["data"], **settings, labels=labels)


def build(config, event_shape, steps_per_epoch):
    """The untrained model of a configuration, for x of a shape, compiled."""
    training, settings = config["training"], dict(config["model"])
    num_steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    for name in {"warm_up", "contrast"} & settings.keys():  # shares of the training
        share = checks.number(minimum=0, maximum=1, **{name: settings[name]})
        settings[name] = round(share * num_steps)
    model = get(config["preset"]).build(tuple(event_shape), **settings)
    rate = learning_rate(training, steps_per_epoch)
    weight_decay = checks.number(minimum=0, weight_decay=training["weight_decay"])
    beta_1 = checks.number(minimum=0, maximum=1, beta_1=training.get("beta_1", 0.9))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=weight_decay, beta_1=beta_1)
    num_players = len(model.players) if isinstance(model, Adversarial) else 1
    model.compile(*[optimizer] * num_players)
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
    return text in arrays.EMBEDDED or not path.exists() or builders.is_registered(text)
