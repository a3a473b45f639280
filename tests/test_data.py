"""Pipelines: values, splits, noise, seeds, sources and what is refused."""

import collections
import functools
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import assert_same_state
from tfvae.data import array_files, batches, images, load, sources
from tfvae.data import tfds as builders
from tfvae.data.batches import steps_at_once
from tfvae.data.load import _fits
from tfvae.data.parts import Part

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def needs(name):
    return pytest.mark.skipif(not (DATA / name).exists(), reason=f"no {name} files")


def stacked(pipeline):
    return np.concatenate([batch.numpy() for batch in pipeline])


@pytest.fixture
def grey():
    return np.random.default_rng(0).integers(0, 256, (90, 4, 3, 1)).astype("uint8")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


def test_digits_are_scaled_by_16_and_cut_into_disjoint_splits():
    splits = load("digits", labels=True, batch_size=100)
    parts = [list(split.unbatch().as_numpy_iterator()) for split in splits]
    assert [len(part) for part in parts] == [1247, 250, 300]
    pairs = [(x.tobytes(), int(y)) for part in parts for x, y in part]
    assert sorted({y for _, y in pairs}) == list(range(10))
    assert len(set(pairs)) == 1797
    values = np.unique(np.stack([x for part in parts for x, _ in part]))
    np.testing.assert_array_equal(values, np.arange(17) / 16)


def test_batches_have_static_event_shape_cardinality_and_a_partial_end(grey):
    train, valid, test = load(grey, batch_size=25)
    assert train.element_spec == tf.TensorSpec([None, 4, 3, 1], tf.float32)
    assert [len(train), len(valid), len(test)] == [3, 1, 1]
    assert [len(batch) for batch in train] == [25, 25, 13]


def test_grey_values_are_divided_by_255_and_nothing_is_lost(grey):
    values = np.concatenate([stacked(split) for split in load(grey)])
    scaled = grey.astype("float32") / 255
    np.testing.assert_allclose(np.sort(values, 0), np.sort(scaled, 0), atol=1e-7)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64"])
def test_integers_up_to_one_are_binary(dtype):
    x = np.eye(12).astype(dtype)
    assert stacked(load((x, x, x)).train).max() == 1


def test_one_grey_split_makes_all_splits_grey():
    dark, bright = np.ones((6, 4), "uint8"), np.full((6, 4), 255, "uint8")
    assert stacked(load((dark, dark, bright)).train).max() == np.float32(1 / 255)


def test_floats_stay_as_they_are_without_binarization():
    x = np.random.default_rng(0).normal(size=(30, 5))
    np.testing.assert_array_equal(stacked(load((x, x, x)).valid), x.astype("float32"))


def test_images_without_channels_get_one(grey):
    assert load(grey[..., 0]).train.element_spec.shape == (None, 4, 3, 1)


@pytest.mark.parametrize(
    "options",
    [{"binarize": "static"}, {"binarize": "dynamic"}, {"dequantize": True}],
    ids=str,
)
@pytest.mark.parametrize("cache", [True, False])
def test_same_seed_gives_same_bits_and_epochs_differ(grey, options, cache):
    one, two, other = (load(grey, seed=s, cache=cache, **options) for s in (7, 7, 8))
    for _ in range(2):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(stacked(a), stacked(b))
    assert (stacked(one.train) != stacked(one.train)).any()
    for a, b in zip(one[1:], other[1:], strict=True):
        np.testing.assert_array_equal(stacked(a), stacked(a))
        assert (stacked(a) != stacked(b)).any()


def test_splits_do_not_depend_on_the_seed(grey):
    for a, b in zip(load(grey, seed=1)[1:], load(grey, seed=2)[1:], strict=True):
        np.testing.assert_array_equal(stacked(a), stacked(b))


def test_fixed_noise_does_not_depend_on_batch_size_or_cache():
    x = np.full((300, 6), 0.5)
    draws = [
        stacked(load((x, x, x), binarize="dynamic", **options).test)
        for options in ({}, {"batch_size": 7}, {"cache": False})
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])


