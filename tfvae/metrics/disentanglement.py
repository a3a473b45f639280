"""Disentanglement scores of codes against known factors of variation.

All follow their papers and disentanglement_lib (Locatello et al., 2018,
https://arxiv.org/abs/1811.12359). They disagree with each other: report several.
"""

import functools
from typing import Annotated, NamedTuple

import numpy as np

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.metrics.identifiability import Matrix, as_many_rows
from tfvae.seeds import Seed

BINS = 20  # of each code, as in disentanglement_lib

# Codes `[rows, latent]` and factors `[rows, factors]` of the same rows.
Rows = tuple[np.ndarray, np.ndarray]


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness, each a float in [0, 1]."""

    disentanglement: float
    completeness: float
    informativeness: float


@checks.checked
def mig(z: Matrix, factors: Matrix) -> float:
    """Mutual information gap: lead of the best code for a factor over the next best.

    `mean over k of (I(z_(1); f_k) - I(z_(2); f_k)) / H(f_k)`, in [0, 1], with the two
    codes most informative about factor k, each cut into 20 bins of equal width. A
    factor of more than 20 values cannot reach 1. Each information comes out too high by
    about `bins * values / (2 * rows)` nats: give thousands of rows.

    Args:
        z: Codes `[rows, latent]`, such as posterior means; two columns or more.
        factors: Integers `[rows, factors]`; factors that never vary are left out.

    Example:
        >>> factors = np.random.default_rng(0).integers(4, size=[5000, 2])
        >>> round(tfvae.metrics.mig(factors[:, ::-1], factors), 2)
        1.0

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders,
        2018, https://arxiv.org/abs/1802.04942
    """
    from sklearn.metrics import mutual_info_score

    factors = varying_labels(z, factors)
    codes = [_bins(code) for code in z.T]
    information = [[mutual_info_score(c, f) for f in factors.T] for c in codes]
    entropy = [mutual_info_score(f, f) for f in factors.T]
    return float(np.mean(_gap(information) / entropy))


@checks.checked
def sap(z: Matrix, factors: Matrix, *, seed: Seed = 0) -> float:
    """Separated attribute predictability: lead of the most predictive code.

    `mean over k of (S_(1)k - S_(2)k)`, in [0, 1]. S_dk is the accuracy, on one half of
    the rows, of a linear support vector machine that learned factor k from code d on
    the other half. A code that does not vary has S = 0, and chance in
    disentanglement_lib. Perfect codes reach 1 less chance for factors of two values,
    and far less for others, as no line tells a middle value from both its neighbours.

    z and factors are those of `mig`; the scale of codes matters. The seed decides how
    rows are split; None draws one.

    Example:
        >>> factors = np.random.default_rng(0).integers(2, size=[2000, 2])
        >>> round(tfvae.metrics.sap(factors, factors), 1)
        0.5

    References:
        Kumar et al., Variational Inference of Disentangled Latent Concepts from
        Unlabeled Observations, 2017, https://arxiv.org/abs/1711.00848
    """
    factors = varying_labels(z, factors)
    half = len(z) // 2
    train, test = _split((z, factors), len(z) - half, half, seed)
    codes, learned = range(z.shape[1]), range(train[1].shape[1])
    scores = [[_svm(d, k, train, test) for k in learned] for d in codes]
    return float(np.mean(_gap(scores)))


@checks.checked
def dci(
    z: Matrix,
    factors: Matrix,
    *,
    num_train: Annotated[int, functools.partial(checks.integer, minimum=2)] = 10_000,
    num_test: PositiveInt = 5_000,
    seed: Seed = 0,
) -> DCI:
    """Disentanglement, completeness, informativeness from importances of codes.

    R_dk is the importance of code d to gradient-boosted trees that learn factor k.
    Disentanglement of code d is `1 - H(R_d / sum_k R_dk) / log(factors)`, averaged over
    codes with weights `sum_k R_dk`. Completeness is the same for each factor over
    codes. Informativeness is the mean accuracy on other rows.

    It grows a hundred trees for each value of each factor. Six codes of 10,000 rows and
    factors of 3, 6, 40, 32 and 32 values take a minute on two cores, 2,000 rows 12 s.

    Arguments are those of `sap`; two or more factors must vary. Trees learn from
    `num_train` rows, 10,000 in disentanglement_lib, and are tested on `num_test`. If
    there are fewer rows than that, a third or more is kept for the test.

    Example:
        >>> factors = np.random.default_rng(0).integers(2, size=[500, 2])
        >>> [round(score, 2) for score in tfvae.metrics.dci(factors, factors)]
        [1.0, 1.0, 1.0]

    References:
        Eastwood and Williams, A Framework for the Quantitative Evaluation of
        Disentangled Representations, 2018, https://openreview.net/forum?id=By-7dz-AZ
    """
    factors = varying_labels(z, factors, least=2)
    num_test = min(num_test, max(len(z) - num_train, (len(z) + 2) // 3))
    num_train = min(num_train, len(z) - num_test)
    rows = _split((z, factors), num_train, num_test, seed, least=2)
    importance, accuracy = _importance(*rows)
    return DCI(_purity(importance), _purity(importance.T), float(np.mean(accuracy)))


def varying_labels(z: np.ndarray, factors: np.ndarray, least: int = 1) -> np.ndarray:
    """Labels from 0 for the factors that vary, which must be `least` or more."""
    if z.shape[1] < 2:
        checks.fail("of two columns or more", z=f"of shape {list(z.shape)}")
    as_many_rows(z, factors=factors)
    if (factors != np.round(factors)).any():
        checks.fail("integers", factors=factors[factors != np.round(factors)][0])
    labels = np.stack([np.unique(f, return_inverse=True)[1] for f in factors.T], axis=1)
    return labels[:, _vary(labels, least)]


def _vary(factors: np.ndarray, least: int) -> np.ndarray:
    """Booleans `[factors]`, True for those that vary, which must be `least` or more."""
    vary = np.ptp(factors, axis=0) > 0
    if vary.sum() < least:
        expected = f"integers of which {least} or more columns vary"
        checks.fail(expected, factors=f"with {vary.sum()} that vary")
    return vary


def generator(seed: Seed) -> np.random.Generator:
    """NumPy's generator for an int, a `keras.random.SeedGenerator` or None."""
    return np.random.default_rng(seeds.rows(seed, 1)[0].numpy().view("uint32"))


