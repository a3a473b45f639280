"""Pictures of latents and of the information that they carry."""

import math
from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from tfvae import checks
from tfvae.plots.images import Figure, axes_of

ACTIVE = 0.01  # nats: a latent with a greater KL carries information


def latent_scatter(
    model: keras.Model, x: npt.ArrayLike, labels: npt.ArrayLike | None = None
) -> Figure:
    """Latents `model.encode(x)` in the plane, in one colour for each label.

    Labels are integers or texts, `[batch]`. With more than two latents, their first two
    principal components are drawn.

    Example:
        >>> figure = tfvae.plots.latent_scatter(model, x, np.arange(32) % 2)
    """
    if model.latent_dim < 2:
        checks.fail("at least 2", **{"model.latent_dim": model.latent_dim})
    z, xlabel, ylabel = _plane(np.asarray(model.encode(x)))
    labels = np.zeros(len(z)) if labels is None else np.asarray(labels)
    if labels.shape != (len(z),):
        checks.fail(f"[{len(z)}]", **{"labels.shape": list(labels.shape)})
    names, classes = np.unique(labels, return_inverse=True)
    axes = axes_of(6, 5, layout="constrained", xlabel=xlabel, ylabel=ylabel)
    colours = {"vmin": -0.5, "vmax": max(10, len(names)) - 0.5}
    colours["cmap"] = "tab10" if len(names) <= 10 else "turbo"
    points = axes.scatter(*z.T, 9, classes, alpha=0.8, linewidths=0, **colours)
    if len(names) > 1:
        handles, _ = points.legend_elements(num=None, alpha=1)
        axes.figure.legend(handles, names, loc="outside right center", frameon=False)
    return axes.figure


def kl_per_dimension(kl: npt.ArrayLike) -> Figure:
    """Bars for the KL of each latent from the prior, greatest first.

    The KLs, `[latent]` in nats, are those of `tfvae.metrics.kl_per_dimension`. The
    title counts the latents above 0.01 nats.

    Example:
        >>> figure = tfvae.plots.kl_per_dimension([0.002, 2.5, 1.1])
        >>> figure.axes[0].get_title()
        '2 of 3 latents above 0.01 nats, 3.60 nats in all'
    """
    (kl,) = checks.array([np.size(kl)], kl=np.atleast_2d(kl))
    order = np.argsort(-kl, kind="stable")
    active = kl[order] > ACTIVE
    width = np.clip(len(kl) / 4, 5, 12)
    axes = axes_of(width, 3.5, layout="constrained", xlim=(-0.6, len(kl) - 0.4))
    colours = np.where(active, "tab:blue", "silver")
    axes.bar(range(len(kl)), kl[order], min(0.8, len(kl) / 8), color=colours)
    counts = f"{active.sum()} of {len(kl)} latents above {ACTIVE} nats"
    title = f"{counts}, {kl.sum():.2f} nats in all"
    axes.set(title=title, xlabel="latent, in order of KL", ylabel="KL [nats]")
    shown = slice(None, None, math.ceil(len(kl) / 50))
    axes.set_xticks(np.arange(len(kl))[shown], order[shown], fontsize=8)
    return axes.figure


def kl_per_channel(kl: Sequence[npt.ArrayLike]) -> Figure:
    """Bars for the KL of each channel of each level of a ladder, greatest first.

    The KLs, a list of `[channels]` in nats, are those of
    `tfvae.metrics.kl_per_channel`. Each level has a colour, and its sum in the legend.

    Example:
        >>> figure = tfvae.plots.kl_per_channel([[3.0, 0.5], [2.0]])
        >>> figure.axes[0].get_title()
        '2 levels, 5.50 nats in all'
    """
    levels = [np.sort(np.asarray(level, "float64").ravel())[::-1] for level in kl]
    if not levels or not all(map(np.size, levels)):
        checks.fail("an array for each level", kl=kl)
    total = sum(map(np.sum, levels))
    width = np.clip(sum(map(len, levels)) / 4, 5, 12)
    title = f"{len(levels)} levels, {total:.2f} nats in all"
    axes = axes_of(width, 3.5, layout="constrained", title=title)
    first = 0
    for i, level in enumerate(levels):
        places = first + np.arange(len(level))
        axes.bar(places, level, label=f"level {i}: {level.sum():.2f} nats")
        first += len(level) + 1
    axes.set(xlabel="channel, by level, coarse first", ylabel="KL [nats]", xticks=[])
    axes.legend(frameon=False)
    return axes.figure


def _plane(z: np.ndarray) -> tuple[np.ndarray, str, str]:
    """Two coordinates `[batch, 2]` and a text for each."""
    if z.shape[1] == 2:
        return z, "$z_0$", "$z_1$"
    from sklearn.decomposition import PCA

    pca = PCA(2, svd_solver="full")  # the one without random numbers
    z = pca.fit_transform(z)
    first, second = (f"{share:.0%}" for share in pca.explained_variance_ratio_)
    xlabel = f"first principal component, {first} of variance"
    return z, xlabel, f"second, {second} of variance"