@pytest.mark.parametrize("binarize", ["static", "dynamic"])
def test_draws_have_the_grey_value_as_their_mean(binarize):
    x = np.tile(np.array([0, 51, 128, 255], "uint8"), (20_000, 1))
    splits = load((x, x, x), binarize=binarize)
    means = np.array([stacked(split).mean(0) for split in splits])
    assert (means[:, 0] == 0).all()
    assert (means[:, 3] == 1).all()
    # Five standard errors of 20,000 draws.
    np.testing.assert_allclose(means, np.tile(x[0] / 255, (3, 1)), atol=0.018)
    assert (stacked(splits.valid) != stacked(splits.test)).any()


@pytest.mark.parametrize(("binarize", "same"), [("static", True), ("dynamic", False)])
def test_only_the_dynamic_draw_changes_between_epochs(binarize, same):
    x = np.full((200, 8), 0.5)
    train = load((x, x, x), binarize=binarize, shuffle=False).train
    assert (stacked(train) == stacked(train)).all() == same


def test_threshold_is_strict():
    x = np.array([[0.0, 0.5, 0.51, 1.0]])
    test = stacked(load((x, x, x), binarize="threshold").test)
    np.testing.assert_array_equal(test, [[0, 0, 1, 1]])


@pytest.mark.parametrize(("source", "levels"), [("digits", 17), ("grey", 256)])
def test_dequantized_values_fill_their_level(source, levels, grey):
    source = grey if source == "grey" else source
    options = {"shuffle": False, "seed": 3}
    for exact, noisy in zip(
        load(source, **options), load(source, dequantize=True, **options), strict=True
    ):
        noise = stacked(noisy) * levels - stacked(exact) * (levels - 1)
        # float32 at 256: 2**-15.
        assert -1e-4 < noise.min() < 0.02
        assert 0.98 < noise.max() < 1 + 1e-4
        assert abs(noise.mean() - 0.5) < 0.05


def test_npz_with_keras_names_keeps_its_labels_and_test_set(tmp_path, grey):
    path = tmp_path / "set.npz"
    y = np.arange(90)
    np.savez(path, x_train=grey, y_train=y, x_test=grey[:7], y_test=y[:7])
    splits = load(str(path), labels=True, shuffle=False)
    labels = [np.concatenate([y for _, y in split]) for split in splits]
    for have, want in zip(labels, [y[:75], y[75:], y[:7]], strict=True):
        np.testing.assert_array_equal(have, want)


def test_folder_gives_stretched_images_with_their_class(tmp_path):
    from PIL import Image

    for name, colour in [("dark", 10), ("bright", 200)]:
        (tmp_path / name).mkdir()
        for i in range(12):
            image = Image.new("L", (9 + i, 7), colour)
            image.save(tmp_path / name / f"{i}.png")
    splits = load(tmp_path, labels=True, image_size=(6, 5, 1))
    for x, y in (batch for split in splits for batch in split):
        assert x.shape[1:] == (6, 5, 1)
        np.testing.assert_allclose(x[:, 0, 0, 0], np.where(y, 10, 200) / 255, atol=1e-6)
    assert load(tmp_path, image_size=(6, 5)).train.element_spec.shape[-1] == 3


@pytest.mark.parametrize("third", [None, "valid", "validation", "val"])
def test_folder_keeps_its_own_splits(tmp_path, grey, third):
    parts = {"train": grey[:12], "test": grey[20:]}
    if third:
        parts[third] = grey[12:20]
    for name, part in parts.items():
        for i, image in enumerate(part):
            path = str(tmp_path / name / f"{i:02}.png")
            tf.io.write_file(path, tf.io.encode_png(image))
    train, valid, test = map(stacked, load(tmp_path, image_size=(4, 3, 1)))
    assert [len(train), len(valid)] == ([12, 8] if third else [10, 2])
    np.testing.assert_allclose(test, grey[20:] / 255, atol=1e-6)