def _split(
    data: Rows, num_train: int, num_test: int, seed: Seed, least: int = 1
) -> tuple[Rows, Rows]:
    """Random rows to learn from and others to test on."""
    z, factors = data
    order = generator(seed).permutation(len(z))
    train, test = order[:num_train], order[num_train:][:num_test]
    keep = _vary(factors[train], least)  # nothing is learned about the others
    return (z[train], factors[train][:, keep]), (z[test], factors[test][:, keep])


def _gap(scores: list[list[float]]) -> np.ndarray:
    """Best score less the next of each column."""
    return np.diff(np.sort(scores, axis=0)[-2:], axis=0)[0]


def _bins(code: np.ndarray) -> np.ndarray:
    code = code - code.min()  # so that a constant far from 0 leaves room for bins
    return np.digitize(code, np.histogram_bin_edges(code, BINS)[:-1])


def _svm(d: int, k: int, train: Rows, test: Rows) -> float:
    """Accuracy for factor k of a line through code d."""
    from sklearn.svm import LinearSVC

    (z, factors), (z_test, factors_test) = train, test
    if np.var(z[:, d]) < 1e-12:
        return 0.0
    model = LinearSVC(C=0.01, class_weight="balanced", random_state=0)
    model.fit(z[:, [d]], factors[:, k])
    return model.score(z_test[:, [d]], factors_test[:, k])


def _importance(train: Rows, test: Rows) -> tuple[np.ndarray, tuple[float, ...]]:
    """Importance `[latent, factors]` of codes to trees, and accuracy `[factors]`."""
    from joblib import Parallel, delayed
    from sklearn.ensemble import GradientBoostingClassifier

    def learn(known: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, float]:
        trees = GradientBoostingClassifier(random_state=0).fit(train[0], known)
        return trees.feature_importances_, trees.score(test[0], unknown)

    # Threads suffice: trees grow outside of Python's lock.
    learned = Parallel(n_jobs=-1, prefer="threads")(
        delayed(learn)(*column) for column in zip(train[1].T, test[1].T, strict=True)
    )
    importance, accuracy = zip(*learned, strict=True)
    return np.stack(importance, axis=1), accuracy


def _purity(importance: np.ndarray) -> float:
    """`1 - H(row) / log(columns)`, mean over rows weighted by their sums."""
    from scipy.stats import entropy

    importance = importance + 1e-11  # a row of zeros is as impure as can be
    impurity = entropy(importance, base=importance.shape[1], axis=1)
    return float(np.average(1 - impurity, weights=importance.sum(axis=1)))
