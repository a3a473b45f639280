"""Disentanglement scores from rows that share one factor, as interventions would.

Where the papers draw pictures with a given factor from a simulator, here rows that have
it are drawn with replacement: each value of a factor wants tens of rows.
"""

import numpy as np

from tfvae import checks
from tfvae.metrics.disentanglement import codes_and_factors, generator

# Rows compared for one vote or point, and the least deviation of a code that counts in
# the FactorVAE score: those of disentanglement_lib (Locatello et al., 2018,
# https://arxiv.org/abs/1811.12359).
BATCH, LEAST_DEVIATION = 64, 0.05


def factor_vae_score(z, factors, *, num_train=10_000, num_eval=5_000, seed=0):
    """FactorVAE score: accuracy of naming the factor held fixed from its stillest code.

    A vote takes 64 rows that share the value of factor k, and the code d whose variance
    among them is least, relative to that among all. Each code then stands for the
    factor that most training votes had with it; the score is how many of the other
    votes that gets right. Codes that deviate by less than 0.05 have no part; where none
    is left the score is 0.

    Args:
        z: Codes, as posterior means, `[rows, latent]`.
        factors: Integers `[rows, factors]`; those that never vary are left out.
        num_train: Votes to learn from.
        num_eval: Votes to test on.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        A float in [0, 1]; chance is one over the number of factors.

    Raises:
        TypeError: Where an array holds no real numbers, or a number is no integer.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, fewer
            than two columns of integers vary in `factors`, or a number is below theirs.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=[1000, 2])
        >>> score = tfvae.metrics.factor_vae_score
        >>> score(factors, factors, num_train=100, num_eval=100)
        1.0

    References:
        Kim and Mnih, Disentangling by Factorising, 2018,
        https://arxiv.org/abs/1802.05983
    """
    z, factors = codes_and_factors(z, factors, least=2)
    num_train, num_eval = _numbers(factors, num_train, num_eval)
    rng = generator(seed)
    z = z[:, np.std(z, axis=0, ddof=1) >= LEAST_DEVIATION]
    if not z.shape[1]:
        return 0.0
    z = z / np.std(z, axis=0, ddof=1)
    named = np.argmax(_votes(z, factors, num_train, rng), axis=0)
    right = _votes(z, factors, num_eval, rng)[named, range(len(named))]
    return float(right.sum() / num_eval)


def beta_vae_score(z, factors, *, num_train=10_000, num_eval=5_000, seed=0):
    """beta-VAE score: accuracy of a linear classifier of which factor a pair shares.

    A point is `mean |z_1 - z_2|` over 64 pairs of rows, each pair with one value of
    factor k; logistic regression learns k from it, and is tested on other points.

    Never report it alone: it saturates. A linear classifier of all codes together also
    names the factors of entangled codes, so that many models reach 1.

    Args:
        z: Codes, as posterior means, `[rows, latent]`.
        factors: Integers `[rows, factors]`; those that never vary are left out.
        num_train: Points to learn from.
        num_eval: Points to test on.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        A float in [0, 1]; chance is one over the number of factors.

    Raises:
        TypeError: Where an array holds no real numbers, or a number is no integer.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, fewer
            than two columns of integers vary in `factors`, or a number is below theirs.

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

    z, factors = codes_and_factors(z, factors, least=2)
    num_train, num_eval = _numbers(factors, num_train, num_eval)
    rng = generator(seed)
    # Scikit-learn's 100 steps do not always suffice.
    model = LogisticRegression(max_iter=1000)
    model.fit(*_differences(z, factors, num_train, rng))
    return float(model.score(*_differences(z, factors, num_eval, rng)))


def _numbers(factors, num_train, num_eval):
    """Checks that each factor comes up in training."""
    num_train = checks.integer(minimum=factors.shape[1], num_train=num_train)
    return num_train, checks.integer(num_eval=num_eval)


def _alike(factor, rows, rng):
    """Rows drawn among those whose value of the factor is that of the given rows."""
    order = np.argsort(factor, kind="stable")
    ordered, values = factor[order], factor[rows]
    first = np.searchsorted(ordered, values, side="left")
    return order[rng.integers(first, np.searchsorted(ordered, values, side="right"))]


def _counts(num_factors, number):
    """How many of a number of points come from each factor."""
    return np.bincount(np.arange(number) % num_factors, minlength=num_factors)


def _votes(z, factors, number, rng):
    """Votes `[factors, latent]` for the code of least variance at a fixed factor."""
    votes = np.zeros([factors.shape[1], z.shape[1]], "int64")
    for k, count in enumerate(_counts(len(votes), number)):
        like = np.repeat(rng.integers(len(z), size=[count, 1]), BATCH, axis=1)
        batch = z[_alike(factors[:, k], like, rng)]  # [count, batch, latent]
        stillest = np.argmin(batch.var(axis=1, ddof=1), axis=1)
        votes[k] = np.bincount(stillest, minlength=z.shape[1])
    return votes


def _differences(z, factors, number, rng):
    """Points `mean |z_1 - z_2|` and the factors that their pairs share."""
    counts = _counts(factors.shape[1], number)
    points = []
    for factor, count in zip(factors.T, counts, strict=True):
        rows = rng.integers(len(z), size=[count, BATCH])
        points.append(np.abs(z[rows] - z[_alike(factor, rows, rng)]).mean(axis=1))
    return np.concatenate(points), np.repeat(np.arange(len(counts)), counts)