@pytest.mark.parametrize("binarize", [None, "threshold", "dynamic"])
def test_a_folder_is_read_in_the_order_of_memory(binarize, tmp_path, grey):
    for i, image in enumerate(grey[:24]):
        tf.io.write_file(str(tmp_path / f"{i:02}.png"), tf.io.encode_png(image))
    options = {"image_size": (4, 3, 1), "batch_size": 4, "binarize": binarize}
    both = [load(tmp_path, **options, cache=cache) for cache in (True, False)]
    for held, read in zip(*both, strict=True):
        for _ in range(2):  # epochs
            for one, other in zip(held, read, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "bool"])
def test_an_array_larger_than_memory_is_read_from_its_file(dtype, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, [36, 5, 4]).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    for binarize in (None, "dynamic"):
        options = {"batch_size": 8, "binarize": binarize}
        for cache in (True, False, "auto"):
            wanted = load(x, **options)
            found = load(tmp_path / "x.npy", **options, cache=cache)
            for one, other in zip(wanted, found, strict=True):
                np.testing.assert_array_equal(stacked(one), stacked(other))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros([9, 2], "int64"), {}, "integers of one byte"),
        (np.zeros([9, 2]), {"labels": True}, "`labels` must be False: an .npy file"),
        (np.full([9, 2], 2.0), {"binarize": "threshold"}, r"must lie in \[0, 1\]"),
        (np.zeros([9]), {}, "`source` must hold arrays"),
    ],
)
def test_npy_files_of_other_kinds_are_refused(x, options, message, tmp_path):
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "x.npy", **options)
    (tmp_path / "torn.npy").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"an .npy file of one plain array"):
        load(tmp_path / "torn.npy")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_have_the_pixels_that_pillow_gives(mode, ending, channels, tmp_path):
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3)).astype("uint8")
    paths = [str(tmp_path / f"{i}.{ending}") for i in range(5)]
    try:
        for path, pixels in zip(paths, noise, strict=True):
            Image.fromarray(pixels).convert(mode).save(path)
    except (OSError, ValueError):
        pytest.skip(f"{ending} has no {mode}")
    kind = {1: "L", 3: "RGB"}[channels]
    ours = images.decode(paths, (9, 7, channels), paths.__getitem__)
    contents = [Path(path).read_bytes() for path in paths]
    again = images.decode(contents, (9, 7, channels), paths.__getitem__)
    np.testing.assert_array_equal(ours, again)
    for x, path in zip(ours, paths, strict=True):
        with Image.open(path) as image:
            theirs = np.asarray(image.convert(kind)).reshape(x.shape)
        np.testing.assert_array_equal(x, theirs)


def write_records(path, x, y, encode=tf.io.encode_png, name="label"):
    def feature(value):
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for image, label in zip(x, y, strict=True):
            content = image.tobytes() if encode is None else encode(image).numpy()
            features = {"image": feature(content)}
            if name:
                features[name] = feature(int(label))
            features = tf.train.Features(feature=features)
            file.write(tf.train.Example(features=features).SerializeToString())


