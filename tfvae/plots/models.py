"""Pictures of what a model makes: samples, reconstructions, latent walks."""

import math

import numpy as np
from scipy.special import ndtri

from tfvae import checks
from tfvae.plots.images import fit, image_grid


def samples(model, num_samples=64, *, seed=0, **given):
    """Samples of the model: the same seed and weights give the same picture.

    Args:
        model: Has `sample` of images.
        num_samples: Number of images.
        seed: Integer, passed to `model.sample`.
        **given: What the model is conditional on, `y` or `u`, passed on too.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> figure = tfvae.plots.samples(model, 16)
    """
    num_samples = checks.integer(num_samples=num_samples)
    images = model.sample(num_samples, seed=seed, **given)
    return image_grid(np.clip(images, 0, 1), title="Samples")


def reconstructions(model, x):
    """Each image above its reconstruction, a column a pair.

    Args:
        model: Has `reconstruct`.
        x: A few images `[batch, height, width, channels]` in [0, 1].

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> figure = tfvae.plots.reconstructions(model, np.zeros([4, 8, 8, 1]))
    """
    pairs = np.clip(np.concatenate([x, model.reconstruct(x)]), 0, 1)
    labels = ["original", "reconstruction"]
    return image_grid(pairs, columns=len(x), row_labels=labels)


def attribute(model, x, vector, *, amounts=(-1.0, 0.0, 1.0)):
    """Each image above its reconstructions with less and more of an attribute.

    Args:
        model: Has `encode` and `decode`.
        x: A few images `[batch, height, width, channels]` in [0, 1].
        vector: Direction `[latent]`, as `model.attribute_vector` gives it.
        amounts: How much of it each row adds to z.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> x = np.random.default_rng(0).random([4, 8, 8, 1])
        >>> vector = model.attribute_vector(x, [0, 1, 0, 1])
        >>> figure = tfvae.plots.attribute(model, x, vector)
    """
    x = checks.array(np.shape(x)[1:], x=x)
    z = np.asarray(model.encode(x))
    vector = checks.real(vector=vector)
    if vector.shape != z.shape[1:]:
        checks.fail(f"of shape {list(z.shape[1:])}", vector=vector)
    rows = [x, *(model.decode(z + amount * vector) for amount in amounts)]
    labels = ["original", *(f"{amount:+g}" for amount in amounts)]
    images = np.clip(np.concatenate(rows), 0, 1)
    return image_grid(images, columns=len(x), row_labels=labels)


def completions(model, x, observed, *, num_completions=6, seed=0):
    """Rows of an image, what is observed of it, and draws of the rest.

    Args:
        model: Has `complete`.
        x: A few images `[batch, height, width, channels]` in [0, 1].
        observed: Booleans that broadcast to the shape of x.
        num_completions: Draws for each image.
        seed: Integer, passed to `model.complete`.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> model = tfvae.MADE(tfvae.layers.MaskedAutoencoder((8, 8, 1)))
        >>> upper = np.arange(8)[:, None, None] < 4
        >>> figure = tfvae.plots.completions(model, np.zeros([2, 8, 8, 1]), upper)
    """
    x, count = np.asarray(x), checks.integer(num_completions=num_completions)
    observed = checks.booleans(x.shape, observed=observed)
    repeated = [np.repeat(a, count, axis=0) for a in (x, observed)]
    drawn = np.reshape(
        model.complete(*repeated, seed=seed), [len(x), count, *x.shape[1:]]
    )
    rows = np.concatenate([np.stack([x, np.where(observed, x, 0.5)], 1), drawn], 1)
    labels = ["original", "observed", *[""] * count]
    images = np.clip(rows.reshape(-1, *x.shape[1:]), 0, 1)
    return image_grid(images, columns=count + 2, column_labels=labels)


