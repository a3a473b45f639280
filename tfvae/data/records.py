"""Examples of TFRecord files, each read where it lies."""

import itertools
import math
import mmap
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.images import decode, image_shape, shape_of
from tfvae.data.sources import (
    ALIASES,
    Fractions,
    Lazy,
    Location,
    Source,
    SplitArrays,
    cut,
    peak,
    refuse,
    specs_of,
)

# Around the content of a record: its length and a checksum of that; a checksum of it.
_BEFORE, _AFTER = 12, 4
# Names in use for the image and the label of an example, in the order of preference.
_IMAGES = "image", "image/encoded", "image_raw"
_LABELS = "label", "image/class/label"


def is_records(path: Path) -> bool:
    """True for a TFRecord file, a pattern of such files, or a folder that has some."""
    return ".tfrecord" in path.name or bool(_inside(path))


def from_records(
    path: Location,
    *,
    labels: bool | str,
    fractions: Fractions,
    image_size: Sequence[int] | None = None,
) -> Source:
    """Reads a TFRecord file, a pattern of such files, or a folder of them.

    Records are `tf.train.Example`, with an encoded image or, if `image_size` has
    channels, its bytes. The names of files and folders tell the splits: "train",
    "valid" (or "validation", "val") and "test". Labels are integers.
    """
    splits = _splits(Path(path).expanduser())
    files = list(itertools.chain(*splits.values()))
    places = {name: (index(files, of),) for name, of in splits.items()}
    features = _features(files, next(iter(places.values()))[0])
    image = _image_name(features)
    names = [_label_name(features, labels)] if labels else []
    shape = _shape(features[image].bytes_list.value[0], image_size)
    return lazy(files, cut(places, fractions), image, names, shape)


def lazy(
    files: Sequence[Path],
    places: SplitArrays,
    image: str,
    labels: Sequence[str],
    shape: tuple[int, int, int],
) -> Source:
    """Examples `(image,)` or `(image, label)` of records, images uint8.

    Args:
        files: The files.
        places: Of each split `index(files, some)`.
        image: Name of the image's feature.
        labels: Names of labels; several become one vector.
        shape: Shape of an image.
    """
    features = {image: tf.io.FixedLenFeature([], tf.string)}
    features |= {name: tf.io.FixedLenFeature([], tf.int64) for name in labels}
    label_shape = [len(labels)] if len(labels) > 1 else []
    specs = specs_of(tf.TensorSpec(shape, tf.uint8), *[label_shape] * bool(labels))

    def read(places: np.ndarray) -> tuple[np.ndarray, ...]:
        def name(i: int) -> str:
            return f"the record at byte {places[i, 1]} of {files[places[i, 0]]}"

        contents = tf.constant(list(_contents(files, places)))
        try:
            parsed = tf.io.parse_example(contents, features)
        except tf.errors.InvalidArgumentError as error:
            expected = f"hold examples with one value of each of {sorted(features)}"
            refuse(expected, f"{str(error)[:300]} near {name(0)}")
        x = _pixels(parsed[image].numpy(), shape, name)
        numbers = [parsed[name].numpy() for name in labels]
        if not labels:
            return (x,)
        return x, numbers[0] if len(labels) == 1 else np.stack(numbers, axis=-1)

    splits = {name: Lazy(rows, read, specs) for name, rows in places.items()}
    return Source(splits, peak([splits["train"].first()[0]]), is_guess=True)


def _features(files: Sequence[Path], places: np.ndarray) -> dict[str, Any]:
    """The features of the first record, by name."""
    if not len(places):
        refuse("hold at least one record", f"{files[0]}, which is empty")
    example = tf.train.Example()
    try:
        example.ParseFromString(next(_contents(files, places[:1])))
    except Exception as error:  # of protobuf, which is no requirement of its own
        refuse("hold records of tf.train.Example", f"{files[0]} ({error})")
    return dict(example.features.feature)


def index(files: Sequence[Path], some: Sequence[Path]) -> np.ndarray:
    """Places of the records of some of the files, int64 `[records, 3]`.

    A row is the number of the file, the place of the content, and its length.
    """
    numbers = [(i, file) for i, file in enumerate(files) if file in set(some)]
    rows = [(i, *row) for i, file in numbers for row in _records(file)]
    return np.array(rows, "int64").reshape(-1, 3)


