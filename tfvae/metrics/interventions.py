"""Disentanglement scores from rows that share one factor, as under interventions.

The papers draw pictures with a given factor from a simulator. Here rows with that value
are drawn with replacement: each value of a factor wants tens of rows.
"""

import numpy as np

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.metrics.disentanglement import Rows, generator, varying_labels
from tfvae.metrics.identifiability import Matrix
from tfvae.seeds import Seed

# Rows behind one vote or point, and the least deviation of a code that counts in the
# FactorVAE score, as in disentanglement_lib.
BATCH, LEAST_DEVIATION = 64, 0.05


@checks.checked
def factor_vae_score(
    z: Matrix,
    factors: Matrix,
    *,
    num_train: int = 10_000,
    num_eval: PositiveInt = 5_000,
    seed: Seed = 0,
) -> float:
    """FactorVAE score: accuracy of naming a fixed factor by the code that varies least.

    A vote takes 64 rows with the same value of factor k, and the code d of least
    variance among them, relative to its variance among all rows. Each code then stands
    for the factor of most of its `num_train` votes; the score is the share of
    `num_eval` other votes that this gets right. Chance is one over the number of
    factors. Codes with a deviation below 0.05 are left out; without any code the score
    is 0. z and factors are those of `mig`; two or more factors must vary, and each
    needs a vote to learn from. The seed decides which rows vote; None draws one.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=[1000, 2])
        >>> score = tfvae.metrics.factor_vae_score
        >>> score(factors, factors, num_train=100, num_eval=100)
        1.0

    References:
        Kim and Mnih, Disentangling by Factorising, 2018,
        https://arxiv.org/abs/1802.05983
    """
    factors = varying_labels(z, factors, least=2)
    num_train = checks.integer(minimum=factors.shape[1], num_train=num_train)
    rng = generator(seed)
    scale = np.std(z, axis=0, ddof=1)
    varies = scale >= LEAST_DEVIATION
    if not varies.any():
        return 0.0
    data = z[:, varies] / scale[varies], factors
    named = np.argmax(_votes(data, num_train, rng), axis=0)
    right = _votes(data, num_eval, rng)[named, range(len(named))]
    return float(right.sum() / num_eval)


@checks.checked
def beta_vae_score(
    z: Matrix,
    factors: Matrix,
    *,
    num_train: int = 10_000,
    num_eval: PositiveInt = 5_000,
    seed: Seed = 0,
) -> float:
    """beta-VAE score: accuracy of a linear classifier of the factor that pairs share.

    A point is `mean |z_1 - z_2|` over 64 pairs of rows, each pair with one value of
    factor k; logistic regression learns k from `num_train` points, and is tested on
    `num_eval` others. Chance is one over the number of factors. Arguments are those of
    `factor_vae_score`.

    Never report it alone: it saturates. A linear classifier of all codes together also
    names the factors of entangled codes, so that many models reach 1.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=[1000, 2])
        >>> score = tfvae.metrics.beta_vae_score
        >>> score(factors, factors, num_train=100, num_eval=100)
        1.0

    References:
        Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained
        Variational Framework, 2017, https://openreview.net/forum?id=Sy2fzU9gl
    """
    from sklearn.linear_model import LogisticRegression

    factors = varying_labels(z, factors, least=2)
    num_train = checks.integer(minimum=factors.shape[1], num_train=num_train)
    rng = generator(seed)
    # Scikit-learn's 100 steps do not always suffice.
    model = LogisticRegression(max_iter=1000)
    model.fit(*_differences((z, factors), num_train, rng))
    return float(model.score(*_differences((z, factors), num_eval, rng)))


def _votes(data: Rows, number: int, rng: np.random.Generator) -> np.ndarray:
    """Votes `[factors, latent]` for the code of least variance at a fixed factor."""
    z, factors = data
    votes = np.zeros([factors.shape[1], z.shape[1]], "int64")
    for k, count in enumerate(_counts(len(votes), number)):
        like = np.repeat(rng.integers(len(z), size=[count, 1]), BATCH, axis=1)
        batch = z[_alike(factors[:, k], like, rng)]  # [count, batch, latent]
        stillest = np.argmin(batch.var(axis=1, ddof=1), axis=1)
        votes[k] = np.bincount(stillest, minlength=z.shape[1])
    return votes


def _differences(data: Rows, number: int, rng: np.random.Generator) -> Rows:
    """Points `mean |z_1 - z_2|` and the factors that their pairs share."""
    z, factors = data
    counts = _counts(factors.shape[1], number)
    points = []
    for factor, count in zip(factors.T, counts, strict=True):
        rows = rng.integers(len(z), size=[count, BATCH])
        points.append(np.abs(z[rows] - z[_alike(factor, rows, rng)]).mean(axis=1))
    return np.concatenate(points), np.repeat(np.arange(len(counts)), counts)


def _counts(num_factors: int, number: int) -> np.ndarray:
    """How many of a number of points come from each factor."""
    return np.bincount(np.arange(number) % num_factors, minlength=num_factors)


def _alike(
    factor: np.ndarray, rows: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Rows drawn among those whose value of the factor is that of the given rows."""
    order = np.argsort(factor, kind="stable")
    ordered, values = factor[order], factor[rows]
    first = np.searchsorted(ordered, values, side="left")
    return order[rng.integers(first, np.searchsorted(ordered, values, side="right"))]
