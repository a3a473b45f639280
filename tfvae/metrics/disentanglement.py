"""Disentanglement scores of codes against known factors of variation.

All follow their papers and disentanglement_lib (Locatello et al., 2018,
https://arxiv.org/abs/1811.12359). They disagree with each other: report several.
"""

from typing import NamedTuple

import numpy as np

from tfvae import checks, seeds
from tfvae.metrics.identifiability import matrix

# Of each code, as in disentanglement_lib.
BINS = 20


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each a float in [0, 1]."""

    disentanglement: float
    completeness: float
    informativeness: float


def mig(z, factors):
    """Mutual information gap: how far the best code of a factor is ahead of the next.

    `mean over k of (I(z_(1); f_k) - I(z_(2); f_k)) / H(f_k)` with the two codes that
    say most of factor k, each cut into 20 bins of equal width. A factor of more than
    20 values cannot reach 1. Each information comes out too high by about `bins *
    values / (2 * rows)` nats: give thousands of rows.

    Args:
        z: Codes, as posterior means, `[rows, latent]`.
        factors: Integers `[rows, factors]`; those that never vary are left out.

    Returns:
        A float in [0, 1].

    Raises:
        TypeError: Where an array holds no real numbers.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, or no
            column of integers varies in `factors`.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=[5000, 2])
        >>> round(tfvae.metrics.mig(factors[:, ::-1], factors), 2)
        1.0

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders,
        2018, https://arxiv.org/abs/1802.04942
    """
    z, factors = codes_and_factors(z, factors)
    bins = np.stack([_bins(code) for code in z.T])
    information = [[_information(b, f) for f in factors.T] for b in bins]
    entropy = [_information(f, f) for f in factors.T]
    return float(np.mean(_gap(information) / entropy))


def sap(z, factors, *, seed=0):
    """Separated attribute predictability: gap of the two codes that best give a factor.

    `mean over k of (S_(1)k - S_(2)k)`, with S_dk the accuracy on one half of the rows
    of a linear support vector machine that learned factor k from code d on the other.
    A code that does not vary has S = 0, where disentanglement_lib gives chance. Perfect
    codes reach 1 less chance for factors of two values, and far less for others, as no
    line tells the middle values of one code from both its neighbours.

    Args:
        z: Codes, as posterior means, `[rows, latent]`; their scale matters.
        factors: Integers `[rows, factors]`; those that never vary are left out.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        A float in [0, 1].

    Raises:
        TypeError: Where an array holds no real numbers.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, or no
            column of integers varies in `factors`.

    Example:
        >>> factors = np.random.default_rng(0).integers(2, size=[2000, 2])
        >>> round(tfvae.metrics.sap(factors, factors), 1)
        0.5

    References:
        Kumar et al., Variational Inference of Disentangled Latent Concepts from
        Unlabeled Observations, 2017, https://arxiv.org/abs/1711.00848
    """
    z, factors = codes_and_factors(z, factors)
    half = len(z) // 2
    train, test = _split(z, factors, len(z) - half, half, seed)
    codes, learned = range(z.shape[1]), range(train[1].shape[1])
    scores = [[_svm(d, k, train, test) for k in learned] for d in codes]
    return float(np.mean(_gap(scores)))


def dci(z, factors, *, num_train=10_000, num_test=5_000, seed=0):
    """Disentanglement, completeness, informativeness from importances of codes.

    R_dk is the importance of code d to gradient-boosted trees that learn factor k.
    Disentanglement is `1 - H(R_d / sum_k R_dk)` of each code, in units of log of the
    number of factors, weighted by what the code has of all importance; completeness is
    the same of each factor over codes; informativeness the mean accuracy on other rows.

    It grows a hundred trees for each value of each factor. Six codes of 10,000 rows and
    factors of 3, 6, 40, 32 and 32 values take a minute on two cores, 2,000 rows 12 s.

    Args:
        z: Codes, as posterior means, `[rows, latent]`.
        factors: Integers `[rows, factors]`; those that never vary are left out.
        num_train: Rows to learn from: the paper's library has 10,000. Of fewer rows
            than both numbers, a third or more is kept for the test.
        num_test: Rows to test on.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        A `DCI` of three floats.

    Raises:
        TypeError: Where an array holds no real numbers, or a number is no integer.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, fewer
            than two columns of integers vary in `factors`, or a number is too small.

    Example:
        >>> factors = np.random.default_rng(0).integers(2, size=[500, 2])
        >>> [round(score, 2) for score in tfvae.metrics.dci(factors, factors)]
        [1.0, 1.0, 1.0]

    References:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of
        Disentangled Representations, 2018, https://openreview.net/forum?id=By-7dz-AZ
    """
    z, factors = codes_and_factors(z, factors, least=2)
    num_train = checks.integer(minimum=2, num_train=num_train)
    num_test = checks.integer(num_test=num_test)
    num_test = min(num_test, max(len(z) - num_train, (len(z) + 2) // 3))
    num_train = min(num_train, len(z) - num_test)
    rows = _split(z, factors, num_train, num_test, seed, least=2)
    importance, accuracy = _importance(*rows)
    return DCI(_purity(importance), _purity(importance.T), float(np.mean(accuracy)))


def codes_and_factors(z, factors, least=1):
    """Returns codes, and of the factors the `least` or more that vary, as integers.

    Raises:
        TypeError: Where one holds no real numbers.
        ValueError: Where z is no finite `[rows, latent]` of two codes or more, or fewer
            columns of integers vary in `factors`.
    """
    z, factors = matrix(z=z), matrix(factors=factors)
    if z.shape[1] < 2:
        checks.fail("of two columns or more", z=f"of shape {list(z.shape)}")
    if len(z) != len(factors):
        checks.fail(f"of {len(z)} rows, as z", factors=f"of {len(factors)} rows")
    if (factors != np.round(factors)).any():
        checks.fail("integers", factors=factors[factors != np.round(factors)][0])
    values = [np.unique(column, return_inverse=True)[1] for column in factors.T]
    return z, _varied(np.stack(values, axis=1), least)


def _varied(factors, least):
    varied = factors[:, np.ptp(factors, axis=0) > 0]
    if varied.shape[1] < least:
        expected = f"integers of which {least} or more columns vary"
        checks.fail(expected, factors=f"with {varied.shape[1]} that vary")
    return varied


def generator(seed):
    """NumPy's generator for an int, a `keras.random.SeedGenerator` or None."""
    return np.random.default_rng(seeds.rows(seed, 1)[0].numpy().view("uint32"))


