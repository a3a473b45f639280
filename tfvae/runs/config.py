"""Configurations of runs: presets by name, changed, and read back from their file."""

import json
import pathlib
import shlex
from collections.abc import Iterable
from typing import Any

from tfvae import checks
from tfvae.runs.presets import get

# Configuration of a run: `preset`, `labels` and the `PARTS`.
Config = dict[str, Any]

# Parts of a configuration that hold settings.
PARTS = ("data", "model", "training")
_PATHS = ("source", "data_dir", "manual_dir")


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
    from tfvae.data import (
        tfds,
    )  # brings TensorFlow, which a wrong name need not wait for

    if text is None or (key == "source" and not tfds.is_path(text)):
        return text
    return str(pathlib.Path(text).expanduser().resolve())
