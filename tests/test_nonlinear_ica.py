"""Artificial data of nonlinear ICA: sources, mixing, seeds and refusals."""

import numpy as np
import pytest

from tfvae.data import load, nonlinear_ica
from tfvae.data.nonlinear_ica import _mixing

FAMILIES = ("normal", "laplace")


def spread(x, u):
    return np.array([x[u == k].std(0) for k in np.unique(u)])


@pytest.mark.parametrize("family", FAMILIES)
def test_standard_deviations_change_with_the_segment(family):
    _, u, s = nonlinear_ica(40, 4_000, family=family)
    scale = spread(s, u)
    # Five standard errors: the fourth moment of Laplace is 6.
    error = 5 * (((6 if family == "laplace" else 3) - 1) / 4 / 4_000) ** 0.5
    assert 0.5 * (1 - error) < scale.min() < 0.7
    assert 2.8 < scale.max() < 3 * (1 + error)
    # The mean of 200 numbers from U(0.5, 3), and five of its standard errors.
    assert abs(scale.mean() - 1.75) < 5 * 0.72 / 200**0.5
    unit = s / scale[u]
    fourth = (unit**4).mean()
    assert fourth == pytest.approx(6 if family == "laplace" else 3, rel=0.05)


def test_families_of_one_seed_have_the_same_scales():
    scales = [
        spread(s, u)
        for _, u, s in (nonlinear_ica(10, 20_000, 2, family=f) for f in FAMILIES)
    ]
    np.testing.assert_allclose(*scales, rtol=0.06)


@pytest.mark.parametrize("means", [False, True])
def test_means_change_where_asked(means):
    _, u, s = nonlinear_ica(40, 2_000, means=means)
    loc = np.array([s[u == k].mean(0) for k in range(40)])
    noise = 5 * 3 / 2_000**0.5
    assert np.abs(loc).max() < 3 * means + noise
    assert (np.abs(loc).mean() > 1) == means


def test_sources_are_uncorrelated_within_a_segment():
    _, u, s = nonlinear_ica(2, 20_000)
    correlation = np.corrcoef(s[u == 1].T)
    np.testing.assert_allclose(correlation, np.eye(5), atol=5 / 20_000**0.5)


def test_rows_are_ordered_by_segment():
    x, u, s = nonlinear_ica(3, 4, 2, data_dim=6)
    assert [x.shape, x.dtype, s.shape, s.dtype] == [(12, 6), "f4", (12, 2), "f4"]
    assert u.dtype == np.int64
    np.testing.assert_array_equal(u, np.repeat([0, 1, 2], 4))


@pytest.mark.parametrize("data_dim", [5, 9])
def test_one_layer_is_linear_and_can_be_undone(data_dim):
    x, _, s = nonlinear_ica(5, 100, num_layers=1, data_dim=data_dim)
    unmixing, _, rank, _ = np.linalg.lstsq(x.astype(float), s, rcond=1e-5)
    assert rank == 5
    np.testing.assert_allclose(x @ unmixing, s, atol=1e-4)  # float32


def test_three_layers_are_undone_layer_by_layer():
    x, _, s = nonlinear_ica(5, 100, 3, data_dim=4)
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(4)[0])
    weights = [_mixing(rng, *shape) for shape in ((3, 3), (3, 3), (3, 4))]
    for i, weight in enumerate(reversed(weights)):
        if i:
            x = np.where(x > 0, x, x / 0.2)
        x = x @ np.linalg.pinv(weight)
    np.testing.assert_allclose(x, s, atol=1e-4)  # float32


def test_more_layers_are_not_linear():
    x, _, s = nonlinear_ica(20, 100)
    _, residual, _, _ = np.linalg.lstsq(x, s)
    assert (residual / len(s) / s.var(0) > 0.01).all()


@pytest.mark.parametrize("shape", [(5, 5), (2, 7), (1, 1)])
def test_mixing_matrices_have_unit_columns_and_good_condition(shape):
    weight = _mixing(np.random.default_rng(0), *shape)
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), 1)
    others = np.random.default_rng(1).uniform(-1, 1, (500, *shape))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    others = np.linalg.cond(others)
    assert (others < np.linalg.cond(weight) - 1e-9).mean() < 0.35


@pytest.mark.parametrize("options", [{}, {"means": True, "noise_scale": 0.1}], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_longer_segments_begin_with_the_shorter_ones(family, options):
    short = nonlinear_ica(7, 50, family=family, seed=2, **options)
    long = nonlinear_ica(7, 80, family=family, seed=2, **options)
    first = np.arange(len(long.x)) % 80 < 50
    for a, b in zip(short, long, strict=True):
        np.testing.assert_allclose(a, b[first], rtol=1e-5, atol=1e-5)
    assert (nonlinear_ica(7, 50, seed=3).x != short.x).all()


def test_noise_is_added_to_the_same_mixtures():
    clean, noisy = (nonlinear_ica(noise_scale=scale) for scale in (0, 0.3))
    np.testing.assert_array_equal(clean.sources, noisy.sources)
    noise = noisy.x - clean.x
    assert noise.std() == pytest.approx(0.3, rel=0.01)
    assert abs(noise.mean()) < 0.003


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_segments": 0}, ValueError, "`num_segments` must be"),
        ({"segment_length": 1.5}, TypeError, "`segment_length` must be"),
        ({"num_sources": 0}, ValueError, "`num_sources` must be"),
        ({"data_dim": 4}, ValueError, "`data_dim` must be an integer of at least 5"),
        ({"num_layers": 0}, ValueError, "`num_layers` must be"),
        ({"family": "laplacian"}, ValueError, "`family` must be.*'laplace'"),
        ({"noise_scale": -1}, ValueError, "`noise_scale` must be"),
        ({"seed": -1}, ValueError, "`seed` must be"),
    ],
)
def test_refusals_name_the_argument(options, error, message):
    with pytest.raises(error, match=message):
        nonlinear_ica(**options)


def test_load_gives_the_segment_as_label():
    splits = load("nonlinear_ica", labels=True, batch_size=1_000)
    assert [len(split) for split in splits] == [40, 8, 10]
    pairs = [batch for split in splits for batch in split]
    x, u = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    want = nonlinear_ica(segment_length=1440)
    assert u.dtype == np.int64
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(x.T), np.eye(5), atol=1e-4)
    # Whitening keeps the distances of Mahalanobis, and each row its segment.
    centred = want.x - want.x.mean(0)
    inverse = np.linalg.inv(np.cov(centred.T))
    wanted = np.einsum("ni,ij,nj->n", centred, inverse, centred)
    got = np.square(x).sum(1)
    np.testing.assert_array_equal(np.sort(u), np.sort(want.u))
    got, wanted = got[np.lexsort((got, u))], wanted[np.lexsort((wanted, want.u))]
    np.testing.assert_allclose(got, wanted, rtol=1e-3)
    with pytest.raises(ValueError, match="lie in .* for binarize='static'"):
        load("nonlinear_ica", binarize="static")
    with pytest.raises(ValueError, match="must be None for nonlinear_ica"):
        load("nonlinear_ica", image_size=(8, 8))
