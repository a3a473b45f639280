"""Pictures drawn while a model trains, as PNG files and in TensorBoard."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks, metrics, plots
from tfvae.checks import PositiveInt
from tfvae.plots.images import Figure

__all__ = [
    "KLPerDimension",
    "LatentScatter",
    "Manifold",
    "Picture",
    "Reconstructions",
    "SampleGrid",
    "Traversals",
]

Location = str | os.PathLike[str] | None


class Picture(keras.callbacks.Callback):
    """A figure drawn every `every` epochs, for a folder, for TensorBoard or for both.

    A first figure is drawn before training and discarded: a picture that cannot be
    drawn fails at once instead of hours later.

    Args:
        draw: Function from the model to a matplotlib `Figure`. It should not use the
            model's random numbers, which would change the training.
        name: Name of the files, as in `samples_0010.png` after epoch 10, of the image
            in TensorBoard and of its run.
        every: Epochs from one figure to the next.
        folder: Folder for the PNG files.
        log_dir: Folder of TensorBoard, in which each picture is a run of its own; a
            step is an epoch.

    Example:
        >>> def ramp(model):
        ...     return tfvae.plots.image_grid(np.eye(8).reshape(1, 8, 8, 1))
        >>> picture = tfvae.callbacks.Picture(ramp, "ramp", every=10, folder="pictures")
    """

    @checks.checked
    def __init__(
        self,
        draw: Callable[[keras.Model], Figure],
        name: str,
        *,
        every: PositiveInt = 1,
        folder: Location = None,
        log_dir: Location = None,
    ):
        super().__init__()
        if not callable(draw):
            checks.fail("a function of the model", error=TypeError, draw=draw)
        if folder is None and log_dir is None:
            checks.fail("given where `log_dir` is not", folder=folder)
        self.draw, self.name, self.every = draw, name, every
        self.folder, self.log_dir = folder, log_dir

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Draws without writing, then makes the folder and opens TensorBoard's file."""
        self.draw(self.model)
        if self.folder is not None:
            pathlib.Path(self.folder).mkdir(parents=True, exist_ok=True)
        if self.log_dir is not None:
            run = pathlib.Path(self.log_dir, self.name)
            self._writer = tf.summary.create_file_writer(str(run))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draws and writes if `epoch + 1` is a multiple of `every`."""
        step = epoch + 1
        if step % self.every:
            return
        figure = self.draw(self.model)
        if self.folder is not None:
            figure.savefig(pathlib.Path(self.folder, f"{self.name}_{step:04}.png"))
        if self.log_dir is not None:
            with self._writer.as_default():
                tf.summary.image(self.name, _pixels(figure)[None], step)
            self._writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Closes TensorBoard's file."""
        if self.log_dir is not None:
            self._writer.close()


# The functions below pass `every`, `folder` and `log_dir` on to `Picture`, and all else
# to the function of `tfvae.plots`.


def SampleGrid(
    num_samples: int = 64,
    *,
    seed: int = 0,
    every: int = 1,
    folder: Location = None,
    log_dir: Location = None,
    **given: Any,
) -> Picture:
    """`Picture` of `plots.samples`, with the arguments of both.

    Example:
        >>> callback = tfvae.callbacks.SampleGrid(every=10, folder="pictures")
    """
    draw = functools.partial(plots.samples, num_samples=num_samples, seed=seed, **given)
    return Picture(draw, "samples", every=every, folder=folder, log_dir=log_dir)


def Reconstructions(x: npt.ArrayLike, **where: Any) -> Picture:
    """`Picture` of `plots.reconstructions`, with the arguments of both.

    Example:
        >>> callback = tfvae.callbacks.Reconstructions(x[:8], folder="pictures")
    """
    draw = functools.partial(plots.reconstructions, x=x)
    return Picture(draw, "reconstructions", **where)


def Traversals(
    x: npt.ArrayLike | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    span: float = 3.0,
    steps: int = 9,
    **where: Any,
) -> Picture:
    """`Picture` of `plots.traversals`, with the arguments of both but for z.

    The fixed latents are those of one image x, `[1, height, width, channels]`, encoded
    anew for each figure; by default they are 0.

    Example:
        >>> callback = tfvae.callbacks.Traversals(every=10, log_dir="logs")
    """

    def draw(model: keras.Model) -> Figure:
        z = None if x is None else model.encode(x)
        return plots.traversals(model, z, dimensions=dimensions, span=span, steps=steps)

    return Picture(draw, "traversals", **where)


def Manifold(*, size: int = 20, **where: Any) -> Picture:
    """`Picture` of `plots.manifold`, with the arguments of both.

    Example:
        >>> callback = tfvae.callbacks.Manifold(every=10, folder="pictures")
    """
    return Picture(functools.partial(plots.manifold, size=size), "manifold", **where)


def LatentScatter(
    x: npt.ArrayLike, labels: npt.ArrayLike | None = None, **where: Any
) -> Picture:
    """`Picture` of `plots.latent_scatter`, with the arguments of both.

    Example:
        >>> labels = np.arange(32) % 10
        >>> callback = tfvae.callbacks.LatentScatter(x, labels, log_dir="logs")
    """
    draw = functools.partial(plots.latent_scatter, x=x, labels=labels)
    return Picture(draw, "latent_scatter", **where)


def KLPerDimension(x: npt.ArrayLike, **where: Any) -> Picture:
    """`Picture` of `plots.kl_per_dimension`: its mean over x, `[batch, *event_shape]`.

    Example:
        >>> callback = tfvae.callbacks.KLPerDimension(x, log_dir="logs")
    """

    def draw(model: keras.Model) -> Figure:
        return plots.kl_per_dimension(metrics.kl_per_dimension(model, x))

    return Picture(draw, "kl_per_dimension", **where)


def _pixels(figure: Figure) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
