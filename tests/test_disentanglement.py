import functools

import keras
import numpy as np
import pytest
import scipy.stats
import sklearn.svm
from sklearn.ensemble import GradientBoostingClassifier

from tfvae import metrics
from tfvae.metrics import disentanglement, interventions

FEW = {"num_train": 300, "num_eval": 200}
SIZES = (2, 3, 5)


def made_up(rows=3000, sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=rows) for size in sizes], axis=1)


def scaled(factors):
    return (factors - factors.mean(axis=0)) / factors.std(axis=0)


def noise(rows=3000, columns=3):
    return np.random.default_rng(9).normal(size=[rows, columns])


def rotated(factors):
    matrix = np.array([[1, 1, 1], [1, -1, 1], [1, 1, -1]])  # each code has each factor
    return scaled(factors) @ matrix / 3**0.5


def disentangled(z, factors, **arguments):
    scores = metrics.dci(z, factors, num_train=300, num_test=300, **arguments)
    return scores.disentanglement


SCORES = {
    "mig": metrics.mig,
    "sap": metrics.sap,
    "dci": disentangled,
    "factor": functools.partial(metrics.factor_vae_score, **FEW),
    "beta": functools.partial(metrics.beta_vae_score, **FEW),
}
# Of codes that are the factors themselves; of SAP see the test of its own.
BEST = {"mig": 0.97, "sap": 0.35, "dci": 0.97, "factor": 0.99, "beta": 0.97}
CHANCE = {"mig": 0.01, "sap": 0.03, "dci": 0.3, "factor": 0.45, "beta": 0.45}

every_score = pytest.mark.parametrize("name", SCORES)


@every_score
def test_factors_themselves_score_best(name):
    assert SCORES[name](scaled(made_up()), made_up()) > BEST[name]


@every_score
def test_order_and_sign_of_codes_do_not_matter(name):
    z = -scaled(made_up())[:, [2, 0, 1]]
    assert SCORES[name](z, made_up()) > BEST[name]


@pytest.mark.parametrize("name", ["mig", "dci", "factor"])
def test_scale_of_codes_does_not_matter(name):
    z = scaled(made_up())
    expected = SCORES[name](z, made_up())
    # Powers of two keep every comparison of floats.
    assert SCORES[name](z * [1024, 4, 2], made_up()) == pytest.approx(expected)


@every_score
def test_noise_scores_at_chance(name):
    assert SCORES[name](noise(), made_up()) < CHANCE[name]


@pytest.mark.parametrize("name", ["mig", "sap", "dci"])
def test_rotated_factors_score_low(name):
    assert SCORES[name](rotated(made_up()), made_up()) < BEST[name] / 2


def test_beta_vae_score_saturates_on_codes_far_from_disentangled():
    z = scaled(made_up()) @ (np.eye(3) + 0.5)
    assert metrics.beta_vae_score(z, made_up(), num_train=3000, num_eval=500) > 0.95
    assert metrics.mig(z, made_up()) < 0.6


@every_score
def test_a_constant_code_does_not_disturb_the_others(name):
    z = np.concatenate([np.full([3000, 1], 0.1), scaled(made_up())], axis=1)
    assert SCORES[name](z, made_up()) > BEST[name]


@every_score
def test_constant_codes_alone_score_at_chance(name):
    # Logistic regression names one of three factors for all points.
    most = 0.35 if name == "beta" else 1e-6
    assert SCORES[name](np.full([3000, 2], 1e17), made_up()) <= most


@every_score
def test_noise_beside_good_codes_does_not_disturb_them(name):
    z = np.concatenate([noise(columns=2), scaled(made_up())], axis=1)
    assert SCORES[name](z, made_up()) > BEST[name] - 0.1


@every_score
def test_factors_that_never_vary_are_left_out(name):
    factors = np.concatenate([np.full([3000, 1], 7), made_up()], axis=1)
    z = scaled(made_up())
    assert SCORES[name](z, factors) == SCORES[name](z, made_up())


@every_score
def test_values_of_factors_are_labels(name):
    z, values = scaled(made_up()), np.array([-5, 3, 100, 7, 11.0])
    assert SCORES[name](z, values[made_up()]) > BEST[name]


@pytest.mark.parametrize("name", ["sap", "dci", "factor", "beta"])
def test_scores_repeat_with_their_seed(name):
    factors = made_up(1000)
    z = rotated(factors) + noise(1000)
    first = SCORES[name](z, factors, seed=-1)
    assert first == SCORES[name](z, factors, seed=-1)
    generator = keras.random.SeedGenerator(1)
    assert first != SCORES[name](z, factors, seed=generator)


