"""Sources of segment-wise variance, mixed by a network: data for nonlinear ICA."""

from typing import NamedTuple

import numpy as np

from tfvae import checks

_SLOPE = 0.2
_DRAWS = 1_000


class NonlinearICA(NamedTuple):
    """Mixed observations, the segment of each, and the sources to recover.

    Attributes:
        x: float32 observations, `[rows, data_dim]`.
        u: int64 index of the segment, `[rows]`, in ascending order.
        sources: float32 independent sources given `u`, `[rows, num_sources]`.
    """

    x: np.ndarray
    u: np.ndarray
    sources: np.ndarray


def nonlinear_ica(
    num_segments=40,
    segment_length=1000,
    num_sources=5,
    *,
    data_dim=None,
    num_layers=3,
    means=False,
    family="normal",
    noise_scale=0.0,
    seed=0,
):
    """Returns the artificial data of time-contrastive learning and iVAE.

    Sources have `s[i] = loc[u, i] + scale[u, i] e` with `scale ~ U(0.5, 3)`, `loc` 0
    or `~ U(-3, 3)`, and `e` of mean 0 and variance 1. They are mixed by an injective
    network, `x = h W[L]` after `num_layers - 1` times `h = leaky_relu(h W[l])` of
    slope 0.2. Entries of `W` are uniform, its columns of norm 1, and it is among the
    better-conditioned quarter of 1,000 draws.

    Parameters of the sources and the network depend on `seed` and their shapes alone,
    and longer segments begin with the rows of shorter ones. To hold out data of the
    same mixing, draw longer segments and keep their ends out, as in the example.

    Args:
        num_segments: Number of values of `u`.
        segment_length: Rows a segment.
        num_sources: Number of sources.
        data_dim: Size of `x`, at least `num_sources`, which is the default. The last
            layer raises the dimension.
        num_layers: Linear layers of the network; 1 is linear ICA.
        means: Whether the means of the sources change with the segment too.
        family: "normal" or "laplace".
        noise_scale: Standard deviation of normal noise on `x`.
        seed: Non-negative integer.

    Returns:
        `NonlinearICA(x, u, sources)` with `num_segments * segment_length` rows.

    Raises:
        TypeError: Where a number is none.
        ValueError: Where one is too low, or the family another.

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
    segments = checks.integer(num_segments=num_segments)
    length = checks.integer(segment_length=segment_length)
    n = checks.integer(num_sources=num_sources)
    d = n if data_dim is None else checks.integer(minimum=n, data_dim=data_dim)
    layers = checks.integer(num_layers=num_layers)
    checks.one_of(_FAMILIES, family=family)
    noise_scale = checks.number(minimum=0, noise_scale=noise_scale)
    rngs = _generators(checks.integer(minimum=0, seed=seed))
    weights = [_mixing(rngs["mixing"], n, n) for _ in range(layers - 1)]
    weights.append(_mixing(rngs["mixing"], n, d))
    # Time comes first, so that longer segments begin with the same draws.
    e = _FAMILIES[family](rngs["sources"], (length, segments, n))
    sources = _modulated(e, rngs["segments"], means)
    x = _mixed(sources, weights)
    if noise_scale:
        x = x + noise_scale * rngs["noise"].standard_normal(x.shape)
    u = np.repeat(np.arange(segments, dtype="int64"), length)
    return NonlinearICA(_rows(x), u, _rows(sources))


def _normal(rng, shape):
    return rng.standard_normal(shape)


def _laplace(rng, shape):
    return rng.laplace(scale=0.5**0.5, size=shape)  # of variance 1


_FAMILIES = {"normal": _normal, "laplace": _laplace}


def _generators(seed):
    """Returns generators that do not depend on how much the others have drawn."""
    names = ("mixing", "segments", "sources", "noise")
    children = np.random.SeedSequence(seed).spawn(len(names))
    return dict(zip(names, map(np.random.default_rng, children), strict=True))


def _mixing(rng, rows, columns):
    """Returns a well-conditioned matrix with columns of norm 1, `[rows, columns]`."""
    draws = rng.uniform(-1, 1, (_DRAWS, rows, columns))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    condition = np.linalg.cond(draws)
    return draws[np.argmax(condition <= np.quantile(condition, 0.25))]


def _modulated(e, rng, means):
    """Returns sources of unit ones, both `[length, segments, sources]`."""
    scale = rng.uniform(0.5, 3, e.shape[1:])
    loc = rng.uniform(-3, 3, e.shape[1:]) if means else 0.0
    return loc + scale * e


def _mixed(sources, weights):
    *hidden, last = weights
    x = sources
    for weight in hidden:
        x = x @ weight
        x = np.where(x > 0, x, _SLOPE * x)
    return x @ last


def _rows(x):
    """Returns float32 `[segments * length, size]` of `[length, segments, size]`."""
    return x.swapaxes(0, 1).reshape(-1, x.shape[-1]).astype("float32")
