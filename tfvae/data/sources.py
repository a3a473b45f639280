"""Raw examples in memory: arrays, `.npz` files and artificial data, cut into splits.

Every reader takes a source by its name, path or arrays, `labels` (whether to add
labels) and `fractions` (`Fractions` for the splits that the source lacks).
"""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks
from tfvae.data.nonlinear_ica import nonlinear_ica
from tfvae.data.sprites import draw_factors, draw_images

NAMES = ("train", "valid", "test")
# The split for each name in use for it, among files, folders and TFDS builders.
ALIASES = {**{name: name for name in NAMES}, "validation": "valid", "val": "valid"}

Location = str | os.PathLike[str]
Arrays = dict[str, npt.ArrayLike]
# One array, arrays by name, or (train, valid, test).
ArraySource = npt.ArrayLike | Mapping[str, npt.ArrayLike] | tuple[npt.ArrayLike, ...]


@dataclasses.dataclass(frozen=True)
class Lazy:
    """Examples that are read when their batch comes.

    Attributes:
        places: Where examples are, `[examples]`: paths, or numbers of rows.
        labels: Arrays beside them: none, or one.
        read: Function from some places to their x.
        spec: Shape and type of one x.
    """

    places: np.ndarray
    labels: tuple[np.ndarray, ...]
    read: Callable[[np.ndarray], np.ndarray]
    spec: tf.TensorSpec

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> tuple[np.ndarray, ...]:
        """Places and labels, to be shuffled."""
        return self.places, *self.labels

    def batch(self, places: tf.Tensor, *labels: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The examples at some places."""
        x = tf.numpy_function(self.read, [places], self.spec.dtype)
        return (tf.ensure_shape(x, [None, *self.spec.shape]), *labels)

    def dataset(self) -> tf.data.Dataset:
        """The examples one by one, in their order."""
        blocks = tf.data.Dataset.from_tensor_slices(self.rows).batch(64)
        examples = blocks.map(self.batch).unbatch()
        return examples.apply(tf.data.experimental.assert_cardinality(len(self)))


# `(x,)` or `(x, label)`: as arrays, as a data set of such tuples, or to be read.
Examples = tuple[np.ndarray, ...] | tf.data.Dataset | Lazy
SplitArrays = dict[str, tuple[np.ndarray, ...]]


# Rows of an `.npy` file by which its kind is known.
_FIRST = 1000


class Source(NamedTuple):
    """Raw examples of train, valid and test, before scaling, noise and batches.

    `peak` is the raw value that becomes 1, if x holds integers from 0 to `peak`; it is
    None if x holds floats, which stay as they are.
    """

    splits: dict[str, Examples]
    peak: int | None


class Fractions(NamedTuple):
    """Shares for splits that a source lacks: `test` of all, `valid` of the rest."""

    valid: float
    test: float

    def spans(self, count: int, official: Container[str]) -> dict[str, slice]:
        """Spans of `count` training examples for the splits that are not `official`."""
        rest = count if "test" in official else count - round(count * self.test)
        kept = rest if "valid" in official else rest - round(rest * self.valid)
        ends = {"train": (0, kept), "valid": (kept, rest), "test": (rest, count)}
        needed = {k: v for k, v in ends.items() if k == "train" or k not in official}
        if any(start == stop for start, stop in needed.values()):
            raise ValueError(
                "`validation_fraction` and `test_fraction` must leave examples in "
                f"every split. Received: {self.valid:.4g} and {self.test:.4g} of "
                f"{count} examples."
            )
        return {name: slice(*span) for name, span in needed.items()}


def cut(examples: SplitArrays, fractions: Fractions) -> SplitArrays:
    """Train, valid and test, cut from "train" or from a single part "all"."""
    if "all" in examples:
        # A fixed order: files are often sorted by class, and runs with several seeds
        # are comparable on one test set only.
        order = np.random.default_rng(0).permutation(len(examples["all"][0]))
        examples = {"train": tuple(part[order] for part in examples["all"])}
    train = examples["train"]
    spans = fractions.spans(len(train[0]), examples).items()
    return {**examples, **{k: tuple(x[span] for x in train) for k, span in spans}}


def from_arrays(source: ArraySource, *, labels: bool, fractions: Fractions) -> Source:
    """Reads one array, a tuple (train, valid, test), or arrays by name."""
    arrays, targets = _by_name(source)
    arrays = {name: _values(x) for name, x in arrays.items()}
    kinds = {name: (str(x.dtype), list(x.shape[1:])) for name, x in arrays.items()}
    if any(kind != next(iter(kinds.values())) for kind in kinds.values()):
        refuse("hold arrays of one shape and kind in all splits", kinds)
    examples = {name: (x,) for name, x in arrays.items()}
    if labels:
        examples = {k: (x, _labels(targets.get(k), len(x))) for k, x in arrays.items()}
    whole = all(x.dtype == np.uint8 for x in arrays.values())
    return Source(cut(examples, fractions), peak(arrays.values()) if whole else None)


def refuse(expected: str, received: Any) -> NoReturn:
    """Raises a ValueError about the source."""
    raise ValueError(f"`source` must {expected}. Received: {received}.")


def from_npz(path: Location, **options: Any) -> Source:
    """Reads an `.npz` file of plain arrays; `options` are those of `from_arrays`."""
    try:
        with np.load(Path(path).expanduser(), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`source` must be an .npz file of plain arrays, without pickled objects. "
            f"Received: {path} ({error})."
        ) from error
    return from_arrays(arrays, **options)


def from_npy(path: Location, *, labels: bool, fractions: Fractions) -> Source:
    """Reads one array from an `.npy` file, a batch at a time."""
    try:
        x = np.load(Path(path).expanduser(), mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            "`source` must be an .npy file of one plain array. "
            f"Received: {path} ({error})."
        ) from error
    if labels:
        checks.fail("False: an .npy file has none", labels=labels)
    first = _values(x[:_FIRST])
    if x.dtype.kind in "biu" and x.dtype.itemsize > 1:
        refuse("hold floats, or integers of one byte", f"dtype {x.dtype}")
    kind, shape = first.dtype, first.shape[1:]

    def read(rows: np.ndarray) -> np.ndarray:
        return x[rows].astype(kind).reshape(-1, *shape)

    parts = cut({"all": (np.arange(len(x)),)}, fractions)
    spec = tf.TensorSpec(shape, tf.as_dtype(kind))
    splits = {name: Lazy(*rows, (), read, spec) for name, rows in parts.items()}
    return Source(splits, peak([first]) if kind == np.uint8 else None)


def _digits(name: str, **options: Any) -> Source:
    """Reads the 1,797 digits of scikit-learn, `[8, 8, 1]`, grey values 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    arrays = {"x": bunch.images.astype("uint8"), "y": bunch.target}
    return from_arrays(arrays, **options)._replace(peak=16)


def _sprites(
    name: str,
    *,
    labels: bool,
    fractions: Fractions,
    image_size: Sequence[int] = (64, 64),
) -> Source:
    """Draws 60,000 sprites in {0, 1}; their labels are the factors, int64 `[5]`."""
    size = tuple(image_size) if isinstance(image_size, (tuple, list)) else ()
    if not size or size not in (size[:1] * 2, (*size[:1] * 2, 1)):
        expected = "(size, size) or (size, size, 1) for sprites"
        checks.fail(expected, image_size=image_size)
    factors = draw_factors(60_000)
    x = draw_images(factors, size[0], "uint8")
    examples = (x, factors) if labels else (x,)
    return Source(cut({"all": examples}, fractions), peak=1)


def _nonlinear_ica(name: str, **options: Any) -> Source:
    """Draws mixtures of 5 sources and whitens them; labels are the 40 segments."""
    from sklearn.decomposition import PCA

    # With the default fractions 1,000 rows of a segment stay in train, on average.
    x, u, _ = nonlinear_ica(segment_length=1440)
    arrays = {"x": PCA(whiten=True).fit_transform(x), "y": u}
    return from_arrays(arrays, **options)


# Sources by name that need no files.
EMBEDDED = {"digits": _digits, "sprites": _sprites, "nonlinear_ica": _nonlinear_ica}


def _by_name(source: ArraySource) -> tuple[Arrays, Arrays]:
    """X and labels as two dicts over train, valid and test, or over "all"."""
    if isinstance(source, Mapping):
        return _from_mapping({str(key): array for key, array in source.items()})
    if not isinstance(source, tuple):
        return {"all": source}, {}
    if len(source) != 3:
        expected = "be a tuple of three arrays (train, valid, test)"
        refuse(expected, f"a tuple of {len(source)}")
    return dict(zip(NAMES, source, strict=True)), {}


def _from_mapping(source: Arrays) -> tuple[Arrays, Arrays]:
    arrays, targets = {}, {}
    for key, array in source.items():
        name = key.removeprefix("x_").removeprefix("y_")
        part = targets if key == "y" or key.startswith("y_") else arrays
        part[ALIASES.get(name, name)] = array
    if len(arrays) == 1 and "train" not in arrays:
        return {"all": next(iter(arrays.values()))}, {"all": targets.get("y")}
    if "train" not in arrays or not set(arrays) <= set(NAMES):
        refuse(
            "hold train and, where there are such, valid and test (or x_train, y_train "
            "and so on), or one array",
            f"source with {sorted(source)}",
        )
    return arrays, targets


def _values(x: npt.ArrayLike) -> np.ndarray:
    """Checked `[examples, ...]`: integers as uint8, floats as float32."""
    x = checks.real(source=x)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim not in (2, 4) or not x.size:
        shapes = "[examples, height, width, channels], [examples, height, width] or"
        expected = f"hold arrays {shapes} [examples, features]"
        refuse(expected, f"shape {list(x.shape)}")
    if x.dtype.kind not in "biu":
        return checks.array(x.shape[1:], source=x)
    if x.min() < 0 or x.max() > 255:
        hint = "Scale them yourself and pass floats"
        span = f"integers from {x.min()} to {x.max()}"
        refuse("hold integers from 0 to 255", f"{span}. {hint}")
    return x.astype("uint8", copy=False)


def peak(arrays: Iterable[np.ndarray]) -> int:
    """1 for arrays of {0, 1}, else 255, the greatest grey value."""
    return 1 if max(x.max() for x in arrays) <= 1 else 255


def _labels(y: npt.ArrayLike | None, num_rows: int) -> np.ndarray:
    if y is None:
        hint = "Pass a dict or .npz with x_train and y_train, x_test and y_test."
        checks.fail("False where the source has no labels", hint=hint, labels=True)
    y = np.asarray(y)
    if y.shape != (num_rows,) or y.dtype.kind not in "iu":
        received = f"labels of shape {list(y.shape)} and dtype {y.dtype}"
        expected = "hold one integer label an example"
        refuse(expected, f"{received} for {num_rows} examples")
    return y.astype("int64", copy=False)