def _split(z, factors, num_train, num_test, seed, least=1):
    """Random rows `(z, factors)` to learn from and others to test on."""
    order = generator(seed).permutation(len(z))
    train, test = order[:num_train], order[num_train:][:num_test]
    keep = np.ptp(factors[train], axis=0) > 0  # nothing is learned of the others
    _varied(factors[train], least)
    return (z[train], factors[train][:, keep]), (z[test], factors[test][:, keep])


def _gap(scores):
    """Best score less the next of each column."""
    ordered = np.sort(scores, axis=0)
    return ordered[-1] - ordered[-2]


def _bins(code):
    code = code - code.min()  # so that a constant far from 0 leaves room for bins
    return np.digitize(code, np.histogram_bin_edges(code, BINS)[:-1])


def _information(a, b):
    """Mutual information of two columns of labels, in nats."""
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    joint = np.zeros([a.max() + 1, b.max() + 1])
    np.add.at(joint, (a, b), 1 / len(a))
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    seen = joint > 0
    return np.sum(joint[seen] * np.log(joint[seen] / independent[seen]))


def _svm(d, k, train, test):
    """Accuracy for factor k of a line through code d."""
    from sklearn.svm import LinearSVC

    (z, factors), (z_test, factors_test) = train, test
    if np.var(z[:, d]) < 1e-12:
        return 0.0
    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    model.fit(z[:, [d]], factors[:, k])
    return model.score(z_test[:, [d]], factors_test[:, k])


def _importance(train, test):
    """Importance `[latent, factors]` of codes to trees, and accuracy `[factors]`."""
    from joblib import Parallel, delayed
    from sklearn.ensemble import GradientBoostingClassifier

    def learn(known, unknown):
        trees = GradientBoostingClassifier(random_state=0).fit(train[0], known)
        return trees.feature_importances_, trees.score(test[0], unknown)

    columns = zip(train[1].T, test[1].T, strict=True)
    # Threads suffice: trees grow outside of Python's lock.
    parallel = Parallel(n_jobs=-1, prefer="threads")
    importance, accuracy = zip(
        *parallel(delayed(learn)(*column) for column in columns), strict=True
    )
    return np.stack(importance, axis=1), accuracy


def _purity(importance):
    """`1 - H(row) / log(columns)`, mean over rows weighted by what they sum to."""
    importance = importance + 1e-11  # a row of zeros is as impure as can be
    share = importance / importance.sum(axis=1, keepdims=True)
    entropy = -np.sum(share * np.log(share), axis=1) / np.log(share.shape[1])
    return float(np.average(1 - entropy, weights=importance.sum(axis=1)))
