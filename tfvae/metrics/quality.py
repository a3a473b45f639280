"""Distances of generated examples from data, in the features of a network."""

import functools
from typing import Annotated, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from tfvae import checks
from tfvae.checks import ImageShape, PositiveInt
from tfvae.metrics.identifiability import matrix

Share = Annotated[float, functools.partial(checks.number, minimum=0, maximum=1)]
Network = Annotated[
    keras.Model,
    functools.partial(checks.instance, keras.Model, "a Keras model or None"),
]


class PrecisionRecall(NamedTuple):
    """Precision and recall of generated examples, each a float in [0, 1]."""

    precision: float
    recall: float


@checks.checked
def frechet_distance(
    real: npt.ArrayLike, generated: npt.ArrayLike, network: Network | None = None
) -> float:
    """Frechet distance of two Gaussians fitted to features: FID, with any network.

    `|m - m'|**2 + tr(C + C' - 2 (C C')**(1/2))` with means m, m' and covariances C, C',
    in squared units of the features; 0 if they are equal. Finite data bias it upwards:
    compare distances from equal numbers of rows only, and compute the distance of two
    halves of the data too.

    Args:
        real: Data, `[rows, ...]`; without a network features `[rows, features]`.
        generated: Generated data in the same form.
        network: Model to `[batch, features]`: a classifier without its last layer.

    Example:
        >>> x = np.random.default_rng(0).normal(size=[1000, 3])
        >>> round(tfvae.metrics.frechet_distance(x, x + [2, 0, 0]), 3)
        4.0

    References:
        Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local
        Nash Equilibrium, 2017, https://arxiv.org/abs/1706.08500
    """
    real, generated = _features(real, generated, network)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    a, b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (real, generated))
    values, vectors = np.linalg.eigh(a)
    root = (vectors * values.clip(min=0) ** 0.5) @ vectors.T
    # C C' has the eigenvalues of a symmetric matrix, which may be singular.
    both = np.linalg.eigvalsh(root @ b @ root).clip(min=0)
    square = np.sum(shift**2) + np.trace(a) + np.trace(b) - 2 * np.sum(both**0.5)
    return max(0.0, float(square))


@checks.checked
def inception(event_shape: ImageShape, weights: str | None = "imagenet") -> keras.Model:
    """Keras's InceptionV3 from images in [0, 1] to features `[batch, 2048]`.

    A network for `frechet_distance` and `precision_recall`. Images are stretched to
    299 x 299, and grey images are repeated in three channels. Its weights are not those
    of the original FID: compare with figures from this network only.

    Args:
        event_shape: `(height, width, channels)` of the images, 1 or 3 channels.
        weights: As in `keras.applications.InceptionV3`: `"imagenet"` (downloaded once,
            or a ConnectionError), a file of weights, or None for random weights.

    Example:
        >>> tfvae.metrics.inception((28, 28, 1), weights=None).output_shape
        (None, 2048)

    References:
        Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015,
        https://arxiv.org/abs/1512.00567
    """
    if event_shape[-1] not in (1, 3):
        checks.fail("of 1 or 3 channels", event_shape=event_shape)
    options = {"include_top": False, "pooling": "avg", "weights": weights}
    try:
        network = keras.applications.InceptionV3(**options, input_shape=(299, 299, 3))
    except ValueError:
        raise
    except Exception as error:  # Keras raises a bare Exception if a download fails
        raise ConnectionError(
            f"`weights` must be a file where they cannot be downloaded. {error}"
        ) from error
    x = inputs = keras.Input(event_shape)
    x = keras.layers.Resizing(299, 299)(x)
    x = keras.layers.Concatenate()([x, x, x]) if event_shape[-1] == 1 else x
    return keras.Model(inputs, network(keras.layers.Rescaling(2.0, -1.0)(x)))


@checks.checked
def precision_recall(
    real: npt.ArrayLike,
    generated: npt.ArrayLike,
    network: Network | None = None,
    *,
    k: int = 3,
) -> PrecisionRecall:
    """Share of generated points among the data, and of data among the generated.

    The support of a set is the union of balls around its points, each reaching to the
    k-th neighbour in the set; k must be less than the rows of either side. Precision is
    the share of generated points in the support of the data; recall is the share of
    data in the support of the generated points. The other arguments are those of
    `frechet_distance`.

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
    precision, recall = _share(generated, real, k), _share(real, generated, k)
    return PrecisionRecall(precision, recall)


@checks.checked
def modes_covered(
    labels: npt.ArrayLike, num_classes: PositiveInt, *, least: Share = 0.1
) -> int:
    """Number of classes that hold enough generated examples.

    A class needs `least * rows / num_classes` of them, and one at the least. The labels
    `[rows]` of the generated examples are predicted by a classifier.

    Example:
        >>> tfvae.metrics.modes_covered([0] * 50 + [1] * 49 + [2], 3)
        2
    """
    labels = checks.labels(num_classes, np.size(labels), labels=labels)
    counts = np.bincount(labels, minlength=num_classes)
    return int(np.sum(counts >= max(1, least * len(labels) / num_classes)))


def sharpness(x: npt.ArrayLike) -> float:
    """Mean variance of the Laplacian of images, in squared units of x; low for blur.

    The Laplacian is `4 x` less the sum of the four neighbours, at inner pixels of
    images `[batch, height, width, channels]`.

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


def _features(
    real: npt.ArrayLike, generated: npt.ArrayLike, network: keras.Model | None
) -> tuple[np.ndarray, np.ndarray]:
    """Features `[rows, features]` of both sides."""
    if network is not None:
        real = _predicted(network, real=real)
        generated = _predicted(network, generated=generated)
    real, generated = matrix(real=real), matrix(generated=generated)
    if real.shape[1] != generated.shape[1]:
        shape = f"of shape {list(generated.shape)}"
        checks.fail(f"of {real.shape[1]} features, as real", generated=shape)
    return real, generated


def _predicted(network: keras.Model, **side: npt.ArrayLike) -> np.ndarray:
    """Features of the one named array."""
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


def _share(points: np.ndarray, data: np.ndarray, k: int) -> float:
    """Share of points in the support of the data, see `precision_recall`."""
    from scipy.spatial.distance import cdist
    from sklearn.neighbors import NearestNeighbors

    radii = NearestNeighbors(n_neighbors=k + 1).fit(data).kneighbors(data)[0][:, -1]
    parts = np.array_split(points, -(-len(points) // 1000))
    within = [(cdist(part, data) <= radii).any(1) for part in parts]
    return float(np.mean(np.concatenate(within)))