def test_mig_agrees_with_information_from_entropies():
    z, factors = rotated(made_up()) + 0.1 * noise(), made_up()
    bins = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in z.T]

    def entropy(*columns):
        counts = np.unique(np.stack(columns), axis=1, return_counts=True)[1]
        return scipy.stats.entropy(counts)

    def information(a, b):
        return entropy(a) + entropy(b) - entropy(a, b)

    gaps = []
    for f in factors.T:
        *_, second, first = sorted(information(f, b) for b in bins)
        gaps.append((first - second) / entropy(f))
    assert metrics.mig(z, factors) == pytest.approx(np.mean(gaps))


def test_sap_of_the_factor_of_two_values_is_one_less_chance():
    factors = made_up(sizes=(2, 2))
    # Accuracies of 1,500 rows: five standard errors.
    assert metrics.sap(scaled(factors), factors) == pytest.approx(0.5, abs=0.065)


def test_sap_agrees_with_a_plain_loop():
    z, factors = rotated(made_up()) + 0.1 * noise(), made_up()
    order = disentanglement.generator(3).permutation(3000)
    train, test = order[:1500], order[1500:]
    scores = np.zeros([3, 3])
    for d, k in np.ndindex(3, 3):
        model = sklearn.svm.LinearSVC(C=0.01, class_weight="balanced")
        guess = model.fit(z[train][:, [d]], factors[train, k]).predict(z[test][:, [d]])
        scores[d, k] = np.mean(guess == factors[test, k])
    scores.sort(axis=0)
    assert metrics.sap(z, factors, seed=3) == np.mean(scores[2] - scores[1])


def test_dci_agrees_with_a_plain_loop():
    z, factors = rotated(made_up(600)) + 0.1 * noise(600), made_up(600)
    order = disentanglement.generator(3).permutation(600)
    train, test = order[:300], order[300:500]
    importance, accuracy = np.zeros([3, 3]), []
    for k in range(3):
        model = GradientBoostingClassifier(random_state=0)
        model.fit(z[train], factors[train, k])
        importance[:, k] = model.feature_importances_
        accuracy.append(np.mean(model.predict(z[test]) == factors[test, k]))
    entropies = [scipy.stats.entropy(importance, base=3, axis=axis) for axis in (1, 0)]
    weights = [importance.sum(axis=axis) / 3 for axis in (1, 0)]
    expected = [w @ (1 - h) for w, h in zip(weights, entropies, strict=True)]
    scores = metrics.dci(z, factors, num_train=300, num_test=200, seed=3)
    np.testing.assert_allclose(scores, [*expected, np.mean(accuracy)], atol=1e-8)


def test_dci_tells_disentanglement_from_completeness():
    z = np.repeat(scaled(made_up(600)), 2, axis=1) + 0.01 * noise(600, 6)
    scores = metrics.dci(z, made_up(600))
    assert scores.disentanglement > 0.95  # each code has one factor,
    assert scores.completeness < 0.8  # and each factor two codes
    assert scores.informativeness > 0.95


@pytest.mark.parametrize(
    ("rows", "numbers", "train", "test"),
    [(90, {}, 60, 30), (90, {"num_train": 20}, 20, 70), (90, {"num_test": 9}, 81, 9),
     (90, {"num_train": 20, "num_test": 9}, 20, 9), (91, {}, 60, 31)],
)  # fmt: skip
def test_dci_keeps_a_third_for_the_test(monkeypatch, rows, numbers, train, test):
    seen = []

    def spy(*parts):
        seen.extend(len(z) for z, _ in parts)
        return np.eye(3), [1.0]

    monkeypatch.setattr(disentanglement, "_importance", spy)
    metrics.dci(noise(rows), made_up(rows), **numbers)
    assert seen == [train, test]


def test_rows_drawn_alike_share_the_value_and_cover_it():
    factor, rng = made_up()[:, 2], np.random.default_rng(0)
    rows = rng.integers(3000, size=[500, 64])
    alike = interventions._alike(factor, rows, rng)
    np.testing.assert_array_equal(factor[alike], factor[rows])
    counts = np.bincount(alike.ravel(), minlength=3000)
    # About 10.7 draws of each row: a Poisson number.
    assert counts.min() >= 1
    assert counts.var() == pytest.approx(counts.mean(), rel=0.2)


def plain_votes(z, factors, number, rng):
    """The paper's procedure, vote by vote."""
    votes = np.zeros([factors.shape[1], z.shape[1]])
    for _ in range(number):
        k = rng.integers(factors.shape[1])
        alike = factors[:, k] == factors[rng.integers(len(z)), k]
        batch = z[rng.choice(np.flatnonzero(alike), 64)]
        votes[k, np.argmin(batch.var(axis=0, ddof=1) / z.var(axis=0, ddof=1))] += 1
    return votes


