"""The named tensors that a model takes, and the forms in which a user gives data."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks

# The u or y of a batch as networks take it, or None.
Context = tf.Tensor | None


@dataclasses.dataclass(frozen=True)
class Input:
    """A named tensor that a model takes, one row for each example.

    Attributes:
        name: Name of the argument, of the input of a signature, and of the data.
        shape: Shape of one row.
        dtype: float32; int32 for labels and seeds; bool for masks.
        low: Least value allowed.
        high: Greatest value allowed.
        num_classes: Number of classes if the input is a label from 0; else 0.
        levels: Number of evenly spaced values from 0 to 1 if no others are allowed;
            else 0.
        masks: Name of the input that counts only where this one, a mask, is true.
        because: The part of the model that needs this range, for messages.
        meaning: A phrase for the sidecar of a TFLite file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: tf.DType = tf.float32
    low: float = -math.inf
    high: float = math.inf
    num_classes: int = 0
    levels: int = 0
    masks: str = ""
    because: str = ""
    meaning: str = ""

    def spec(self, batch_size: int | None = None) -> tf.TensorSpec:
        """The input in a signature, for any number of rows when left out."""
        return tf.TensorSpec([batch_size, *self.shape], self.dtype, name=self.name)

    @property
    def range(self) -> tuple[float, float] | None:
        """Least and greatest value, if both are finite."""
        low, high = (
            (0, self.num_classes - 1) if self.num_classes else (self.low, self.high)
        )
        return (low, high) if math.isfinite(high - low) else None

    @property
    def context_shape(self) -> tuple[int, ...]:
        """Shape of one row as networks take it, labels one-hot."""
        return (self.num_classes,) if self.num_classes else self.shape

    def check(self, value: Any) -> np.ndarray:
        """Returns numbers as float32 if shape and values fit this input."""
        argument = {self.name: value}
        low, high = self.low, self.high
        value = checks.array(
            self.shape, low=low, high=high, because=self.because, **argument
        )
        steps = value * (self.levels - 1) if self.levels else np.zeros([])
        if (abs(steps - steps.round()) > 1e-3).any():
            expected = f"of {self.levels} levels: multiples of 1 / {self.levels - 1}"
            checks.fail(expected, **argument)
        return value

    def check_rows(self, value: Any, num_rows: int) -> np.ndarray:
        """Returns labels or arrays for `num_rows` rows; one value serves all rows."""
        if value is None:
            checks.fail("given: the model has a context", **{self.name: value})
        if np.shape(value) == self.shape:
            value = np.broadcast_to(value, (num_rows, *self.shape))
        if self.num_classes:
            return checks.labels(self.num_classes, num_rows, **{self.name: value})
        value = self.check(value)
        checks.rows(num_rows, **{self.name: value})
        return value

    def context(self, value: tf.Tensor) -> tf.Tensor:
        """The form that networks take: labels one-hot, arrays as they are."""
        if value is None:
            checks.fail("given: the model has a context", **{self.name: value})
        if not self.num_classes:
            return value
        # In a server one_hot would take an unknown label for none; gather refuses it.
        return tf.gather(tf.eye(self.num_classes), tf.cast(value, tf.int32))

    def example(self, num_rows: int, seed: int = 0) -> tf.Tensor:
        """Made-up rows: numbers in the range, else standard normal; labels; seeds."""
        rng, shape = np.random.default_rng(seed), [num_rows, *self.shape]
        if self.dtype.is_bool:
            return tf.constant(rng.random(shape) < 0.5)
        if self.dtype.is_integer:
            return tf.constant(
                rng.integers(0, self.num_classes or 2**31, shape), self.dtype
            )
        if self.range:
            return tf.constant(rng.uniform(*self.range, shape), self.dtype)
        return tf.constant(rng.standard_normal(shape), self.dtype)


SEED = Input("seed", (2,), tf.int32, meaning="seed of a row")


def condition(
    name: str, shape: tuple[int, ...] | None, num_classes: int = 0
) -> Input | None:
    """The u or y that a model is conditional on, or None.

    Args:
        name: Name of the argument.
        shape: Shape of the networks' context; None or () for none.
        num_classes: Number of classes if it is a label from 0 for each example; 0 if it
            is an array for each, or there is none.
    """
    checks.integer(minimum=0, num_classes=num_classes)
    if num_classes and tuple(shape or ()) != (num_classes,):
        expected = f"0, or the size of the network's context, {shape}"
        checks.fail(expected, num_classes=num_classes)
    if num_classes:
        return Input(name, (), tf.int32, num_classes=num_classes, meaning="label")
    return Input(name, tuple(shape), meaning="condition") if shape else None