def interpolations(model, x_start, x_end, *, steps=10):
    """Straight lines between latents, decoded: `z(t) = (1 - t) z_start + t z_end`.

    Args:
        model: Has `encode` and `decode`.
        x_start: Images `[batch, *event_shape]` whose latents start the rows.
        x_end: As many images, whose latents end the rows.
        steps: Images in a row, both ends included.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> figure = tfvae.plots.interpolations(model, *np.zeros([2, 3, 8, 8, 1]))
    """
    start, end = (np.asarray(model.encode(x)) for x in (x_start, x_end))
    if len(start) != len(end):
        checks.fail(f"len(x_start)={len(start)}", **{"len(x_end)": len(end)})
    t = np.linspace(0, 1, checks.integer(steps=steps, minimum=2))
    z = start[:, None] + t[:, None] * (end - start)[:, None]  # [batch, steps, latent]
    labels = [f"{step:.2f}" for step in t]
    return _decoded(model, z, title="Interpolations", column_labels=labels)


def traversals(model, z=None, *, dimensions=None, span=3.0, steps=9):
    """One latent moves along each row, the others stay where they are.

    Args:
        model: Has `decode`.
        z: Where to start, `[latent]` or `[1, latent]`, for instance
            `model.encode(x[:1])`; by default the origin.
        dimensions: Which latents move, one a row; by default all.
        span: The moving latent takes values from `-span` to `span`.
        steps: Images in a row.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> figure = tfvae.plots.traversals(model, steps=5)
    """
    z = np.zeros(model.latent_dim) if z is None else z
    z = checks.array([model.latent_dim], z=np.atleast_2d(z))
    if len(z) != 1:
        checks.fail("1", hint="Take z[:1].", **{"len(z)": len(z)})
    dimensions = range(model.latent_dim) if dimensions is None else dimensions
    dimensions = checks.integers(dimensions=list(dimensions), minimum=0)
    if max(dimensions) >= model.latent_dim:
        checks.fail(f"below latent_dim={model.latent_dim}", dimensions=dimensions)
    span = checks.number(span=span, minimum=0)
    values = np.linspace(-span, span, checks.integer(steps=steps, minimum=2))
    rows = np.tile(z, [len(dimensions), steps, 1])
    rows[range(len(dimensions)), :, dimensions] = values
    labels = {
        "row_labels": [f"$z_{{{i}}}$" for i in dimensions],
        "column_labels": [f"{value:.2f}" for value in values],
    }
    return _decoded(model, rows, title="Latent traversals", **labels)


def manifold(model, *, size=20):
    """The decoded plane of two latents, equally spaced in probability.

    Each latent takes the values `Phi^-1((i + 0.5) / size)`, where `Phi` is the standard
    normal CDF; z_0 grows to the right and z_1 upwards.

    Args:
        model: Has `decode` and two latents.
        size: Images in a row and in a column.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
        >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
        >>> figure = tfvae.plots.manifold(model, size=10)

    References:
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, figure 4.
        https://arxiv.org/abs/1312.6114
    """
    if model.latent_dim != 2:
        hint = "For more latents see `tfvae.plots.traversals`."
        checks.fail("2", hint=hint, **{"model.latent_dim": model.latent_dim})
    values = ndtri((np.arange(checks.integer(size=size)) + 0.5) / size)
    z = np.stack(np.meshgrid(values, values[::-1]), axis=-1)  # [row, column, 2]
    step = math.ceil(size / 20)  # labels closer than this would overlap
    labels = [f"{v:.1f}" if i % step == 0 else "" for i, v in enumerate(values)]
    figure = _decoded(model, z, row_labels=labels[::-1], column_labels=labels, gap=0)
    (axes,) = figure.axes
    axes.set(xlabel="$z_0$", ylabel="$z_1$")
    return fit(axes)


def _decoded(model, z, **labels):
    images = model.decode(z.reshape(-1, z.shape[-1]).astype("float32"))
    return image_grid(np.clip(images, 0, 1), columns=z.shape[1], **labels)
