"""Raw examples from TensorFlow Datasets (TFDS), with quick and clear failures."""

import contextlib
import difflib
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfvae import checks
from tfvae.data import records, sources
from tfvae.data.images import image_shape
from tfvae.data.sources import ALIASES, EMBEDDED, Fractions, Location, Source

# For an answer of a server: short, so that an error takes less than 10 seconds.
_SECONDS = 3
# A `tfds.core.DatasetBuilder`; TFDS takes seconds to import, and only if it is used.
Builder = Any


def from_builder(
    name: str,
    *,
    labels: bool | str,
    fractions: Fractions,
    image_size: Sequence[int] | None = None,
    data_dir: Location | None = None,
    manual_dir: Location | None = None,
) -> Source:
    """Reads a TFDS builder with images; prepares the data set if it is not prepared.

    The name may have config and version. The label is the second of `supervised_keys`
    or "label", else all scalars named "label_..." and all "attributes" as one vector.
    """
    import tensorflow_datasets as tfds

    _check_name(name)
    builder = tfds.builder(name, data_dir=data_dir)
    keys = [_image_key(builder), *(_label_keys(builder, labels) if labels else [])]
    shape = _shape(builder, keys[0], image_size)
    _prepare(builder, manual_dir and Path(manual_dir).expanduser())
    (image, *label), (places, files) = keys, _places(builder)
    parts = sources.cut(places, fractions)
    return records.lazy(files, parts, image, label, shape)


def is_path(source: str) -> bool:
    """True if `load` takes a text for a path: a name goes before a path so called."""
    is_file = source.endswith((".npz", ".npy")) or ".tfrecord" in source
    if is_file or source.startswith((".", "~", os.sep)):
        return True
    is_name = source in EMBEDDED or not Path(source).exists() or _is_registered(source)
    return not is_name


def _is_registered(name: str) -> bool:
    return re.split("[/:]", name)[0] in _names()


def _names() -> list[str]:
    import tensorflow_datasets as tfds

    import tfvae.datasets.frey_face
    import tfvae.datasets.olivetti_faces  # noqa: F401  registers the builders

    return tfds.list_builders(with_community_datasets=False)


def _check_name(name: str) -> None:
    if not _is_registered(name):
        names = [*EMBEDDED, *_names()]
        near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
        hint = f"Nearest: {', '.join(near)}." if near else ""
        embedded = ", ".join(map(repr, EMBEDDED))
        expected = (
            f"{embedded}, a TFDS builder, an .npz or .npy file, or a folder that exists"
        )
        checks.fail(expected, hint=hint, source=name)