class Inputs(dict[str, Input]):
    """The table of all that a model takes, by name.

    Args:
        *inputs: Each `Input` but the condition.
        condition: The `Input` u or y that the model depends on, or None.
        condition_name: Its name, for the message that there is none.
    """

    def __init__(
        self, *inputs: Input, condition: Input | None, condition_name: str = "y"
    ):
        self.condition, self.condition_name = condition, condition_name
        super().__init__({i.name: i for i in (*inputs, condition) if i is not None})

    def given(self, value: Any, num_rows: int) -> dict[str, np.ndarray]:
        """The condition as checked rows by its name; nothing if the model has none."""
        if self.condition is not None:
            name = self.condition.name
            return {name: self.condition.check_rows(value, num_rows)}
        if value is not None:
            expected = "left out: the model has no context"
            checks.fail(expected, **{self.condition_name: value})
        return {}

    def beside_stream(self, x: Any, given: Any) -> Iterator[tuple[Any, Any]]:
        """The batches of a stream with their rows of the condition, if it is given."""
        shape = () if self.condition is None else self.condition.shape
        by_row, first = np.ndim(given) > len(shape), 0
        for batch, target in stream_batches(x):
            if given is None:
                yield (batch, target), None
                continue
            if target is not None:
                checks.fail("left out where x is a pair", y=given)
            stop = first + len(batch)
            yield batch, given[first:stop] if by_row else given
            first = stop

    def unpack(self, data: Any) -> tuple[tf.Tensor, Context]:
        """X as float32 and the context of the networks, or None, from a batch."""
        x, value = unzip(data)
        x = tf.cast(x, tf.float32)
        return x, None if self.condition is None else self.condition.context(value)


_EMPTY = "`x` must hold at least one batch. Received: an empty stream."


def is_stream(x: Any) -> bool:
    """True if x brings its own batches rather than being an array."""
    kinds = (tf.data.Dataset, keras.utils.PyDataset)
    return isinstance(x, kinds) or hasattr(x, "__next__")


def first_batch(x: Any) -> tuple[Any, Any]:
    """The first batch of a stream, and a stream that still has it."""
    if isinstance(x, keras.utils.PyDataset):
        return x[0], x
    first = next(iter(x), None)
    if first is None:
        raise ValueError(_EMPTY)
    if isinstance(x, tf.data.Dataset):
        return first, x
    # Keras takes generators of tuples, but no other iterators.
    return first, (_tuple(batch) for batch in itertools.chain([first], x))


def same_target(x: Any, y: Any) -> None:
    """Checks that a target beside x is x again, as autoencoder scripts give it."""
    if y is None or y is x:
        return
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape or not np.array_equal(x, y):
        raise ValueError(
            "`y` must be left out, or be x itself: the model is unsupervised and would "
            f"ignore it. Received: y of shape {list(y.shape)} beside x of shape "
            f"{list(x.shape)}."
        )


def split(x: Any, y: Any, validation_split: float) -> tuple[tuple, tuple]:
    """Pairs of x and y (or None): rows for training, and the last share, held out."""
    share = checks.number(minimum=0, maximum=1, validation_split=validation_split)
    x, y = beside(x, y)
    if is_stream(x):
        expected = "0 with a data set: give `validation_data`"
        checks.fail(expected, error=TypeError, validation_split=validation_split)
    if y is not None:
        checks.rows(len(x), y=y)
    cut = int(len(x) * (1 - share))
    if cut in (0, len(x)):
        checks.fail("a share that leaves rows on both sides", validation_split=share)
    return tuple(
        (x[rows], None if y is None else y[rows])
        for rows in (slice(cut), slice(cut, None))
    )


def beside(x: Any, y: Any) -> tuple[Any, Any]:
    """X and y, of which a tuple given as x may hold both."""
    if not isinstance(x, tuple):
        return x, y
    x, second = unzip(x)
    if y is not None and second is not None:
        checks.fail("left out where x is a pair", y=y)
    return x, y if second is None else second


def stream_batches(x: Any) -> Iterator[tuple[Any, Any]]:
    """The x and the target, or None, of each batch of a stream."""
    if isinstance(x, keras.utils.PyDataset):
        x = map(x.__getitem__, range(len(x)))
    elif (
        isinstance(x, tf.data.Dataset)
        and x.cardinality() == tf.data.INFINITE_CARDINALITY
    ):
        checks.fail("a data set that ends", x=x)
    empty = True
    for batch in x:
        yield unzip(batch)
        empty = False
    if empty:
        raise ValueError(_EMPTY)


def to_arrays(x: Any) -> tuple[Any, Any]:
    """X and its target, or None, from a pair or a stream, which is read to its end."""
    if not is_stream(x):
        return unzip(x)
    x, y = zip(*stream_batches(x), strict=True)
    x = np.concatenate([checks.real(x=batch) for batch in x])
    return x, None if y[0] is None else np.concatenate([np.asarray(b) for b in y])


def unzip(data: Any) -> tuple[Any, Any]:
    """The x and the target, or None, in an element: `x`, `(x,)` or `(x, target)`."""
    if not isinstance(data, (tuple, list)):
        return data, None
    parts = [part for part in data if part is not None]  # as from `train_on_batch`
    if len(parts) > 2 or not len(data):
        checks.fail("x, (x,) or (x, y)", data=f"a tuple of {len(data)}")
    data = parts or [None]
    if len(data) == 2:
        return data[0], data[1]
    # `train_on_batch((x, y))` wraps the pair.
    return unzip(data[0]) if isinstance(data[0], tuple) else (data[0], None)


def _tuple(batch: Any) -> tuple:
    return tuple(part for part in unzip(batch) if part is not None)
