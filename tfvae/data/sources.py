"""Raw examples: arrays in memory and in files, and artificial data, cut into splits.

Every reader takes a source by its name, path or arrays, `labels` (whether to add
labels) and `fractions` (`Fractions` for the splits that the source lacks).
"""

import dataclasses
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
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

# Examples of a file by which its kind is known.
FIRST = 1000

Location = str | os.PathLike[str]
Arrays = dict[str, npt.ArrayLike]
# One array, arrays by name, or (train, valid, test).
ArraySource = npt.ArrayLike | Mapping[str, npt.ArrayLike] | tuple[npt.ArrayLike, ...]


@dataclasses.dataclass(frozen=True)
class Lazy:
    """Examples that are read when their batch comes.

    Attributes:
        rows: Arrays `[examples, ...]` that say where to read each, to be shuffled.
        read: Function from some of the rows to a batch, `(x,)` or `(x, label)`.
        specs: Shape and type of one x, and of its label.
    """

    rows: tuple[np.ndarray, ...]
    read: Callable[..., tuple[np.ndarray, ...]]
    specs: tuple[tf.TensorSpec, ...]

    def __len__(self) -> int:
        return len(self.rows[0])

    def batch(self, *rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The examples of some rows, in a graph."""
        types = [spec.dtype for spec in self.specs]
        parts = zip(tf.numpy_function(self.read, rows, types), self.specs, strict=True)
        return tuple(tf.ensure_shape(x, [None, *spec.shape]) for x, spec in parts)

    def dataset(self) -> tf.data.Dataset:
        """The examples one by one, in their order."""
        blocks = tf.data.Dataset.from_tensor_slices(self.rows).batch(64)
        examples = blocks.map(self.batch).unbatch()
        return examples.apply(tf.data.experimental.assert_cardinality(len(self)))

    def held(self) -> tuple[np.ndarray, ...]:
        """All examples, as arrays in memory."""
        shapes = [(len(self), *spec.shape) for spec in self.specs]
        types = [spec.dtype.as_numpy_dtype for spec in self.specs]
        arrays = tuple(map(np.empty, shapes, types))
        for start in range(0, len(self), 1024):
            some = slice(start, start + 1024)
            batch = self.read(*(rows[some] for rows in self.rows))
            for array, part in zip(arrays, batch, strict=True):
                array[some] = part
        return arrays

    def first(self, count: int = FIRST) -> tuple[np.ndarray, ...]:
        """The first examples, by which their kind is known."""
        return self.read(*(rows[:count] for rows in self.rows))


def specs_of(x: tf.TensorSpec, *label_shapes: Sequence[int]) -> tuple:
    """Specs of examples `(x,)`, or with a label of this shape `(x, label)`."""
    return x, *(tf.TensorSpec(shape, tf.int64) for shape in label_shapes)


# `(x,)` or `(x, label)`: as arrays, as a data set of such tuples, or to be read.
Examples = tuple[np.ndarray, ...] | tf.data.Dataset | Lazy
SplitArrays = dict[str, tuple[np.ndarray, ...]]


class Source(NamedTuple):
    """Raw examples of train, valid and test, before scaling, noise and batches.

    `peak` is the raw value that becomes 1, if x holds integers from 0 to `peak`; it is
    None if x holds floats, which stay as they are. It is a guess if only the first
    examples were looked at.
    """

    splits: dict[str, Examples]
    peak: int | None
    is_guess: bool = False


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
    arrays, targets = by_name(source)
    arrays = {name: values(x) for name, x in arrays.items()}
    check_kinds(arrays)
    examples = {name: (x,) for name, x in arrays.items()}
    if labels:
        examples = {
            k: (x, checked_labels(targets.get(k), len(x))) for k, x in arrays.items()
        }
    whole = all(x.dtype == np.uint8 for x in arrays.values())
    return Source(cut(examples, fractions), peak(arrays.values()) if whole else None)


def check_kinds(arrays: dict[str, np.ndarray]) -> None:
    """Raises unless the splits hold arrays of one shape and type."""
    kinds = {name: (str(x.dtype), list(x.shape[1:])) for name, x in arrays.items()}
    if any(kind != next(iter(kinds.values())) for kind in kinds.values()):
        refuse("hold arrays of one shape and kind in all splits", kinds)


def refuse(expected: str, received: Any) -> NoReturn:
    """Raises a ValueError about the source."""
    raise ValueError(f"`source` must {expected}. Received: {received}.")


def fits(num_bytes: int) -> bool:
    """True for at most a quarter of the free memory."""
    import psutil

    return num_bytes <= psutil.virtual_memory().available / 4


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


def by_name(source: ArraySource) -> tuple[Arrays, Arrays]:
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


def values(x: npt.ArrayLike) -> np.ndarray:
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


def checked_labels(y: npt.ArrayLike | None, num_rows: int) -> np.ndarray:
    """Integer labels as int64 `[num_rows]`."""
    if y is None:
        hint = "Pass a dict or .npz with x_train and y_train, x_test and y_test."
        checks.fail("False where the source has no labels", hint=hint, labels=True)
    y = np.asarray(y)
    if y.shape != (num_rows,) or y.dtype.kind not in "iu":
        received = f"labels of shape {list(y.shape)} and dtype {y.dtype}"
        expected = "hold one integer label an example"
        refuse(expected, f"{received} for {num_rows} examples")
    return y.astype("int64", copy=False)