def assert_same_batches(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        for a, b in zip(one, other, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("encode", [tf.io.encode_png, None])
def test_records_of_many_files_are_the_arrays(encode, tmp_path, grey):
    y = np.arange(90) % 7
    cuts = {"train": (0, 30, 60), "validation": (60, 66, 75), "test": (75, 90)}
    for name, at in cuts.items():
        for i, (start, stop) in enumerate(zip(at, at[1:], strict=False)):
            path = tmp_path / f"set-{name}.tfrecord-{i:05}-of-{len(at) - 1:05}"
            write_records(path, grey[start:stop], y[start:stop], encode)
    arrays = {"train": grey[:60], "valid": grey[60:75], "test": grey[75:]}
    arrays |= {"y_train": y[:60], "y_valid": y[60:75], "y_test": y[75:]}
    options = {"labels": True, "batch_size": 16, "binarize": "dynamic"}
    wanted = [[*split] for split in load(arrays, **options)]
    size = {} if encode else {"image_size": (4, 3, 1)}
    for source in (tmp_path, tmp_path / "*.tfrecord*"):
        for cache in (True, False):
            found = load(source, **options, **size, cache=cache)
            assert_same_batches(found, wanted)


def test_one_file_of_records_is_cut_as_one_array(tmp_path, grey):
    path = tmp_path / "all.tfrecord"
    write_records(path, grey, np.arange(90), name="kind")
    arrays = {"x": grey, "y": np.arange(90)}
    wanted = [[*split] for split in load(arrays, labels=True)]
    assert_same_batches(load(path, cache=False, labels="kind"), wanted)
    assert_same_batches(load(path, labels=True), wanted)
    small = load(str(path), image_size=(2, 2))
    assert small.train.element_spec.shape == (None, 2, 2, 1)


def test_other_records_are_refused(tmp_path, grey):
    path = tmp_path / "x.tfrecord"
    with pytest.raises(FileNotFoundError, match="`source` must be TFRecord files"):
        load(path)
    write_records(path, grey, np.arange(90))
    with pytest.raises(ValueError, match="`labels` must be one of"):
        load(path, labels="other")
    write_records(path, grey, np.arange(90), name=None)
    with pytest.raises(ValueError, match=r"`labels` must be False where none of"):
        load(path, labels=True)
    write_records(path, grey[:0], [])
    with pytest.raises(ValueError, match="at least one record"):
        load(path)
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(b"\xff\xffno example")
    with pytest.raises(ValueError, match=r"records of tf.train.Example"):
        load(path)
    write_records(path, grey, np.arange(90))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"whole, uncompressed TFRecord files.*x.tf"):
        load(path)
    write_records(path, grey, np.arange(90), None)
    with pytest.raises(ValueError, match="`image_size` must be given"):
        load(path)
    with pytest.raises(ValueError, match="a shape of 12 elements"):
        load(path, image_size=(5, 5, 1))
    write_records(tmp_path / "train" / "y.tfrecord", grey, np.arange(90))
    with pytest.raises(ValueError, match="name the split of each file"):
        load(tmp_path)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
@pytest.mark.parametrize("labels", [True, False])
def test_a_large_npz_file_is_read_where_it_lies(dtype, labels, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, [40, 5, 4]).astype(dtype), np.arange(40)
    options = {"labels": labels, "batch_size": 8, "binarize": "dynamic"}
    splits = {"x_train": x[:30], "y_train": y[:30], "x_test": x[30:], "y_test": y[30:]}
    for arrays in (splits, {"x": x, "y": y}):
        wanted = load(arrays, **options)
        np.savez(tmp_path / "x.npz", **arrays)
        with monkeypatch.context() as patch:
            patch.setattr(array_files, "fits", lambda size: False)
            patch.setattr(sources, "fits", lambda size: False)
            patch.setattr(array_files, "from_arrays", None)
            found = load(tmp_path / "x.npz", **options)
        assert_same_batches(found, wanted)


def test_whole_files_tell_the_greatest_value(tmp_path):
    x = np.zeros([1800, 4], "uint8")
    x[1500:] = 200
    np.save(tmp_path / "x.npy", x)
    found, wanted = load(tmp_path / "x.npy"), load(x)
    assert_same_batches(found, wanted)
    read = load(tmp_path / "x.npy", cache=False, shuffle=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="integers of one range"):
        list(map(stacked, read))


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize(
    "options", [{"binarize": "dynamic"}, {"binarize": "static"}, {"dequantize": True}]
)
def test_a_worker_reads_its_own_rows_alone(cache, options, tmp_path, grey, monkeypatch):
    for i, image in enumerate(grey[:40]):
        tf.io.write_file(str(tmp_path / f"{i:02}.png"), tf.io.encode_png(image))
    read, decode = [], images.decode

    def spy(files, *args):
        read.append(len(files))
        return decode(files, *args)

    monkeypatch.setattr("tfvae.data.folders.decode", spy)
    options = {"image_size": (4, 3, 1), "batch_size": 8, "cache": cache, **options}
    whole = [*load(tmp_path, **options).train]
    read.clear()
    parts = [Part(i, 2, 4) for i in range(2)]
    shares = [[*batches.shared(load(tmp_path, **options).train, p)] for p in parts]
    for batch, *pairs in zip(whole, *shares, strict=True):
        together = np.concatenate([rows for _, rows in pairs])
        np.testing.assert_array_equal(together, batch)
        assert [int(place[1]) for place, _ in pairs] == [len(batch)] * 2
    if not cache and options.get("binarize") != "static":
        assert max(read) == 4


def test_what_does_not_fit_in_memory_is_not_held(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.zeros([30, 50], "uint8"))
    free = collections.namedtuple("free", "available")
    for available, fits in ((6_100, True), (5_900, False)):
        monkeypatch.setattr("psutil.virtual_memory", functools.partial(free, available))
        raw = array_files.from_npy(
            tmp_path / "x.npy",
            labels=False,
            fractions=sources.Fractions(0.1, 0.1),
        )
        assert _fits(raw.splits) == fits


def test_folder_names_the_file_that_is_no_image(tmp_path, grey):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for i in range(8):
        tf.io.write_file(str(tmp_path / f"{i}.png"), tf.io.encode_png(grey[i]))
    with pytest.raises(ValueError, match="broken.png"):
        load(tmp_path, image_size=(4, 3, 1))
    read = load(tmp_path, image_size=(4, 3, 1), cache=False, test_fraction=0.5)
    with pytest.raises(tf.errors.OpError, match="broken.png"):
        list(map(stacked, read))


X = np.linspace(0, 1, 48).reshape(12, 4)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (X, {"binarize": "dynamics"}, "`binarize` must be one of"),
        (X * 2, {"binarize": "static"}, r"lie in \[0, 1\] for binarize='static'"),
        (np.where(X > 0.9, np.nan, X), {}, "`source` must be finite"),
        (X, {"dequantize": True}, "grey levels are not known"),
        ("digits", {"dequantize": True, "binarize": "static"}, "False with binarize"),
        (X, {"labels": True}, "no labels"),
        (X, {"batch_size": 0}, "`batch_size` must be"),
        (X, {"seed": -1}, "`seed` must be"),
        (X, {"validation_fraction": 0}, "leave examples in every split"),
        (X, {"image_size": (4, 4)}, "`image_size` must be None for arrays"),
        ("digits", {"data_dir": "x"}, "`data_dir` must be None for digits"),
        (X[0], {}, "must hold arrays"),
        (X[:0], {}, "must hold arrays"),
        ((X, X), {}, "tuple of three"),
        ((X, X, X[:, 1:]), {}, "one shape and kind"),
        (np.full((12, 4), 300), {}, "integers from 0 to 255"),
        ({"x_test": X, "x_valid": X}, {}, "must hold train"),
        ({"x": X, "y": np.zeros(3, int)}, {"labels": True}, "one integer label"),
        ("minst", {}, "Nearest: mnist"),
        ("imdb_reviews", {}, "one uint8 image"),
        ("oxford_flowers102", {}, "`image_size` must be given"),
        ("binarized_mnist", {"labels": True}, "no scalar label"),
        ("mnist", {"image_size": (8, 8, 3)}, "end in 1 channels"),
    ],
)
def test_refusals_say_what_is_wrong(source, options, message):
    with pytest.raises(ValueError, match=message):
        load(source, **options)