def test_factor_vae_score_agrees_with_a_plain_loop():
    z = scaled(made_up()) @ (np.eye(3) + 0.6) + 4 * noise()
    rng = np.random.default_rng(1)
    votes = plain_votes(z, made_up(), 1000, rng)
    other = plain_votes(z, made_up(), 1000, rng)
    expected = other[votes.argmax(axis=0), range(3)].sum() / 1000
    score = metrics.factor_vae_score(z, made_up(), num_train=5000, num_eval=5000)
    assert 0.4 < score < 0.95
    # Five standard errors of 1,000 votes.
    assert score == pytest.approx(expected, abs=0.08)


def test_factor_vae_score_leaves_collapsed_codes_out():
    z = np.concatenate([scaled(made_up()) * 0.049, noise(columns=1)], axis=1)
    score = functools.partial(metrics.factor_vae_score, factors=made_up(), **FEW)
    assert score(z) < 0.45  # the noise alone is left
    assert score(z * 1.1) > 0.99
    assert score(z[:, :3]) == 0


def test_points_of_the_beta_vae_score_are_near_zero_at_the_shared_factor():
    z = scaled(made_up())
    rng = np.random.default_rng(0)
    points, shared = interventions._differences((z, made_up()), 30, rng)
    np.testing.assert_array_equal(np.bincount(shared), [10, 10, 10])
    np.testing.assert_array_equal(points.argmin(axis=1), shared)
    assert (points[range(30), shared] == 0).all()
    # E |z - z'| of independent pairs for two even values of deviation 1.
    assert points[shared != 0, 0].mean() == pytest.approx(1, abs=0.1)


@every_score
@pytest.mark.parametrize(
    ("z", "factors", "error", "message"),
    [
        (noise(9), made_up(8), ValueError, "`factors` must be of 9 rows, as z"),
        (noise(9), made_up(9) + 0.5, ValueError, "`factors` must be integers"),
        (noise(9) * np.nan, made_up(9), ValueError, "`z` must be finite"),
        (noise(9), made_up(9) * np.nan, ValueError, "`factors` must be finite"),
        (noise(9)[:, 0], made_up(9), ValueError, r"`z` must be of shape \[rows, col"),
        (noise(9), made_up(9)[:, 0], ValueError, r"`factors` must be of shape \[rows"),
        (noise(1), made_up(1), ValueError, "with two rows or more"),
        (noise(9)[:, :1], made_up(9), ValueError, "`z` must be of two columns or more"),
        (noise(9), 0 * made_up(9), ValueError, "columns vary. Received: .*with 0 that"),
        (noise(9), np.full([9, 2], "red"), TypeError, "array of real numbers"),
    ],
)
def test_bad_arrays_are_refused(name, z, factors, error, message):
    with pytest.raises(error, match=message):
        SCORES[name](z, factors)


@pytest.mark.parametrize("name", ["dci", "factor", "beta"])
def test_one_factor_alone_is_refused(name):
    with pytest.raises(ValueError, match="2 or more columns vary"):
        SCORES[name](noise(), made_up(sizes=[3]))


@pytest.mark.parametrize("function", [metrics.factor_vae_score, metrics.beta_vae_score])
def test_numbers_of_points_are_checked(function):
    with pytest.raises(
        ValueError, match="`num_train` must be an integer of at least 3"
    ):
        function(noise(), made_up(), num_train=2)
    with pytest.raises(TypeError, match="`num_eval` must be an integer"):
        function(noise(), made_up(), num_eval=0.5)


def test_numbers_of_rows_are_checked():
    with pytest.raises(
        ValueError, match="`num_train` must be an integer of at least 2"
    ):
        metrics.dci(noise(), made_up(), num_train=1)
    with pytest.raises(ValueError, match="`num_test` must be an integer of at least 1"):
        metrics.dci(noise(), made_up(), num_test=0)


def test_a_factor_constant_in_training_is_refused_where_it_is_needed():
    factors = np.zeros([400, 2], "int64")
    factors[:, 0], factors[0, 1] = np.arange(400) % 2, 1
    with pytest.raises(ValueError, match="with 1 that vary"):
        metrics.dci(noise(400), factors, num_train=4)


@pytest.mark.slow
def test_dci_of_as_many_values_as_dsprites_has():
    factors = made_up(2000, (3, 6, 40, 32, 32))
    scores = metrics.dci(scaled(factors), factors)
    assert min(scores) > 0.8
