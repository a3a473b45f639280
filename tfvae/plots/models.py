"""Pictures of a model's output: samples, reconstructions, walks in latent space."""

import functools
import math
from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from tfvae import checks
from tfvae.checks import NonNegativeFloat, NonNegativeInt, PositiveInt
from tfvae.plots.images import Figure, fit, image_grid

# Images in a row with two ends.
Steps = Annotated[int, functools.partial(checks.integer, minimum=2)]


@checks.checked
def samples(
    model: keras.Model, num_samples: PositiveInt = 64, *, seed: int = 0, **given: Any
) -> Figure:
    """Samples of the model; the same seed and weights give the same picture.

    All arguments go to `model.sample`: y or u as well, if the model is conditional.

    Example:
        >>> figure = tfvae.plots.samples(model, 16)
    """
    images = model.sample(num_samples, seed=seed, **given)
    return image_grid(np.clip(images, 0, 1), title="Samples")


def reconstructions(model: keras.Model, x: npt.ArrayLike) -> Figure:
    """Images `[batch, height, width, channels]` in [0, 1] above their reconstructions.

    Example:
        >>> figure = tfvae.plots.reconstructions(model, x[:4])
    """
    labels = ["original", "reconstruction"]
    return _rows([x, model.reconstruct(x)], row_labels=labels)


def attribute(
    model: keras.Model,
    x: npt.ArrayLike,
    vector: npt.ArrayLike,
    *,
    amounts: Sequence[float] = (-1.0, 0.0, 1.0),
) -> Figure:
    """Images above their reconstructions with less and more of an attribute.

    Images are `[batch, height, width, channels]` in [0, 1]. Row i adds `amounts[i]`
    times the vector, `[latent]`, to z: see `model.attribute_vector`.

    Example:
        >>> vector = model.attribute_vector(x, np.arange(32) % 2)
        >>> figure = tfvae.plots.attribute(model, x[:4], vector)
    """
    x = checks.array(np.shape(x)[1:], x=x)
    z = np.asarray(model.encode(x))
    vector = checks.real(vector=vector)
    if vector.shape != z.shape[1:]:
        checks.fail(f"of shape {list(z.shape[1:])}", vector=vector)
    rows = [x, *(model.decode(z + amount * vector) for amount in amounts)]
    labels = ["original", *(f"{amount:+g}" for amount in amounts)]
    return _rows(rows, row_labels=labels)


@checks.checked
def completions(
    model: keras.Model,
    x: npt.ArrayLike,
    observed: npt.ArrayLike,
    *,
    num_completions: PositiveInt = 6,
    seed: int = 0,
) -> Figure:
    """In each row an image, its observed pixels, and completions drawn by the model.

    Images x are `[batch, height, width, channels]` in [0, 1]; `observed` are booleans
    that broadcast to them. The model has a method `complete`, as `MADE` does.

    Example:
        >>> model = tfvae.MADE(tfvae.layers.MaskedAutoencoder((8, 8, 1)))
        >>> upper = np.arange(8)[:, None, None] < 4
        >>> figure = tfvae.plots.completions(model, x[:2], upper)
    """
    x, count = np.asarray(x), num_completions
    observed = checks.booleans(x.shape, observed=observed)
    repeated = [np.repeat(a, count, axis=0) for a in (x, observed)]
    drawn = model.complete(*repeated, seed=seed)
    shown = np.where(observed, x, 0.5)
    drawn = np.reshape(drawn, [len(x), count, *x.shape[1:]])
    rows = np.concatenate([np.stack([x, shown], axis=1), drawn], axis=1)
    return _rows(rows, column_labels=["original", "observed", *[""] * count])


@checks.checked
def interpolations(
    model: keras.Model,
    x_start: npt.ArrayLike,
    x_end: npt.ArrayLike,
    *,
    steps: Steps = 10,
) -> Figure:
    """Decoded straight lines between latents, `z(t) = (1 - t) z_start + t z_end`.

    Row i leads in `steps` images from `x_start[i]` to `x_end[i]`, both of which are
    arrays of images `[batch, *event_shape]`.

    Example:
        >>> figure = tfvae.plots.interpolations(model, x[:3], x[3:6])
    """
    start, end = (np.asarray(model.encode(x)) for x in (x_start, x_end))
    if len(start) != len(end):
        checks.fail(f"len(x_start)={len(start)}", **{"len(x_end)": len(end)})
    t = np.linspace(0, 1, steps)
    z = start[:, None] + t[:, None] * (end - start)[:, None]  # [batch, steps, latent]
    labels = [f"{step:.2f}" for step in t]
    return _decoded(model, z, title="Interpolations", column_labels=labels)


