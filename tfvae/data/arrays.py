"""Sources in memory: arrays, `.npz` files, and what needs no files at all."""

import zipfile
from collections.abc import Mapping

import numpy as np

from tfvae import checks
from tfvae.data.nonlinear_ica import nonlinear_ica
from tfvae.data.splits import NAMES, Source, cut
from tfvae.data.sprites import images, sampled_factors

# Names of the sources that need no files.
EMBEDDED = ("digits", "sprites", "nonlinear_ica")
_ALIASES = {"validation": "valid", "val": "valid"}


def from_arrays(source, *, labels, fractions, binarize=None):
    """Returns the `Source` of an array, a tuple of three, or a mapping by name."""
    given, targets = _by_name(source)
    values = {name: _values(x, binarize) for name, x in given.items()}
    _check_alike(values)
    examples = {name: (x,) for name, x in values.items()}
    if labels:
        examples = {name: (x, _labels(name, x, targets)) for name, x in values.items()}
    return Source(cut(examples, fractions), _peak(values.values()))


def from_npz(path, **options):
    """Returns the `Source` of an `.npz` file, read without pickle."""
    return from_arrays(_read(path), **options)


def digits(*, labels, fractions):
    """Returns the 1,797 digits of scikit-learn, `[8, 8, 1]`, grey values 0 to 16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    arrays = {"x": bunch.images.astype("uint8"), "y": bunch.target}
    source = from_arrays(arrays, labels=labels, fractions=fractions)
    return source._replace(peak=16)


def drawn_sprites(*, labels, fractions, image_size):
    """Returns 60,000 drawn sprites in {0, 1}, their five factors as labels.

    Args:
        labels: Whether to give the factors, int64 `[5]` an example.
        fractions: `Fractions` of valid and test.
        image_size: `(size, size)`, with or without 1 channel, or `None` for 64.
    """
    size = (64, 64) if image_size is None else image_size
    size = tuple(size) if isinstance(size, (tuple, list)) else ()
    if not size or size not in (size[:1] * 2, (*size[:1] * 2, 1)):
        expected = "(size, size) or (size, size, 1) for sprites"
        checks.fail(expected, image_size=image_size)
    factors = sampled_factors(60_000)
    x = images(factors, size[0], "uint8")
    examples = (x, factors) if labels else (x,)
    return Source(cut({"all": examples}, fractions), peak=1)


def mixed_sources(*, labels, fractions, binarize):
    """Returns whitened mixtures of 5 sources, `[5]`, their 40 segments as labels."""
    from sklearn.decomposition import PCA

    # With the usual fractions 1,000 rows a segment are left for train, on average.
    x, u, _ = nonlinear_ica(segment_length=1440)
    arrays = {"x": PCA(whiten=True).fit_transform(x), "y": u}
    return from_arrays(arrays, labels=labels, fractions=fractions, binarize=binarize)


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            "`source` must be an .npz file of plain arrays, without pickled objects. "
            f"Received: {path} ({error})."
        ) from error


def _by_name(source):
    """Returns inputs and labels as two dicts over train, valid, test or "all"."""
    if isinstance(source, Mapping):
        return _from_mapping({str(k): v for k, v in source.items()})
    if not isinstance(source, tuple):
        return {"all": source}, {}
    if len(source) != 3:
        raise ValueError(
            "`source` must be a tuple of three arrays (train, valid, test). "
            f"Received: a tuple of {len(source)}."
        )
    return dict(zip(NAMES, source, strict=True)), {}


def _from_mapping(arrays):
    names = {key: key.removeprefix("x_").removeprefix("y_") for key in arrays}
    names = {key: _ALIASES.get(name, name) for key, name in names.items()}
    is_label = {key: key == "y" or key.startswith("y_") for key in arrays}
    given = {names[k]: v for k, v in arrays.items() if not is_label[k]}
    targets = {names[k]: v for k, v in arrays.items() if is_label[k]}
    if len(given) == 1 and "train" not in given:
        return {"all": next(iter(given.values()))}, {"all": targets.get("y")}
    if "train" not in given or not set(given) <= set(NAMES):
        raise ValueError(
            "`source` must hold train and, where there are such, valid and test (or "
            "x_train, y_train and so on), or one array. "
            f"Received: source with {sorted(arrays)}."
        )
    return given, targets


def _values(x, binarize):
    """Returns checked values: integers as uint8, floats as float32."""
    x = checks.real(source=x)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim not in (2, 4) or not x.size:
        raise ValueError(
            "`source` must hold arrays [examples, height, width, channels], [examples, "
            f"height, width] or [examples, features]. Received: shape {list(x.shape)}."
        )
    if x.dtype.kind in "biu":
        return _grey_values(x)
    unit = {"low": 0, "high": 1, "because": f"binarize={binarize!r}"}
    return checks.array(x.shape[1:], **(unit if binarize else {}), source=x)


def _grey_values(x):
    if x.min() < 0 or x.max() > 255:
        raise ValueError(
            "`source` must hold integers from 0 to 255. Received: integers from "
            f"{x.min()} to {x.max()}. Scale them yourself and pass floats."
        )
    return x.astype("uint8", copy=False)


def _check_alike(values):
    kinds = {name: (str(x.dtype), list(x.shape[1:])) for name, x in values.items()}
    if any(kind != next(iter(kinds.values())) for kind in kinds.values()):
        raise ValueError(
            "`source` must hold arrays of one shape and kind in all splits. "
            f"Received: {kinds}."
        )


def _peak(values):
    """Tells {0, 1} from grey values by the greatest integer of all splits."""
    values = list(values)
    if values[0].dtype.kind == "f":
        return None
    return 1 if max(x.max() for x in values) <= 1 else 255


def _labels(name, x, targets):
    if targets.get(name) is None:
        hint = "Pass a dict or .npz with x_train and y_train, x_test and y_test."
        checks.fail("False where the source has no labels", hint=hint, labels=True)
    y = np.asarray(targets[name])
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise ValueError(
            "`source` must hold one integer label an example. Received: labels of "
            f"shape {list(y.shape)} and dtype {y.dtype} for {len(x)} examples."
        )
    return y.astype("int64", copy=False)
