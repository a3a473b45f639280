"""Images of one shape from the bytes of image files."""

import concurrent.futures
import functools
import io
import os
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfvae import checks

# Modes of Pillow by number of channels.
_MODES = {1: "L", 3: "RGB"}


def image_shape(image_size: Sequence[int] | None) -> tuple[int, int, int]:
    """Checked `(height, width, channels)`; channels are 3 unless given."""
    expected = "(height, width) or (height, width, channels) with 1 or 3 channels"
    if not isinstance(image_size, (tuple, list)) or len(image_size) not in (2, 3):
        checks.fail(expected, image_size=image_size)
    shape = (*checks.integers(image_size=image_size), 3)[:3]
    if shape[2] not in _MODES:
        checks.fail(expected, image_size=image_size)
    return shape


def shape_of(image: bytes | str) -> tuple[int, int, int] | None:
    """Height, width and channels of an image, or None: see `decode`."""
    from PIL import Image

    try:
        with Image.open(_file(image)) as opened:
            channels = 1 if opened.mode in ("1", "L", "I;16") else 3
            return opened.height, opened.width, channels
    except OSError:
        return None


def decode(
    images: Sequence[bytes | str],
    shape: tuple[int, int, int],
    name: Callable[[int], str],
) -> np.ndarray:
    """Images uint8 `[images, *shape]`, stretched if they are of another shape.

    TensorFlow decodes JPEGs and PNGs that need no change, Pillow the others, which
    takes longer. Both give the same pixels.

    Args:
        images: The bytes of image files, or strings with their paths, `[images]`.
        shape: Height, width and channels.
        name: What to call the image of a number in an error.
    """
    x, is_done = np.empty((len(images), *shape), "uint8"), np.zeros(len(images), bool)
    if shape_of(images[0]) == shape:
        try:
            fast, done = _decoder(shape, isinstance(images[0], str))(
                tf.constant(images)
            )
        except tf.errors.OpError:
            pass  # one of them is another kind of file, or torn: Pillow tells which
        else:
            x, is_done = fast.numpy(), done.numpy()
    if is_done.all():
        return x
    x = np.array(x)  # one that may be written to

    def finish(numbers: np.ndarray) -> None:
        for i in numbers:
            x[i] = _stretched(images[i], shape, name(i))

    # A thread for each image would spend its time waiting for the others.
    parts = np.array_split(np.flatnonzero(~is_done), os.cpu_count() or 1)
    list(_threads().map(finish, parts))
    return x


@functools.cache
def _decoder(shape: tuple[int, int, int], from_files: bool) -> Callable:
    """Compiled function of images to their pixels, and whether they have this shape."""

    def one(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        content = tf.io.read_file(image) if from_files else image
        pixels = tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")  # or a PNG
        fits = tf.reduce_all(tf.shape(pixels) == shape)
        pixels = tf.cond(fits, lambda: pixels, lambda: tf.zeros(shape, tf.uint8))
        return tf.ensure_shape(pixels, shape), fits

    specs = tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([], tf.bool)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def decode_all(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        options = {"parallel_iterations": 16, "fn_output_signature": specs}
        return tf.map_fn(one, images, **options)

    return decode_all


def _file(image: bytes | str) -> str | io.BytesIO:
    return image if isinstance(image, str) else io.BytesIO(image)


@functools.cache
def _threads() -> concurrent.futures.Executor:
    """Threads that decode images: the decoders let other threads run."""
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def _stretched(
    image: bytes | str, shape: tuple[int, int, int], name: str
) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(_file(image)) as opened:
            if opened.mode != _MODES[shape[2]]:
                opened = opened.convert(_MODES[shape[2]])
            if opened.size != shape[1::-1]:
                opened = opened.resize(shape[1::-1])
            return np.asarray(opened).reshape(shape)
    except OSError as error:
        raise ValueError(
            f"`source` must hold image files. Received: {name}, which cannot be read "
            "as one."
        ) from error