def test_npz_with_pickled_objects_is_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", train=np.array([{}], object))
    with pytest.raises(ValueError, match="without pickled objects"):
        load(tmp_path / "bad.npz")


def test_missing_path_is_refused(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="`source` must be an .npz or .npy file"
    ):
        load(tmp_path / "none.npz")


def test_offline_error_names_the_files_and_the_options(tmp_path, monkeypatch):
    monkeypatch.setattr(builders, "_reachable", lambda url: False)
    with pytest.raises(ConnectionError, match="train-images.*manual_dir.*data_dir"):
        load("mnist", data_dir=tmp_path)


def test_a_name_goes_before_a_folder_so_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    monkeypatch.setattr(builders, "_reachable", lambda url: False)
    with pytest.raises(ConnectionError):
        load("mnist", data_dir=tmp_path / "new")
    with pytest.raises(FileNotFoundError, match="folder with image files"):
        load("./mnist", image_size=(4, 4))
    with pytest.raises(ValueError, match=r"`image_size` must be \(height, width\)"):
        load("./mnist")


def test_missing_originals_are_named(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    with pytest.raises(FileNotFoundError, match="without t10k-images") as error:
        load("mnist", data_dir=tmp_path / "new", manual_dir=tmp_path)
    assert "train-images" not in str(error.value)


def test_unreachable_address_is_found_out_without_network():
    assert not builders._reachable("http://localhost:9/file")


@needs("frey_faces")
def test_frey_face_gives_all_frames_in_recoverable_order(prepared, capsys):
    import tensorflow_datasets as tfds

    manual_dir = DATA / "frey_faces"
    options = {"data_dir": prepared, "manual_dir": manual_dir, "labels": True}
    splits = load("frey_face", **options)
    pairs = [pair for split in splits for pair in split.unbatch().as_numpy_iterator()]
    frames = np.stack([x for x, _ in sorted(pairs, key=lambda pair: pair[1])])
    with np.load(manual_dir / "frey_faces.npz") as file:
        np.testing.assert_array_equal(np.rint(frames[..., 0] * 255), file["images"])
    assert len(tfds.load("frey_face", data_dir=prepared, split="train")) == 1965
    assert capsys.readouterr().out == ""


def test_frey_face_asks_for_its_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="frey_rawface.mat"):
        load("frey_face", data_dir=tmp_path)
    (tmp_path / "other").touch()
    with pytest.raises(FileNotFoundError, match="must hold frey_rawface.mat"):
        load("frey_face", data_dir=tmp_path, manual_dir=tmp_path)


