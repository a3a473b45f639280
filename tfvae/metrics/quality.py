"""How near generated examples are to data, in the features of a network."""

import collections

import keras
import numpy as np

from tfvae import checks
from tfvae.metrics.identifiability import matrix

PrecisionRecall = collections.namedtuple("PrecisionRecall", ["precision", "recall"])


def frechet_distance(real, generated, network=None):
    """Frechet distance of two Gaussians fitted to features, the FID of a network.

    `|m - m'|**2 + tr(C + C' - 2 (C C')**(1/2))` with means m, m' and covariances C, C'.
    0 for equal ones; from finite data it is biased upwards, so give both sides as many
    rows as in what you compare with, and compute that of two halves of the data too.

    Args:
        real: Data, `[rows, ...]`; without a network features `[rows, features]`.
        generated: The same of what was generated.
        network: A Keras model to features `[batch, features]`, such as an inner layer
            of a classifier.

    Returns:
        A float of 0 or more, in squared units of the features.

    Raises:
        TypeError: Where an array holds no real numbers.
        ValueError: Where features are not finite and `[rows, features]` of two rows or
            more, or differ in number.

    Example:
        >>> x = np.random.default_rng(0).normal(size=[1000, 3])
        >>> round(tfvae.metrics.frechet_distance(x, x + [2, 0, 0]), 3)
        4.0

    References:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local
        Nash Equilibrium, 2017, https://arxiv.org/abs/1706.08500
    """
    real, generated = _features(real, generated, network)
    means = real.mean(axis=0), generated.mean(axis=0)
    a, b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (real, generated))
    root = _root(a)
    # C C' has the eigenvalues of a symmetric matrix, which may be singular.
    both = np.linalg.eigvalsh(root @ b @ root).clip(min=0)
    square = np.sum((means[0] - means[1]) ** 2)
    return max(0.0, float(square + np.trace(a) + np.trace(b) - 2 * np.sum(both**0.5)))


def inception(event_shape, weights="imagenet"):
    """Keras's InceptionV3 from images in [0, 1] to 2048 features, for the metrics here.

    Images are stretched to 299 x 299, grey ones put into three channels. Its weights
    are not those of the original FID: compare with figures of this network alone.

    Args:
        event_shape: `(height, width, channels)` of the images, 1 or 3 channels.
        weights: As in `keras.applications.InceptionV3`: `"imagenet"` (downloaded where
            it was not before), a file of weights, or None, at random.

    Returns:
        A `keras.Model` to `[batch, 2048]`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where the shape is no image's, or `weights` are unknown.
        ConnectionError: Where the weights cannot be downloaded.

    Example:
        >>> network = tfvae.metrics.inception((28, 28, 1), weights=None)
        >>> network.output_shape
        (None, 2048)

    References:
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015,
        https://arxiv.org/abs/1512.00567
    """
    shape = checks.image_shape(event_shape=event_shape)
    if shape[-1] not in (1, 3):
        checks.fail("of 1 or 3 channels", event_shape=event_shape)
    options = {"include_top": False, "pooling": "avg", "weights": weights}
    try:
        network = keras.applications.InceptionV3(**options, input_shape=(299, 299, 3))
    except ValueError:
        raise
    except Exception as error:  # all that Keras raises for an address out of reach
        raise ConnectionError(
            f"`weights` must be a file where they cannot be downloaded. {error}"
        ) from error
    x = inputs = keras.Input(shape)
    x = keras.layers.Resizing(299, 299)(x)
    x = keras.layers.Concatenate()([x, x, x]) if shape[-1] == 1 else x
    return keras.Model(inputs, network(keras.layers.Rescaling(2.0, -1.0)(x)))


