"""Sprites: shapes, factors, what is kept and drawn, and dSprites itself."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfvae.data import load, render_sprites, sprites

SIZES = [3, 6, 40, 32, 32]


def area(x):
    return np.sum(x, axis=(1, 2, 3))


def centroid(x):
    """Returns the mean column and row of the pixels that are on, `[batch, 2]`."""
    at = np.arange(x.shape[1]) + 0.5
    x = np.asarray(x)[..., 0]
    sums = np.stack([(x * at).sum((1, 2)), (x * at[:, None]).sum((1, 2))], axis=1)
    return sums / x.sum((1, 2))[:, None]


@pytest.mark.parametrize("image_size", [22, 64])
def test_images_are_binary_and_never_touch_the_border(image_size):
    corners = {"position_x": [0, 31], "position_y": [0, 31]}
    x, _ = sprites(scale=[5], image_size=image_size, **corners)
    assert x.dtype == np.float32
    assert set(np.unique(x)) == {0, 1}
    assert not x[:, [0, -1]].any()
    assert not x[:, :, [0, -1]].any()


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_area_grows_with_the_square_of_the_scale(shape):
    others = {"orientation": range(0, 39, 4), "position_x": [9], "position_y": [20]}
    x, factors = sprites(shape=[shape], **others)
    areas = [area(x[factors[:, 1] == i]).mean() for i in range(6)]
    # Exact at scale 1; pixels of the border make a few in a hundred of small ones.
    exact = [400, math.pi * 14 * 7, 3.66 * 10.4**2][shape]
    expected = exact * np.linspace(0.5, 1, 6) ** 2
    np.testing.assert_allclose(areas, expected, rtol=0.03)


def test_first_and_last_orientation_are_equal_and_no_others_of_the_heart():
    x, _ = sprites(shape=[2], scale=[5], position_x=[15], position_y=[15])
    np.testing.assert_array_equal(x[0], x[39])
    assert len({image.tobytes() for image in x}) == 39


def test_square_is_the_same_after_a_quarter_turn():
    x, factors = sprites(20, shape=[0], position_x=[15], seed=1)
    turned = factors.copy()
    # A quarter turn of the image takes (x, y) to (y, -x); 31 - i is -i.
    turned[:, 3], turned[:, 4] = factors[:, 4], 31 - factors[:, 3]
    np.testing.assert_array_equal(np.rot90(x, axes=(1, 2)), render_sprites(turned))


def test_ellipse_looks_the_same_after_half_a_turn_and_heart_points_down():
    x = render_sprites([[k, 5, 0, 16, 16] for k in (1, 2)]).numpy()[..., 0]
    rows, columns = np.nonzero(x[0])
    assert [np.ptp(rows) + 1, np.ptp(columns) + 1] == [14, 28]
    widths = x[1].sum(1)[x[1].any(1)]
    assert widths[:8].mean() > 2 * widths[-8:].mean()


@pytest.mark.parametrize("shape", [0, 1, 2])
def test_centroid_is_linear_in_the_position(shape):
    kept = {"shape": [shape], "scale": [5], "orientation": [7]}
    x, factors = sprites(**kept, position_x=range(0, 32, 3), position_y=range(0, 32, 5))
    expected = 16 + 32 * factors[:, 3:] / 31
    # Pixels of the border decide a tenth of a pixel.
    np.testing.assert_allclose(centroid(x), expected, atol=0.2)


def test_all_combinations_come_once_with_the_last_factor_fastest():
    kept = {"shape": [2, 0], "scale": (1,), "orientation": np.arange(2, 5)}
    _, factors = sprites(**kept, position_x=[3], image_size=16)
    assert factors.dtype == np.int64
    assert len(factors) == len(np.unique(factors, axis=0)) == 2 * 3 * 32
    np.testing.assert_array_equal(factors[:32, 4], np.arange(32))
    np.testing.assert_array_equal(
        factors[[0, 32, 96], :3], [[2, 1, 2], [2, 1, 3], [0, 1, 2]]
    )


def test_draws_are_seeded_uniform_and_begin_alike():
    x, factors = sprites(3_000, seed=3, image_size=16)
    again = sprites(50, seed=3, image_size=16)
    np.testing.assert_array_equal(x[:50], again.x)
    np.testing.assert_array_equal(factors[:50], again.factors)
    assert (sprites(50, seed=4, image_size=16).factors != again.factors).any()
    for column, size in zip(factors.T, SIZES, strict=True):
        assert (np.bincount(column, minlength=size) > 0).all()
        # Four standard errors.
        spread = math.sqrt((size**2 - 1) / 12 / 3_000)
        assert abs(column.mean() - (size - 1) / 2) < 4 * spread


def test_rendering_within_a_pipeline_is_the_same():
    x, factors = sprites(30)
    data = tf.data.Dataset.from_tensor_slices(factors).batch(16).map(render_sprites)
    assert data.element_spec.shape == (None, 64, 64, 1)
    np.testing.assert_array_equal(np.concatenate([*data.as_numpy_iterator()]), x)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_examples": 0}, ValueError, "`num_examples` must be"),
        ({"shape": [3]}, ValueError, "`shape` must be distinct indices from 0 to 2"),
        ({"scale": [1, 1]}, ValueError, "`scale` must be distinct"),
        ({"orientation": []}, ValueError, "`orientation` must be"),
        ({"position_x": 3}, TypeError, "`position_x` must be a list"),
        ({"position_y": [0.5]}, TypeError, "`position_y` must be an integer"),
        ({"image_size": 15}, ValueError, "`image_size` must be"),
        ({"seed": -1}, ValueError, "`seed` must be"),
    ],
)
def test_refusals_name_the_argument(options, error, message):
    with pytest.raises(error, match=message):
        sprites(**{"num_examples": 2, **options})


@pytest.mark.parametrize(
    ("factors", "error", "message"),
    [
        ([[0, 0, 0, 0]], ValueError, r"`factors` must be of shape \[batch, 5\]"),
        ([[0, 0, 40, 0, 0]], ValueError, "`factors` must be from 0 to less than"),
        ([[0, 0, -1, 0, 0]], ValueError, "`factors` must be from 0"),
        (np.zeros((1, 5)), TypeError, "`factors` must be integers"),
    ],
)
def test_rendering_refuses_other_factors(factors, error, message):
    with pytest.raises(error, match=message):
        render_sprites(factors)


def test_load_gives_binary_sprites_with_their_factors():
    splits = load("sprites", labels=True, image_size=(16, 16), batch_size=500)
    assert [len(split) for split in splits] == [84, 17, 20]
    x, y = next(iter(splits.test))
    assert y.dtype == tf.int64
    np.testing.assert_array_equal(x, render_sprites(y, 16))
    with pytest.raises(ValueError, match=r"`image_size` must be \(size, size\)"):
        load("sprites", image_size=(16, 32))
    with pytest.raises(ValueError, match="`data_dir` must be None for sprites"):
        load("sprites", data_dir="x")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A builder with the features of TFDS's dsprites and 60 sprites."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.datasets.dsprites import dsprites_dataset_builder

    x, factors = sprites(60, seed=5)
    names = ["shape", "scale", "orientation", "x_position", "y_position"]

    def generate(self, filepath):
        for i in range(60):
            labels = {f"label_{k}": v for k, v in zip(names, factors[i], strict=True)}
            values = {f"value_{k}": 0.0 for k in names}
            image = x[i].astype("uint8")
            yield i, {"image": image, **labels, **values}

    builder = dsprites_dataset_builder.Builder
    split = tfds.core.SplitGenerator("train", gen_kwargs={"filepath": ""})
    monkeypatch.setattr(builder, "_generate_examples", generate)
    monkeypatch.setattr(builder, "_split_generators", lambda *_: [split])
    monkeypatch.setattr("tfvae.data.tfds._missing_files", lambda *_: {})
    return tmp_path


def test_dsprites_comes_through_tfds_with_five_labels(stand_in):
    for _ in range(2):  # the second from what the first prepared
        splits = load("dsprites", labels=True, data_dir=stand_in)
        assert [len(y) for split in splits for _, y in split] == [42, 8, 10]
        for x, y in (batch for split in splits for batch in split):
            assert y.dtype == tf.int64
            np.testing.assert_array_equal(x, render_sprites(y))