@pytest.mark.parametrize("name", ["ff", "other"])
def test_frey_face_refuses_other_pixels(tmp_path, name):
    import scipy.io

    scipy.io.savemat(tmp_path / "frey_rawface.mat", {name: np.zeros((560, 1965), "u1")})
    with pytest.raises(ValueError, match="sha256|array `ff`"):
        load("frey_face", data_dir=tmp_path / "new", manual_dir=tmp_path)


@needs("olivetti_faces")
def test_olivetti_faces_hold_out_ten_people(prepared):
    manual_dir = DATA / "olivetti_faces"
    options = {"data_dir": prepared, "manual_dir": manual_dir, "batch_size": 400}
    with np.load(manual_dir / "olivetti_faces.npz") as file:
        images, glasses, subjects = (file[k] for k in ("images", "glasses", "subject"))
    x, y = next(iter(load("olivetti_faces", **options, labels=True).test))
    at = [np.flatnonzero((images == i).all((1, 2))) for i in np.rint(x[..., 0] * 255)]
    np.testing.assert_array_equal(np.sort(np.concatenate(at)), np.arange(300, 400))
    np.testing.assert_array_equal(glasses[np.concatenate(at)], y)
    _, people = next(iter(load("olivetti_faces", **options, labels="subject").test))
    np.testing.assert_array_equal(subjects[np.concatenate(at)], people)
    with pytest.raises(ValueError, match="`labels` must be one of.*'glasses'"):
        load("olivetti_faces", **options, labels="glases")


def test_olivetti_faces_refuse_another_file(tmp_path):
    import scipy.io

    scipy.io.savemat(tmp_path / "olivettifaces.mat", {"faces": np.zeros((4, 400))})
    with pytest.raises(ValueError, match=r"shape \[4096, 400\]. Received.*\[4, 400\]"):
        load("olivetti_faces", data_dir=tmp_path / "new", manual_dir=tmp_path)


