"""Grids of images, pixel for pixel, and the canvas of every picture."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:  # imported with the first picture
    Axes = Figure = Any

CELL, CANVAS, MARGIN = 84, 1200, 8  # pixels on screen: an image, the grid, its rim
DPI = 128  # a power of two: dividing pixels by it is exact


@checks.checked
def image_grid(
    images: npt.ArrayLike,
    *,
    columns: PositiveInt | None = None,
    title: str | None = None,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    gap: NonNegativeInt = 2,
) -> Figure:
    """Images side by side: image i stands in row `i // columns`.

    Small images are enlarged by a whole number, so that every pixel stays square.

    Args:
        images: `[batch, height, width, 1 or 3]` in [0, 1].
        columns: Images in a row; by default the grid is about square.
        title: Text above the grid.
        row_labels: Texts to the left of the rows, one for each row, or none.
        column_labels: Texts below the columns, one for each column, or none.
        gap: Pixels on screen between two images.

    Example:
        >>> images = np.linspace(0, 1, 6 * 64).reshape(6, 8, 8, 1)
        >>> figure = tfvae.plots.image_grid(images, columns=3, title="Ramps")
    """
    shape = list(np.shape(images))
    if len(shape) != 4 or shape[-1] not in (1, 3):
        checks.fail("[batch, height, width, 1 or 3]", **{"images.shape": shape})
    images = checks.array(shape[1:], images=images, low=0, high=1)
    columns = columns or math.ceil(len(images) ** 0.5)
    canvas, pitch = _tile(images, columns, gap)
    axes = axes_of(1, 1)
    axes.imshow(canvas, "gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    axes.set_title(title, fontsize=10)
    rows = math.ceil(len(images) / columns)
    _label(axes.yaxis, rows, pitch[0], row_labels=row_labels)
    _label(axes.xaxis, columns, pitch[1], column_labels=column_labels)
    return fit(axes)


def axes_of(
    width: float, height: float, layout: str | None = None, **texts: Any
) -> Axes:
    """Axes in a new figure with a size in inches."""
    from matplotlib.figure import Figure

    axes = Figure((width, height), dpi=DPI, layout=layout).add_subplot(**texts)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def fit(axes: Axes) -> Figure:
    """The figure, with the size of its image and the texts around the image."""
    size = np.array(axes.images[0].get_size()[::-1])
    axes.figure.set_size_inches(size / DPI)
    axes.set_position((0, 0, 1, 1))
    box = axes.get_tightbbox()
    low = MARGIN + np.ceil(-box.min)
    total = low + np.ceil(box.max) + MARGIN
    axes.figure.set_size_inches(total / DPI)
    axes.set_position((*low / total, *size / total))
    return axes.figure


def _tile(
    images: np.ndarray, columns: int, gap: int
) -> tuple[np.ndarray, tuple[int, int]]:
    """All pixels on screen `[height, width, channels]`, height and width of a cell."""
    batch, *sides, channels = images.shape
    longest = max(math.ceil(batch / columns) * sides[0], columns * sides[1])
    zoom = max(1, min(CELL // max(sides), CANVAS // longest))
    cells = images.repeat(zoom, axis=1).repeat(zoom, axis=2)
    padding = [(0, -batch % columns), (0, gap), (0, gap), (0, 0)]
    cells = np.pad(cells, padding, constant_values=1)
    height, width = cells.shape[1:3]
    rows = cells.reshape(-1, columns, height, width, channels).swapaxes(1, 2)
    canvas = rows.reshape(-1, columns * width, channels)
    canvas = canvas[: len(canvas) - gap, : columns * width - gap]
    return canvas, (height, width)


def _label(axis: Any, count: int, pitch: int, **argument: Sequence[str]) -> None:
    ((_, labels),) = argument.items()
    if len(labels) not in (0, count):
        checks.fail(f"{count} texts or none", **argument)
    axis.set_ticks((np.arange(count) + 0.5)[: len(labels)] * pitch, labels)
