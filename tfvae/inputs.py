"""What a user gives to `fit`, `evaluate` or `predict`, checked, as a data set."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks


def is_stream(x):
    """Whether x brings its own batches rather than being an array."""
    kinds = (tf.data.Dataset, keras.utils.PyDataset)
    return isinstance(x, kinds) or hasattr(x, "__next__")


def first_batch(x):
    """The first batch of a stream, and a stream that still has it.

    Args:
        x: A `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterator.

    Returns:
        The batch and the stream.

    Raises:
        ValueError: Where the stream is empty.
    """
    if isinstance(x, keras.utils.PyDataset):
        return x[0], x
    first = next(iter(x), None)
    if first is None:
        raise ValueError("`x` must hold at least one batch. Received: an empty stream.")
    if isinstance(x, tf.data.Dataset):
        return first, x
    # Keras takes generators of tuples, but no other iterators.
    return first, (_tuple(batch) for batch in itertools.chain([first], x))


def same_target(x, y):
    """Checks that a target beside x is x again, as autoencoder scripts give it.

    Raises:
        ValueError: Where y is something else, for instance labels.
    """
    if y is None or y is x:
        return
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape or not np.array_equal(x, y):
        raise ValueError(
            "`y` must be left out, or be x itself: the model is unsupervised and would "
            f"ignore it. Received: y of shape {list(y.shape)} beside x of shape "
            f"{list(x.shape)}."
        )


def check_batch_size(batch_size):
    """Batch size with Keras's default of 32."""
    return 32 if batch_size is None else checks.integer(batch_size=batch_size)


def split(x, y, validation_split):
    """Arrays cut in two: training rows first, the share to hold out last.

    Returns:
        Two pairs of x and y, where y may be None.

    Raises:
        TypeError: Where x is a stream.
        ValueError: Where the share is not between 0 and 1 or leaves a side empty, or y
            has not as many rows as x.
    """
    share = checks.number(minimum=0, maximum=1, validation_split=validation_split)
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


def beside(x, y):
    """A tuple given as x, taken apart into x and y.

    Raises:
        ValueError: Where there is a y already, or more than a pair.
    """
    x, second = unzip(x)
    if y is not None and second is not None:
        checks.fail("left out where x is a pair", y=y)
    return x, y if second is None else second


def to_array(x):
    """Data as one array of real numbers: streams are read to their end."""
    return to_arrays(x)[0] if is_stream(x) else checks.real(x=x)


def to_arrays(x):
    """Data as an array x, and what stands beside it or None.

    Args:
        x: An array, a pair, or a stream of either, which is read to its end.

    Returns:
        A pair.
    """
    if isinstance(x, keras.utils.PyDataset):
        return to_arrays(x[i] for i in range(len(x)))
    if not is_stream(x):
        x, y = unzip(x)
        return checks.real(x=x), y
    x, y = zip(*map(unzip, x), strict=True)
    x = np.concatenate([checks.real(x=batch) for batch in x])
    return x, None if y[0] is None else np.concatenate([np.asarray(b) for b in y])


def unzip(data):
    """The x and the target, or None, in an element: `x`, `(x,)` or `(x, target)`.

    Raises:
        ValueError: Where there is more.
    """
    if not isinstance(data, (tuple, list)):
        return data, None
    data = [part for part in data if part is not None]  # as from `train_on_batch`
    if len(data) not in (1, 2):
        checks.fail("x, (x,) or (x, y)", data=f"a tuple of {len(data)}")
    return data if len(data) == 2 else _of_one(data[0])


def _of_one(x):
    # `train_on_batch((x, y))` wraps the pair.
    return unzip(x) if isinstance(x, tuple) else (x, None)


def _tuple(batch):
    return tuple(part for part in unzip(batch) if part is not None)