def fake_celeb_a(builder, _):
    """Splits of drawn examples in place of the downloaded ones."""
    features = builder.info.features

    def examples(count):
        rng = np.random.default_rng(count)
        for i in range(count):
            yield (
                i,
                {
                    "image": rng.integers(0, 256, features["image"].shape, "uint8"),
                    "landmarks": dict.fromkeys(features["landmarks"], 0),
                    "attributes": {k: i % 2 == 0 for k in features["attributes"]}
                    | {"Eyeglasses": i % 3 == 0},
                    "identity": dict.fromkeys(features["identity"], 0),
                },
            )

    counts = {"train": 9, "validation": 4, "test": 6}
    return {name: examples(count) for name, count in counts.items()}


def test_celeb_a_gives_its_attributes(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    kind = type(tfds.builder("celeb_a"))
    monkeypatch.setattr(kind, "_split_generators", fake_celeb_a)
    monkeypatch.setattr(builders, "_check_originals", lambda *_: None)
    options = {"data_dir": tmp_path, "image_size": (64, 64)}
    x, y = next(iter(load("celeb_a", **options, labels=True).test))
    assert (x.shape, y.shape, y.dtype) == ((6, 64, 64, 3), (6, 40), tf.int64)
    names = sorted(tfds.builder("celeb_a").info.features["attributes"])
    _, glasses = next(iter(load("celeb_a", **options, labels="Eyeglasses").test))
    np.testing.assert_array_equal(y[:, names.index("Eyeglasses")], glasses)
    assert (int(np.sum(glasses)), np.sum(y, axis=0)[:2].tolist()) == (2, [3, 3])


def test_a_label_has_a_name_in_data_sets_of_tfds_alone(grey):
    with pytest.raises(ValueError, match="`labels` must be True or False but for TFDS"):
        load(grey, labels="subject")
    with pytest.raises(TypeError, match="`labels` must be True, False or a name"):
        load(grey, labels=["subject"])


@pytest.mark.slow
@needs("mnist")
def test_mnist_comes_through_tfds_from_its_originals(prepared):
    options = {"data_dir": prepared, "manual_dir": DATA / "mnist", "labels": True}
    splits = load("mnist", **options, image_size=(28, 28))
    labels = [np.concatenate([y for _, y in split]) for split in splits]
    assert [len(y) for y in labels] == [50_000, 10_000, 10_000]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(np.concatenate(labels[:2])).tolist() == counts
    # The well-known mean of the 60,000 training images.
    total = sum(float(tf.reduce_sum(x)) for split in splits[:2] for x, _ in split)
    assert total / (60_000 * 784) == pytest.approx(0.1307, abs=5e-5)


@pytest.mark.slow
@needs("fashion_mnist")
def test_fashion_mnist_is_not_mnist_whose_files_have_the_same_names(prepared):
    mnist = load("mnist", data_dir=prepared, manual_dir=DATA / "mnist")
    options = {"data_dir": prepared, "manual_dir": DATA / "fashion_mnist"}
    fashion = load("fashion_mnist", **options)
    means = [float(tf.reduce_mean(stacked(splits.test))) for splits in (mnist, fashion)]
    # The well-known means of the two test splits.
    assert means == pytest.approx([0.1325, 0.2868], abs=5e-4)


@pytest.mark.slow
@needs("binarized_mnist")
def test_binarized_mnist_stays_binary_through_tfds(prepared, tmp_path):
    packed = np.load(DATA / "binarized_mnist" / "binarized_mnist.npz")
    for name in packed.files:
        rows = np.full((len(packed[name]), 1568), ord(" "), "u1")
        rows[:, ::2] = np.unpackbits(packed[name], axis=1) + ord("0")
        rows[:, -1] = ord("\n")
        rows.tofile(tmp_path / f"binarized_mnist_{name}.amat")
    splits = load("binarized_mnist", data_dir=prepared, manual_dir=tmp_path)
    for split, name in zip(splits, packed.files, strict=True):
        values = stacked(split)
        assert values.max() == 1
        assert values.sum() == np.bitwise_count(packed[name]).sum()


@pytest.mark.slow
def test_importing_the_pipelines_does_not_import_tensorflow_datasets():
    import subprocess

    code = "import sys, tfvae.data; sys.exit('tensorflow_datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("shape", "limit", "expected"),
    [([100, 8, 8, 1], 20, 20), ([100, 8, 8, 1], 3, 3), ([2**24], 20, 1)],
)
def test_few_large_batches_are_held_at_once(shape, limit, expected):
    batch = (tf.TensorSpec(shape), tf.TensorSpec([None], tf.int64))
    assert steps_at_once(batch, limit) == expected