def precision_recall(real, generated, network=None, *, k=3):
    """Shares of what was generated that looks like data, and of data that it reaches.

    A point lies in a set's support where it is within the distance of a point of the
    set to its k-th neighbour in the set. Precision is the share of generated points in
    the support of the data, recall the share of data in that of the generated.

    Args:
        real: As in `frechet_distance`.
        generated: As in `frechet_distance`.
        network: As in `frechet_distance`.
        k: Which neighbour.

    Returns:
        `PrecisionRecall(precision, recall)`, floats in [0, 1].

    Raises:
        TypeError: As `frechet_distance`.
        ValueError: As `frechet_distance`, and where a side has no more than k rows.

    Example:
        >>> x = np.random.default_rng(0).normal(size=[500, 2])
        >>> tfvae.metrics.precision_recall(x, x[:1] + np.zeros([500, 2]))
        PrecisionRecall(precision=1.0, recall=0.002)

    References:
        Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing
        Generative Models, 2019, https://arxiv.org/abs/1904.06991
    """
    real, generated = _features(real, generated, network)
    k = checks.integer(maximum=min(len(real), len(generated)) - 1, k=k)
    return PrecisionRecall(
        _share_within(generated, real, k), _share_within(real, generated, k)
    )


def modes_covered(labels, num_classes, *, least=0.1):
    """How many classes the generated examples fall into often enough.

    Args:
        labels: Classes of generated examples, as a classifier sees them, `[rows]`.
        num_classes: Number of classes.
        least: Share of its even part, `1 / num_classes`, that a class needs.

    Returns:
        An int.

    Raises:
        TypeError: Where the labels are no integers.
        ValueError: Where one is out of range.

    Example:
        >>> tfvae.metrics.modes_covered([0] * 50 + [1] * 49 + [2], 3)
        2
    """
    num_classes = checks.integer(num_classes=num_classes)
    labels = checks.labels(num_classes, np.size(labels), labels=labels)
    least = checks.number(minimum=0, maximum=1, least=least)
    counts = np.bincount(labels, minlength=num_classes)
    return int(np.sum(counts >= max(1, least * len(labels) / num_classes)))


def sharpness(x):
    """Mean variance of the Laplacian of images: less where they are blurred.

    The Laplacian is `4 x - ` the sum of the four neighbours, inside the image.

    Args:
        x: Images `[batch, height, width, channels]`.

    Returns:
        A float, in squared units of x.

    Raises:
        TypeError: Where x holds no real numbers.
        ValueError: Where it is of another shape.

    Example:
        >>> tfvae.metrics.sharpness(np.ones([2, 8, 8, 1]))
        0.0
    """
    x = checks.real(x=x).astype("float64")
    if x.ndim != 4 or min(x.shape[1:3]) < 3 or not len(x):
        checks.fail("images [batch, height, width, channels]", x=x)
    if not np.isfinite(x).all():
        checks.fail("finite", x=x)
    inner = 4 * x[:, 1:-1, 1:-1]
    inner -= x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return float(inner.var(axis=(1, 2)).mean())


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * values.clip(min=0) ** 0.5) @ vectors.T


def _features(real, generated, network):
    if network is not None:
        checks.instance(keras.Model, "a Keras model or None", network=network)
        real, generated = (
            _predicted(network, **side)
            for side in ({"real": real}, {"generated": generated})
        )
    real, generated = matrix(real=real), matrix(generated=generated)
    if real.shape[1] != generated.shape[1]:
        shape = f"of shape {list(generated.shape)}"
        checks.fail(f"of {real.shape[1]} features, as real", generated=shape)
    return real, generated


def _predicted(network, **side):
    """Features of the rows of one side, an array by its name."""
    ((name, x),) = side.items()
    known = getattr(network, "inputs", None)
    shape = known[0].shape[1:] if known else np.shape(x)[1:]
    x = checks.array(shape, **side)
    if not len(x):
        checks.fail("of two rows or more", **{name: f"of shape {list(x.shape)}"})
    features = network.predict(x, verbose=0)
    if features.ndim != 2:
        hint = "Flatten or pool its output."
        shape = f"to {list(features.shape)}"
        checks.fail("to [batch, features]", hint=hint, network=shape)
    return features


def _share_within(points, of, k):
    """Share of points within the k-th neighbour's distance of one `of` a set."""
    from scipy.spatial.distance import cdist
    from sklearn.neighbors import NearestNeighbors

    radii = NearestNeighbors(n_neighbors=k + 1).fit(of).kneighbors(of)[0][:, -1]
    parts = np.array_split(points, -(-len(points) // 1000))
    return float(
        np.mean(np.concatenate([(cdist(p, of) <= radii).any(1) for p in parts]))
    )