def _image_key(builder: Builder) -> str:
    """Key of the uint8 image; with several images it must be "image"."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    named = features.items() if hasattr(features, "items") else ()
    images = [(k, v) for k, v in named if isinstance(v, tfds.features.Image)]
    keys = [key for key, image in images if image.np_dtype == np.uint8]
    if "image" not in keys and len(keys) != 1:
        expected = "be a builder with one uint8 image an example"
        sources.refuse(expected, f"{builder.name} with features {features}")
    return "image" if "image" in keys else keys[0]


def _label_keys(builder: Builder, labels: bool | str) -> list[str]:
    """Keys of the labels, for attributes "attributes/name"."""
    features = builder.info.features
    scalars = [key for key in features if features[key].shape == ()]
    if "attributes" in features:
        scalars += [f"attributes/{key}" for key in features["attributes"]]
    if isinstance(labels, str):
        names = {key.rpartition("/")[2]: key for key in scalars}
        return [names[checks.one_of(names, labels=labels)]]
    key = (builder.info.supervised_keys or (None, "label"))[1]
    many = [k for k in scalars if k.startswith(("label_", "attributes/"))]
    keys = [key] if key in scalars else many
    if not keys or (key in features and key not in scalars):
        checks.fail(f"False for {builder.name}, which has no scalar label", labels=True)
    return keys


def _shape(builder: Builder, key: str, image_size: Sequence[int] | None) -> tuple:
    own = builder.info.features[key].shape
    if image_size is None and None not in own:
        return own
    if image_size is None:
        hint = "Say `image_size=(height, width)`."
        expected = f"given for {builder.name}, whose images are {own}"
        checks.fail(expected, hint=hint, image_size=None)
    shape = (*image_shape(image_size)[:2], own[2])
    if tuple(image_size) not in (shape, shape[:2]):
        expected = f"(height, width) or end in {own[2]} channels"
        checks.fail(expected, image_size=image_size)
    return shape


def _prepare(builder: Builder, manual_dir: Path | None) -> None:
    import tensorflow_datasets as tfds

    if (builder.data_path / "dataset_info.json").exists():
        return
    _check_originals(builder, manual_dir)
    # A folder for each builder: MNIST and Fashion-MNIST share names of files.
    folders = {"extract_dir": builder.data_path.parent / "extracted"}
    folders["manual_dir"] = manual_dir
    config = tfds.download.DownloadConfig(try_download_gcs=False, **folders)
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare(download_config=config)


def _check_originals(builder: Builder, manual_dir: Path | None) -> None:
    """Raises before TFDS would try for minutes to download without success."""
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if manual_dir and not manual_dir.is_dir():
        checks.fail("a folder", error=FileNotFoundError, manual_dir=str(manual_dir))
    if by_hand and not manual_dir:
        raise FileNotFoundError(
            f"`manual_dir` must be given for {builder.name}, which cannot be "
            f"downloaded. {by_hand.strip()}"
        )
    missing = _missing_files(builder, manual_dir)
    if missing and manual_dir and not by_hand:
        raise FileNotFoundError(
            f"`manual_dir` must hold the original files of {builder.name}. "
            f"Received: {manual_dir} without {', '.join(missing)}."
        )
    if missing and not _reachable(next(iter(missing.values()))):
        raise ConnectionError(
            f"{builder.name} is not prepared in {builder.data_dir} and cannot be "
            f"downloaded. Put {', '.join(missing)} into a folder and pass it as "
            "`manual_dir`, or pass the folder of a prepared copy as `data_dir`."
        )


def _missing_files(builder: Builder, manual_dir: Path | None) -> dict[str, str]:
    """`{file name: address}` for the registered files that are missing."""
    infos = (builder.url_infos or {}).items()
    files = {info.filename or url.rsplit("/", 1)[-1]: url for url, info in infos}
    folder = Path(manual_dir or os.devnull)
    missing = {name: url for name, url in files.items() if not (folder / name).exists()}
    # The files of all configs are registered, and which ones this config needs is not
    # known: any of them will do.
    return {} if builder.BUILDER_CONFIGS and len(missing) < len(files) else missing


def _reachable(url: str) -> bool:
    """True if the address answers in time, through the proxies TFDS uses."""
    if not url.startswith("http"):
        return True
    answers = []

    def ask() -> None:
        import requests

        with contextlib.suppress(requests.RequestException):
            with requests.get(url, stream=True, timeout=_SECONDS) as response:
                answers.append(response.ok)

    # A thread, because no timeout applies to looking up a host name.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return any(answers)


def _places(builder: Builder) -> tuple[sources.SplitArrays, list[Path]]:
    """Places of the records of train, valid and test, and their files."""
    splits = builder.info.splits
    if "train" not in splits:
        received = f"{builder.name} with splits {sorted(splits)}"
        sources.refuse("be a builder with a train split", received)
    if builder.info.file_format.value != "tfrecord":
        received = f"{builder.name} as {builder.info.file_format.value}"
        sources.refuse("be prepared as TFRecord files", received)
    paths = {ALIASES[k]: v.filepaths for k, v in splits.items() if k in ALIASES}
    named = {name: [Path(file) for file in files] for name, files in paths.items()}
    files = [file for some in named.values() for file in some]
    return {k: (records.index(files, some),) for k, some in named.items()}, files
