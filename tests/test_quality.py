"""Distances of what was generated from data: closed forms, counts, refusals."""

import keras
import numpy as np
import pytest
import scipy.linalg

from tfvae import metrics

RNG = np.random.default_rng(0)


def test_the_frechet_distance_of_gaussians_is_the_closed_form():
    x = RNG.normal(size=[50_000, 3])
    scale, shift = np.array([1.0, 2.0, 0.5]), np.array([1.0, 0.0, -2.0])
    # Of diagonal Gaussians: differences of means and of standard deviations, squared.
    want = np.sum(shift**2) + np.sum((scale - 1) ** 2)
    y = RNG.normal(size=[50_000, 3]) * scale + shift
    assert metrics.frechet_distance(x, y) == pytest.approx(want, rel=0.02)
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    covariances = np.cov(x.T), np.cov(y.T)
    root = np.trace(scipy.linalg.sqrtm(covariances[0] @ covariances[1])).real
    want = np.sum((x.mean(0) - y.mean(0)) ** 2) - 2 * root
    want += np.trace(covariances[0]) + np.trace(covariances[1])
    assert metrics.frechet_distance(x, y) == pytest.approx(want, rel=1e-9)
    turn = np.linalg.qr(RNG.normal(size=[3, 3]))[0]
    turned = metrics.frechet_distance(x @ turn, y @ turn)
    assert turned == pytest.approx(metrics.frechet_distance(x, y), rel=1e-6)


def test_the_frechet_distance_is_symmetric_and_bears_features_without_variance():
    x, y = RNG.normal(size=[2, 100, 4])
    x[:, 3] = y[:, 3] = 0
    there, back = metrics.frechet_distance(x, y), metrics.frechet_distance(y, x)
    assert there == pytest.approx(back, rel=1e-6)
    assert 0 < there < 1


def test_features_come_from_the_network():
    network = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten()])
    x, y = RNG.normal(size=[2, 50, 2, 2]).astype("float32")
    flat = x.reshape(50, 4), y.reshape(50, 4)
    for metric in (metrics.frechet_distance, metrics.precision_recall):
        np.testing.assert_allclose(metric(x, y, network), metric(*flat), rtol=1e-5)


def test_precision_and_recall_tell_missing_modes_from_bad_samples():
    left, right = RNG.normal(size=[2, 500, 2]) * 0.1
    data = np.concatenate([left, right + [5, 0]])
    one_mode = RNG.normal(size=[1000, 2]) * 0.1
    precision, recall = metrics.precision_recall(data, one_mode)
    assert precision > 0.9
    assert 0.4 < recall <= 0.5
    far = metrics.precision_recall(data, one_mode + [0, 90])
    assert far == (0, 0)
    assert metrics.precision_recall(data, data) == (1, 1)


def test_modes_are_counted_where_they_are_not_rare():
    labels = np.repeat([0, 1, 2], [800, 195, 5])
    assert metrics.modes_covered(labels, 4) == 2
    assert metrics.modes_covered(labels, 4, least=0.01) == 3
    assert metrics.modes_covered(labels, 4, least=0.0) == 3


def test_blur_makes_less_sharp():
    x = (RNG.random([5, 16, 16, 1]) > 0.5).astype(float)
    blurred = (x + np.roll(x, 1, axis=1)) / 2
    assert metrics.sharpness(blurred) < 0.7 * metrics.sharpness(x)
    step = np.zeros([1, 4, 6, 1])
    step[:, :, 3:] = 1  # the Laplacian is -1 and 1 at the edge, 0 elsewhere
    assert metrics.sharpness(step) == pytest.approx(0.5)


WRONG = {
    "rank": (lambda: metrics.frechet_distance(np.ones(3), np.ones(3)), "`real` must"),
    "features": (
        lambda: metrics.frechet_distance(np.ones([5, 2]), np.ones([5, 3])),
        "`generated` must be of 2 features",
    ),
    "neighbours": (
        lambda: metrics.precision_recall(np.eye(3), np.eye(3), k=3),
        "`k` must be an integer of at least 1 and of at most 2",
    ),
    "label": (lambda: metrics.modes_covered([0, 9], 3), "`labels` must be labels"),
    "images": (lambda: metrics.sharpness(np.ones([5, 8, 8])), "`x` must be images"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_measured_is_refused(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call()


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_sees_images_scaled_and_in_colour(channels):
    keras.utils.set_random_seed(0)
    network = metrics.inception((8, 9, channels), weights=None)
    x = np.random.default_rng(0).random([2, 8, 9, channels], "float32")
    large = keras.ops.image.resize(x, (299, 299))
    inner = next(layer for layer in network.layers if layer.name == "inception_v3")
    colour = np.broadcast_to(2 * np.asarray(large) - 1, [2, 299, 299, 3])
    want = inner.predict(np.array(colour), verbose=0)
    np.testing.assert_allclose(network.predict(x, verbose=0), want, atol=1e-5)


def test_inception_out_of_reach_asks_for_a_file(monkeypatch):
    def fail(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    with pytest.raises(ConnectionError, match="`weights` must be a file.*URL fetch"):
        metrics.inception((8, 8, 1))
    with pytest.raises(ValueError, match="`event_shape` must be of 1 or 3 channels"):
        metrics.inception((8, 8, 2))