@checks.checked
def traversals(
    model: keras.Model,
    z: npt.ArrayLike | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    level: NonNegativeInt | None = None,
    span: NonNegativeFloat = 3.0,
    steps: Steps = 9,
) -> Figure:
    """Decoded latents: in each row one moves from `-span` to `span`, others are fixed.

    Args:
        model: Model with `decode`.
        z: Values of the fixed latents, `[latent]` or `[1, latent]`, for instance
            `model.encode(x[:1])`; by default 0.
        dimensions: Latents that move, one for each row; for a ladder the channels of
            the level that do. By default all.
        level: For a ladder, the level whose channels move, all pixels of a channel
            alike; by default the coarsest, 0. Levels below are at the center of their
            prior given the change, or they would undo it.
        span: Greatest value of the moving latent, for a ladder in units of its prior.
        steps: Images in a row.

    Example:
        >>> figure = tfvae.plots.traversals(model, steps=5)
    """
    z = np.zeros(model.latent_dim) if z is None else z
    z = checks.array([model.latent_dim], z=np.atleast_2d(z))
    if len(z) != 1:
        checks.fail("1", hint="Take z[:1].", **{"len(z)": len(z)})
    if hasattr(model, "split"):
        z, movers, name = _channels(model, z, level or 0)
    elif level is not None:
        checks.fail("left out: the model is no ladder", level=level)
    else:
        movers, name = np.eye(model.latent_dim, dtype=bool), "latent_dim"
    dimensions = range(len(movers)) if dimensions is None else dimensions
    dimensions = checks.integers(dimensions=list(dimensions), minimum=0)
    if max(dimensions) >= len(movers):
        checks.fail(f"below {name}={len(movers)}", dimensions=dimensions)
    movers = movers[np.asarray(dimensions)]
    names = [f"$z_{{{i}}}$" for i in dimensions]
    values = np.linspace(-span, span, steps)
    rows = np.where(movers[:, None], values[:, None], z)
    labels = {"row_labels": names, "column_labels": [f"{v:.2f}" for v in values]}
    return _decoded(model, rows, title="Latent traversals", **labels)


def _channels(
    model: keras.Model, z: np.ndarray, level: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """The z with 0 below a level, the latents of each of its channels, and a name."""
    if level >= len(model.levels):
        checks.fail(f"below the number of levels, {len(model.levels)}", level=level)
    shapes = model.split(np.arange(model.latent_dim))
    number = np.concatenate([np.full(np.size(m), i) for i, m in enumerate(shapes)])
    channel = np.concatenate(
        [np.broadcast_to(np.arange(m.shape[-1]), m.shape).ravel() for m in shapes]
    )
    count = shapes[level].shape[-1]
    movers = (number == level) & (channel == np.arange(count)[:, None])
    return np.where(number > level, 0, z), movers, "the number of channels"


@checks.checked
def levels(model: keras.Model, x: npt.ArrayLike, *, seed: int | None = None) -> Figure:
    """Images above their reconstructions by the first level of a ladder, two, ... all.

    The other levels are at the center of their prior, or drawn with a seed.

    Example:
        >>> model = tfvae.ResNetVAE((8, 8, 1), [(1, 1, 4), (4, 1, 2)], units=[16, 8])
        >>> figure = tfvae.plots.levels(model, x[:4])
    """
    counts = range(1, len(model.levels) + 1)
    rows = [model.reconstruct(x, levels=n, seed=seed) for n in counts]
    names = ["1 level", *(f"{n} levels" for n in counts[1:])]
    return _rows([x, *rows], row_labels=["original", *names])


@checks.checked
def temperatures(
    model: keras.Model,
    values: Sequence[float] = (0.6, 0.8, 1.0),
    *,
    num_samples: PositiveInt = 10,
    seed: int = 0,
) -> Figure:
    """Samples of a ladder, the same noise in each row at another temperature.

    Example:
        >>> model = tfvae.ResNetVAE((8, 8, 1), [(1, 1, 4), (4, 1, 2)], units=[16, 8])
        >>> figure = tfvae.plots.temperatures(model, num_samples=4)
    """
    rows = [model.sample(num_samples, seed, temperature=t) for t in values]
    return _rows(rows, row_labels=[f"{t:g}" for t in values], title="Temperatures")


@checks.checked
def manifold(model: keras.Model, *, size: PositiveInt = 20) -> Figure:
    """Decoded plane of two latents, equally spaced in probability.

    Each latent takes the `size` values `Phi^-1((i + 0.5) / size)`, where `Phi` is the
    standard normal CDF; z_0 grows to the right and z_1 upwards.

    Example:
        >>> figure = tfvae.plots.manifold(model, size=10)

    References:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, figure 4.
        https://arxiv.org/abs/1312.6114
    """
    if model.latent_dim != 2:
        hint = "For more latents see `tfvae.plots.traversals`."
        checks.fail("2", hint=hint, **{"model.latent_dim": model.latent_dim})
    values = ndtri((np.arange(size) + 0.5) / size)
    z = np.stack(np.meshgrid(values, values[::-1]), axis=-1)  # [row, column, 2]
    step = math.ceil(size / 20)  # labels closer than this would overlap
    labels = [f"{v:.1f}" if i % step == 0 else "" for i, v in enumerate(values)]
    figure = _decoded(model, z, row_labels=labels[::-1], column_labels=labels, gap=0)
    (axes,) = figure.axes
    axes.set(xlabel="$z_0$", ylabel="$z_1$")
    return fit(axes)


def _decoded(model: keras.Model, z: np.ndarray, **labels: Any) -> Figure:
    images = model.decode(z.reshape(-1, z.shape[-1]).astype("float32"))
    return _rows(np.reshape(images, [*z.shape[:-1], *images.shape[1:]]), **labels)


def _rows(rows: Sequence[npt.ArrayLike], **labels: Any) -> Figure:
    """Grid of rows of images, which are clipped to [0, 1]."""
    images = np.clip(np.concatenate(rows), 0, 1)
    return image_grid(images, columns=len(rows[0]), **labels)
