"""Artificial data for nonlinear ICA: mixed sources with a scale for each segment."""

import functools
from typing import Annotated, NamedTuple

import numpy as np

from tfvae import checks
from tfvae.checks import NonNegativeFloat, NonNegativeInt, PositiveInt

_SLOPE = 0.2
_DRAWS = 1_000
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
        means: Whether the means of the sources depend on the segment too.
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
    rngs = _generators(seed)
    weights = [_mixing(rngs["mixing"], n, n) for _ in range(num_layers - 1)]
    weights.append(_mixing(rngs["mixing"], n, d))
    # Time comes first, so that longer segments begin with the same draws.
    e = _FAMILIES[family](rngs["sources"], (segment_length, num_segments, n))
    sources = _modulated(e, rngs["segments"], means)
    x = _mixed(sources, weights)
    if noise_scale:
        x = x + noise_scale * rngs["noise"].standard_normal(x.shape)
    u = np.repeat(np.arange(num_segments, dtype="int64"), segment_length)
    return NonlinearICA(_rows(x), u, _rows(sources))


def _generators(seed: int) -> dict[str, np.random.Generator]:
    """Returns generators by purpose, each independent of what the others draw."""
    names = ("mixing", "segments", "sources", "noise")
    children = np.random.SeedSequence(seed).spawn(len(names))
    return dict(zip(names, map(np.random.default_rng, children), strict=True))


def _mixing(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Returns a well-conditioned matrix with columns of norm 1, `[rows, columns]`."""
    draws = rng.uniform(-1, 1, (_DRAWS, rows, columns))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    condition = np.linalg.cond(draws)
    return draws[np.argmax(condition <= np.quantile(condition, 0.25))]


def _modulated(e: np.ndarray, rng: np.random.Generator, means: bool) -> np.ndarray:
    """Scales and shifts unit sources `[length, segments, sources]` by segment."""
    scale = rng.uniform(0.5, 3, e.shape[1:])
    loc = rng.uniform(-3, 3, e.shape[1:]) if means else 0.0
    return loc + scale * e


def _mixed(sources: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    *hidden, last = weights
    x = sources
    for weight in hidden:
        x = x @ weight
        x = np.where(x > 0, x, _SLOPE * x)
    return x @ last


def _rows(x: np.ndarray) -> np.ndarray:
    """Turns `[length, segments, size]` into float32 `[segments * length, size]`."""
    return x.swapaxes(0, 1).reshape(-1, x.shape[-1]).astype("float32")