def test_batches_are_a_function_of_seed_and_epoch():
    x = np.arange(10.0)

    def rows(seed, epoch):
        return np.concatenate([b for (b,) in batches.batches((x,), 4, seed, epoch)])

    number = tf.Variable(3)
    first = rows(0, lambda: number)
    np.testing.assert_array_equal(first, rows(0, lambda: 3))
    assert (first != rows(0, lambda: 4)).any()
    assert (first != rows(1, lambda: 3)).any()
    number.assign(4)
    np.testing.assert_array_equal(rows(0, lambda: number), rows(0, lambda: 4))
    again = batches.batches((x,), 5, 0, lambda: 3, repeat=True).take(4)
    both = np.concatenate([b for (b,) in again]).reshape(2, 10)
    np.testing.assert_array_equal(both, [rows(0, lambda: 3), rows(0, lambda: 4)])


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("repeat", [True, False])
@pytest.mark.parametrize("num_rows", [3, 10, 12])
def test_rows_gathered_in_a_program_are_the_batches(shuffle, repeat, num_rows):
    x = np.arange(2.0 * num_rows, dtype="float32").reshape(num_rows, 2) / 3
    arrays = x, np.arange(num_rows, dtype="int32")
    options = {"shuffle": shuffle, "repeat": repeat}
    source = batches.InMemory(arrays, 4, 0, lambda: 7, **options)
    count = 2 * source.num_steps if repeat else source.num_steps
    stream = iter(batches.batches(arrays, 4, 0, lambda: 7, **options).take(count))
    assert source.steps().cardinality() == (-1 if repeat else count)
    for _ in range(1 + repeat):
        whole, rest = source.rows()
        for rows in [*whole, *([rest] if len(rest) else [])]:
            ours = batches.gather(source.tensors, rows)
            for a, b in zip(ours, next(stream), strict=True):
                np.testing.assert_array_equal(a, b)
    assert next(stream, None) is None


@pytest.mark.parametrize("last", [1.0, 255.0, 256.0, -1.0, 0.5, 1e30])
def test_whole_numbers_are_held_in_a_byte_without_a_change(last):
    x = np.zeros([1500, 2], "float32")
    x[-1] = last
    source = batches.InMemory((x,), 4, 0, lambda: 0, shuffle=False, repeat=False)
    assert source.tensors[0].dtype == ("uint8" if last in (1, 255) else "float32")
    (again,) = batches.gather(source.tensors, tf.range(1500))
    assert again.dtype == "float32"
    np.testing.assert_array_equal(again, x)


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.filterwarnings("ignore:BackupAndRestore")
def test_training_goes_on_from_a_backup_in_the_same_order(tmp_path, grey, cache):
    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 8:
                raise KeyboardInterrupt

    def fitted(folder, *callbacks):
        keras.utils.set_random_seed(0)
        options = {"binarize": "dynamic", "batch_size": 16, "seed": 1, "cache": cache}
        train = load(grey, **options).train.map(lambda x: x)
        encoder = tfvae.networks.mlp_encoder(train.element_spec.shape[1:], [8])
        decoder = tfvae.networks.mlp_decoder(train.element_spec.shape[1:], [8])
        model = tfvae.VAE(encoder, decoder, latent_dim=2)
        model.compile("adam", jit_compile=False)
        backup = keras.callbacks.BackupAndRestore(tmp_path / folder)
        model.fit(train, epochs=4, callbacks=[backup, *callbacks], verbose=0)
        return model

    whole = fitted("whole")
    with pytest.raises(KeyboardInterrupt):
        fitted("part", Kill())
    assert_same_state(whole, fitted("part"))
