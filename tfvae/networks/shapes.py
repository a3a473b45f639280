"""Heights and widths on the way down to features and up to x again."""

import math

import keras

from tfvae import checks


def halved(event_shape: tuple, times: int) -> tuple[int, int]:
    """Height and width of x, halved so often and rounded up."""
    height, width = (math.ceil(size / 2**times) for size in event_shape[:2])
    return height, width


def count_halvings(height: int, size: int) -> int:
    """How often a height is halved, rounded up, until it is the size."""
    halvings = 0
    while height > size:
        height, halvings = math.ceil(height / 2), halvings + 1
    if height != size:
        expected = "1, or the height of x halved some times and rounded up"
        checks.fail(expected, height=size)
    return halvings


def cropped(size: tuple[int, int]) -> list[keras.layers.Layer]:
    """The layer that crops what doubling gave beyond an odd size, if it did."""
    odd = [(0, length % 2) for length in size]
    return [keras.layers.Cropping2D(odd)] if any(n for _, n in odd) else []


def first_shape(event_shape: tuple, halvings: int, channels: int) -> tuple:
    """First shape of a decoder, and the layer that crops what it grows beyond x."""
    factor = 2**halvings
    height, width = halved(event_shape, halvings)
    surplus = height * factor - event_shape[0], width * factor - event_shape[1]
    crop = keras.layers.Cropping2D([(n // 2, n - n // 2) for n in surplus])
    return (height, width, channels), crop
