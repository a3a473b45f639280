"""Pictures of a latent-variable model: each function returns a matplotlib `Figure`.

Keep one with `figure.savefig("samples.png")`. Images are drawn pixel for pixel, so a
saved grid is as crisp as the data. Wrong arguments raise `TypeError` or `ValueError`.

Example:
    >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
    >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
    >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
    >>> figure = tfvae.plots.manifold(model, size=10)
"""

import math

import numpy as np
from scipy.special import ndtri

from tfvae import checks

ACTIVE = 0.01  # nats: a latent whose KL is above it carries information
CELL, CANVAS, MARGIN = 84, 1200, 8  # pixels on screen: an image, the grid, its rim
DPI = 128  # a power of two: dividing pixels by it is exact


def image_grid(
    images, *, columns=None, title=None, row_labels=(), column_labels=(), gap=2
):
    """Images side by side: image i stands in row `i // columns`.

    Small images are enlarged by a whole number, so that every pixel stays square.

    Args:
        images: `[batch, height, width, 1 or 3]` in [0, 1].
        columns: Images in a row; by default the grid is about square.
        title: Text above the grid.
        row_labels: Texts left of the rows, one each, or none.
        column_labels: Texts below the columns, one each, or none.
        gap: Pixels on screen between two images.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> images = np.linspace(0, 1, 6 * 64).reshape(6, 8, 8, 1)
        >>> figure = tfvae.plots.image_grid(images, columns=3, title="Ramps")
    """
    images = _check_images(images)
    columns = math.ceil(len(images) ** 0.5) if columns is None else columns
    columns = checks.integer(columns=columns)
    canvas, pitch = _tile(images, columns, checks.integer(gap=gap, minimum=0))
    axes = _axes(1, 1)
    axes.imshow(canvas, "gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    axes.set_title(title, fontsize=10)
    rows = math.ceil(len(images) / columns)
    _label(axes.yaxis, rows, pitch[0], row_labels=row_labels)
    _label(axes.xaxis, columns, pitch[1], column_labels=column_labels)
    return _fit(axes)


def samples(model, num_samples=64, *, seed=0):
    """Samples of the model: the same seed and weights give the same picture.

    Args:
        model: Has `sample` of images.
        num_samples: Number of images.
        seed: Integer, passed to `model.sample`.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    images = model.sample(checks.integer(num_samples=num_samples), seed=seed)
    return image_grid(np.clip(images, 0, 1), title="Samples")


def reconstructions(model, x):
    """Each image above its reconstruction, a column a pair.

    Args:
        model: Has `reconstruct`.
        x: A few images `[batch, height, width, channels]` in [0, 1].

    Returns:
        A `matplotlib.figure.Figure`.
    """
    pairs = np.clip(np.concatenate([x, model.reconstruct(x)]), 0, 1)
    labels = ["original", "reconstruction"]
    return image_grid(pairs, columns=len(x), row_labels=labels)


def interpolations(model, x_start, x_end, *, steps=10):
    """Straight lines between latents, decoded: `z(t) = (1 - t) z_start + t z_end`.

    Args:
        model: Has `encode` and `decode`.
        x_start: Images `[batch, *event_shape]` whose latents start the rows.
        x_end: As many images, whose latents end the rows.
        steps: Images in a row, both ends included.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    start, end = (np.asarray(model.encode(x)) for x in (x_start, x_end))
    if len(start) != len(end):
        checks.fail(f"len(x_start)={len(start)}", **{"len(x_end)": len(end)})
    t = np.linspace(0, 1, checks.integer(steps=steps, minimum=2))
    z = start[:, None] + t[:, None] * (end - start)[:, None]  # [batch, steps, latent]
    labels = [f"{step:.2f}" for step in t]
    return _decoded(model, z, title="Interpolations", column_labels=labels)


def traversals(model, z=None, *, dimensions=None, span=3.0, steps=9):
    """One latent moves along each row, the others stay where they are.

    Args:
        model: Has `decode`.
        z: Where to start, `[latent]` or `[1, latent]`, for instance
            `model.encode(x[:1])`; by default the origin.
        dimensions: Which latents move, one a row; by default all.
        span: The moving latent takes values from `-span` to `span`.
        steps: Images in a row.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    z = np.zeros(model.latent_dim) if z is None else z
    z = checks.array([model.latent_dim], z=np.atleast_2d(z))
    if len(z) != 1:
        checks.fail("1", hint="Take z[:1].", **{"len(z)": len(z)})
    dimensions = range(model.latent_dim) if dimensions is None else dimensions
    dimensions = checks.integers(dimensions=list(dimensions), minimum=0)
    if max(dimensions) >= model.latent_dim:
        checks.fail(f"below latent_dim={model.latent_dim}", dimensions=dimensions)
    span = checks.number(span=span, minimum=0)
    values = np.linspace(-span, span, checks.integer(steps=steps, minimum=2))
    rows = np.tile(z, [len(dimensions), steps, 1])
    rows[range(len(dimensions)), :, dimensions] = values
    labels = {
        "row_labels": [f"$z_{{{i}}}$" for i in dimensions],
        "column_labels": [f"{value:.2f}" for value in values],
    }
    return _decoded(model, rows, title="Latent traversals", **labels)


def manifold(model, *, size=20):
    """The decoded plane of two latents, equally spaced in probability.

    Each latent takes the values `Phi^-1((i + 0.5) / size)`, where `Phi` is the standard
    normal CDF; z_0 grows to the right and z_1 upwards.

    Args:
        model: Has `decode` and two latents.
        size: Images in a row and in a column.

    Returns:
        A `matplotlib.figure.Figure`.

    References:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, figure 4.
        https://arxiv.org/abs/1312.6114
    """
    if model.latent_dim != 2:
        hint = "For more latents see `tfvae.plots.traversals`."
        checks.fail("2", hint=hint, **{"model.latent_dim": model.latent_dim})
    values = ndtri((np.arange(checks.integer(size=size)) + 0.5) / size)
    z = np.stack(np.meshgrid(values, values[::-1]), axis=-1)  # [row, column, 2]
    step = math.ceil(size / 20)  # labels closer than this would overlap
    labels = [f"{v:.1f}" if i % step == 0 else "" for i, v in enumerate(values)]
    figure = _decoded(model, z, row_labels=labels[::-1], column_labels=labels, gap=0)
    (axes,) = figure.axes
    axes.set(xlabel="$z_0$", ylabel="$z_1$")
    return _fit(axes)


def latent_scatter(model, x, labels=None):
    """Latents of `x`, one colour a label.

    Two latents are drawn as they are; of more, the first two principal components.

    Args:
        model: Has `encode` and at least two latents.
        x: Data, as `model.encode` takes it.
        labels: Classes `[batch]`, integers or texts; or none.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    if model.latent_dim < 2:
        checks.fail("at least 2", **{"model.latent_dim": model.latent_dim})
    z, xlabel, ylabel = _plane(np.asarray(model.encode(x)))
    labels = np.zeros(len(z)) if labels is None else np.asarray(labels)
    if labels.shape != (len(z),):
        checks.fail(f"[{len(z)}]", **{"labels.shape": list(labels.shape)})
    names, classes = np.unique(labels, return_inverse=True)
    axes = _axes(6, 5, layout="constrained", xlabel=xlabel, ylabel=ylabel)
    colours = {"vmin": -0.5, "vmax": max(10, len(names)) - 0.5}
    colours["cmap"] = "tab10" if len(names) <= 10 else "turbo"
    points = axes.scatter(*z.T, 9, classes, alpha=0.8, linewidths=0, **colours)
    if len(names) > 1:
        handles, _ = points.legend_elements(num=None, alpha=1)
        axes.figure.legend(handles, names, loc="outside right center", frameon=False)
    return axes.figure


def kl_per_dimension(kl):
    """Bars of each latent's KL from the prior, greatest first.

    Args:
        kl: `[latent]` in nats, from `tfvae.metrics.kl_per_dimension`.

    Returns:
        A `matplotlib.figure.Figure`; the title counts the latents above 0.01 nats.

    Example:
        >>> figure = tfvae.plots.kl_per_dimension([0.002, 2.5, 1.1])
        >>> figure.axes[0].get_title()
        '2 of 3 latents above 0.01 nats, 3.60 nats in all'
    """
    (kl,) = checks.array([np.size(kl)], kl=np.atleast_2d(kl))
    order = np.argsort(-kl, kind="stable")
    active = kl[order] > ACTIVE
    width = np.clip(len(kl) / 4, 5, 12)
    axes = _axes(width, 3.5, layout="constrained", xlim=(-0.6, len(kl) - 0.4))
    colours = np.where(active, "tab:blue", "silver")
    axes.bar(range(len(kl)), kl[order], min(0.8, len(kl) / 8), color=colours)
    counts = f"{active.sum()} of {len(kl)} latents above {ACTIVE} nats"
    title = f"{counts}, {kl.sum():.2f} nats in all"
    axes.set(title=title, xlabel="latent, in order of KL", ylabel="KL [nats]")
    shown = slice(None, None, math.ceil(len(kl) / 50))
    axes.set_xticks(np.arange(len(kl))[shown], order[shown], fontsize=8)
    return axes.figure


def _check_images(images):
    shape = list(np.shape(images))
    if len(shape) != 4 or shape[-1] not in (1, 3):
        checks.fail("[batch, height, width, 1 or 3]", **{"images.shape": shape})
    return checks.array(shape[1:], images=images, low=0, high=1)


def _tile(images, columns, gap):
    """One array of all pixels on screen, and the distances of rows and columns."""
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


def _label(axis, count, pitch, **argument):
    ((_, labels),) = argument.items()
    if len(labels) not in (0, count):
        checks.fail(f"{count} texts or none", **argument)
    axis.set_ticks((np.arange(count) + 0.5)[: len(labels)] * pitch, labels)


def _axes(width, height, layout=None, **texts):
    from matplotlib.figure import Figure

    axes = Figure((width, height), dpi=DPI, layout=layout).add_subplot(**texts)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _fit(axes):
    """The figure, cut to the pixels of its image and the texts around it."""
    size = np.array(axes.images[0].get_size()[::-1])
    axes.figure.set_size_inches(size / DPI)
    axes.set_position((0, 0, 1, 1))
    box = axes.get_tightbbox()
    low = MARGIN + np.ceil(-box.min)
    total = low + np.ceil(box.max) + MARGIN
    axes.figure.set_size_inches(total / DPI)
    axes.set_position((*low / total, *size / total))
    return axes.figure


def _decoded(model, z, **labels):
    images = model.decode(z.reshape(-1, z.shape[-1]).astype("float32"))
    return image_grid(np.clip(images, 0, 1), columns=z.shape[1], **labels)


def _plane(z):
    if z.shape[1] == 2:
        return z, "$z_0$", "$z_1$"
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="full")  # the one without random numbers
    z = pca.fit_transform(z)
    first, second = (f"{share:.0%}" for share in pca.explained_variance_ratio_)
    xlabel = f"first principal component, {first} of variance"
    return z, xlabel, f"second, {second} of variance"
