"""Recovery of the true sources: mean correlation coefficient, alignment."""

import functools
from typing import Annotated

import numpy as np
import numpy.typing as npt

from tfvae import checks


def matrix(**argument: npt.ArrayLike) -> np.ndarray:
    """Returns the one named argument as a finite float64 array `[rows, columns]`."""
    (name,) = argument
    value = checks.real(**argument).astype("float64")
    if value.ndim != 2 or len(value) < 2 or not value.shape[1]:
        shape = f"of shape {list(value.shape)}"
        checks.fail("of shape [rows, columns], with two rows or more", **{name: shape})
    if not np.isfinite(value).all():
        checks.fail("finite", **{name: "with NaN or Inf"})
    return value


Matrix = Annotated[npt.ArrayLike, matrix]
Method = Annotated[str, functools.partial(checks.one_of, ("pearson", "spearman"))]


@checks.checked
def mcc(
    z: Matrix, sources: Matrix, *, method: Method = "pearson", linear_map: bool = False
) -> float:
    """Mean correlation coefficient of latents and sources, matched one to one.

    `max over matchings of sum |corr(z_d, s_j)| / min(latent, sources)`, in [0, 1]. It
    is 1 if each source is a scaled latent (for "spearman" a monotone function of one),
    in any order and with any signs. If the numbers of columns differ, the columns left
    over do not count. A constant column has correlation 0.

    Args:
        z: Latents, as posterior means, `[rows, latent]`.
        sources: True sources of the same rows `[rows, sources]`.
        method: "pearson", or "spearman" for ranks, ties at their mean rank.
        linear_map: Allow any linear map of z (the weak form): first both sides are
            replaced by their canonical variables, so that "pearson" gives the mean of
            the canonical correlations. The map is fitted on these rows: give many more
            rows than columns. Directions in which one side does not vary have
            correlation 0.

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
    as_many_rows(z, sources=sources)
    pairs = min(z.shape[1], sources.shape[1])
    if linear_map:
        z, sources = _canonical_variables(z, sources)
    correlation = _correlation(z, sources, method)
    return float(np.abs(correlation[_match(correlation)]).sum() / pairs)


@checks.checked
def align(z: Matrix, sources: Matrix, *, method: Method = "pearson") -> np.ndarray:
    """Latents in the order, sign and scale of the sources, `[rows, sources]`.

    Column j, to plot over source j, is `a * z_d + b` with the d that `mcc` matches to
    source j, and a and b by least squares. If no latent is left for a source, or the
    latent is constant, it is the mean of the source. Arguments are those of `mcc`.

    Example:
        >>> sources = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]])
        >>> np.round(tfvae.metrics.align(-sources[:, ::-1], sources), 6).tolist()
        [[0.0, 1.0], [1.0, 1.0], [2.0, 4.0]]
    """
    as_many_rows(z, sources=sources)
    latent, source = _match(_correlation(z, sources, method))
    z, target = _standardize(z[:, latent]), sources[:, source]
    aligned = np.tile(sources.mean(axis=0), [len(sources), 1])
    aligned[:, source] += z * np.sum(z * (target - target.mean(axis=0)), axis=0)
    return aligned


def as_many_rows(z: np.ndarray, **argument: np.ndarray) -> None:
    """Checks that the one named array has as many rows as z."""
    ((name, value),) = argument.items()
    if len(value) != len(z):
        checks.fail(f"of {len(z)} rows, as z", **{name: f"of {len(value)} rows"})


def _correlation(z: np.ndarray, sources: np.ndarray, method: str) -> np.ndarray:
    """Correlation of each column with each, `[latent, sources]`."""
    if method == "spearman":
        from scipy.stats import rankdata

        z, sources = rankdata(z, axis=0), rankdata(sources, axis=0)
    return np.clip(_standardize(z).T @ _standardize(sources), -1, 1)


def _standardize(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and norm 1; zeros for a constant column."""
    spread = np.ptp(x, axis=0)
    # Less the first row, a constant column is exactly 0, which its mean is not.
    x = (x - x[0]) / np.where(spread > 0, spread, 1)
    x = x - x.mean(axis=0)
    return x / np.where(spread > 0, np.linalg.norm(x, axis=0), 1)


def _match(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the latents and of the sources of the best one-to-one matching."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(correlation), maximize=True)


def _canonical_variables(
    z: np.ndarray, sources: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides in the bases whose correlation matrix is diagonal."""
    from scipy.linalg import orth

    z, sources = orth(_standardize(z)), orth(_standardize(sources))
    left, _, right = np.linalg.svd(z.T @ sources, full_matrices=False)
    return z @ left, sources @ right.T