def _records(file: Path) -> Iterator[tuple[int, int]]:
    """Place and length of each record of a file."""
    size, at = file.stat().st_size, 0
    if not size:
        return
    with file.open("rb") as opened, _mapped(opened) as content:
        while at < size:
            (length,) = struct.unpack_from("<Q", content, at) if at + 8 <= size else [0]
            end = at + _BEFORE + length + _AFTER
            if end > size:
                refuse("hold whole, uncompressed TFRecord files", file)
            yield at + _BEFORE, length
            at = end


def _mapped(file: Any) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _contents(files: Sequence[Path], places: np.ndarray) -> Iterator[bytes]:
    """The contents of records."""
    opened = {}
    try:
        for number, at, length in places.tolist():
            if number not in opened:
                opened[number] = files[number].open("rb")
            opened[number].seek(at)
            yield opened[number].read(length)
    finally:
        for file in opened.values():
            file.close()


def _pixels(images: np.ndarray, shape: tuple[int, int, int], name: Any) -> np.ndarray:
    """Images from encoded files, or from as many bytes as there are elements."""
    if _is_raw(images[0], shape):
        try:
            return np.frombuffer(b"".join(images), "uint8").reshape(-1, *shape)
        except ValueError:
            refuse(
                f"hold images of {math.prod(shape)} bytes each", f"others at {name(0)}"
            )
    return decode(images.tolist(), shape, name)


def _is_raw(image: bytes, shape: tuple[int, int, int]) -> bool:
    return len(image) == math.prod(shape) and shape_of(image) is None


def _inside(folder: Path) -> list[Path]:
    """The TFRecord files in a folder and in its folders named for splits."""
    folders = [folder, *(folder / name for name in ALIASES)]
    files = itertools.chain(*(f.glob("*.tfrecord*") for f in folders if f.is_dir()))
    return [f for f in files if f.suffix not in (".json", ".index", ".idx")]


def _splits(path: Path) -> dict[str, list[Path]]:
    """The files of each split, or of "all"."""
    root = path if path.is_dir() else path.parent
    found = _inside(path) if path.is_dir() else root.glob(path.name)
    splits = {}
    for file in sorted(found):
        words = re.split("[^a-z]+", str(file.relative_to(root)).lower())
        names = {ALIASES[word] for word in words if word in ALIASES} or {"all"}
        if len(names) > 1:
            refuse("hold files of one split each, by their names", file)
        splits.setdefault(names.pop(), []).append(file)
    if not splits:
        checks.fail("TFRecord files", error=FileNotFoundError, source=str(path))
    if "train" not in splits and set(splits) != {"all"}:
        # One split, named or not, is all there is.
        if len(splits) > 1:
            refuse("hold files of train", f"{path} with files of {sorted(splits)}")
        return {"all": next(iter(splits.values()))}
    if "all" in splits and len(splits) > 1:
        refuse("name the split of each file", f"{splits['all'][0]} beside others")
    return splits


def _image_name(features: dict[str, Any]) -> str:
    texts = [k for k, v in features.items() if len(v.bytes_list.value) == 1]
    named = [name for name in _IMAGES if name in texts]
    named = named or [k for k in texts if shape_of(features[k].bytes_list.value[0])]
    if not named or (len(named) > 1 and named[0] not in _IMAGES):
        expected = "hold examples with one image, or one named 'image'"
        refuse(expected, f"the features {sorted(features)}")
    return named[0]


def _label_name(features: dict[str, Any], labels: bool | str) -> str:
    numbers = [k for k, v in features.items() if len(v.int64_list.value) == 1]
    if not numbers:
        expected = f"False where none of {sorted(features)} is one integer"
        checks.fail(expected, labels=labels)
    if isinstance(labels, str):
        return checks.one_of(sorted(numbers), labels=labels)
    named = [name for name in _LABELS if name in numbers]
    if not named and len(numbers) != 1:
        checks.fail(f"the name of one of {sorted(numbers)}", labels=labels)
    return (named or numbers)[0]


def _shape(image: bytes, image_size: Sequence[int] | None) -> tuple[int, int, int]:
    own = shape_of(image)
    if image_size is None:
        if own is None:
            hint = "Say (height, width, channels)."
            expected = "given for images that are not encoded"
            checks.fail(expected, hint=hint, image_size=None)
        return own
    shape = image_shape(image_size)
    if own is None and math.prod(shape) != len(image):
        expected = f"a shape of {len(image)} elements, as in the first record"
        checks.fail(expected, image_size=image_size)
    return (*shape[:2], own[2]) if own and len(image_size) == 2 else shape
