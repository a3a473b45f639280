"""Data sets of tensorflow_datasets as sources, with quick and clear failures."""

import contextlib
import difflib
import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.arrays import EMBEDDED
from tfvae.data.folders import image_shape
from tfvae.data.splits import Source

_OFFICIAL = {"validation": "valid", "valid": "valid", "val": "valid", "test": "test"}
# Short enough that the error comes within 10 seconds of starting Python.
_SECONDS = 3


def from_builder(name, *, labels, fractions, image_size, data_dir, manual_dir):
    """Returns the `Source` of a TFDS builder with images, prepared where needed.

    Args:
        name: Registered name, with config and version where wanted.
        labels: Whether to give the second of `supervised_keys`, or "label", or where
            there is none all of "label_shape", "label_scale" and so on, or all of
            "attributes" in one; or the name of a label.
        fractions: `Fractions` for the splits that the builder lacks.
        image_size: `(height, width)` to stretch to, or `None` to keep the size.
        data_dir: Folder of prepared data sets, or `None` for the one of TFDS.
        manual_dir: Folder with the original files, or `None` to download them.
    """
    import tensorflow_datasets as tfds

    _check_name(name)
    builder = tfds.builder(name, data_dir=data_dir)
    keys = [_image_key(builder), *(_label_keys(builder, labels) if labels else [])]
    shape = _shape(builder, keys[0], image_size)
    _prepare(builder, manual_dir and Path(manual_dir).expanduser())
    streams = {
        split: _stream(builder, instruction, keys, shape)
        for split, instruction in _instructions(builder, fractions).items()
    }
    return Source(streams, _peak(streams["train"]))


def is_registered(name):
    """Says whether a builder of TFDS or of this package has the name."""
    return re.split("[/:]", name)[0] in _names()


def _names():
    import tensorflow_datasets as tfds

    import tfvae.datasets.frey_face
    import tfvae.datasets.olivetti_faces  # noqa: F401  registers the builders

    return tfds.list_builders(with_community_datasets=False)


def _check_name(name):
    if not is_registered(name):
        names = [*EMBEDDED, *_names()]
        near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
        hint = f"Nearest: {', '.join(near)}." if near else ""
        embedded = ", ".join(map(repr, EMBEDDED))
        expected = f"{embedded}, a TFDS builder, an .npz file or a folder that exists"
        checks.fail(expected, hint=hint, source=name)


def _image_key(builder):
    """Returns the key of the one uint8 image, "image" where there are several."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = [
        key
        for key, feature in (features.items() if hasattr(features, "items") else ())
        if isinstance(feature, tfds.features.Image) and feature.np_dtype == np.uint8
    ]
    if "image" not in keys and len(keys) != 1:
        raise ValueError(
            "`source` must be a builder with one uint8 image an example. "
            f"Received: {builder.name} with features {features}."
        )
    return "image" if "image" in keys else keys[0]


def _label_keys(builder, labels):
    """Names of the labels asked for, of attributes as "attributes/name"."""
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


def _shape(builder, key, image_size):
    own = builder.info.features[key].shape
    if image_size is None and None in own:
        hint = "Say `image_size=(height, width)`."
        expected = f"given for {builder.name}, whose images are {own}"
        checks.fail(expected, hint=hint, image_size=None)
    if image_size is None:
        return own
    shape = (*image_shape(image_size)[:2], own[2])
    if tuple(image_size) not in (shape, shape[:2]):
        checks.fail(
            f"(height, width) or end in {own[2]} channels", image_size=image_size
        )
    return shape


def _prepare(builder, manual_dir):
    import tensorflow_datasets as tfds

    if (builder.data_path / "dataset_info.json").exists():
        return
    _check_originals(builder, manual_dir)
    config = tfds.download.DownloadConfig(
        # Of its own: MNIST and Fashion-MNIST extract files of the same names.
        extract_dir=builder.data_path.parent / "extracted",
        manual_dir=manual_dir,
        try_download_gcs=False,
    )
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare(download_config=config)


def _check_originals(builder, manual_dir):
    """Raises before TFDS would try to download for minutes in vain."""
    by_hand = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if manual_dir and not Path(manual_dir).is_dir():
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


def _missing_files(builder, manual_dir):
    """Returns `{file name: address}` of the registered files that are not there."""
    files = {
        info.filename or url.rsplit("/", 1)[-1]: url
        for url, info in (builder.url_infos or {}).items()
    }
    folder = Path(manual_dir or os.devnull)
    missing = {name: url for name, url in files.items() if not (folder / name).exists()}
    # The files of all configs are registered: which ones are needed is not known.
    return {} if builder.BUILDER_CONFIGS and len(missing) < len(files) else missing


def _reachable(url):
    """Says whether the address answers in time, through proxies as TFDS goes."""
    if not url.startswith("http"):
        return True
    answers = []

    def ask():
        import requests

        with contextlib.suppress(requests.RequestException):
            with requests.get(url, stream=True, timeout=_SECONDS) as response:
                answers.append(response.ok)

    # A thread, because looking up a name obeys no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return any(answers)


def _instructions(builder, fractions):
    """Returns a TFDS split instruction for each of train, valid and test."""
    splits = builder.info.splits
    if "train" not in splits:
        raise ValueError(
            "`source` must be a builder with a train split. "
            f"Received: {builder.name} with splits {sorted(splits)}."
        )
    official = {_OFFICIAL[name]: name for name in splits if name in _OFFICIAL}
    spans = fractions.spans(splits["train"].num_examples, official)
    cuts = {name: f"train[{start}:{stop}]" for name, (start, stop) in spans.items()}
    return {**cuts, **official}


def _stream(builder, instruction, keys, shape):
    """Returns a data set of `(image,)` or `(image, label)`, images uint8."""
    import tensorflow_datasets as tfds

    data = builder.as_dataset(
        split=instruction,
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False),
        decoders=tfds.decode.PartialDecoding(_nested(keys)),
    )
    resize = builder.info.features[keys[0]].shape != shape

    def pick(example):
        image, *label = (_at(example, key) for key in keys)
        if len(label) > 1:
            label = [tf.stack(label, axis=-1)]
        return (_stretched(image, shape) if resize else image, *label)

    return data.map(pick, num_parallel_calls=tf.data.AUTOTUNE)


def _nested(keys):
    """A dict of True for each key, of those with a slash a dict in a dict."""
    nested = {}
    for key in keys:
        *outer, name = key.split("/")
        inner = nested.setdefault(outer[0], {}) if outer else nested
        inner[name] = True
    return nested


def _at(example, key):
    """What is at a key; what is true or false as 1 or 0."""
    for name in key.split("/"):
        example = example[name]
    return tf.cast(example, tf.int64) if example.dtype == tf.bool else example


def _stretched(image, shape):
    image = tf.image.resize(image, shape[:2], antialias=True)
    return tf.ensure_shape(tf.cast(tf.round(image), tf.uint8), shape)


def _peak(stream):
    """Tells {0, 1} from grey values by the first 1,000 training images."""
    images = stream.take(1000).as_numpy_iterator()
    return 1 if max(image.max() for image, *_ in images) <= 1 else 255
