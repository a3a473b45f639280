"""Pictures drawn while a model trains, as PNG files and in TensorBoard."""

import functools
import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, metrics, plots

__all__ = [
    "KLPerDimension",
    "LatentScatter",
    "Manifold",
    "Picture",
    "Reconstructions",
    "SampleGrid",
    "Traversals",
]


class Picture(keras.callbacks.Callback):
    """A figure every `every` epochs, in a folder, in TensorBoard or in both.

    The figure is drawn once, and thrown away, before training: a picture that cannot be
    drawn fails there and not hours later.

    Args:
        draw: Function from the model to a matplotlib `Figure`. It should not draw from
            the model's random numbers: training goes on with them.
        name: Of the files, `samples_0010.png` after epoch 10, and of the image and its
            run in TensorBoard.
        every: Epochs from one figure to the next.
        folder: Where the PNG files go, or none.
        log_dir: Where TensorBoard looks, or none. Each picture writes a run of its own
            into it; a step is the number of epochs trained.

    Raises:
        TypeError: Where `draw` is no function, or `every` no integer.
        ValueError: Where `every` is below 1, or there is neither folder nor log_dir.

    Example:
        >>> def ramp(model):
        ...     return tfvae.plots.image_grid(np.eye(8).reshape(1, 8, 8, 1))
        >>> picture = tfvae.callbacks.Picture(ramp, "ramp", every=10, folder="pictures")
    """

    def __init__(self, draw, name, *, every=1, folder=None, log_dir=None):
        super().__init__()
        if not callable(draw):
            checks.fail("a function of the model", error=TypeError, draw=draw)
        if folder is None and log_dir is None:
            checks.fail("given where `log_dir` is not", folder=folder)
        self.draw = draw
        self.name = name
        self.every = checks.integer(every=every)
        self.folder = folder
        self.log_dir = log_dir

    def on_train_begin(self, logs=None):
        """Draws without writing, then makes the folder and the writer."""
        self.draw(self.model)
        if self.folder is not None:
            pathlib.Path(self.folder).mkdir(parents=True, exist_ok=True)
        if self.log_dir is not None:
            run = pathlib.Path(self.log_dir, self.name)
            self._writer = tf.summary.create_file_writer(str(run))

    def on_epoch_end(self, epoch, logs=None):
        """Draws and writes where `epoch + 1` is a multiple of `every`."""
        if (epoch + 1) % self.every == 0:
            self._write(self.draw(self.model), epoch + 1)

    def on_train_end(self, logs=None):
        """Closes the file of TensorBoard."""
        if self.log_dir is not None:
            self._writer.close()

    def _write(self, figure, step):
        if self.folder is not None:
            figure.savefig(pathlib.Path(self.folder, f"{self.name}_{step:04}.png"))
        if self.log_dir is not None:
            with self._writer.as_default():
                tf.summary.image(self.name, _pixels(figure)[None], step)
            self._writer.flush()


class SampleGrid(Picture):
    """Samples of the model, always of the same seed: see `tfvae.plots.samples`.

    Args:
        num_samples: Number of images.
        seed: Integer, passed to `model.sample`.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.
        **given: What the model is conditional on, `y` or `u`.

    Example:
        >>> callback = tfvae.callbacks.SampleGrid(every=10, folder="pictures")
    """

    def __init__(
        self, num_samples=64, *, seed=0, every=1, folder=None, log_dir=None, **given
    ):
        options = {"num_samples": num_samples, "seed": seed, **given}
        draw = functools.partial(plots.samples, **options)
        super().__init__(draw, "samples", every=every, folder=folder, log_dir=log_dir)
        self.num_samples, self.seed = num_samples, seed


class Reconstructions(Picture):
    """Images above their reconstructions: see `tfvae.plots.reconstructions`.

    Args:
        x: A few images `[batch, height, width, channels]`.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.

    Example:
        >>> x = np.zeros([8, 28, 28, 1])
        >>> callback = tfvae.callbacks.Reconstructions(x, folder="pictures")
    """

    def __init__(self, x, *, every=1, folder=None, log_dir=None):
        draw = functools.partial(plots.reconstructions, x=x)
        where = {"every": every, "folder": folder, "log_dir": log_dir}
        super().__init__(draw, "reconstructions", **where)
        self.x = x


class Traversals(Picture):
    """Each latent moved by itself: see `tfvae.plots.traversals`.

    Args:
        x: One image `[1, height, width, channels]`, whose latent as the model now
            encodes it is where to start; by default the origin.
        dimensions: Which latents move, one a row; by default all.
        span: The moving latent takes values from `-span` to `span`.
        steps: Images in a row.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.

    Example:
        >>> callback = tfvae.callbacks.Traversals(every=10, log_dir="logs")
    """

    def __init__(
        self,
        x=None,
        *,
        dimensions=None,
        span=3.0,
        steps=9,
        every=1,
        folder=None,
        log_dir=None,
    ):
        options = {"dimensions": dimensions, "span": span, "steps": steps}

        def draw(model):
            z = None if x is None else model.encode(x)
            return plots.traversals(model, z, **options)

        where = {"every": every, "folder": folder, "log_dir": log_dir}
        super().__init__(draw, "traversals", **where)
        self.x, self.dimensions, self.span, self.steps = x, dimensions, span, steps


class Manifold(Picture):
    """The decoded plane of two latents: see `tfvae.plots.manifold`.

    Args:
        size: Images in a row and in a column.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.

    Example:
        >>> callback = tfvae.callbacks.Manifold(every=10, folder="pictures")
    """

    def __init__(self, *, size=20, every=1, folder=None, log_dir=None):
        draw = functools.partial(plots.manifold, size=size)
        super().__init__(draw, "manifold", every=every, folder=folder, log_dir=log_dir)
        self.size = size


class LatentScatter(Picture):
    """Latents of data, coloured by label: see `tfvae.plots.latent_scatter`.

    Args:
        x: Data `[batch, *event_shape]`.
        labels: Classes `[batch]`, integers or texts; or none.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.

    Example:
        >>> x, labels = np.zeros([100, 28, 28, 1]), np.arange(100) % 10
        >>> callback = tfvae.callbacks.LatentScatter(x, labels, log_dir="logs")
    """

    def __init__(self, x, labels=None, *, every=1, folder=None, log_dir=None):
        draw = functools.partial(plots.latent_scatter, x=x, labels=labels)
        where = {"every": every, "folder": folder, "log_dir": log_dir}
        super().__init__(draw, "latent_scatter", **where)
        self.x, self.labels = x, labels


class KLPerDimension(Picture):
    """Bars of each latent's KL from the prior: see `tfvae.plots.kl_per_dimension`.

    Args:
        x: Data `[batch, *event_shape]` over which the KL is averaged.
        every: As in `Picture`.
        folder: As in `Picture`.
        log_dir: As in `Picture`.

    Example:
        >>> x = np.zeros([100, 28, 28, 1])
        >>> callback = tfvae.callbacks.KLPerDimension(x, log_dir="logs")
    """

    def __init__(self, x, *, every=1, folder=None, log_dir=None):
        def draw(model):
            return plots.kl_per_dimension(metrics.kl_per_dimension(model, x))

        where = {"every": every, "folder": folder, "log_dir": log_dir}
        super().__init__(draw, "kl_per_dimension", **where)
        self.x = x


def _pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
