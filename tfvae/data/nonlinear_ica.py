"""Artificial data for nonlinear ICA: mixed sources with a scale for each segment."""

import functools
from typing import Annotated, NamedTuple

import numpy as np

from tfvae import checks
from tfvae.checks import NonNegativeFloat, NonNegativeInt, PositiveInt

# Draws of mean 0 and variance 1.
_FAMILIES = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "laplace": lambda rng, shape: rng.laplace(scale=0.5**0.5, size=shape),
}
Family = Annotated[str, functools.partial(checks.one_of, _FAMILIES)]


class NonlinearICA(NamedTuple):
    """Observations, their segments, and the sources to recover.

    Attributes:
        x: Observations, float32 `[rows, data_dim]`.
        u: Segments, int64 `[rows]`, in ascending order.
        sources: Sources, independent given `u`, float32 `[rows, num_sources]`.
    """

    x: np.ndarray
    u: np.ndarray
    sources: np.ndarray


@checks.checked
def nonlinear_ica(
    num_segments: PositiveInt = 40,
    segment_length: PositiveInt = 1000,
    num_sources: PositiveInt = 5,
    *,
    data_dim: int | None = None,
    num_layers: PositiveInt = 3,
    means: bool = False,
    family: Family = "normal",
    noise_scale: NonNegativeFloat = 0.0,
    seed: NonNegativeInt = 0,
) -> NonlinearICA:
    """Returns `num_segments * segment_length` rows of mixed sources, as iVAE uses them.

    Sources are `s[i] = loc[u, i] + scale[u, i] e` with `scale ~ U(0.5, 3)`, `loc` 0 or
    `~ U(-3, 3)`, and `e` of mean 0 and variance 1. An injective network mixes them:
    `num_layers - 1` times `h = leaky_relu(h W[l])` with slope 0.2, then `x = h W[L]`.
    Entries of `W` are uniform and its columns have norm 1; its condition number is in
    the lowest quarter of 1,000 draws.

    The network and the parameters of the sources depend on `seed` and their shapes
    alone, and long segments begin with the rows of short ones. For held-out data of the
    same mixing, draw longer segments and hold out their ends, as in the example.

    Args:
        num_segments: Number of values of `u`.
        segment_length: Rows in a segment.
        num_sources: Number of sources.
        data_dim: Size of `x`, at least `num_sources`, the default. The last layer
            raises the dimension.
        num_layers: Linear layers in the network; 1 gives linear ICA.
        means: If True, the means of the sources depend on the segment too.
        family: Distribution of `e`: "normal" or "laplace".
        noise_scale: Standard deviation of normal noise added to `x`.
        seed: Seed for everything that is drawn.

    Example:
        >>> x, u, sources = nonlinear_ica(segment_length=1200)
        >>> held_out = np.arange(len(x)) % 1200 >= 1000
        >>> x[~held_out].shape, x[held_out].shape
        ((40000, 5), (8000, 5))

    References:
        Hyvarinen, Morioka, "Unsupervised Feature Extraction by Time-Contrastive
        Learning and Nonlinear ICA", 2016, https://arxiv.org/abs/1605.06336.
        Khemakhem, Kingma, Monti, Hyvarinen, "Variational Autoencoders and Nonlinear
        ICA: A Unifying Framework", 2020, https://arxiv.org/abs/1907.04809.
    """
    n = num_sources
    d = n if data_dim is None else checks.integer(minimum=n, data_dim=data_dim)
    # A generator for each purpose: what one draws does not change the others.
    seeds = np.random.SeedSequence(seed).spawn(4)
    for_mixing, for_segments, for_sources, for_noise = map(np.random.default_rng, seeds)
    scale = for_segments.uniform(0.5, 3, (num_segments, n))
    loc = for_segments.uniform(-3, 3, scale.shape) if means else 0.0
    # Time comes first, so that longer segments begin with the same draws.
    e = _FAMILIES[family](for_sources, (segment_length, num_segments, n))
    x = sources = loc + scale * e
    for _ in range(num_layers - 1):
        x = x @ _mixing(for_mixing, n, n)
        x = np.where(x > 0, x, 0.2 * x)
    x = x @ _mixing(for_mixing, n, d)
    if noise_scale:
        x = x + noise_scale * for_noise.standard_normal(x.shape)
    u = np.repeat(np.arange(num_segments, dtype="int64"), segment_length)
    return NonlinearICA(_rows(x), u, _rows(sources))


def _mixing(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A well-conditioned matrix with columns of norm 1, `[rows, columns]`."""
    draws = rng.uniform(-1, 1, (1_000, rows, columns))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    condition = np.linalg.cond(draws)
    return draws[np.argmax(condition <= np.quantile(condition, 0.25))]


def _rows(x: np.ndarray) -> np.ndarray:
    """Turns `[length, segments, size]` into float32 `[segments * length, size]`."""
    return x.swapaxes(0, 1).reshape(-1, x.shape[-1]).astype("float32")
