"""Whether the true sources come back: mean correlation coefficient, alignment."""

import numpy as np

from tfvae import checks

METHODS = ("pearson", "spearman")


def mcc(z, sources, *, method="pearson", linear_map=False):
    """Mean correlation coefficient of latents and sources, matched one to one.

    `max over matchings of sum |corr(z_d, s_j)| / min(latent, sources)`: 1 where each
    source is a scaled latent (monotone in one, for "spearman"), whatever their order
    and signs. Where the numbers of columns differ, what is left over has no part in
    the score. A constant column has correlation 0.

    With `linear_map` it is the weak form, up to any linear map: first both sides are
    replaced by their canonical variables, so that "pearson" gives the mean of the
    canonical correlations. The map is fitted on these rows: give many more of them
    than columns. Directions in which one side does not vary have correlation 0.

    Args:
        z: Latents, as posterior means, `[rows, latent]`.
        sources: True sources of the same rows `[rows, sources]`.
        method: "pearson", or "spearman" for ranks, ties at their mean rank.
        linear_map: Whether to allow any linear map of z.

    Returns:
        A float in [0, 1].

    Raises:
        TypeError: Where an array holds no real numbers.
        ValueError: Where an array is not finite and `[rows, columns]` of two rows or
            more, their rows differ in number, or the method is another.

    Example:
        >>> sources = np.random.default_rng(0).normal(size=[100, 2])
        >>> z = sources @ np.array([[0.0, -3.0], [1.0, 0.0]])
        >>> round(tfvae.metrics.mcc(z, sources), 3)
        1.0

    References:
        Hyvarinen and Morioka, Unsupervised Feature Extraction by Time-Contrastive
        Learning and Nonlinear ICA, 2016, https://arxiv.org/abs/1605.06336
        Khemakhem et al., ICE-BeeM: Identifiable Conditional Energy-Based Deep Models
        Based on Nonlinear ICA, 2020, https://arxiv.org/abs/2002.11537
    """
    z, sources = _pair(z, sources)
    pairs = min(z.shape[1], sources.shape[1])
    if linear_map:
        z, sources = _canonical_variables(z, sources)
    correlation = _correlation(z, sources, method)
    return float(np.abs(correlation[_match(correlation)]).sum() / pairs)


def align(z, sources, *, method="pearson"):
    """Latents in the order, sign and scale of the sources, to draw over them.

    Column j is `a * z_d + b` with the d that `mcc` matches to source j, and a and b of
    least squares. Where no latent is left for a source, or it is constant, that is the
    mean of the source.

    Args:
        z: Latents `[rows, latent]`.
        sources: True sources of the same rows `[rows, sources]`.
        method: Correlation that matches them, "pearson" or "spearman".

    Returns:
        An array `[rows, sources]`.

    Raises:
        TypeError: Where an array holds no real numbers.
        ValueError: Where an array is not finite and `[rows, columns]` of two rows or
            more, their rows differ in number, or the method is another.

    Example:
        >>> sources = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]])
        >>> np.round(tfvae.metrics.align(-sources[:, ::-1], sources), 6).tolist()
        [[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]]
    """
    z, sources = _pair(z, sources)
    latent, source = _match(_correlation(z, sources, method))
    z, target = _standardize(z[:, latent]), sources[:, source]
    aligned = np.tile(sources.mean(axis=0), [len(sources), 1])
    aligned[:, source] += z * np.sum(z * (target - target.mean(axis=0)), axis=0)
    return aligned


def matrix(**argument):
    """Returns the one named argument as a float64 array `[rows, columns]`.

    Raises:
        TypeError: Where it holds no real numbers.
        ValueError: Where it has another rank, fewer than two rows, NaN or Inf.
    """
    ((name, _),) = argument.items()
    value = checks.real(**argument).astype("float64")
    if value.ndim != 2 or len(value) < 2 or not value.shape[1]:
        shape = f"of shape {list(value.shape)}"
        checks.fail("of shape [rows, columns], with two rows or more", **{name: shape})
    if not np.isfinite(value).all():
        checks.fail("finite", **{name: "with NaN or Inf"})
    return value


def _pair(z, sources):
    z, sources = matrix(z=z), matrix(sources=sources)
    if len(z) != len(sources):
        checks.fail(f"of {len(z)} rows, as z", sources=f"of {len(sources)} rows")
    return z, sources


def _correlation(z, sources, method):
    """Correlation of each column with each, `[latent, sources]`."""
    if checks.one_of(METHODS, method=method) == "spearman":
        from scipy.stats import rankdata

        z, sources = rankdata(z, axis=0), rankdata(sources, axis=0)
    return np.clip(_standardize(z).T @ _standardize(sources), -1, 1)


def _standardize(x):
    """Columns of mean 0 and norm 1; zeros where a column is constant."""
    spread = np.ptp(x, axis=0)
    # Less the first row, a constant column is exactly 0, which its mean is not.
    x = (x - x[0]) / np.where(spread > 0, spread, 1)
    x = x - x.mean(axis=0)
    return x / np.where(spread > 0, np.linalg.norm(x, axis=0), 1)


def _match(correlation):
    """Indices of the latents and of the sources of the best one-to-one matching."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(correlation), maximize=True)


def _canonical_variables(z, sources):
    """Both sides in the bases whose correlation matrix is diagonal."""
    z, sources = _basis(z), _basis(sources)
    left, _, right = np.linalg.svd(z.T @ sources, full_matrices=False)
    return z @ left, sources @ right.T


def _basis(x):
    """Orthonormal columns that span those of x, without their means."""
    x = _standardize(x)
    basis, scale, _ = np.linalg.svd(x, full_matrices=False)
    return basis[:, scale > scale.max() * max(x.shape) * np.finfo(x.dtype).eps]
