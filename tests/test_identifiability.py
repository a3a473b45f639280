import itertools

import numpy as np
import pytest
import scipy.stats
import sklearn.cross_decomposition

from tfvae.metrics import align, mcc

METHODS = ["pearson", "spearman"]


def made_up(columns=3, rows=500, seed=0):
    return np.random.default_rng(seed).laplace(size=[rows, columns])


def mixed(sources, seed=1):
    """Sources under a rotation."""
    shape = [sources.shape[1]] * 2
    return sources @ np.linalg.qr(np.random.default_rng(seed).normal(size=shape))[0]


@pytest.mark.parametrize("linear_map", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_mcc_ignores_order_sign_scale_and_shift(method, linear_map):
    sources = made_up()
    z = sources[:, [2, 0, 1]] * [-1, 1e-3, 1e6] + [5, -1e3, 0]
    assert mcc(z, sources, method=method, linear_map=linear_map) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_mcc_is_the_best_of_all_matchings_of_scipys_correlations(method):
    sources, z = made_up(), mixed(made_up()) + made_up(seed=2)
    z, sources = np.round(z), np.round(sources)  # many ties
    function = {"pearson": scipy.stats.pearsonr, "spearman": scipy.stats.spearmanr}
    correlation = [[abs(function[method](a, b)[0]) for b in sources.T] for a in z.T]
    orders = itertools.permutations(range(3))
    best = max(np.mean([correlation[i][j] for i, j in enumerate(o)]) for o in orders)
    assert mcc(z, sources, method=method) == pytest.approx(best)


def test_ranks_see_through_monotone_maps():
    sources = made_up()
    z = np.exp(3 * sources[:, ::-1])
    assert mcc(z, sources, method="spearman") == pytest.approx(1)
    assert mcc(z, sources) < 0.7


def test_a_linear_map_is_allowed_only_on_demand():
    sources = made_up()
    assert mcc(mixed(sources), sources) < 0.95
    assert mcc(mixed(sources), sources, linear_map=True) == pytest.approx(1)


def test_weak_form_is_the_mean_canonical_correlation_of_scikit_learn():
    sources = made_up()
    z = mixed(sources) + made_up(seed=2) * [0.1, 1, 3]
    cca = sklearn.cross_decomposition.CCA(3, tol=1e-10, max_iter=10_000)
    pairs = zip(*(side.T for side in cca.fit_transform(z, sources)), strict=True)
    expected = np.mean([scipy.stats.pearsonr(a, b)[0] for a, b in pairs])
    # As far as its iterations converge.
    assert mcc(z, sources, linear_map=True) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("linear_map", [False, True])
def test_noise_scores_low(linear_map):
    noise, sources = made_up(rows=5000, seed=1), made_up(rows=5000)
    assert mcc(noise, sources, linear_map=linear_map) < 0.05


@pytest.mark.parametrize("linear_map", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_constant_columns_count_as_zero(method, linear_map):
    sources = made_up()
    z = np.where([True, False, True], sources, 0.1).astype("float32")
    score = mcc(z, sources, method=method, linear_map=linear_map)
    # Ranks of canonical variables are at most near those of the sources.
    assert score == pytest.approx(2 / 3, abs=0.02)
    assert mcc(0 * z + 0.1, sources, method=method, linear_map=linear_map) == 0


def test_repeated_columns_count_once_in_the_weak_form():
    sources = made_up()
    z = sources[:, [0, 1, 1]] * [1, 1, -2]
    assert mcc(z, sources, linear_map=True) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("linear_map", [False, True])
def test_columns_left_over_have_no_part(linear_map):
    sources = made_up(4)
    more = np.concatenate([made_up(2, seed=3), -sources], axis=1)
    assert mcc(more, sources, linear_map=linear_map) == pytest.approx(1)
    assert mcc(sources[:, :2], sources, linear_map=linear_map) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_align_gives_the_sources_back(method):
    sources = made_up()
    z = sources[:, [2, 0, 1]] * [-1, 1e-3, 1e6] + [5, -1e3, 0]
    np.testing.assert_allclose(align(z, sources, method=method), sources, atol=1e-9)


def test_align_is_the_least_squares_fit_of_the_matched_latent():
    sources = made_up()
    z = -sources[:, [1, 2, 0]] + made_up(seed=2)
    fits = [np.polyval(np.polyfit(z[:, d], sources[:, j], 1), z[:, d])
            for j, d in enumerate([2, 0, 1])]  # fmt: skip
    np.testing.assert_allclose(align(z, sources), np.stack(fits, axis=1), atol=1e-9)


def test_align_leaves_the_mean_where_no_latent_is_left():
    sources = made_up()
    aligned = align(sources[:, [2, 0]], sources)
    np.testing.assert_allclose(aligned[:, [0, 2]], sources[:, [0, 2]], atol=1e-9)
    np.testing.assert_allclose(aligned[:, 1], sources[:, 1].mean())


@pytest.mark.parametrize("function", [mcc, align])
@pytest.mark.parametrize(
    ("z", "sources", "error", "message"),
    [
        (np.zeros(5), np.zeros([5, 2]), ValueError, r"`z` must be of shape \[rows, co"),
        (np.zeros([5, 0]), np.zeros([5, 2]), ValueError, r"of shape \[5, 0\]"),
        (np.zeros([1, 2]), np.zeros([1, 2]), ValueError, "two rows or more"),
        (np.zeros([5, 2]), np.zeros([4, 2]), ValueError, "`sources` must be of 5 rows"),
        (np.full([5, 2], np.nan), np.zeros([5, 2]), ValueError, "`z` must be finite"),
        (np.zeros([5, 2]), np.full([5, 2], np.inf), ValueError, "`sources` must be fi"),
        (np.zeros([5, 2]) * 1j, np.zeros([5, 2]), TypeError, "array of real numbers"),
        ([[1, 2], [3]], np.zeros([2, 2]), TypeError, "not rectangular"),
    ],
)
def test_bad_arrays_are_refused(function, z, sources, error, message):
    with pytest.raises(error, match=message):
        function(z, sources)


@pytest.mark.parametrize("function", [mcc, align])
def test_unknown_method_is_refused(function):
    with pytest.raises(ValueError, match="Did you mean 'spearman'"):
        function(made_up(), made_up(), method="spearmen")
