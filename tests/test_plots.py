import numpy as np
import pytest
from scipy.stats import norm

from tfvae import plots


class Linear:
    """Decodes z to an image that shows it: pixel i is `Phi(z_i)`, up to float error."""

    def __init__(self, latent_dim):
        self.latent_dim = latent_dim

    def encode(self, x):
        return norm.ppf(np.reshape(x, [len(x), -1])[:, : self.latent_dim])

    def decode(self, z):
        x = np.zeros([len(z), 4, 4, 1])
        x.reshape(len(z), -1)[:, : self.latent_dim] = norm.cdf(z)
        return x

    def reconstruct(self, x):
        return self.decode(self.encode(x))

    def sample(self, num_samples, seed=None):
        rng = np.random.default_rng(seed)
        return self.decode(rng.normal(size=[num_samples, self.latent_dim]))


def cells(figure, rows, columns, gap=2):
    """The images in a grid of 4 x 4 images, `[rows, columns, 4, 4, ...]`."""
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    height, width = (np.array(pixels.shape[:2]) + gap) // (rows, columns)
    zoom = (height - gap) // 4
    return np.array(
        [
            [
                pixels[r * height :, c * width :][: 4 * zoom : zoom, : 4 * zoom : zoom]
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def images(count, channels=1):
    shape = [count, 4, 4, channels]
    return np.random.default_rng(0).uniform(0.01, 0.99, shape).astype("float32")


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_places_image_i_in_row_i_over_columns_and_blanks_the_rest(channels):
    x = images(5, channels)
    drawn = cells(plots.image_grid(x, columns=3), 2, 3).reshape(6, 4, 4, channels)
    np.testing.assert_array_equal(drawn[:5], x)
    np.testing.assert_array_equal(drawn[5], 1)


def test_grid_is_saved_pixel_for_pixel(tmp_path):
    from matplotlib.image import imread

    figure = plots.image_grid(images(9), title="Noise", row_labels=["a", "b", "c"])
    figure.savefig(tmp_path / "grid.png")
    saved = np.round(imread(tmp_path / "grid.png")[..., 0] * 255)
    canvas = np.asarray(figure.axes[0].images[0].get_array())
    box = figure.axes[0].get_window_extent()
    top, left = len(saved) - round(box.y1), round(box.x0)
    found = saved[top:, left:][: len(canvas), : canvas.shape[1]]
    np.testing.assert_allclose(found, canvas * 255, atol=2)  # 256 greys


def test_labels_stand_at_the_centres_of_rows_and_columns():
    figure = plots.image_grid(images(4), columns=2, column_labels=["a", "b"])
    pixels = figure.axes[0].images[0].get_array().shape[1]
    low, high = figure.axes[0].get_xticks()
    assert 0 < low < pixels / 2 < high < pixels


def test_samples_are_fixed_by_their_seed():
    drawn = [cells(plots.samples(Linear(3), 4, seed=s), 2, 2) for s in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])


def test_reconstructions_stand_below_the_originals():
    x, model = images(3), Linear(2)
    above, below = cells(plots.reconstructions(model, x), 2, 3)
    np.testing.assert_allclose(above, x[..., 0])
    np.testing.assert_allclose(below, model.reconstruct(x)[..., 0], rtol=1e-6)


def test_an_attribute_is_added_in_rows_below_the_originals():
    model, x, vector = Linear(3), images(2), np.array([1.0, 0.0, -2.0])
    figure = plots.attribute(model, x, vector, amounts=[-0.5, 0.5])
    above, *below = cells(figure, 3, 2)
    np.testing.assert_allclose(above, x[..., 0])
    z = [model.encode(row) for row in below]
    np.testing.assert_allclose(z[1] - z[0], [vector] * 2, atol=1e-4)  # float32 pixels
    np.testing.assert_allclose(z[0] + z[1], 2 * model.encode(x), atol=1e-4)


def test_completions_keep_what_is_observed_and_draw_the_rest():
    class Filler:
        def complete(self, x, observed, seed):
            return np.where(observed, x, seed)

    x, left = images(2), np.arange(4)[:, None] < 2
    figure = plots.completions(Filler(), x, left, num_completions=2, seed=1)
    drawn, left = cells(figure, 2, 4), left[..., 0]
    for original, (first, observed, *completed) in zip(x[..., 0], drawn, strict=True):
        np.testing.assert_allclose(first, original, atol=1e-6)
        np.testing.assert_allclose(observed, np.where(left, original, 0.5), atol=1e-6)
        np.testing.assert_allclose(completed, [np.where(left, original, 1)] * 2)


def test_interpolations_are_straight_in_latent_space():
    model, x = Linear(2), images(4)
    drawn = cells(plots.interpolations(model, x[:2], x[2:], steps=3), 2, 3)
    z = model.encode(drawn.reshape(6, 4, 4)).reshape(2, 3, 2)
    start, end = model.encode(x[:2]), model.encode(x[2:])
    expected = np.stack([start, (start + end) / 2, end], axis=1)
    np.testing.assert_allclose(z, expected, atol=1e-5)  # float32 pixels


def test_traversals_move_one_latent_a_row():
    model, z = Linear(3), np.array([[0.5, -0.5, 1.0]])
    figure = plots.traversals(model, z, dimensions=[2, 0], span=2, steps=5)
    drawn = model.encode(cells(figure, 2, 5).reshape(10, 4, 4)).reshape(2, 5, 3)
    expected = np.tile(z, [2, 5, 1])
    expected[0, :, 2] = expected[1, :, 0] = [-2, -1, 0, 1, 2]
    np.testing.assert_allclose(drawn, expected, atol=1e-5)  # float32 pixels


def test_manifold_is_uniform_in_probability_and_grows_right_and_up():
    drawn = cells(plots.manifold(Linear(2), size=5), 5, 5, gap=0)
    quantiles = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    to_the_right, upwards = np.meshgrid(quantiles, quantiles[::-1])
    np.testing.assert_allclose(drawn[:, :, 0, 0], to_the_right, rtol=1e-6)
    np.testing.assert_allclose(drawn[:, :, 0, 1], upwards, rtol=1e-6)


@pytest.mark.parametrize("latent_dim", [2, 5])
def test_scatter_takes_principal_components_above_two_latents(latent_dim):
    model, x = Linear(latent_dim), images(60)
    figure = plots.latent_scatter(model, x, np.arange(60) % 3)
    points = np.asarray(figure.axes[0].collections[0].get_offsets())
    z = model.encode(x)
    if latent_dim == 2:
        np.testing.assert_allclose(points, z)
        assert figure.axes[0].get_xlabel() == "$z_0$"
    else:
        largest = np.linalg.eigvalsh(np.cov(z.T))[::-1][:2]
        np.testing.assert_allclose(np.cov(points.T), np.diag(largest), atol=1e-9)
        assert "principal component" in figure.axes[0].get_xlabel()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["0", "1", "2"]


def test_kl_bars_are_sorted_and_named_by_their_latent():
    axes = plots.kl_per_dimension(np.array([0.5, 0.001, 2.0])).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, [2.0, 0.5, 0.001])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2", "0", "1"]
    assert axes.get_title().startswith("2 of 3 latents")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.image_grid(np.zeros([2, 8, 8])), r"images.shape.*1 or 3"),
        (lambda: plots.image_grid(255 * images(1)), "must lie in .0, 1."),
        (lambda: plots.image_grid(images(2), columns=0), "`columns` must be"),
        (lambda: plots.image_grid(images(2), row_labels="abc"), "`row_labels` must"),
        (lambda: plots.samples(Linear(2), 0), "`num_samples` must be"),
        (lambda: plots.interpolations(Linear(2), images(2), images(3)), r"len\(x_end"),
        (lambda: plots.traversals(Linear(2), np.zeros([3, 2])), r"Take z\[:1\]"),
        (lambda: plots.attribute(Linear(2), images(2), [1.0]), r"of shape \[2\]"),
        (lambda: plots.traversals(Linear(2), dimensions=[2]), "below latent_dim=2"),
        (lambda: plots.manifold(Linear(3)), "latent_dim` must be 2.*traversals"),
        (lambda: plots.latent_scatter(Linear(1), images(2)), "must be at least 2"),
        (lambda: plots.latent_scatter(Linear(2), images(2), [1]), "labels.shape"),
        (lambda: plots.kl_per_dimension([np.nan, 1.0]), "`kl` must be finite"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
