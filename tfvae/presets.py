"""Presets by name: changed, read back from the file of a run, and built."""

import json
import pathlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from tfvae import checks, data
from tfvae.data import tfds
from tfvae.recipes import PRESETS, Preset

# Configuration of a run: `preset`, `labels` and the `PARTS`.
Config = dict[str, Any]

DEFAULT = "vae_digits"
# Parts of a configuration that hold settings.
PARTS = ("data", "model", "training")
_PATHS = ("source", "data_dir", "manual_dir")


def get(name: str) -> Preset:
    """Returns the preset of this name; an error names the nearest one."""
    return PRESETS[checks.one_of(PRESETS, preset=name)]


def configure(
    name: str, changes: Iterable[str] = (), source: str | None = None
) -> Config:
    """Returns the configuration of a run: a preset with some settings changed.

    Args:
        name: Name of the preset.
        changes: Strings `key=value`, the value in JSON or a bare word; later ones win.
        source: Another source for `tfvae.data.load`.

    Returns:
        A dict that JSON can hold, with `preset`, `labels`, `data`, `model` and
        `training`. Its paths are absolute.
    """
    preset = get(name)
    places = {"image_size": None, "data_dir": None, "manual_dir": None}
    config: Config = {
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


def command(config: Config) -> str:
    """Returns the command line that trains a configuration, without local paths."""
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


def read(path: pathlib.Path) -> Config:
    """Reads the configuration of a run back from its JSON file.

    Raises:
        ValueError: The file cannot be read, or a setting is missing or unknown.
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


def datasets(config: Config, labels: bool = False) -> data.Splits:
    """Returns the data sets of a configuration.

    Args:
        config: As `configure` gives it.
        labels: If True, elements are pairs of x and labels. For a model that takes
            labels they always are.
    """
    labels = labels or get(config["preset"]).conditional
    settings = {key: config["training"][key] for key in ("batch_size", "seed")}
    return data.load(**config["data"], **settings, labels=labels)


def build(
    config: Config, event_shape: Sequence[int], steps_per_epoch: int
) -> keras.Model:
    """Returns the untrained, compiled model of a configuration for x of one shape."""
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
    model.compile(*[optimizer] * len(model.players))
    return model


def learning_rate(
    training: Mapping[str, Any], steps_per_epoch: int
) -> keras.optimizers.schedules.CosineDecay:
    """Returns a cosine from `learning_rate` to `decay` times it after `epochs`."""
    rate, decay = (training[name] for name in ("learning_rate", "decay"))
    rate = checks.number(minimum=0, learning_rate=rate)
    decay = checks.number(minimum=0, maximum=1, decay=decay)
    steps = checks.integer(epochs=training["epochs"]) * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(rate, steps, decay)


def _check_names(name: str, given: Any, wanted: Config) -> None:
    if sorted(given) != sorted(wanted):
        checks.fail(f"a dict with {sorted(wanted)}", **{name: given})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _absolute(key: str, text: str | None) -> str | None:
    """A path that holds from any folder; the name of a data set stays as it is."""
    if text is None or (key == "source" and not tfds.is_path(text)):
        return text
    return str(pathlib.Path(text).expanduser().resolve())
